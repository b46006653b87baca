// Where the kernel refuses what hardly ever fails: threads, and watching a descriptor. Whoever needs it is told, and the rest
// goes on.
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include <meari/offload.hpp>
#include <meari/server.hpp>
#include <meari/stream.hpp>

#include "pipes_posix.hpp"
#include "refusal_posix.hpp"

namespace meari {
namespace {

using namespace std::chrono_literals;

template <class F>
void on_a_thread(F test) {
  std::thread(test).join();
}
void without_threads() { ASSERT_TRUE(support::refuse({SYS_clone, SYS_clone3}, EAGAIN)); }

TEST(WithoutThreads, a_source_says_so_and_can_be_asked_again) {
  on_a_thread([] {
    Loop loop{make_epoll(megabyte).value()};
    Pipe pipe;
    Source input = Source::of(loop, pipe.read_end());
    pipe.put("unread");
    without_threads();
    for (int i = 0; i < 2; ++i) {
      const Error error = loop.block_on(read_one, std::ref(input)).error();
      EXPECT_EQ(error, Errc::out_of_memory);
      EXPECT_NE(error.message().find("thread"), std::string::npos) << error.message();
    }
    input.close();
    EXPECT_EQ(pipe.take(), "unread");
  });
}

// What a pipe takes at once needs no thread.
TEST(WithoutThreads, a_sink_fails_who_has_to_wait_and_goes_on) {
  on_a_thread([] {
    Loop loop{make_epoll(megabyte).value()};
    Pipe pipe;
    Sink output = Sink::of(loop, pipe.write_end());
    const std::string full(static_cast<std::size_t>(::fcntl(pipe.write_end(), F_GETPIPE_SZ)), 'x');
    without_threads();
    EXPECT_TRUE(loop.block_on(write_text, std::ref(output), full));
    EXPECT_EQ(loop.block_on(write_text, std::ref(output), "no room").error(), Errc::out_of_memory);
    EXPECT_EQ(pipe.take(full.size()), full);
    EXPECT_TRUE(loop.block_on(write_text, std::ref(output), "at once"));
    EXPECT_EQ(pipe.take(), "at once");
    // A part of it has gone: nothing may follow.
    EXPECT_EQ(loop.block_on(write_text, std::ref(output), full + "more").error(), Errc::out_of_memory);
    EXPECT_EQ(pipe.take(full.size()), full);
    EXPECT_EQ(loop.block_on(write_text, std::ref(output), "late").error(), Errc::write_incomplete);
  });
}

TEST(WithoutThreads, nothing_is_offloaded_and_there_are_no_workers) {
  on_a_thread([] {
    LoopOptions options;
    options.backend.choice = BackendChoice::epoll;
    const std::unique_ptr<Loop> loop = Loop::make(std::move(options)).value();
    without_threads();
    bool ran = false;
    const auto work = [&ran]() -> Task<> { co_await offload([&ran] { ran = true; }); };
    EXPECT_EQ(loop->block_on(work).error(), Errc::out_of_memory);
    EXPECT_FALSE(ran);
    EXPECT_FALSE(Workers::beside(*loop, 1));
  });
}

// Else nobody would ever wake who waits there. It is the end of that stream, and bytes that come all the same are not read.
TEST(WithoutWatching, who_waits_is_told_why_and_so_is_whoever_comes_later) {
  on_a_thread([] {
    const std::unique_ptr<Backend> epoll = make_epoll(megabyte).value();
    ASSERT_TRUE(support::refuse({SYS_epoll_ctl}, ENOMEM));
    const auto [one, other] = epoll->pair().value();
    const auto outcome = [&epoll](SlotId slot, Operation& operation) {
      operation.slot = slot;
      bool over = false;
      if (epoll->submit(operation) == Submitted::done) return operation.error;
      for (int turns = 0; turns < 2 && !over; ++turns) {
        epoll->wait(epoll->now() + 2s);
        while (Ready* ready = epoll->ready().pop()) over = over || ready == &operation;
      }
      EXPECT_TRUE(over);
      if (!over) epoll->cancel(operation);
      return operation.error;
    };
    Receive first, second;
    SendPieces word;
    Send nothing;
    const std::span<const std::byte> text = std::as_bytes(std::span("late"));
    word.carry({&text, 1});
    EXPECT_EQ(outcome(one, first), Errc::out_of_memory);
    EXPECT_EQ(outcome(other, word), Errc::none);
    EXPECT_EQ(outcome(one, second), Errc::out_of_memory);
    EXPECT_EQ(outcome(one, nothing), Errc::out_of_memory);
    epoll->close(one);
    epoll->close(other);
    epoll->wait(epoll->now());
    while (epoll->ready().pop() != nullptr) {}
  });
}

// One of two who wait has been told. What is to be watched for the other cannot be, and else nobody would ever wake it.
TEST(WithoutWatching, whoever_still_waits_for_a_descriptor_is_told_why) {
  on_a_thread([] {
    const std::unique_ptr<Backend> epoll = make_epoll(megabyte).value();
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    while (::write(ends[0], "full", 4) > 0) {}
    const SlotId slot = epoll->adopt(ends[0], Role::foreign).value();
    Readiness readable, writable;
    readable.slot = writable.slot = slot;
    writable.for_write = true;
    ASSERT_EQ(epoll->submit(readable), Submitted::pending);
    ASSERT_EQ(epoll->submit(writable), Submitted::pending);
    ASSERT_TRUE(support::refuse({SYS_epoll_ctl}, ENOMEM));
    EXPECT_EQ(::write(ends[1], "x", 1), 1);
    epoll->wait(epoll->now() + 20s);
    int told = 0;
    while (epoll->ready().pop() != nullptr) ++told;
    EXPECT_EQ(told, 2);
    EXPECT_FALSE(readable.error) << readable.error.message();
    EXPECT_EQ(writable.error, Errc::out_of_memory);
    if (told != 2) epoll->cancel(writable);
    epoll->close(slot);
    for (const int end : ends) ::close(end);
  });
}

// The kernel tells it once, to the send; afterwards recv(2) brings an end, as of a peer that had said everything.
TEST(WithoutAWay, a_connection_that_a_send_found_lost_has_not_ended_well) {
  const std::pair<unsigned, Errc> losses[] = {{ECONNABORTED, Errc::connection_aborted},
                                              {ETIMEDOUT, Errc::timed_out},
                                              {EHOSTUNREACH, Errc::host_unreachable},
                                              {ENETUNREACH, Errc::network_unreachable},
                                              {ENETDOWN, Errc::network_down}};
  for (const auto& [number, code] : losses) {
    on_a_thread([number, code] {
      Loop loop{make_epoll(megabyte).value()};
      auto [client, server] = Stream::pair(loop).value();
      ASSERT_TRUE(support::refuse({SYS_sendto, SYS_sendmsg}, number));
      const auto body = [&]() -> Task<> {
        const Result<> sent = co_await as_result(client.write("never"));
        EXPECT_EQ(sent.error(), code);
        server.close();
        const Result<Chunk> end = co_await as_result(client.read());
        EXPECT_EQ(end.error(), code);
      };
      EXPECT_TRUE(loop.block_on(body));
    });
  }
}

}  // namespace
}  // namespace meari
