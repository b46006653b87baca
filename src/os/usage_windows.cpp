#include <windows.h>
// windows.h has to come before psapi.h
#include <psapi.h>

#include <memory>
#include <type_traits>

#include "usage.hpp"

namespace meari::os {

namespace {

using std::chrono::nanoseconds;

// FILETIME counts in 100 ns.
nanoseconds time_of(const FILETIME& time) noexcept {
  const ULARGE_INTEGER count{.u = {.LowPart = time.dwLowDateTime, .HighPart = time.dwHighDateTime}};
  return nanoseconds(static_cast<nanoseconds::rep>(count.QuadPart) * 100);
}

struct Close {
  void operator()(HANDLE handle) const noexcept { ::CloseHandle(handle); }
};
using Process = std::unique_ptr<std::remove_pointer_t<HANDLE>, Close>;

Process process_of(long number) noexcept {
  return Process(::OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, static_cast<DWORD>(number)));
}

}  // namespace

nanoseconds thread_cpu_time() noexcept {
  FILETIME created, ended, kernel, user;
  if (::GetThreadTimes(::GetCurrentThread(), &created, &ended, &kernel, &user) == 0) return {};
  return time_of(kernel) + time_of(user);
}

std::optional<nanoseconds> process_cpu_time(long number) noexcept {
  FILETIME created, ended, kernel, user;
  const Process process = process_of(number);
  if (process == nullptr || ::GetProcessTimes(process.get(), &created, &ended, &kernel, &user) == 0) return {};
  return time_of(kernel) + time_of(user);
}

std::optional<std::uint64_t> resident_memory(long number) noexcept {
  PROCESS_MEMORY_COUNTERS counters{};
  counters.cb = sizeof counters;
  const Process process = process_of(number);
  if (process == nullptr || ::K32GetProcessMemoryInfo(process.get(), &counters, sizeof counters) == 0) return {};
  return counters.WorkingSetSize;
}

std::optional<std::uint64_t> listen_overflows() noexcept { return {}; }  // Windows refuses them, and does not count

}  // namespace meari::os
