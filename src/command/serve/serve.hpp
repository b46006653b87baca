// `meari serve`: a server until Ctrl-C.
#pragma once

#include "src/command/flags/options.hpp"
#include "src/command/speech/status.hpp"
#include "src/command/speech/talk.hpp"

namespace meari::command {

[[nodiscard]] Status serve(const ServeSettings& settings, Talk& talk);

}  // namespace meari::command
