// Report: what a bench has found, for people and as JSON, and whether it can be believed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "load.hpp"
#include "measurement.hpp"
#include "src/command/speech/talk.hpp"

namespace meari::command {

struct Report {
  const BenchSettings* settings = nullptr;
  std::string target;
  std::string backend;
  const Tally* tally = nullptr;
  Duration measured{};  // how long
  Duration opening{};
  std::optional<Duration> server_cpu;
  std::optional<std::uint64_t> server_memory;  // bytes that came with the connections (--hold)
  std::uint64_t overflows = 0;                 // of listen queues, on this machine
  std::uint64_t descriptors = 0;               // open at once
  std::uint64_t descriptor_limit = 0;
  Duration slice_length{};
  std::string date;  // when it began, UTC

  // Reasons not to trust it. None: VALID.
  [[nodiscard]] std::vector<const Text*> doubts() const;
  [[nodiscard]] double per_second() const noexcept;
  // Between them the time that was measured, without gaps.
  [[nodiscard]] std::vector<Slice> slices() const;
  // Several lines, quoted.
  [[nodiscard]] std::string text(const Talk& talk) const;
  [[nodiscard]] nlohmann::ordered_json json() const;
};

// "1.25 ms", "830 µs", "12.0 s".
[[nodiscard]] std::string shown_time(std::uint64_t nanoseconds);
// "1,234,567"
[[nodiscard]] std::string grouped(std::uint64_t number);

}  // namespace meari::command
