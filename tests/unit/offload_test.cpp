// Work for helper threads: what comes back of it, how much runs at a time, and what a cancel does to it.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <new>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>

#include <meari/deadline.hpp>
#include <meari/offload.hpp>
#include <meari/scope.hpp>

#include "fake_backend.hpp"

using namespace meari;
using namespace std::chrono_literals;

// Helper threads

TEST(Offload, brings_values_results_and_exceptions_back) {
  fake::World world;
  std::thread::id helper;
  const auto works = [&]() -> Task<std::string> {
    const std::string text = co_await offload([&] {
      helper = std::this_thread::get_id();
      return std::string("value ");
    });
    co_await offload([] {});
    const int unwrapped = co_await offload([]() -> Result<int> { return 7; });
    const Result<int> failed = co_await as_result(offload([]() -> Result<int> { return Errc::not_found; }));
    std::string caught;
    try {
      co_await offload([] { throw std::runtime_error("thrown"); });
    } catch (const std::runtime_error& error) {
      caught = error.what();
    }
    co_return text + std::to_string(unwrapped) + describe(failed.error().code()) + caught;
  };
  EXPECT_EQ(*world.loop.block_on(works), std::string("value 7") + describe(Errc::not_found) + "thrown");
  EXPECT_NE(helper, std::this_thread::get_id());
}

TEST(Offload, without_memory_there_it_fails_as_it_would_here) {
  fake::World world;
  const auto works = [&]() -> Task<> {
    Result<> nothing = co_await as_result(offload([] { throw std::bad_alloc(); }));
    EXPECT_EQ(nothing.error(), Errc::out_of_memory);
    Result<int> number = co_await as_result(offload([]() -> Result<int> { throw std::bad_alloc(); }));
    EXPECT_EQ(number.error(), Errc::out_of_memory);
  };
  EXPECT_TRUE(world.loop.block_on(works));
}

// A thread that has finished its work is one that waits, and not two: else the second of these would queue behind the first.
TEST(Offload, a_thread_that_was_used_does_not_stand_for_another) {
  LoopOptions options;
  options.helper_threads = 2;
  const std::unique_ptr<Loop> loop = Loop::make(std::move(options)).value();
  std::binary_semaphore here{0}, there{0};
  bool met = false;
  auto first = [&]() -> Task<> {
    auto meet = [&] {
      here.release();
      met = there.try_acquire_for(20s);
    };
    co_await offload(meet);
  };
  auto second = [&]() -> Task<> {
    auto meet = [&] {
      there.release();
      static_cast<void>(here.try_acquire_for(20s));
    };
    co_await offload(meet);
  };
  const auto both = [&]() -> Task<> {
    for (int i = 0; i < 3; ++i) co_await offload([] {});
    auto body = [&](Scope& scope) -> Task<> {
      scope.spawn(first);
      scope.spawn(second);
      co_return;
    };
    co_await scoped(body);
  };
  EXPECT_TRUE(loop->block_on(both));
  EXPECT_TRUE(met);
}

TEST(Offload, one_that_is_cancelled_before_it_begins_does_not_begin) {
  fake::World world;
  bool began = false;
  const auto works = [&]() -> Task<> {
    co_await ignore_error(sleep_until(never));
    co_await offload([&] { began = true; });
  };
  world.loop.spawn(works);
  world.loop.turn(Time());
  world.loop.cancel();
  world.loop.run();
  EXPECT_FALSE(began);
}

TEST(Offload, at_most_so_many_at_a_time_and_the_rest_queues) {
  LoopOptions options;
  options.helper_threads = 2;
  fake::World world(std::move(options));
  std::atomic<int> running = 0, most = 0, done = 0;
  const auto works = [&]() -> Task<> {
    co_await offload([&] {
      const int now = ++running;
      for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {}
      std::this_thread::sleep_for(1ms);
      --running;
      ++done;
    });
  };
  for (int i = 0; i < 50; ++i) world.loop.spawn(works);
  world.loop.run();
  EXPECT_EQ(done, 50);
  EXPECT_EQ(most, 2);
}

TEST(Offload, a_cancelled_one_drops_its_result_and_one_that_waits_is_never_begun) {
  LoopOptions options;
  options.helper_threads = 1;
  std::atomic<bool> release = false, began = false, second = false;
  const auto held = std::make_shared<int>(1);
  {
    fake::World world(std::move(options));
    const auto long_work = [&]() -> Task<> {
      auto work = [&, held] {
        began = true;
        while (!release) std::this_thread::sleep_for(1ms);
        return held;
      };
      co_await offload(std::move(work));
    };
    const auto never_begun = [&]() -> Task<> { co_await offload([&] { second = true; }); };
    const auto both = [&]() -> Task<> {
      co_await scoped([&](Scope& scope) -> Task<> {
        scope.spawn(long_work);
        while (!began) co_await yield();
        scope.spawn(never_begun);
        co_await yield();
        scope.cancel();
      });
    };
    EXPECT_TRUE(world.loop.block_on(both));
    release = true;
  }
  EXPECT_FALSE(second);
  EXPECT_EQ(held.use_count(), 1);
}
