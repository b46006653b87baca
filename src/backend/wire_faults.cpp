// What hosts and networks go through: crashes, RSTs from the middle, peers that are never heard of again.
#include <algorithm>
#include <utility>

#include "src/backend/wire_backend.hpp"
#include "src/backend/wire_socket.hpp"

namespace meari {
inline namespace v1 {

namespace {

// As the sockets of our backends are set up (src/os/native.hpp): a probe after so long without a word, three more.
constexpr Duration first_probe = std::chrono::seconds(60);
constexpr Duration more_probes = std::chrono::seconds(30);
// tcp_fin_timeout: how long who has closed waits for the FIN of a peer that has only acknowledged.
constexpr Duration longest_fin_wait = std::chrono::seconds(60);

}  // namespace

// ---- a host

// What is on its way from it is lost with it: nobody would send it again.
void Wire::crash(HostId id) {
  Host& host = hosts_.at(id);
  if (!std::exchange(host.up, false)) return;
  for (std::unique_ptr<WireSocket>& socket : sockets_) {
    if (socket == nullptr) continue;
    if (socket->host != id) {
      if (socket->other_host == id && socket->role == Role::stream && !socket->is_local())
        schedule(now_ + first_probe, Due::What::keep_alive, socket->id);
      continue;
    }
    record(WireEvent::What::vanished, *socket, Segment::Kind::data, socket->unread_bytes);
    --living_;
    socket.reset();
  }
  host.open = 0;
  for (auto& ports : host.ports) ports.clear();
  std::erase_if(host.names, [](const auto& name) { return name.first.starts_with('@'); });
  for (auto& name : host.names) name.second = no_descriptor;  // the files stay
  for (WireBackend* backend : backends_)
    if (backend->host() == id) backend->sever();
}

void Wire::restart(HostId host) { hosts_.at(host).up = true; }

void Wire::jump(HostId host, Duration ahead) {
  MEARI_ASSERT(ahead >= Duration::zero());
  hosts_.at(host).setup.ahead += ahead;
  for (WireBackend* backend : backends_)
    if (backend->host() == host && is_up(host)) backend->jump(ahead);
}

// ---- a network

void Wire::hurry(HostId from, HostId to) {
  for (const std::unique_ptr<WireSocket>& socket : sockets_) {
    if (socket == nullptr || socket->host != from || socket->other_host != to) continue;
    if (socket->flight.empty() || !socket->flight.front().lost || socket->flight.front().due <= now_) continue;
    socket->flight.front().due = now_;
    schedule(now_, Due::What::arrival, socket->id);
  }
}

// The oldest segment of this socket has become an RST for both ends.
void Wire::cut(WireSocket& socket) {
  const Segment::Kind kind = socket.flight.front().kind;
  socket.flight.pop_front();
  record(WireEvent::What::dropped, socket, Segment::Kind::rst, 0);
  if (WireSocket* peer = find(socket.other)) {
    reset_came(*peer);
    bury(*peer);
  }
  if (kind == Segment::Kind::ack) socket.ack_flies = false;
  reset_came(socket);
}

// ---- peers that are never heard of again

void Wire::keep_alive(WireSocket& socket) {
  if (socket.phase == TcpPhase::closed || find(socket.other) != nullptr) return;
  if (socket.phase == TcpPhase::syn_sent) return;  // its SYN has a timer of its own
  if (!socket.flight.empty()) {  // what waits for an answer has tries of its own, and no probes are sent meanwhile
    schedule(now_ + more_probes, Due::What::keep_alive, socket.id);
    return;
  }
  if (hosts_[socket.other_host].up) {
    reset_came(socket);
  } else if (!std::exchange(socket.probed, true)) {
    schedule(now_ + more_probes, Due::What::keep_alive, socket.id);
    return;
  } else {
    record(WireEvent::What::given_up, socket, Segment::Kind::ack, 0);
    end(socket, Errc::timed_out);
  }
  bury(socket);
}

void Wire::wait_for_fin(WireSocket& socket) {
  if (socket.phase != TcpPhase::fin_wait_2 || !socket.is_orphan() || socket.is_local()) return;
  schedule(now_ + longest_fin_wait, Due::What::fin_timeout, socket.id);
}

void Wire::fin_timeout(WireSocket& socket) {
  if (socket.phase != TcpPhase::fin_wait_2 || !socket.is_orphan()) return;
  record(WireEvent::What::given_up, socket, Segment::Kind::fin, 0);
  socket.phase = TcpPhase::closed;
  bury(socket);
}

}  // namespace v1
}  // namespace meari
