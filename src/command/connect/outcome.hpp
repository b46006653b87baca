// Outcome: what one conversation was, for whoever compares several.
#pragma once

#include <optional>
#include <string>

#include <meari/operation.hpp>

#include "src/command/speech/status.hpp"

namespace meari::command {

struct Outcome {
  Status status = Status::ok;
  std::string to;                      // the peer's address
  std::optional<Duration> connecting;  // how long it took; nothing where it did not come to that, or over datagrams
  std::optional<Duration> replying;    // how long the first byte took after the first of ours
};

}  // namespace meari::command
