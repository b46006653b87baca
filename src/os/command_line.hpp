// How this program was started, as a shell takes it: for whoever is told to do that once more.
#pragma once

#include <string>

namespace meari::os {

// "build/test '--filter=a*'"; empty when the system does not tell.
[[nodiscard]] std::string command_line();

}  // namespace meari::os
