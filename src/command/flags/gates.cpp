#include "gates.hpp"

#include <algorithm>
#include <charconv>

#include "durations.hpp"

namespace meari::command {
namespace {

// The amount without its unit; negative: none. `rest` is what follows.
std::optional<double> number(std::string_view text, std::string_view& rest) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  if (problem != std::errc{} || !(value >= 0 && value <= 1e15)) return {};
  rest = std::string_view(stop, static_cast<std::size_t>(end - stop));
  return value;
}

std::optional<Gate> parse_gate(std::string_view text) {
  const std::size_t sign = text.find_first_of("+-");
  if (sign == std::string_view::npos) return {};
  Gate gate{.text = std::string(text)};
  const std::string_view name = text.substr(0, sign);
  const auto* found = std::ranges::find_if(all_metrics, [&](Metric metric) { return name_of(metric) == name; });
  if (found == all_metrics.end()) return {};
  gate.metric = *found;
  if ((gate.metric == Metric::rate) != (text[sign] == '-')) return {};
  const std::string_view amount = text.substr(sign + 1);
  std::string_view unit;
  const std::optional<double> value = number(amount, unit);
  if (!value) return {};
  gate.relative = unit == "%";
  gate.limit = gate.relative ? *value / 100 : *value;
  if (gate.relative) return gate;
  if (gate.metric == Metric::rate || gate.metric == Metric::errors)
    return unit.empty() ? std::optional(gate) : std::nullopt;
  if (unit == "us") {
    gate.limit = *value * 1e3;
    return gate;
  }
  const std::optional<Duration> time = parse_duration(amount);
  if (!time || (unit.empty() && *value != 0)) return {};
  gate.limit = static_cast<double>(time->count());
  return gate;
}

}  // namespace

std::string_view name_of(Metric metric) noexcept {
  switch (metric) {
    case Metric::rate: return "rate";
    case Metric::p50: return "p50";
    case Metric::p90: return "p90";
    case Metric::p99: return "p99";
    case Metric::p99_9: return "p99.9";
    case Metric::max: return "max";
    case Metric::errors: return "errors";
  }
  return {};
}

std::optional<std::vector<Gate>> parse_gates(std::string_view text) {
  std::vector<Gate> gates;
  for (;;) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::optional<Gate> gate = parse_gate(text.substr(0, comma));
    if (!gate) return {};
    gates.push_back(*std::move(gate));
    if (comma == text.size()) return gates;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace meari::command
