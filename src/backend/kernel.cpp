#include "src/backend/kernel.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>
#include <thread>

#include "src/os/system.hpp"

namespace meari {
inline namespace v1 {
namespace kernel {

namespace {
Result<> prepare(Descriptor descriptor, const Opening& opening) {
  Result<> result;
  if (opening.family == Family::ipv6) {
    if (result = os::set_v6_only(descriptor, opening.v6_only); !result) return result;
  }
  if (opening.role != Role::datagram && opening.family != Family::local) {
    if (result = os::set_no_delay(descriptor, true); !result) return result;
    // Without TCP_USER_TIMEOUT: it ends a peer that is alive and does not read for so long, too.
    if (result = os::set_keep_alive(descriptor, true); !result) return result;
  }
  if (opening.reuse_port) {
    if (result = os::set_reuse_port(descriptor, true); !result) return result;
  }
  if (opening.local.family() != Family::unspecified) {
    if (result = os::bind(descriptor, opening.local); !result) return result;
  }
  if (opening.role == Role::listener) return os::listen(descriptor, opening.backlog);
  return result;
}
}  // namespace

Time now() noexcept {
  const auto since_start = std::chrono::steady_clock::now().time_since_epoch();
  return Time(std::chrono::duration_cast<Duration>(since_start));
}

Result<Socket> open(const Opening& opening, os::Blocking blocking) {
  const bool nowhere = opening.role == Role::listener && opening.local.family() == Family::unspecified;
  if (opening.role == Role::foreign || nowhere) return Error(Errc::invalid_argument, "open a socket");
  const Kind kind = opening.role == Role::datagram ? Kind::datagram : Kind::stream;
  Result<Socket> socket = os::open_socket(opening.family, kind, blocking);
  if (!socket) return socket;
  if (Result<> ready = prepare(socket->descriptor(), opening); !ready) return ready.error();
  return socket;
}

Result<Found> examine(Descriptor descriptor) {
  const Result<os::Adopted> adopted = os::examine(descriptor);
  if (!adopted) return adopted.error();
  Found found;
  found.local = adopted->family == Family::local;
  if (adopted->kind == Kind::datagram) {
    found.role = Role::datagram;
  } else if (adopted->listening) {
    found.role = Role::listener;
  } else {
    found.connected = os::peer_address(descriptor).has_value();
  }
  return found;
}

Result<SocketInfo> info(Descriptor descriptor, Role role, bool local) {
  SocketInfo info;
  if (!local && role != Role::datagram) {
    const Result<os::TcpInfo> tcp = os::tcp_info(descriptor);
    if (!tcp) return tcp.error();
    info.state = os::describe(tcp->state);
    if (role == Role::listener) {
      info.receive_queue = tcp->queued;
      info.send_queue = tcp->queue_limit;
      return info;
    }
    info.rtt_us = tcp->rtt_us;
    info.retransmits = tcp->retransmits;
    info.bytes_acknowledged = static_cast<std::int64_t>(tcp->bytes_acked);
    info.bytes_received = static_cast<std::int64_t>(tcp->bytes_received);
  }
  if (role == Role::listener) return info;
  const Result<os::QueueLengths> queues = os::queue_lengths(descriptor);
  if (queues) {
    info.receive_queue = queues->unread;
    info.send_queue = queues->unsent;
  }
  return info;
}

void close(const Slot& slot) noexcept {
  // Without RST the peer would take what was cut off for whole. To dissolve the connection is the other way to send one.
  if (slot.abort && !os::set_linger(slot.descriptor, 0)) os::disconnect(slot.descriptor);
  Address path;
  if (slot.local && slot.role == Role::listener)
    if (Result<Address> bound = os::local_address(slot.descriptor)) path = *std::move(bound);
  sys::close(slot.descriptor);
  // Not while somebody else still listens there: another process with a copy of the descriptor, or a successor.
  if (path.family() == Family::local) static_cast<void>(os::remove_stale(path));
}

void wake(Descriptor eventfd, std::atomic<bool>& awake) noexcept {
  if (awake.exchange(true, std::memory_order_acq_rel)) return;
  // Should it fail, the next one has to try again, or no wake-up would ever come through.
  if (!os::notify(eventfd)) awake.store(false, std::memory_order_release);
}

void wait_for_wake(Descriptor eventfd, std::atomic<bool>& awake, Time until) noexcept {
  constexpr long long longest = 1'000'000;
  int milliseconds = -1;
  if (until != never) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now()).count();
    milliseconds = static_cast<int>(std::clamp<long long>(left, 0, longest));
  }
  pollfd entry{.fd = sys::plain(eventfd), .events = POLLIN, .revents = 0};
  const int found = sys::poll(&entry, 1, milliseconds);
  if (found < 0 && sys::last_error() != EINTR) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  if (found <= 0) return;
  awake.store(false, std::memory_order_release);
  std::uint64_t count = 0;
  static_cast<void>(sys::read(eventfd, &count, sizeof count));
}

bool try_accept(Descriptor listener, int flags, Accept& accept) {
  for (;;) {
    os::NativeAddress from;
    const Descriptor accepted = sys::accept4(listener, from.data(), &from.size, flags | SOCK_CLOEXEC);
    if (accepted >= 0) {
      accept.accepted = accepted;
      accept.from = from.address();
      return true;
    }
    const int code = sys::last_error();
    if (code == EINTR || os::accept_again(code)) continue;
    if (code == EAGAIN || code == EWOULDBLOCK) return false;
    accept.error = system_error(code, "accept");
    return true;
  }
}

bool try_send_to(Descriptor descriptor, SendTo& send) {
  const os::NativeAddress to(send.target);
  for (;;) {
    const std::ptrdiff_t count =
        sys::sendto(descriptor, send.bytes.data(), send.bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT, to.data(), to.size);
    if (count >= 0) return true;
    const int code = sys::last_error();
    if (code == EINTR) continue;
    if (code == EAGAIN || code == EWOULDBLOCK) return false;
    send.error = system_error(code, "send to", send.target);
    return true;
  }
}

namespace {
constexpr std::size_t longest_datagram = 65'535;

Result<Chunk> copied(Pool& pool, std::span<const std::byte> bytes) {
  if (bytes.empty()) return Chunk();
  const std::span<std::byte> room = pool.room(bytes.size());
  if (room.empty()) return Chunk::copy_of(bytes);
  std::memcpy(room.data(), bytes.data(), bytes.size());
  return pool.commit(bytes.size());
}
}  // namespace

bool DatagramReceiver::try_receive_from(Descriptor descriptor, Pool& pool, ReceiveFrom& receive) {
  if (scratch_ == nullptr) scratch_.reset(new (std::nothrow) Scratch);
  if (scratch_ == nullptr) return receive.error = Errc::out_of_memory, true;
  os::NativeAddress from;
  iovec vector{scratch_->data(), longest_datagram};
  msghdr message{};
  message.msg_name = from.data();
  message.msg_namelen = sizeof from.storage;
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  std::ptrdiff_t count = 0;
  do {
    count = sys::recvmsg(descriptor, &message, MSG_DONTWAIT);
  } while (count < 0 && sys::last_error() == EINTR);
  if (count < 0) {
    const int code = sys::last_error();
    if (code == EAGAIN || code == EWOULDBLOCK) return false;
    receive.error = system_error(code, "receive");
    return true;
  }
  from.size = message.msg_namelen;
  receive.from = from.address();
  receive.truncated = (message.msg_flags & MSG_TRUNC) != 0;
  Result<Chunk> chunk = copied(pool, std::span(scratch_->data(), static_cast<std::size_t>(count)));
  if (!chunk) return receive.error = chunk.error(), true;
  receive.chunk = std::move(*chunk);
  return true;
}

}  // namespace kernel
}  // namespace v1
}  // namespace meari
