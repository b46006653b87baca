// Tasks on a fake backend: what co_await does on success, failure, exception and cancel.
#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <meari/deadline.hpp>
#include <meari/scope.hpp>
#include <meari/task.hpp>

#include "fake_backend.hpp"
#include "guard.hpp"

using namespace meari;
using namespace std::chrono_literals;
using fake::Guard, fake::slow;

namespace {

constexpr unsigned line_echo = __LINE__ + 2;
Task<> echo_back(fake::Stream peer) {
  while (Chunk data = co_await peer.read()) co_await peer.write(std::move(data));
}

Task<> guarded_echo(fake::Stream peer, std::string& notes) {
  Guard guard(notes, "echo");
  co_await echo_back(peer);
  notes += "after-echo ";
}
Task<> middle(fake::Stream peer, std::string& notes) {
  Guard guard(notes, "middle");
  co_await guarded_echo(peer, notes);
  notes += "after-middle ";
}
Task<> outer(fake::Stream peer, std::string& notes) {
  Guard guard(notes, "outer");
  co_await middle(peer, notes);
  notes += "after-outer ";
}

}  // namespace

TEST(Task, echoes_until_the_peer_has_finished) {
  fake::World world;
  fake::Stream peer(world.backend);
  peer.feed("one ");
  world.backend.in(1s, [&] { peer.feed("two"); });
  world.backend.in(2s, [&] { peer.end(); });
  EXPECT_TRUE(world.loop.block_on(echo_back, peer));
  EXPECT_EQ(peer.line().sent, "one two");
}

TEST(Task, a_failed_read_ends_it) {
  fake::World world;
  fake::Stream peer(world.backend);
  world.backend.in(1s, [&] { world.backend.fail_receive(peer.slot(), Errc::connection_reset); });
  const Result<> result = world.loop.block_on(echo_back, peer);
  EXPECT_EQ(result.error(), Errc::connection_reset);
}

TEST(Task, a_failed_write_ends_it) {
  fake::World world;
  fake::Stream peer(world.backend);
  peer.feed("one");
  peer.line().send_error = Errc::broken_pipe;
  EXPECT_EQ(world.loop.block_on(echo_back, peer).error(), Errc::broken_pipe);
}

TEST(Task, an_error_names_the_operation_and_the_line_that_met_it_first) {
  fake::World world;
  fake::Stream peer(world.backend);
  std::string notes;
  world.backend.in(1s, [&] { world.backend.fail_receive(peer.slot(), Errc::connection_reset); });
  const Error error = world.loop.block_on(outer, peer, std::ref(notes)).error();
  EXPECT_STREQ(error.operation(), "read");
  EXPECT_NE(std::string(error.where().file_name()).find("task_test"), std::string::npos);
  EXPECT_EQ(error.where().line(), line_echo);
}

TEST(Task, a_failure_under_three_callers_destroys_inner_before_outer_and_runs_nothing_else) {
  fake::World world;
  fake::Stream peer(world.backend);
  std::string notes;
  peer.line().receive_error = Errc::connection_reset;
  EXPECT_EQ(world.loop.block_on(outer, peer, std::ref(notes)).error(), Errc::connection_reset);
  EXPECT_EQ(notes, "echo middle outer ");
}

TEST(Task, a_success_under_three_callers_runs_what_follows) {
  fake::World world;
  fake::Stream peer(world.backend);
  std::string notes;
  peer.end();
  EXPECT_TRUE(world.loop.block_on(outer, peer, std::ref(notes)));
  EXPECT_EQ(notes, "after-echo echo after-middle middle after-outer outer ");
}

namespace {

Task<int> seven() { co_return 7; }
Task<int> refuses() { co_return fail(Errc::not_found, "look for", "it"); }
Task<> fails_in_the_middle(std::string& notes) {
  Guard guard(notes, "middle");
  co_await fail(Errc::limit_reached);
  notes += "after ";
}
Task<int> throws(Duration span) {
  co_await sleep_for(span);
  throw std::runtime_error("thrown");
}
Task<int> two(fake::Stream peer) {
  const Chunk first = co_await peer.read();
  const Chunk second = co_await peer.read();
  co_return static_cast<int>(first.size() + second.size());
}

}  // namespace

TEST(Task, gives_a_value) {
  fake::World world;
  EXPECT_EQ(*world.loop.block_on(seven), 7);
  EXPECT_EQ(*world.loop.block_on(slow, Duration(3s), 4), 4);
  EXPECT_EQ(world.backend.now(), Time(3s));
}

TEST(Task, co_return_fail_and_co_await_fail_end_it) {
  fake::World world;
  std::string notes;
  EXPECT_EQ(world.loop.block_on(refuses).error().message(), "look for it: no such file or socket");
  EXPECT_EQ(world.loop.block_on(fails_in_the_middle, std::ref(notes)).error(), Errc::limit_reached);
  EXPECT_EQ(notes, "middle ");
}

TEST(Task, takes_a_result_apart_without_suspending) {
  const auto sum = [](Result<int> a, Result<int> b) -> Task<int> {
    const int first = co_await std::move(a);
    const int second = co_await std::move(b);
    co_return first + second;
  };
  fake::World world;
  EXPECT_EQ(*world.loop.block_on(sum, Result<int>(1), Result<int>(2)), 3);
  EXPECT_EQ(world.loop.block_on(sum, Result<int>(1), Result<int>(Errc::closed)).error(), Errc::closed);
}

TEST(Task, co_return_takes_a_result) {
  const auto pass = [](Result<std::string> r) -> Task<std::string> { co_return r; };
  fake::World world;
  EXPECT_EQ(*world.loop.block_on(pass, Result<std::string>("text")), "text");
  EXPECT_EQ(world.loop.block_on(pass, Result<std::string>(Errc::busy)).error(), Errc::busy);
}

TEST(Task, gives_values_that_only_move_and_have_no_default) {
  struct Only {
    explicit Only(int n) : number(std::make_unique<int>(n)) {}
    std::unique_ptr<int> number;
  };
  const auto make = [](int n) -> Task<Only> { co_return Only(n); };
  const auto take = [&]() -> Task<int> {
    const Only only = co_await make(5);
    co_return *only.number;
  };
  fake::World world;
  EXPECT_EQ(*world.loop.block_on(take), 5);
}

TEST(Task, as_result_makes_a_failure_a_value) {
  const auto look = []() -> Task<std::string> {
    const Result<int> bad = co_await as_result(refuses());
    const Result<int> good = co_await as_result(seven());
    const Result<> none = co_await as_result(sleep_for(1s));
    co_return bad.error().message() + std::to_string(*good) + (none ? "." : "!");
  };
  fake::World world;
  EXPECT_EQ(*world.loop.block_on(look), "look for it: no such file or socket7.");
}

TEST(Task, clean_up_that_waits_runs_after_a_failure_and_passes_it_on) {
  const auto with_clean_up = [](fake::Stream peer, std::string& notes) -> Task<> {
    Result<> r = co_await as_result(guarded_echo(peer, notes));
    co_await ignore_error(peer.write("goodbye"));
    co_await std::move(r);
    notes += "not here ";
  };
  fake::World world;
  fake::Stream peer(world.backend);
  std::string notes;
  peer.line().receive_error = Errc::connection_reset;
  EXPECT_EQ(world.loop.block_on(with_clean_up, peer, std::ref(notes)).error(), Errc::connection_reset);
  EXPECT_EQ(notes, "echo ");
  EXPECT_EQ(peer.line().sent, "goodbye");
}

TEST(Task, an_exception_is_rethrown_where_it_is_awaited) {
  std::string notes;
  const auto catches = [&](Duration span) -> Task<int> {
    Guard guard(notes, "catches");
    int value = 0;
    try {
      value = co_await throws(span);
    } catch (const std::runtime_error& error) {
      notes += error.what();
      notes += ' ';
    }
    co_return value + 1;
  };
  fake::World world;
  EXPECT_EQ(*world.loop.block_on(catches, Duration(0)), 1);
  EXPECT_EQ(*world.loop.block_on(catches, Duration(1s)), 1);
  EXPECT_EQ(notes, "thrown catches thrown catches ");
}

TEST(Task, an_exception_passes_ignore_error_and_block_on) {
  const auto passes = [](std::string& notes) -> Task<> {
    Guard guard(notes, "passes");
    co_await ignore_error(throws(1s));
    notes += "not here ";
  };
  fake::World world;
  std::string notes;
  EXPECT_THROW(static_cast<void>(world.loop.block_on(passes, std::ref(notes))), std::runtime_error);
  EXPECT_EQ(notes, "passes ");
}

TEST(Task, catch_does_not_see_errors) {
  std::string notes;
  const auto catches = [&]() -> Task<> {
    try {
      co_await refuses();
    } catch (...) {
      notes += "caught";
    }
  };
  fake::World world;
  EXPECT_EQ(world.loop.block_on(catches).error(), Errc::not_found);
  EXPECT_EQ(notes, "");
}

TEST(Task, an_exception_after_co_return_replaces_the_value) {
  struct Thrower {
    ~Thrower() noexcept(false) { throw std::runtime_error("late"); }
  };
  const auto late = []() -> Task<std::string> {
    Thrower thrower;
    co_return "a value that is long enough to be allocated somewhere else";
  };
  fake::World world;
  EXPECT_THROW(static_cast<void>(world.loop.block_on(late)), std::runtime_error);
}

// Time

TEST(WithTimeout, passes_what_comes_in_time) {
  const auto reads = [](fake::Stream peer) -> Task<std::string> {
    const Chunk data = co_await with_timeout(5s, peer.read());
    co_return std::string(data.text());
  };
  fake::World world;
  fake::Stream peer(world.backend);
  world.backend.in(2s, [&] { peer.feed("early"); });
  EXPECT_EQ(*world.loop.block_on(reads, peer), "early");
  EXPECT_EQ(world.backend.now(), Time(2s));
  EXPECT_EQ(world.loop.next_timer(), never);
}

TEST(WithTimeout, says_timed_out_and_what_it_was) {
  const auto reads = [](fake::Stream peer) -> Task<> { co_await with_timeout(5s, peer.read()); };
  fake::World world;
  fake::Stream peer(world.backend);
  EXPECT_EQ(world.loop.block_on(reads, peer).error().message(), "read: timed out");
  EXPECT_EQ(world.backend.now(), Time(5s));
}

TEST(WithTimeout, cancels_a_task_and_waits_for_it) {
  std::string notes;
  const auto limited = [&](fake::Stream peer) -> Task<> { co_await with_timeout(5s, outer(peer, notes)); };
  fake::World world;
  fake::Stream peer(world.backend);
  world.backend.cancels = fake::Cancels::later;
  EXPECT_EQ(world.loop.block_on(limited, peer).error(), Errc::timed_out);
  EXPECT_EQ(notes, "echo middle outer ");
  EXPECT_EQ(world.backend.now(), Time(6s));
}

TEST(WithTimeout, nests_and_the_shorter_one_decides) {
  const auto nested = []() -> Task<int> { co_return co_await with_timeout(9s, with_timeout(2s, slow(5s, 1))); };
  const auto outside = []() -> Task<int> { co_return co_await with_timeout(2s, with_timeout(9s, slow(5s, 1))); };
  fake::World world;
  EXPECT_EQ(world.loop.block_on(nested).error(), Errc::timed_out);
  EXPECT_EQ(world.backend.now(), Time(2s));
  EXPECT_EQ(world.loop.block_on(outside).error(), Errc::timed_out);
  EXPECT_EQ(world.backend.now(), Time(4s));
}

TEST(WithTimeout, other_failures_and_exceptions_pass_unchanged) {
  const auto fails = []() -> Task<> { co_await with_timeout(9s, refuses()); };
  const auto thrown = []() -> Task<> { co_await with_timeout(9s, throws(1s)); };
  fake::World world;
  EXPECT_EQ(world.loop.block_on(fails).error(), Errc::not_found);
  EXPECT_THROW(static_cast<void>(world.loop.block_on(thrown)), std::runtime_error);
}

TEST(WithTimeout, durations_that_do_not_fit_are_never) {
  const auto waits = []() -> Task<int> { co_return co_await with_timeout(std::chrono::years(10'000), slow(1s, 3)); };
  fake::World world;
  EXPECT_EQ(*world.loop.block_on(waits), 3);
}

TEST(WithDeadline, a_span_that_would_end_after_all_time_is_never) {
  EXPECT_EQ(Deadline(9'199'999'999s).from(Time(30'000'000s)), never);  // 291.5 years, and one more
  EXPECT_EQ(Deadline(std::chrono::hours::max()).from(Time(1s)), never);
  EXPECT_EQ(Deadline::never().from(Time(1s)), never);
  EXPECT_EQ(Deadline(1s).from(Time(1s)), Time(2s));
}

TEST(WithDeadline, counts_from_the_start_of_the_loop) {
  const auto waits = []() -> Task<> {
    co_await sleep_for(3s);
    co_await with_deadline(Time(4s), sleep_for(10s));
  };
  fake::World world;
  EXPECT_EQ(world.loop.block_on(waits).error(), Errc::timed_out);
  EXPECT_EQ(world.backend.now(), Time(4s));
}

// The races of a cancel: whatever the backend answers is the truth.

struct Race {
  fake::Cancels cancels;
  Duration data_at;
  Errc outcome;  // of with_timeout(5s, read)
};

class CancelRace : public testing::TestWithParam<Race> {};

TEST_P(CancelRace, of_an_operation_and_of_a_task) {
  const auto operation = [](fake::Stream peer) -> Task<> { co_await with_timeout(5s, peer.read()); };
  const auto task = [](fake::Stream peer) -> Task<> {
    const auto inside = [](fake::Stream from) -> Task<> { co_await from.read(); };
    co_await with_timeout(5s, inside(peer));
  };
  const auto looks = [](fake::Stream peer) -> Task<> {
    Result<Chunk> data = co_await with_timeout(5s, as_result(peer.read()));
    co_await std::move(data);
  };
  const auto looks_outside = [](fake::Stream peer) -> Task<> {
    Result<Chunk> data = co_await as_result(with_timeout(5s, peer.read()));
    co_await std::move(data);
  };
  const auto check = [&](auto body, Errc expected) {
    fake::World world;
    fake::Stream peer(world.backend);
    world.backend.cancels = GetParam().cancels;
    if (GetParam().data_at < 100s) world.backend.in(GetParam().data_at, [&] { peer.feed("data"); });
    const Result<> result = world.loop.block_on(body, peer);
    EXPECT_EQ(result.error().code(), expected);
  };
  const Errc outcome = GetParam().outcome;
  check(operation, outcome);
  check(task, outcome);
  check(looks_outside, outcome);
  check(looks, outcome == Errc::timed_out ? Errc::canceled : outcome);  // inside, it is a cancel that is looked at
}

INSTANTIATE_TEST_SUITE_P(
    Task, CancelRace,
    testing::Values(Race{fake::Cancels::at_once, 4s, Errc::none},       // data first
                    Race{fake::Cancels::at_once, 5s, Errc::none},       // tied: the data is there when the clock fires
                    Race{fake::Cancels::at_once, 6s, Errc::timed_out},  // data too late
                    Race{fake::Cancels::later, 5s, Errc::none},
                    Race{fake::Cancels::later, 5500ms, Errc::none},  // while the cancel is on its way
                    Race{fake::Cancels::later, 6s, Errc::none},      // tied with its answer, just before it
                    Race{fake::Cancels::later, 7s, Errc::timed_out},
                    Race{fake::Cancels::not_in_time, 1000s, Errc::none}));  // the kernel was faster

TEST(CancelRace, the_clock_first_and_the_data_in_the_same_turn) {
  // The timer fires and asks for a cancel; then the data arrives before the loop runs what is ready.
  const auto reads = [](fake::Stream peer) -> Task<> { co_await with_timeout(5s, peer.read()); };
  fake::World world;
  fake::Stream peer(world.backend);
  world.backend.cancels = fake::Cancels::later;
  struct Feeder : Timer {
    fake::Stream* peer = nullptr;
  } feeder;
  feeder.peer = &peer;
  feeder.run = [](Ready& ready) { static_cast<Feeder&>(static_cast<Timer&>(ready)).peer->feed("tied"); };
  world.backend.in(1s, [&] { world.loop.set(feeder, Time(5s)); });  // set after the timeout's, so it fires after it
  EXPECT_TRUE(world.loop.block_on(reads, peer));
}

TEST(Cancel, is_sticky_but_a_success_that_came_first_is_delivered) {
  // The first read succeeds although it was cancelled; the second is not even submitted.
  fake::World world;
  fake::Stream peer(world.backend);
  world.backend.cancels = fake::Cancels::not_in_time;
  const auto limited = [](fake::Stream from) -> Task<> { co_await with_timeout(5s, two(from)); };
  EXPECT_EQ(world.loop.block_on(limited, peer).error(), Errc::timed_out);
  EXPECT_EQ(peer.line().receives_submitted, 1U);
}

TEST(Cancel, reaches_what_is_started_later) {
  // Children, sleeps, timeouts, groups and scopes that begin after the cancel fail as well.
  std::string notes;
  const auto stubborn = [&](fake::Stream peer) -> Task<> {
    co_await ignore_error(sleep_for(100s));
    const auto note = [&](const Error& error) { notes += error == Errc::canceled ? "c" : "?"; };
    note((co_await as_result(slow(1s, 1))).error());
    note((co_await as_result(sleep_for(0s))).error());
    note((co_await as_result(yield())).error());
    note((co_await as_result(with_timeout(1s, peer.read()))).error());
    note((co_await as_result(first_of(peer.read(), sleep_for(1s)))).error());
    note((co_await as_result(scoped([&](Scope& scope) -> Task<> {
           scope.spawn(slow, Duration(1s), 1);
           co_await sleep_for(1s);
         }))).error());
  };
  fake::World world;
  fake::Stream peer(world.backend);
  const auto limited = [&]() -> Task<> { co_await with_timeout(5s, stubborn(peer)); };
  EXPECT_TRUE(world.loop.block_on(limited));
  EXPECT_EQ(notes, "cccccc");
  EXPECT_EQ(world.backend.now(), Time(5s));
}

TEST(Cancel, a_shield_lets_clean_up_finish_and_has_an_end_of_its_own) {
  std::string notes;
  const auto stubborn = [&](fake::Stream peer) -> Task<> {
    const Result<> r = co_await as_result(echo_back(peer));
    co_await shielded(2s, sleep_for(1s));
    notes += "cleaned ";
    const Result<> late = co_await as_result(shielded(2s, sleep_for(10s)));
    notes += late.error().message();
    co_await fail(r.error().code());
  };
  fake::World world;
  fake::Stream peer(world.backend);
  const auto limited = [&]() -> Task<> { co_await with_timeout(5s, stubborn(peer)); };
  EXPECT_EQ(world.loop.block_on(limited).error(), Errc::timed_out);
  EXPECT_EQ(notes, "cleaned timed out");
  EXPECT_EQ(world.backend.now(), Time(8s));
}

TEST(Cancel, a_cancel_during_a_shield_stays_out) {
  const auto shields = []() -> Task<> { co_await shielded(9s, sleep_for(3s)); };
  const auto limited = [&]() -> Task<> { co_await with_timeout(1s, shields()); };
  fake::World world;
  EXPECT_TRUE(world.loop.block_on(limited));
  EXPECT_EQ(world.backend.now(), Time(3s));
}

// Flat stacks and frames

TEST(Depth, a_million_things_done_at_once_need_no_stack) {
  const auto many = []() -> Task<int> {
    int sum = 0;
    for (int i = 0; i < 1'000'000; ++i) {
      const int value = co_await seven();
      sum += value;
    }
    for (int i = 0; i < 1'000'000; ++i) sum += co_await Result<int>(1);
    co_return sum;
  };
  fake::World world;
  EXPECT_EQ(*world.loop.block_on(many), 8'000'000);
}

TEST(Depth, a_million_operations_done_at_once_need_no_stack) {
  const auto many = [](fake::Stream peer) -> Task<> {
    for (int i = 0; i < 1'000'000; ++i) co_await peer.read();
  };
  fake::World world;
  fake::Stream peer(world.backend);
  peer.end();
  EXPECT_TRUE(world.loop.block_on(many, peer));
}

namespace {

Task<int> deep(int levels, Duration span, Errc code) {
  if (levels == 0) {
    co_await sleep_for(span);
    if (code != Errc::none) co_await fail(code);
    co_return 0;
  }
  co_return 1 + co_await deep(levels - 1, span, code);
}

}  // namespace

TEST(Depth, two_hundred_thousand_nested_tasks_need_no_stack) {
  constexpr int levels = 200'000;
  fake::World world;
  EXPECT_EQ(*world.loop.block_on(deep, levels, Duration(0), Errc::none), levels);
  EXPECT_EQ(*world.loop.block_on(deep, levels, Duration(1s), Errc::none), levels);
  EXPECT_EQ(world.loop.block_on(deep, levels, Duration(1s), Errc::not_found).error(), Errc::not_found);
  const auto limited = []() -> Task<> { co_await with_timeout(1s, deep(levels, 2s, Errc::none)); };
  EXPECT_EQ(world.loop.block_on(limited).error(), Errc::timed_out);
}

TEST(TaskDeath, destroying_a_running_task_is_a_mistake_that_is_said) {
  fake::World world;
  EXPECT_DEATH(
      {
        Task<int> task = slow(1s, 1);
        struct Nobody : Ready {
        } nobody;
        nobody.run = [](Ready&) {};
        task.promise()->begin(world.loop, nobody, false);
        world.loop.turn(Time(0s));
      },
      "a Task was destroyed while it runs");
}

TEST(TaskDeath, a_destructor_that_throws_while_a_failure_unwinds_terminates) {
  struct Thrower {
    ~Thrower() noexcept(false) { throw std::runtime_error("from a destructor"); }
  };
  const auto fails = []() -> Task<> {
    Thrower thrower;
    co_await fail(Errc::closed);
  };
  fake::World world;
  EXPECT_DEATH(static_cast<void>(world.loop.block_on(fails)), "");
}

TEST(Task, one_that_never_began_is_simply_gone) {
  std::string notes;
  const auto holds = [](std::unique_ptr<Guard>) -> Task<> { co_return; };
  { const Task<> task = holds(std::make_unique<Guard>(notes, "argument")); }
  EXPECT_EQ(notes, "argument ");
}
