// The handler forward: each client gets a connection of its own to the target, and what one says goes to the other.
//
//   client ──read──► write──► target      its FIN is passed on as FIN, a RST as RST, each direction by itself
//   client ◄──write ◄──read── target      whoever does not read stops the other: that is the backpressure
//
// A client that is here before the target answers waits. A target that refuses is asked again a few times, and then the
// session ends with the reason. A connection that leads back to this very server is refused: it would never end.
#pragma once

#include "handlers.hpp"

namespace meari::command {

[[nodiscard]] Handling handling_of_forwarding(Premises& premises);

}  // namespace meari::command
