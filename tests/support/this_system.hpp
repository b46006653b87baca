// What the harness needs to know of the system that it runs on: this_system_posix.cpp and this_system_windows.cpp.
#pragma once

#include <cstdint>

namespace meari::test {

[[nodiscard]] bool is_wine() noexcept;  // Windows that is not Windows
[[nodiscard]] long process_number() noexcept;
// From now on no further descriptor can be had. Returns what allow_descriptors() takes to end that.
[[nodiscard]] std::uint64_t forbid_descriptors();
void allow_descriptors(std::uint64_t before);

}  // namespace meari::test
