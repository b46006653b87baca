// What `meari`, `--help` and `help VERB` print: made from the table of flags.
#pragma once

#include <optional>
#include <string>

#include "flags.hpp"
#include "language.hpp"

namespace meari::command {

// Lines of at most 80 columns, for standard output.
[[nodiscard]] std::string short_help(Language language, std::optional<Verb> verb);
[[nodiscard]] std::string long_help(Language language, Verb verb);

}  // namespace meari::command
