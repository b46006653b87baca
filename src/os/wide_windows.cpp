#include "wide_windows.hpp"

#include <algorithm>
#include <array>

namespace meari::os {

std::wstring widen(std::string_view text) {
  const auto size = static_cast<int>(text.size());
  std::wstring wide(static_cast<std::size_t>(::MultiByteToWideChar(CP_UTF8, 0, text.data(), size, nullptr, 0)), L'\0');
  ::MultiByteToWideChar(CP_UTF8, 0, text.data(), size, wide.data(), static_cast<int>(wide.size()));
  return wide;
}

std::string narrow(std::wstring_view text) {
  const auto size = static_cast<int>(text.size());
  const int bytes = ::WideCharToMultiByte(CP_UTF8, 0, text.data(), size, nullptr, 0, nullptr, nullptr);
  std::string narrow(static_cast<std::size_t>(bytes), '\0');
  ::WideCharToMultiByte(CP_UTF8, 0, text.data(), size, narrow.data(), bytes, nullptr, nullptr);
  return narrow;
}

namespace {

// Without the beginning of a character at the end.
std::string_view whole_characters(std::string_view text) noexcept {
  std::size_t last = text.size();
  constexpr std::size_t longest = 4;
  for (std::size_t back = 1; back <= std::min(longest, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0U) == 0x80U) continue;
    const std::size_t length = byte < 0xC0U ? 1 : byte < 0xE0U ? 2 : byte < 0xF0U ? 3 : longest;
    if (length > back) last = text.size() - back;
    break;
  }
  return last == 0 ? text : text.substr(0, last);
}

}  // namespace

std::size_t write_console(HANDLE console, std::string_view text) noexcept {
  constexpr std::size_t most = 4096;  // one unit of UTF-16 for each byte is always enough
  const std::string_view piece = whole_characters(text.substr(0, most));
  std::array<wchar_t, most> wide;
  const int units =
      ::MultiByteToWideChar(CP_UTF8, 0, piece.data(), static_cast<int>(piece.size()), wide.data(), int{most});
  for (int done = 0; done < units;) {
    DWORD written = 0;
    if (::WriteConsoleW(console, wide.data() + done, static_cast<DWORD>(units - done), &written, nullptr) == 0 ||
        written == 0)
      return 0;
    done += static_cast<int>(written);
  }
  return piece.size();
}

}  // namespace meari::os
