#include <algorithm>
#include <array>

#include <windows.h>
// windows.h has to come before shellapi.h
#include <shellapi.h>

#include "blocking_io.hpp"
#include "console.hpp"
#include "wide_windows.hpp"

namespace meari::os {

namespace {

HANDLE handle(Standard stream) noexcept { return reinterpret_cast<HANDLE>(standard_descriptor(stream)); }

void understand_escapes(Standard stream) noexcept {
  DWORD mode = 0;
  if (::GetConsoleMode(handle(stream), &mode) != 0)
    ::SetConsoleMode(handle(stream), mode | ENABLE_PROCESSED_OUTPUT | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
}

}  // namespace

CommandLine::CommandLine(int argc, char** argv) {
  int count = 0;
  if (wchar_t** const found = ::CommandLineToArgvW(::GetCommandLineW(), &count)) {
    for (int i = 0; i < count; ++i) kept_.push_back(narrow(found[i]));
    ::LocalFree(found);
  } else {
    kept_.assign(argv, argv + argc);
  }
  for (std::string& word : kept_) words_.push_back(word.data());
  words_.push_back(nullptr);
  understand_escapes(Standard::output);
  understand_escapes(Standard::error);
}

bool print(Standard stream, std::string_view text) noexcept {
  DWORD mode = 0;
  const bool console = ::GetConsoleMode(handle(stream), &mode) != 0;
  while (!text.empty()) {
    const std::size_t size = console ? write_console(handle(stream), text) : 0;
    DWORD given = static_cast<DWORD>(size);
    if (console ? size == 0
                : ::WriteFile(handle(stream), text.data(), static_cast<DWORD>(std::min(text.size(), most_at_once)),
                              &given, nullptr) == 0)
      return false;
    text.remove_prefix(given);
  }
  return true;
}

std::string system_language() {
  std::array<wchar_t, LOCALE_NAME_MAX_LENGTH> name{};
  const LANGID language = ::GetUserDefaultUILanguage();
  if (::LCIDToLocaleName(MAKELCID(language, SORT_DEFAULT), name.data(), static_cast<int>(name.size()), 0) == 0)
    return {};
  return narrow(name.data());
}

}  // namespace meari::os
