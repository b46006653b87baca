// Socket calls on Windows: where Winsock differs from POSIX.
#include "calls.hpp"
#include "native.hpp"

#include <algorithm>

namespace meari::os {

namespace {

constexpr Descriptor invalid = static_cast<Descriptor>(INVALID_SOCKET);

Result<> set_dword(Descriptor descriptor, int level, int name, const char* operation, DWORD value) {
  if (sys::setsockopt(descriptor, level, name, &value, sizeof value) == 0) return {};
  return system_error(sys::last_error(), operation);
}

// Without this a datagram that met a closed port makes the next receive fail with WSAECONNRESET.
void ignore_refused_datagrams(Descriptor descriptor) {
  BOOL report = FALSE;
  constexpr DWORD sio_udp_connreset = IOC_IN | IOC_VENDOR | 12;
  sys::wsa_ioctl(descriptor, sio_udp_connreset, &report, sizeof report, nullptr, 0);
}

}  // namespace

Result<> start_network() noexcept {
  // Held until the process ends; Windows cleans up then. Winsock counts, so that a program's own WSAStartup does no harm.
  static const int code = [] {
    WSADATA data;
    return sys::startup(MAKEWORD(2, 2), &data);
  }();
  if (code == 0) return {};
  return system_error(code, "start Winsock");
}

std::optional<std::uint32_t> interface_index(std::string_view) noexcept {
  return {};  // Windows writes scopes as numbers: fe80::1%12
}

Result<Socket> open_socket(Family family, Kind kind, Blocking blocking) {
  if (family == Family::unspecified)
    return Error(Errc::invalid_argument, "open a socket").because("it needs a family: ipv4, ipv6 or local");
  if (Result<> started = start_network(); !started) return started.error();
  const Descriptor opened =
      sys::socket(native_family(family), native_type(kind), 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
  if (opened == invalid) return system_error(sys::last_error(), "open a socket");
  Socket socket = Socket::adopt(opened);
  if (kind == Kind::datagram) ignore_refused_datagrams(opened);
  // Here a stream over IPv6 refuses IPv4 by default; elsewhere it accepts both.
  if (family == Family::ipv6)
    if (Result<> set = set_v6_only(opened, false); !set) return set.error();
  if (blocking == Blocking::no)
    if (Result<> set = set_non_blocking(opened, true); !set) return set.error();
  return socket;
}

Result<> reuse_address(Descriptor descriptor) {
  return set_dword(descriptor, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, "set SO_EXCLUSIVEADDRUSE", 1);
}

Result<> bind(Descriptor descriptor, const Address& address) {
  const NativeAddress native(address);
  if (native.size == 0) return Error(Errc::invalid_argument, "bind", address);
  const bool ip = address.family() == Family::ipv4 || address.family() == Family::ipv6;
  if (address.path().starts_with('@'))
    return Error(Errc::not_supported, "bind", address).because("Windows has no abstract names; use a path");
  if (ip)
    if (Result<> set = reuse_address(descriptor); !set) return set.error().during("bind", address);
  if (sys::bind(descriptor, native.data(), native.size) == 0) return {};
  const int code = sys::last_error();
  if (code == WSAEADDRINUSE && remove_stale(address) && sys::bind(descriptor, native.data(), native.size) == 0)
    return {};
  // Somebody else holds the port exclusively: that, too, is an address in use.
  if (code == WSAEACCES && ip) return Error(Errc::address_in_use, "bind", address, code);
  return system_error(code, "bind", address);
}

bool remove_stale(const Address& address) noexcept { return remove_stale(NativeAddress(address)); }

bool remove_stale(const NativeAddress& native) noexcept {
  const char* path = reinterpret_cast<const sockaddr_un*>(&native.storage)->sun_path;
  if (native.storage.ss_family != AF_UNIX || *path == '\0') return false;
  const DWORD attributes = ::GetFileAttributesA(path);
  if (attributes == INVALID_FILE_ATTRIBUTES || (attributes & FILE_ATTRIBUTE_REPARSE_POINT) == 0) return false;
  const Descriptor probe = sys::socket(AF_UNIX, SOCK_STREAM, 0, WSA_FLAG_NO_HANDLE_INHERIT);
  if (probe == invalid) return false;
  const bool refused = sys::connect(probe, native.data(), native.size) != 0 && sys::last_error() == WSAECONNREFUSED;
  sys::close(probe);
  return refused && ::DeleteFileA(path) != 0;
}

void disconnect(Descriptor) noexcept {}

bool accept_again(int system_code) noexcept {
  // The client left while it was queued. (WSAENOTCONN: so does wine say it.)
  return system_code == WSAECONNRESET || system_code == WSAECONNABORTED || system_code == WSAENOTCONN;
}

Result<Accepted> accept(Descriptor descriptor) {
  while (true) {
    NativeAddress from;
    const Descriptor accepted = sys::accept(descriptor, from.data(), &from.size);
    if (accepted != invalid) {
      ::SetHandleInformation(sys::handle(accepted), HANDLE_FLAG_INHERIT, 0);
      return Accepted{Socket::adopt(accepted), from.address()};
    }
    const int code = sys::last_error();
    if (accept_again(code) || code == WSAEINTR) continue;
    const Error failed = system_error(code, "");
    const Result<Address> here = local_address(descriptor);
    return here ? failed.during("accept on", *here) : failed.during("accept");
  }
}

Result<> connect(Descriptor descriptor, const Address& address) {
  const NativeAddress native(address);
  if (native.size == 0) return Error(Errc::invalid_argument, "connect to", address);
  if (sys::connect(descriptor, native.data(), native.size) != 0) {
    const int code = sys::last_error();
    // A connect that goes on in the background is said differently here.
    return system_error(code == WSAEWOULDBLOCK ? WSAEINPROGRESS : code, "connect to", address);
  }
  const Error failed = connect_result(descriptor, address);
  if (failed == Errc::self_connect) sys::shutdown(descriptor, SD_BOTH);
  return failed;
}

Result<std::size_t> send(Descriptor descriptor, std::span<const std::byte> bytes) {
  const std::ptrdiff_t sent = sys::send(descriptor, bytes.data(), bytes.size(), 0);
  if (sent < 0) return system_error(sys::last_error(), "");
  return static_cast<std::size_t>(sent);
}

Result<std::size_t> receive(Descriptor descriptor, std::span<std::byte> buffer) {
  const std::ptrdiff_t size = sys::recv(descriptor, buffer.data(), buffer.size(), 0);
  if (size < 0) return system_error(sys::last_error(), "");
  return static_cast<std::size_t>(size);
}

Result<ReceivedFrom> receive_from(Descriptor descriptor, std::span<std::byte> buffer) {
  NativeAddress from;
  const std::ptrdiff_t size = sys::recvfrom(descriptor, buffer.data(), buffer.size(), 0, from.data(), &from.size);
  if (size >= 0) return ReceivedFrom{static_cast<std::size_t>(size), from.address(), false};
  const int code = sys::last_error();
  // The buffer is full and the rest of the datagram is gone.
  if (code == WSAEMSGSIZE) return ReceivedFrom{buffer.size(), from.address(), true};
  return system_error(code, "");
}

Result<std::size_t> send_to(Descriptor descriptor, std::span<const std::byte> bytes, const Address& target) {
  const NativeAddress native(target);
  if (native.size == 0) return Error(Errc::invalid_argument);
  const std::ptrdiff_t sent = sys::sendto(descriptor, bytes.data(), bytes.size(), 0, native.data(), native.size);
  if (sent < 0) return system_error(sys::last_error(), "");
  return static_cast<std::size_t>(sent);
}

Result<> close(Descriptor descriptor) {
  if (sys::close(descriptor) == 0) return {};
  return system_error(sys::last_error(), "close");
}

// There is no socketpair(): a listener on a loopback port that nobody else knows, and a check that the one who came is ours.
Result<std::pair<Descriptor, Descriptor>> socket_pair() {
  Result<Socket> listener = open_socket(Family::ipv4, Kind::stream, Blocking::yes);
  if (!listener) return listener.error();
  if (Result<> bound = listener->bind(Address::loopback(Family::ipv4, 0)); !bound) return bound.error();
  if (Result<> listening = listener->listen(1); !listening) return listening.error();
  const Result<Address> here = listener->local();
  if (!here) return here.error();
  Result<Socket> first = open_socket(Family::ipv4, Kind::stream, Blocking::yes);
  if (!first) return first.error();
  if (Result<> connected = first->connect(*here); !connected) return connected.error();
  const Result<Address> ours = first->local();
  if (!ours) return ours.error();
  while (true) {
    Result<Accepted> second = listener->accept();
    if (!second) return second.error();
    if (second->from != *ours) continue;  // a stranger; its socket closes here
    for (Socket* end : {&*first, &second->socket})
      if (Result<> set = end->set_no_delay(true); !set) return set.error();
    return std::pair<Descriptor, Descriptor>(first->release(), second->socket.release());
  }
}

int native_direction(Socket::Direction direction) noexcept {
  switch (direction) {
    case Socket::Direction::receive: return SD_RECEIVE;
    case Socket::Direction::send: return SD_SEND;
    default: return SD_BOTH;
  }
}

Result<> set_non_blocking(Descriptor descriptor, bool on) {
  u_long value = on ? 1 : 0;
  if (sys::ioctl(descriptor, FIONBIO, &value) == 0) return {};
  return system_error(sys::last_error(), "set FIONBIO");
}

bool is_non_blocking(Descriptor) noexcept { return false; }

Result<> set_keep_alive(Descriptor descriptor, bool on, const KeepAlive& times) {
  const auto milliseconds = [](std::chrono::seconds time) { return static_cast<ULONG>(time.count() * 1000); };
  tcp_keepalive values{};  // the number of probes is the system's: 10
  values.onoff = on ? 1 : 0;
  values.keepalivetime = milliseconds(times.idle);
  values.keepaliveinterval = milliseconds(times.interval);
  if (sys::wsa_ioctl(descriptor, SIO_KEEPALIVE_VALS, &values, sizeof values, nullptr, 0) == 0) return {};
  return system_error(sys::last_error(), "set SIO_KEEPALIVE_VALS");
}

Result<> set_reuse_port(Descriptor, bool) { return Error(Errc::not_supported, "set SO_REUSEPORT"); }

Result<> set_receive_timeout(Descriptor descriptor, std::chrono::milliseconds time) {
  return set_dword(descriptor, SOL_SOCKET, SO_RCVTIMEO, "set SO_RCVTIMEO", static_cast<DWORD>(time.count()));
}

Result<Adopted> examine(Descriptor descriptor) {
  if (Result<> started = start_network(); !started) return started.error();
  WSAPROTOCOL_INFOW about{};
  socklen_t size = sizeof about;
  if (sys::getsockopt(descriptor, SOL_SOCKET, SO_PROTOCOL_INFOW, &about, &size) != 0)
    return system_error(sys::last_error(), "take over", "fd:" + std::to_string(descriptor));
  Adopted found;
  switch (about.iAddressFamily) {
    case AF_INET: found.family = Family::ipv4; break;
    case AF_INET6: found.family = Family::ipv6; break;
    case AF_UNIX: found.family = Family::local; break;
    default: return Error(Errc::not_supported, "take over", "fd:" + std::to_string(descriptor));
  }
  found.kind = about.iSocketType == SOCK_DGRAM ? Kind::datagram : Kind::stream;
  BOOL listening = FALSE;
  size = sizeof listening;
  found.listening =
      sys::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening != FALSE;
  return found;
}

}  // namespace meari::os
