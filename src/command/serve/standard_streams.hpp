// The handler stdio: standard input goes to the client, what the client sends goes to standard output, both at once. One
// session at a time has them; the next begins where the last left off.
#pragma once

#include "handlers.hpp"

namespace meari::command {

[[nodiscard]] Handling handling_of_standard_streams(Premises& premises);

}  // namespace meari::command
