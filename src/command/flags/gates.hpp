// Gates of --fail-on: by how much a figure may become worse than it was. "p99+5%", "rate-3%", "max+10ms", "errors+0";
// several with commas between them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace meari::command {

// What two measurements are compared by.
enum class Metric : std::uint8_t { rate, p50, p90, p99, p99_9, max, errors };
inline constexpr std::array all_metrics = {Metric::rate,  Metric::p50, Metric::p90,   Metric::p99,
                                           Metric::p99_9, Metric::max, Metric::errors};
[[nodiscard]] std::string_view name_of(Metric metric) noexcept;  // "p99.9"

struct Gate {
  Metric metric = Metric::p99;
  double limit = 0;      // how much worse is still allowed: a share (0.05), or ns, messages a second, errors
  bool relative = true;  // a share of what it was
  std::string text;      // as typed
};

// A rate becomes worse when it falls, everything else when it grows: "rate+3%" and "p99-5%" make no sense.
[[nodiscard]] std::optional<std::vector<Gate>> parse_gates(std::string_view text);

}  // namespace meari::command
