#include "handlers.hpp"

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <meari/channel.hpp>
#include <meari/deadline.hpp>
#include <meari/scope.hpp>

#include "chat.hpp"
#include "exec.hpp"
#include "forward.hpp"
#include "services.hpp"
#include "standard_streams.hpp"

namespace meari::command {
namespace {

// As fast as it goes, and with nobody who looks on: without the Client between.
Task<> echo_at_once(Stream peer, Session&) {
  while (Chunk data = co_await peer.read()) co_await peer.write(std::move(data));
}

Task<> echo(Client& peer, Session&) {
  while (Chunk data = co_await peer.read()) co_await peer.write(std::move(data));
}

Task<> read_all(Client& peer) {
  while (Chunk data = co_await peer.read()) data.drop(data.size());
}

Task<> discard(Client& peer, Session&) { co_await read_all(peer); }

// What the client sends meanwhile is drained by the close that follows, so that no RST takes the greeting away from it.
Task<> greet(Client& peer, std::string_view greeting) { co_await peer.write(greeting); }

// Without an end: the client's end of input does not stop it, and the client's going is how it ends.
Task<> chargen(Client& peer, Session& session) {
  auto both_ways = [&](Scope& scope) -> Task<> {
    auto listen = [&peer] { return read_all(peer); };
    scope.spawn(listen);
    while (!session.draining()) co_await peer.write(generated_characters());
    scope.cancel();
  };
  Result<> over = co_await as_result(scoped(both_ways));
  if (!over && !over.error().peer_is_gone()) co_await std::move(over);
}

Task<> tell_daytime(Client& peer, Session&) {
  const std::string now = daytime(std::chrono::system_clock::now());
  co_await peer.write(std::string_view(now));
}

Task<> tell_time(Client& peer, Session&) {
  const std::array<char, 4> now = seconds_since_1900(std::chrono::system_clock::now());
  co_await peer.write(std::string_view(now.data(), now.size()));
}

// With several workers a session begins on its own thread, and its number and its first line on the server's. What is
// posted now runs there after both.
Task<std::uint64_t> number_of(Premises& premises, const Session& session) {
  if (Loop::current() == &premises.loop) co_return premises.number_of(session);
  auto answer = std::make_shared<Channel<std::uint64_t>>(ChannelOptions{.capacity = 1});
  premises.loop.post(
      [answer, &premises, &session] { static_cast<void>(answer->try_send(premises.number_of(session))); });
  const std::optional<std::uint64_t> number = co_await answer->receive();
  co_return number.value_or(0);
}

// As the close of a Stream does it, but seen by the Tap: what the client sends after the handler's end is read for a while.
Task<> see_off(Client& client) {
  constexpr std::size_t most = std::size_t{64} << 10;
  co_await client.finish();
  for (std::size_t read = 0; !client.at_end() && read < most;) {
    const Chunk data = co_await client.read();
    read += data.size();
  }
}

using Handle = std::function<Task<>(Client&, Session&)>;

Task<> serve_plainly(Premises& premises, const Handle& handle, Stream peer, Session& session) {
  const std::uint64_t limit = premises.settings.limit_rate;
  if (limit == 0) {
    Client client(std::move(peer), 0, nullptr);
    co_return co_await handle(client, session);
  }
  const std::uint64_t number = co_await number_of(premises, session);
  Slowdown slowdown(premises.log, number, limit);
  Client client(std::move(peer), limit, &slowdown);
  co_await handle(client, session);
}

Task<> serve_tapped(Premises& premises, const Handle& handle, Stream peer, Session& session) {
  constexpr std::chrono::seconds time_to_see_off{2};
  const std::uint64_t number = co_await number_of(premises, session);
  Tap tap(premises, session, number);
  Slowdown slowdown(premises.log, number, premises.settings.limit_rate);
  Client client(std::move(peer), premises.settings.limit_rate, &slowdown, &tap);
  co_await tap.open();
  const Result<> over = co_await as_result(handle(client, session));
  session.at_drain(AtDrain::end);
  if (over) co_await ignore_error(with_timeout(time_to_see_off, see_off(client)));
  co_await tap.close();
  co_await Result<>(over);
}

}  // namespace

Handling handling_for(Premises& premises) {
  const ServeSettings& settings = premises.settings;
  switch (settings.handler) {
    case Handler::echo: break;
    case Handler::discard: return {.handle = &discard};
    case Handler::chargen: return {.handle = &chargen};
    case Handler::daytime: return {.handle = &tell_daytime};
    case Handler::time: return {.handle = &tell_time};
    case Handler::greet:
      return {.handle = [&settings](Client& peer, Session&) { return greet(peer, settings.greeting); }};
    case Handler::stdio: return handling_of_standard_streams(premises);
    case Handler::forward: return handling_of_forwarding(premises);
    case Handler::exec: return handling_of_execution(premises);
    case Handler::chat: return handling_of_chat(premises);
    case Handler::broadcast: return handling_of_broadcast(premises);
  }
  return {.handle = &echo};
}

Server::Handler session_handler(Premises& premises, const Handling& handling) {
  const ServeSettings& settings = premises.settings;
  const Handle& handle = handling.handle;
  if (settings.is_tapped()) {
    return [&premises, &handle](Stream peer, Session& session) {
      return serve_tapped(premises, handle, std::move(peer), session);
    };
  }
  if (settings.handler == Handler::echo && settings.limit_rate == 0) return &echo_at_once;
  return [&premises, &handle](Stream peer, Session& session) {
    return serve_plainly(premises, handle, std::move(peer), session);
  };
}

}  // namespace meari::command
