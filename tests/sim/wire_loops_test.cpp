// Whole programs on the wire: loops, tasks and streams as they are, several hosts on one thread, driven as wire.hpp says.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <meari/connect.hpp>
#include <meari/deadline.hpp>
#include <meari/listener.hpp>
#include <meari/loop.hpp>
#include <meari/scope.hpp>
#include <meari/stream.hpp>

#include <meari/dice.hpp>
#include "src/backend/wire.hpp"
#include "support/serving.hpp"

namespace meari {
namespace {

using namespace std::chrono_literals;
using test::echo;

struct World {
  Wire wire;
  std::vector<std::unique_ptr<Loop>> loops;

  World() { wire.drive(); }
  ~World() {
    wire.drive(false);
    wire.set_weather({});
  }

  Loop& add(const char* ip) {
    const HostId host = wire.add_host({.name = ip, .addresses = {{ip, 0}}});
    loops.push_back(std::make_unique<Loop>(make_wire_backend(wire, host)));
    return *loops.back();
  }
  // Until nothing can happen any more.
  void run() {
    do {
      for (const auto& loop : loops) loop->turn(never);
    } while (wire.somebody_awake() || wire.step());
  }
};

Task<> serve_some(Listener listener, int clients) {
  Loop& loop = *Loop::current();
  for (int i = 0; i < clients; ++i) {
    Stream peer = co_await listener.accept();
    loop.spawn(echo, std::move(peer));
  }
}

Task<> ask(Address server, Duration pause, std::string& answer, Time& end) {
  std::vector<Address> targets;
  targets.push_back(server);
  Stream peer = co_await connect(std::move(targets));
  for (int i = 0; i < 10; ++i) {
    const std::string line = "line " + std::to_string(i) + '\n';
    co_await peer.write(line);
    Chunk reply = co_await peer.read_until("\n");
    answer += reply.text();
    co_await sleep_for(pause);
  }
  co_await peer.finish();
  Chunk rest = co_await peer.read();
  if (rest.empty()) end = Loop::current()->now();
}

struct Outcome {
  std::uint64_t hash = 0;
  std::vector<Time> ends;
};

Outcome three_clients(std::uint64_t seed) {
  constexpr int clients = 3;
  World world;
  Outcome outcome;
  Dice dice(seed);
  if (seed != 0)
    world.wire.set_weather({.passage = [&](const Segment&) {
      Passage passage;
      passage.latency = Duration(1 + dice.below(2'000'000));
      passage.lost = dice.one_in(50);
      return passage;
    }});
  Loop& server = world.add("10.0.0.1");
  server.spawn(serve_some, Listener::open(server, {"10.0.0.1", 9000}).value(), clients);
  std::vector<std::string> answers(clients);
  outcome.ends.resize(clients);
  const char* ips[] = {"10.0.0.2", "10.0.0.3", "10.0.0.4"};
  for (int i = 0; i < clients; ++i) {
    Loop& client = world.add(ips[i]);
    const auto place = static_cast<std::size_t>(i);
    client.spawn([&answers, &outcome, place] {
      return ask({"10.0.0.1", 9000}, (place + 1) * 1ms, answers[place], outcome.ends[place]);
    });
  }
  world.run();
  for (const std::string& answer : answers) {
    EXPECT_EQ(answer.size(), 70U) << answer;
    EXPECT_EQ(answer.substr(56), "line 8\nline 9\n");
  }
  for (const auto& loop : world.loops) {
    EXPECT_EQ(loop->tasks(), 0U) << loop->dump();
    EXPECT_EQ(loop->backend().slots_in_use(), 0U);
    EXPECT_EQ(loop->backend().bytes_on_loan(), 0U);
  }
  EXPECT_EQ(world.wire.sockets(), 0U);
  outcome.hash = world.wire.hash();
  return outcome;
}

TEST(WireLoops, servers_and_clients_run_unchanged_in_exact_virtual_time) {
  const Outcome outcome = three_clients(0);
  // Connecting, ten questions and the last FIN are a round trip of 100 µs each; ten pauses.
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(outcome.ends[i].time_since_epoch(), 12 * 100us + 10 * (static_cast<int>(i) + 1) * 1ms);
}

TEST(WireLoops, the_same_seed_gives_the_same_events) {
  const Outcome one = three_clients(3), again = three_clients(3), other = three_clients(4);
  EXPECT_EQ(one.hash, again.hash);
  EXPECT_EQ(one.ends, again.ends);
  EXPECT_NE(one.hash, other.hash);
}

TEST(WireLoops, a_loop_alone_on_its_wire_runs_by_itself) {
  Wire wire;
  Loop loop(make_wire_backend(wire, wire.add_host()));
  const Result<> result = loop.block_on([]() -> Task<> {
    Loop& here = *Loop::current();
    const Address server("127.0.0.1", 9000);
    Listener listener = co_await Listener::open(server);
    here.spawn(serve_some, std::move(listener), 1);
    std::string answer;
    Time end{};
    co_await ask(server, 1s, answer, end);
  });
  EXPECT_TRUE(result) << result.error().message();
  EXPECT_EQ(wire.now().time_since_epoch(), 12 * 100us + 10s);
}

// Backpressure has no time limit: a reader that pauses for an hour (Ctrl-Z, a pager) finds every byte.
TEST(WireLoops, who_does_not_read_for_an_hour_loses_nothing) {
  constexpr std::size_t total = 1 << 20;  // more than both windows
  World world;
  Loop& server = world.add("10.0.0.1");
  Loop& client = world.add("10.0.0.2");
  const Address address("10.0.0.1", 9000);
  std::size_t came = 0;
  auto talk = [](Listener listener) -> Task<> {
    Stream peer = co_await listener.accept();
    const std::string text(total, 'x');
    co_await peer.write(text);
  };
  auto listen = [&]() -> Task<> {
    std::vector<Address> targets;
    targets.push_back(address);
    Stream peer = co_await connect(std::move(targets));
    co_await sleep_for(1h);
    while (Chunk piece = co_await peer.read()) came += piece.size();
  };
  server.spawn(talk, Listener::open(server, address).value());
  client.spawn(listen);
  world.run();
  EXPECT_EQ(came, total);
  EXPECT_GE(world.wire.now(), Time(1h));
}

TEST(WireLoops, a_loop_that_is_destroyed_sees_its_connections_off) {
  World world;
  Loop& server = world.add("10.0.0.1");
  Loop& client = world.add("10.0.0.2");
  std::string answer;
  Time end{};
  server.spawn(serve_some, Listener::open(server, {"10.0.0.1", 9000}).value(), 1);
  client.spawn([&] { return ask({"10.0.0.1", 9000}, 1h, answer, end); });
  do {
    for (const auto& loop : world.loops) loop->turn(never);
  } while (world.wire.somebody_awake() || (world.wire.next_time() < Time(1min) && world.wire.step()));
  EXPECT_EQ(answer, "line 0\n");
  world.wire.drive(false);
  world.loops.clear();
  world.wire.advance_to(world.wire.now() + 1min);
  EXPECT_EQ(world.wire.sockets(), 0U);
}

}  // namespace
}  // namespace meari
