#include <windows.h>

#include "terminal.hpp"

namespace meari::os {

namespace {

HANDLE handle_of(Standard stream) noexcept {
  switch (stream) {
    case Standard::input: return ::GetStdHandle(STD_INPUT_HANDLE);
    case Standard::output: return ::GetStdHandle(STD_OUTPUT_HANDLE);
    default: return ::GetStdHandle(STD_ERROR_HANDLE);
  }
}

}  // namespace

bool is_terminal(Standard stream) noexcept {
  DWORD mode = 0;
  return ::GetConsoleMode(handle_of(stream), &mode) != 0;
}

// Nobody stops a process here to go on with it later.
KeptModes::KeptModes() noexcept = default;
KeptModes::~KeptModes() = default;
Descriptor KeptModes::gone_on() const noexcept { return no_descriptor; }
void KeptModes::taken() const noexcept {}

}  // namespace meari::os
