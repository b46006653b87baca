#include <dirent.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "src/os/usage.hpp"

namespace meari::os {

using std::chrono::nanoseconds;

nanoseconds thread_cpu_time() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

// proc(5), schedstat: nanoseconds on a processor. (stat counts in ticks of 10 ms.)
std::optional<nanoseconds> process_cpu_time(long process) noexcept {
  const std::string folder = "/proc/" + std::to_string(process) + "/task";
  const std::unique_ptr<DIR, int (*)(DIR*)> tasks(::opendir(folder.c_str()), ::closedir);
  if (tasks == nullptr) return {};
  nanoseconds sum{};
  while (const dirent* entry = ::readdir(tasks.get())) {
    if (entry->d_name[0] == '.') continue;
    std::ifstream file(folder + '/' + entry->d_name + "/schedstat");
    long long on_processor = 0;
    if (file >> on_processor) sum += nanoseconds(on_processor);
  }
  return sum;
}

std::optional<std::uint64_t> resident_memory(long process) noexcept {
  std::ifstream file("/proc/" + std::to_string(process) + "/statm");
  std::uint64_t all = 0;
  std::uint64_t resident = 0;
  if (!(file >> all >> resident)) return {};
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// Two lines that belong together: names, then values.
std::optional<std::uint64_t> listen_overflows() noexcept {
  std::ifstream file("/proc/net/netstat");
  std::string names;
  std::string values;
  while (std::getline(file, names) && std::getline(file, values)) {
    if (!names.starts_with("TcpExt:")) continue;
    std::istringstream name_words(names);
    std::istringstream value_words(values);
    std::string name;
    std::string value;
    while (name_words >> name && value_words >> value)
      if (name == "ListenOverflows") return std::strtoull(value.c_str(), nullptr, 10);
  }
  return {};
}

}  // namespace meari::os
