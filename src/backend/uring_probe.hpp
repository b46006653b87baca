// What the io_uring of this kernel can do: tried out, not believed.
#pragma once

#include <meari/error.hpp>

namespace meari {
inline namespace v1 {
namespace uring {

struct Abilities {
  Error refused;         // no ring to be had, or not even the floor works
  bool current = false;  // an incremental buffer ring, and multishot receives with a credit
  // A buffer that is in the ring may be changed between two enters, on either rung.
  bool current_rewinds = false;
  bool floor_rewinds = false;
};

// Takes well under a millisecond. What was found is kept for the process, unless only memory or descriptors were short.
[[nodiscard]] Abilities probe();
// Tries it all again.
[[nodiscard]] Abilities probe_now() noexcept;

}  // namespace uring
}  // namespace v1
}  // namespace meari
