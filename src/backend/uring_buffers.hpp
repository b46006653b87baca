// Buffers: slabs of the Pool, lent to the kernel so that it can put received bytes into them. Two per ring: one for all
// connections, and one for that which is alone with its large messages.
//
// incremental   the kernel fills a slab from the front, for all connections, and says when it is done with it
// whole         (before 6.12) every receive uses an entry up; what it left unused goes back into the ring as a new
//               entry of the same slab
//
// Either way a piece becomes a Chunk with a reference of its own on the slab; the ring's reference goes when the
// kernel has no more use for the slab. The ring stays small: it is first in, first out, and walking through cold
// memory costs more than anything else here. A slab without a Chunk is filled anew from its warm front, so that a light
// load never leaves the first one. Only the ring of whole entries grows when many small receives have used it up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "src/backend/pool.hpp"
#include "src/backend/uring_ring.hpp"

namespace meari {
inline namespace v1 {
namespace uring {

class Buffers {
 public:
  // Whom they are for; the number of their group in the kernel.
  enum class For : std::uint16_t { all, lone };
  static constexpr unsigned places = 64;             // of the ring; a power of two, and the bits of used_
  static constexpr std::uint32_t least_tail = 4096;  // bytes: a smaller rest of a slab is not given back
  static constexpr std::size_t least_rewound = 4096;

  explicit Buffers(Pool& pool, For whom = For::all) noexcept;
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;
  ~Buffers() { close(); }

  [[nodiscard]] Error open(Ring& ring, bool incremental, bool may_rewind) noexcept;
  void close() noexcept;  // after the ring has been closed

  [[nodiscard]] std::uint16_t group() const noexcept { return static_cast<std::uint16_t>(whom_); }
  [[nodiscard]] bool lacks_some() const noexcept { return in_ring_ < target_; }
  // Puts slabs in as long as there are too few. Says whether the kernel has any room now.
  bool refill() noexcept;
  // So much was filled since that it is worth it: as long as it is less than a page, its lines of the cache are warm anyway.
  [[nodiscard]] bool is_to_rewind() const noexcept { return filled_ >= least_rewound; }
  // All completions have been seen: slabs that are partly filled and have no Chunk left start again.
  void rewind() noexcept;
  // The bytes that came with a completion. Every completion that has a buffer must come by here, in its order.
  [[nodiscard, gnu::always_inline]] Chunk taken(const Completion& completion) noexcept {
    Entry& entry = entry_of(completion);
    if (completion.result <= 0 || !incremental_ || (completion.flags & buffer_goes_on) == 0) [[unlikely]]
      return taken_with_entry(entry, completion);
    return piece(entry, static_cast<std::uint32_t>(completion.result));
  }
  // Of most messages: the kernel goes on receiving for the same stream, and goes on with the same buffer.
  [[nodiscard, gnu::always_inline]] bool goes_on_with(const Completion& completion) const noexcept {
    constexpr std::uint32_t all = IORING_CQE_F_BUFFER | IORING_CQE_F_MORE | buffer_goes_on;
    return (completion.flags & all) == all && incremental_;
  }
  // Such a one: its bytes, which are at least one, go into `chunk`, which is blank.
  [[gnu::always_inline]] void take_into(Chunk& chunk, const Completion& completion) noexcept {
    Entry& entry = entries_[completion.buffer() % places];  // one without a slab has no bytes either
    const auto count = static_cast<std::uint32_t>(completion.result);
    MEARI_ASSERT(count <= entry.end - entry.begin);
    ++entry.slab->references;
    std::construct_at(&chunk, entry.slab, entry.slab->memory + entry.begin, count);
    entry.begin += count;
    filled_ += count;
  }
  // A small receive found the ring empty.
  void ran_out() noexcept;

  [[nodiscard]] unsigned in_ring() const noexcept { return in_ring_; }
  [[nodiscard]] std::size_t bytes_left() const noexcept;  // that the kernel can still put into them
  // Slabs that are out of the pool for the kernel's sake alone: no Chunk is in them.
  [[nodiscard]] std::size_t unused_slabs() const noexcept;

 private:
  struct Entry {
    Slab* slab = nullptr;     // with one reference of ours; nullptr: this number is free
    std::uint32_t begin = 0;  // where the kernel will put the next byte
    std::uint32_t end = 0;
    std::uint16_t place = 0;  // in the ring
  };

  [[nodiscard]] Entry& entry_of(const Completion& completion) noexcept {
    const std::uint16_t number = completion.buffer();
    MEARI_ASSERT(number < places && entries_[number].slab != nullptr);
    return entries_[number];
  }
  Chunk piece(Entry& entry, std::uint32_t count) noexcept {
    MEARI_ASSERT(count <= entry.end - entry.begin);
    ++entry.slab->references;
    std::byte* data = entry.slab->memory + entry.begin;
    entry.begin += count;
    filled_ += count;
    return {entry.slab, data, count};
  }
  [[nodiscard]] Chunk taken_with_entry(Entry& entry, const Completion& completion) noexcept;
  void add(Slab& slab, std::uint32_t begin, std::uint32_t end) noexcept;
  void drop(Entry& entry) noexcept;

  bool incremental_ = false;
  bool may_rewind_ = false;
  unsigned target_ = 0;  // how many slabs there should be
  unsigned in_ring_ = 0;
  std::size_t filled_ = 0;  // bytes that came, since all slabs were at their front
  std::array<Entry, places> entries_{};
  std::uint64_t used_ = 0;  // which of them: one bit each
  io_uring_buf_ring* ring_ = nullptr;
  Pool& pool_;
  For whom_;
  unsigned share_;                           // the most slabs that the budget allows here
  std::uint16_t tail_ = 0;                   // entries that were ever put in
  std::array<std::uint8_t, places> free_{};  // numbers of free entries, a stack
  unsigned free_count_ = 0;
};

}  // namespace uring
}  // namespace v1
}  // namespace meari
