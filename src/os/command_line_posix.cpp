#include <algorithm>
#include <fstream>
#include <string_view>

#include "src/os/command_line.hpp"

namespace meari::os {

namespace {

// A word that a shell would change stands in quotes.
std::string quoted_for_a_shell(const std::string& word) {
  constexpr std::string_view harmless = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=,@%+-";
  if (!word.empty() && word.find_first_not_of(harmless) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char letter : word) quoted += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
  return quoted + '\'';
}

}  // namespace

std::string command_line() {
  std::ifstream file("/proc/self/cmdline");  // proc(5): a NUL after each word
  std::string all;
  for (std::string word; std::getline(file, word, '\0');) all += (all.empty() ? "" : " ") + quoted_for_a_shell(word);
  return all;
}

}  // namespace meari::os
