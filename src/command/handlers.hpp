// What `meari serve` does with a connection: the handlers of the table in flags.cpp.
#pragma once

#include <meari/server.hpp>

#include "options.hpp"

namespace meari::command {

// The settings must live as long as the handler.
[[nodiscard]] Server::Handler handler_for(const ServeSettings& settings);

}  // namespace meari::command
