// The man pages, made from the table of flags: meari(1) and one page for each verb that talks to a network. The source is
// roff with the macros of man(7), so that nothing has to be installed to build or to install them; docs/man holds what
// `meari generate man PAGE LANGUAGE` prints, and a test compares the two.
#pragma once

#include <optional>
#include <string>

#include "src/command/flags/flags.hpp"
#include "src/command/speech/language.hpp"

namespace meari::command {

[[nodiscard]] std::string man_page(Language language, std::optional<Verb> verb);

}  // namespace meari::command
