// What tests of servers share: the echo of the README, and a server that serves until its client has done its part.
#pragma once

#include <chrono>
#include <utility>

#include <meari/deadline.hpp>
#include <meari/loop.hpp>
#include <meari/scope.hpp>
#include <meari/server.hpp>

namespace meari::test {

inline constexpr std::chrono::seconds patience{20};  // for what must happen; never for what must not

inline Task<> echo(Stream peer) {
  while (Chunk data = co_await peer.read()) co_await peer.write(std::move(data));
}

// In the time of the loop, which begins at nought in a simulated world.
inline Duration since_start() { return Loop::current()->now().time_since_epoch(); }

// Runs the server for so long as the client, a function that gives a Task, takes; then drains it.
template <class Client>
Result<> with_client(Loop& loop, Server& server, Client client) {
  auto program = [&server, &client]() -> Task<> {
    auto body = [&server, &client](Scope& scope) -> Task<> {
      auto serving = [&server] { return server.run(); };
      scope.spawn(serving);
      Result<> done = co_await as_result(with_timeout(patience, client()));
      server.drain();
      co_await std::move(done);
    };
    co_await scoped(body);
  };
  return loop.block_on(program);
}

}  // namespace meari::test
