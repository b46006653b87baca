// How many columns of a terminal a text takes: Korean and other wide letters take two, accents that combine none.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace meari::command {

// UTF-8; a byte that is none counts as one column.
[[nodiscard]] std::size_t columns(std::string_view text) noexcept;
// With spaces behind it, up to `width` columns.
[[nodiscard]] std::string padded(std::string text, std::size_t width);

}  // namespace meari::command
