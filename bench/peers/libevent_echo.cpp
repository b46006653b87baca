// Echo on libevent's buffered streams, tuned as far as its documentation goes.
//
//   libevent_echo PORT
//
// No locks; changes of interest are handed to epoll in batches; received memory moves to the output without a copy;
// writes as large as they come. (One recv() of libevent 2.1 takes at most 4 KiB, whatever is asked for; that is what makes
// it slow with large messages.) A peer that does not read is not read from.
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include <cstddef>

#include "peer.hpp"

namespace {

constexpr std::size_t largest_piece = 128UL * 1024;
constexpr std::size_t most_unsent = 1024UL * 1024;

void echo(bufferevent* stream, void*) {
  evbuffer* const output = bufferevent_get_output(stream);
  evbuffer_add_buffer(output, bufferevent_get_input(stream));
  if (evbuffer_get_length(output) > most_unsent) bufferevent_disable(stream, EV_READ);
}

void drained(bufferevent* stream, void*) {
  if ((bufferevent_get_enabled(stream) & EV_READ) == 0) bufferevent_enable(stream, EV_READ);
}

void ended(bufferevent* stream, short, void*) {
  // The end of what was received, or a failure: nothing is owed but what waits in the output.
  evbuffer* const output = bufferevent_get_output(stream);
  if (evbuffer_get_length(output) == 0) return bufferevent_free(stream);
  bufferevent_setcb(
      stream, nullptr, [](bufferevent* rest, void*) { bufferevent_free(rest); },
      [](bufferevent* rest, short, void*) { bufferevent_free(rest); }, nullptr);
}

void accept(evconnlistener* listener, evutil_socket_t descriptor, sockaddr*, int, void*) {
  bufferevent* const stream =
      bufferevent_socket_new(evconnlistener_get_base(listener), descriptor, BEV_OPT_CLOSE_ON_FREE);
  bufferevent_set_max_single_read(stream, largest_piece);
  bufferevent_set_max_single_write(stream, largest_piece);
  bufferevent_setcb(stream, echo, drained, ended, nullptr);
  bufferevent_enable(stream, EV_READ | EV_WRITE);
}

}  // namespace

int main(int count, char** arguments) {
  const int descriptor = peer::listen_on(count, arguments);
  event_config* const config = event_config_new();
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
  event_base* const base = event_base_new_with_config(config);
  event_config_free(config);
  if (base == nullptr || evconnlistener_new(base, accept, nullptr, LEV_OPT_CLOSE_ON_EXEC, 0, descriptor) == nullptr) {
    std::fprintf(stderr, "libevent could not start\n");
    return 1;
  }
  peer::announce(descriptor);
  return event_base_dispatch(base);
}
