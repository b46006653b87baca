// Waiting for a flag that another thread, or a signal handler, sets: std::atomic's wait() and notify_one(), which lose a
// notification now and then in libstdc++ 12 where the system has no futex.
#pragma once

#include <atomic>

namespace meari {
inline namespace v1 {

void wait_for(const std::atomic<bool>& flag) noexcept;  // returns when it is true, at once if it is
void notify_of(const std::atomic<bool>& flag) noexcept;

}  // namespace v1
}  // namespace meari
