// What a shell needs to complete the words of a command line, made from the table of flags. docs/completions holds what
// `meari generate bash`, `zsh` and `fish` print, and a test compares the two.
#pragma once

#include <string>

namespace meari::command {

[[nodiscard]] std::string bash_completion();
// Both describe in Korean where the shell's language is Korean, else in English.
[[nodiscard]] std::string zsh_completion();
[[nodiscard]] std::string fish_completion();

}  // namespace meari::command
