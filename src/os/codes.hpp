// Which Errc stands for which of the system's error numbers. One table for each system: codes_posix.cpp holds errno,
// codes_windows.cpp what WSAGetLastError() tells.
#pragma once

#include <span>

#include <meari/error.hpp>

namespace meari::os {

struct SystemCode {
  int number;
  Errc code;
};

[[nodiscard]] std::span<const SystemCode> system_codes() noexcept;

}  // namespace meari::os
