#include "sizes.hpp"

#include <charconv>

namespace meari::command {

std::optional<std::uint64_t> parse_size(std::string_view text) noexcept {
  std::uint64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{}) return {};
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  unsigned shift = 0;
  if (unit == "k" || unit == "K") shift = 10;
  else if (unit == "M") shift = 20;
  else if (unit == "G") shift = 30;
  else if (!unit.empty()) return {};
  if (number > (std::uint64_t{1} << 62) >> shift) return {};
  return number << shift;
}

std::optional<SizeRange> parse_size_range(std::string_view text) noexcept {
  constexpr std::string_view dots = "..";
  const std::size_t at = text.find(dots);
  if (at == std::string_view::npos) {
    const std::optional<std::uint64_t> size = parse_size(text);
    if (!size) return {};
    return SizeRange{*size, *size};
  }
  const std::optional<std::uint64_t> least = parse_size(text.substr(0, at));
  const std::optional<std::uint64_t> most = parse_size(text.substr(at + dots.size()));
  if (!least || !most || *least > *most) return {};
  return SizeRange{*least, *most};
}

}  // namespace meari::command
