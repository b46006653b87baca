// Counts what this thread allocates, so that a test can say "none".
#pragma once

#include <cstddef>

namespace support {

// How often operator new was called on this thread, and for how many bytes in all.
[[nodiscard]] std::size_t allocations() noexcept;
[[nodiscard]] std::size_t allocated_bytes() noexcept;
// While one of these lives, nothing that this thread allocates is to be had: std::bad_alloc, or nullptr from nothrow.
class NoMemory {
 public:
  NoMemory() noexcept;
  ~NoMemory();
  NoMemory(const NoMemory&) = delete;
  NoMemory& operator=(const NoMemory&) = delete;
};
// Was this built with AddressSanitizer or ThreadSanitizer?
[[nodiscard]] bool is_sanitized() noexcept;
// False under these, which need operator new for themselves: then the two above stay at zero.
[[nodiscard]] bool counts_allocations() noexcept;

}  // namespace support
