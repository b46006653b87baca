// Measurement: a result as `--save` writes it and `--compare` and `--plot` read it. This run's own result takes the same road,
// through its JSON, so that what is saved is all that anybody needs later. docs/measuring.md describes the form.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "histogram.hpp"

namespace meari::command {

// A part of the time that was measured, and what came back in it.
struct Slice {
  double at = 0;       // seconds since the beginning
  double seconds = 0;  // how long
  Counts response;
};

// A setting, or something about the machine.
struct Fact {
  std::string name;
  std::string value;
  friend bool operator==(const Fact&, const Fact&) = default;
};

struct Measurement {
  std::string target;
  std::string date;
  std::string meari;           // its version
  std::vector<Fact> settings;  // what was asked for
  std::vector<Fact> machine;   // what it ran on
  bool open_loop = false;      // then response and service differ
  std::uint64_t connections = 0;
  std::uint64_t least_size = 0;  // of a message
  std::uint64_t most_size = 0;
  std::uint64_t depth = 0;
  double rate = 0;  // that was asked for
  bool valid = false;
  double seconds = 0;
  double per_second = 0;
  std::uint64_t errors = 0;  // failures, wrong replies, messages without one
  Histogram response;
  Histogram service;
  std::vector<Slice> slices;  // without gaps; none in files of older versions
};

constexpr int measurement_version = 1;

// Nothing when this is no result of `meari bench`, or one of a later form.
[[nodiscard]] std::optional<Measurement> measurement_of(const nlohmann::ordered_json& json);

[[nodiscard]] nlohmann::ordered_json json_of(const Counts& counts);
[[nodiscard]] nlohmann::ordered_json json_of(const Slice& slice);
// Both together.
[[nodiscard]] Counts sum(const Counts& one, const Counts& other);
// At most so many: neighbours become one.
[[nodiscard]] std::vector<Slice> at_most(std::vector<Slice> slices, std::size_t most);

// The percentile distribution in the text form of HdrHistogram (hgrm), which its plotters read. In milliseconds.
[[nodiscard]] std::string percentile_distribution(const Histogram& histogram);

}  // namespace meari::command
