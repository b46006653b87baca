#include "terminal.hpp"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>

namespace meari::os {
namespace {

constexpr int standard_input = 0;
termios modes;
struct sigaction before;

// In the background it would stop the process again. Both calls may be made in a signal handler (POSIX.1-2017, 2.4.3).
void set_again(int) {
  const int kept = errno;
  if (::tcgetpgrp(standard_input) == ::getpgrp()) ::tcsetattr(standard_input, TCSANOW, &modes);
  errno = kept;
}

}  // namespace

bool is_terminal(Standard stream) noexcept { return ::isatty(static_cast<int>(stream)) != 0; }

KeptModes::KeptModes() noexcept {
  if (::tcgetattr(standard_input, &modes) != 0) return;
  struct sigaction action{};
  action.sa_handler = set_again;
  action.sa_flags = SA_RESTART;
  keeps_ = ::sigaction(SIGCONT, &action, &before) == 0;
}

KeptModes::~KeptModes() {
  if (keeps_) ::sigaction(SIGCONT, &before, nullptr);
}

}  // namespace meari::os
