#include "src/backend/bell.hpp"

#include <windows.h>

namespace meari {
inline namespace v1 {

static_assert(sizeof(std::atomic<bool>) == 1 && std::atomic<bool>::is_always_lock_free);

void wait_for(const std::atomic<bool>& flag) noexcept {
  bool unset = false;
  while (!flag.load(std::memory_order_acquire))
    ::WaitOnAddress(const_cast<std::atomic<bool>*>(&flag), &unset, sizeof unset, INFINITE);
}

void notify_of(const std::atomic<bool>& flag) noexcept { ::WakeByAddressSingle(const_cast<std::atomic<bool>*>(&flag)); }

}  // namespace v1
}  // namespace meari
