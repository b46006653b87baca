// Socket: the eight calls that everyone learns sockets with, blocking, one method for each, the same on Linux and
// on Windows. No loop and no coroutine: a server that serves one client at a time is complete with this header.
//
//   Socket listener = Socket::open(Family::ipv4, Kind::stream).value();
//   listener.bind({"0.0.0.0", 9000}).value();
//   listener.listen().value();                            // backlog: as long as the system allows
//   auto [peer, from] = listener.accept().value();        // a new socket; the listener goes on listening
//   auto received = peer.recv(buffer).value();            // 0 = the peer has finished
//   peer.send_all(std::span(buffer).first(received)).value();
//
// Every call is restarted when a signal interrupts it. No call ever raises SIGPIPE. Sockets are not inherited by
// child processes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include <meari/address.hpp>
#include <meari/result.hpp>

namespace meari {
inline namespace v1 {

// What the system calls a socket by: a file descriptor, or a SOCKET on Windows.
using Descriptor = std::intptr_t;
inline constexpr Descriptor no_descriptor = -1;

struct Accepted;
struct ReceivedFrom;

class MEARI_EXPORT Socket {
 public:
  enum class Direction : std::uint8_t { receive, send, both };  // SHUT_RD, SHUT_WR, SHUT_RDWR

  Socket() noexcept = default;
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, no_descriptor)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~Socket();

  // socket(2). A stream over IPv6 also accepts IPv4 unless `v6_only` is set later.
  static Result<Socket> open(Family family, Kind kind);
  // Takes over a descriptor that somebody else opened.
  static Socket adopt(Descriptor descriptor) noexcept;
  // A connected pair of Unix-domain streams (socketpair(2)); on Windows over loopback.
  static Result<std::pair<Socket, Socket>> pair();

  // bind(2). A stream on POSIX gets SO_REUSEADDR, so that a restarted server is not kept waiting by TIME_WAIT;
  // on Windows SO_EXCLUSIVEADDRUSE. Fails with address_in_use, address_not_available, permission_denied.
  Result<> bind(const Address& address);
  // listen(2). Without an argument the queue is as long as the system allows (net.core.somaxconn).
  Result<> listen(int backlog = -1);
  // accept(2): waits for a client; its socket and its address.
  Result<Accepted> accept();
  // connect(2). Refuses a connection of a socket to itself with self_connect.
  Result<> connect(const Address& address);
  // send(2): may take only a part; returns how many bytes were taken.
  Result<std::size_t> send(std::span<const std::byte> bytes);
  Result<std::size_t> send(std::string_view text);
  // Sends all of it, however many calls that takes.
  Result<> send_all(std::span<const std::byte> bytes);
  Result<> send_all(std::string_view text);
  template <std::size_t N>
  Result<> send_all(std::span<char, N> text) {
    return send_all(std::string_view(text.data(), text.size()));
  }
  // recv(2): at least one byte, or 0 when the peer has finished sending.
  Result<std::size_t> recv(std::span<std::byte> buffer);
  Result<std::size_t> recv(std::span<char> buffer);
  // Fills the buffer, or fails with unexpected_end when the peer finishes before.
  Result<> recv_exactly(std::span<std::byte> buffer);
  // One datagram. What does not fit is cut off; `truncated` says so.
  Result<std::size_t> send_to(std::span<const std::byte> bytes, const Address& target);
  Result<ReceivedFrom> recv_from(std::span<std::byte> buffer);
  // shutdown(2): "I have finished sending" is Direction::send.
  Result<> shutdown(Direction direction);
  // close(2) now, with its result; the destructor does the same without.
  Result<> close();

  [[nodiscard]] Result<Address> local() const;  // getsockname(2): after bind to port 0, the port the kernel chose
  [[nodiscard]] Result<Address> peer() const;   // getpeername(2)

  // Options, each the setsockopt(2) of its name.
  Result<> set_no_delay(bool on);                                // TCP_NODELAY
  Result<> set_keep_alive(bool on);                              // SO_KEEPALIVE with 60 s idle, 10 s interval, 3 probes
  Result<> set_reuse_port(bool on);                              // SO_REUSEPORT; not_supported on Windows
  Result<> set_v6_only(bool on);                                 // IPV6_V6ONLY
  Result<> set_send_buffer(int bytes);                           // SO_SNDBUF
  Result<> set_receive_buffer(int bytes);                        // SO_RCVBUF
  Result<> set_linger(int seconds);                              // SO_LINGER; 0: close sends RST
  Result<> set_receive_timeout(std::chrono::milliseconds time);  // SO_RCVTIMEO; 0: none. recv fails with timed_out
  Result<> set_non_blocking(bool on);

  [[nodiscard]] bool is_open() const noexcept { return descriptor_ != no_descriptor; }
  [[nodiscard]] Descriptor descriptor() const noexcept { return descriptor_; }
  [[nodiscard]] Descriptor release() noexcept { return std::exchange(descriptor_, no_descriptor); }

 private:
  explicit Socket(Descriptor descriptor) noexcept : descriptor_(descriptor) {}
  Descriptor descriptor_ = no_descriptor;
};

struct Accepted {
  Socket socket;
  Address from;
};
struct ReceivedFrom {
  std::size_t size = 0;
  Address from;
  bool truncated = false;
};

}  // namespace v1
}  // namespace meari
