// `meari bench`: measures a server from outside, and says how far its own figures can be trusted.
#pragma once

#include "src/command/flags/options.hpp"
#include "src/command/speech/status.hpp"
#include "src/command/speech/talk.hpp"

namespace meari::command {

[[nodiscard]] Status bench(const BenchSettings& settings, Talk& talk);

}  // namespace meari::command
