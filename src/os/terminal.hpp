// Whether a person is looking, and how wide the window is.
#pragma once

#include <optional>

namespace meari::os {

enum class Standard : int { input = 0, output = 1, error = 2 };

[[nodiscard]] bool is_terminal(Standard stream) noexcept;
// Columns of the window behind a stream; nothing when it is not a terminal or does not tell.
[[nodiscard]] std::optional<int> terminal_width(Standard stream) noexcept;

}  // namespace meari::os
