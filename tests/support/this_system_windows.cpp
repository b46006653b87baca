#include "this_system.hpp"

#include <windows.h>

#include "backend_harness.hpp"
#include "src/os/native.hpp"

namespace meari::test {

const std::vector<Make>& makes() {
  static const std::vector<Make> all = {Make::iocp, Make::wire};
  return all;
}

std::size_t open_descriptors() { return os::open_descriptors().value_or(0); }

bool is_wine() noexcept { return ::GetProcAddress(::GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != nullptr; }

long process_number() noexcept { return static_cast<long>(::GetCurrentProcessId()); }

std::uint64_t forbid_descriptors() { return 0; }
void allow_descriptors(std::uint64_t) {}

}  // namespace meari::test
