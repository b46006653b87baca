// Whether the figures of `meari bench` are true. Its load runs on the simulated wire here: a server there answers after exactly
// the time that it is told, the network takes exactly as long as it is told, and no other program takes the processor away. So
// what comes out is compared with what must come out, to the resolution of the histogram.
#include "src/command/bench/load.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <meari/datagram.hpp>
#include <meari/deadline.hpp>
#include <meari/server.hpp>
#include <meari/sim.hpp>

#include "src/command/bench/bench_report.hpp"
#include "src/command/bench/compare.hpp"
#include "src/command/bench/plot.hpp"

namespace {

using namespace meari;
using namespace meari::command;
using namespace std::chrono_literals;

constexpr Duration way = 50us;  // from one host to the other

// How long the server waits before it answers what has come at this time.
using Delay = std::function<Duration(Time, std::size_t bytes)>;

Task<> answer_all(Stream peer, const Delay& delay) {
  while (Chunk data = co_await peer.read()) {
    co_await sleep_for(delay(Loop::current()->now(), data.size()));
    co_await peer.write(std::move(data));
  }
}

// One answer after the other, whoever asks: while it waits, everybody waits.
struct OneAtATime {
  Time free{};
  Duration wait_until_free(Time now, Duration work) {
    free = std::max(free, now) + work;
    return free - now;
  }
};

Task<> serve_after(std::string where, const Delay& delay) {
  auto handler = [&delay](Stream peer) { return answer_all(std::move(peer), delay); };
  Server server(*Loop::current(), handler);
  Result<std::vector<Address>> listening = server.listen(where);
  co_await std::move(listening);
  co_await server.run();
}

Task<> serve_datagrams(Address where) {
  Datagram socket = co_await Datagram::open(where);
  for (;;) {
    Received message = co_await socket.receive();
    co_await socket.send_to(message.data.bytes(), message.from);
  }
}

BenchSettings settings_of(unsigned connections, Duration duration) {
  BenchSettings settings;
  settings.connections = connections;
  settings.warmup = 500ms;
  settings.duration = duration;
  settings.timeout = 1s;
  return settings;
}

Task<> bench_it(Load& load, bool& done) {
  co_await load.open();
  std::function<void(const Glance&)> tell;
  co_await load.measure(std::move(tell));
  done = true;
}

struct Found {
  Tally tally;
  Duration slice{};
};

// A bench against a server of its own, whose delays are `delay`, in virtual time.
std::unique_ptr<Found> found(BenchSettings settings, const Delay& delay,
                             SimLink link = {.latency = way, .jitter = Duration::zero()}, SimFaults faults = {},
                             Duration stopped = {}) {
  auto found = std::make_unique<Found>();
  std::unique_ptr<Load> load;
  bool done = false;
  SimNetwork net(SimOptions{.seed = 1, .faults = faults, .link = link, .most_events = 50'000'000});
  SimHost& server = net.host("server");
  SimHost& client = net.host("client");
  const Address where = server.address().with_port(9000);
  if (settings.where.kind == Kind::datagram) server.run([where] { return serve_datagrams(where); });
  else server.run([&delay] { return serve_after(":9000", delay); });
  net.run_for(1ms);
  load = std::make_unique<Load>(client.loop(), settings, where, Threads::none);
  client.run([&] { return bench_it(*load, done); });
  if (stopped > Duration::zero()) net.after(2s, [&client, stopped] { client.stop_for(stopped); });
  EXPECT_TRUE(net.run_until([&] { return done; }, 1h));
  found->tally = load->tally();
  found->slice = load->slice_length();
  return found;
}

void expect_about(std::uint64_t have, Duration wanted, double error) {
  EXPECT_NEAR(static_cast<double>(have), static_cast<double>(wanted.count()),
              static_cast<double>(wanted.count()) * error);
}

// A delay that is known is found, in both loops. One message in fifty is slow: it stands above the 98th percentile.
TEST(Load, finds_a_known_delay_to_one_percent) {
  for (const double rate : {0.0, 1000.0}) {
    BenchSettings settings = settings_of(10, 10s);
    settings.rate = rate;
    int count = 0;
    const auto result =
        found(settings, [&count](Time, std::size_t) -> Duration { return ++count % 50 == 0 ? 20ms : 2ms; });
    const Histogram& response = result->tally.response;
    ASSERT_GT(response.total(), 5'000U);
    EXPECT_EQ(result->tally.failed() + result->tally.unanswered, 0U);
    expect_about(response.percentile(0.5), 2ms + 2 * way, 0.01);
    if (rate == 0) expect_about(response.percentile(0.99), 20ms + 2 * way, 0.01);
    expect_about(result->tally.service.percentile(0.5), 2ms + 2 * way, 0.01);
    EXPECT_EQ(response.total(), result->tally.service.total());
    Histogram slices;
    for (const Counts& slice : result->tally.slices) slices.add(slice);
    EXPECT_EQ(slices.counts().buckets, response.counts().buckets);
  }
}

TEST(Load, a_constant_delay_is_every_percentile) {
  const auto result = found(settings_of(4, 5s), [](Time, std::size_t) -> Duration { return 5ms; });
  for (const double share : {0.01, 0.5, 0.9, 0.99, 0.999})
    expect_about(result->tally.response.percentile(share), 5ms + 2 * way, 0.01);
  // Four connections, each again and again: as many as fit.
  EXPECT_NEAR(static_cast<double>(result->tally.response.total()), 4 * 5.0 / 0.0051, 8);
}

// A server that sleeps 100 ms once a second. A closed loop has one message for each connection under way when it happens, and
// says that 99 of 100 are quick. Who arrives at their own time meets the sleep one time in ten: that is what an open loop says.
TEST(Load, a_server_that_sleeps_shows_in_an_open_loop_and_hardly_in_a_closed_one) {
  const Delay sleeps = [](Time now, std::size_t) -> Duration {
    const Duration in_second = now.time_since_epoch() % 1s;
    return in_second < 100ms ? 100ms - in_second : 100us;
  };
  BenchSettings settings = settings_of(4, 20s);
  const auto closed = found(settings, sleeps);
  EXPECT_LT(closed->tally.response.percentile(0.99), 1'000'000U);
  settings.rate = 1000;
  const auto open = found(settings, sleeps);
  EXPECT_EQ(open->tally.response.total(), 20'000U);
  // Uniform over the sleep, for a tenth of all: the 99th percentile is 10 ms below the longest; 0.1 ms for each that queued before.
  EXPECT_GT(open->tally.response.percentile(0.99), 88'000'000U);
  expect_about(open->tally.response.most(), 100ms + 2 * way, 0.06);
  EXPECT_LT(open->tally.response.percentile(0.85), 10'000'000U);
  // What was sent late because of it was served at once: the two clocks differ.
  EXPECT_LE(open->tally.service.most(), open->tally.response.most());
}

TEST(Load, a_server_that_is_slower_than_the_rate_is_seen_by_the_response_time) {
  BenchSettings settings = settings_of(1, 10s);
  settings.rate = 1000;
  settings.warmup = Duration::zero();
  OneAtATime one;
  // 500 a second are served: what is due at t waits for t more.
  const auto result =
      found(settings, [&one](Time now, std::size_t bytes) { return one.wait_until_free(now, 2ms * (bytes / 64)); });
  EXPECT_GT(result->tally.response.percentile(0.5), 2'000'000'000U);
}

// It is the bench itself that does not run for a while. What was due meanwhile is sent late: a user would have waited, so the
// response says so; the server did not, and the service says that.
TEST(Load, what_it_sent_late_itself_is_in_the_response_and_not_in_the_service) {
  BenchSettings settings = settings_of(4, 4s);
  settings.rate = 1000;
  const Delay quick = [](Time, std::size_t) -> Duration { return 100us; };
  const auto result = found(settings, quick, {.latency = way, .jitter = Duration::zero()}, {}, 200ms);
  EXPECT_EQ(result->tally.response.total(), 4'000U);
  EXPECT_GT(result->tally.response.most(), 190'000'000U);
  EXPECT_GT(result->tally.response.percentile(0.99), 140'000'000U);
  EXPECT_LT(result->tally.service.percentile(0.99), 10'000'000U);
  EXPECT_GT(result->tally.lateness.most(), 150'000'000U);  // and it knows that it was late
}

TEST(Load, slices_tell_when_the_server_stood_still) {
  const Delay once = [](Time now, std::size_t) -> Duration {
    const Duration at = now.time_since_epoch();
    return at > 4s && at < 6s ? 6s - at : 1ms;
  };
  const auto result = found(settings_of(2, 10s), once);
  const std::size_t count = result->tally.slices.size();
  std::size_t empty = 0;
  for (const Counts& slice : result->tally.slices) empty += slice.total == 0 ? 1 : 0;
  EXPECT_EQ(count, 50U);
  EXPECT_GE(empty, 9U);
  EXPECT_LE(empty, 11U);
}

TEST(Load, sizes_are_drawn_and_every_byte_is_compared) {
  BenchSettings settings = settings_of(3, 2s);
  settings.size = {.least = 1, .most = 5000};
  settings.depth = 4;
  const auto result = found(settings, [](Time, std::size_t) -> Duration { return 1ms; });
  EXPECT_GT(result->tally.response.total(), 1000U);
  EXPECT_EQ(result->tally.wrong + result->tally.unanswered, 0U);
  EXPECT_EQ(result->tally.bytes_sent, result->tally.bytes_received);
}

// Not a test: draws the picture of docs/measuring.md, as --plot would, from the same two runs on the simulated wire, where no
// busy machine can be taken for the server. MEARI_PICTURES=docs/pictures build/release/meari_measuring --gtest_filter='Pictures.*'
TEST(Pictures, of_what_a_closed_loop_does_not_see) {
  const char* folder = std::getenv("MEARI_PICTURES");
  const Delay sleeps = [](Time now, std::size_t) -> Duration {
    const Duration in_second = now.time_since_epoch() % 1s;
    return in_second < 100ms ? 100ms - in_second + 200us : 200us;
  };
  BenchSettings settings = settings_of(4, folder != nullptr ? 30s : 2s);
  std::vector<Measurement> runs;
  for (const double rate : {0.0, 2000.0}) {
    settings.rate = rate;
    const auto result = found(settings, sleeps, {.latency = way, .jitter = 40us});
    Report report{.settings = &settings, .target = "server:9000", .backend = "wire", .tally = &result->tally};
    report.measured = settings.duration;
    report.slice_length = result->slice;
    runs.push_back(measurement_of(report.json()).value());
    if (folder != nullptr)
      for (const Language language : {Language::en, Language::ko}) std::puts(report.text(Talk(language)).c_str());
  }
  const Comparison comparison = compare(runs[0], runs[1], {});
  EXPECT_GT(runs[1].response.percentile(0.99), 50 * runs[0].response.percentile(0.99));
  EXPECT_FALSE(comparison.differences.empty());  // the rates
  for (const Language language : {Language::en, Language::ko}) {
    const std::string svg = plot(runs[1], {.run = &runs[0], .name = "closed-loop.json"}, language);
    EXPECT_TRUE(svg.ends_with("</svg>\n"));
    if (folder == nullptr) continue;
    std::ofstream(std::string(folder) + (language == Language::ko ? "/omission.ko.svg" : "/omission.svg")) << svg;
  }
}

BenchSettings datagrams(unsigned sockets, Duration duration) {
  BenchSettings settings = settings_of(sockets, duration);
  settings.where.kind = Kind::datagram;
  return settings;
}

TEST(Datagrams, take_exactly_as_long_as_the_way_there_and_back) {
  for (const double rate : {0.0, 2000.0}) {
    BenchSettings settings = datagrams(4, 2s);
    settings.rate = rate;
    settings.size = {.least = 8, .most = 1000};
    const auto result = found(settings, {});
    const Tally& tally = result->tally;
    EXPECT_GT(tally.response.total(), 3'900U);
    EXPECT_EQ(tally.lost + tally.late + tally.twice + tally.reordered + tally.failed() + tally.unanswered, 0U);
    expect_about(tally.response.percentile(0.5), 2 * way, 0.01);
    expect_about(tally.response.most(), 2 * way, 0.01);
  }
}

// One in ten is lost on each way; what is lost costs the time limit and not the run, and nothing is counted twice.
TEST(Datagrams, losses_are_counted) {
  BenchSettings settings = datagrams(20, 20s);
  settings.timeout = 10ms;
  settings.depth = 4;
  const auto result = found(settings, {}, {.latency = way, .jitter = Duration::zero(), .losses = 10});
  const Tally& tally = result->tally;
  ASSERT_GT(tally.lost, 1'000U);
  const double share = static_cast<double>(tally.lost) / static_cast<double>(tally.lost + tally.response.total());
  EXPECT_NEAR(share, 1 - 0.9 * 0.9, 0.01);
  EXPECT_EQ(tally.late + tally.twice + tally.failed() + tally.unanswered, 0U);
  EXPECT_LE(tally.response.most(), 1'000'000U);
}

TEST(Datagrams, what_overtakes_and_what_comes_twice_is_counted) {
  BenchSettings settings = datagrams(4, 5s);
  settings.depth = 8;
  SimFaults faults;
  faults.double_datagrams = 20;
  const auto result = found(settings, {}, {.latency = way, .jitter = 200us}, faults);
  const Tally& tally = result->tally;
  EXPECT_GT(tally.reordered, 100U);
  EXPECT_GT(tally.twice, 100U);
  EXPECT_EQ(tally.lost + tally.failed() + tally.unanswered, 0U);
}

TEST(Datagrams, what_comes_after_the_time_limit_is_lost_and_late) {
  BenchSettings settings = datagrams(2, 2s);
  settings.timeout = 1ms;
  const auto result = found(settings, {}, {.latency = 400us, .jitter = 200us});
  const Tally& tally = result->tally;
  EXPECT_GT(tally.lost, 10U);
  EXPECT_GT(tally.late, 10U);
  EXPECT_LE(tally.late, tally.lost);
  EXPECT_LE(tally.response.most(), 1'000'000U);
  EXPECT_EQ(tally.failed(), 0U);
}

}  // namespace
