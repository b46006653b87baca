// What Linux and Windows have in common: addresses, options and questions of a socket.
#include "native.hpp"

#include <algorithm>
#include <cstring>

#include "memory.hpp"

#if defined(_WIN32)
// ws2tcpip.h, which system.hpp includes, has the TCP_ names
#else
#include <netinet/tcp.h>
#endif

namespace meari::os {

int native_family(Family family) noexcept {
  switch (family) {
    case Family::ipv4: return AF_INET;
    case Family::ipv6: return AF_INET6;
    case Family::local: return AF_UNIX;
    default: return AF_UNSPEC;
  }
}

int native_type(Kind kind) noexcept { return kind == Kind::stream ? SOCK_STREAM : SOCK_DGRAM; }

NativeAddress::NativeAddress(const Address& address) noexcept : size(0) {
  switch (address.family()) {
    case Family::ipv4: {
      sockaddr_in in{};
      in.sin_family = AF_INET;
      in.sin_port = htons(address.port());
      std::memcpy(&in.sin_addr, address.ip().data(), 4);
      std::memcpy(&storage, &in, size = sizeof in);
      break;
    }
    case Family::ipv6: {
      sockaddr_in6 in{};
      in.sin6_family = AF_INET6;
      in.sin6_port = htons(address.port());
      in.sin6_scope_id = address.scope();
      std::memcpy(&in.sin6_addr, address.ip().data(), 16);
      std::memcpy(&storage, &in, size = sizeof in);
      break;
    }
    case Family::local: {
      sockaddr_un un{};
      un.sun_family = AF_UNIX;
      const std::string_view path = address.path().substr(0, sizeof un.sun_path);
      const bool abstract = path.starts_with('@');
      path.copy(un.sun_path, path.size());
      if (abstract) un.sun_path[0] = '\0';
      // The size tells where an abstract name ends; a path ends with its NUL, for which there is room.
      const std::size_t named = path.empty() ? 0 : path.size() + (abstract ? 0 : 1);
      size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::min(named, sizeof un.sun_path));
      std::memcpy(&storage, &un, sizeof un);
      break;
    }
    default: break;
  }
}

Address NativeAddress::address() const noexcept {
  Result<Address> known = whole_address();
  if (known) return *std::move(known);
  Address nameless;
  nameless.be_local(nullptr);
  return nameless;
}

Result<Address> NativeAddress::whole_address() const noexcept {
  const auto at_least = [&](std::size_t needed) { return static_cast<std::size_t>(size) >= needed; };
  if (!at_least(sizeof storage.ss_family)) return Address();
  if (storage.ss_family == AF_INET && at_least(sizeof(sockaddr_in))) {
    sockaddr_in in;
    std::memcpy(&in, &storage, sizeof in);
    std::array<std::uint8_t, 4> ip;
    std::memcpy(ip.data(), &in.sin_addr, 4);
    return Address::from_ipv4(ip, ntohs(in.sin_port));
  }
  if (storage.ss_family == AF_INET6 && at_least(sizeof(sockaddr_in6))) {
    sockaddr_in6 in;
    std::memcpy(&in, &storage, sizeof in);
    std::array<std::uint8_t, 16> ip;
    std::memcpy(ip.data(), &in.sin6_addr, 16);
    return Address::from_ipv6(ip, ntohs(in.sin6_port), static_cast<std::uint32_t>(in.sin6_scope_id));
  }
  if (storage.ss_family == AF_UNIX) {
    Address local;
    local.be_local(nullptr);
    constexpr std::size_t start = offsetof(sockaddr_un, sun_path);
    if (!at_least(start + 1)) return local;  // a socket without a name
    const std::size_t room = std::min(static_cast<std::size_t>(size), sizeof(sockaddr_un)) - start;
    std::string_view path(reinterpret_cast<const char*>(&storage) + start, room);
    const bool abstract = path[0] == '\0';
    if (abstract && path.find_first_not_of('\0') == std::string_view::npos) return local;  // Windows fills with NUL
    if (!abstract) path = path.substr(0, path.find('\0'));
    return in_memory([&]() -> Result<Address> {
      std::string text(path);
      if (abstract) text[0] = '@';
      local.path_ = std::make_shared<const std::string>(std::move(text));
      return local;
    });
  }
  return Address();
}

namespace {

template <class Value>
Result<> set_option(Descriptor descriptor, int level, int name, const char* operation, const Value& value) {
  if (sys::setsockopt(descriptor, level, name, &value, sizeof value) == 0) return {};
  return system_error(sys::last_error(), operation);
}

int get_option(Descriptor descriptor, int level, int name, int otherwise) noexcept {
  int value = otherwise;
  socklen_t size = sizeof value;
  return sys::getsockopt(descriptor, level, name, &value, &size) == 0 ? value : otherwise;
}

}  // namespace

Result<> set_no_delay(Descriptor descriptor, bool on) {
  return set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, "set TCP_NODELAY", int{on});
}

Result<> set_v6_only(Descriptor descriptor, bool on) {
  return set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, "set IPV6_V6ONLY", int{on});
}

Result<> set_send_buffer(Descriptor descriptor, int bytes) {
  return set_option(descriptor, SOL_SOCKET, SO_SNDBUF, "set SO_SNDBUF", bytes);
}

Result<> set_receive_buffer(Descriptor descriptor, int bytes) {
  return set_option(descriptor, SOL_SOCKET, SO_RCVBUF, "set SO_RCVBUF", bytes);
}

Result<> set_linger(Descriptor descriptor, int seconds) {
  linger value{};
  value.l_onoff = 1;
  value.l_linger = static_cast<decltype(value.l_linger)>(seconds);
  return set_option(descriptor, SOL_SOCKET, SO_LINGER, "set SO_LINGER", value);
}

int socket_error(Descriptor descriptor) noexcept {
  int code = 0;
  socklen_t size = sizeof code;
  if (sys::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &size) != 0) return sys::last_error();
  return code;
}

Result<Address> local_address(Descriptor descriptor) {
  NativeAddress native;
  if (sys::getsockname(descriptor, native.data(), &native.size) != 0)
    return system_error(sys::last_error(), "ask for the local address");
  return native.whole_address();
}

Result<Address> peer_address(Descriptor descriptor) {
  NativeAddress native;
  if (sys::getpeername(descriptor, native.data(), &native.size) != 0)
    return system_error(sys::last_error(), "ask for the peer's address");
  return native.whole_address();
}

bool is_self_connected(Descriptor descriptor) noexcept {
  NativeAddress local, peer;
  if (sys::getsockname(descriptor, local.data(), &local.size) != 0) return false;
  if (local.storage.ss_family != AF_INET && local.storage.ss_family != AF_INET6) return false;
  if (sys::getpeername(descriptor, peer.data(), &peer.size) != 0) return false;
  return local.address() == peer.address();
}

Error connect_result(Descriptor descriptor, const Address& target) {
  if (const int code = socket_error(descriptor)) return system_error(code, "connect to", target);
  if (get_option(descriptor, SOL_SOCKET, SO_TYPE, SOCK_STREAM) == SOCK_STREAM && is_self_connected(descriptor))
    return Error(Errc::self_connect, "connect to", target);
  return {};
}

Result<> listen(Descriptor descriptor, int backlog) {
  if (sys::listen(descriptor, backlog < 0 ? listen_queue_limit() : backlog) == 0) return {};
  const Error failed = system_error(sys::last_error(), "listen on");
  const Result<Address> here = local_address(descriptor);
  return here ? failed.during("listen on", *here) : failed;
}

const char* describe(TcpState state) noexcept {
  switch (state) {
    case TcpState::established: return "ESTABLISHED";
    case TcpState::syn_sent: return "SYN_SENT";
    case TcpState::syn_received: return "SYN_RCVD";
    case TcpState::fin_wait_1: return "FIN_WAIT_1";
    case TcpState::fin_wait_2: return "FIN_WAIT_2";
    case TcpState::time_wait: return "TIME_WAIT";
    case TcpState::closed: return "CLOSED";
    case TcpState::close_wait: return "CLOSE_WAIT";
    case TcpState::last_ack: return "LAST_ACK";
    case TcpState::listen: return "LISTEN";
    case TcpState::closing: return "CLOSING";
    case TcpState::unknown: break;
  }
  return "UNKNOWN";
}

}  // namespace meari::os
