// What the system says of an error that the library has no word of its own for ("system error 21: Is a directory"), in the
// other languages. There is a table for each system: its numbers are its own.
#pragma once

#include <string_view>

#include "language.hpp"

namespace meari::command {

// Nothing where this number is not known, or in English, which the system speaks itself.
[[nodiscard]] std::string_view system_text(Language language, int number) noexcept;

}  // namespace meari::command
