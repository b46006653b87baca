// Sockets for the backends over a real system, as native.hpp opens them: what is the same on Linux and on Windows.
#include <cstring>

#include "src/backend/kernel.hpp"
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
    const Result<Address> peer = os::peer_address(descriptor);
    found.connected = peer || peer.error() == Errc::out_of_memory;  // no memory for its path: it has one
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
  os::NativeAddress path;
  const bool bound =
      slot.local && slot.role == Role::listener && sys::getsockname(slot.descriptor, path.data(), &path.size) == 0;
  sys::close(slot.descriptor);
  // Not while somebody else still listens there: another process with a copy of the descriptor, or a successor.
  if (bound) static_cast<void>(os::remove_stale(path));
}

Result<Chunk> copied(Pool& pool, std::span<const std::byte> bytes) {
  if (bytes.empty()) return Chunk();
  const std::span<std::byte> room = pool.room(bytes.size());
  if (room.empty()) return Chunk::copy_of(bytes);
  std::memcpy(room.data(), bytes.data(), bytes.size());
  return pool.commit(room, bytes.size());
}

}  // namespace kernel
}  // namespace v1
}  // namespace meari
