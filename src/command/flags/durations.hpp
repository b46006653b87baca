// Times as people write them: 500ms, 2s, 5m, 1h, 1.5s; 0 needs no unit.
#pragma once

#include <optional>
#include <string_view>

#include <meari/operation.hpp>

namespace meari::command {

[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text) noexcept;

}  // namespace meari::command
