#include "arguments_windows.hpp"

#include <algorithm>

#include "wide_windows.hpp"

namespace meari::os {
namespace {

// Quotation marks stand around everything else: programs built with mingw and some others replace an unquoted * by files.
bool is_plain(wchar_t unit) noexcept {
  constexpr std::wstring_view marks = L"-_./:=+,@\\";
  return (unit >= L'a' && unit <= L'z') || (unit >= L'A' && unit <= L'Z') || (unit >= L'0' && unit <= L'9') ||
         marks.contains(unit);
}

// Backslashes mean themselves, but for those in front of a quotation mark: there each needs one more.
void append(std::wstring& text, std::wstring_view word) {
  if (!word.empty() && std::ranges::all_of(word, is_plain)) {
    text += word;
    return;
  }
  text += L'"';
  std::size_t backslashes = 0;
  for (const wchar_t unit : word) {
    if (unit == L'"') text.append(backslashes + 1, L'\\');
    backslashes = unit == L'\\' ? backslashes + 1 : 0;
    text += unit;
  }
  text.append(backslashes, L'\\');
  text += L'"';
}

}  // namespace

std::wstring arguments_as_text(const std::vector<std::string>& arguments) {
  std::wstring text;
  for (const std::string& argument : arguments) {
    std::wstring word = widen(argument);
    if (text.empty()) {
      // The name of the program ends with the next mark, whatever stands in front of that.
      std::erase(word, L'"');
      text = L'"' + word + L'"';
    } else {
      text += L' ';
      append(text, word);
    }
  }
  return text;
}

}  // namespace meari::os
