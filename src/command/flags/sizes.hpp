// Sizes as people write them: 64, 4k, 1M, 2G, in bytes; k, M and G are powers of 1024. A range: 64..4096.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace meari::command {

[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text) noexcept;

struct SizeRange {
  std::uint64_t least = 64;
  std::uint64_t most = 64;
};
[[nodiscard]] std::optional<SizeRange> parse_size_range(std::string_view text) noexcept;

}  // namespace meari::command
