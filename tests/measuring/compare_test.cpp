// Comparing two measurements: what is noise is called noise, what is not is found, and the gates read what people write.
#include "src/command/bench/compare.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include <meari/dice.hpp>

#include "allocations.hpp"
#include "src/command/bench/plot.hpp"

namespace {

using namespace meari;
using namespace meari::command;

struct Shape {
  double rate = 2'000;       // replies in a slice
  double latency = 1e6;      // ns, about
  double slow_share = 0.02;  // of replies that take ten times as long
  double wobble = 0.1;       // how much slices differ
};

// A run of 50 slices of 0.1 s whose figures are drawn from a seed.
Measurement run(std::uint64_t seed, const Shape& shape) {
  Dice dice(seed, "run");
  const auto share = [&] { return static_cast<double>(dice.below(1'000'000)) / 1e6; };
  Measurement run;
  run.target = "127.0.0.1:9000";
  run.settings = {{"connections", "64"}, {"rate", "0.0"}};
  run.machine = {{"system", "Linux"}};
  run.connections = 64;
  run.least_size = run.most_size = 64;
  run.depth = 1;
  run.valid = true;
  for (int i = 0; i < 50; ++i) {
    const double slice_is = 1 + shape.wobble * (2 * share() - 1);
    Histogram slice;
    const auto replies = static_cast<int>(shape.rate / slice_is);
    for (int reply = 0; reply < replies; ++reply) {
      const double slow = share() < shape.slow_share ? 10 : 1;
      slice.add(static_cast<std::uint64_t>(shape.latency * slice_is * slow * (0.8 + 0.4 * share())));
    }
    run.slices.push_back({.at = i * 0.1, .seconds = 0.1, .response = slice.counts()});
    run.response.add(slice);
  }
  run.service.add(run.response);
  run.seconds = 5;
  run.per_second = static_cast<double>(run.response.total()) / run.seconds;
  return run;
}

const Change& change_of(const Comparison& comparison, Metric metric) {
  for (const Change& change : comparison.changes)
    if (change.metric == metric) return change;
  throw std::logic_error("no such metric");
}

GateOutcome::Kind outcome(const Measurement& before, const Measurement& after, std::string_view gate) {
  const std::vector<Gate> gates = parse_gates(gate).value();
  return compare(before, after, gates).gates.front().kind;
}

// Two runs of the same thing are rarely called different: the interval holds the true ratio, 1, about 95 times of 100.
TEST(Compare, the_interval_holds_what_is_true_as_often_as_it_says) {
  if (support::is_sanitized()) GTEST_SKIP() << "arithmetic of a few seconds, which would take more than a minute here";
  int rate = 0;
  int p50 = 0;
  int p99 = 0;
  constexpr int pairs = 100;
  for (int i = 0; i < pairs; ++i) {
    const Comparison comparison = compare(run(static_cast<std::uint64_t>(2 * i + 1), {.rate = 300}),
                                          run(static_cast<std::uint64_t>(2 * i + 2), {.rate = 300}), {});
    const auto holds = [&](Metric metric) {
      const Interval ratio = change_of(comparison, metric).ratio.value();
      return ratio.low <= 1 && 1 <= ratio.high ? 1 : 0;
    };
    rate += holds(Metric::rate);
    p50 += holds(Metric::p50);
    p99 += holds(Metric::p99);
  }
  for (const int held : {rate, p50, p99}) EXPECT_GE(held, 85);
  EXPECT_LE(rate, 99);  // and it is not so wide that it would hold anything
}

TEST(Compare, what_became_slower_is_found_and_its_size_is_right) {
  const Measurement before = run(1, {});
  const Measurement after = run(2, {.rate = 1'800, .latency = 1.2e6});
  const Comparison comparison = compare(before, after, {});
  for (const Metric metric : {Metric::p50, Metric::p90}) {
    const Change& change = change_of(comparison, metric);
    EXPECT_EQ(change.finding, Finding::worse);
    EXPECT_NEAR(change.after / change.before, 1.2, 0.06);
    EXPECT_LT(change.ratio->low, 1.2);
    EXPECT_GT(change.ratio->high, 1.2);
  }
  EXPECT_EQ(change_of(comparison, Metric::rate).finding, Finding::worse);
  EXPECT_EQ(change_of(compare(after, before, {}), Metric::p50).finding, Finding::better);
  EXPECT_EQ(change_of(compare(before, before, {}), Metric::p99).finding, Finding::noise);
}

TEST(Compare, only_the_tail_became_worse) {
  const Comparison comparison = compare(run(1, {.slow_share = 0.002}), run(2, {.slow_share = 0.03}), {});
  EXPECT_EQ(change_of(comparison, Metric::p99).finding, Finding::worse);
  EXPECT_NE(change_of(comparison, Metric::p50).finding, Finding::worse);
}

TEST(Compare, a_gate_fails_only_for_what_is_no_noise) {
  const Measurement before = run(1, {});
  const Measurement slower = run(2, {.rate = 1'600, .latency = 1.3e6});
  EXPECT_EQ(outcome(before, slower, "p50+5%"), GateOutcome::Kind::failed);
  EXPECT_EQ(outcome(before, slower, "p50+50%"), GateOutcome::Kind::passed);
  EXPECT_EQ(outcome(before, slower, "p50+100us"), GateOutcome::Kind::failed);
  EXPECT_EQ(outcome(before, slower, "p50+2ms"), GateOutcome::Kind::passed);
  EXPECT_EQ(outcome(before, slower, "rate-5%"), GateOutcome::Kind::failed);
  EXPECT_EQ(outcome(before, slower, "rate-30%"), GateOutcome::Kind::passed);
  EXPECT_EQ(outcome(slower, before, "p50+0%"), GateOutcome::Kind::passed);
  EXPECT_EQ(outcome(slower, before, "rate-0"), GateOutcome::Kind::passed);
  // Slices that differ wildly: a few percent may be anything.
  const Measurement wild = run(3, {.wobble = 0.9});
  const Measurement wilder = run(4, {.wobble = 0.9});
  const Change change = change_of(compare(wild, wilder, {}), Metric::p50);
  ASSERT_EQ(change.finding, Finding::noise);
  const auto [one, other] = change.after > change.before ? std::pair(&wild, &wilder) : std::pair(&wilder, &wild);
  EXPECT_EQ(outcome(*one, *other, "p50+0%"), GateOutcome::Kind::doubtful);
}

TEST(Compare, errors_and_silence_fail_their_gates) {
  const Measurement before = run(1, {});
  Measurement after = run(1, {});
  EXPECT_EQ(outcome(before, after, "errors+0"), GateOutcome::Kind::passed);
  after.errors = 1;
  EXPECT_EQ(outcome(before, after, "errors+0"), GateOutcome::Kind::failed);
  EXPECT_EQ(outcome(before, after, "errors+1"), GateOutcome::Kind::passed);
  Measurement silent = run(1, {});
  silent.response.clear();
  silent.slices.clear();
  silent.per_second = 0;
  EXPECT_EQ(outcome(before, silent, "p99+5%"), GateOutcome::Kind::failed);  // no reply at all is no good latency
  EXPECT_EQ(outcome(before, silent, "rate-5%"), GateOutcome::Kind::failed);
}

TEST(Compare, without_slices_there_is_no_interval_and_the_gate_decides_by_the_figures) {
  Measurement before = run(1, {});
  before.slices.clear();
  const Measurement after = run(2, {.latency = 1.3e6});
  const Change change = change_of(compare(before, after, {}), Metric::p50);
  EXPECT_FALSE(change.ratio.has_value());
  EXPECT_EQ(change.finding, Finding::unknown);
  EXPECT_EQ(outcome(before, after, "p50+5%"), GateOutcome::Kind::failed);
}

TEST(Compare, settings_and_machines_that_differ_are_named) {
  const Measurement before = run(1, {});
  Measurement after = run(2, {});
  EXPECT_TRUE(compare(before, after, {}).differences.empty());
  after.settings[0].value = "128";
  after.machine.push_back({"processor", "another"});
  const Comparison comparison = compare(before, after, {});
  ASSERT_EQ(comparison.differences.size(), 2U);
  EXPECT_EQ(comparison.differences[0].name, "connections");
  EXPECT_EQ(comparison.differences[0].before, "64");
  EXPECT_EQ(comparison.differences[0].after, "128");
  EXPECT_EQ(comparison.differences[1].before, "-");
  for (const Language language : {Language::en, Language::ko})
    EXPECT_NE(comparison.text(Talk(language), "old.json", before).find("connections"), std::string::npos);
}

TEST(Gates, are_read_as_people_write_them) {
  const std::vector<Gate> gates = parse_gates("p99+5%,rate-3.5%,max+10ms,p99.9+200us,errors+0,rate-500,p50+0").value();
  ASSERT_EQ(gates.size(), 7U);
  EXPECT_EQ(gates[0].metric, Metric::p99);
  EXPECT_TRUE(gates[0].relative);
  EXPECT_DOUBLE_EQ(gates[0].limit, 0.05);
  EXPECT_EQ(gates[1].metric, Metric::rate);
  EXPECT_DOUBLE_EQ(gates[1].limit, 0.035);
  EXPECT_EQ(gates[2].metric, Metric::max);
  EXPECT_FALSE(gates[2].relative);
  EXPECT_DOUBLE_EQ(gates[2].limit, 1e7);
  EXPECT_EQ(gates[3].metric, Metric::p99_9);
  EXPECT_DOUBLE_EQ(gates[3].limit, 2e5);
  EXPECT_EQ(gates[4].metric, Metric::errors);
  EXPECT_DOUBLE_EQ(gates[5].limit, 500);
  EXPECT_EQ(gates[6].text, "p50+0");
  for (const std::string_view nonsense :
       {"", "p99", "p99+", "+5%", "p99-5%", "rate+5%", "p98+5%", "p99+5", "p99+5x", "p99+5%%", "p99+5%,", ",p99+5%",
        "errors+1ms", "rate-1ms", "p99+-5%", "p99+nan%", "p99+1e400%", "p99 +5%", "P99+5%"})
    EXPECT_FALSE(parse_gates(nonsense).has_value()) << nonsense;
}

TEST(Measurement, what_is_no_result_is_refused) {
  using Json = nlohmann::ordered_json;
  for (const std::string_view text :
       {"", "{", "[]", "null", "3", "{}", R"({"meari_bench":1})", R"({"meari_bench":2,"target":"x"})",
        R"({"meari_bench":"1"})", R"({"meari_bench":1,"target":3})"})
    EXPECT_FALSE(measurement_of(Json::parse(text, nullptr, false)).has_value()) << text;
}

TEST(Plot, says_nothing_that_a_reader_could_take_for_markup) {
  Measurement now = run(1, {});
  now.target = "unix:/<script>alert(1)</script>\"&'\x1b\xff";
  now.open_loop = true;
  const Measurement before = run(2, {});
  for (const Language language : {Language::en, Language::ko}) {
    const std::string svg = plot(now, {.run = &before, .name = "</text><script/>"}, language);
    EXPECT_EQ(svg.find("<script"), std::string::npos);
    EXPECT_EQ(svg.find('\x1b'), std::string::npos);
    EXPECT_EQ(svg.find('\xff'), std::string::npos);
    EXPECT_EQ(svg.find("nan"), std::string::npos);
    EXPECT_EQ(svg.find("inf"), std::string::npos);
  }
}

TEST(Plot, can_show_nothing_at_all) {
  for (const Language language : {Language::en, Language::ko}) {
    const std::string svg = plot(Measurement{}, {}, language);
    EXPECT_EQ(svg.find("nan"), std::string::npos);
    EXPECT_EQ(svg.find("inf"), std::string::npos);
    EXPECT_TRUE(svg.ends_with("</svg>\n"));
  }
}

}  // namespace
