// Signals: "stop", said from outside, as something that a loop can wait for.
//
//   Result<os::Signals> signals = os::Signals::install();       // SIGINT, SIGTERM, SIGHUP; Ctrl-C on Windows
//   … wait until signals->readable() is readable (POSIX) or set (Windows: an event) …
//   while (std::optional<os::Signal> signal = signals->take()) …
//
// The handlers do nothing but count and wake, which is all that a handler may do (signal-safety(7)). What was there before
// is put back when the object ends. One at a time in a process: a second install() fails with busy.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include <meari/result.hpp>
#include <meari/socket.hpp>

namespace meari::os {

enum class Signal : std::uint8_t { interrupt, terminate, hangup };  // SIGINT, SIGTERM, SIGHUP
inline constexpr int signal_count = 3;

class Signals {
 public:
  static Result<Signals> install();
  Signals(Signals&& other) noexcept : installed_(std::exchange(other.installed_, false)) {}
  Signals& operator=(Signals&& other) noexcept {
    std::swap(installed_, other.installed_);
    return *this;
  }
  ~Signals();

  // POSIX: a non-blocking descriptor that becomes readable. Windows: a HANDLE of a manual-reset event.
  [[nodiscard]] Descriptor readable() const noexcept;
  // The next signal that came, each as often as it came; nothing when there is none, and then readable() is quiet again.
  [[nodiscard]] std::optional<Signal> take() noexcept;

 private:
  Signals() noexcept = default;
  bool installed_ = true;
};

}  // namespace meari::os
