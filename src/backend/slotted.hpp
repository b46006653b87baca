// Slotted: what every backend does in the same way. It keeps the rules of operation.hpp (who may wait, in which
// order, what a cancel means, what is left when a slot is closed); the backend below moves bytes and tells it.
//
//   class Epoll final : public Slotted<Epoll> {
//     Submitted start_receive(Slot&, Receive&);     nothing is unread, no end was seen: try, or wait
//     Submitted start_send(Slot&, Send&);           nothing else is in flight; the same for a Finish
//     Submitted start_accept(Slot&, Accept&);       also start_connect, start_receive_from, start_send_to, start_ready
//     void stop(Slot&, Operation&, Errc reason);    the pending operation is wanted no more
//     void shut(Slot&);                             nobody waits any more: close the descriptor, then forget(slot)
//     bool feed(Slot&);                             there is memory again for the receive that waits here; false: too little
//     Submitted send_plainly(Slot&, Send&);         optional: start_watched() of a chunk, for most of them without a call
//   };
//
// A start_ function answers done or pending. For a failure it says `return refuse(operation, error)`, which completes it
// through the ready list. What waits is put into the slot with wait_here() or wait_to_send().
#pragma once

#include <memory>

#include <meari/backend.hpp>
#include "src/backend/pool.hpp"
#include "src/backend/slot.hpp"

namespace meari {
inline namespace v1 {

class SlotBackend : public Backend {
 public:
  explicit SlotBackend(std::size_t pool_bytes) noexcept : pool_(pool_bytes) {}
  ~SlotBackend() override;

  [[nodiscard]] SlotFacts facts(SlotId slot) const override;
  [[nodiscard]] SlotPolicy* policy(SlotId slot) noexcept override;
  void unread(SlotId slot, Chunk chunk) override;
  [[nodiscard]] std::size_t slots_in_use() const noexcept override { return slots_.in_use(); }
  [[nodiscard]] std::size_t bytes_on_loan() const noexcept override { return pool_.bytes_on_loan(); }

 protected:
  static constexpr std::size_t least_room = std::size_t{16} << 10;  // bytes that a receive is offered at the least
  static constexpr std::size_t pieces_a_call = 64;                  // pieces of a gathered write that go in one call
  static constexpr std::size_t longest_datagram = 65'535;           // bytes
  // Bytes received before those who wait for them have their turn. Large messages are received, used and gone one after the
  // other then, all in the same warm slab: 64 of 64 KiB would not fit into any cache near the processor.
  static constexpr std::size_t most_brought = std::size_t{64} << 10;
  // Bytes received while somebody is in line, or at once by all the others, before the kernel is asked for news again.
  static constexpr std::size_t news_after = std::size_t{512} << 10;

  // ---- outcomes
  static Submitted done(Operation& operation) noexcept {
    operation.state = Operation::State::completed;
    return Submitted::done;
  }
  void complete(Operation& operation) noexcept {
    operation.state = Operation::State::completed;
    ready_.push(operation);
  }
  Submitted refuse(Operation& operation, Error error) noexcept {
    operation.error = std::move(error);
    complete(operation);
    return Submitted::pending;
  }

  // ---- waiting
  Submitted wait_here(Slot& slot, Operation& operation) noexcept;  // at the end of slot.waiting
  bool leave(Slot& slot, Operation& operation) noexcept;           // out of slot.waiting; was it there?
  // The receive that waits on a stream, if there is one.
  static Receive* receiver(const Slot& slot) noexcept {
    return slot.waiting != nullptr && slot.waiting->kind == Operation::Kind::receive
               ? static_cast<Receive*>(slot.waiting)
               : nullptr;
  }

  // ---- receiving
  // Bytes, the end or an error have come in. A receive that waits gets them, in this order; else they stay.
  // `gather`: the caller will say settle_receive() when all that has come is in, so that pieces can be joined.
  void bytes_came(Slot& slot, Chunk chunk) noexcept;
  void count_received(Slot& slot, std::size_t bytes) noexcept {
    slot.received_ms = ms();
    slot.received.add(bytes);
  }
  void count_sent(Slot& slot, std::size_t bytes) noexcept {
    slot.sent_ms = ms();
    slot.sent.add(bytes);
  }
  // The peer has finished sending. But a failure of both directions is told once, and where a send was told, what a receive
  // sees next looks like the end of a stream that had none: then it is the failure.
  void end_came(Slot& slot) noexcept;
  void failure_came(Slot& slot, Error error) noexcept;
  // Answers the receive that waits, if the slot has something for it.
  void settle_receive(Slot& slot) noexcept;
  // All that is unread, where that is one piece and the receive wants so much.
  [[gnu::always_inline]] bool take_only_piece(Slot& slot, Receive& receive) noexcept {
    Unread* piece = slot.last_unread;
    if (piece->next != piece || piece->chunk.size() > receive.limit) return false;
    std::construct_at(&receive.chunk, std::move(piece->chunk));  // it was blank
    piece->next = spare_unread_;
    spare_unread_ = piece;
    slot.last_unread = nullptr;
    slot.unread_bytes = 0;
    return true;
  }
  // Fills in what the slot has for a receive: bytes first, then the failure, then the end. False: nothing yet.
  bool answer(Slot& slot, Receive& receive) noexcept;
  bool append_unread(Slot& slot, Chunk chunk) noexcept;  // false without memory
  void drop_unread(Slot& slot) noexcept;
  // Waits for memory of the pool; feed() is called for it when some has come back.
  void starve(Slot& slot) noexcept;
  [[nodiscard]] Slot* next_to_feed() noexcept;  // takes one out of the FIFO when there is memory
  [[nodiscard]] bool somebody_starves() const noexcept { return !starved_.empty(); }
  // Much is known to be there for it, and others come first: so a turn stays short, and the news of those who have little is
  // not behind it. The backend takes from the line what a turn can carry (docs/decisions/0028-who-has-much-lets-others-go-first.md).
  void line_up(Slot& slot) noexcept;
  [[nodiscard]] Slot* next_in_line() noexcept { return first_of(line_); }
  [[nodiscard]] bool somebody_is_in_line() const noexcept { return !line_.empty(); }
  // Of all that is told at once: who had much the last time, when enough has been received; and anybody, when too much has.
  [[nodiscard]] bool others_come_first(const Slot& slot) const noexcept {
    return brought_ >= (slot.bulk ? most_brought : news_after) || (slot.bulk && somebody_is_in_line());
  }
  // A turn begins. Is the kernel to be asked for news? Also when the backend has a reason of its own to do so.
  [[nodiscard]] bool wants_news(bool in_any_case = false) noexcept {
    without_news_ += std::exchange(brought_, 0);
    if (somebody_is_in_line() && without_news_ < news_after && !in_any_case) return false;
    without_news_ = 0;
    return true;
  }
  [[nodiscard]] Slot* first_of(SlotFifo& queue) noexcept;  // takes it out
  void leave_queue(Slot& slot) noexcept;                   // whichever of the two it is in

  // ---- sending
  static Send* first_send(const Slot& slot) noexcept {
    return slot.last_send == nullptr ? nullptr : static_cast<Send*>(slot.last_send->next);
  }
  Submitted queue_send(Slot& slot, Send& send) noexcept;    // at the end of the queue, to go within this turn
  Submitted wait_to_send(Slot& slot, Send& send) noexcept;  // the same, to wait for its turn: a loan is copied out
  void leave_sends(Slot& slot, Send& send) noexcept;
  // `count` more bytes of the send are gone. True: that was all of it.
  bool went(Slot& slot, Send& send, std::size_t count) noexcept;
  // All of a chunk that nothing had left of before.
  void went_whole(Slot& slot, Send& send) noexcept {
    count_sent(slot, send.chunk.size());
    send.sent = send.chunk.size();
    send.chunk = Chunk();  // its memory is free now, however long the Send lives on
  }
  static std::size_t left_of(const Send& send) noexcept;
  // The pieces still to go, at most `most` of them. Returns how many.
  static std::size_t pieces_left(const Send& send, std::span<const std::byte>* pieces, std::size_t most) noexcept;
  // Sending is over for this slot: every send that waits fails, and every later one.
  void sends_failed(Slot& slot, const Error& error) noexcept;
  // The send is not to go on: out of the queue, failed with `reason`; the stream is broken if a part had left.
  void abandon_send(Slot& slot, Send& send, Errc reason) noexcept;

  // ---- ends of all things
  // The kernel will not work for this backend any more: what waits fails with `error`, and so does all that is submitted
  // from now on. So Tasks end with a reason, and the loop can be destroyed.
  void lose(const Error& error) noexcept;
  [[nodiscard]] bool is_lost() const noexcept { return static_cast<bool>(lost_); }

  // ---- slots
  Result<SlotId> fresh(Descriptor descriptor, Role role) noexcept;  // a new slot; out_of_memory
  void forget(Slot& slot) noexcept;                                 // the slot is free for the next
  void everybody_leaves(Slot& slot) noexcept;                       // completes all that waits with canceled
  [[nodiscard]] std::uint32_t ms() const noexcept { return turn_ms_; }
  // wait() has returned: everybody in this turn gets the same time.
  void begin_turn(Time now) noexcept {
    turn_time_ = now;
    turn_ms_ = static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count());
  }
  [[nodiscard]] Time since(std::uint32_t then_ms) const noexcept;

  SlotTable slots_;
  Pool pool_;
  Time turn_time_{};
  std::uint32_t turn_ms_ = 0;  // the same, modulo 2^32
  SlotFifo starved_;
  SlotFifo line_;
  std::size_t brought_ = 0;       // bytes that were received in this turn, and not by the kernel on its own
  std::size_t without_news_ = 0;  // the same, since the kernel was asked for news
  Unread* spare_unread_ = nullptr;
  Error lost_;
};

// ---- what happens for every message stands here, so that it becomes part of the backend's own code

inline Submitted SlotBackend::wait_here(Slot& slot, Operation& operation) noexcept {
  operation.next = nullptr;
  Operation* last = slot.waiting;
  while (last != nullptr && last->next != nullptr) last = static_cast<Operation*>(last->next);
  if (last == nullptr) {
    slot.waiting = &operation;
  } else {
    last->next = &operation;
  }
  return Submitted::pending;
}

inline bool SlotBackend::leave(Slot& slot, Operation& operation) noexcept {
  Operation* before = nullptr;
  for (Operation* at = slot.waiting; at != nullptr; before = at, at = static_cast<Operation*>(at->next)) {
    if (at != &operation) continue;
    auto* after = static_cast<Operation*>(at->next);
    if (before == nullptr) {
      slot.waiting = after;
    } else {
      before->next = after;
    }
    at->next = nullptr;
    return true;
  }
  return false;
}

inline void SlotBackend::bytes_came(Slot& slot, Chunk chunk) noexcept {
  count_received(slot, chunk.size());
  if (slot.failure) return;  // there is a gap before it: memory was short
  if (!append_unread(slot, std::move(chunk))) {
    failure_came(slot, Errc::out_of_memory);
  }
}

inline void SlotBackend::settle_receive(Slot& slot) noexcept {
  Receive* receive = receiver(slot);
  if (receive == nullptr || !answer(slot, *receive)) return;
  slot.waiting = nullptr;
  complete(*receive);
}

inline bool SlotBackend::answer(Slot& slot, Receive& receive) noexcept {
  if (slot.last_unread != nullptr) {
    Unread* first = slot.last_unread->next;
    if (receive.limit < first->chunk.size()) {
      receive.chunk = first->chunk.split(receive.limit);
    } else {
      receive.chunk = std::move(first->chunk);
      if (first == slot.last_unread) {
        slot.last_unread = nullptr;
      } else {
        slot.last_unread->next = first->next;
      }
      first->next = spare_unread_;
      spare_unread_ = first;
    }
    slot.unread_bytes -= static_cast<std::uint32_t>(receive.chunk.size());
    return true;
  }
  if (slot.failure) {
    receive.error = slot.failure;
    return true;
  }
  return slot.ended;  // with an empty chunk
}

inline Unread* new_unread(Unread*& spare, Chunk chunk) noexcept {
  Unread* piece = spare;
  if (piece != nullptr) {
    spare = piece->next;
    piece->chunk = std::move(chunk);
    return piece;
  }
  return new (std::nothrow) Unread{std::move(chunk), nullptr};
}

inline bool SlotBackend::append_unread(Slot& slot, Chunk chunk) noexcept {
  const auto count = static_cast<std::uint32_t>(chunk.size());
  if (slot.last_unread == nullptr || !slot.last_unread->chunk.join(chunk)) {
    // While memory is scarce, nothing that nobody waits for keeps a slab.
    if (slot.waiting == nullptr && pool_.scarce()) settle(chunk, pool_);
    Unread* piece = new_unread(spare_unread_, std::move(chunk));
    if (piece == nullptr) return false;
    if (slot.last_unread == nullptr) {
      piece->next = piece;
    } else {
      piece->next = std::exchange(slot.last_unread->next, piece);
    }
    slot.last_unread = piece;
  }
  slot.unread_bytes += count;
  return true;
}

inline Submitted SlotBackend::wait_to_send(Slot& slot, Send& send) noexcept {
  settle(send.chunk, pool_);
  return queue_send(slot, send);
}

inline Submitted SlotBackend::queue_send(Slot& slot, Send& send) noexcept {
  if (slot.last_send == nullptr) {
    send.next = &send;
  } else {
    send.next = std::exchange(slot.last_send->next, &send);
  }
  slot.last_send = &send;
  return Submitted::pending;
}

inline void SlotBackend::leave_sends(Slot& slot, Send& send) noexcept {
  if (slot.last_send == nullptr) return;
  Send* before = slot.last_send;
  do {
    auto* at = static_cast<Send*>(before->next);
    if (at == &send) {
      before->next = send.next;
      if (slot.last_send == &send) slot.last_send = before == &send ? nullptr : before;
      send.next = nullptr;
      return;
    }
    before = at;
  } while (before != slot.last_send);
}

inline std::size_t SlotBackend::left_of(const Send& send) noexcept {
  if (send.count == 0) return send.chunk.size();
  std::size_t total = 0;
  for (std::uint32_t i = 0; i < send.count; ++i) total += send.pieces()[i].size();
  return total - send.sent;
}

inline std::size_t SlotBackend::pieces_left(const Send& send, std::span<const std::byte>* pieces,
                                            std::size_t most) noexcept {
  if (send.count == 0) {
    pieces[0] = send.chunk.bytes();
    return send.chunk.empty() ? 0 : 1;
  }
  std::size_t gone = send.sent;
  std::size_t count = 0;
  for (std::uint32_t i = 0; i < send.count && count < most; ++i) {
    const std::size_t size = send.pieces()[i].size();
    if (gone >= size) {
      gone -= size;
    } else {
      pieces[count++] = send.pieces()[i].subspan(std::exchange(gone, 0));
    }
  }
  return count;
}

inline bool SlotBackend::went(Slot& slot, Send& send, std::size_t count) noexcept {
  count_sent(slot, count);
  send.sent += count;
  if (send.count == 0) {
    send.chunk.drop(count);
    if (!send.chunk.empty()) return false;
    send.chunk = Chunk();  // its memory is free now, however long the Send lives on
    return true;
  }
  return left_of(send) == 0;
}

template <class Self>
class Slotted : public SlotBackend {
 public:
  using SlotBackend::SlotBackend;

  Submitted submit(Operation& operation) final {
    switch (operation.kind) {
      case Operation::Kind::receive: return submit(static_cast<Receive&>(operation));
      case Operation::Kind::send:
      case Operation::Kind::finish: return submit(static_cast<Send&>(operation));
      default: break;
    }
    if (operation.error) clear(operation.error);
    begin(operation);
    Slot* slot = slots_.find(operation.slot);
    if (slot == nullptr || slot->closing) return refuse(operation, Errc::closed);
    if (is_lost()) return refuse(operation, lost_);
    return submit_other(*slot, operation);
  }

  Submitted submit(Receive& receive) final {
    if (receive.error || !receive.chunk.is_blank()) [[unlikely]]
      return submit_again(receive);
    begin(receive);
    Slot* slot = slots_.find(receive.slot);
    if (slot == nullptr || !slot->receives()) [[unlikely]]
      return receive_otherwise(receive);
    if (slot->last_unread == nullptr) return self().start_receive(*slot, receive);
    if (take_only_piece(*slot, receive)) return done(receive);
    return receive_otherwise(receive);
  }

  // Also for a Finish.
  Submitted submit(Send& send) final {
    if (send.error) [[unlikely]]
      return submit_again(send);
    begin(send);
    send.sent = 0;
    Slot* slot = slots_.find(send.slot);
    if (slot == nullptr || !slot->sends()) [[unlikely]]
      return send_otherwise(send);
    if (slot->last_send != nullptr || send.kind != Operation::Kind::send || send.count != 0 || send.chunk.empty())
        [[unlikely]]
      return send_something_else(*slot, send);
    if constexpr (requires(Self backend) { backend.send_plainly(*slot, send); }) {
      return self().send_plainly(*slot, send);
    } else {
      return watched(*slot, self().start_send(*slot, send));
    }
  }

  void cancel(Operation& operation, Errc reason) final {
    if (operation.state != Operation::State::pending || operation.cancel_requested) return;
    operation.cancel_requested = true;
    Slot* slot = slots_.find(operation.slot);
    MEARI_ASSERT(slot != nullptr);
    if (operation.kind == Operation::Kind::receive) {  // local: its bytes stay in the slot
      leave(*slot, operation);
      leave_queue(*slot);
      refuse(operation, reason);
    } else if ((operation.kind == Operation::Kind::send || operation.kind == Operation::Kind::finish) &&
               &operation != first_send(*slot)) {
      abandon_send(*slot, static_cast<Send&>(operation), reason);
    } else {
      self().stop(*slot, operation, reason);
    }
  }

  void close(SlotId id, bool abort) final {
    Slot* slot = slots_.find(id);
    if (slot == nullptr || slot->closing) return;
    MEARI_ASSERT(!slot->policy.timer.is_set());
    slot->abort = abort;
    slot->closing = true;
    leave_queue(*slot);
    drop_unread(*slot);
    self().shut(*slot);
  }

 protected:
  // Memory has come back: those who wait for it go on, as many as slabs came.
  void feed_starved() noexcept {
    while (Slot* slot = next_to_feed()) {
      if (!self().feed(*slot)) return starve(*slot);
    }
  }

  [[gnu::noinline]] Submitted start_watched(Slot& slot, Send& send) {
    return watched(slot, self().start_send(slot, send));
  }
  // What submit() says of a send. A timer that counts an idle time as well may be set for later than the stall limit.
  Submitted watched(Slot& slot, Submitted submitted) const noexcept {
    if (submitted == Submitted::done) return submitted;
    slot.sent_ms = ms();
    const StreamTerms* terms = slot.policy.terms;
    if (terms == nullptr || terms->limits.stall_ms == 0) return submitted;
    const Timer& timer = slot.policy.timer;
    if (timer.is_set() && timer.at <= turn_time_ + std::chrono::milliseconds(terms->limits.stall_ms)) [[likely]]
      return submitted;
    return Submitted::unwatched;
  }

 private:
  Self& self() noexcept { return static_cast<Self&>(*this); }

  static void begin(Operation& operation) {
    MEARI_ASSERT(operation.state != Operation::State::pending);
    operation.state = Operation::State::pending;
    operation.cancel_requested = false;
  }
  template <class Outcome>
  [[gnu::noinline]] static void clear(Outcome& outcome) noexcept {
    outcome = Outcome();
  }
  // Without what is left in it of the last time.
  [[gnu::noinline]] Submitted submit_again(Receive& receive) {
    clear(receive.error);
    clear(receive.chunk);
    return submit(receive);
  }
  [[gnu::noinline]] Submitted submit_again(Send& send) {
    clear(send.error);
    return submit(send);
  }

  // Bytes, an end or a failure are there already, or it is refused.
  [[gnu::noinline]] Submitted receive_otherwise(Receive& receive) {
    Slot* slot = slots_.find(receive.slot);
    if (slot == nullptr || slot->closing) return refuse(receive, Errc::closed);
    if (is_lost()) return refuse(receive, lost_);
    if (slot->role != Role::stream) return refuse(receive, Errc::invalid_argument);
    if (slot->waiting != nullptr) return refuse(receive, Errc::busy);
    if (!slot->connected) return refuse(receive, Errc::not_connected);
    answer(*slot, receive);
    return receive.error ? refuse(receive, std::move(receive.error)) : done(receive);
  }

  [[gnu::noinline]] Submitted send_otherwise(Send& send) {
    const Slot* slot = slots_.find(send.slot);
    if (slot == nullptr || slot->closing) return refuse(send, Errc::closed);
    if (is_lost()) return refuse(send, lost_);
    if (slot->role != Role::stream) return refuse(send, Errc::invalid_argument);
    if (slot->send_failure != Errc::none) return refuse(send, slot->send_failure);
    if (!slot->connected) return refuse(send, Errc::not_connected);
    return send.kind == Operation::Kind::finish ? done(send) : refuse(send, Errc::broken_pipe);
  }

  // Behind others; or a finish, several pieces, or nothing at all.
  [[gnu::noinline]] Submitted send_something_else(Slot& slot, Send& send) {
    if (slot.last_send != nullptr) return watched(slot, wait_to_send(slot, send));
    slot.sent_ms = ms();  // no byte may leave, and yet something has happened
    if (send.kind == Operation::Kind::send && left_of(send) == 0) return done(send);
    return watched(slot, self().start_send(slot, send));
  }

  [[gnu::noinline]] Submitted submit_other(Slot& slot, Operation& operation) {
    switch (operation.kind) {
      case Operation::Kind::accept: return of_role(slot, Role::listener, operation, &Self::start_accept);
      case Operation::Kind::connect: return of_role(slot, Role::stream, operation, &Self::start_connect);
      case Operation::Kind::receive_from: return of_role(slot, Role::datagram, operation, &Self::start_receive_from);
      case Operation::Kind::send_to: return of_role(slot, Role::datagram, operation, &Self::start_send_to);
      case Operation::Kind::ready: return of_role(slot, Role::foreign, operation, &Self::start_ready);
      default: broken("an Operation of an unknown kind");
    }
  }

  template <class Wanted>
  Submitted of_role(Slot& slot, Role role, Operation& operation, Submitted (Self::*start)(Slot&, Wanted&)) {
    if (slot.role != role) return refuse(operation, Errc::invalid_argument);
    return (self().*start)(slot, static_cast<Wanted&>(operation));
  }
};

}  // namespace v1
}  // namespace meari
