// Slot: what a backend knows of one socket. At most 128 bytes, in pages that never move, named by index and generation.
//
// Bytes, ends and errors arrive when nobody waits (multishot receive, edge-triggered readiness): here they are kept
// until somebody asks. The same struct serves every backend; a field that only one of them needs says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include <meari/backend.hpp>

namespace meari {
inline namespace v1 {

// Bytes that have arrived and that nobody has taken: a ring of pieces, oldest first.
struct Unread {
  Chunk chunk;
  Unread* next = nullptr;
};

// Bytes, counted in 48 bits: 256 TiB in each direction of one connection.
class ByteCount {
 public:
  [[nodiscard]] std::uint64_t value() const noexcept { return low() | (std::uint64_t{high_} << 32); }
  void add(std::uint64_t bytes) noexcept {
    bytes += low();
    const auto sum = static_cast<std::uint32_t>(bytes);
    std::memcpy(low_, &sum, sizeof sum);
    if (const std::uint64_t carried = bytes >> 32; carried != 0) [[unlikely]]
      high_ = static_cast<std::uint16_t>(high_ + carried);
  }

 private:
  [[nodiscard]] std::uint32_t low() const noexcept {
    std::uint32_t bytes = 0;
    std::memcpy(&bytes, low_, sizeof bytes);
    return bytes;
  }
  std::uint16_t low_[2] = {};  // not a std::uint32_t: six bytes in all
  std::uint16_t high_ = 0;
};

struct alignas(16) Slot {  // so that the lowest bits of its address are free
  static constexpr std::uint32_t nobody = std::numeric_limits<std::uint32_t>::max();
  static constexpr std::uint32_t most_unread = 64U << 10;  // bytes; beyond it the backend stops receiving

  SlotPolicy policy;              // first: slot_of() relies on it
  Operation* waiting = nullptr;   // the receive or connect; of listeners and foreign descriptors a list, by `next`
  Send* last_send = nullptr;      // a ring: its `next` is the first, which is in flight
  Unread* last_unread = nullptr;  // a ring as well
  Error failure;                  // seen while receiving; every later receive gets it, too
  Descriptor descriptor = no_descriptor;
  std::uint32_t number = 0;
  std::uint32_t place = 0;  // its index in the table
  std::uint32_t generation = 0;
  std::uint32_t unread_bytes = 0;
  std::uint32_t received_ms = 0;  // when bytes last came, in milliseconds of the backend's time, modulo 2^32
  std::uint32_t sent_ms = 0;
  std::uint32_t next = nobody;  // in the list of free slots, or in one SlotFifo
  ByteCount received;
  ByteCount sent;
  std::uint16_t in_kernel = 0;     // uring: completions that are still to come. The slot is not freed before
  Errc send_failure = Errc::none;  // every later send fails with it
  // The first eight are what every receive and every send look at: one byte, and so one comparison.
  Role role : 2 = Role::stream;
  bool connected : 1 = false;
  bool closing : 1 = false;     // closed by its owner, completions still to come
  bool ended : 1 = false;       // the peer's FIN has been seen
  bool finished : 1 = false;    // our FIN has been sent
  bool readable : 1 = false;    // maybe: a receive or an accept is worth a try
  bool registered : 1 = false;  // epoll knows the descriptor
  bool starved : 1 = false;     // waits for memory of the pool
  bool in_use : 1 = false;
  bool abort : 1 = false;
  bool local : 1 = false;        // a Unix-domain socket
  bool watches_out : 1 = false;  // epoll tells when it is writable
  bool unwatched : 1 = false;    // epoll refused it
  bool hung_up : 1 = false;      // FIN, RST, an error or urgent data is waiting behind what is readable
  bool armed : 1 = false;        // uring: a receive is in the kernel
  bool sending : 1 = false;      // uring: a send or a connect is in the kernel
  bool touched : 1 = false;      // uring: something came for it in this turn
  bool bulk : 1 = false;         // it receives much at a time
  bool deep : 1 =
      false;  // uring: of these, it had more to give than may be unread, so it is polled, and asked directly
  bool polled : 1 = false;   // uring: that poll is in the kernel
  bool in_line : 1 = false;  // something is there for it, and it is the turn of others to receive first
  bool adopted : 1 = false;  // it was somebody else's before, who may have a copy of the descriptor

  // A stream that goes on, and for which nobody waits: what a receive gets is what is unread, or what comes next.
  [[nodiscard]] bool receives() const noexcept {
    return (role == Role::stream) & connected & !closing & !ended & (waiting == nullptr) & !failure;
  }
  // A stream that something can be sent on. Of a backend that is lost every slot has a failure.
  [[nodiscard]] bool sends() const noexcept {
    return (role == Role::stream) & connected & !closing & !finished & (send_failure == Errc::none);
  }
};
static_assert(sizeof(Slot) <= 128);

// The slot that a timer of its policy stands in.
inline Slot& slot_of(Timer& timer) noexcept { return reinterpret_cast<Slot&>(timer); }

class SlotTable {
 public:
  static constexpr std::uint32_t page_slots = 256;

  // A fresh slot; nullptr without memory.
  [[nodiscard]] Slot* take() noexcept;
  void free(Slot& slot) noexcept;
  [[nodiscard]] Slot* find(SlotId id) const noexcept {
    if (id.index >= size_) return nullptr;
    Slot& slot = at(id.index);
    // A free slot has the generation of its next life already, and nobody has been told that one.
    return slot.generation == id.generation ? &slot : nullptr;
  }
  [[nodiscard]] Slot& at(std::uint32_t index) const noexcept { return pages_[index / page_slots][index % page_slots]; }
  [[nodiscard]] static SlotId id(const Slot& slot) noexcept { return {slot.place, slot.generation}; }
  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }  // slots that ever were in use
  [[nodiscard]] std::size_t in_use() const noexcept { return in_use_; }

 private:
  std::vector<std::unique_ptr<Slot[]>> pages_;
  std::uint32_t size_ = 0;
  std::uint32_t free_ = Slot::nobody;
  std::size_t in_use_ = 0;
};

// First in, first out, through Slot::next: so a slot is in one of them at a time.
class SlotFifo {
 public:
  [[nodiscard]] bool empty() const noexcept { return first_ == Slot::nobody; }
  [[nodiscard]] Slot& front(const SlotTable& slots) const noexcept { return slots.at(first_); }
  void push(const SlotTable& slots, Slot& slot) noexcept;
  void remove(const SlotTable& slots, Slot& slot) noexcept;  // linear, unless it is the first

 private:
  std::uint32_t first_ = Slot::nobody;
  std::uint32_t last_ = Slot::nobody;
};

}  // namespace v1
}  // namespace meari
