// Channels: order, limits, ends and cancels, on one loop and between threads.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <meari/channel.hpp>
#include <meari/deadline.hpp>
#include <meari/scope.hpp>

#include "fake_backend.hpp"

using namespace meari;
using namespace std::chrono_literals;

namespace {

Task<> sends(Channel<int>& channel, int from, int to) {
  for (int i = from; i < to; ++i) co_await channel.send(i);
}
Task<> receives(Channel<int>& channel, std::vector<int>& values) {
  while (std::optional<int> value = co_await channel.receive()) values.push_back(*value);
}

}  // namespace

TEST(Channel, hands_over_in_order_and_ends) {
  fake::World world;
  Channel<int> channel({.capacity = 3, .when_full = WhenFull::wait});
  std::vector<int> values;
  const auto all = [&]() -> Task<> {
    co_await sends(channel, 0, 1000);
    channel.close();
  };
  world.loop.spawn(receives, std::ref(channel), std::ref(values));
  world.loop.spawn(all);
  world.loop.run();
  ASSERT_EQ(values.size(), 1000U);
  EXPECT_TRUE(std::is_sorted(values.begin(), values.end()));
}

TEST(Channel, a_sender_waits_while_it_is_full_and_fails_when_it_is_closed) {
  fake::World world;
  Channel<int> channel({.capacity = 2, .when_full = WhenFull::wait});
  std::vector<int> values;
  Error error;
  const auto sender = [&]() -> Task<> {
    const Result<> r = co_await as_result(sends(channel, 0, 10));
    error = r.error();
  };
  world.loop.spawn(sender);
  world.loop.turn(Time());
  EXPECT_EQ(channel.size(), 2U);
  EXPECT_EQ(*channel.try_receive(), 0);
  world.loop.turn(Time());
  EXPECT_EQ(channel.size(), 2U);
  channel.close();
  world.loop.run();
  EXPECT_EQ(error, Errc::closed);
  world.loop.spawn(receives, std::ref(channel), std::ref(values));
  world.loop.run();
  EXPECT_EQ(values, (std::vector<int>{1, 2}));  // what it had accepted is still there
}

TEST(Channel, does_when_full_what_it_was_told) {
  Channel<int> waits({.capacity = 2, .when_full = WhenFull::wait});
  Channel<int> drops({.capacity = 2, .when_full = WhenFull::drop_oldest});
  Channel<int> refuses({.capacity = 2, .when_full = WhenFull::refuse});
  Channel<int> closes({.capacity = 2, .when_full = WhenFull::close});
  const auto fill = [](Channel<int>& channel) {
    EXPECT_TRUE(channel.try_send(1));
    EXPECT_TRUE(channel.try_send(2));
    return channel.try_send(3);
  };
  EXPECT_EQ(fill(waits).error(), Errc::limit_reached);
  EXPECT_TRUE(fill(drops));
  EXPECT_EQ(drops.dropped(), 1U);
  EXPECT_EQ(*drops.try_receive(), 2);
  EXPECT_EQ(fill(refuses).error(), Errc::limit_reached);
  EXPECT_FALSE(refuses.closed());
  EXPECT_EQ(fill(closes).error(), Errc::limit_reached);
  EXPECT_TRUE(closes.closed());
  EXPECT_EQ(*closes.try_receive(), 1);
  EXPECT_EQ(closes.try_send(4).error(), Errc::closed);
}

TEST(Channel, send_follows_the_same_rule) {
  fake::World world;
  Channel<int> refuses({.capacity = 1, .when_full = WhenFull::refuse});
  EXPECT_EQ(world.loop.block_on(sends, std::ref(refuses), 0, 2).error(), Errc::limit_reached);
}

TEST(Channel, a_cancelled_wait_loses_nothing) {
  fake::World world;
  Channel<int> channel({.capacity = 1, .when_full = WhenFull::wait});
  const auto waits = [&]() -> Task<> { co_await with_timeout(1s, channel.receive()); };
  EXPECT_EQ(world.loop.block_on(waits).error(), Errc::timed_out);
  EXPECT_TRUE(channel.try_send(5));
  const auto sender = [&]() -> Task<> { co_await with_timeout(1s, channel.send(6)); };
  EXPECT_EQ(world.loop.block_on(sender).error(), Errc::timed_out);
  EXPECT_EQ(*channel.try_receive(), 5);
  EXPECT_FALSE(channel.try_receive());
}

TEST(Channel, a_value_that_races_with_a_cancel_is_delivered) {
  fake::World world;
  Channel<int> channel;
  int got = 0;
  const auto waits = [&]() -> Task<> {
    const auto value = co_await with_timeout(1s, channel.receive());
    got = value.value_or(-1);
  };
  world.loop.spawn(waits);
  world.loop.turn(Time());
  EXPECT_TRUE(channel.try_send(5));  // handed over already
  world.loop.cancel();
  world.loop.run();
  EXPECT_EQ(got, 5);
}

TEST(Channel, receivers_are_served_in_turn) {
  fake::World world;
  Channel<std::unique_ptr<int>> channel;
  std::string order;
  const auto receiver = [&](const char* name) -> Task<> {
    while (auto value = co_await channel.receive()) (order += name) += std::to_string(**value);
  };
  world.loop.spawn(receiver, "a");
  world.loop.spawn(receiver, "b");
  world.loop.turn(Time());
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(channel.try_send(std::make_unique<int>(i)));
    world.loop.turn(Time());
  }
  channel.close();
  world.loop.run();
  EXPECT_EQ(order, "a0b1a2b3");
}

TEST(Channel, joins_loops_on_different_threads) {
  constexpr int each = 5000;
  Channel<int> channel({.capacity = 8, .when_full = WhenFull::wait});
  std::vector<int> values;
  std::thread first([&] {
    fake::World world;
    EXPECT_TRUE(world.loop.block_on(sends, std::ref(channel), 0, each));
  });
  std::thread second([&] {
    fake::World world;
    EXPECT_TRUE(world.loop.block_on(sends, std::ref(channel), each, 2 * each));
  });
  std::thread receiver([&] {
    fake::World world;
    EXPECT_TRUE(world.loop.block_on(receives, std::ref(channel), std::ref(values)));
  });
  first.join();
  second.join();
  channel.close();
  receiver.join();
  ASSERT_EQ(values.size(), 2U * each);
  std::vector<int> low, high;
  for (const int value : values) (value < each ? low : high).push_back(value);
  EXPECT_TRUE(std::is_sorted(low.begin(), low.end()));
  EXPECT_TRUE(std::is_sorted(high.begin(), high.end()));
}

TEST(Channel, cancels_between_threads_lose_and_double_nothing) {
  Channel<int> channel({.capacity = 1, .when_full = WhenFull::wait});
  constexpr int count = 2000;
  std::vector<int> values;
  std::thread sender([&] {
    fake::World world;
    EXPECT_TRUE(world.loop.block_on(sends, std::ref(channel), 0, count));
    channel.close();
  });
  std::thread receiver([&] {
    fake::World world;
    const auto impatient = [&]() -> Task<> {
      for (;;) {
        Result<std::optional<int>> value = co_await as_result(with_timeout(1us, channel.receive()));
        if (!value) continue;
        if (!*value) co_return;
        values.push_back(**value);
      }
    };
    EXPECT_TRUE(world.loop.block_on(impatient));
  });
  sender.join();
  receiver.join();
  std::vector<int> expected;
  for (int i = 0; i < count; ++i) expected.push_back(i);
  EXPECT_EQ(values, expected);
}

TEST(ChannelDeath, destroying_one_that_somebody_waits_for_is_a_mistake) {
  fake::World world;
  auto channel = std::make_unique<Channel<int>>();
  const auto waits = [&]() -> Task<> { co_await channel->receive(); };
  world.loop.spawn(waits);
  world.loop.turn(Time());
  EXPECT_DEATH(channel.reset(), "a Channel was destroyed");
  channel->close();
  world.loop.run();
}
