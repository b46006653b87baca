// Alarm: a timer of the kernel's that stays set while a backend waits, sleeps and works (timerfd_create(2)).
//
// A wait with a limit makes the kernel set a timer and take it back again. With one busy connection that is a twentieth of all
// that a round trip costs, and the limit is nearly always the same: the idle time of a connection, minutes away. So what is
// not near stands in the Alarm, and the wait has no limit. It may ring too early, for somebody who does not wait any more.
#pragma once

#include <meari/operation.hpp>

namespace meari {
inline namespace v1 {
namespace kernel {

class Alarm {
 public:
  Alarm() noexcept = default;
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;
  ~Alarm() { close(); }

  // Where the system gives none, nothing is covered, and every wait has its limit.
  void open(bool blocking) noexcept;
  void close() noexcept;
  [[nodiscard]] Descriptor descriptor() const noexcept {
    return descriptor_;
  }  // readable when it rings; or no_descriptor

  // Rings at `until` or before: whoever waits for that long needs no limit. False: it is near, as seen from `now`, which may
  // be a little old, and so is not worth it.
  [[nodiscard]] bool covers(Time until, Time now) noexcept {
    return rings_ <= until || (until >= now + near && descriptor_ != no_descriptor && set(until));
  }
  // It has rung: nobody is woken before it is set again.
  void rang() noexcept { rings_ = never; }

 private:
  static constexpr Duration near = std::chrono::milliseconds(10);

  [[nodiscard]] bool set(Time at) noexcept;

  Descriptor descriptor_ = no_descriptor;
  Time rings_ = never;
};

}  // namespace kernel
}  // namespace v1
}  // namespace meari
