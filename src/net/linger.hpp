// How a stream ends after its owner has let it go. A destructor cannot wait; this can.
#pragma once

#include <meari/loop.hpp>

namespace meari {
inline namespace v1 {

// Sends what was written, says that we have finished, drains a little of what the peer still sends (a close over
// unread bytes would be an RST, which can destroy our last reply on its way) and closes. As a Guest of the loop.
// Closes at once when the peer has finished as well, and aborts after a failure.
void let_go(Loop& loop, SlotId slot) noexcept;
void close_at_once(Loop& loop, SlotId slot, bool abort) noexcept;
// A write has stalled: nothing may follow it, not even a FIN, which would make what had gone before look complete.
void end_sending(Loop& loop, SlotId slot) noexcept;

}  // namespace v1
}  // namespace meari
