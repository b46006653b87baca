#include <windows.h>

#include "src/os/command_line.hpp"

namespace meari::os {

std::string command_line() { return ::GetCommandLineA(); }

}  // namespace meari::os
