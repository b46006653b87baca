// `meari bench`: measures a server from outside, and says how far its own figures can be trusted.
#pragma once

#include "options.hpp"
#include "status.hpp"
#include "talk.hpp"

namespace meari::command {

[[nodiscard]] Status bench(const BenchSettings& settings, Talk& talk);

}  // namespace meari::command
