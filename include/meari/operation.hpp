// Operation: one request to a backend, and the way its answer comes back.
//
// This is the page between the floors. Above it, coroutines put an Operation into their frame and submit it; below
// it, a backend fills in the outcome and hands the Operation back through the ready list. Nothing is allocated.
//
//   Receive receive;
//   receive.slot = slot;
//   receive.run = [](Ready& ready) { auto& done = static_cast<Receive&>(ready); … };
//   if (backend.submit(receive) == Submitted::done) …     // its outcome stands in it; run() is not called
//
// Rules, for every backend:
//  1. `submit` never runs anybody's code. It says `done` (a success, the outcome stands in the operation) or
//     `pending` (or `unwatched`, of a send). Failures are always pending and come through the ready list.
//  2. Every pending operation is completed exactly once: also when it is cancelled, when its slot is closed and when
//     the backend is destroyed. Until then it must not move, and what its pieces point to must stay.
//  3. Cancel is a request, the completion is the truth: a success that came first wins.
//  4. Only the loop calls run(). A completed operation may be destroyed or used again from inside its run().
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

#include <meari/address.hpp>
#include <meari/chunk.hpp>
#include <meari/error.hpp>
#include <meari/socket.hpp>

namespace meari {
inline namespace v1 {

// Time as a loop counts it: nanoseconds from a start of its own, never set back. There is no now(): ask the loop,
// because simulated loops have a time of their own.
struct Clock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Clock>;
  static constexpr bool is_steady = true;
};
using Duration = Clock::duration;
using Time = Clock::time_point;
inline constexpr Time never = Time::max();

// Something that the loop is to run once. Intrusive: a Ready stands in one list at the most.
struct Ready {
  void (*run)(Ready&) = nullptr;
  Ready* next = nullptr;
};

// First in, first out. A turn takes a limited number of steps from it.
class ReadyList {
 public:
  static constexpr std::size_t bytes_a_step = 2048;
  static constexpr std::size_t bytes_in_a_row = std::size_t{512} << 10;

  ReadyList() noexcept = default;
  ReadyList(const ReadyList&) = delete;
  ReadyList& operator=(const ReadyList&) = delete;

  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
  void push(Ready& ready) noexcept {
    ready.next = nullptr;
    *end_ = &ready;
    end_ = &ready.next;
  }
  Ready* pop() noexcept {
    Ready* ready = first_;
    if (ready != nullptr) {
      first_ = ready->next;
      if (first_ == nullptr) end_ = &first_;
      ready->next = nullptr;
    }
    return ready;
  }
  void begin_turn(unsigned steps) noexcept {
    steps_left_ = steps;
    begin_step();
  }
  void begin_step() noexcept { charged_ = 0; }
  // The next step begins. False: this turn has none left.
  [[nodiscard]] bool take_step() noexcept {
    begin_step();
    if (steps_left_ == 0) return false;
    --steps_left_;
    return true;
  }
  // The same, with the first that is ready. nullptr: nobody is, or this turn has no step left.
  Ready* take_step_of_first() noexcept { return empty() || !take_step() ? nullptr : pop(); }
  // A step has moved so many bytes by itself. Others are given up for it, so that a turn stays short and who has much to move
  // does not keep the news from those who wait for theirs.
  void charge(std::size_t bytes) noexcept {
    charged_ += bytes;
    const std::size_t steps = bytes / bytes_a_step;
    steps_left_ = steps < steps_left_ ? steps_left_ - static_cast<unsigned>(steps) : 0;
  }
  // This step has moved enough: before it receives more, it is the turn of the others.
  [[nodiscard]] bool is_enough() const noexcept { return charged_ >= bytes_in_a_row; }
  // Appends all of `other`, which is empty afterwards.
  void append(ReadyList& other) noexcept {
    if (other.empty()) return;
    *end_ = std::exchange(other.first_, nullptr);
    end_ = std::exchange(other.end_, &other.first_);
  }
  // Takes one out of the middle (linear: for cancels). Says whether it was there.
  bool remove(Ready& ready) noexcept {
    for (Ready** link = &first_; *link != nullptr; link = &(*link)->next) {
      if (*link != &ready) continue;
      *link = std::exchange(ready.next, nullptr);
      if (end_ == &ready.next) end_ = link;
      return true;
    }
    return false;
  }

 private:
  Ready* first_ = nullptr;
  Ready** end_ = &first_;  // where the next one goes
  unsigned steps_left_ = 0;
  std::size_t charged_ = 0;  // bytes of this step
};

// A Ready with a time. Set and unset through the loop, which keeps them all in one heap.
struct Timer : Ready {
  static constexpr std::uint32_t unset = std::numeric_limits<std::uint32_t>::max();
  static constexpr std::uint32_t beside = unset - 1;  // in a list of the loop's, because the heap got no memory
  Time at = never;
  std::uint32_t place = unset;  // its index in the heap
  std::uint32_t order = 0;      // among timers of the same time: the loop counts how many it has set, modulo 2^32
  [[nodiscard]] bool is_set() const noexcept { return place != unset; }
  [[nodiscard]] bool was_set_before(const Timer& other) const noexcept {
    return static_cast<std::int32_t>(order - other.order) < 0;
  }
};

// Names one slot of one backend. A slot is used again with another generation, so that what comes late for the old
// one never reaches the new one.
struct SlotId {
  std::uint32_t index = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t generation = 0;
  explicit operator bool() const noexcept { return generation != 0; }
  friend bool operator==(const SlotId&, const SlotId&) = default;
};

// `unwatched` is pending, and of a stream whose stall limit has no timer yet: whoever submitted the send sets it.
enum class Submitted : std::uint8_t { done, pending, unwatched };

struct Operation : Ready {
  enum class Kind : std::uint8_t { receive, send, finish, accept, connect, receive_from, send_to, ready };
  enum class State : std::uint8_t { idle, pending, completed };

  SlotId slot;
  const Kind kind;
  State state = State::idle;
  bool cancel_requested = false;
  std::uint8_t progress = 0;  // for the backend's use while the operation is pending
  std::uint32_t count = 0;    // SendPieces: how many; 0 in every other
  Error error;                // the outcome; empty on success

 protected:
  explicit Operation(Kind what) noexcept : kind(what) {}
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  ~Operation() { MEARI_ASSERT(state != State::pending); }  // in flight: the backend still holds its address
};

// At least one byte, or an empty chunk when the peer has finished sending. One at a time on a slot; a second one
// fails with busy. Cancelling it loses no byte: they stay in the slot.
struct Receive : Operation {
  Receive() noexcept : Operation(Kind::receive) {}
  std::size_t limit = std::numeric_limits<std::size_t>::max();  // take at most so many bytes; the rest stays unread
  Chunk chunk;                                                  // the outcome
};

// All of it, in the order of submission: several may be pending on a slot, one is in flight at a time.
// The bytes are those of `chunk`, or of `pieces[0 … count)` in a SendPieces with a count (borrowed until completion).
// A chunk on loan that has to wait is replaced by a copy, so that it does not keep the pool from others.
// Cancelled before any byte left: the stream stays whole. After a part of it left: fails with write_incomplete,
// `sent` says how much, and every later send on the slot fails with write_incomplete too.
// `Finish` ends our direction (FIN) after all that was submitted before; sends after it fail with broken_pipe.
struct Send : Operation {
  Send() noexcept : Operation(Kind::send) {}
  Chunk chunk;
  std::size_t sent = 0;  // the outcome, also on failure: bytes that the kernel has taken
  [[nodiscard]] inline const std::span<const std::byte>* pieces() const noexcept;  // nullptr: the chunk

 protected:
  explicit Send(Kind what) noexcept : Operation(what) {}
};
struct SendPieces : Send {
  void carry(std::span<const std::span<const std::byte>> these) noexcept {
    MEARI_ASSERT(these.size() <= std::numeric_limits<std::uint32_t>::max());
    first = these.data();
    count = static_cast<std::uint32_t>(these.size());
  }
  const std::span<const std::byte>* first = nullptr;
};
inline const std::span<const std::byte>* Send::pieces() const noexcept {
  return count == 0 ? nullptr : static_cast<const SendPieces*>(this)->first;
}
struct Finish : Send {
  Finish() noexcept : Send(Kind::finish) {}
};

// The next connection of a listening slot. The descriptor is ours to adopt, on this backend or on a sibling of the
// same make; a success wins over a cancel, so that no connection is lost. Several may wait; first come, first served.
// A connection that was reset before we took it may be given all the same (Linux does): its first receive tells.
struct Accept : Operation {
  Accept() noexcept : Operation(Kind::accept) {}
  Descriptor accepted = no_descriptor;
  Address from;
};

// Connects an open slot. Refuses self-connection (self_connect). After a failure the slot can only be closed.
struct Connect : Operation {
  Connect() noexcept : Operation(Kind::connect) {}
  Address target;
};

// One datagram, at most 65,535 bytes.
struct ReceiveFrom : Operation {
  ReceiveFrom() noexcept : Operation(Kind::receive_from) {}
  Chunk chunk;
  Address from;
  bool truncated = false;
};
struct SendTo : Operation {
  SendTo() noexcept : Operation(Kind::send_to) {}
  std::span<const std::byte> bytes;  // borrowed until completion
  Address target;
};

// A descriptor of somebody else (Role::foreign) has become readable or writable.
struct Readiness : Operation {
  Readiness() noexcept : Operation(Kind::ready) {}
  bool for_write = false;
};

}  // namespace v1
}  // namespace meari
