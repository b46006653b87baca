// Socket calls on Linux: where they differ from Winsock.
#include "calls.hpp"
#include "native.hpp"

#include <net/if.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <algorithm>
#include <cstdio>

namespace meari::os {

namespace {

// Repeats a call as long as signals interrupt it.
template <class Call>
auto restarted(Call&& make) noexcept {
  while (true) {
    const auto result = make();
    if (result >= 0 || sys::last_error() != EINTR) return result;
  }
}

Result<> set_int(Descriptor descriptor, int level, int name, const char* operation, int value) {
  if (sys::setsockopt(descriptor, level, name, &value, sizeof value) == 0) return {};
  return system_error(sys::last_error(), operation);
}

int get_int(Descriptor descriptor, int level, int name, int otherwise) noexcept {
  int value = otherwise;
  socklen_t size = sizeof value;
  return sys::getsockopt(descriptor, level, name, &value, &size) == 0 ? value : otherwise;
}

// SO_RCVTIMEO; zero: none.
std::chrono::microseconds receive_timeout(Descriptor descriptor) noexcept {
  timeval time{};
  socklen_t size = sizeof time;
  if (sys::getsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, &size) != 0) return {};
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

// Repeats a receiving call (accept too) as long as signals interrupt it, but not past the time that was set: the kernel
// starts SO_RCVTIMEO anew with every call, so that a steady stream of signals would make it endless.
template <class Call>
Result<std::ptrdiff_t> received(Descriptor descriptor, Call&& make) {
  using Clock = std::chrono::steady_clock;
  std::optional<Clock::time_point> end;
  const auto started = Clock::now();
  while (true) {
    const std::ptrdiff_t result = make();
    if (result >= 0) return result;
    const int code = sys::last_error();
    if (code == EAGAIN && !is_non_blocking(descriptor)) return Error(Errc::timed_out, "", "", code);
    if (code != EINTR) return system_error(code, "");
    if (!end) {
      const auto time = receive_timeout(descriptor);
      end = time.count() == 0 ? Clock::time_point::max() : started + time;
    }
    while (*end != Clock::time_point::max()) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*end - Clock::now()).count();
      if (left <= 0) return Error(Errc::timed_out, "", "", EAGAIN);
      pollfd entry{.fd = sys::plain(descriptor), .events = POLLIN, .revents = 0};
      if (sys::poll(&entry, 1, static_cast<int>(std::min<long long>(left, 1'000'000))) > 0) break;
    }
  }
}

}  // namespace

Result<> start_network() noexcept { return {}; }

std::optional<std::uint32_t> interface_index(std::string_view name) noexcept {
  char text[IF_NAMESIZE] = {};
  if (name.size() >= sizeof text || name.contains('\0')) return {};
  name.copy(text, name.size());
  const unsigned index = ::if_nametoindex(text);
  if (index == 0) return {};
  return index;
}

Result<Socket> open_socket(Family family, Kind kind, Blocking blocking) {
  if (family == Family::unspecified)
    return Error(Errc::invalid_argument, "open a socket").because("it needs a family: ipv4, ipv6 or local");
  const int flags = SOCK_CLOEXEC | (blocking == Blocking::no ? SOCK_NONBLOCK : 0);
  const Descriptor opened = sys::socket(native_family(family), native_type(kind) | flags, 0);
  if (opened < 0) return system_error(sys::last_error(), "open a socket");
  return Socket::adopt(opened);
}

Result<> reuse_address(Descriptor descriptor) {
  return set_int(descriptor, SOL_SOCKET, SO_REUSEADDR, "set SO_REUSEADDR", 1);
}

Result<> bind(Descriptor descriptor, const Address& address) {
  const NativeAddress native(address);
  const bool ip = address.family() == Family::ipv4 || address.family() == Family::ipv6;
  if (ip && get_int(descriptor, SOL_SOCKET, SO_TYPE, SOCK_DGRAM) == SOCK_STREAM)
    if (Result<> set = reuse_address(descriptor); !set) return set.error().during("bind", address);
  if (sys::bind(descriptor, native.data(), native.size) == 0) return {};
  const int code = sys::last_error();
  // A server that was killed leaves its path behind.
  if (code == EADDRINUSE && remove_stale(address) && sys::bind(descriptor, native.data(), native.size) == 0) return {};
  return system_error(code, "bind", address);
}

bool remove_stale(const Address& address) noexcept { return remove_stale(NativeAddress(address)); }

bool remove_stale(const NativeAddress& native) noexcept {
  const char* path = reinterpret_cast<const sockaddr_un*>(&native.storage)->sun_path;
  if (native.storage.ss_family != AF_UNIX || native.size <= offsetof(sockaddr_un, sun_path) || *path == '\0')
    return false;
  struct stat about{};
  if (::lstat(path, &about) != 0 || !S_ISSOCK(about.st_mode)) return false;
  // Not blocking: a living server whose queue is full answers EAGAIN, and keeps its path.
  const Descriptor probe = sys::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return false;
  const int answer = restarted([&] { return sys::connect(probe, native.data(), native.size); });
  const bool refused = answer != 0 && sys::last_error() == ECONNREFUSED;
  sys::close(probe);
  return refused && sys::unlink(path) == 0;
}

bool accept_again(int system_code) noexcept {
  // accept(2): errors of the connection that was next come out here.
  switch (system_code) {
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ETIMEDOUT: return true;
    default: return false;
  }
}

Result<Accepted> accept(Descriptor descriptor) {
  while (true) {
    // The address has to come from accept itself: after a reset nobody else knows it any more.
    NativeAddress from;
    const Result<std::ptrdiff_t> taken = received(descriptor, [&] {
      from.clear();
      return sys::accept4(descriptor, from.data(), &from.size, SOCK_CLOEXEC);
    });
    if (taken) return Accepted{Socket::adopt(*taken), from.address()};
    const Error& failed = taken.error();
    if (accept_again(failed.system_code())) continue;
    const Result<Address> here = local_address(descriptor);
    return here ? failed.during("accept on", *here) : failed.during("accept");
  }
}

Result<> connect(Descriptor descriptor, const Address& address) {
  const NativeAddress native(address);
  if (sys::connect(descriptor, native.data(), native.size) != 0) {
    const int code = sys::last_error();
    if (code != EINTR) return system_error(code, "connect to", address);
    // The handshake goes on without us (POSIX); a second connect() would be an error.
    pollfd entry{.fd = sys::plain(descriptor), .events = POLLOUT, .revents = 0};
    if (restarted([&] { return sys::poll(&entry, 1, -1); }) < 0)
      return system_error(sys::last_error(), "connect to", address);
  }
  const Error failed = connect_result(descriptor, address);
  if (!failed) return {};
  if (failed == Errc::self_connect) disconnect(descriptor);
  return failed;
}

bool notify(Descriptor eventfd) noexcept {
  const int before = sys::last_error();  // whoever was interrupted by a signal looks at it
  bool done = false;
  for (int attempts = 3; !done && attempts != 0;) {
    done = sys::eventfd_write(eventfd) >= 0 || sys::last_error() == EAGAIN;  // full: as readable as can be
    if (!done && sys::last_error() != EINTR) --attempts;
  }
  sys::set_last_error(before);
  return done;
}

void disconnect(Descriptor descriptor) noexcept {
  sockaddr nowhere{};
  nowhere.sa_family = AF_UNSPEC;
  static_cast<void>(sys::connect(descriptor, &nowhere, sizeof nowhere));
}

Result<std::size_t> send(Descriptor descriptor, std::span<const std::byte> bytes) {
  const auto sent = restarted([&] { return sys::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL); });
  if (sent < 0) return system_error(sys::last_error(), "");
  return static_cast<std::size_t>(sent);
}

Result<std::size_t> receive(Descriptor descriptor, std::span<std::byte> buffer) {
  const Result<std::ptrdiff_t> size =
      received(descriptor, [&] { return sys::recv(descriptor, buffer.data(), buffer.size(), 0); });
  if (!size) return size.error();
  return static_cast<std::size_t>(*size);
}

Result<ReceivedFrom> receive_from(Descriptor descriptor, std::span<std::byte> buffer) {
  NativeAddress from;
  iovec piece{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_name = from.data();
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  const Result<std::ptrdiff_t> size = received(descriptor, [&] {
    message.msg_namelen = sizeof from.storage;
    return sys::recvmsg(descriptor, &message, 0);
  });
  if (!size) return size.error();
  from.size = message.msg_namelen;
  return ReceivedFrom{static_cast<std::size_t>(*size), from.address(), (message.msg_flags & MSG_TRUNC) != 0};
}

Result<std::size_t> send_to(Descriptor descriptor, std::span<const std::byte> bytes, const Address& target) {
  const NativeAddress native(target);
  if (native.size == 0) return Error(Errc::invalid_argument);
  const auto sent = restarted(
      [&] { return sys::sendto(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL, native.data(), native.size); });
  if (sent < 0) return system_error(sys::last_error(), "");
  return static_cast<std::size_t>(sent);
}

Result<> close(Descriptor descriptor) {
  if (sys::close(descriptor) == 0) return {};
  // On Linux the descriptor is gone even so; closing again could hit somebody else's.
  if (sys::last_error() == EINTR) return {};
  return system_error(sys::last_error(), "close");
}

Result<std::pair<Descriptor, Descriptor>> socket_pair() {
  int both[2];
  if (sys::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) != 0)
    return system_error(sys::last_error(), "open a socket pair");
  return std::pair<Descriptor, Descriptor>(both[0], both[1]);
}

int native_direction(Socket::Direction direction) noexcept {
  switch (direction) {
    case Socket::Direction::receive: return SHUT_RD;
    case Socket::Direction::send: return SHUT_WR;
    default: return SHUT_RDWR;
  }
}

Result<> set_non_blocking(Descriptor descriptor, bool on) {
  const int flags = sys::fcntl(descriptor, F_GETFL, 0);
  if (flags < 0) return system_error(sys::last_error(), "set O_NONBLOCK");
  const int wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  if (wanted == flags || sys::fcntl(descriptor, F_SETFL, wanted) == 0) return {};
  return system_error(sys::last_error(), "set O_NONBLOCK");
}

bool is_non_blocking(Descriptor descriptor) noexcept {
  const int flags = sys::fcntl(descriptor, F_GETFL, 0);
  return flags >= 0 && (flags & O_NONBLOCK) != 0;
}

Result<> set_keep_alive(Descriptor descriptor, bool on, const KeepAlive& times) {
  const auto seconds = [](std::chrono::seconds time) { return static_cast<int>(time.count()); };
  Result<> set = set_int(descriptor, SOL_SOCKET, SO_KEEPALIVE, "set SO_KEEPALIVE", on);
  if (set && on) set = set_int(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, "set TCP_KEEPIDLE", seconds(times.idle));
  if (set && on) set = set_int(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, "set TCP_KEEPINTVL", seconds(times.interval));
  if (set && on) set = set_int(descriptor, IPPROTO_TCP, TCP_KEEPCNT, "set TCP_KEEPCNT", times.probes);
  return set;
}

Result<> set_reuse_port(Descriptor descriptor, bool on) {
  return set_int(descriptor, SOL_SOCKET, SO_REUSEPORT, "set SO_REUSEPORT", on);
}

Result<> set_receive_timeout(Descriptor descriptor, std::chrono::milliseconds time) {
  timeval value{};
  value.tv_sec = time.count() / 1000;
  value.tv_usec = time.count() % 1000 * 1000;
  if (sys::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof value) == 0) return {};
  return system_error(sys::last_error(), "set SO_RCVTIMEO");
}

Result<Adopted> examine(Descriptor descriptor) {
  int family = 0, type = 0;
  socklen_t size = sizeof(int);
  if (sys::getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &family, &size) != 0 ||
      sys::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &(size = sizeof(int))) != 0) {
    const int code = sys::last_error();
    const Error failed = system_error(code, "take over", "fd:" + std::to_string(descriptor));
    return code == ENOTSOCK ? failed.because("it is no socket") : failed;
  }
  Adopted found;
  switch (family) {
    case AF_INET: found.family = Family::ipv4; break;
    case AF_INET6: found.family = Family::ipv6; break;
    case AF_UNIX: found.family = Family::local; break;
    default: return Error(Errc::not_supported, "take over", "fd:" + std::to_string(descriptor));
  }
  if (type != SOCK_STREAM && type != SOCK_DGRAM)
    return Error(Errc::not_supported, "take over", "fd:" + std::to_string(descriptor));
  found.kind = type == SOCK_STREAM ? Kind::stream : Kind::datagram;
  found.listening = get_int(descriptor, SOL_SOCKET, SO_ACCEPTCONN, 0) != 0;
  return found;
}

}  // namespace meari::os
