// Socket, as far as it is the same on every system: the loops around short sends and receives, and errors that name the
// address. What differs is behind calls.hpp and native.hpp.
#include <meari/socket.hpp>

#include "calls.hpp"
#include "native.hpp"

namespace meari {
inline namespace v1 {

namespace {

// The failure of an exchange, with the peer's address if the system still knows it.
Error failed_with_peer(const Error& failed, Descriptor descriptor, const char* operation, const char* operation_to) {
  const Result<Address> peer = os::peer_address(descriptor);
  return peer ? failed.during(operation_to, *peer) : failed.during(operation);
}

std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

}  // namespace

Socket::~Socket() {
  if (is_open()) static_cast<void>(os::close(descriptor_));
}

Result<Socket> Socket::open(Family family, Kind kind) { return os::open_socket(family, kind, os::Blocking::yes); }

Socket Socket::adopt(Descriptor descriptor) noexcept {
  static_cast<void>(os::start_network());  // if that fails, the first call on the socket says so
  return Socket(descriptor);
}

Result<std::pair<Socket, Socket>> Socket::pair() {
  Result<std::pair<Descriptor, Descriptor>> both = os::socket_pair();
  if (!both) return both.error();
  return std::pair(Socket(both->first), Socket(both->second));
}

Result<> Socket::bind(const Address& address) { return os::bind(descriptor_, address); }
Result<> Socket::listen(int backlog) { return os::listen(descriptor_, backlog); }
Result<Accepted> Socket::accept() { return os::accept(descriptor_); }
Result<> Socket::connect(const Address& address) { return os::connect(descriptor_, address); }

Result<std::size_t> Socket::send(std::span<const std::byte> bytes) {
  if (bytes.empty()) return std::size_t{0};
  Result<std::size_t> sent = os::send(descriptor_, bytes);
  if (!sent) return failed_with_peer(sent.error(), descriptor_, "send", "send to");
  return sent;
}

Result<std::size_t> Socket::send(std::string_view text) { return send(as_bytes(text)); }

Result<> Socket::send_all(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const Result<std::size_t> sent = send(bytes);
    if (!sent) return sent.error();
    bytes = bytes.subspan(*sent);
  }
  return {};
}

Result<> Socket::send_all(std::string_view text) { return send_all(as_bytes(text)); }

Result<std::size_t> Socket::recv(std::span<std::byte> buffer) {
  // The system answers 0 when there is no room: that would look like the end of the stream.
  if (buffer.empty()) return Error(Errc::invalid_argument, "receive").because("there is no room in the buffer");
  Result<std::size_t> received = os::receive(descriptor_, buffer);
  if (!received) return failed_with_peer(received.error(), descriptor_, "receive", "receive from");
  return received;
}

Result<std::size_t> Socket::recv(std::span<char> buffer) { return recv(std::as_writable_bytes(buffer)); }

Result<> Socket::recv_exactly(std::span<std::byte> buffer) {
  while (!buffer.empty()) {
    const Result<std::size_t> received = recv(buffer);
    if (!received) return received.error();
    if (*received == 0) return failed_with_peer(Errc::unexpected_end, descriptor_, "receive", "receive from");
    buffer = buffer.subspan(*received);
  }
  return {};
}

Result<std::size_t> Socket::send_to(std::span<const std::byte> bytes, const Address& target) {
  Result<std::size_t> sent = os::send_to(descriptor_, bytes, target);
  if (!sent) return sent.error().during("send to", target);
  return sent;
}

Result<ReceivedFrom> Socket::recv_from(std::span<std::byte> buffer) {
  Result<ReceivedFrom> received = os::receive_from(descriptor_, buffer);
  if (!received) return failed_with_peer(received.error(), descriptor_, "receive", "receive from");
  return received;
}

Result<> Socket::shutdown(Direction direction) {
  if (sys::shutdown(descriptor_, os::native_direction(direction)) == 0) return {};
  return system_error(sys::last_error(), "shut down");
}

Result<> Socket::close() { return os::close(std::exchange(descriptor_, no_descriptor)); }

Result<Address> Socket::local() const { return os::local_address(descriptor_); }
Result<Address> Socket::peer() const { return os::peer_address(descriptor_); }

Result<> Socket::set_no_delay(bool on) { return os::set_no_delay(descriptor_, on); }
Result<> Socket::set_keep_alive(bool on) { return os::set_keep_alive(descriptor_, on); }
Result<> Socket::set_reuse_port(bool on) { return os::set_reuse_port(descriptor_, on); }
Result<> Socket::set_v6_only(bool on) { return os::set_v6_only(descriptor_, on); }
Result<> Socket::set_send_buffer(int bytes) { return os::set_send_buffer(descriptor_, bytes); }
Result<> Socket::set_receive_buffer(int bytes) { return os::set_receive_buffer(descriptor_, bytes); }
Result<> Socket::set_linger(int seconds) { return os::set_linger(descriptor_, seconds); }
Result<> Socket::set_receive_timeout(std::chrono::milliseconds time) {
  return os::set_receive_timeout(descriptor_, time);
}
Result<> Socket::set_non_blocking(bool on) { return os::set_non_blocking(descriptor_, on); }

}  // namespace v1
}  // namespace meari
