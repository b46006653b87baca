#include "compare.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include <meari/dice.hpp>
#include <meari/quote.hpp>

#include "bench_report.hpp"
#include "src/command/speech/columns.hpp"
#include "src/command/speech/messages.hpp"

namespace meari::command {
namespace {

constexpr std::size_t least_slices = 8;  // fewer say nothing about noise
constexpr std::size_t draws = 1000;
constexpr double confidence = 0.95;
// A bucket is so wide: what is less apart in latency cannot be told apart, however sure the bootstrap is.
constexpr double resolution = 1.0 / Histogram::parts;

double share_of(Metric metric) noexcept {
  switch (metric) {
    case Metric::p50: return 0.5;
    case Metric::p90: return 0.9;
    case Metric::p99: return 0.99;
    case Metric::p99_9: return 0.999;
    default: return 1;
  }
}

// Counts by bucket, for those buckets that are used at all: what is added up for every draw.
struct Dense {
  std::size_t first = 0;  // bucket
  std::vector<std::uint64_t> counts;
  std::uint64_t total = 0;
  std::uint64_t most = 0;
  double seconds = 0;

  void add(const Dense& other) noexcept {
    for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
    total += other.total;
    most = std::max(most, other.most);
    seconds += other.seconds;
  }
  void clear() noexcept {
    std::ranges::fill(counts, 0);
    total = most = 0;
    seconds = 0;
  }
  // Between the ends of its bucket, so that a draw differs from the next one by less than a bucket.
  [[nodiscard]] double percentile(double share) const noexcept {
    const double wanted = share * static_cast<double>(total);
    double seen = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      const auto here = static_cast<double>(counts[i]);
      if (here > 0 && seen + here >= wanted) {
        const double begin = Histogram::begin_of(first + i);
        const double end = Histogram::begin_of(first + i + 1);
        return std::min(begin + (end - begin) * (wanted - seen) / here, static_cast<double>(most));
      }
      seen += here;
    }
    return static_cast<double>(most);
  }
  [[nodiscard]] double figure(Metric metric) const noexcept {
    if (metric == Metric::rate) return seconds > 0 ? static_cast<double>(total) / seconds : 0;
    if (metric == Metric::max) return static_cast<double>(most);
    return percentile(share_of(metric));
  }
};

std::vector<Dense> dense(const std::vector<Slice>& slices) {
  std::uint32_t first = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t last = 0;
  for (const Slice& slice : slices)
    for (const auto& [bucket, count] : slice.response.buckets) {
      first = std::min(first, bucket);
      last = std::max(last, bucket);
    }
  if (first > last) first = last;
  std::vector<Dense> all;
  for (const Slice& slice : slices) {
    Dense one{.first = first,
              .counts = std::vector<std::uint64_t>(last - first + 1),
              .total = slice.response.total,
              .most = slice.response.most,
              .seconds = slice.seconds};
    for (const auto& [bucket, count] : slice.response.buckets) one.counts[bucket - first] += count;
    all.push_back(std::move(one));
  }
  return all;
}

constexpr std::size_t drawn_metrics = all_metrics.size() - 1;  // all but errors
using Figures = std::array<double, drawn_metrics>;

// The figures of `draws` runs that might have been. None: too few slices.
std::vector<Figures> bootstrap(const Measurement& run, Dice dice) {
  const auto told = std::ranges::count_if(run.slices, [](const Slice& slice) { return slice.response.total != 0; });
  if (static_cast<std::size_t>(told) < least_slices) return {};
  const std::vector<Dense> slices = dense(run.slices);
  const std::size_t count = slices.size();
  const auto together = static_cast<std::size_t>(std::lround(std::cbrt(static_cast<double>(count))));
  std::vector<Figures> all(draws);
  Dense sum = slices.front();
  for (Figures& figures : all) {
    sum.clear();
    for (std::size_t have = 0; have < count;) {
      const std::size_t begin = dice.below(count);
      for (std::size_t i = 0; i < together && have < count; ++i, ++have) sum.add(slices[(begin + i) % count]);
    }
    for (std::size_t i = 0; i < drawn_metrics; ++i) figures[i] = sum.figure(all_metrics[i]);
  }
  return all;
}

Interval interval_of(std::size_t metric, const std::vector<Figures>& before, const std::vector<Figures>& after) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < draws; ++i)
    if (before[i][metric] > 0) ratios.push_back(after[i][metric] / before[i][metric]);
  if (ratios.empty()) return {.low = 0, .high = std::numeric_limits<double>::infinity()};
  std::ranges::sort(ratios);
  const auto at = [&](double share) {
    return ratios[static_cast<std::size_t>(share * static_cast<double>(ratios.size() - 1) + 0.5)];
  };
  Interval interval{.low = at((1 - confidence) / 2), .high = at((1 + confidence) / 2)};
  if (all_metrics[metric] != Metric::rate) {
    interval.low /= 1 + resolution;
    interval.high *= 1 + resolution;
  }
  return interval;
}

double whole(const Measurement& run, Metric metric) {
  if (metric == Metric::rate) return run.per_second;
  if (metric == Metric::errors) return static_cast<double>(run.errors);
  const Dense all = dense({Slice{.at = 0, .seconds = run.seconds, .response = run.response.counts()}}).front();
  return all.figure(metric);
}

Finding finding_of(const Change& change) noexcept {
  const bool grew = change.after > change.before;
  const Finding direction = grew == (change.metric == Metric::rate) ? Finding::better : Finding::worse;
  if (change.before == change.after) return Finding::noise;
  if (change.metric == Metric::errors) return direction;
  if (!change.ratio) return Finding::unknown;
  return change.ratio->low <= 1 && change.ratio->high >= 1 ? Finding::noise : direction;
}

GateOutcome judge(const Gate& gate, const Change& change, bool silent) {
  GateOutcome outcome{.gate = gate, .kind = GateOutcome::Kind::passed};
  const double allowed = gate.relative ? change.before * gate.limit : gate.limit;
  const double worse = gate.metric == Metric::rate ? change.before - change.after : change.after - change.before;
  if (silent && gate.metric != Metric::errors) outcome.kind = GateOutcome::Kind::failed;
  else if (worse > allowed)
    outcome.kind = change.finding == Finding::noise ? GateOutcome::Kind::doubtful : GateOutcome::Kind::failed;
  return outcome;
}

void add_differences(const std::vector<Fact>& before, const std::vector<Fact>& after, std::vector<Difference>& all) {
  const auto value = [](const std::vector<Fact>& facts, const std::string& name) {
    const auto found = std::ranges::find(facts, name, &Fact::name);
    return found == facts.end() ? std::string("-") : found->value;
  };
  for (const Fact& fact : before)
    if (const std::string other = value(after, fact.name); other != fact.value)
      all.push_back({fact.name, fact.value, other});
  for (const Fact& fact : after)
    if (std::ranges::find(before, fact.name, &Fact::name) == before.end()) all.push_back({fact.name, "-", fact.value});
}

std::string_view name_of(Finding finding) noexcept {
  switch (finding) {
    case Finding::better: return "better";
    case Finding::worse: return "worse";
    case Finding::noise: return "noise";
    case Finding::unknown: return "unknown";
  }
  return {};
}

std::string_view name_of(GateOutcome::Kind kind) noexcept {
  switch (kind) {
    case GateOutcome::Kind::passed: return "passed";
    case GateOutcome::Kind::failed: return "failed";
    case GateOutcome::Kind::doubtful: return "doubtful";
  }
  return {};
}

std::string shown_value(Metric metric, double value) {
  const auto number = static_cast<std::uint64_t>(std::llround(value));
  return metric == Metric::rate || metric == Metric::errors ? grouped(number) : shown_time(number);
}

std::string shown_ratio(double ratio) {
  return ratio < 10     ? fmt::format("{:.3f}", ratio)
         : ratio < 1000 ? fmt::format("{:.3g}", ratio)
                        : fmt::format("{:.0f}", ratio);
}

const Text& words_of(const Change& change) noexcept {
  switch (change.finding) {
    case Finding::better: return messages::compare_better;
    case Finding::worse: return messages::compare_worse;
    case Finding::noise: return change.before == change.after ? messages::compare_same : messages::compare_noise;
    case Finding::unknown: return messages::compare_unknown;
  }
  return messages::compare_unknown;
}

}  // namespace

Comparison compare(const Measurement& before, const Measurement& after, std::span<const Gate> gates) {
  Comparison comparison;
  const std::vector<Figures> old_draws = bootstrap(before, Dice(1, "bench compare, before"));
  const std::vector<Figures> new_draws = bootstrap(after, Dice(1, "bench compare, after"));
  for (std::size_t i = 0; i < all_metrics.size(); ++i) {
    Change change{
        .metric = all_metrics[i], .before = whole(before, all_metrics[i]), .after = whole(after, all_metrics[i])};
    if (i < drawn_metrics && !old_draws.empty() && !new_draws.empty() && change.before > 0)
      change.ratio = interval_of(i, old_draws, new_draws);
    change.finding = finding_of(change);
    comparison.changes.push_back(change);
  }
  add_differences(before.settings, after.settings, comparison.differences);
  add_differences(before.machine, after.machine, comparison.differences);
  const bool silent = after.response.total() == 0;
  for (const Gate& gate : gates) {
    const auto found = std::ranges::find(comparison.changes, gate.metric, &Change::metric);
    comparison.gates.push_back(judge(gate, *found, silent));
  }
  return comparison;
}

bool Comparison::failed() const noexcept {
  return std::ranges::any_of(gates, [](const GateOutcome& gate) { return gate.kind == GateOutcome::Kind::failed; });
}

std::string Comparison::text(const Talk& talk, const std::string& file, const Measurement& before) const {
  std::string text;
  const auto line = [&](std::string_view what) { text += quote(what, {.keep_quotes = true}) + '\n'; };
  line(talk.text(messages::compare_head, file, before.date.empty() ? "-" : before.date,
                 before.meari.empty() ? "-" : before.meari));
  for (const Difference& difference : differences)
    line(talk.text(messages::compare_differs, difference.name, difference.before, difference.after));
  if (!before.valid) line(talk.text(messages::compare_suspect, file));
  line("  " + padded("", 8) + padded(std::string(talk.text(messages::compare_before)), 14) +
       padded(std::string(talk.text(messages::compare_after)), 14) + std::string(talk.text(messages::compare_ratio)));
  for (const Change& change : changes) {
    std::string row = "  " + padded(std::string(name_of(change.metric)), 8);
    row += padded(shown_value(change.metric, change.before), 14) + padded(shown_value(change.metric, change.after), 14);
    std::string ratio;
    if (change.before > 0 && change.metric != Metric::errors) ratio = shown_ratio(change.after / change.before);
    if (change.ratio) ratio += " (" + shown_ratio(change.ratio->low) + "–" + shown_ratio(change.ratio->high) + ')';
    row += padded(ratio, 30) + std::string(talk.text(words_of(change)));
    line(row);
  }
  for (const GateOutcome& gate : gates) {
    const auto& words = gate.kind == GateOutcome::Kind::passed   ? messages::gate_passed
                        : gate.kind == GateOutcome::Kind::failed ? messages::gate_failed
                                                                 : messages::gate_doubtful;
    line(talk.text(words, gate.gate.text));
  }
  return text;
}

nlohmann::ordered_json Comparison::json(const std::string& file) const {
  using Json = nlohmann::ordered_json;
  Json object;
  object["file"] = quote(file);
  object["differences"] = Json::array();
  for (const Difference& difference : differences)
    object["differences"].push_back(
        {{"name", difference.name}, {"before", difference.before}, {"after", difference.after}});
  object["changes"] = Json::object();
  for (const Change& change : changes) {
    Json row;
    row["before"] = change.before;
    row["after"] = change.after;
    if (change.before > 0) row["ratio"] = change.after / change.before;
    if (change.ratio) row["interval"] = {change.ratio->low, change.ratio->high};
    row["finding"] = name_of(change.finding);
    object["changes"][std::string(name_of(change.metric))] = std::move(row);
  }
  object["gates"] = Json::array();
  for (const GateOutcome& gate : gates)
    object["gates"].push_back({{"gate", gate.gate.text}, {"outcome", name_of(gate.kind)}});
  return object;
}

}  // namespace meari::command
