// Where the kernel refuses what hardly ever fails: threads, and watching a descriptor. Whoever needs it is told, and the rest
// goes on.
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <span>
#include <string>
#include <thread>

#include <meari/offload.hpp>
#include <meari/server.hpp>

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
    Send word, nothing;
    const std::span<const std::byte> text = std::as_bytes(std::span("late"));
    word.pieces = &text;
    word.count = 1;
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

}  // namespace
}  // namespace meari
