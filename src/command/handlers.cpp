#include "handlers.hpp"

#include <string_view>
#include <utility>

namespace meari::command {
namespace {

Task<> echo(Stream peer, Session&) {
  while (Chunk data = co_await peer.read()) co_await peer.write(std::move(data));
}

Task<> discard(Stream peer, Session&) {
  while (Chunk data = co_await peer.read()) data.drop(data.size());
}

// What the client sends meanwhile is drained by the close that follows, so that no RST takes the greeting away from it.
Task<> greet(Stream peer, std::string_view greeting) { co_await peer.write(greeting); }

}  // namespace

Server::Handler handler_for(const ServeSettings& settings) {
  switch (settings.handler) {
    case Handler::echo: return &echo;
    case Handler::discard: return &discard;
    case Handler::greet:
      return [&settings](Stream peer, Session&) { return greet(std::move(peer), settings.greeting); };
  }
  return &echo;
}

}  // namespace meari::command
