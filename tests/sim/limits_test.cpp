// The limits of a server in virtual time: so many sessions in a second, so many bytes in a window, so many bytes a second.
// Each test says to the millisecond when something is to happen, and it happens then.
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
using test::echo, test::since_start;

// Says a byte each `pause`, `count` times, and waits for the end.
Task<> dribble(Duration pause, int count, Duration& over) {
  Stream peer = co_await connect("server:9000");
  for (int i = 0; i < count; ++i) {
    const Result<> sent = co_await as_result(peer.write("x"));
    if (!sent) break;
    co_await sleep_for(pause);
  }
  for (;;) {
    const Result<Chunk> data = co_await as_result(peer.read());
    if (!data || data->empty()) break;
  }
  over = since_start();
}

struct Served {
  std::vector<Duration> starts;
  std::vector<SessionEnd::How> ends;
  std::vector<Duration> ended_at;
  std::vector<std::string> pauses;

  Task<> serve(ServerOptions options) {
    options.on_start = [this](const Session&) { starts.push_back(since_start()); };
    options.on_end = [this](const Session&, const SessionEnd& end) {
      ends.push_back(end.how);
      ended_at.push_back(since_start());
    };
    options.on_pause = [this](bool resumed, std::string_view reason) {
      pauses.push_back((resumed ? "resumed: " : "paused: ") + std::string(reason));
    };
    Server server(*Loop::current(), echo, std::move(options));
    const std::vector<Address> where = co_await server.listen(":9000");
    co_await server.run();
  }
};

TEST(Limits, no_more_sessions_begin_in_a_second_than_may_and_all_begin_in_the_end) {
  Served served;
  std::vector<Duration> over(10);
  SimNetwork net;
  net.host("server").run([&] { return served.serve({.max_rate = 4}); });
  net.run_for(1ms);
  for (Duration& each : over) net.host("client").run([&each] { return dribble(1ms, 1, each); });
  net.run_for(10s);
  ASSERT_EQ(served.starts.size(), 10U);
  // Four, four, two; a second apart, and not later than the step in which a pause looks whether it is over.
  for (std::size_t i = 0; i < 10; ++i) {
    const Duration due = served.starts.front() + 1s * (i / 4);
    EXPECT_GE(served.starts[i], due) << i;
    EXPECT_LE(served.starts[i], due + 50ms) << i;
  }
  const std::string reason = "as many new sessions in a second as may be: 4, until the second is over";
  EXPECT_EQ(served.pauses, (std::vector<std::string>{"paused: " + reason, "resumed: " + reason, "paused: " + reason,
                                                     "resumed: " + reason}));
}

TEST(Limits, a_server_that_has_room_again_says_so_also_when_nobody_else_comes) {
  Served served;
  Duration over{};
  SimNetwork net;
  net.host("server").run([&] { return served.serve({.max_sessions = 1}); });
  net.run_for(1ms);
  net.host("client").run([&over] { return dribble(1ms, 1, over); });
  net.run_for(6min);  // it never finishes, so it is ended as idle
  const std::string reason = "as many sessions as may be: 1, until one ends";
  EXPECT_EQ(served.pauses, (std::vector<std::string>{"paused: " + reason, "resumed: " + reason}));
}

// The pause is looked at in steps, and the last of them is no longer than what is left of the second.
TEST(Limits, a_pause_for_the_rate_is_over_with_its_second) {
  Served served;
  std::vector<Duration> over(3);
  SimNetwork net;
  net.host("server").run([&] { return served.serve({.max_rate = 2}); });
  net.run_for(1ms);
  net.host("client").run([&over] { return dribble(1ms, 1, over[0]); });
  net.run_for(980ms);
  for (int i : {1, 2})
    net.host("client").run([&over, i] { return dribble(1ms, 1, over[static_cast<std::size_t>(i)]); });
  net.run_for(10s);
  ASSERT_EQ(served.starts.size(), 3U);
  EXPECT_GE(served.starts[1], served.starts[0] + 970ms);
  EXPECT_GE(served.starts[2], served.starts[0] + 1s);
  EXPECT_LE(served.starts[2], served.starts[0] + 1005ms);
}

TEST(Limits, a_drain_does_not_wait_for_the_rate) {
  Served served;
  std::vector<Duration> over(6);
  Duration drained{};
  SimNetwork net;
  auto serve = [&]() -> Task<> {
    ServerOptions options{.max_rate = 1};
    options.on_start = [&](const Session&) { served.starts.push_back(since_start()); };
    Server server(*Loop::current(), echo, std::move(options));
    const std::vector<Address> where = co_await server.listen(":9000");
    auto body = [&](Scope& scope) -> Task<> {
      auto stop = [&]() -> Task<> {
        co_await sleep_for(100ms);
        server.drain();
      };
      scope.spawn(stop);
      co_await server.run();
    };
    co_await scoped(body);
    drained = since_start();
  };
  net.host("server").run(serve);
  net.run_for(1ms);
  for (Duration& each : over) net.host("client").run([&each] { return dribble(1ms, 1, each); });
  net.run_for(10s);
  EXPECT_EQ(served.starts.size(), 6U);  // who was in the queue is served
  EXPECT_LT(drained, 500ms);
}

TEST(Limits, who_moves_too_little_is_ended_when_the_window_is_over) {
  Served served;
  Duration slow{}, silent{}, quick{};
  SimNetwork net;
  net.host("server").run([&] { return served.serve({.timeouts = {.window = 10s, .least_bytes = 20}}); });
  net.run_for(1ms);
  net.host("slow").run([&] { return dribble(2s, 1000, slow); });  // 5 there and 5 back in a window
  net.host("silent").run([&] { return dribble(0s, 0, silent); });
  net.host("quick").run([&] { return dribble(900ms, 40, quick); });  // 11 or 12, twice; from 30 s to 40 s only 6
  net.run_for(1min);
  EXPECT_EQ(served.ends, std::vector<SessionEnd::How>(3, SessionEnd::How::too_slow));
  ASSERT_EQ(served.ended_at.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    const Duration due = i < 2 ? 10s : 40s;
    EXPECT_GE(served.ended_at[i] - served.starts[i], due - 1ms) << i;
    EXPECT_LE(served.ended_at[i] - served.starts[i], due + 10ms) << i;
  }
  EXPECT_GE(quick, 40s);
}

TEST(Limits, who_is_not_waited_for_is_not_too_slow) {
  SessionEnd::How how = SessionEnd::How::failed;
  Duration over{};
  SimNetwork net;
  auto serve = [&]() -> Task<> {
    ServerOptions options{.timeouts = {.window = 1s, .least_bytes = 1000}};
    options.on_end = [&](const Session&, const SessionEnd& end) { how = end.how; };
    auto think = [](Stream peer) -> Task<> {
      co_await sleep_for(1min);
      co_await peer.write("done");
    };
    Server server(*Loop::current(), think, std::move(options));
    const std::vector<Address> where = co_await server.listen(":9000");
    co_await server.run();
  };
  net.host("server").run(serve);
  net.run_for(1ms);
  net.host("client").run([&] { return dribble(0s, 0, over); });
  net.run_for(2min);
  EXPECT_EQ(how, SessionEnd::How::finished);
  EXPECT_GE(over, 1min);
}

TEST(Limits, a_peer_that_reads_too_little_is_ended_as_well) {
  SessionEnd::How how = SessionEnd::How::failed;
  SimNetwork net;
  auto serve = [&]() -> Task<> {
    ServerOptions options{.timeouts = {.window = 5s, .least_bytes = 1'000'000}};
    options.on_end = [&](const Session&, const SessionEnd& end) { how = end.how; };
    auto flood = [](Stream peer) -> Task<> {
      const std::string much(1 << 20, 'x');
      for (;;) co_await peer.write(much);
    };
    Server server(*Loop::current(), flood, std::move(options));
    const std::vector<Address> where = co_await server.listen(":9000");
    co_await server.run();
  };
  auto sip = []() -> Task<> {
    Stream peer = co_await connect("server:9000");
    for (;;) {
      Chunk data = co_await peer.read_some(1000);
      if (data.empty()) co_return;
      co_await sleep_for(100ms);
    }
  };
  net.host("server").run(serve);
  net.run_for(1ms);
  net.host("client").run(sip);
  net.run_for(1min);
  EXPECT_EQ(how, SessionEnd::How::too_slow);
}

// ---- Pace

Task<> send_paced(std::size_t bytes, Pace pace) {
  Stream peer = co_await connect("server:9000");
  const std::string piece(pace.piece(), 'x');
  for (std::size_t sent = 0; sent < bytes; sent += piece.size()) {
    co_await pace.spend(piece.size());
    co_await peer.write(piece);
  }
}

struct Arrived {
  Duration at;
  std::size_t bytes;
};

TEST(Limits, bytes_go_at_their_pace) {
  std::vector<Arrived> arrived;
  SimNetwork net;
  auto take = [&](Stream peer) -> Task<> {
    while (Chunk data = co_await peer.read()) arrived.push_back({since_start(), data.size()});
  };
  auto serve = [&]() -> Task<> {
    Server server(*Loop::current(), take);
    const std::vector<Address> where = co_await server.listen(":9000");
    co_await server.run();
  };
  net.host("server").run(serve);
  net.run_for(1ms);
  net.host("client").run([] { return send_paced(5000, Pace(1000)); });
  net.run_for(1min);
  std::size_t bytes = 0;
  for (const Arrived& each : arrived) bytes += each.bytes;
  EXPECT_EQ(bytes, 5000U);
  ASSERT_FALSE(arrived.empty());
  // 100 bytes at once, and then 100 each tenth of a second.
  EXPECT_GE(arrived.back().at - arrived.front().at, 4899ms);
  EXPECT_LE(arrived.back().at - arrived.front().at, 4910ms);
  for (std::size_t from = 0; from < arrived.size(); ++from) {
    std::size_t sum = 0;
    for (std::size_t to = from; to < arrived.size() && arrived[to].at < arrived[from].at + 1s; ++to)
      sum += arrived[to].bytes;
    EXPECT_LE(sum, 1100U) << "from the arrival " << from;
  }
}

// Whatever is asked for and whenever: never more than rate × time and a piece, and never much less while somebody asks.
TEST(Limits, a_pace_is_kept_whoever_asks_and_how) {
  Dice dice(8);
  for (int round = 0; round < 200; ++round) {
    const std::uint64_t rate = std::uint64_t{1} << dice.below(34);
    Pace pace(rate);
    const Time begin{Duration(dice.below(1'000'000'000))};
    Time now = begin;
    std::uint64_t total = 0;
    for (int i = 0; i < 100; ++i) {
      const std::size_t bytes = dice.below(2 * pace.piece()) + 1;
      const Time due = pace.due(now, bytes);
      ASSERT_GE(due, now);
      total += bytes;
      now = due;
      const double seconds = std::chrono::duration<double>(due - begin).count();
      EXPECT_LE(static_cast<double>(total), static_cast<double>(rate) * seconds + static_cast<double>(pace.piece()) + 1)
          << "rate " << rate << ", round " << round;
    }
    const double seconds = std::chrono::duration<double>(now - begin).count();
    EXPECT_GE(static_cast<double>(total), static_cast<double>(rate) * (seconds - 1e-6) * 0.999 - 1) << "rate " << rate;
  }
  Pace none;
  EXPECT_EQ(none.due(Time{5s}, 1 << 30), Time{5s});
  Pace slowest(1);
  EXPECT_EQ(slowest.due(Time{}, SIZE_MAX), Time{} + 365 * 24h - 1s);
}

}  // namespace
}  // namespace meari
