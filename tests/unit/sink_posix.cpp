// Shows what a Sink does with readers that are slow, never read, or go; and a Source and a Sink together: what passes both,
// and how they end while they wait.
#include <meari/standard.hpp>

#include <meari/stream.hpp>

#include "pipes_posix.hpp"

#include <sys/ioctl.h>

#include <csignal>

#include <atomic>
#include <optional>
#include <vector>

namespace meari {
namespace {

using namespace std::chrono_literals;

// FNV-1a, and what runs through it: numbers that never repeat, so that nothing can be lost, doubled or swapped unseen.
struct Checksum {
  void add(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) sum = (sum ^ static_cast<std::uint8_t>(byte)) * 1099511628211U;
    size += bytes.size();
  }
  bool operator==(const Checksum&) const = default;
  std::uint64_t sum = 14695981039346656037U;
  std::size_t size = 0;
};
struct Numbers {
  std::span<const std::byte> next() {
    for (std::uint64_t& number : block) number = (state = state * 6364136223846793005U + 1442695040888963407U);
    return std::as_bytes(std::span(block));
  }
  std::uint64_t state = 1;
  std::array<std::uint64_t, 1027> block{};
};

using StandardOutput = Standard;

TEST_F(StandardOutput, writes_text_bytes_and_chunks_in_order) {
  Pipe pipe;
  Sink output = sink(pipe.write_end());
  EXPECT_EQ(output.medium(), Medium::pipe);
  const auto write = [&]() -> Task<> {
    co_await output.write("text ");
    Bytes bytes = Bytes::copy_of("bytes ");
    co_await output.write(std::move(bytes));
    Chunk chunk = Chunk::copy_of(std::as_bytes(std::span("chunk ", 6))).value();
    co_await output.write(std::move(chunk));
    co_await output.write("");
    co_await output.flush();
  };
  EXPECT_TRUE(loop.block_on(write));
  EXPECT_EQ(pipe.take(), "text bytes chunk ");
}

TEST_F(StandardOutput, several_writers_queue_and_each_stays_whole) {
  Pipe pipe;
  Sink output = sink(pipe.write_end());
  std::string read;
  std::thread reader([&] {
    std::this_thread::sleep_for(10ms);
    for (std::string piece = pipe.take(); !piece.empty(); piece = pipe.take()) read += piece;
  });
  const auto all = [&]() -> Task<> {
    co_await scoped([&](Scope& scope) -> Task<> {
      for (char letter = 'a'; letter <= 'j'; ++letter)
        scope.spawn(
            [&output](char which) -> Task<> {
              const std::string text(50'000, which);
              co_await output.write(text);
            },
            letter);
      co_return;
    });
  };
  EXPECT_TRUE(loop.block_on(all));
  pipe.close_write();
  reader.join();
  std::string expected;
  for (char letter = 'a'; letter <= 'j'; ++letter) expected.append(50'000, letter);
  EXPECT_TRUE(read == expected);
}

TEST_F(StandardOutput, nobody_reads_any_more_is_broken_pipe_and_no_signal) {
  ASSERT_EQ(std::signal(SIGPIPE, SIG_DFL), SIG_DFL);  // it would kill us
  Pipe pipe;
  Sink output = sink(pipe.write_end());
  pipe.close_read();
  EXPECT_EQ(loop.block_on(write_text, std::ref(output), std::string("x")).error(), Errc::broken_pipe);
  EXPECT_EQ(loop.block_on(write_text, std::ref(output), std::string("x")).error(), Errc::broken_pipe);

  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  ::close(ends[1]);
  Sink socket = sink(ends[0], Ownership::owned);
  EXPECT_EQ(loop.block_on(write_text, std::ref(socket), std::string("x")).error(), Errc::broken_pipe);
}

TEST_F(StandardOutput, a_reader_that_goes_in_the_middle_leaves_the_sink_broken) {
  Pipe pipe;
  Sink output = sink(pipe.write_end());
  std::thread reader([&] {
    EXPECT_FALSE(pipe.take().empty());
    pipe.close_read();
  });
  EXPECT_EQ(loop.block_on(write_text, std::ref(output), std::string(megabyte, 'x')).error(), Errc::broken_pipe);
  reader.join();
  EXPECT_EQ(loop.block_on(write_text, std::ref(output), std::string("x")).error(), Errc::write_incomplete);
}

TEST_F(StandardOutput, a_full_disk_and_an_absent_output_are_told) {
  Sink full = sink(::open("/dev/full", O_WRONLY), Ownership::owned);
  const Error error = loop.block_on(write_text, std::ref(full), std::string("x")).error();
  EXPECT_EQ(error.system_code(), ENOSPC);
  EXPECT_STREQ(error.operation(), "write");

  Sink absent = sink(::open("/dev/null", O_RDONLY), Ownership::owned);
  EXPECT_EQ(absent.medium(), Medium::none);
  EXPECT_EQ(loop.block_on(write_text, std::ref(absent), std::string("x")).error(), Errc::closed);
  Sink none;
  EXPECT_EQ(loop.block_on(write_text, std::ref(none), std::string("x")).error(), Errc::closed);
}

TEST_F(StandardOutput, a_stalled_reader_keeps_neither_the_loop_nor_a_cancel_waiting) {
  Pipe pipe;
  Sink output = sink(pipe.write_end());
  const std::string much(megabyte, 'x');
  Result<> first;
  const auto stalled = [&](Scope& scope) -> Task<> {
    scope.spawn([&]() -> Task<> { first = co_await as_result(output.write(much)); });
    co_await yield();
    for (;;) {  // as a rule the thread has not seen it yet, but the pipe is full
      int waiting = 0;
      ::ioctl(pipe.read_end(), FIONREAD, &waiting);
      if (waiting != 0) break;
      co_await sleep_for(1ms);
    }
    scope.cancel();
  };
  const auto cancelled = [&]() -> Task<> { co_await scoped(stalled); };
  // What began to leave cannot be taken back, so nothing may follow it.
  EXPECT_TRUE(loop.block_on(cancelled));
  EXPECT_EQ(first.error(), Errc::write_incomplete);
  EXPECT_EQ(loop.block_on(write_text, std::ref(output), std::string("x")).error(), Errc::write_incomplete);
}

TEST_F(StandardOutput, a_write_that_is_cancelled_before_it_began_leaves_the_sink_whole) {
  Pipe pipe;
  const std::string full(65'536, 'x');
  pipe.put(full);
  Sink output = sink(pipe.write_end());
  const auto cancelled = [&]() -> Task<int> {
    Result<> r = co_await as_result(with_timeout(10ms, output.write("never")));
    co_return number(r.error());
  };
  EXPECT_EQ(*loop.block_on(cancelled), number(Errc::timed_out));
  // The second of two waits behind the first.
  const auto two = [&]() -> Task<> {
    co_await scoped([&](Scope& scope) -> Task<> {
      scope.spawn([&output]() -> Task<> { co_await output.write("first"); });
      scope.spawn([&output]() -> Task<> {
        Result<> r = co_await as_result(with_timeout(5ms, output.write("second")));
        EXPECT_EQ(r.error(), Errc::timed_out);
      });
      co_await sleep_for(20ms);
      EXPECT_EQ(pipe.take(65'536).size(), 65'536U);
    });
  };
  EXPECT_TRUE(loop.block_on(two));
  EXPECT_EQ(pipe.take(), "first");
}

TEST_F(StandardOutput, finish_lets_the_reader_see_the_end) {
  Pipe pipe;
  Sink output = sink(std::exchange(pipe.ends[1], -1), Ownership::owned);
  EXPECT_TRUE(loop.block_on(write_text, std::ref(output), std::string("all")));
  EXPECT_TRUE(loop.block_on(finish, std::ref(output)));
  EXPECT_EQ(pipe.take(), "all");
  EXPECT_EQ(pipe.take(), "");
  EXPECT_EQ(loop.block_on(write_text, std::ref(output), std::string("x")).error(), Errc::closed);
}

TEST_F(StandardOutput, finish_of_a_borrowed_one_leaves_it_open) {
  Pipe pipe;
  Sink output = sink(pipe.write_end());
  EXPECT_TRUE(loop.block_on(finish, std::ref(output)));
  pipe.put("still open");
  EXPECT_EQ(pipe.take(), "still open");
}

TEST_F(StandardOutput, writes_a_terminal_and_does_not_hang_when_nobody_looks_at_it) {
  Terminal terminal;
  Sink output = sink(terminal.slave);
  EXPECT_EQ(output.medium(), Medium::terminal);
  EXPECT_TRUE(loop.block_on(write_text, std::ref(output), std::string("hello")));
  std::array<char, 64> seen{};
  EXPECT_EQ(::read(terminal.master, seen.data(), seen.size()), 5);
  const auto stalled = [&]() -> Task<> {
    const std::string much(megabyte, 'x');
    co_await with_timeout(20ms, output.write(much));
  };
  EXPECT_EQ(loop.block_on(stalled).error(), Errc::write_incomplete);
  EXPECT_EQ(::fcntl(terminal.slave, F_GETFL) & O_NONBLOCK, 0);
}

// ---- both, and ends

TEST_F(StandardOutput, a_hundred_megabytes_pass_a_source_and_a_sink_unchanged) {
  constexpr std::size_t total = 100 * megabyte;
  Pipe in, out;
  Checksum sent, received;
  std::thread writer([&] {
    Numbers numbers;
    while (sent.size < total) {
      const std::span<const std::byte> bytes = numbers.next();
      sent.add(bytes);
      in.put({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    }
    in.close_write();
  });
  std::thread reader([&] {
    std::array<std::byte, 70'000> buffer{};
    for (ssize_t size = 0; (size = ::read(out.read_end(), buffer.data(), buffer.size())) > 0;)
      received.add({buffer.data(), static_cast<std::size_t>(size)});
  });
  {
    Source input = source(in.read_end());
    Sink output = sink(std::exchange(out.ends[1], -1), Ownership::owned);
    EXPECT_TRUE(loop.block_on(copy, std::ref(input), std::ref(output)));
  }
  writer.join();
  reader.join();
  EXPECT_EQ(sent, received);
}

TEST_F(StandardOutput, chunks_that_are_kept_do_not_change) {
  const int file = scratch_file(std::string(200'000, 'a') + std::string(200'000, 'b') + std::string(200'000, 'c'));
  Source input = source(file, Ownership::owned);
  const auto keep = [&]() -> Task<std::string> {
    std::vector<Chunk> kept;
    for (;;) {
      Chunk data = co_await input.read();
      if (data.empty()) break;
      kept.push_back(std::move(data));
    }
    std::string text;
    for (const Chunk& chunk : kept) text += chunk.text();
    co_return text;
  };
  EXPECT_TRUE(*loop.block_on(keep) ==
              std::string(200'000, 'a') + std::string(200'000, 'b') + std::string(200'000, 'c'));
}

TEST_F(StandardOutput, ends_at_once_although_nobody_writes_or_reads) {
  Pipe in, out;
  Terminal terminal;
  const std::string much(megabyte, 'x');
  const auto begin = std::chrono::steady_clock::now();
  {
    Source pipe_input = source(in.read_end());
    Source terminal_input = source(terminal.slave);
    Sink pipe_output = sink(out.write_end());
    Sink terminal_output = sink(terminal.slave);
    const auto all_wait = [&]() -> Task<> {
      co_await first_of(sleep_for(20ms), pipe_input.read(), terminal_input.read());
    };
    EXPECT_TRUE(loop.block_on(all_wait));
    // Writes that wait when their sink goes.
    loop.spawn([&]() -> Task<> {
      const Result<> r = co_await as_result(pipe_output.write(much));
      EXPECT_EQ(r.error(), Errc::write_incomplete);
    });
    loop.spawn([&]() -> Task<> {
      const Result<> r = co_await as_result(pipe_output.write("behind it"));
      EXPECT_EQ(r.error(), Errc::canceled);
    });
    loop.spawn([&]() -> Task<> {
      const Result<> r = co_await as_result(terminal_output.write(much));
      EXPECT_EQ(r.error(), Errc::write_incomplete);
    });
    loop.spawn([&]() -> Task<> {
      const Result<Chunk> r = co_await as_result(pipe_input.read());
      EXPECT_EQ(r.error(), Errc::canceled);
    });
    const auto a_moment = []() -> Task<> { co_await sleep_for(20ms); };
    EXPECT_TRUE(loop.block_on(a_moment));
    pipe_output.close();
    terminal_output.close();
    pipe_input.close();
    loop.run();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
  EXPECT_EQ(loop.tasks(), 0U);
}

TEST_F(StandardOutput, may_go_while_news_is_on_its_way) {
  for (int round = 0; round < 200; ++round) {
    Pipe pipe;
    std::optional<Source> input(source(pipe.read_end()));
    loop.spawn([&]() -> Task<> {
      const Result<Chunk> r = co_await as_result(input->read());
      EXPECT_TRUE(r || r.error() == Errc::canceled);
    });
    loop.turn(Time{});
    pipe.put("x");
    for (std::atomic<int> spin = round * 50; spin > 0; --spin) {}
    input.reset();
    loop.run();
  }
}

TEST_F(StandardOutput, standard_descriptors_that_are_closed_get_a_placeholder) {
  EXPECT_EXIT(
      {
        ::close(0);
        ::close(1);
        occupy_standard_descriptors();
        const bool taken = ::fcntl(0, F_GETFD) >= 0 && ::fcntl(1, F_GETFD) >= 0;
        const bool closed = ::read(0, nullptr, 0) < 0 && ::write(1, "x", 1) < 0;
        Loop own(std::move(make_epoll(megabyte)).value());
        Source input = Source::standard_input(own);
        Sink output = Sink::standard_output(own);
        const bool absent = own.block_on(read_one, std::ref(input)).error() == Errc::closed &&
                            own.block_on(write_text, std::ref(output), std::string("x")).error() == Errc::closed;
        std::_Exit(taken && closed && absent ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST_F(StandardOutput, finish_of_standard_output_is_seen_by_its_reader) {
  EXPECT_EXIT(
      {
        Pipe pipe;
        ::dup2(pipe.write_end(), 1);
        pipe.close_write();
        Loop own(std::move(make_epoll(megabyte)).value());
        Sink output = Sink::standard_output(own);
        static_cast<void>(own.block_on(write_text, std::ref(output), std::string("all")));
        static_cast<void>(own.block_on(finish, std::ref(output)));
        const bool ended = pipe.take() == "all" && pipe.take().empty();
        const bool taken = ::fcntl(1, F_GETFD) >= 0;
        std::_Exit(ended && taken ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

// What waits behind another write must not keep the pool from those who receive.
TEST_F(StandardOutput, a_small_loan_that_queues_is_copied_out_of_the_pool) {
  Pipe pipe;
  const std::string full(static_cast<std::size_t>(::fcntl(pipe.write_end(), F_GETPIPE_SZ)), 'x');
  pipe.put(full);
  Sink output = sink(pipe.write_end());
  const auto body = [&](Scope& scope) -> Task<> {
    auto [from, to] = Stream::pair(loop).value();
    co_await from.write("second");
    Chunk loan = co_await to.read();
    EXPECT_TRUE(loan.on_loan());
    scope.spawn([&output]() -> Task<> { co_await output.write("first "); });
    scope.spawn([&output, &loan]() -> Task<> { co_await output.write(std::move(loan)); });
    for (int i = 0; i < 3; ++i) co_await yield();
    EXPECT_TRUE(loan.empty());
    EXPECT_EQ(loop.backend().bytes_on_loan(), 0U);
    EXPECT_EQ(pipe.take(full.size()), full);
  };
  const auto both = [&]() -> Task<> { co_await scoped(body); };
  EXPECT_TRUE(loop.block_on(both));
  EXPECT_EQ(pipe.take(), "first second");
}

TEST_F(StandardOutput, who_waits_behind_a_write_that_was_cut_short_fails_too) {
  Pipe pipe;
  Sink output = sink(pipe.write_end());
  const std::string much(megabyte, 'x');
  Result<> first, second;
  const auto body = [&](Scope& scope) -> Task<> {
    const auto cut = [&](Scope& inner) -> Task<> {
      inner.spawn([&]() -> Task<> { first = co_await as_result(output.write(much)); });
      for (int waiting = 0; waiting == 0; ::ioctl(pipe.read_end(), FIONREAD, &waiting)) co_await yield();
      scope.spawn([&]() -> Task<> { second = co_await as_result(output.write("never")); });
      for (int i = 0; i < 3; ++i) co_await yield();
      inner.cancel();
    };
    co_await scoped(cut);
  };
  const auto both = [&]() -> Task<> { co_await scoped(body); };
  EXPECT_TRUE(loop.block_on(both));
  EXPECT_EQ(first.error(), Errc::write_incomplete);
  EXPECT_EQ(second.error(), Errc::write_incomplete);
  EXPECT_EQ(pipe.take(megabyte).find_first_not_of('x'), std::string::npos);
}

// The loop has not looked yet: but the bytes have gone, and whoever wrote them hears that.
TEST_F(StandardOutput, who_was_done_when_the_sink_closed_is_told_so) {
  Pipe pipe;
  const std::string full(static_cast<std::size_t>(::fcntl(pipe.write_end(), F_GETPIPE_SZ)), 'x');
  pipe.put(full);
  Sink output = sink(pipe.write_end());
  const std::string much(megabyte, 'b');
  Result<> first = Errc::in_progress, second;
  const auto body = [&](Scope& scope) -> Task<> {
    scope.spawn([&]() -> Task<> { first = co_await as_result(output.write("first")); });
    scope.spawn([&]() -> Task<> { second = co_await as_result(output.write(much)); });
    for (int i = 0; i < 3; ++i) co_await yield();
    std::string seen;
    while (!seen.ends_with('b')) seen = pipe.take(full.size());
    output.close();
  };
  const auto both = [&]() -> Task<> { co_await scoped(body); };
  EXPECT_TRUE(loop.block_on(both));
  EXPECT_TRUE(first) << first.error().message();
  EXPECT_EQ(second.error(), Errc::write_incomplete);
}

}  // namespace
}  // namespace meari
