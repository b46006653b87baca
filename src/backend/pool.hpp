// Pool: the memory that received bytes stand in, one for each backend, used in the same way by all of them.
//
// Slabs of 256 KiB are filled from the front and shared by many connections; a slab comes back when the last Chunk in
// it has gone. A connection that waits owns nothing here. Two ways to fill:
//   room()/commit()   the backend receives into the open slab itself (epoll, wire, completion ports)
//   take()            the backend hands whole slabs to the kernel, which fills them (io_uring's buffer ring)
//
// The pool has a budget. At its end room() and take() have nothing to give, the backend lets its readers wait in a
// FIFO, and for every slab that comes back one of them goes on. Beyond half of the budget `scarce()` says that what
// waits for a slow peer should be copied out rather than keep its slab.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <thread>

#include <meari/chunk.hpp>

namespace meari {
inline namespace v1 {

class Pool {
 public:
  static constexpr std::size_t slab_bytes = std::size_t{256} << 10;

  explicit Pool(std::size_t budget_bytes) noexcept;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool();  // every Chunk must have come back

  // A whole slab, with one reference that is the caller's; nullptr at the end of the budget or of memory.
  [[nodiscard]] Slab* take() noexcept;
  // Room for at least `least` bytes (at most slab_bytes) at the end of the open slab; empty as above.
  [[nodiscard]] std::span<std::byte> room(std::size_t least) noexcept {
    if (open_ != nullptr && open_->references == 1) filled_ = 0;  // nobody has anything in it: start at its warm front
    if (open_ == nullptr || slab_bytes - filled_ < least) [[unlikely]]
      return room_in_the_next();
    return {open_->memory + filled_, slab_bytes - filled_};
  }
  // Whether room() would find some, as far as the budget goes.
  [[nodiscard]] bool has_room(std::size_t least) const noexcept {
    return !used_up() || (open_ != nullptr && (open_->references == 1 || slab_bytes - filled_ >= least));
  }
  // The first `count` bytes of the room, as a loan. Nothing else may have been committed meanwhile.
  [[nodiscard]] Chunk commit(std::span<std::byte> room, std::size_t count) noexcept {
    MEARI_ASSERT(count <= room.size());
    ++open_->references;
    filled_ += count;
    return {open_, room.data(), count};
  }

  [[nodiscard]] bool scarce() const noexcept { return out_ > slabs_ / 2; }
  [[nodiscard]] bool used_up() const noexcept { return out_ == slabs_; }  // else it is the system that has no memory
  [[nodiscard]] std::size_t slabs_out() const noexcept { return out_; }
  [[nodiscard]] std::size_t slab_budget() const noexcept { return slabs_; }
  // Bytes that Chunks keep, in whole slabs; the one being filled counts only when a Chunk is in it.
  [[nodiscard]] std::size_t bytes_on_loan() const noexcept;
  // From now on only this thread may return memory.
  void belongs_to_this_thread() noexcept { owner_ = std::this_thread::get_id(); }

 private:
  friend void recycle(Slab& slab) noexcept;
  std::span<std::byte> room_in_the_next() noexcept;
  void put(Slab& slab) noexcept;
  static void destroy(Slab& slab) noexcept;

  std::size_t slabs_;       // the budget
  std::size_t out_ = 0;     // slabs with a reference
  std::size_t idle_ = 0;    // slabs in free_
  Slab* free_ = nullptr;    // last in, first out: the warmest first
  Slab* open_ = nullptr;    // being filled; we hold one reference
  std::size_t filled_ = 0;  // of the open slab
  std::thread::id owner_;
};

// Copies what a Chunk on loan holds into memory of its own, when it has to wait for a peer: so that a stalled peer,
// half a line or a full queue never keeps the pool from others. Not worth it while the pool is plenty and the Chunk
// fills a quarter of the slab that it keeps. Without memory the loan stays.
void settle(Chunk& chunk, const Pool& pool) noexcept;

}  // namespace v1
}  // namespace meari
