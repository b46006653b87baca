// `meari connect`: a client, line by line on a terminal, two half-pipes otherwise.
#pragma once

#include "options.hpp"
#include "status.hpp"
#include "talk.hpp"

namespace meari::command {

[[nodiscard]] Status connect(const ConnectSettings& settings, Talk& talk);

}  // namespace meari::command
