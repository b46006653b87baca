// Scopes and groups: who is cancelled, who is waited for, and which failure passes up.
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <meari/deadline.hpp>
#include <meari/scope.hpp>

#include "fake_backend.hpp"
#include "guard.hpp"

using namespace meari;
using namespace std::chrono_literals;
using fake::Guard, fake::slow;

namespace {

// Sleeps, then ends as it is told.
Task<int> child(std::string& notes, const char* name, Duration span, Errc code) {
  Guard guard(notes, name);
  co_await sleep_for(span);
  notes += "+";
  if (code != Errc::none) co_await fail(code);
  co_return 1;
}
Task<> thrower(Duration span, const char* what) {
  co_await sleep_for(span);
  throw std::runtime_error(what);
}

struct World : fake::World {
  using fake::World::World;
  std::string notes;
  Error run(auto body) { return loop.block_on(std::move(body)).error(); }
};

}  // namespace

TEST(Scope, that_a_cancelled_task_begins_is_cancelled_from_outside) {
  World world;
  bool told = false;
  Result<> outcome;
  const auto works = [&]() -> Task<> {
    co_await ignore_error(sleep_until(never));
    const auto body = [&](Scope& scope) -> Task<> {
      told = scope.canceled();
      scope.spawn(child, std::ref(world.notes), "child", 1h, Errc::none);
      co_return;
    };
    outcome = co_await as_result(scoped(body));
  };
  world.loop.spawn(works);
  world.loop.turn(Time());
  world.loop.cancel();
  world.loop.run();
  EXPECT_TRUE(told);
  EXPECT_EQ(outcome.error(), Errc::canceled);
  EXPECT_EQ(world.notes, "child ");  // and did not sleep
}

TEST(Scope, ends_when_the_body_and_all_children_have_ended) {
  World world;
  const auto body = [&]() -> Task<int> {
    co_return co_await scoped([&](Scope& scope) -> Task<int> {
      scope.spawn(child, std::ref(world.notes), "a", Duration(3s), Errc::none);
      scope.spawn(child, std::ref(world.notes), "b", Duration(1s), Errc::none);
      co_await sleep_for(2s);
      world.notes += "body ";
      co_return 42;
    });
  };
  EXPECT_EQ(*world.loop.block_on(body), 42);
  EXPECT_EQ(world.notes, "+b body +a ");
  EXPECT_EQ(world.backend.now(), Time(3s));
}

TEST(Scope, the_first_failing_child_cancels_the_others_and_the_body) {
  World world;
  world.backend.cancels = fake::Cancels::later;
  fake::Stream peer(world.backend);
  const auto reads = [&]() -> Task<> {
    Guard guard(world.notes, "reads");
    co_await peer.read();
  };
  const Error error = world.run([&]() -> Task<> {
    co_await scoped([&](Scope& scope) -> Task<> {
      Guard guard(world.notes, "body");
      scope.spawn(child, std::ref(world.notes), "fails", Duration(1s), Errc::connection_reset);
      scope.spawn(reads);
      co_await sleep_for(100s);
      world.notes += "not here ";
    });
    world.notes += "nor here ";
  });
  EXPECT_EQ(error, Errc::connection_reset);
  EXPECT_EQ(world.notes, "+fails reads body ");  // the body's frame stays until all have ended
  EXPECT_EQ(world.backend.now(), Time(2s));      // waited for the read's late answer
}

TEST(Scope, a_failing_body_cancels_the_children) {
  World world;
  const Error error = world.run([&]() -> Task<> {
    co_await scoped([&](Scope& scope) -> Task<> {
      scope.spawn(child, std::ref(world.notes), "a", Duration(9s), Errc::none);
      co_await sleep_for(1s);
      co_await fail(Errc::not_found);
    });
  });
  EXPECT_EQ(error, Errc::not_found);
  EXPECT_EQ(world.notes, "a ");
  EXPECT_EQ(world.backend.now(), Time(1s));
}

TEST(Scope, an_exception_wins_over_errors_and_is_rethrown) {
  World world;
  const auto both = [&](bool exception_first) -> Task<> {
    co_await scoped([&](Scope& scope) -> Task<> {
      scope.spawn(thrower, Duration(exception_first ? 1s : 2s), "thrown");
      scope.spawn(child, std::ref(world.notes), "a", Duration(exception_first ? 2s : 1s), Errc::not_found);
      co_await ignore_error(shielded(Deadline(), sleep_for(3s)));
    });
  };
  EXPECT_THROW(static_cast<void>(world.loop.block_on(both, true)), std::runtime_error);
  EXPECT_EQ(world.loop.block_on(both, false).error(), Errc::not_found);  // its thrower was cancelled in time
}

TEST(Scope, a_throwing_body_cancels_and_waits) {
  World world;
  const auto body = [&]() -> Task<> {
    co_await scoped([&](Scope& scope) -> Task<> {
      scope.spawn(child, std::ref(world.notes), "a", Duration(9s), Errc::none);
      co_await sleep_for(1s);
      throw std::logic_error("body");
    });
  };
  EXPECT_THROW(static_cast<void>(world.loop.block_on(body)), std::logic_error);
  EXPECT_EQ(world.notes, "a ");
}

TEST(Scope, a_child_that_throws_before_it_is_a_task) {
  World world;
  bool cancelled = false;
  const auto body = [&]() -> Task<> {
    const auto group = [&](Scope& scope) -> Task<> {
      scope.spawn([]() -> Task<> { throw std::logic_error("plain"); });
      cancelled = scope.canceled();
      EXPECT_EQ(&scope.loop(), &world.loop);
      co_await sleep_until(never);
    };
    co_await scoped(group);
  };
  EXPECT_THROW(static_cast<void>(world.loop.block_on(body)), std::logic_error);
  EXPECT_TRUE(cancelled);
}

TEST(Scope, a_body_that_throws_before_it_is_a_task) {
  World world;
  struct Body {
    std::string* notes;
    Task<> operator()(Scope& scope) const {
      scope.spawn(child, std::ref(*notes), "a", Duration(9s), Errc::none);
      throw std::logic_error("plain");
    }
  };
  const auto body = [&]() -> Task<> {
    Body plain{&world.notes};
    co_await scoped(std::move(plain));
  };
  EXPECT_THROW(static_cast<void>(world.loop.block_on(body)), std::logic_error);
  EXPECT_EQ(world.notes, "a ");  // it began as cancelled, and was waited for
}

TEST(Scope, cancel_inside_is_a_normal_end) {
  World world;
  const Error error = world.run([&]() -> Task<> {
    co_await scoped([&](Scope& scope) -> Task<> {
      scope.spawn(child, std::ref(world.notes), "a", Duration(9s), Errc::none);
      co_await sleep_for(1s);
      scope.cancel();
      co_await sleep_for(1s);
      world.notes += "not here ";
    });
    world.notes += "after ";
  });
  EXPECT_FALSE(error);
  EXPECT_EQ(world.notes, "a after ");
}

TEST(Scope, a_child_may_end_the_scope) {
  World world;
  const auto quits = [](Scope& scope) -> Task<> {
    co_await sleep_for(2s);
    scope.cancel();
  };
  const auto result = world.loop.block_on([&]() -> Task<int> {
    const int value = co_await scoped([&](Scope& scope) -> Task<int> {
      scope.spawn(quits, std::ref(scope));
      co_await sleep_for(100s);
      co_return 1;
    });
    co_return value;
  });
  EXPECT_EQ(result.error(), Errc::canceled);  // there is no value to go on with
  EXPECT_EQ(world.backend.now(), Time(2s));
}

TEST(Scope, a_cancel_from_outside_passes_up) {
  World world;
  const Error error = world.run([&]() -> Task<> {
    co_await with_timeout(2s, scoped([&](Scope& scope) -> Task<> {
                            scope.spawn(child, std::ref(world.notes), "a", Duration(9s), Errc::none);
                            co_await sleep_for(9s);
                          }));
  });
  EXPECT_EQ(error, Errc::timed_out);
  EXPECT_EQ(world.notes, "a ");
}

TEST(Scope, one_whose_children_succeed_nevertheless_is_a_success) {
  World world;
  world.backend.cancels = fake::Cancels::not_in_time;
  fake::Stream peer(world.backend);
  const Error error = world.run(
      [&]() -> Task<> { co_await with_timeout(2s, scoped([&](Scope&) -> Task<> { co_await peer.read(); })); });
  EXPECT_FALSE(error);
}

TEST(Scope, nests) {
  World world;
  const Error error = world.run([&]() -> Task<> {
    co_await scoped([&](Scope& outer) -> Task<> {
      outer.spawn([&]() -> Task<> {
        co_await scoped([&](Scope& inner) -> Task<> {
          inner.spawn(child, std::ref(world.notes), "inner", Duration(5s), Errc::none);
          co_await sleep_for(9s);
        });
      });
      co_await sleep_for(1s);
      co_await fail(Errc::closed);
    });
  });
  EXPECT_EQ(error, Errc::closed);
  EXPECT_EQ(world.notes, "inner ");
  EXPECT_EQ(world.backend.now(), Time(1s));
}

TEST(Scope, a_failure_in_a_nested_scope_under_a_timeout_reaches_the_outermost) {
  World world;
  const auto inside = [&]() -> Task<> {
    co_await scoped([&](Scope& inner) -> Task<> {
      inner.spawn(child, std::ref(world.notes), "fails", Duration(1s), Errc::broken_pipe);
      co_await sleep_for(9s);
    });
  };
  const Error error = world.run([&]() -> Task<> {
    co_await scoped([&](Scope& outer) -> Task<> {
      outer.spawn(inside);
      outer.spawn(child, std::ref(world.notes), "other", Duration(5s), Errc::none);
      co_await with_timeout(3s, sleep_for(9s));
    });
  });
  EXPECT_EQ(error, Errc::broken_pipe);
  EXPECT_EQ(world.notes, "+fails other ");
}

TEST(Scope, with_a_handler_failures_are_reported_and_nobody_is_cancelled) {
  World world;
  std::vector<std::string> reported;
  const Error error = world.run([&]() -> Task<> {
    co_await scoped([&](Scope& scope) -> Task<> {
      scope.on_failure([&](const TaskFailure& failure) { reported.push_back(failure.message()); });
      scope.spawn(child, std::ref(world.notes), "a", Duration(1s), Errc::connection_reset);
      scope.spawn(thrower, Duration(2s), "thrown");
      scope.spawn(child, std::ref(world.notes), "b", Duration(3s), Errc::none);
      co_await sleep_for(4s);
    });
  });
  EXPECT_FALSE(error);
  EXPECT_EQ(world.notes, "+a +b ");
  EXPECT_EQ(reported, (std::vector<std::string>{"connection reset by the peer", "exception: thrown"}));
}

TEST(Scope, callable_and_arguments_live_as_long_as_the_child) {
  World world;
  const Error error = world.run([&]() -> Task<> {
    co_await scoped([&](Scope& scope) -> Task<> {
      auto captures = [text = std::string("a text that does not fit into the string itself"), &notes = world.notes](
                          const std::string& other, std::unique_ptr<int> number) -> Task<> {
        co_await sleep_for(1s);
        notes += text.substr(0, 6) + other.substr(0, 7) + std::to_string(*number);
      };
      scope.spawn(std::move(captures), std::string("another text that is longer than that"), std::make_unique<int>(3));
      co_return;
    });
  });
  EXPECT_FALSE(error);
  EXPECT_EQ(world.notes, "a textanother3");
}

TEST(Scope, ten_thousand_children_end_together) {
  World world;
  std::size_t most = 0;
  const Error error = world.run([&]() -> Task<> {
    co_await scoped([&](Scope& scope) -> Task<> {
      for (int i = 0; i < 10'000; ++i) scope.spawn(slow, Duration(std::chrono::milliseconds(i)), i);
      most = scope.size();
      co_await sleep_for(5s);
      scope.cancel();
    });
  });
  EXPECT_FALSE(error);
  EXPECT_EQ(most, 10'000U);
}

// first_of

TEST(FirstOf, gives_the_first_and_cancels_the_others) {
  World world;
  fake::Stream peer(world.backend);
  world.backend.in(1s, [&] { peer.feed("data"); });
  const auto result = world.loop.block_on([&]() -> Task<std::string> {
    auto [data, tick] = co_await first_of(peer.read(), sleep_for(3s));
    co_return std::string(data ? data->text() : "-") + (tick ? " tick" : "");
  });
  EXPECT_EQ(*result, "data");
  EXPECT_EQ(world.backend.now(), Time(1s));
}

TEST(FirstOf, keeps_a_loser_that_succeeded) {
  World world;
  world.backend.cancels = fake::Cancels::not_in_time;
  fake::Stream peer(world.backend);
  const auto result = world.loop.block_on([&]() -> Task<std::string> {
    auto [data, tick] = co_await first_of(peer.read(), sleep_for(3s));
    co_return std::string(data ? data->text() : "-") + (tick ? " tick" : "");
  });
  EXPECT_EQ(*result, "late tick");
}

TEST(FirstOf, the_failure_of_the_first_is_its_failure) {
  World world;
  fake::Stream peer(world.backend);
  world.backend.in(1s, [&] { world.backend.fail_receive(peer.slot(), Errc::connection_reset); });
  EXPECT_EQ(world.run([&]() -> Task<> { co_await first_of(peer.read(), sleep_for(3s)); }), Errc::connection_reset);
}

TEST(FirstOf, a_failure_can_be_a_value) {
  World world;
  fake::Stream peer(world.backend);
  world.backend.in(1s, [&] { world.backend.fail_receive(peer.slot(), Errc::connection_reset); });
  const Error error = world.run([&]() -> Task<> {
    auto [data, tick] = co_await first_of(as_result(peer.read()), sleep_for(3s));
    EXPECT_TRUE(data && data->error() == Errc::connection_reset);
    EXPECT_FALSE(tick);
  });
  EXPECT_FALSE(error);
}

TEST(FirstOf, what_is_there_at_once_wins_and_the_rest_does_not_begin) {
  World world;
  fake::Stream peer(world.backend);
  peer.feed("data");
  const Error error = world.run([&]() -> Task<> {
    auto [first, second, third] =
        co_await first_of(peer.read(), child(world.notes, "never", 1s, Errc::none), peer.read());
    EXPECT_TRUE(first);
    EXPECT_FALSE(second || third);
  });
  EXPECT_FALSE(error);
  EXPECT_EQ(world.notes, "");
  EXPECT_EQ(peer.line().receives_submitted, 1U);
}

TEST(FirstOf, takes_tasks_and_waits_for_those_it_cancels) {
  World world;
  const Error error = world.run([&]() -> Task<> {
    auto [a, b] = co_await first_of(child(world.notes, "a", 1s, Errc::none), child(world.notes, "b", 9s, Errc::none));
    EXPECT_TRUE(a && *a == 1);
    EXPECT_FALSE(b);
    world.notes += "after";
  });
  EXPECT_FALSE(error);
  EXPECT_EQ(world.notes, "+a b after");
}

TEST(FirstOf, an_exception_of_a_loser_is_not_lost) {
  World world;
  const auto throws_when_cancelled = []() -> Task<> {
    const Result<> r = co_await as_result(sleep_for(9s));
    if (!r) throw std::runtime_error("cancelled");
  };
  const auto group = [&]() -> Task<> { co_await first_of(sleep_for(1s), throws_when_cancelled()); };
  EXPECT_THROW(static_cast<void>(world.loop.block_on(group)), std::runtime_error);
}

TEST(FirstOf, nests_in_timeouts_and_in_itself) {
  World world;
  fake::Stream peer(world.backend);
  const Error error = world.run([&]() -> Task<> {
    co_await with_timeout(
        2s, first_of(first_of(peer.read(), sleep_for(8s)), with_timeout(5s, peer.write("x")), sleep_for(9s)));
    co_await with_timeout(2s, first_of(first_of(peer.read(), sleep_for(8s)), sleep_for(9s)));
  });
  EXPECT_EQ(error, Errc::timed_out);
  EXPECT_EQ(world.backend.now(), Time(2s));
}
