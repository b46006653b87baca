#include "terminal.hpp"

#include <unistd.h>

namespace meari::os {

bool is_terminal(Standard stream) noexcept { return ::isatty(static_cast<int>(stream)) != 0; }

}  // namespace meari::os
