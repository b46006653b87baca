// Echo on libuv, tuned as far as its documentation goes.
//
//   libuv_echo PORT
//
// Everybody receives into one buffer and is answered with uv_try_write(); only what a peer does not take is kept.
#include <uv.h>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "peer.hpp"

namespace {

std::array<char, 128UL * 1024> buffer;  // everybody's

struct Session {
  uv_tcp_t stream{};
  uv_write_t request{};
  std::string unsent;
};

Session& session_of(void* stream) { return *static_cast<Session*>(static_cast<uv_handle_t*>(stream)->data); }
uv_stream_t* stream_of(Session& session) { return reinterpret_cast<uv_stream_t*>(&session.stream); }

void close(Session& session) {
  auto* handle = reinterpret_cast<uv_handle_t*>(&session.stream);
  if (uv_is_closing(handle) == 0) uv_close(handle, [](uv_handle_t* closed) { delete &session_of(closed); });
}

void lend(uv_handle_t*, std::size_t, uv_buf_t* loan) { *loan = uv_buf_init(buffer.data(), buffer.size()); }

void echo(uv_stream_t* stream, ssize_t count, const uv_buf_t*) {
  Session& session = session_of(stream);
  if (count == 0) return;  // nothing was there
  if (count < 0) return close(session);
  const std::string_view received(buffer.data(), static_cast<std::size_t>(count));
  uv_buf_t answer = uv_buf_init(buffer.data(), static_cast<unsigned>(count));
  const int sent = uv_try_write(stream, &answer, 1);
  if (sent == count) return;
  if (sent < 0 && sent != UV_EAGAIN) return close(session);
  session.unsent = received.substr(sent < 0 ? 0 : static_cast<std::size_t>(sent));
  uv_read_stop(stream);
  uv_buf_t rest = uv_buf_init(session.unsent.data(), static_cast<unsigned>(session.unsent.size()));
  uv_write(&session.request, stream, &rest, 1, [](uv_write_t* request, int failed) {
    Session& waited = session_of(request->handle);
    if (failed != 0) return close(waited);
    uv_read_start(stream_of(waited), lend, echo);
  });
}

void accept(uv_stream_t* listener, int failed) {
  if (failed != 0) return;
  auto* session = new Session;
  uv_tcp_init(listener->loop, &session->stream);
  session->stream.data = session;
  if (uv_accept(listener, stream_of(*session)) != 0) return close(*session);
  uv_read_start(stream_of(*session), lend, echo);
}

}  // namespace

int main(int count, char** arguments) {
  const int descriptor = peer::listen_on(count, arguments);
  uv_loop_t* loop = uv_default_loop();
  uv_tcp_t listener{};
  uv_tcp_init(loop, &listener);
  uv_tcp_open(&listener, descriptor);
  if (const int code = uv_listen(reinterpret_cast<uv_stream_t*>(&listener), 4096, accept); code != 0)
    peer::fail("uv_listen", -code);
  peer::announce(descriptor);
  return uv_run(loop, UV_RUN_DEFAULT);
}
