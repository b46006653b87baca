// The words that a program was started with and the text that it prints, in UTF-8 whatever the system prefers.
//
//   int main(int argc, char** argv) {
//     os::CommandLine typed(argc, argv);
//     return run(typed.count(), typed.words());
//   }
//   os::print(os::Standard::error, "안녕\n");
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "terminal.hpp"

namespace meari::os {

// What was typed. Windows hands main() the words in the code page of old programs, in which most characters are question
// marks: there they are asked for once more. A console is told to understand the escape sequences that terminals know.
class CommandLine {
 public:
  CommandLine(int argc, char** argv);
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  [[nodiscard]] int count() const noexcept { return static_cast<int>(words_.size()) - 1; }
  [[nodiscard]] char** words() noexcept { return words_.data(); }  // behind the last one: nullptr

 private:
  std::vector<std::string> kept_;
  std::vector<char*> words_;
};

// All of it in one write where that can be, and as it is: new lines stay new lines. On a console of Windows: as characters.
// False when it could not be written.
bool print(Standard stream, std::string_view text) noexcept;

// What the system is set to speak, as LANG has it ("ko_KR"), where no variable says it; empty where it does not tell.
[[nodiscard]] std::string system_language();

}  // namespace meari::os
