// SignalEvents: "stop", said from outside, as something that a Task waits for.
//
//   SignalEvents signals = co_await SignalEvents::install();
//   const StopSignal signal = co_await signals.next();       // SIGINT, SIGTERM or SIGHUP; Ctrl-C on Windows
//
// From install() until it is destroyed these signals no longer end the program; afterwards what was there before is put
// back. One at a time in a process: a second one fails with busy. A library never does this on its own: main() decides.
#pragma once

#include <cstdint>
#include <memory>

#include <meari/loop.hpp>
#include <meari/result.hpp>
#include <meari/task.hpp>
#include <meari/version.hpp>

namespace meari {
inline namespace v1 {

enum class StopSignal : std::uint8_t { interrupt, terminate, hangup };  // SIGINT, SIGTERM, SIGHUP

class MEARI_EXPORT SignalEvents {
 public:
  static Result<SignalEvents> install() { return install(*Loop::current()); }
  static Result<SignalEvents> install(Loop& loop);
  SignalEvents(SignalEvents&& other) noexcept;
  SignalEvents& operator=(SignalEvents&& other) noexcept;
  ~SignalEvents();

  // The next signal that came and that nobody has taken; each as often as it came. The events must outlive the wait.
  Task<StopSignal> next();

 private:
  struct Installed;
  explicit SignalEvents(std::unique_ptr<Installed> installed) noexcept;
  std::unique_ptr<Installed> installed_;
};

}  // namespace v1
}  // namespace meari
