#include "durations.hpp"

#include <charconv>
#include <cmath>

namespace meari::command {

std::optional<Duration> parse_duration(std::string_view text) noexcept {
  double number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (problem != std::errc{} || !(number >= 0) || std::signbit(number)) return {};
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  double seconds = 0;
  if (unit == "ms") seconds = 0.001;
  else if (unit == "s") seconds = 1;
  else if (unit == "m") seconds = 60;
  else if (unit == "h") seconds = 3600;
  else if (!unit.empty() || number != 0) return {};
  constexpr double longest = 100.0 * 365 * 24 * 3600;  // a century, well inside of what nanoseconds can count
  if (number * seconds > longest) return {};
  return Duration(static_cast<Duration::rep>(std::llround(number * seconds * 1e9)));
}

}  // namespace meari::command
