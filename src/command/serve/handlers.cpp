#include "handlers.hpp"

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include <meari/scope.hpp>

#include "chat.hpp"
#include "client.hpp"
#include "exec.hpp"
#include "forward.hpp"
#include "services.hpp"
#include "standard_streams.hpp"

namespace meari::command {
namespace {

Task<> echo(Stream peer, Session&) {
  while (Chunk data = co_await peer.read()) co_await peer.write(std::move(data));
}

Task<> echo_slowly(Client client) {
  while (Chunk data = co_await client.read()) co_await client.write(std::move(data));
}

Task<> read_all(Client& peer) {
  while (Chunk data = co_await peer.read()) data.drop(data.size());
}

Task<> discard(Client peer) { co_await read_all(peer); }

// What the client sends meanwhile is drained by the close that follows, so that no RST takes the greeting away from it.
Task<> greet(Client peer, std::string_view greeting) { co_await peer.write(greeting); }

// Without an end: the client's end of input does not stop it, and the client's going is how it ends.
Task<> chargen(Client peer, Session& session) {
  auto both_ways = [&](Scope& scope) -> Task<> {
    auto listen = [&peer] { return read_all(peer); };
    scope.spawn(listen);
    while (!session.draining()) co_await peer.write(generated_characters());
    scope.cancel();
  };
  Result<> over = co_await as_result(scoped(both_ways));
  if (!over && !over.error().peer_is_gone()) co_await std::move(over);
}

Task<> tell_daytime(Stream peer, Session&) {
  const std::string now = daytime(std::chrono::system_clock::now());
  co_await peer.write(std::string_view(now));
}

Task<> tell_time(Stream peer, Session&) {
  const std::array<char, 4> now = seconds_since_1900(std::chrono::system_clock::now());
  co_await peer.write(std::string_view(now.data(), now.size()));
}

}  // namespace

Handling handling_for(Premises& premises) {
  const ServeSettings& settings = premises.settings;
  const std::uint64_t rate = settings.limit_rate;
  switch (settings.handler) {
    case Handler::echo:
      if (rate == 0) return {.handle = &echo};
      return {.handle = [rate](Stream peer, Session&) { return echo_slowly(Client(std::move(peer), rate)); }};
    case Handler::discard:
      return {.handle = [rate](Stream peer, Session&) { return discard(Client(std::move(peer), rate)); }};
    case Handler::chargen:
      return {
          .handle = [rate](Stream peer, Session& session) { return chargen(Client(std::move(peer), rate), session); }};
    case Handler::daytime: return {.handle = &tell_daytime};
    case Handler::time: return {.handle = &tell_time};
    case Handler::greet:
      return {.handle = [rate, &settings](Stream peer, Session&) {
        return greet(Client(std::move(peer), rate), settings.greeting);
      }};
    case Handler::stdio: return handling_of_standard_streams(premises);
    case Handler::forward: return handling_of_forwarding(premises);
    case Handler::exec: return handling_of_execution(premises);
    case Handler::chat: return handling_of_chat(premises);
    case Handler::broadcast: return handling_of_broadcast(premises);
  }
  return {.handle = &echo};
}

}  // namespace meari::command
