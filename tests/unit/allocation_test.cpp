// What the loop and its Tasks allocate: frames from lists of their own, and else nothing.
#include <gtest/gtest.h>

#include <iostream>
#include <thread>
#include <utility>

#include <meari/deadline.hpp>
#include <meari/scope.hpp>

#include "allocations.hpp"
#include "fake_backend.hpp"

using namespace meari;
using namespace std::chrono_literals;

namespace {

Task<> nothing() { co_return; }
Task<> sleeps() { co_await sleep_for(1s); }

}  // namespace

TEST(Allocations, operations_timeouts_and_groups_need_none) {
  if (!support::counts_allocations()) GTEST_SKIP() << "a sanitizer owns operator new";
  std::size_t reads = 99, writes = 99, timeouts = 99, groups = 99, sleeping = 99, children = 99, scopes = 99;
  const auto work = [&](fake::Stream peer) -> Task<> {
    constexpr int times = 1000;
    std::size_t before = support::allocations();
    const auto count = [&] { return support::allocations() - std::exchange(before, support::allocations()); };
    for (int i = 0; i < times; ++i) co_await peer.read();
    reads = count();
    for (int i = 0; i < times; ++i) co_await peer.write("");
    writes = count();
    for (int i = 0; i < times; ++i) co_await with_timeout(5s, peer.read());
    timeouts = count();
    for (int i = 0; i < times; ++i) co_await first_of(sleep_for(2s), sleep_for(1s));
    groups = count();
    for (int i = 0; i < times; ++i) co_await ignore_error(with_timeout(1s, sleep_for(2s)));
    sleeping = count();
    co_await nothing();
    static_cast<void>(count());
    for (int i = 0; i < times; ++i) co_await nothing();
    children = count();
    const auto body = [](Scope& scope) -> Task<> {
      scope.spawn(sleeps);
      co_await sleep_for(1s);
    };
    co_await scoped(body);
    static_cast<void>(count());
    for (int i = 0; i < times; ++i) co_await scoped(body);
    scopes = count();
  };
  fake::World world;
  fake::Stream peer(world.backend);
  peer.end();
  ASSERT_TRUE(world.loop.block_on(work, peer));
  EXPECT_EQ(reads, 0U);
  EXPECT_EQ(writes, 0U);
  EXPECT_EQ(timeouts, 0U);
  EXPECT_EQ(groups, 0U);
  EXPECT_EQ(sleeping, 0U);
  EXPECT_EQ(children, 0U);
  EXPECT_EQ(scopes, 0U);
}

namespace {

// As long as the real one: two words, and a destructor.
class TwoWords {
 public:
  TwoWords(int& open, SlotId slot) : open_(&open), slot_(slot) { ++open; }
  TwoWords(TwoWords&& other) noexcept : open_(std::exchange(other.open_, nullptr)), slot_(other.slot_) {}
  ~TwoWords() {
    if (open_ != nullptr) --*open_;
  }
  fake::Stream::Read read() { return fake::Stream::Read(slot_); }
  fake::Stream::Write write(Chunk chunk) { return {slot_, std::move(chunk)}; }

 private:
  int* open_;
  SlotId slot_;
};

Task<> echo(TwoWords peer) {
  while (Chunk data = co_await peer.read()) co_await peer.write(std::move(data));
}

}  // namespace

TEST(Budget, an_echo_session_fits_into_320_bytes) {
  EXPECT_EQ(sizeof(TwoWords), 16U);
  EXPECT_LE(sizeof(TaskState), 64U);
  EXPECT_LE(sizeof(Receive), 72U);
  EXPECT_LE(sizeof(Send), 80U);
  if (!support::counts_allocations()) GTEST_SKIP() << "a sanitizer owns operator new";
  std::size_t bytes = 0;
  std::thread([&bytes] {  // a thread of its own, which keeps no frames from before
    fake::World world;
    fake::Stream line(world.backend);
    int open = 0;
    const std::size_t before = support::allocated_bytes();
    world.loop.spawn(echo, TwoWords(open, line.slot()));
    bytes = support::allocated_bytes() - before;
    line.end();
    world.loop.run();
    EXPECT_EQ(open, 0);
  })
      .join();
  RecordProperty("bytes", static_cast<int>(bytes));
  std::cout << "  an echo session takes " << bytes << " bytes of frames\n";
#if defined(__clang__) && defined(__OPTIMIZE__)
  EXPECT_LE(bytes, 320U);
#endif
}
