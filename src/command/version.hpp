// What `meari --version` prints.
#pragma once

#include <string>

#include "language.hpp"

namespace meari::command {

[[nodiscard]] std::string version_text(Language language);

}  // namespace meari::command
