// Whether a person is looking.
#pragma once

namespace meari::os {

enum class Standard : int { input = 0, output = 1, error = 2 };

[[nodiscard]] bool is_terminal(Standard stream) noexcept;

}  // namespace meari::os
