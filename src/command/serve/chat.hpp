// The handlers chat, where everybody hears what everybody else says, and broadcast, where everybody hears standard input.
#pragma once

#include "handlers.hpp"

namespace meari::command {

[[nodiscard]] Handling handling_of_chat(Premises& premises);
[[nodiscard]] Handling handling_of_broadcast(Premises& premises);

}  // namespace meari::command
