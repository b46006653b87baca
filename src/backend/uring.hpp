// Makes the backend over io_uring(7). Two rungs:
//
//   current   Linux 6.17 and later: one armed receive goes on giving bytes, up to a credit of 64 KiB, out of few slabs
//             that the kernel fills for all connections ("uring")
//   floor     Linux 6.1 and later: one receive at a time, its buffer chosen by the kernel ("uring-floor")
//
// Which one is decided by trying (uring_probe.hpp), not by the kernel's version.
#pragma once

#include <cstddef>
#include <memory>

#include <meari/backend.hpp>

namespace meari {
inline namespace v1 {

struct UringOptions {
  std::size_t pool_bytes = std::size_t{64} << 20;
  bool floor = false;          // although more would be possible
  unsigned submissions = 256;  // places in the two queues; tests take few
  unsigned completions = 4096;
};

// Fails with the system's error when this kernel, or who rules it, gives no io_uring.
Result<std::unique_ptr<Backend>> make_uring(const UringOptions& options);

}  // namespace v1
}  // namespace meari
