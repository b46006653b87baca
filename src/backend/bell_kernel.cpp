#include "src/backend/bell.hpp"

namespace meari {
inline namespace v1 {

void wait_for(const std::atomic<bool>& flag) noexcept { flag.wait(false, std::memory_order_acquire); }
void notify_of(const std::atomic<bool>& flag) noexcept { const_cast<std::atomic<bool>&>(flag).notify_one(); }

}  // namespace v1
}  // namespace meari
