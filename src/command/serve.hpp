// `meari serve`: a server until Ctrl-C.
#pragma once

#include "options.hpp"
#include "status.hpp"
#include "talk.hpp"

namespace meari::command {

[[nodiscard]] Status serve(const ServeSettings& settings, Talk& talk);

}  // namespace meari::command
