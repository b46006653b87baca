#include <meari/bytes.hpp>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>

namespace meari {
inline namespace v1 {

struct Bytes::Block {
  std::atomic<std::size_t> owners{1};
};

Result<Bytes> Bytes::try_copy_of(std::span<const std::byte> bytes) noexcept {
  Bytes copy;
  if (bytes.empty()) return copy;
  void* memory = ::operator new(sizeof(Block) + bytes.size(), std::nothrow);
  if (memory == nullptr) return Errc::out_of_memory;
  copy.block_ = new (memory) Block;
  auto* data = static_cast<std::byte*>(memory) + sizeof(Block);
  std::memcpy(data, bytes.data(), bytes.size());
  copy.data_ = data;
  copy.size_ = bytes.size();
  return copy;
}

Bytes Bytes::copy_of(std::span<const std::byte> bytes) {
  Result<Bytes> copy = try_copy_of(bytes);
#if defined(__cpp_exceptions)
  if (!copy) throw std::bad_alloc();
#endif
  return std::move(copy).value();
}

Bytes Bytes::substr(std::size_t offset, std::size_t count) const noexcept {
  Bytes part(*this);
  offset = std::min(offset, size_);
  part.data_ += offset;
  part.size_ = std::min(count, size_ - offset);
  return part;
}

void Bytes::retain() const noexcept {
  if (block_ != nullptr) block_->owners.fetch_add(1, std::memory_order_relaxed);
}

void Bytes::release() noexcept {
  if (block_ == nullptr || block_->owners.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  block_->~Block();
  ::operator delete(static_cast<void*>(block_));
}

}  // namespace v1
}  // namespace meari
