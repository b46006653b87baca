#include "src/backend/alarm.hpp"

#include "src/os/system.hpp"

namespace meari {
inline namespace v1 {
namespace kernel {

void Alarm::open(bool blocking) noexcept {
  descriptor_ = sys::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | (blocking ? 0 : TFD_NONBLOCK));
}

void Alarm::close() noexcept {
  if (descriptor_ != no_descriptor) sys::close(descriptor_);
  descriptor_ = no_descriptor;
  rings_ = never;
}

// What had rung and was not noticed before is forgotten by it.
bool Alarm::set(Time at) noexcept {
  const Duration since_start = at.time_since_epoch();
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(since_start / std::chrono::seconds(1));
  when.it_value.tv_nsec = static_cast<long>((since_start % std::chrono::seconds(1)).count());
  if (sys::timerfd_settime(descriptor_, TFD_TIMER_ABSTIME, &when) != 0) return false;
  rings_ = at;
  return true;
}

}  // namespace kernel
}  // namespace v1
}  // namespace meari
