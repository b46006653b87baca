#include "allocations.hpp"

#include <cstdlib>
#include <new>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

namespace {
thread_local std::size_t calls = 0;
thread_local std::size_t bytes = 0;
thread_local bool none_left = false;

[[maybe_unused]] void* counted(std::size_t size) noexcept {
  ++calls;
  bytes += size;
  if (none_left) return nullptr;
  return std::malloc(size == 0 ? 1 : size);
}
}  // namespace

namespace support {
std::size_t allocations() noexcept { return calls; }
std::size_t allocated_bytes() noexcept { return bytes; }
NoMemory::NoMemory() noexcept { none_left = true; }
NoMemory::~NoMemory() { none_left = false; }
bool is_sanitized() noexcept {
#if defined(SANITIZED)
  return true;
#else
  return false;
#endif
}
bool counts_allocations() noexcept { return !is_sanitized(); }
}  // namespace support

#if !defined(SANITIZED)
void* operator new(std::size_t size) {
  void* memory = counted(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void* operator new[](std::size_t size) { return operator new(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
#endif
