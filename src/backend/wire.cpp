// The medium: the clock, the events in their order, and the one way that all segments go.
#include "src/backend/wire.hpp"

#include <algorithm>
#include <utility>

#include <meari/dice.hpp>
#include "src/backend/wire_backend.hpp"
#include "src/backend/wire_socket.hpp"

namespace meari {
inline namespace v1 {

namespace {

// No process may have so many descriptors, so that a close(2) that got one of ours by mistake hits nothing.
constexpr Descriptor first_descriptor = Descriptor{1} << 24;

// When a segment that was lost for the n-th time is sent again, tcp(7). Measured with tcp_syn_retries = 6: a SYN after
// 1, 2, 3, 4, 5, 7, 11, 19 … s, and 131 s after the first connect() fails; but all of it ends with the user timeout.
constexpr std::uint32_t most_syn_losses = 10;
constexpr std::uint32_t most_losses = 15;  // tcp_retries2
Duration retransmission(Segment::Kind kind, std::uint32_t losses) noexcept {
  if (kind == Segment::Kind::syn)
    return std::chrono::seconds(losses < 5 ? 1 : std::int64_t{1} << (std::min(losses, most_syn_losses) - 4));
  return std::min<Duration>(std::chrono::milliseconds(std::int64_t{200} << std::min(losses, most_losses)),
                            std::chrono::seconds(120));
}

}  // namespace

const char* name(WireEvent::What what) noexcept {
  switch (what) {
    case WireEvent::What::opened: return "opened";
    case WireEvent::What::closed: return "closed";
    case WireEvent::What::departed: return "departed";
    case WireEvent::What::arrived: return "arrived";
    case WireEvent::What::lost: return "lost";
    case WireEvent::What::dropped: return "dropped";
    case WireEvent::What::refused: return "refused";
    case WireEvent::What::vanished: return "vanished";
    case WireEvent::What::given_up: return "given up";
  }
  return "?";
}

const char* name(Segment::Kind kind) noexcept {
  switch (kind) {
    case Segment::Kind::syn: return "SYN";
    case Segment::Kind::syn_ack: return "SYN+ACK";
    case Segment::Kind::ack: return "ACK";
    case Segment::Kind::data: return "DATA";
    case Segment::Kind::fin: return "FIN";
    case Segment::Kind::rst: return "RST";
    case Segment::Kind::datagram: return "DATAGRAM";
  }
  return "?";
}

const char* name(TcpPhase phase) noexcept {
  switch (phase) {
    case TcpPhase::closed: return "CLOSED";
    case TcpPhase::listen: return "LISTEN";
    case TcpPhase::syn_sent: return "SYN_SENT";
    case TcpPhase::syn_received: return "SYN_RCVD";
    case TcpPhase::established: return "ESTABLISHED";
    case TcpPhase::fin_wait_1: return "FIN_WAIT_1";
    case TcpPhase::fin_wait_2: return "FIN_WAIT_2";
    case TcpPhase::close_wait: return "CLOSE_WAIT";
    case TcpPhase::closing: return "CLOSING";
    case TcpPhase::last_ack: return "LAST_ACK";
  }
  return "?";
}

// ---- hosts and sockets

Wire::Wire() = default;
Wire::~Wire() { MEARI_ASSERT(backends_.empty()); }

HostId Wire::add_host(HostSetup setup) {
  MEARI_ASSERT(setup.ahead >= Duration::zero() && setup.send_buffer > 0 && setup.window > 0);
  MEARI_ASSERT(setup.first_ephemeral != 0 && setup.first_ephemeral <= setup.last_ephemeral);
  const auto id = static_cast<HostId>(hosts_.size());
  for (Address& address : setup.addresses) {
    address = unmapped(address).with_port(0);
    const bool is_new = homes_.emplace(address, id).second;
    MEARI_ASSERT(is_new);  // every address belongs to one host
  }
  Host host;
  host.next_port[0] = host.next_port[1] = setup.first_ephemeral;
  if (!setup.name.empty()) host_names_.emplace(setup.name, id);
  host.setup = std::move(setup);
  hosts_.push_back(std::move(host));
  return id;
}

const HostId* Wire::find_host(std::string_view name) const noexcept {
  const auto at = host_names_.find(name);
  return at == host_names_.end() ? nullptr : &at->second;
}

WireSocket* Wire::find(Descriptor socket) const noexcept {
  const Descriptor place = socket - first_descriptor;
  if (place < 0 || static_cast<std::size_t>(place) >= sockets_.size()) return nullptr;
  return sockets_[static_cast<std::size_t>(place)].get();
}

WireSocket& Wire::make(HostId host, Role role, Family family) {
  auto socket = std::make_unique<WireSocket>();
  socket->id = first_descriptor + static_cast<Descriptor>(sockets_.size());
  socket->host = host;
  socket->role = role;
  socket->family = family;
  sockets_.push_back(std::move(socket));
  ++living_;
  return *sockets_.back();
}

void Wire::give_descriptor(WireSocket& socket) {
  socket.open = true;
  ++hosts_[socket.host].open;
  record(WireEvent::What::opened, socket, Segment::Kind::data, 0);
}

void Wire::bury(WireSocket& socket) {
  if (!socket.is_orphan() || socket.phase != TcpPhase::closed || !socket.flight.empty()) return;
  unbind(socket);
  --living_;
  sockets_[static_cast<std::size_t>(socket.id - first_descriptor)].reset();
}

// ---- time

Time Wire::next_time() const noexcept {
  Time next = agenda_.empty() ? never : agenda_.top().time;
  if (!driven_) return next;
  for (const WireBackend* backend : backends_) next = std::min(next, backend->alarm());
  return std::max(next, now_);
}

bool Wire::step() {
  const Time next = next_time();
  if (next == never) return false;
  if (agenda_.empty() || agenda_.top().time > next) {
    advance_to(next);
    return true;
  }
  const Due due = agenda_.top();
  agenda_.pop();
  now_ = due.time;
  happen(due);
  forget_idle_events();
  return true;
}

void Wire::advance_to(Time time) {
  while (!agenda_.empty() && agenda_.top().time <= time) {
    const Due due = agenda_.top();
    agenda_.pop();
    now_ = due.time;
    happen(due);
  }
  now_ = std::max(now_, time);
  for (WireBackend* backend : backends_)
    if (backend->alarm() <= now_) backend->time_has_come();
}

// Timers of what has gone meanwhile would only have the clock move for nothing.
void Wire::forget_idle_events() {
  while (!agenda_.empty()) {
    const Due& next = agenda_.top();
    if (next.what != Due::What::fin_timeout && next.what != Due::What::keep_alive) return;
    const WireSocket* socket = find(next.socket);
    if (socket != nullptr && socket->phase != TcpPhase::closed) return;
    agenda_.pop();
  }
}

bool Wire::somebody_awake() const noexcept {
  return std::ranges::any_of(backends_, [](const WireBackend* backend) { return backend->awake(); });
}

bool Wire::awake(const Backend& backend) const noexcept {
  return std::ranges::any_of(backends_, [&](const WireBackend* one) { return one == &backend && one->awake(); });
}

std::uint64_t Wire::schedule(Time time, Due::What what, Descriptor socket) {
  agenda_.push({time, ++order_, socket, what});
  return order_;
}

void Wire::happen(const Due& due) {
  if (due.what == Due::What::post) {
    const auto at = posts_.find(due.order);
    Post post = std::move(at->second);
    posts_.erase(at);
    return deliver_post(std::move(post));
  }
  WireSocket* socket = find(due.socket);
  if (socket == nullptr) return;
  switch (due.what) {
    case Due::What::arrival: return arrive(*socket);
    case Due::What::stir: return tell(*socket);
    case Due::What::fin_timeout: return fin_timeout(*socket);
    case Due::What::keep_alive: return keep_alive(*socket);
    case Due::What::unreachable:
      if (socket->phase == TcpPhase::syn_sent) end(*socket, Errc::host_unreachable);
      return;
    case Due::What::post: return;
  }
}

// The running hash takes in what happened, to whom, when and how much; so two runs that differ anywhere differ at the end.
void Wire::record(WireEvent::What what, const WireSocket& socket, Segment::Kind kind, std::size_t size,
                  std::span<const std::byte> bytes) {
  ++happened_;
  const auto place = static_cast<std::uint64_t>(socket.id - first_descriptor);
  const auto kinds = static_cast<std::uint64_t>(what) << 8 | static_cast<std::uint64_t>(kind);
  hash_ = mixed(hash_ ^ (kinds << 32 | socket.host));
  hash_ = mixed(hash_ ^ static_cast<std::uint64_t>(now_.time_since_epoch().count()));
  hash_ = mixed(hash_ ^ place << 40 ^ size);
  if (watcher_)
    watcher_({.what = what,
              .kind = kind,
              .host = socket.host,
              .socket = socket.id,
              .size = size,
              .time = now_,
              .from = &socket.local,
              .to = &socket.peer,
              .bytes = bytes});
}

std::string Wire::dump() const {
  std::string text;
  const auto number = [&](const char* what, std::uint64_t value) {
    if (value != 0) text += std::string(" ") + what + ' ' + std::to_string(value);
  };
  for (const auto& socket : sockets_) {
    if (socket == nullptr) continue;
    text += '#' + std::to_string(socket->id - first_descriptor) + ' ' + hosts_[socket->host].setup.name + ' ' +
            name(socket->phase) + ' ' + socket->local.to_string() + " - " + socket->peer.to_string();
    if (socket->is_orphan()) text += " closed";
    if (socket->listener != no_descriptor) text += " not accepted";
    number("unread", socket->unread_bytes);
    number("unsent", socket->unsent_bytes);
    number("unacknowledged", socket->sent - socket->acknowledged);
    number("on the way", socket->flight.size());
    number("queue", socket->queue.size() + socket->half_open.size() + socket->letters.size());
    text += '\n';
  }
  return text;
}

// ---- calls

Errc Wire::judge(WireCall::What what, const WireSocket& socket, std::size_t& most) {
  if (!weather_.call) return Errc::none;
  const Verdict verdict = weather_.call(
      {.what = what, .host = socket.host, .socket = socket.id, .listens = socket.role == Role::listener, .time = now_});
  most = std::min(most, std::max<std::size_t>(verdict.most, 1));
  if (verdict.error == Errc::none) return Errc::none;
  record(WireEvent::What::refused, socket, Segment::Kind::data, static_cast<std::size_t>(verdict.error));
  if (verdict.error == Errc::would_block)
    schedule(now_ + std::max(verdict.pause, Duration(1)), Due::What::stir, socket.id);
  return verdict.error;
}

void Wire::stir(WireSocket& socket) {
  if (socket.backend != nullptr && weather_.news) {
    const Duration later = weather_.news(socket.host, socket.id);
    if (later > Duration::zero()) return static_cast<void>(schedule(now_ + later, Due::What::stir, socket.id));
  }
  tell(socket);
}

void Wire::tell(WireSocket& socket) {
  if (socket.backend != nullptr) socket.backend->stirred(socket.slot);
}

void Wire::enlist(WireBackend& backend) { backends_.push_back(&backend); }
void Wire::leave(WireBackend& backend) { std::erase(backends_, &backend); }

Result<Wire::Found> Wire::attach(Descriptor descriptor, HostId host, WireBackend& backend, SlotId slot) {
  WireSocket* socket = find(descriptor);
  if (socket == nullptr || !socket->open || socket->host != host) return Errc::closed;
  if (socket->backend != nullptr) return Errc::busy;
  socket->backend = &backend;
  socket->slot = slot;
  return Found{socket->role, socket->is_local(), socket->was_connected};
}

void Wire::detach(Descriptor descriptor) {
  WireSocket* socket = find(descriptor);
  if (socket != nullptr) socket->backend = nullptr;
}

// ---- the way of a segment

Passage Wire::passage(const Segment& segment) {
  Passage passage = weather_.passage ? weather_.passage(segment) : Passage();
  passage.latency = std::max(passage.latency, Duration(1));
  passage.most = std::max<std::size_t>(passage.most, 1);
  return passage;
}

// Everything that happens to a segment of a stream on its way is decided here: when it departs, and when it departs again.
void Wire::carry(WireSocket& socket, std::size_t place) {
  for (;; ++place) {
    WireFlight& flight = socket.flight[place];
    const Passage passage = this->passage({.kind = flight.kind,
                                           .from_host = socket.host,
                                           .to_host = socket.other_host,
                                           .socket = socket.id,
                                           .from = &socket.from,
                                           .to = &socket.to,
                                           .size = flight.bytes.size(),
                                           .bytes = flight.bytes.bytes(),
                                           .losses = flight.losses,
                                           .time = now_});
    WireFlight rest = flight;
    if (flight.kind == Segment::Kind::data && passage.most < flight.bytes.size()) {
      rest.bytes = flight.bytes.substr(passage.most);
      flight.bytes = flight.bytes.substr(0, passage.most);
    } else {
      rest.bytes = Bytes();
    }
    flight.lost = passage.lost;
    flight.reset = passage.reset && !passage.lost && !socket.is_local();
    flight.due = flight.lost ? next_try(socket, flight) : now_ + passage.latency;
    record(WireEvent::What::departed, socket, flight.kind, flight.bytes.size(), flight.bytes.bytes());
    if (place == 0) schedule(flight.due, Due::What::arrival, socket.id);
    if (rest.bytes.empty()) return;
    rest.losses = 0;
    socket.flight.insert(socket.flight.begin() + static_cast<std::ptrdiff_t>(place) + 1, std::move(rest));
  }
}

// The oldest segment is due: it is there, or it was lost. Only then its successor may arrive: that keeps the order.
// (An event of earlier may find that the segment has been sent again meanwhile: it has an event of its own.)
void Wire::arrive(WireSocket& socket) {
  if (socket.flight.empty() || socket.flight.front().due > now_) return;
  if (socket.flight.front().lost) {
    if (!depart_again(socket)) return;
  } else if (socket.flight.front().reset) {
    cut(socket);
  } else if (hosts_[socket.other_host].up && deliver(socket)) {
    socket.flight.pop_front();
  } else {  // no room there, or nobody: as good as lost
    WireFlight& flight = socket.flight.front();
    record(WireEvent::What::dropped, socket, flight.kind, flight.bytes.size());
    flight.lost = true;
    flight.due = next_try(socket, flight);
  }
  if (socket.flight.empty()) return bury(socket);
  schedule(std::max(now_, socket.flight.front().due), Due::What::arrival, socket.id);
}

Time Wire::next_try(const WireSocket& socket, const WireFlight& flight) const {
  const Duration patience = hosts_[socket.host].setup.user_timeout;
  const Time next = now_ + retransmission(flight.kind, flight.losses);
  return patience == Duration::zero() ? next : std::min(next, std::max(flight.first + patience, now_));
}

// False: it is on its way again. True: it has gone for good, and what follows it goes on.
bool Wire::depart_again(WireSocket& socket) {
  WireFlight& flight = socket.flight.front();
  record(WireEvent::What::lost, socket, flight.kind, flight.bytes.size());
  // After a reset nothing goes again but the RST itself. (An ACK may be the one for the last FIN.) What follows the gap is of
  // no use to the peer, which waits for what is missing and gets the RST.
  const auto is_missed = [](const WireFlight& one) {
    return one.kind != Segment::Kind::ack && one.kind != Segment::Kind::rst;
  };
  if (socket.was_reset && is_missed(flight)) {
    std::erase_if(socket.flight, is_missed);
    return true;
  }
  const Duration patience = hosts_[socket.host].setup.user_timeout;
  const bool out_of_patience = patience != Duration::zero() && now_ >= flight.first + patience;
  if (out_of_patience || ++flight.losses > (flight.kind == Segment::Kind::syn ? most_syn_losses : most_losses)) {
    give_up(socket);
    return true;
  }
  ++socket.retransmits;
  carry(socket, 0);
  return false;
}

// Nothing comes through. The peer finds out as well, with its keep-alive, which every socket of ours has, or because no
// answer to its SYN has come.
void Wire::give_up(WireSocket& socket) {
  record(WireEvent::What::given_up, socket, socket.flight.front().kind, 0);
  socket.flight.clear();
  if (socket.phase != TcpPhase::closed) end(socket, Errc::timed_out);
  WireSocket* peer = find(socket.other);
  if (peer == nullptr || peer->phase == TcpPhase::closed) return;
  end(*peer, Errc::timed_out);
  bury(*peer);
}

}  // namespace v1
}  // namespace meari
