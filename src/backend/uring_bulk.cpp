// Streams of which more comes at a time than the ring can bring: it only says when there is something, and that is received
// directly. On the floor, where each receive takes a whole buffer, all streams of large messages are received so.
#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "src/backend/uring_backend.hpp"

namespace meari {
inline namespace v1 {
namespace uring {

// A call that takes up to a whole slab, and one for the answer: two for what would be four messages of 64 KiB in the ring
// (docs/decisions/0027-a-system-call-less.md). One after the other they pass through the same warm slab, as with epoll.
Submitted Uring::start_bulk(Slot& slot, Receive& receive) {
  if (slot.readable && try_receive(slot, receive)) {
    slot.waiting = nullptr;
    ready_.charge(receive.chunk.size());
    return receive.error ? refuse(receive, std::move(receive.error)) : done(receive);
  }
  if (!slot.readable) watch_bulk(slot);
  return Submitted::pending;
}

// recv(), once. True: the receive has its outcome. False: it waits, for bytes or for memory.
bool Uring::try_receive(Slot& slot, Receive& receive) {
  const std::span<std::byte> room = pool_.room(least_room);
  if (room.empty()) {
    if (!pool_.used_up()) {  // the system has no memory, and what others give back may never come
      receive.error = Errc::out_of_memory;
      return true;
    }
    starve(slot);
    return false;
  }
  const std::size_t wanted = std::min(room.size(), receive.limit);
  std::ptrdiff_t count = 0;
  do {
    count = sys::recv(slot.descriptor, room.data(), wanted, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (count < 0 && sys::last_error() == EINTR);
  if (count > 0) {
    count_received(slot, static_cast<std::size_t>(count));
    brought_ += static_cast<std::size_t>(count);
    receive.chunk = pool_.commit(room, static_cast<std::size_t>(count));
    slot.bulk = static_cast<std::size_t>(count) > most_small || static_cast<std::size_t>(count) == wanted;
    slot.deep = static_cast<std::size_t>(count) > Slot::most_unread;
    // Nothing more is there, unless the end of the stream waits behind it, or a descriptor that was sent along (unix(7)).
    slot.readable = static_cast<std::size_t>(count) == wanted || slot.hung_up || slot.local;
    return true;
  }
  if (count == 0) {
    end_came(slot);
  } else if (const int code = sys::last_error(); code == EAGAIN || code == EWOULDBLOCK) {
    slot.readable = false;
    return false;
  } else {
    failure_came(slot, system_error(code, "read"));
  }
  return answer(slot, receive);
}

// Once for each wait, so that it looks at what is there, whatever a recv(2) has said.
void Uring::watch_bulk(Slot& slot) {
  if (slot.polled) return;
  slot.polled = true;
  Submission& entry = submission(Kind::poll_in, slot, IORING_OP_POLL_ADD);
  entry.poll32_events = POLLIN | POLLRDHUP;
}

void Uring::watched_bulk(Slot& slot, const Completion& completion) {
  if (!completion.goes_on()) slot.polled = false;
  if (slot.closing) return;
  const int result = completion.result;
  slot.readable = true;  // kept in mind also while it is received otherwise: it is not told again
  slot.hung_up = slot.hung_up || (result > 0 && (result & (POLLRDHUP | POLLHUP | POLLERR)) != 0);
  // What a receive in the ring is going to bring, or has brought just now, comes before what could be received here.
  if (!slot.bulk || receiver(slot) == nullptr || slot.starved || slot.armed || slot.touched) return;
  if (result < 0 && result != -ECANCELED && result != -EINTR) {
    failure_came(slot, system_error(-result, "read"));
    return settle_receive(slot);
  }
  line_up(slot);
}

// One of them in any case.
void Uring::serve_line() {
  const std::size_t before = brought_;
  do {
    Slot* slot = next_in_line();
    if (slot == nullptr) return;
    if (receiver(*slot) != nullptr && !slot->armed) ask(*slot);
  } while (brought_ - before < most_brought);
}

}  // namespace uring
}  // namespace v1
}  // namespace meari
