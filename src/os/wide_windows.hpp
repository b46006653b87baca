// UTF-8, which is what this project speaks, and UTF-16, which is what Windows speaks.
#pragma once

#include <windows.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace meari::os {

inline constexpr std::size_t most_at_once = std::size_t{1} << 20;  // bytes of one write

// What is no text becomes U+FFFD.
[[nodiscard]] std::wstring widen(std::string_view text);
[[nodiscard]] std::string narrow(std::wstring_view text);

// Writes the first characters of a text that belongs on a console. How many bytes of it they were; 0: it failed. A
// character that ends behind the text is written as far as it is there only when nothing stands before it.
[[nodiscard]] std::size_t write_console(HANDLE console, std::string_view text) noexcept;

}  // namespace meari::os
