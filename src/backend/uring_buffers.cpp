#include "src/backend/uring_buffers.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <new>

namespace meari {
inline namespace v1 {
namespace uring {

namespace {
constexpr std::size_t ring_bytes = Buffers::places * sizeof(io_uring_buf);
constexpr std::align_val_t page{4096};
// Few, because they stay hot: a MiB of them cost about a tenth more than a quarter of it with 64 connections that echo
// 64 KiB, although receives find few empty more often (docs/decisions/0010-few-hot-slabs.md, and 0025 for their size).
constexpr unsigned slabs_incremental = 2;
constexpr unsigned slabs_whole = 8;
constexpr unsigned slabs_whole_at_most = 48;  // every small receive needs one of its own; an enter may bring 40
}  // namespace

// Never more than an eighth of the budget: what the ring holds, nobody else can have. Half as much again for the lone one,
// which can do without.
Buffers::Buffers(Pool& pool, For whom) noexcept
    : pool_(pool),
      whom_(whom),
      share_(static_cast<unsigned>(whom == For::all ? std::clamp<std::size_t>(pool.slab_budget() / 8, 1, places)
                                                    : std::min<std::size_t>(pool.slab_budget() / 16, 1))) {}

Error Buffers::open(Ring& ring, bool incremental, bool may_rewind) noexcept {
  if (share_ == 0) return {};
  void* memory = ::operator new(ring_bytes, page, std::nothrow);
  if (memory == nullptr) return Errc::out_of_memory;
  std::fill_n(static_cast<std::byte*>(memory), ring_bytes, std::byte{0});
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
  registration.ring_entries = places;
  registration.bgid = group();
  registration.pad = incremental ? buffers_incremental : 0;
  const int result = call("io_uring_register", [&] {
    return io_uring_register(static_cast<unsigned>(ring.descriptor()), IORING_REGISTER_PBUF_RING, &registration, 1);
  });
  if (result < 0) {
    ::operator delete(memory, page);
    return system_error(-result, "io_uring_register");
  }
  ring_ = static_cast<io_uring_buf_ring*>(memory);
  incremental_ = incremental;
  may_rewind_ = may_rewind;
  target_ = std::min(share_, incremental ? slabs_incremental : slabs_whole);
  for (unsigned i = 0; i < places; ++i) free_[i] = static_cast<std::uint8_t>(places - 1 - i);
  free_count_ = places;
  tail_ = 0;
  return {};
}

void Buffers::close() noexcept {
  if (ring_ == nullptr) return;
  for (Entry& entry : entries_)
    if (entry.slab != nullptr) drop(entry);
  ::operator delete(static_cast<void*>(ring_), page);
  ring_ = nullptr;
}

bool Buffers::refill() noexcept {
  while (in_ring_ < target_) {
    Slab* slab = pool_.take();
    if (slab == nullptr) break;
    add(*slab, 0, slab->capacity);
  }
  return in_ring_ != 0;
}

void Buffers::add(Slab& slab, std::uint32_t begin, std::uint32_t end) noexcept {
  MEARI_ASSERT(free_count_ > 0);
  const std::uint8_t number = free_[--free_count_];
  const auto place = static_cast<std::uint16_t>(tail_ % places);
  entries_[number] = {&slab, begin, end, place};
  used_ |= std::uint64_t{1} << number;
  io_uring_buf& buffer = ring_->bufs[place];
  buffer.addr = reinterpret_cast<std::uintptr_t>(slab.memory + begin);
  buffer.len = end - begin;
  buffer.bid = number;  // not `resv`: the first one overlaps the ring's tail
  ++in_ring_;
  ++tail_;
  __atomic_store_n(&ring_->tail, tail_, __ATOMIC_RELEASE);
}

void Buffers::drop(Entry& entry) noexcept {
  Slab* slab = std::exchange(entry.slab, nullptr);
  const auto number = static_cast<std::uint8_t>(&entry - entries_.data());
  free_[free_count_++] = number;
  used_ &= ~(std::uint64_t{1} << number);
  --in_ring_;
  if (--slab->references == 0) recycle(*slab);
}

void Buffers::rewind() noexcept {
  bool some_are_held = false;
  for (std::uint64_t left = may_rewind_ ? used_ : 0; left != 0; left &= left - 1) {
    Entry& entry = entries_[static_cast<std::size_t>(std::countr_zero(left))];
    if (entry.begin == 0) continue;
    if (entry.slab->references != 1) {
      some_are_held = true;
      continue;
    }
    // The kernel keeps no copy: it reads this entry whenever it uses it, and it does so inside enter() only.
    entry.begin = 0;
    entry.end = entry.slab->capacity;
    ring_->bufs[entry.place].addr = reinterpret_cast<std::uintptr_t>(entry.slab->memory);
    ring_->bufs[entry.place].len = entry.end;
  }
  if (!some_are_held) filled_ = 0;
}

Chunk Buffers::taken_with_entry(Entry& entry, const Completion& completion) noexcept {
  Chunk chunk;
  if (completion.result > 0) chunk = piece(entry, static_cast<std::uint32_t>(completion.result));
  if (incremental_ && (completion.flags & buffer_goes_on) != 0) return chunk;
  if (!incremental_ && entry.end - entry.begin >= least_tail) {
    Slab& slab = *entry.slab;
    const std::uint32_t begin = entry.begin;
    const std::uint32_t end = entry.end;
    ++slab.references;
    drop(entry);
    add(slab, begin, end);
  } else {
    drop(entry);
  }
  return chunk;
}

void Buffers::ran_out() noexcept {
  if (!incremental_ && !pool_.scarce()) target_ = std::min({target_ * 2, share_, slabs_whole_at_most});
}

std::size_t Buffers::bytes_left() const noexcept {
  std::size_t left = 0;
  for (const Entry& entry : entries_)
    if (entry.slab != nullptr) left += entry.end - entry.begin;
  return left;
}

std::size_t Buffers::unused_slabs() const noexcept {
  std::size_t unused = 0;
  for (const Entry& entry : entries_)
    if (entry.slab != nullptr && entry.slab->references == 1) ++unused;
  return unused;
}

}  // namespace uring
}  // namespace v1
}  // namespace meari
