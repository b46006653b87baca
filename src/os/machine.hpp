// Which machine this is, as far as it matters to who reads a measurement of it later.
#pragma once

#include <string>

namespace meari::os {

struct Machine {
  std::string system;     // "Linux 6.18.5"
  std::string processor;  // "AMD EPYC 9B14"; empty when the system does not tell
  unsigned processors = 0;
};
[[nodiscard]] Machine this_machine();

}  // namespace meari::os
