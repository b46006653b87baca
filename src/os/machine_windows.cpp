#include <cstdlib>
#include <thread>

#include "src/os/machine.hpp"

namespace meari::os {

Machine this_machine() {
  Machine machine{.system = "Windows", .processor = "", .processors = std::thread::hardware_concurrency()};
  if (const char* name = std::getenv("PROCESSOR_IDENTIFIER"); name != nullptr) machine.processor = name;
  return machine;
}

}  // namespace meari::os
