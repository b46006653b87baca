// `meari connect`: a client, line by line on a terminal, two half-pipes otherwise.
#pragma once

#include "src/command/flags/options.hpp"
#include "src/command/speech/status.hpp"
#include "src/command/speech/talk.hpp"

namespace meari::command {

[[nodiscard]] Status connect(const ConnectSettings& settings, Talk& talk);

}  // namespace meari::command
