#include <cstdio>

#include "console.hpp"

namespace meari::os {

CommandLine::CommandLine(int argc, char** argv) : words_(argv, argv + argc) { words_.push_back(nullptr); }

bool print(Standard stream, std::string_view text) noexcept {
  std::FILE* const file = stream == Standard::output ? stdout : stderr;
  return std::fwrite(text.data(), 1, text.size(), file) == text.size() && std::fflush(file) == 0;
}

std::string system_language() { return {}; }

}  // namespace meari::os
