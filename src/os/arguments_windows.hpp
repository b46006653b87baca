// An argument vector as the one string that Windows has for it.
//
//   arguments_as_text({"C:\\tools\\x.exe", "a b", "say \"hi\"", ""})      "C:\tools\x.exe" "a b" "say \"hi\"" ""
//
// Each program takes its string apart itself, and those of C and C++, .NET, Rust, Go … agree on the rules that are written at
// CommandLineToArgvW. cmd.exe has other rules, so it must not see such a string: find_program() refuses .bat and .cmd.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace meari::os {

// The first is the program's name, which cannot hold quotation marks: none is written.
[[nodiscard]] std::wstring arguments_as_text(const std::vector<std::string>& arguments);

}  // namespace meari::os
