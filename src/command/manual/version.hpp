// What `meari --version` prints.
#pragma once

#include <string>

#include "src/command/speech/language.hpp"

namespace meari::command {

[[nodiscard]] std::string version_text(Language language);

}  // namespace meari::command
