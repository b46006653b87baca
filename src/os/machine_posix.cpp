#include <sys/utsname.h>

#include <fstream>
#include <thread>

#include "src/os/machine.hpp"

namespace meari::os {

Machine this_machine() {
  Machine machine;
  if (utsname names{}; ::uname(&names) == 0)
    machine.system = std::string(names.sysname) + ' ' + static_cast<const char*>(names.release);
  // proc(5): not every architecture has the line.
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("model name")) continue;
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos) machine.processor = line.substr(colon + 2);
    break;
  }
  machine.processors = std::thread::hardware_concurrency();
  return machine;
}

}  // namespace meari::os
