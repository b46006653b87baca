#include "terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

namespace meari::os {

bool is_terminal(Standard stream) noexcept { return ::isatty(static_cast<int>(stream)) != 0; }

std::optional<int> terminal_width(Standard stream) noexcept {
  winsize window{};
  if (::ioctl(static_cast<int>(stream), TIOCGWINSZ, &window) != 0 || window.ws_col == 0) return {};
  return window.ws_col;
}

}  // namespace meari::os
