#include "measurement.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace meari::command {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* setting_names[] = {"backend",          "connections",    "threads",        "size",  "send",
                                         "expect",           "depth",          "rate",           "churn", "hold",
                                         "duration_seconds", "warmup_seconds", "timeout_seconds"};

Counts counts_of(const Json& json) {
  Counts counts;
  for (const Json& pair : json.at("buckets")) {
    const auto bucket = static_cast<std::uint32_t>(Histogram::bucket_of(pair.at(0).get<std::uint64_t>()));
    const auto count = pair.at(1).get<std::uint64_t>();
    counts.buckets.emplace_back(bucket, count);
    counts.total += count;
    counts.sum += static_cast<double>(Histogram::middle_of(bucket)) * static_cast<double>(count);
  }
  std::ranges::sort(counts.buckets);
  if (counts.total == 0) return counts;
  counts.least = json.at("min_ns").get<std::uint64_t>();
  counts.most = json.at("max_ns").get<std::uint64_t>();
  return counts;
}

std::vector<Fact> facts_of(const Json& json) {
  std::vector<Fact> facts;
  for (const auto& [name, value] : json.items())
    facts.push_back({name, value.is_string() ? value.get<std::string>() : value.dump()});
  return facts;
}

// Throws what the JSON library throws where something is missing or of another kind.
Measurement read(const Json& json) {
  Measurement result;
  result.target = json.at("target").get<std::string>();
  for (const char* name : setting_names)
    if (json.contains(name)) {
      const Json& value = json.at(name);
      result.settings.push_back({name, value.is_string() ? value.get<std::string>() : value.dump()});
    }
  if (json.contains("environment")) {
    const Json& environment = json.at("environment");
    result.date = environment.value("date", "");
    result.meari = environment.value("meari", "");
    result.machine = facts_of(environment);
    std::erase_if(result.machine, [](const Fact& fact) { return fact.name == "date"; });
  }
  result.rate = json.at("rate").get<double>();
  result.open_loop = result.rate > 0;
  result.connections = json.at("connections").get<std::uint64_t>();
  result.least_size = json.at("size").at(0).get<std::uint64_t>();
  result.most_size = json.at("size").at(1).get<std::uint64_t>();
  result.depth = json.at("depth").get<std::uint64_t>();
  result.valid = json.at("verdict").get<std::string>() == "VALID";
  result.seconds = json.at("seconds").get<double>();
  result.per_second = json.at("per_second").get<double>();
  result.errors = json.at("wrong").get<std::uint64_t>() + json.at("unanswered").get<std::uint64_t>() +
                  json.value("lost", std::uint64_t{0});
  for (const auto& [what, times] : json.at("failures").items()) result.errors += times.get<std::uint64_t>();
  result.response.add(counts_of(json.at("response")));
  result.service.add(counts_of(json.at("service")));
  for (const Json& slice : json.value("slices", Json::array())) {
    const Slice read{
        .at = slice.at("at").get<double>(), .seconds = slice.at("seconds").get<double>(), .response = counts_of(slice)};
    if (read.seconds > 0) result.slices.push_back(read);
  }
  return result;
}

}  // namespace

std::optional<Measurement> measurement_of(const Json& json) {
  try {
    if (!json.is_object() || json.value("meari_bench", 0) != measurement_version) return {};
    return read(json);
  } catch (const Json::exception&) {
    return {};
  }
}

Json json_of(const Counts& counts) {
  Json object;
  object["count"] = counts.total;
  object["min_ns"] = counts.total == 0 ? 0 : counts.least;
  object["max_ns"] = counts.most;
  Json buckets = Json::array();
  for (const auto& [bucket, count] : counts.buckets)
    buckets.push_back(Json::array({Histogram::middle_of(bucket), count}));
  object["buckets"] = std::move(buckets);
  return object;
}

Json json_of(const Slice& slice) {
  Json object;
  object["at"] = slice.at;
  object["seconds"] = slice.seconds;
  object.update(json_of(slice.response));
  return object;
}

Counts sum(const Counts& one, const Counts& other) {
  Counts both{.buckets = {},
              .total = one.total + other.total,
              .sum = one.sum + other.sum,
              .least = std::min(one.least, other.least),
              .most = std::max(one.most, other.most)};
  both.buckets.reserve(one.buckets.size() + other.buckets.size());
  auto a = one.buckets.begin();
  auto b = other.buckets.begin();
  while (a != one.buckets.end() || b != other.buckets.end()) {
    if (b == other.buckets.end() || (a != one.buckets.end() && a->first < b->first)) {
      both.buckets.push_back(*a++);
    } else if (a == one.buckets.end() || b->first < a->first) {
      both.buckets.push_back(*b++);
    } else {
      both.buckets.emplace_back(a->first, a->second + b->second);
      ++a;
      ++b;
    }
  }
  return both;
}

std::vector<Slice> at_most(std::vector<Slice> slices, std::size_t most) {
  while (slices.size() > most) {
    std::vector<Slice> halved;
    for (std::size_t i = 0; i < slices.size(); i += 2) {
      Slice slice = std::move(slices[i]);
      if (i + 1 < slices.size()) {
        slice.seconds += slices[i + 1].seconds;
        slice.response = sum(slice.response, slices[i + 1].response);
      }
      halved.push_back(std::move(slice));
    }
    slices = std::move(halved);
  }
  return slices;
}

std::string percentile_distribution(const Histogram& histogram) {
  constexpr double ticks_per_half = 5;
  std::string text =
      fmt::format("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
  const auto total = static_cast<double>(histogram.total());
  double squares = 0;
  std::uint64_t seen = 0;
  double next = 0;  // the share that the next line is for
  histogram.each([&](std::uint64_t value, std::uint64_t count) {
    const double away = static_cast<double>(value) - histogram.mean();
    squares += away * away * static_cast<double>(count);
    seen += count;
    const double share = static_cast<double>(seen) / total;
    if (share < next) return;
    const double shown = static_cast<double>(std::clamp(value, histogram.least(), histogram.most())) / 1e6;
    if (seen == histogram.total())
      text += fmt::format("{:12.6f} {:2.12f} {:10}\n", static_cast<double>(histogram.most()) / 1e6, 1.0, seen);
    else text += fmt::format("{:12.6f} {:2.12f} {:10} {:14.2f}\n", shown, share, seen, 1 / (1 - share));
    // Five lines for each halving of what is left above.
    const double half = std::exp2(std::floor(std::log2(1 / std::max(1 - share, 1e-15))) + 1);
    next = std::min(1.0, share + 1 / (ticks_per_half * half));
  });
  const double deviation = total > 0 ? std::sqrt(squares / total) : 0;
  text += fmt::format("#[Mean    = {:12.6f}, StdDeviation   = {:12.6f}]\n", histogram.mean() / 1e6, deviation / 1e6);
  text += fmt::format("#[Max     = {:12.6f}, Total count    = {:12}]\n", static_cast<double>(histogram.most()) / 1e6,
                      histogram.total());
  text += fmt::format("#[Buckets = {:12}, SubBuckets     = {:12}]\n", 64 - Histogram::part_bits + 1, Histogram::parts);
  return text;
}

}  // namespace meari::command
