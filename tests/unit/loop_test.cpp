// The loop itself: turns and their fairness, timers, posts, its end, and what it can tell.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <meari/channel.hpp>
#include <meari/deadline.hpp>
#include <meari/offload.hpp>
#include <meari/scope.hpp>
#include <meari/stream.hpp>

#include "allocations.hpp"
#include "fake_backend.hpp"

using namespace meari;
using namespace std::chrono_literals;

namespace {

struct Alarm : Timer {
  Alarm() {
    run = [](Ready& ready) {
      Alarm& self = static_cast<Alarm&>(static_cast<Timer&>(ready));
      if (self.notes != nullptr) self.notes->push_back(self.number);
    };
  }
  int number = 0;
  std::vector<int>* notes = nullptr;
};

Task<> nap(Duration span) { co_await sleep_for(span); }

}  // namespace

// The list of what is ready

TEST(ReadyList, keeps_its_order_whatever_is_taken_out_of_it) {
  std::array<Ready, 5> all;
  const auto place = [&](const Ready* ready) { return ready == nullptr ? -1 : static_cast<int>(ready - all.data()); };
  const auto rest = [&](ReadyList& list) {
    std::vector<int> places;
    while (const Ready* ready = list.pop()) places.push_back(place(ready));
    return places;
  };
  for (int gone = 0; gone < 5; ++gone) {
    ReadyList list;
    std::vector<int> expected;
    for (Ready& ready : all) list.push(ready);
    EXPECT_TRUE(list.remove(all[static_cast<std::size_t>(gone)]));
    EXPECT_FALSE(list.remove(all[static_cast<std::size_t>(gone)]));
    list.push(all[static_cast<std::size_t>(gone)]);  // behind the others
    for (int i = 0; i < 5; ++i)
      if (i != gone) expected.push_back(i);
    expected.push_back(gone);
    EXPECT_EQ(rest(list), expected) << gone;
    EXPECT_TRUE(list.empty());
  }

  ReadyList first, second;
  first.append(second);  // two that are empty
  second.push(all[0]);
  EXPECT_TRUE(second.remove(all[0]));
  second.push(all[1]);
  first.append(second);
  second.push(all[2]);
  first.append(second);
  first.push(all[3]);
  second.push(all[4]);
  EXPECT_EQ(rest(first), (std::vector{1, 2, 3}));
  EXPECT_EQ(rest(second), (std::vector{4}));
}

// Timers

// Without memory for more than a loop has room for: none is lost, and none comes out of its turn.
TEST(Timers, need_no_memory) {
  if (!support::counts_allocations()) GTEST_SKIP() << "a sanitizer owns operator new";
  constexpr int count = 300;
  fake::World world;
  std::vector<int> fired, expected;
  fired.reserve(count);
  std::vector<Alarm> alarms(count);
  const auto time_of = [](int i) { return Time(std::chrono::seconds(1 + i % 7)); };
  {
    const support::NoMemory none;
    for (int i = 0; i < count; ++i) {
      Alarm& alarm = alarms[static_cast<std::size_t>(i)];
      alarm.number = i;
      alarm.notes = &fired;
      world.loop.set(alarm, time_of(i));
    }
    for (int i = 0; i < count; i += 5) world.loop.unset(alarms[static_cast<std::size_t>(i)]);
    while (world.loop.next_timer() < Time(3s)) world.loop.turn(never);
  }
  while (world.loop.next_timer() != never) world.loop.turn(never);  // now there is some again
  for (int second = 0; second < 7; ++second)
    for (int i = 0; i < count; ++i)
      if (i % 7 == second && i % 5 != 0) expected.push_back(i);
  EXPECT_EQ(fired, expected);
}

TEST(Timers, fire_in_the_order_of_their_times_and_then_of_their_setting) {
  fake::World world;
  std::vector<int> fired;
  std::vector<Alarm> alarms(1000);
  std::vector<std::pair<Time, int>> expected;
  std::uint64_t random = 12345;
  for (int i = 0; i < 1000; ++i) {
    random = random * 6364136223846793005U + 1442695040888963407U;
    const Time at = Time(std::chrono::seconds(1 + (random >> 33) % 50));
    Alarm& alarm = alarms[static_cast<std::size_t>(i)];
    alarm.number = i;
    alarm.notes = &fired;
    world.loop.set(alarm, at);
    expected.emplace_back(at, i);
  }
  // A third of them is unset, a third of them is moved.
  for (int i = 0; i < 1000; ++i) {
    Alarm& alarm = alarms[static_cast<std::size_t>(i)];
    if (i % 3 == 0) world.loop.unset(alarm);
    if (i % 3 == 1) world.loop.set(alarm, Time(60s) - alarm.at.time_since_epoch());
  }
  for (auto& [at, i] : expected) {
    if (i % 3 == 1) at = Time(60s) - at.time_since_epoch();
  }
  std::erase_if(expected, [](const auto& entry) { return entry.second % 3 == 0; });
  // What was moved was set later than what was not.
  std::sort(expected.begin(), expected.end(), [](const auto& a, const auto& b) {
    return std::tuple(a.first, a.second % 3 == 1, a.second) < std::tuple(b.first, b.second % 3 == 1, b.second);
  });
  while (world.loop.next_timer() != never) world.loop.turn(never);
  std::vector<int> order;
  for (const auto& entry : expected) order.push_back(entry.second);
  EXPECT_EQ(fired, order);
  EXPECT_TRUE(std::none_of(alarms.begin(), alarms.end(), [](const Alarm& alarm) { return alarm.is_set(); }));
}

TEST(Timers, one_that_sets_itself_for_the_past_does_not_hold_up_the_turn) {
  fake::World world;
  struct Again : Timer {
    Loop* loop = nullptr;
    int times = 0;
  } again;
  again.loop = &world.loop;
  again.run = [](Ready& ready) {
    Again& self = static_cast<Again&>(static_cast<Timer&>(ready));
    ++self.times;
    self.loop->set(self, Time());
  };
  world.loop.set(again, Time());
  for (int i = 0; i < 5; ++i) world.loop.turn(never);
  EXPECT_EQ(again.times, 5);
  world.loop.unset(again);
}

// Turns

TEST(Turn, an_idle_loop_sleeps_until_the_next_timer) {
  fake::World world;
  world.loop.spawn(nap, Duration(1h));
  world.loop.run();
  EXPECT_EQ(world.backend.now(), Time(1h));
  EXPECT_LE(world.backend.waits, 3U);
}

TEST(Turn, a_task_whose_operations_are_done_at_once_lets_others_run) {
  fake::World world;
  fake::Stream busy(world.backend);
  busy.end();
  int rounds = 0;
  int others = 0;
  const auto hog = [&]() -> Task<> {
    for (; rounds < 1600; ++rounds) co_await busy.read();
  };
  const auto other = [&]() -> Task<> {
    while (rounds < 1600) {
      co_await yield();
      ++others;
    }
  };
  world.loop.spawn(hog);
  world.loop.spawn(other);
  world.loop.run();
  EXPECT_NEAR(others, 1600 / 17, 2);  // after every 16 that are done at once, and one that had to queue
}

TEST(Turn, is_bounded_whatever_the_tasks_do) {
  fake::World world;
  fake::Stream busy(world.backend);
  busy.end();
  bool stop = false;
  const auto child = []() -> Task<> { co_return; };
  const auto spins_on_children = [&]() -> Task<> {
    while (!stop) co_await child();
  };
  const auto spins_on_operations = [&]() -> Task<> {
    while (!stop) co_await busy.read();
  };
  const auto spins_on_failures = [&]() -> Task<> {
    while (!stop) co_await ignore_error(with_timeout(0s, sleep_for(1s)));
  };
  const auto spins_on_yield = [&]() -> Task<> {
    while (!stop) co_await yield();
  };
  world.loop.spawn(spins_on_children);
  world.loop.spawn(spins_on_operations);
  world.loop.spawn(spins_on_failures);
  world.loop.spawn(spins_on_yield);
  for (int i = 0; i < 10; ++i) EXPECT_LE(world.loop.turn(never), 256U * 65U);
  stop = true;
  world.loop.run();
  EXPECT_EQ(world.loop.tasks(), 0U);
}

TEST(Turn, one_inside_another_is_a_mistake_that_is_said) {
  const auto turns = []() -> Task<> {
    Loop::current()->turn(never);
    co_return;
  };
  EXPECT_DEATH(
      {
        fake::World world;
        world.loop.spawn(turns);
        world.loop.turn(never);
      },
      "a turn of a Loop inside a turn");
}

TEST(Turn, current_is_the_loop_whose_turn_it_is) {
  fake::World world;
  EXPECT_EQ(Loop::current(), nullptr);
  const auto looks = [&]() -> Task<> {
    EXPECT_EQ(Loop::current(), &world.loop);
    co_return;
  };
  EXPECT_TRUE(world.loop.block_on(looks));
  EXPECT_EQ(Loop::current(), nullptr);
}

// Other threads

TEST(Post, runs_on_the_loop_in_the_order_of_posting) {
  fake::World world;
  std::vector<int> order;
  std::thread poster([&] {
    for (int i = 0; i < 1000; ++i) world.loop.post([&order, i] { order.push_back(i); });
    world.loop.post([&] { world.loop.stop(); });
  });
  world.loop.spawn(nap, Duration(std::chrono::hours(1'000'000)));
  const auto forever = [&]() -> Task<> { co_await sleep_until(never); };
  world.loop.spawn(forever);
  while (order.size() < 1000) world.loop.turn(world.loop.now() + 1ms);
  poster.join();
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(order.size(), 1000U);
}

TEST(Post, wakes_a_loop_that_waits_for_ever) {
  fake::World world;
  std::thread poster([&] {
    std::this_thread::sleep_for(20ms);
    world.loop.post([&, only = std::make_unique<int>(1)] { world.loop.stop(); });
  });
  const auto forever = []() -> Task<> { co_await sleep_until(never); };
  world.loop.spawn(forever);
  world.loop.run();
  EXPECT_EQ(world.loop.tasks(), 1U);
  poster.join();
}

TEST(Post, an_exception_is_reported_and_harms_nobody) {
  std::vector<std::string> reported;
  LoopOptions options;
  options.on_failure = [&](const TaskFailure& failure) { reported.push_back(failure.message()); };
  fake::World world(std::move(options));
  int ran = 0;
  world.loop.post([] { throw std::runtime_error("posted"); });
  world.loop.post([&] { ++ran; });
  world.loop.turn(never);
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(reported, (std::vector<std::string>{"exception: posted"}));
}

TEST(Post, what_never_ran_is_destroyed_with_the_loop) {
  const auto shared = std::make_shared<int>(1);
  {
    fake::World world;
    world.loop.post([shared] {});
    EXPECT_EQ(shared.use_count(), 2);
  }
  EXPECT_EQ(shared.use_count(), 1);
}

TEST(Loop, stop_cancels_what_is_blocked_on) {
  fake::World world;
  std::thread stopper([&] {
    std::this_thread::sleep_for(10ms);
    world.loop.stop();
  });
  const auto forever = []() -> Task<> { co_await sleep_until(never); };
  EXPECT_EQ(world.loop.block_on(forever).error(), Errc::canceled);
  stopper.join();
}

TEST(Loop, failures_of_its_tasks_are_reported_and_cancel_nobody) {
  std::vector<std::string> reported;
  LoopOptions options;
  options.on_failure = [&](const TaskFailure& failure) { reported.push_back(failure.message()); };
  fake::World world(std::move(options));
  const auto fails = []() -> Task<> {
    co_await sleep_for(1s);
    co_await fail(Errc::closed, "do it");
  };
  const auto throws = []() -> Task<> {
    co_await sleep_for(2s);
    throw 5;
  };
  world.loop.spawn(fails);
  world.loop.spawn(throws);
  world.loop.spawn(nap, Duration(3s));
  world.loop.run();
  EXPECT_EQ(world.backend.now(), Time(3s));
  ASSERT_EQ(reported.size(), 2U);
  EXPECT_EQ(reported[0].substr(0, 5), "do it");
  EXPECT_EQ(reported[1], "exception of an unknown type");
}

TEST(Loop, failures_are_printed_where_nobody_wants_to_be_told) {
  fake::World world;
  const auto fails = [](Errc code) -> Task<> { co_await fail(code, "do it"); };
  for (const Errc code : {Errc::closed, Errc::connection_reset, Errc::canceled}) world.loop.spawn(fails, code);
  testing::internal::CaptureStderr();
  world.loop.run();
  // Peers that have gone and what was cancelled are everyday events.
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "meari: a task failed: " + Error(Errc::closed, "do it").message() + "\n");
}

TEST(Loop, its_end_cancels_and_waits_for_every_task) {
  std::string notes;
  const auto cleans_up = [&](Duration span) -> Task<> {
    co_await ignore_error(sleep_until(never));
    co_await shielded(Deadline(), sleep_for(span));
    notes += "clean ";
  };
  {
    fake::World world;
    world.loop.spawn(cleans_up, Duration(2s));
    world.loop.spawn(cleans_up, Duration(1s));
    world.loop.turn(Time());
  }
  EXPECT_EQ(notes, "clean clean ");
}

TEST(LoopDeath, a_chunk_that_another_thread_gives_back_ends_the_program) {
  const auto program = [] {
    const std::unique_ptr<Loop> loop = Loop::make().value();
    const auto body = []() -> Task<> {
      auto [mine, theirs] = Stream::pair().value();
      const std::string piece(40'000, 'x');
      std::vector<Chunk> kept;  // several slabs of the pool
      for (int i = 0; i < 15; ++i) {
        co_await theirs.write(piece);
        for (std::size_t count = 0; count < piece.size(); count += kept.back().size()) {
          Chunk data = co_await mine.read();
          kept.push_back(std::move(data));
        }
      }
      std::thread([&kept] { kept.clear(); }).join();
    };
    static_cast<void>(loop->block_on(body));
  };
  EXPECT_DEATH(program(), "owner_");
}

TEST(LoopDeath, a_task_that_does_not_listen_is_named_when_the_loop_ends) {
  const auto deaf = []() -> Task<> {
    for (;;) co_await ignore_error(sleep_for(1s));
  };
  EXPECT_DEATH(
      {
        fake::World world;
        world.loop.spawn(deaf);
        world.loop.turn(Time());
      },
      "loop_test.cpp");
}

namespace {

struct Lingerer : Guest {
  explicit Lingerer(Loop& at) : loop(at) {
    leave = [](Guest& guest) {
      auto& self = static_cast<Lingerer&>(guest);
      self.asked = true;
      self.loop.dismiss(self);
    };
    loop.attend(*this);
  }
  Loop& loop;
  bool asked = false;
};

}  // namespace

TEST(Loop, waits_for_its_guests_and_asks_them_to_leave_at_its_end) {
  std::unique_ptr<Lingerer> stays, goes;
  {
    fake::World world;
    goes = std::make_unique<Lingerer>(world.loop);
    world.backend.in(3s, [&] { world.loop.dismiss(*goes); });
    world.loop.run();
    EXPECT_EQ(world.backend.now(), Time(3s));
    stays = std::make_unique<Lingerer>(world.loop);
  }
  EXPECT_FALSE(goes->asked);
  EXPECT_TRUE(stays->asked);
}

TEST(Loop, tells_what_every_task_waits_for) {
  fake::World world;
  fake::Stream peer(world.backend);
  const auto reads = [](fake::Stream from) -> Task<> { co_await with_timeout(5s, from.read()); };
  const auto session = [&](fake::Stream from) -> Task<> {
    co_await scoped([&](Scope& scope) -> Task<> {
      scope.spawn(nap, Duration(9s));
      co_await first_of(reads(from), sleep_until(never));
    });
  };
  world.loop.spawn(session, peer);
  world.loop.turn(Time());
  const std::string dump = world.loop.dump();
  for (const char* expected :
       {"loop_test.cpp:", "scoped, with 1 child\n", "first_of\n", "with_timeout\n", "receive\n", "sleep\n"})
    EXPECT_NE(dump.find(expected), std::string::npos) << expected << "is missing in\n" << dump;
  world.loop.cancel();
  world.loop.run();
  EXPECT_EQ(world.loop.dump(), "");
}

TEST(Loop, its_dump_is_indented_and_says_who_was_cancelled) {
  fake::World world;
  const auto deaf = [](int children) -> Task<> {
    auto body = [children](Scope& scope) -> Task<> {
      for (int i = 0; i < children; ++i) scope.spawn(nap, Duration(9s));
      co_await shielded(Deadline(), sleep_for(5s));
    };
    co_await scoped(body);
  };
  // Each line with "task" for the function's name and the line that it is in.
  const auto shape = [&world] {
    std::string text;
    std::istringstream lines(world.loop.dump());
    for (std::string line; std::getline(lines, line);) {
      const std::size_t file = line.find("loop_test.cpp:");
      if (file != std::string::npos) {
        const std::size_t end = line.find_first_not_of("0123456789", file + std::strlen("loop_test.cpp:"));
        line =
            std::string(line.find_first_not_of(' '), ' ') + "task" + (end == std::string::npos ? "" : line.substr(end));
      }
      text += line + '\n';
    }
    return text;
  };
  world.loop.spawn(deaf, 2);
  EXPECT_EQ(shape(), "a task that begins\n");
  world.loop.turn(Time());
  const std::string of_one =
      "task\n  scoped, with 1 child\n    task\n      shielded\n        sleep\n    task\n      sleep\n";
  const std::string of_two =
      "task\n  scoped, with 2 children\n    task\n      shielded\n        sleep\n    task\n      sleep\n    task\n     "
      " sleep\n";
  EXPECT_EQ(shape(), of_two);
  world.loop.spawn(deaf, 1);
  world.loop.turn(Time());
  EXPECT_EQ(shape(), of_one + of_two);
  world.loop.cancel();
  std::string cancelled = of_one + of_two;
  for (std::size_t at = 0; (at = cancelled.find("task\n", at)) != std::string::npos; at += 5)
    cancelled.insert(at + 4, ", cancelled");
  EXPECT_EQ(shape(), cancelled);
  world.loop.run();
  EXPECT_EQ(shape(), "");
}

TEST(Loop, its_dump_names_what_is_waited_for) {
  const std::unique_ptr<Loop> loop = Loop::make().value();
  std::atomic<bool> release = false;
  Channel<int> full({.capacity = 1}), empty({.capacity = 1});
  ASSERT_TRUE(full.try_send(1));
  const auto sends = [&]() -> Task<> { co_await full.send(2); };
  const auto receives = [&]() -> Task<> { co_await empty.receive(); };
  const auto works = [&]() -> Task<> {
    auto work = [&] {
      while (!release) std::this_thread::sleep_for(1ms);
    };
    co_await offload(work);
  };
  loop->spawn(sends);
  loop->spawn(receives);
  loop->spawn(works);
  loop->turn(Time());
  const std::string dump = loop->dump();
  for (const char* expected : {"send to a channel\n", "receive from a channel\n", "offload\n"})
    EXPECT_NE(dump.find(expected), std::string::npos) << expected << "is missing in\n" << dump;
  loop->cancel();
  release = true;
  loop->run();
}

TEST(Loop, an_observer_that_goes_may_turn_observing_off) {
  struct Last {
    Loop* loop;
    ~Last() { loop->observe({}); }
  };
  fake::World world;
  world.loop.observe([last = std::make_shared<Last>(&world.loop)](const Event&) {});
  world.loop.observe([](const Event&) {});  // the first one goes, and so does this one
  EXPECT_FALSE(world.loop.observed());
  EXPECT_FALSE(Loop::any_observed());
  world.loop.observe([](const Event&) {});
  EXPECT_TRUE(Loop::any_observed());
  world.loop.observe({});
  EXPECT_FALSE(Loop::any_observed());
}

TEST(Loop, observers_see_events) {
  fake::World world;
  EXPECT_FALSE(world.loop.observed());
  int seen = 0;
  world.loop.observe([&](const Event& event) { seen += event.what == Event::What::accepted ? 1 : 100; });
  EXPECT_TRUE(world.loop.observed());
  Event event;
  event.what = Event::What::accepted;
  world.loop.emit(event);
  EXPECT_EQ(seen, 1);
  world.loop.observe({});
  world.loop.emit(event);
  EXPECT_EQ(seen, 1);
}
