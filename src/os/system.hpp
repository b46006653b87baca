// sys::recv, sys::send, …: every system call of this project, and no other way to the system. In a normal build each is
// the plain call, inlined. With MEARI_TORTURE a test may make any of them fail, or take less than it was given:
//
//   sys::hook = [](const char* name, const sys::Site&) noexcept -> sys::Substitute {
//     if (name != "accept4"sv) return {};
//     return {.when = sys::Substitute::When::instead, .result = -1, .error = EMFILE};
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
// Who calls: return addresses of the wrapper and of its caller. The wrappers must not be inlined then.
struct Site {
  const void* caller = nullptr;
  const void* callers_caller = nullptr;
};
// What a call gives instead of its own answer, with or without being made.
struct Substitute {
  enum class When : std::uint8_t { never, instead, after };
  When when = When::never;
  std::intptr_t result = -1;
  int error = 0;
};
inline Substitute (*hook)(const char* name, const Site& site) noexcept = nullptr;
// How much of `size` bytes a call may move: at least 1.
inline std::size_t (*clip)(const char* name, std::size_t size) noexcept = nullptr;
#pragma GCC diagnostic ignored "-Wframe-address"  // its callers' frames are ours, and built with frame pointers
#define MEARI_WRAPPER [[gnu::noinline]]
#define MEARI_IN_WRAPPER [[gnu::always_inline]]
#define MEARI_SITE() \
  ::meari::sys::Site { __builtin_return_address(0), __builtin_return_address(1) }
#else
#define MEARI_WRAPPER
#define MEARI_IN_WRAPPER
#endif

template <class Call>
MEARI_IN_WRAPPER inline auto call([[maybe_unused]] const char* name, Call&& make) noexcept {
#if defined(MEARI_TORTURE)
  if (hook != nullptr) {
    const Substitute other = hook(name, MEARI_SITE());
    if (other.when == Substitute::When::after) static_cast<void>(make());
    if (other.when != Substitute::When::never) {
      set_last_error(other.error);
      return static_cast<std::invoke_result_t<Call>>(other.result);
    }
  }
#endif
  return make();
}

// For what must happen in any case (close): the call is made, and only what it tells may be replaced.
template <class Call>
MEARI_IN_WRAPPER inline auto call_always([[maybe_unused]] const char* name, Call&& make) noexcept {
  auto result = make();
#if defined(MEARI_TORTURE)
  if (hook != nullptr)
    if (const Substitute other = hook(name, MEARI_SITE()); other.when != Substitute::When::never) {
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
