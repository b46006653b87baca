#include "terminal.hpp"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "native.hpp"

namespace meari::os {
namespace {

constexpr int standard_input = 0;
termios modes;
struct sigaction before_us;
Descriptor told = no_descriptor;  // an eventfd

// In the background it would stop the process again. All three calls may be made in a signal handler (POSIX.1-2017, 2.4.3).
void set_again(int) {
  const int kept = errno;
  if (::tcgetpgrp(standard_input) == ::getpgrp()) {
    ::tcsetattr(standard_input, TCSANOW, &modes);
    if (told != no_descriptor) static_cast<void>(sys::eventfd_write(told));
  }
  errno = kept;
}

}  // namespace

bool is_terminal(Standard stream) noexcept { return ::isatty(static_cast<int>(stream)) != 0; }

KeptModes::KeptModes() noexcept {
  if (::tcgetattr(standard_input, &modes) != 0) return;
  told = Descriptor{sys::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  struct sigaction action{};
  action.sa_handler = set_again;
  action.sa_flags = SA_RESTART;
  keeps_ = ::sigaction(SIGCONT, &action, &before_us) == 0;
}

KeptModes::~KeptModes() {
  if (keeps_) ::sigaction(SIGCONT, &before_us, nullptr);
  if (told != no_descriptor) sys::close(std::exchange(told, no_descriptor));
}

Descriptor KeptModes::gone_on() const noexcept { return told; }

void KeptModes::taken() const noexcept {
  std::uint64_t count = 0;
  static_cast<void>(sys::read(told, &count, sizeof count));
}

}  // namespace meari::os
