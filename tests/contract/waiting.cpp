// wait() and wake(): not early, not late, not when something is ready, and quiet when nothing happens.
#include <deque>
#include <thread>

#include "pattern.hpp"

namespace meari::test {
namespace {

class Waiting : public Contract {
 protected:
  // What may still come in late is told once for each connection. A backend that spins returns thousands of times.
  static constexpr int some = 25;
  // How often wait() returned while `time` passed and nothing was to happen.
  int returns_within(Duration time) {
    const Time deadline = backend().now() + time;
    int returns = 0;
    while (backend().now() < deadline) {
      backend().wait(deadline);
      EXPECT_TRUE(backend().ready().empty());
      run_ready(backend());
      ++returns;
    }
    return returns;
  }
};
MEARI_EVERY_BACKEND(Waiting);

TEST_P(Waiting, until_the_past_returns_at_once) {
  backend().wait(Time{});
  backend().wait(backend().now());
}

TEST_P(Waiting, is_not_early) {
  for (const Duration time : {Duration(1), Duration(100us), Duration(1ms), Duration(15'300us)}) {
    // A signal may end a system call early, and so does a ring of an earlier case that is still being taken down; but
    // not for ever.
    int early = 0;
    for (bool in_time = false; !in_time && early < 20; early += in_time ? 0 : 1) {
      const Time deadline = backend().now() + time;
      backend().wait(deadline);
      in_time = backend().now() >= deadline;
    }
    EXPECT_LT(early, 20) << "waiting for " << time.count() << " ns";
  }
}

// Such times have no distance from now that a Duration could hold.
TEST_P(Waiting, for_what_has_been_long_ago_is_over_at_once) {
  for (const Time gone : {Time::min(), Time::min() + 1s, Time{} - 1h}) {
    const Time before = backend().now();
    const Time told = backend().wait(gone);
    EXPECT_GE(told, before);
    EXPECT_LT(told - before, Duration(patience));
  }
}

TEST_P(Waiting, time_never_goes_back) {
  Time last = backend().now();
  for (int i = 0; i < 100; ++i) {
    backend().wait(last + 10us);
    ASSERT_GE(backend().now(), last);
    last = backend().now();
  }
}

TEST_P(Waiting, says_what_time_it_is) {
  const Time before = backend().now();
  const Time told = backend().wait(before + 1ms);
  EXPECT_GE(told, before);
  EXPECT_LE(told, backend().now());
}

// Far deadlines may stand in an alarm that stays set: it rings for each of them, and also for one that comes before it.
TEST_P(Waiting, far_deadlines_are_met_one_after_the_other) {
  for (const Duration time : {20ms, 40ms, 15ms}) {
    const Time deadline = backend().now() + time;
    while (backend().now() < deadline) backend().wait(deadline);
    EXPECT_LT(backend().now() - deadline, Duration(patience));
  }
}

TEST_P(Waiting, a_deadline_before_the_last_one_is_met) {
  backend().wake();
  backend().wait(backend().now() + 1h);
  const Time deadline = backend().now() + 30ms;
  while (backend().now() < deadline) backend().wait(deadline);
  EXPECT_LT(backend().now() - deadline, Duration(patience));
}

TEST_P(Waiting, for_a_deadline_that_nobody_has_any_more_is_quiet) {
  backend().wake();
  backend().wait(backend().now() + 12ms);
  EXPECT_LE(returns_within(30ms), some);
}

TEST_P(Waiting, ends_when_it_was_woken_before) {
  backend().wake();
  backend().wait(never);
}

TEST_P(Waiting, ends_when_another_thread_wakes_it) {
  for (int i = 0; i < 50; ++i) {
    std::thread other([this] { backend().wake(); });
    backend().wait(never);
    other.join();
  }
}

TEST_P(Waiting, many_wakes_are_one) {
  for (int i = 0; i < 1000; ++i) backend().wake();
  backend().wait(never);
  EXPECT_LE(returns_within(5ms), some);
}

TEST_P(Waiting, a_wake_loses_no_completion) {
  auto [client, server] = connected();
  Tracked<Receive> receive_;
  start(server, receive_);
  backend().wake();
  turn(never);
  send(client, "not lost");
  backend().wake();
  EXPECT_EQ(outcome(receive_), Errc::none);
}

TEST_P(Waiting, wakes_from_threads_during_traffic_harm_nothing) {
  auto [client, server] = connected();
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop.load()) {
      backend().wake();
      std::this_thread::yield();
    }
  });
  Sender sender(*this, client, {.seed = 1, .total = 2 << 20});
  Receiver receiver(*this, server, 1);
  EXPECT_TRUE(until([&] { return receiver.over(); }));
  stop = true;
  other.join();
  EXPECT_EQ(receiver.received(), 2U << 20);
}

TEST_P(Waiting, does_not_happen_while_something_is_ready) {
  Tracked<Receive> receive;
  start({&backend(), {}}, receive);
  EXPECT_FALSE(backend().ready().empty());
  const Time before = backend().now();
  backend().wait(never);
  EXPECT_LT(backend().now() - before, Duration(patience));
  EXPECT_EQ(receive.completions(), 0) << "wait() runs nobody's code";
  run_ready(backend());
  EXPECT_EQ(receive.completions(), 1);
}

TEST_P(Waiting, collects_what_has_completed_behind_what_is_ready) {
  auto [client, server] = connected();
  Tracked<Receive> receive_, refused;
  start(server, receive_);
  let_pass(1ms);
  send(client, "x");
  start({&backend(), {}}, refused);
  EXPECT_EQ(outcome(refused), Errc::closed);
  EXPECT_EQ(outcome(receive_), Errc::none);
}

TEST_P(Waiting, strangers_may_stand_in_the_ready_list) {
  struct Mine : Ready {
    int runs = 0;
  } mine;
  mine.run = [](Ready& ready) { ++static_cast<Mine&>(ready).runs; };
  backend().ready().push(mine);
  turn(never);
  EXPECT_EQ(mine.runs, 1);
}

TEST_P(Waiting, with_idle_connections_is_quiet) {
  const End listener = listen();
  std::deque<Tracked<Receive>> receives;
  Tracked<Accept> accept_;
  for (int i = 0; i < 10; ++i) {
    dial(local(listener));
    start(accept(listener), receives.emplace_back());
  }
  start(listener, accept_);
  let_pass(2ms);
  EXPECT_LE(returns_within(20ms), some);
}

TEST_P(Waiting, after_traffic_is_quiet) {
  auto [client, server] = connected();
  Forwarder echo(*this, server, server);
  for (int i = 0; i < 100; ++i) {
    send(client, "ping");
    EXPECT_EQ(receive_exactly(client, 4), "ping");
  }
  let_pass(2ms);
  EXPECT_LE(returns_within(20ms), some);
  echo.stop();
}

TEST_P(Waiting, with_a_stalled_send_is_quiet) {
  auto [client, server] = connected();
  const std::string block = pattern(1, 0, 1 << 20);
  Tracked<Send> stalled;
  fill(client, block, stalled);
  let_pass(5ms);
  EXPECT_LE(returns_within(20ms), some);
}

TEST_P(Waiting, with_bytes_that_nobody_reads_is_quiet) {
  auto [client, server] = connected();
  send(client, "first");
  EXPECT_EQ(receive(server, 1), "f");
  for (int i = 0; i < 100; ++i) send(client, "more");
  let_pass(2ms);
  EXPECT_LE(returns_within(20ms), some);
}

TEST_P(Waiting, with_peers_that_have_gone_is_quiet) {
  auto [client_1, server_1] = connected();
  auto [client_2, server_2] = connected();
  auto [client_3, server_3] = connected();
  Tracked<Receive> receive_;
  start(server_1, receive_);
  close(client_1);
  outcome(receive_);
  send(client_2, "x");
  EXPECT_EQ(receive(server_2), "x");
  close(client_2, true);
  close(client_3);
  let_pass(2ms);
  EXPECT_LE(returns_within(20ms), some);
}

TEST_P(Waiting, with_clients_in_the_queue_that_nobody_accepts_is_quiet) {
  const End listener = listen();
  dial(local(listener));
  accept(listener);
  dial(local(listener));
  dial(local(listener));
  let_pass(2ms);
  EXPECT_LE(returns_within(20ms), some);
}

TEST_P(Waiting, without_descriptors_is_quiet) {
  MEARI_NEEDS(descriptor_limit);
  const End listener = listen();
  dial(local(listener));
  EXPECT_LE(returns_within(2ms), some);
  Tracked<Accept> accept_;
  DescriptorShortage shortage(*this);
  EXPECT_EQ(run(listener, accept_), Errc::too_many_descriptors);
  EXPECT_LE(returns_within(20ms), some);
}

}  // namespace
}  // namespace meari::test
