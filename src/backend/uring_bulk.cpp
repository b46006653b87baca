// Streams of large messages, and those who wait for memory.
//
//   one that is alone        has a slab in the ring for itself, and a receive that goes on: nothing has to be asked again
//   deep, among others       more comes at a time than the ring could bring all of them. It only says when there is
//                            something, and that is received directly; on the floor, where each receive takes a whole
//                            buffer, so are all streams of large messages
//   all others               one receive in the ring for each message
#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "src/backend/uring_backend.hpp"

namespace meari {
inline namespace v1 {
namespace uring {

namespace {
// Whoever may be alone now may not be in a moment: it would cost more than it brings to change the way with every message.
constexpr unsigned receives_before_alone = 16;
}  // namespace

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

// ---- alone

// A receive that goes on costs less than one that begins again for every message (docs/decisions/0031-a-stream-that-is-alone.md).
// But what it brings has no end, so that nobody may be kept from reading: only a read that takes a whole slab is waited for so.
bool Uring::may_be_alone(const Slot& slot) const noexcept {
  return current_ && lone_ == nullptr && lone_pause_ == 0 && happened_ <= 1 && !slot.local && !slot.deep &&
         receiver(slot)->limit >= Pool::slab_bytes && !somebody_is_in_line() && !somebody_starves() && !pool_.scarce();
}

// False: there is no memory for it.
bool Uring::arm_alone(Slot& slot) {
  if (!lone_buffers_.refill()) return false;
  rewind(lone_buffers_);
  if (slot.polled) withdraw(slot, Kind::poll_in);
  Submission& receive = submission(Kind::receive_alone, slot, IORING_OP_RECV);
  receive.flags = IOSQE_BUFFER_SELECT;
  receive.buf_group = lone_buffers_.group();
  // With the poll in any case: until the kernel waits, it can be withdrawn before it has received anything.
  receive.ioprio = IORING_RECV_MULTISHOT | IORING_RECVSEND_POLL_FIRST;
  slot.armed = true;
  slot.readable = false;
  lone_ = &slot;
  lone_leaves_ = false;
  lone_rivals_ = 0;
  return true;
}

void Uring::received_alone(Slot& slot, const Completion& completion, Chunk chunk) {
  if (!completion.goes_on()) lone_ = nullptr;
  if (lone_rivals_ != 0) --lone_rivals_;
  if (slot.closing) return;
  if (completion.result == -ENOBUFS) {  // there was more than the slab had room for
    slot.armed = false;
    slot.readable = slot.bulk = slot.deep = true;
    lone_pause_ = receives_before_alone;
    return touch(slot);
  }
  if (completion.goes_on()) slot.readable = false;
  // Whatever the turn brings is gathered and is one piece then: the read that waits gets all of it.
  received(slot, completion, Ring::Following(true), std::move(chunk));
}

// The kernel receives while it is asked for news: before that, somebody has to wait for whatever it may bring. So nothing
// stays here that nobody has asked for.
void Uring::look_after_lone() {
  if (lone_leaves_) return;
  const Receive* receive = receiver(*lone_);
  if (receive == nullptr || receive->limit < Pool::slab_bytes || !lone_->bulk || somebody_is_in_line() ||
      lone_rivals_ > receives_before_alone || pool_.scarce()) {
    lone_leaves_ = true;
    lone_pause_ = receives_before_alone;
    return withdraw(*lone_, Kind::receive_alone);
  }
  static_cast<void>(lone_buffers_.refill());  // without memory it ends, and goes on as the others do
  rewind(lone_buffers_);
}

// ---- memory

// The system has no memory: what others give back may never come, so nobody waits for it.
void Uring::fail_starved() noexcept {
  while (somebody_starves()) {
    Slot& slot = starved_.front(slots_);
    leave_queue(slot);
    Receive* receive = receiver(slot);
    if (receive == nullptr) continue;
    leave(slot, *receive);
    refuse(*receive, Errc::out_of_memory);
  }
}

// Memory has come back: those who wait for it go on. Who is known to have something to receive takes memory, so only
// some of them at a time, and once a turn, so that they get it in their order; the others cost nothing until something
// comes.
void Uring::feed_some() {
  if (!somebody_starves()) {
    static_cast<void>(buffers_.refill());
    return;
  }
  const bool ring_is_empty = !buffers_.refill();
  if (ring_is_empty && !pool_.used_up()) return fail_starved();
  const std::size_t receives = current_ ? buffers_.bytes_left() / Slot::most_unread : buffers_.in_ring() / 2;
  std::size_t room = std::max<std::size_t>(receives, 1);
  while (somebody_starves()) {
    const bool has_room = pool_.has_room(least_room);
    if (ring_is_empty && !has_room) return;
    Slot& slot = starved_.front(slots_);
    if (slot.readable && room-- == 0) return;
    leave_queue(slot);
    if (receiver(slot) == nullptr || slot.armed) continue;
    // Out of whichever of the two has something left.
    if (ring_is_empty) {
      slot.bulk = slot.deep = true;
    } else if (!has_room) {
      slot.bulk = false;
    }
    ask(slot);
  }
}

}  // namespace uring
}  // namespace v1
}  // namespace meari
