// Bytes: immutable bytes that many may hold at once, on any thread.
//
//   Bytes line = Bytes::copy_of(chunk.text());
//   for (Channel<Bytes>& member : room) member.try_send(line);   // one copy of the bytes for the whole room
//
// Copying a Bytes copies a pointer and counts (atomically). A substr() shares the memory of the whole.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include <meari/result.hpp>
#include <meari/version.hpp>

namespace meari {
inline namespace v1 {

class MEARI_EXPORT Bytes {
 public:
  Bytes() noexcept = default;
  // Copies. Throws std::bad_alloc (or aborts where exceptions are off); try_copy_of() fails with out_of_memory.
  static Bytes copy_of(std::span<const std::byte> bytes);
  static Bytes copy_of(std::string_view text) { return copy_of(std::as_bytes(std::span(text.data(), text.size()))); }
  static Result<Bytes> try_copy_of(std::span<const std::byte> bytes) noexcept;

  Bytes(const Bytes& other) noexcept : data_(other.data_), size_(other.size_), block_(other.block_) { retain(); }
  Bytes(Bytes&& other) noexcept
      : data_(other.data_), size_(std::exchange(other.size_, 0)), block_(std::exchange(other.block_, nullptr)) {}
  Bytes& operator=(Bytes other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(block_, other.block_);
    return *this;
  }
  ~Bytes() { release(); }

  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] const std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  [[nodiscard]] std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }
  // `count` bytes from `offset`, cut at the end; shares the memory.
  [[nodiscard]] Bytes substr(std::size_t offset, std::size_t count = static_cast<std::size_t>(-1)) const noexcept;

 private:
  struct Block;
  void retain() const noexcept;
  void release() noexcept;

  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  Block* block_ = nullptr;
};

}  // namespace v1
}  // namespace meari
