// Shows what a Source makes of everything that standard input can be: pipes, files, terminals, sockets, /dev/null, nothing
// at all; with writers that come late, or never, or go.
#include <meari/standard.hpp>

#include "allocations.hpp"
#include "pipes_posix.hpp"

#include <sys/ioctl.h>

#include <chrono>
#include <filesystem>
#include <iterator>
#include <new>
#include <optional>
#include <thread>

namespace meari {
namespace {

using namespace std::chrono_literals;

using StandardInput = Standard;

TEST_F(StandardInput, reads_a_pipe_to_its_end_and_says_the_end_again) {
  Pipe pipe;
  Source input = source(pipe.read_end());
  EXPECT_EQ(input.medium(), Medium::pipe);
  pipe.put("hello");
  EXPECT_EQ(*loop.block_on(read_one, std::ref(input)), "hello");
  pipe.put("and more");
  pipe.close_write();
  EXPECT_EQ(*loop.block_on(read_all, std::ref(input)), "and more");
  EXPECT_EQ(*loop.block_on(read_all, std::ref(input)), "");
}

TEST_F(StandardInput, reads_what_comes_later) {
  Pipe pipe;
  Source input = source(pipe.read_end());
  std::thread writer([&] {
    std::this_thread::sleep_for(20ms);
    pipe.put("late");
  });
  EXPECT_EQ(*loop.block_on(read_one, std::ref(input)), "late");
  writer.join();
}

TEST_F(StandardInput, reads_files_sockets_and_the_null_device) {
  Source file = source(scratch_file("in a file"), Ownership::owned);
  EXPECT_EQ(file.medium(), Medium::file);
  EXPECT_EQ(*loop.block_on(read_all, std::ref(file)), "in a file");

  Source null = source(::open("/dev/null", O_RDONLY), Ownership::owned);
  EXPECT_EQ(null.medium(), Medium::null_device);
  EXPECT_EQ(*loop.block_on(read_all, std::ref(null)), "");

  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  Source socket = source(ends[0], Ownership::owned);
  EXPECT_EQ(socket.medium(), Medium::socket);
  EXPECT_EQ(::write(ends[1], "socket", 6), 6);
  ::close(ends[1]);
  EXPECT_EQ(*loop.block_on(read_all, std::ref(socket)), "socket");
}

TEST_F(StandardInput, absent_input_is_closed_and_not_an_end) {
  Pipe pipe;
  const int number = ::dup(pipe.read_end());
  ::close(number);
  Source never_opened = source(number);
  EXPECT_EQ(never_opened.medium(), Medium::none);
  EXPECT_EQ(loop.block_on(read_one, std::ref(never_opened)).error(), Errc::closed);
  EXPECT_EQ(loop.block_on(read_one, std::ref(never_opened)).error(), Errc::closed);

  Source nohup = source(::open("/dev/null", O_WRONLY), Ownership::owned);
  EXPECT_EQ(nohup.medium(), Medium::none);
  EXPECT_EQ(loop.block_on(read_one, std::ref(nohup)).error(), Errc::closed);

  Source none;
  EXPECT_EQ(loop.block_on(read_one, std::ref(none)).error(), Errc::closed);

  Source directory = source(::open("/", O_RDONLY | O_DIRECTORY), Ownership::owned);
  EXPECT_EQ(directory.medium(), Medium::directory);
  const Error error = loop.block_on(read_one, std::ref(directory)).error();
  EXPECT_EQ(error.system_code(), EISDIR);
  EXPECT_NE(error.message().find("read"), std::string::npos);
}

TEST_F(StandardInput, a_cancelled_read_loses_no_byte) {
  Pipe pipe;
  Source input = source(pipe.read_end());
  const auto impatient = [&]() -> Task<> { co_await with_timeout(5ms, input.read()); };
  EXPECT_EQ(loop.block_on(impatient).error(), Errc::timed_out);
  pipe.put("came while nobody waited");
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(*loop.block_on(read_one, std::ref(input)), "came while nobody waited");
  // And when data and clock race, whoever wins, all of it arrives in order.
  std::thread writer([&] {
    for (int i = 0; i < 200; ++i) {
      pipe.put("0123456789");
      std::this_thread::sleep_for(100us);
    }
    pipe.close_write();
  });
  const auto racing = [&]() -> Task<std::string> {
    std::string text;
    for (;;) {
      Result<Chunk> data = co_await as_result(with_timeout(50us, input.read()));
      if (!data && data.error() != Errc::timed_out) co_return data.error();
      if (data && data->empty()) co_return text;
      if (data) text += data->text();
    }
  };
  std::string expected;
  for (int i = 0; i < 200; ++i) expected += "0123456789";
  EXPECT_EQ(*loop.block_on(racing), expected);
  writer.join();
}

TEST_F(StandardInput, news_for_a_read_that_was_cancelled_meanwhile_is_kept) {
  Pipe pipe;
  Source input = source(pipe.read_end());
  const auto body = [&]() -> Task<std::string> {
    const auto group = [&](Scope& scope) -> Task<> {
      const auto reads = [&]() -> Task<> { co_await input.read(); };
      scope.spawn(reads);
      co_await sleep_for(1ms);
      pipe.put("for the next");
      std::this_thread::sleep_for(10ms);  // the loop sees the news and the cancel in one turn
      scope.cancel();
    };
    co_await scoped(group);
    Chunk data = co_await input.read();
    co_return std::string(data.text());
  };
  EXPECT_EQ(*loop.block_on(body), "for the next");
}

// The thread tells the loop once. When that arrives, who waited has been cancelled: nobody has read yet, or all has been read
// and nobody waits, or somebody waits for the next.
TEST_F(StandardInput, news_for_nobody_changes_nothing) {
  enum class Meanwhile { nothing_is_read, all_is_read, the_next_is_waited_for };
  for (const auto meanwhile : {Meanwhile::nothing_is_read, Meanwhile::all_is_read, Meanwhile::the_next_is_waited_for}) {
    Pipe pipe;
    Source input = source(pipe.read_end());
    const auto until_taken = [&] {
      int left = 1;
      while (::ioctl(pipe.read_end(), FIONREAD, &left) == 0 && left != 0) std::this_thread::yield();
    };
    Scope* first = nullptr;
    const auto waits = [&](Scope& scope) -> Task<> {
      first = &scope;
      co_await input.read();
    };
    const auto late = [&]() -> Task<> {
      co_await sleep_for(5ms);
      pipe.put("3");
    };
    const auto body = [&](Scope& scope) -> Task<std::string> {
      const auto is_first = [&]() -> Task<> { co_await scoped(waits); };
      scope.spawn(is_first);
      while (first == nullptr) co_await yield();
      pipe.put("1");
      until_taken();
      pipe.put("2");
      until_taken();  // who reads ahead has told of what was before
      first->cancel();
      if (meanwhile == Meanwhile::nothing_is_read) co_await sleep_for(1ms);
      std::string text;
      for (int i = 0; i < 2; ++i) {
        Chunk data = co_await input.read();
        text += data.text();
      }
      scope.spawn(late);
      if (meanwhile == Meanwhile::all_is_read) co_await sleep_for(1ms);
      Chunk data = co_await with_timeout(20s, input.read());
      text += data.text();
      co_return text;
    };
    const auto all = [&]() -> Task<std::string> { co_return co_await scoped(body); };
    Result<std::string> text = loop.block_on(all);
    EXPECT_EQ(text ? *text : text.error().message(), "123");
  }
}

TEST_F(StandardInput, who_keeps_a_line_keeps_no_slab_and_much_is_not_copied) {
  const auto pinned = [&](const std::string& text) {
    Pipe pipe;
    pipe.put(text);
    Source input = source(pipe.read_end());
    const auto body = [&]() -> Task<std::size_t> {
      const Chunk data = co_await input.read();
      EXPECT_EQ(data.text(), text);
      co_return data.pins();
    };
    return *loop.block_on(body);
  };
  EXPECT_LT(pinned("a line\n"), 1000U);
  const std::string much(20'000, 'x');
  EXPECT_GE(pinned(much), 60'000U);  // it stands where it was read
}

TEST_F(StandardInput, a_long_file_passes_through_a_few_slabs) {
  if (!support::counts_allocations()) GTEST_SKIP() << "a sanitizer owns operator new";
  Source input = source(scratch_file(std::string(6 * megabyte, 'x')), Ownership::owned);
  const auto body = [&]() -> Task<std::size_t> {
    std::size_t size = 0;
    while (Chunk data = co_await input.read()) size += data.size();
    co_return size;
  };
  const std::size_t before = support::allocated_bytes();
  EXPECT_EQ(*loop.block_on(body), 6 * megabyte);
  EXPECT_LT(support::allocated_bytes() - before, megabyte / 2);
}

TEST_F(StandardInput, without_memory_there_is_none_and_what_is_owned_is_closed) {
  if (!support::counts_allocations()) GTEST_SKIP() << "a sanitizer owns operator new";
  const Pipe pipe;
  const int input = ::dup(pipe.read_end()), output = ::dup(pipe.write_end());
  int refused = 0;
  {
    const support::NoMemory none;
    try {
      static_cast<void>(Source::of(loop, input, Ownership::owned));
    } catch (const std::bad_alloc&) {
      ++refused;
    }
    try {
      static_cast<void>(Sink::of(loop, output, Ownership::owned));
    } catch (const std::bad_alloc&) {
      ++refused;
    }
  }
  EXPECT_EQ(refused, 2);
  EXPECT_EQ(::fcntl(input, F_GETFD), -1);
  EXPECT_EQ(::fcntl(output, F_GETFD), -1);
}

TEST_F(StandardInput, a_dump_says_who_reads_and_who_writes) {
  Pipe quiet, full;
  Source input = source(quiet.read_end());
  Source moved;
  moved = std::move(input);
  EXPECT_FALSE(input.is_open());  // NOLINT: what is left is said to be closed
  EXPECT_TRUE(moved.is_open());
  Sink output = sink(full.write_end());
  EXPECT_TRUE(output.is_open());
  const auto body = [&]() -> Task<std::string> {
    std::string dump;
    const auto group = [&](Scope& scope) -> Task<> {
      const auto reads = [&]() -> Task<> { co_await moved.read(); };
      const std::string much(1 << 20, 'x');
      const auto writes = [&]() -> Task<> { co_await output.write(much); };
      const auto finishes = [&]() -> Task<> { co_await output.finish(); };
      scope.spawn(writes);
      scope.spawn(finishes);
      scope.spawn(reads);
      co_await sleep_for(1ms);
      dump = loop.dump();
      scope.cancel();
      co_await sleep_for(1ms);
    };
    co_await ignore_error(scoped(group));
    co_return dump;
  };
  const std::string dump = *loop.block_on(body);
  for (const char* expected : {"read of a source\n", "write to a sink\n", "finish of a sink\n"})
    EXPECT_NE(dump.find(expected), std::string::npos) << expected << "is missing in\n" << dump;
}

TEST_F(StandardInput, a_second_read_is_busy) {
  Pipe pipe;
  Source input = source(pipe.read_end());
  const auto both = [&]() -> Task<int> {
    auto [first, second] = co_await first_of(as_result(input.read()), as_result(input.read()));
    co_return number(second ? second->error() : Error());
  };
  EXPECT_EQ(*loop.block_on(both), number(Errc::busy));
}

// Nobody is left behind in a poll(2) that has no end.
TEST_F(StandardInput, the_thread_that_waits_ends_with_its_source) {
  const auto threads = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/task"), std::filesystem::directory_iterator());
  };
  Pipe pipe;
  std::thread([] {}).join();  // with the first thread of a process a sanitizer may start one of its own
  const auto before = threads();
  {
    Source input = source(pipe.read_end());
    const auto nothing = [&]() -> Task<> {
      const Result<Chunk> none = co_await as_result(with_timeout(10ms, input.read()));
      EXPECT_EQ(none.error(), Errc::timed_out);
    };
    EXPECT_TRUE(loop.block_on(nothing));
  }
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (threads() > before && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_LE(threads(), before);  // one of an earlier test may have been on its way out
}

TEST_F(StandardInput, read_some_and_unread_keep_the_order) {
  Pipe pipe;
  Source input = source(pipe.read_end());
  pipe.put("abcdef");
  pipe.close_write();
  const auto parts = [&]() -> Task<std::string> {
    Chunk ab = co_await input.read_some(2);
    Chunk c = co_await input.read_some(1);
    std::string text(ab.text());
    text += '|';
    input.unread(std::move(c));
    input.unread(std::move(ab));
    for (int i = 0; i < 4; ++i) {
      const Chunk data = co_await input.read();
      text += data.text();
      text += '|';
    }
    co_return text;
  };
  EXPECT_EQ(*loop.block_on(parts), "ab|ab|c|def||");
}

TEST_F(StandardInput, reads_lines_and_records_across_pieces) {
  Pipe pipe;
  Source input = source(pipe.read_end());
  std::thread writer([&] {
    for (const char letter : std::string("one\ntwo\nthree\n12345678rest")) {
      pipe.put(std::string(1, letter));
      std::this_thread::sleep_for(200us);
    }
    pipe.close_write();
  });
  const auto lines = [&]() -> Task<std::string> {
    std::string text;
    for (int i = 0; i < 3; ++i) {
      const Chunk line = co_await input.read_until("\n");
      text += line.text();
      text += '|';
    }
    const Chunk record = co_await input.read_exactly(8);
    text += record.text();
    text += '|';
    const Result<Chunk> more = co_await as_result(input.read_exactly(100));
    text += more.error() == Errc::unexpected_end ? "cut|" : "?";
    const Chunk rest = co_await input.read_until("\n");
    text += rest.text();
    co_return text;
  };
  EXPECT_EQ(*loop.block_on(lines), "one\n|two\n|three\n|12345678|cut|rest");
  writer.join();
}

TEST_F(StandardInput, a_line_that_is_waited_for_ends_with_its_source) {
  Pipe pipe;
  std::optional<Source> input(source(pipe.read_end()));
  pipe.put("half a li");
  loop.spawn([&]() -> Task<> {
    const Result<Chunk> line = co_await as_result(input->read_until("\n"));
    EXPECT_EQ(line.error(), Errc::canceled);
  });
  const auto a_moment = []() -> Task<> { co_await sleep_for(20ms); };
  EXPECT_TRUE(loop.block_on(a_moment));
  input.reset();
  loop.run();
}

TEST_F(StandardInput, a_line_that_was_asked_for_before_its_source_went_is_closed) {
  Pipe pipe;
  Source input = source(pipe.read_end());
  pipe.put("line\n");
  const auto late = [&]() -> Task<> {
    Task<Chunk> asked = input.read_until("\n");
    input.close();
    const Result<Chunk> line = co_await as_result(std::move(asked));
    EXPECT_EQ(line.error(), Errc::closed);
  };
  EXPECT_TRUE(loop.block_on(late));
  EXPECT_EQ(pipe.take(), "line\n");
}

// What could not be put back is lost, and nothing that comes after it is read.
TEST_F(StandardInput, bytes_behind_a_gap_are_never_read) {
  if (!support::counts_allocations()) GTEST_SKIP() << "a sanitizer owns operator new";
  Pipe pipe;
  Source input = source(pipe.read_end());
  pipe.put("behind it");
  {
    const support::NoMemory none;
    for (int i = 0; i < 100; ++i)  // there is room for some
      input.unread(Chunk::view(std::as_bytes(std::span("x", 1))));
  }
  for (int i = 0; i < 2; ++i) EXPECT_EQ(loop.block_on(read_one, std::ref(input)).error(), Errc::out_of_memory);
}

TEST_F(StandardInput, what_was_read_ahead_of_a_file_is_left_for_the_next) {
  const int file = scratch_file(std::string(300'000, 'x') + "tail");
  {
    Source input = source(file);
    const auto little = [&]() -> Task<std::size_t> {
      const Chunk data = co_await input.read_some(1000);
      co_return data.size();
    };
    EXPECT_EQ(*loop.block_on(little), 1000U);
  }
  EXPECT_EQ(::lseek(file, 0, SEEK_CUR), 1000);
  ::close(file);
}

TEST_F(StandardInput, reads_a_terminal_by_lines_and_leaves_it_blocking) {
  Terminal terminal;
  Source input = source(terminal.slave);
  EXPECT_EQ(input.medium(), Medium::terminal);
  EXPECT_EQ(::write(terminal.master, "line\n", 5), 5);
  EXPECT_EQ(*loop.block_on(read_one, std::ref(input)), "line\n");
  EXPECT_EQ(::fcntl(terminal.slave, F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(::write(terminal.master, "\4", 1), 1);  // Ctrl-D
  EXPECT_EQ(*loop.block_on(read_one, std::ref(input)), "");
}

TEST_F(StandardInput, a_terminal_that_hangs_up_has_ended) {
  Terminal terminal;
  Source input = source(terminal.slave);
  std::thread peer([&] {
    std::this_thread::sleep_for(10ms);
    ::close(std::exchange(terminal.master, -1));
  });
  EXPECT_EQ(*loop.block_on(read_all, std::ref(input)), "");
  peer.join();
}

TEST_F(StandardInput, a_descriptor_that_somebody_made_non_blocking_works_as_well) {
  Pipe pipe;
  ::fcntl(pipe.read_end(), F_SETFL, O_NONBLOCK);
  Source input = source(pipe.read_end());
  std::thread writer([&] {
    std::this_thread::sleep_for(10ms);
    pipe.put("late");
  });
  EXPECT_EQ(*loop.block_on(read_one, std::ref(input)), "late");
  writer.join();
}

}  // namespace
}  // namespace meari
