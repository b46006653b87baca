// Chunk: received bytes, on loan from the pool of the loop that received them.
//
//   while (Chunk data = co_await peer.read())     // false: the peer has finished sending
//     co_await peer.write(std::move(data));       // the very same memory goes out
//
// A Chunk is move-only, belongs to the thread of its loop, and returns its memory when it is destroyed. Whoever
// keeps one for long keeps a piece of the pool: copy what has to stay (Bytes, std::string).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include <meari/result.hpp>
#include <meari/version.hpp>

namespace meari {
inline namespace v1 {

// The memory behind Chunks, counted by the Chunks in it. Either on loan from a pool (256 KiB, filled from the front,
// shared by many connections) or an allocation of its own, of the right size.
struct Slab {
  std::uint32_t references = 0;
  std::uint32_t capacity = 0;  // bytes
  void* pool = nullptr;        // nullptr: an allocation of its own
  std::byte* memory = nullptr;
  Slab* next = nullptr;  // in the pool's list of free slabs
};
MEARI_EXPORT void recycle(Slab& slab) noexcept;  // the last reference has gone
[[nodiscard]] MEARI_EXPORT Slab* allocate_slab(
    std::size_t bytes) noexcept;  // of its own, one reference; nullptr without memory

class MEARI_EXPORT Chunk {
 public:
  Chunk() noexcept = default;  // empty
  // Bytes that start at `data` inside `slab`; takes over one reference. For backends.
  Chunk(Slab* slab, std::byte* data, std::size_t size) noexcept : data_(data), size_(size), slab_(slab) {}
  // Bytes that somebody else owns and keeps until the Chunk has gone.
  static Chunk view(std::span<const std::byte> bytes) noexcept {
    return {nullptr, const_cast<std::byte*>(bytes.data()), bytes.size()};
  }
  // A copy in memory of its own; out_of_memory.
  static Result<Chunk> copy_of(std::span<const std::byte> bytes);

  Chunk(Chunk&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        slab_(std::exchange(other.slab_, nullptr)) {}
  Chunk& operator=(Chunk&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(slab_, other.slab_);
    return *this;
  }
  ~Chunk() {
    if (slab_ != nullptr && --slab_->references == 0) recycle(*slab_);
  }

  explicit operator bool() const noexcept { return size_ != 0; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  // Empty, and keeps nothing either.
  [[nodiscard]] bool is_blank() const noexcept { return (size_ | reinterpret_cast<std::uintptr_t>(slab_)) == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::byte* data() noexcept { return data_; }
  [[nodiscard]] const std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  [[nodiscard]] std::span<std::byte> bytes() noexcept { return {data_, size_}; }
  // Valid as long as this Chunk.
  [[nodiscard]] std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }

  // Takes the first `count` bytes away as a Chunk of their own; the rest stays. count <= size().
  [[nodiscard]] Chunk split(std::size_t count) noexcept {
    MEARI_ASSERT(count <= size_);
    if (slab_ != nullptr) ++slab_->references;
    Chunk front(slab_, data_, count);
    drop(count);
    return front;
  }
  // Forgets the first `count` bytes.
  void drop(std::size_t count) noexcept {
    MEARI_ASSERT(count <= size_);
    data_ += count;
    size_ -= count;
  }
  // Forgets all but the first `count` bytes.
  void keep(std::size_t count) noexcept {
    MEARI_ASSERT(count <= size_);
    size_ = count;
  }
  // Takes `other` in when its bytes follow ours in the same memory; says whether it did.
  [[nodiscard]] bool join(Chunk& other) noexcept {
    if (slab_ == nullptr || slab_ != other.slab_ || data_ + size_ != other.data_) return false;
    size_ += std::exchange(other.size_, 0);
    return true;
  }

  // Is it a loan from a pool (and not a view, nor an allocation of its own)?
  [[nodiscard]] bool on_loan() const noexcept { return slab_ != nullptr && slab_->pool != nullptr; }
  // The memory that this Chunk keeps from being used again, in bytes.
  [[nodiscard]] std::size_t pins() const noexcept { return slab_ == nullptr ? 0 : slab_->capacity; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  Slab* slab_ = nullptr;
};

}  // namespace v1
}  // namespace meari
