#include "this_system.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>

#include "backend_harness.hpp"

namespace meari::test {

const std::vector<Make>& makes() {
  static const std::vector<Make> all = {Make::epoll, Make::uring, Make::uring_floor, Make::wire};
  return all;
}

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

bool is_wine() noexcept { return false; }

long process_number() noexcept { return ::getpid(); }

std::uint64_t forbid_descriptors() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const std::uint64_t before = limit.rlim_cur;
  // The system gives the lowest free number, so that this is the first that may not be had.
  const int lowest_free = ::dup(0);
  ::close(lowest_free);
  limit.rlim_cur = static_cast<rlim_t>(lowest_free);
  setrlimit(RLIMIT_NOFILE, &limit);
  return before;
}

void allow_descriptors(std::uint64_t before) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = before;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace meari::test
