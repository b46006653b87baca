// What `meari`, `--help` and `help VERB` print: made from the table of flags.
#pragma once

#include <optional>
#include <string>

#include "src/command/flags/flags.hpp"
#include "src/command/speech/language.hpp"

namespace meari::command {

// Lines of at most 80 columns, for standard output.
[[nodiscard]] std::string short_help(Language language, std::optional<Verb> verb);
[[nodiscard]] std::string long_help(Language language, Verb verb);
// "Not with --raw." and "Only with --repeat."; nothing for a flag that goes with all others.
[[nodiscard]] std::string relations_of(Language language, const FlagInfo& flag, std::optional<Verb> verb);

}  // namespace meari::command
