// What every peer begins with: the same listener, made and announced in the same way.
//
//   const int listener = peer::listen_on(count, arguments);   // PROGRAM PORT; port 0: the system chooses
//   peer::announce(listener);                                 // "listening on 127.0.0.1:41234"
//
// TCP_NODELAY is set on the listener, once: what it accepts inherits it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace peer {

[[noreturn]] inline void fail(const char* what, int code = errno) {
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(code));
  std::exit(1);
}

inline int listen_on(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: %s PORT\n", arguments[0]);
    std::exit(2);
  }
  std::signal(SIGPIPE, SIG_IGN);  // not every library says MSG_NOSIGNAL
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (listener < 0) fail("socket");
  const int yes = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  ::setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(arguments[1])));
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("bind");
  if (::listen(listener, 4096) != 0) fail("listen");
  return listener;
}

inline void announce(int listener) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  if (::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) != 0) fail("getsockname");
  std::printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
}

}  // namespace peer
