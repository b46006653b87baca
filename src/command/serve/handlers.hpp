// What `meari serve` does with a connection: the handlers of the table in flags/flags.cpp.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <unordered_map>
#include <vector>

#include <meari/server.hpp>

#include "client.hpp"
#include "log.hpp"
#include "src/command/flags/options.hpp"
#include "src/command/speech/line_writer.hpp"

namespace meari::command {

// The server, as far as its handlers have to know it. Outlives them.
struct Premises {
  Loop& loop;
  const ServeSettings& settings;
  const Log& log;
  LineWriter& lines;
  std::vector<Address> addresses;                            // where it listens
  std::unordered_map<std::uint64_t, std::uint64_t> numbers;  // of the sessions that are open, as the log counts them
  std::function<void()> stop;                                // as SIGTERM does
  std::atomic<bool> cut_short = false;                       // something got lost that no session can tell of

  [[nodiscard]] std::uint64_t number_of(const Session& session) const {
    const auto found = numbers.find(session.id());
    return found == numbers.end() ? 0 : found->second;
  }
};

struct Handling {
  std::function<Task<>(Client&, Session&)> handle;
  // Asked when it is known where the server listens, and before anybody is served; most have nothing to say.
  std::function<Result<>()> ready;
  // Runs as long as the server serves; most need nothing of the kind.
  std::function<Task<>()> alongside;
};
[[nodiscard]] Handling handling_for(Premises& premises);
// What the server calls for each connection. Refers to `handling`.
[[nodiscard]] Server::Handler session_handler(Premises& premises, const Handling& handling);

}  // namespace meari::command
