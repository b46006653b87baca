// sys::recv, sys::send, …: every system call of this project, and no other way to the system. In a normal build each is
// the plain call, inlined. With MEARI_TORTURE a test may make any of them fail, or take less than it was given:
//
//   sys::hook = [](const char* name) noexcept -> sys::Substitute {
//     return name == "accept4"sv ? sys::Substitute{.instead = true, .result = -1, .error = EMFILE} : sys::Substitute{};
//   };
//   sys::clip = [](const char*, std::size_t size) noexcept { return std::min<std::size_t>(size, 1); };
//
// All have the same shape: name, then call. The result is the system's own; after a failure last_error() tells why.
// Nothing is restarted or interpreted here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <meari/socket.hpp>

namespace meari::sys {

// The error of the last call of this thread: errno, or WSAGetLastError().
[[nodiscard]] int last_error() noexcept;
void set_last_error(int code) noexcept;

#if defined(MEARI_TORTURE)
// What a call gives instead of being made.
struct Substitute {
  bool instead = false;
  std::intptr_t result = -1;
  int error = 0;
};
inline Substitute (*hook)(const char* name) noexcept = nullptr;
// How much of `size` bytes a call may move: at least 1.
inline std::size_t (*clip)(const char* name, std::size_t size) noexcept = nullptr;
#endif

template <class Call>
inline auto call([[maybe_unused]] const char* name, Call&& make) noexcept {
#if defined(MEARI_TORTURE)
  if (hook != nullptr)
    if (const Substitute other = hook(name); other.instead) {
      set_last_error(other.error);
      return static_cast<std::invoke_result_t<Call>>(other.result);
    }
#endif
  return make();
}

// For what must happen in any case (close): the call is made, and only what it tells may be replaced.
template <class Call>
inline auto call_always([[maybe_unused]] const char* name, Call&& make) noexcept {
  auto result = make();
#if defined(MEARI_TORTURE)
  if (hook != nullptr)
    if (const Substitute other = hook(name); other.instead) {
      set_last_error(other.error);
      return static_cast<std::invoke_result_t<Call>>(other.result);
    }
#endif
  return result;
}

inline std::size_t clipped([[maybe_unused]] const char* name, std::size_t size) noexcept {
#if defined(MEARI_TORTURE)
  if (clip != nullptr && size > 1) return clip(name, size);
#endif
  return size;
}

}  // namespace meari::sys

#if defined(_WIN32)
#include "system_windows.hpp"
#else
#include "system_posix.hpp"
#endif
