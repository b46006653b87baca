// The simulated network as its users see it: hosts with names, links, partitions, crashes, rules. Programs on it are
// ordinary ones; what they meet is exact, because time is virtual.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <meari/meari.hpp>
#include <meari/sim.hpp>

#include "serving.hpp"

namespace meari {
namespace {

using namespace std::chrono_literals;
using test::echo;

// A server that never ends by itself.
Task<> serve_echo() {
  Server server(*Loop::current(), echo);
  std::vector<Address> where = co_await server.listen(":9000");
  co_await server.run();
}

Task<> drain_when(bool& asked, Server& server) {
  while (!asked) co_await sleep_for(1ms);
  server.drain();
}

Task<> serve_echo_until(bool& asked) {
  Server server(*Loop::current(), echo, {.drain = 5s});
  std::vector<Address> where = co_await server.listen(":9000");
  auto body = [&asked, &server](Scope& scope) -> Task<> {
    auto drain = [&asked, &server] { return drain_when(asked, server); };
    scope.spawn(drain);
    co_await server.run();
  };
  co_await scoped(std::move(body));
}

struct Answer {
  std::string text;
  Error error;
  Time at{};
  bool over = false;
};

Task<> ask_and_wait(std::string where, std::string line, Answer& answer) {
  ConnectOptions patient;
  patient.timeout = 2min;
  Stream peer = co_await connect(std::move(where), patient);
  co_await peer.write(line);
  Chunk reply = co_await peer.read_exactly(line.size());
  answer.text += reply.text();
  answer.at = Loop::current()->now();
}

Task<> ask(std::string where, std::string line, Answer& answer) {
  const Result<> result = co_await as_result(ask_and_wait(std::move(where), std::move(line), answer));
  answer.error = result.error();
  answer.over = true;
}

// Connects, and waits for something to come; nothing does.
Task<> listen_in(std::string where, Answer& answer) {
  Stream peer = co_await connect(std::move(where));
  Result<Chunk> data = co_await as_result(peer.read());
  answer.error = data.error();
  answer.at = Loop::current()->now();
  answer.over = true;
}

TEST(SimNetwork, hosts_find_each_other_by_name_in_exact_virtual_time) {
  Answer answer;
  bool enough = false;
  SimNetwork net({.link = {.latency = 10ms, .jitter = 0ns}});
  net.host("server").run([&] { return serve_echo_until(enough); });
  net.host("client").run([&] { return ask("server:9000", "hello", answer); });
  ASSERT_TRUE(net.run_until([&] { return answer.over; })) << net.trace();
  EXPECT_EQ(answer.text, "hello");
  EXPECT_EQ(answer.at.time_since_epoch(), 40ms);  // the handshake and the question, a round trip of 20 ms each
  enough = true;
  EXPECT_TRUE(net.run());
  net.expect_quiescent();
  EXPECT_TRUE(net.failures().empty()) << net.failures().front();
}

TEST(SimNetwork, unknown_names_are_not_found_and_localhost_is_oneself) {
  Answer nobody, oneself;
  SimNetwork net;
  SimHost& host = net.host("alone");
  host.run(serve_echo);
  host.run([&] { return ask("nobody:9000", "hello", nobody); });
  host.run([&] { return ask("localhost:9000", "hello", oneself); });
  net.run_for(1s);
  EXPECT_EQ(nobody.error, Errc::name_not_found) << nobody.error.message();
  EXPECT_EQ(oneself.text, "hello") << oneself.error.message();
}

TEST(SimNetwork, a_narrow_link_takes_its_time) {
  Answer answer;
  SimNetwork net({.link = {.latency = 1ms, .jitter = 0ns}});
  net.host("server").run(serve_echo);
  net.link(net.host("client"), net.host("server"), {.latency = 1ms, .jitter = 0ns, .bytes_per_second = 1000});
  net.host("client").run([&] { return ask("server:9000", std::string(9000, 'x'), answer); });
  ASSERT_TRUE(net.run_until([&] { return answer.over; }, 5min)) << net.trace();
  EXPECT_GE(answer.at.time_since_epoch(), 9s);
  EXPECT_LE(answer.at.time_since_epoch(), 11s);
}

TEST(SimNetwork, a_partition_stalls_and_what_was_lost_is_sent_again_when_it_ends) {
  Answer answer;
  SimNetwork net;
  net.host("server").run(serve_echo);
  SimGuard apart = net.partition(net.host("server"), net.host("client"));
  net.host("client").run([&] { return ask("server:9000", "hello", answer); });
  net.run_for(10s);
  EXPECT_FALSE(answer.over);
  apart.end();
  EXPECT_TRUE(net.run_until([&] { return answer.over; }, 10s));
  EXPECT_EQ(answer.text, "hello");
  EXPECT_GT(answer.at.time_since_epoch(), 10s);
}

TEST(SimNetwork, a_partition_that_another_takes_the_place_of_has_ended) {
  SimNetwork net;
  net.host("server").run(serve_echo);
  SimGuard apart = net.partition(net.host("server"), net.host("client"));
  SimGuard other = net.partition(net.host("server"), net.host("third"));
  apart = std::move(other);
  std::vector<Answer> answers(2);
  net.host("client").run([&] { return ask("server:9000", "hello", answers[0]); });
  net.host("third").run([&] { return ask("server:9000", "hello", answers[1]); });
  net.run_for(10s);
  EXPECT_EQ(answers[0].text, "hello");
  EXPECT_FALSE(answers[1].over);
  apart.end();
  EXPECT_TRUE(net.run_until([&] { return answers[1].over; }, 10s));
}

TEST(SimNetwork, a_clog_holds_one_direction_and_lets_go_at_once) {
  Answer answer;
  SimNetwork net;
  net.host("server").run(serve_echo);
  SimGuard clogged = net.clog(net.host("server"), net.host("client"));
  net.host("client").run([&] { return ask("server:9000", "hello", answer); });
  net.run_for(3333ms);
  EXPECT_FALSE(answer.over);
  clogged.end();
  net.run_for(1ms);
  EXPECT_EQ(answer.text, "hello") << net.trace();
}

TEST(SimNetwork, rules_decide_about_every_segment_until_they_end) {
  std::vector<Answer> answers(2);
  SimNetwork net;
  net.host("server").run(serve_echo);
  const HostId client = net.host("client").id();
  SimGuard slow = net.rule([&](const Segment& segment, Passage& passage) {
    if (segment.kind == Segment::Kind::data && segment.from_host == client) passage.latency = 1s;
  });
  net.host("client").run([&] { return ask("server:9000", "one", answers[0]); });
  net.run_for(10s);
  EXPECT_GE(answers[0].at.time_since_epoch(), 1s);
  EXPECT_LE(answers[0].at.time_since_epoch(), 1001ms);
  slow.end();
  net.host("client").run([&] { return ask("server:9000", "two", answers[1]); });
  net.run_for(1ms);
  EXPECT_EQ(answers[1].text, "two");
}

// ---- crashes

struct Crash : testing::Test {
  Answer answer;
  SimNetwork net;
  SimHost& server = net.host("server");
  SimHost& client = net.host("client");
  Crash() { server.start(serve_echo); }
};

TEST_F(Crash, is_silent_and_who_sends_to_a_host_that_came_back_is_reset) {
  net.run_for(1ms);
  auto question = [this]() -> Task<> {
    Stream peer = co_await connect("server:9000");
    co_await sleep_for(10s);
    co_await peer.write("are you there?");
    Result<Chunk> reply = co_await as_result(peer.read());
    answer.error = reply.error();
    answer.at = Loop::current()->now();
    answer.over = true;
  };
  client.run(question);
  net.run_for(1s);
  server.crash();
  EXPECT_FALSE(server.is_up());
  net.run_for(1s);
  EXPECT_FALSE(answer.over) << "nobody may have told the client";
  server.restart();
  net.run_for(20s);
  EXPECT_EQ(answer.error, Errc::connection_reset) << net.trace();
  EXPECT_GE(answer.at.time_since_epoch(), 10s);
  EXPECT_LE(answer.at.time_since_epoch(), 10s + 2ms);
}

TEST_F(Crash, that_lasts_is_found_out_by_time) {
  client.run([this] { return listen_in("server:9000", answer); });
  net.run_for(1s);
  server.crash();
  net.run();
  EXPECT_EQ(answer.error, Errc::timed_out);
  EXPECT_EQ(answer.at.time_since_epoch(), 91s);  // keep-alive: 60 s, and three probes 10 s apart
  EXPECT_TRUE(net.left().empty()) << net.left().front();
}

TEST_F(Crash, of_a_host_that_came_back_is_found_out_by_the_first_probe) {
  client.run([this] { return listen_in("server:9000", answer); });
  net.run_for(1s);
  server.crash();
  server.restart();
  net.run_for(70s);
  EXPECT_EQ(answer.error, Errc::connection_reset);
  EXPECT_EQ(answer.at.time_since_epoch(), 61s);
}

TEST_F(Crash, restarts_what_start_was_given_and_clients_connect_again) {
  net.run_for(1ms);
  server.crash();
  client.run([this] { return ask("server:9000", "hello", answer); });
  net.run_for(5s);
  EXPECT_FALSE(answer.over);
  server.restart();
  net.run_for(10s);
  EXPECT_EQ(answer.text, "hello") << answer.error.message();
}

TEST_F(Crash, runs_the_destructors_of_tasks_and_says_nothing_on_the_network) {
  struct Mark {
    int& count;
    ~Mark() { ++count; }
  };
  int destroyed = 0;
  auto stubborn = [](int& count) -> Task<> {
    Mark mark{count};
    Stream peer = co_await connect("server:9000");
    Result<> slept = co_await as_result(sleep_for(1h));
    co_await ignore_error(shielded(1min, sleep_for(30s)));  // its own time passes; nobody else's does
    co_await ignore_error(peer.write("last words"));
  };
  client.run(stubborn, std::ref(destroyed));
  net.run_for(1s);
  const std::uint64_t before = net.events();
  client.crash();
  EXPECT_EQ(destroyed, 1);
  EXPECT_EQ(net.now().time_since_epoch(), 1s);
  EXPECT_EQ(net.events(), before + 1) << "only that its socket has vanished\n" << net.trace();
}

TEST_F(Crash, may_be_asked_for_by_a_task_of_the_same_host) {
  int reached = 0;
  client.run([this, &reached]() -> Task<> {
    co_await sleep_for(1ms);
    ++reached;
    client.crash();
    co_await sleep_for(1ms);
    ++reached;
  });
  net.run_for(1s);
  EXPECT_EQ(reached, 1);
  EXPECT_FALSE(client.is_up());
}

TEST_F(Crash, of_a_client_lets_the_server_clean_up) {
  bool enough = false;
  SimHost& other = net.host("other");
  other.run([&] { return serve_echo_until(enough); });
  client.run([this] { return listen_in("other:9000", answer); });
  net.run_for(1s);
  client.crash();
  net.run_for(2min);
  enough = true;
  net.run();
  server.crash();
  net.run();
  net.expect_quiescent();
  EXPECT_TRUE(net.failures().empty()) << net.failures().front();
}

// ---- what happens to hosts otherwise

TEST(SimNetwork, a_host_that_is_stopped_runs_later_and_its_kernel_answers_meanwhile) {
  Answer answer;
  SimNetwork net;
  net.host("server").run(serve_echo);
  net.run_for(1ms);
  net.host("server").stop_for(5s);
  net.host("client").run([&] { return ask("server:9000", "hello", answer); });
  net.run_for(20s);
  EXPECT_EQ(answer.text, "hello");
  EXPECT_GE(answer.at.time_since_epoch(), 5s);
  EXPECT_LE(answer.at.time_since_epoch(), 5002ms);
}

TEST(SimNetwork, a_clock_that_jumps_fires_its_timers_and_no_others) {
  int woke = 0;
  SimNetwork net;
  auto sleeper = [&woke]() -> Task<> {
    co_await sleep_for(1h);
    ++woke;
  };
  net.host("one").run(sleeper);
  net.host("two").run(sleeper);
  net.run_for(1s);
  net.host("one").jump_clock(2h);
  net.run_for(1s);
  EXPECT_EQ(woke, 1);
}

// Sessions that last until the client has asked; at most so many of them at a time as the host has descriptors for.
TEST(SimNetwork, a_server_takes_as_many_sessions_as_its_host_has_descriptors) {
  std::vector<Answer> answers(40);
  std::size_t most = 0, sessions = 0;
  SimNetwork net;
  SimHost& host = net.add_host("server", {.descriptors = 27});
  auto serve_counted = [&]() -> Task<> {
    ServerOptions options;
    options.on_start = [&](const Session&) { most = std::max(most, ++sessions); };
    options.on_end = [&](const Session&, const SessionEnd&) { --sessions; };
    Server server(*Loop::current(), echo, std::move(options));
    std::vector<Address> where = co_await server.listen("server:9000");
    co_await server.run();
  };
  host.run(serve_counted);
  net.run_for(1ms);
  for (Answer& answer : answers) net.host("client").run([&answer] { return ask("server:9000", "hello", answer); });
  net.run_for(1min);
  for (const Answer& answer : answers) EXPECT_EQ(answer.text, "hello") << answer.error.message();
  EXPECT_EQ(most, 10U);  // 27, less one that listens, less the reserve of 16
}

// ---- resets and shortages around accept

void expect_that_the_server_survives(const SimFaults& faults) {
  std::vector<Answer> answers(50);
  Answer last;
  SimNetwork net({.faults = faults});
  net.host("server").run(serve_echo);
  net.run_for(1ms);
  for (Answer& answer : answers) net.host("client").run([&answer] { return ask("server:9000", "hello", answer); });
  ASSERT_TRUE(net.run_until([&] { return std::ranges::all_of(answers, &Answer::over); }, 10min)) << net.trace();
  net.heal();
  net.host("client").run([&] { return ask("server:9000", "still there?", last); });
  net.run_for(1min);
  EXPECT_EQ(last.text, "still there?") << last.error.message() << net.trace();
}
TEST(SimNetwork, a_server_survives_resets_before_while_and_after_it_accepts) {
  expect_that_the_server_survives({.resets = 8});
}
TEST(SimNetwork, a_server_survives_accepts_that_fail) { expect_that_the_server_survives({.failed_accepts = 2}); }

TEST(SimNetwork, who_finds_the_backlog_full_waits_and_gets_in) {
  std::vector<Answer> answers(10);
  SimNetwork net;
  net.add_host("server", {.backlog = 1}).run(serve_echo);
  net.run_for(1ms);
  net.host("server").stop_for(10s);
  for (Answer& answer : answers) net.host("client").run([&answer] { return ask("server:9000", "hello", answer); });
  net.run_for(9s);
  EXPECT_GT(net.host("client").loop().tasks(), 9U);
  net.run_for(2min);
  for (const Answer& answer : answers) EXPECT_EQ(answer.text, "hello") << answer.error.message();
}

// A peer that has closed and whose own peer never does: an orphan in FIN_WAIT_2 gives up after a minute (tcp_fin_timeout).
TEST(SimNetwork, who_has_closed_does_not_wait_for_the_other_end_for_ever) {
  SimNetwork net;
  auto hold = []() -> Task<> {
    const Address all("0.0.0.0", 9000);
    Listener listener = co_await Listener::open(all);
    Stream peer = co_await listener.accept();
    co_await sleep_for(1h);
  };
  net.host("server").run(hold);
  net.host("client").run([]() -> Task<> { Stream peer = co_await connect("server:9000"); });
  net.run_for(30s);
  const auto waits = [&] {
    for (const std::string& what : net.left())
      if (what.find("FIN_WAIT_2") != std::string::npos) return true;
    return false;
  };
  EXPECT_TRUE(waits());
  net.run_for(40s);
  EXPECT_FALSE(waits());
}

TEST(SimNetwork, tells_what_is_left) {
  SimNetwork net;
  net.host("server").run(serve_echo);
  net.run_for(1s);
  net.expect_quiescent();
  ASSERT_FALSE(net.failures().empty());
  EXPECT_NE(net.failures().front().find("server: 1 tasks"), std::string::npos) << net.failures().front();
}

// ---- chance, and the same again

Task<> ask_often(std::string where, int times, int& answered) {
  for (int i = 0; i < times; ++i) {
    Answer answer;
    co_await ask(where, "question " + std::to_string(i), answer);
    if (!answer.error) ++answered;
    co_await sleep_for(20ms);
  }
}

std::uint64_t small_world(std::uint64_t seed, std::string* trace = nullptr) {
  int answered = 0;
  SimNetwork net({.seed = seed, .swarm = true});
  net.host("server").start(serve_echo);
  for (const char* name : {"one", "two", "three"})
    net.host(name).run([&] { return ask_often("server:9000", 5, answered); });
  net.run_for(10s);
  net.heal();
  static_cast<void>(
      net.run_until([&] { return net.host("one").loop().tasks() + net.host("two").loop().tasks() == 0; }, 20min));
  if (trace != nullptr) *trace = net.trace();
  return net.hash();
}

TEST(SimNetwork, the_same_seed_gives_the_same_run) {
  std::string one, two;
  EXPECT_EQ(small_world(5, &one), small_world(5, &two));
  EXPECT_EQ(one, two);
  EXPECT_NE(small_world(5), small_world(6));
}
// Of one compiler and build as of another. Who changes what the wire, the loop or the draws do changes the number, too.
TEST(SimNetwork, the_hash_of_a_run_is_the_same_everywhere) {
  std::uint64_t all = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) all = mixed(all ^ small_world(seed));
  EXPECT_EQ(all, 14887966427054394520U);
}

// ---- sweeps

TEST(Simulate, says_which_seed_failed_what_it_had_and_how_to_repeat_it) {
  const SimReport report = simulate({.seeds = 100, .repeat = "./again --seed {}"}, [](const SimOptions& options) {
    SimNetwork net(options);
    net.host("server").run(serve_echo);
    net.run_for(1ms);
    net.expect(options.seed != 7, "seven is unlucky");
  });
  EXPECT_FALSE(report);
  EXPECT_EQ(report.failed_seed, 7U);
  const std::string text = report.text();
  for (const char* part : {"seed 7 failed", "seven is unlucky", "faults: ", "opened", "./again --seed 7"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " is not in\n" << text;
}

// A command that a shell takes as it stands: this test was started with the words that come after the variable.
TEST(Simulate, names_the_program_as_it_was_started_where_no_other_command_is_known) {
  const SimReport report = simulate({.seeds = 1}, [](const SimOptions& options) {
    SimNetwork net(options);
    net.expect(false, "never");
  });
  EXPECT_TRUE(report.repeat.starts_with("MEARI_SIM_SEED=1 ")) << report.repeat;
  EXPECT_NE(report.repeat.find("meari_sim"), std::string::npos) << report.repeat;
}

TEST(Simulate, takes_exceptions_of_tasks_and_of_the_scenario_for_failures) {
  const SimSweep sweep{.seeds = 3};
  const SimReport task = simulate(sweep, [](const SimOptions& options) {
    SimNetwork net(options);
    net.host("one").run([]() -> Task<> {
      co_await sleep_for(1ms);
      throw std::runtime_error("thrown by a task");
    });
    net.run_for(1min);
  });
  EXPECT_NE(task.text().find("thrown by a task"), std::string::npos) << task.text();
  const SimReport outside = simulate(sweep, [](const SimOptions& options) {
    SimNetwork net(options);
    throw std::runtime_error("thrown by the scenario");
  });
  EXPECT_NE(outside.text().find("thrown by the scenario"), std::string::npos) << outside.text();
}

TEST(Simulate, finds_out_what_is_not_simulated) {
  int runs = 0;
  const SimReport report = simulate({.seeds = 50, .twice = 10}, [&](const SimOptions& options) {
    SimNetwork net(options);
    net.note("run " + std::to_string(++runs));
  });
  EXPECT_EQ(report.failed_seed, 10U);
  EXPECT_NE(report.text().find("did not give the same run"), std::string::npos);
}

TEST(Simulate, ends_a_run_that_never_comes_to_rest) {
  SimSweep sweep{.seeds = 1};
  sweep.options = {.most_events = 10'000};
  const SimReport report = simulate(sweep, [](const SimOptions& options) {
    SimNetwork net(options);
    net.host("server").run(serve_echo);
    net.host("client").run([]() -> Task<> {
      for (;;) {
        Answer answer;
        co_await ask("server:9000", "hello", answer);
        co_await yield();
      }
    });
    net.run_for(24h);
  });
  EXPECT_NE(report.text().find("never comes to rest"), std::string::npos) << report.text();
}

}  // namespace
}  // namespace meari
