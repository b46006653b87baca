// Streams on the wire: the handshake, numbers and windows, FIN and RST. What a rule says of Linux was measured on 6.18.
#include <algorithm>
#include <cstring>
#include <utility>

#include "src/backend/wire_backend.hpp"
#include "src/backend/wire_socket.hpp"

namespace meari {
inline namespace v1 {

namespace {

constexpr std::size_t largest_segment = std::size_t{64} << 10;  // as loopback and segmentation offload have it

}  // namespace

// ---- calls

Error Wire::connect_result(Descriptor descriptor) {
  WireSocket* socket = find(descriptor);
  if (socket == nullptr) return Errc::closed;
  if (socket->phase == TcpPhase::syn_sent) return Errc::would_block;
  const Errc error = std::exchange(socket->error, Errc::none);
  if (error != Errc::none) return {error, "connect to", socket->peer};
  return socket->is_connected() ? Error() : Error(Errc::not_connected, "connect to", socket->peer);
}

// A connection that was reset while it waited is given all the same, as Linux does it: its first receive tells.
// One that the weather makes fail with connection_aborted is skipped, as src/os does it.
Result<Wire::Taken> Wire::accept(Descriptor descriptor) {
  WireSocket* listener = find(descriptor);
  if (listener == nullptr) return Errc::closed;
  if (listener->phase != TcpPhase::listen) return Errc::invalid_argument;
  while (!listener->queue.empty()) {
    std::size_t most = Passage::whole;
    const Errc refused = judge(WireCall::What::accept, *listener, most);
    if (refused != Errc::none && refused != Errc::connection_aborted) return refused;
    if (!has_descriptor(listener->host)) return Errc::too_many_descriptors;
    WireSocket& socket = *find(listener->queue.front());
    listener->queue.pop_front();
    socket.listener = no_descriptor;
    if (refused == Errc::none) {
      give_descriptor(socket);
      return Taken{socket.id, socket.peer};
    }
    record(WireEvent::What::dropped, socket, Segment::Kind::rst, socket.unread_bytes);
    if (socket.is_connected()) {
      end(socket, Errc::connection_aborted);
      post(socket, Segment::Kind::rst);
    }
    bury(socket);
  }
  return Errc::would_block;
}

// An error is told once, to a send or a receive, whichever comes first; afterwards sends fail with broken_pipe and
// receives see the end. (Unix-domain: to a receive only.)
Result<std::size_t> Wire::send(Descriptor descriptor, std::span<const std::span<const std::byte>> pieces) {
  WireSocket* socket = find(descriptor);
  if (socket == nullptr) return Errc::closed;
  if (!socket->is_local() && socket->error != Errc::none) return std::exchange(socket->error, Errc::none);
  if (socket->phase == TcpPhase::syn_sent) return Errc::would_block;
  if (!socket->is_connected() || socket->fin_wanted || socket->peer_closed) return Errc::broken_pipe;
  const std::uint64_t buffer = hosts_[socket->host].setup.send_buffer;
  auto most = static_cast<std::size_t>(buffer - std::min(buffer, socket->unacknowledged()));
  if (most == 0) {
    socket->writer_waits = true;
    return Errc::would_block;
  }
  if (const Errc refused = judge(WireCall::What::send, *socket, most); refused != Errc::none) return refused;
  scratch_.clear();
  for (const std::span<const std::byte> piece : pieces) {
    const auto part = piece.first(std::min(piece.size(), most - scratch_.size()));
    scratch_.insert(scratch_.end(), part.begin(), part.end());
  }
  if (scratch_.empty()) return std::size_t{0};
  Result<Bytes> bytes = Bytes::try_copy_of(scratch_);
  if (!bytes) return bytes.error();
  socket->unsent_bytes += bytes->size();
  socket->unsent.push_back(std::move(*bytes));
  pump(*socket);
  return scratch_.size();
}

// What came before a reset can still be received; then the error, once; then the end. A FIN comes before the error: who
// has seen the end does not see a reset after it. (Unix-domain: the error comes before the end.)
Result<std::size_t> Wire::receive(Descriptor descriptor, std::span<std::byte> room) {
  WireSocket* socket = find(descriptor);
  if (socket == nullptr) return Errc::closed;
  const bool is_over = socket->phase == TcpPhase::closed && socket->was_connected;
  if (socket->unread_bytes == 0 && socket->error == Errc::none && !socket->fin_received && !is_over)
    return socket->phase == TcpPhase::closed ? Errc::not_connected : Errc::would_block;
  std::size_t most = room.size();
  if (const Errc refused = judge(WireCall::What::receive, *socket, most); refused != Errc::none) return refused;
  if (socket->unread_bytes == 0) {
    if (socket->fin_received && !socket->is_local()) return std::size_t{0};
    if (socket->error != Errc::none) return std::exchange(socket->error, Errc::none);
    return std::size_t{0};
  }
  std::size_t taken = 0;
  while (taken < most && !socket->unread.empty()) {
    Bytes& first = socket->unread.front();
    const std::size_t part = std::min(most - taken, first.size());
    std::memcpy(room.data() + taken, first.data(), part);
    taken += part;
    first = first.substr(part);
    if (first.empty()) socket->unread.pop_front();
  }
  socket->unread_bytes -= taken;
  acknowledge(*socket);
  return taken;
}

std::size_t Wire::readable(Descriptor descriptor) const {
  const WireSocket* socket = find(descriptor);
  return socket == nullptr ? 0 : socket->unread_bytes;
}

Result<> Wire::finish(Descriptor descriptor) {
  WireSocket* socket = find(descriptor);
  if (socket == nullptr) return Errc::closed;
  if (!socket->is_connected()) {
    if (socket->is_local() && socket->was_connected) return {};
    return Errc::not_connected;
  }
  begin_finish(*socket);
  return {};
}

void Wire::begin_finish(WireSocket& socket) {
  if (socket.fin_wanted) return;
  socket.fin_wanted = true;
  socket.phase = socket.phase == TcpPhase::close_wait ? TcpPhase::last_ack : TcpPhase::fin_wait_1;
  pump(socket);
}

void Wire::close(Descriptor descriptor, bool abort) {
  WireSocket* socket = find(descriptor);
  if (socket == nullptr || !socket->open) return;
  record(WireEvent::What::closed, *socket, Segment::Kind::data, socket->unread_bytes);
  socket->open = false;
  socket->backend = nullptr;
  --hosts_[socket->host].open;
  unbind(*socket);
  socket->letters.clear();
  for (const Descriptor writer : std::exchange(socket->writers, {}))
    if (WireSocket* waiting = find(writer)) stir(*waiting);
  if (socket->role == Role::listener) close_listener(*socket);
  if (socket->role == Role::stream) close_stream(*socket, abort);
  bury(*socket);
}

// Whoever waits in the backlog is reset, and whose handshake has only begun as well.
void Wire::close_listener(WireSocket& listener) {
  listener.phase = TcpPhase::closed;
  std::vector<Descriptor> waiting = std::exchange(listener.half_open, {});
  waiting.insert(waiting.end(), listener.queue.begin(), listener.queue.end());
  listener.queue.clear();
  for (const Descriptor one : waiting) {
    WireSocket& socket = *find(one);
    socket.listener = no_descriptor;
    if (socket.is_connected()) {
      end(socket, Errc::none);
      post(socket, Segment::Kind::rst);
    }
    bury(socket);
  }
}

// Unread bytes, or the wish to abort, make it an RST: the peer sees a failure, and what we have sent and it has not got
// yet is lost. Else FIN, and what is unsent still goes out. (Unix-domain: abort means nothing.)
void Wire::close_stream(WireSocket& socket, bool abort) {
  const bool reset = socket.unread_bytes != 0 || (abort && !socket.is_local());
  socket.unread.clear();
  socket.unread_bytes = 0;
  wait_for_fin(socket);
  if (!socket.is_connected()) {
    socket.was_reset = socket.was_reset || socket.phase == TcpPhase::syn_sent;  // no SYN goes out again
    socket.phase = TcpPhase::closed;
  } else if (reset) {
    end(socket, Errc::none);
    post(socket, Segment::Kind::rst);
  } else if (socket.is_local() && socket.fin_sent) {
    post(socket, Segment::Kind::fin);
  } else {
    begin_finish(socket);
  }
}

// ---- departures

void Wire::post(WireSocket& socket, Segment::Kind kind, Bytes bytes) {
  WireFlight flight;
  flight.kind = kind;
  flight.first = now_;
  flight.closed = !socket.open && socket.is_local() && kind == Segment::Kind::fin;
  flight.bytes = std::move(bytes);
  flight.received = socket.told_received = socket.received;
  flight.edge = socket.told_edge = socket.received + hosts_[socket.host].setup.window - socket.unread_bytes;
  socket.flight.push_back(std::move(flight));
  carry(socket, socket.flight.size() - 1);
}

// Sends what the peer's window allows, and the FIN when nothing is left before it.
void Wire::pump(WireSocket& socket) {
  if (!socket.is_connected()) return;
  while (!socket.unsent.empty() && socket.sent < socket.edge) {
    Bytes& first = socket.unsent.front();
    const auto allowed = static_cast<std::size_t>(std::min<std::uint64_t>(socket.edge - socket.sent, largest_segment));
    Bytes part = first.substr(0, allowed);
    first = first.substr(part.size());
    if (first.empty()) socket.unsent.pop_front();
    socket.sent += part.size();
    socket.unsent_bytes -= part.size();
    post(socket, Segment::Kind::data, std::move(part));
  }
  if (socket.fin_wanted && !socket.fin_sent && socket.unsent.empty()) {
    socket.fin_sent = true;
    ++socket.sent;
    post(socket, Segment::Kind::fin);
  }
}

// Tells the peer what has come and how much more may, where that is news. A window is news when half of it has become
// free. One such segment is on its way at a time; when it has arrived and there is more to tell by then, the next goes.
void Wire::acknowledge(WireSocket& socket) {
  const bool said_goodbye = socket.fin_sent && socket.fin_received;  // the last FIN has to be acknowledged, too
  if (socket.ack_flies || (!socket.is_connected() && !said_goodbye)) return;
  const std::size_t window = hosts_[socket.host].setup.window;
  const std::uint64_t edge = socket.received + window - socket.unread_bytes;
  if (socket.told_received == socket.received && edge - socket.told_edge < std::max<std::size_t>(window / 2, 1)) return;
  socket.ack_flies = true;
  post(socket, Segment::Kind::ack);
}

// Nothing more comes and nothing more goes. What has come stays, what has departed arrives.
void Wire::end(WireSocket& socket, Errc error) {
  if (socket.phase == TcpPhase::syn_received)
    if (WireSocket* listener = find(std::exchange(socket.listener, no_descriptor)))
      std::erase(listener->half_open, socket.id);
  socket.phase = TcpPhase::closed;
  socket.was_reset = true;
  socket.error = error;
  socket.unsent.clear();
  socket.unsent_bytes = 0;
  stir(socket);
}

// Somebody that is not there answers: no listener, or a connection that has gone.
void Wire::answer_with_reset(WireSocket& to) {
  WireSocket& nobody = make(to.other_host, Role::stream, to.family);
  nobody.other = to.id;
  nobody.other_host = to.host;
  nobody.from = to.to;
  nobody.to = to.from;
  post(nobody, Segment::Kind::rst);
}

// ---- arrivals

bool Wire::deliver(WireSocket& socket) {
  const Segment::Kind kind = socket.flight.front().kind;
  if (kind == Segment::Kind::syn) return deliver_syn(socket);
  record(WireEvent::What::arrived, socket, kind, socket.flight.front().bytes.size(),
         socket.flight.front().bytes.bytes());
  if (kind == Segment::Kind::syn_ack) {
    deliver_syn_ack(socket);
  } else if (WireSocket* peer = find(socket.other)) {
    deliver_to(*peer, socket);
    bury(*peer);
  } else if ((kind == Segment::Kind::data || kind == Segment::Kind::fin) && !socket.is_local()) {
    answer_with_reset(socket);
  }
  if (kind == Segment::Kind::ack) {
    socket.ack_flies = false;
    acknowledge(socket);
  }
  return true;
}

void Wire::deliver_to(WireSocket& peer, WireSocket& sender) {
  WireFlight& flight = sender.flight.front();
  if (flight.kind == Segment::Kind::rst) return reset_came(peer);
  const bool wants_answer = flight.kind != Segment::Kind::ack && !peer.is_local();
  if (!peer.is_connected()) {
    if (wants_answer) post(peer, Segment::Kind::rst);
    return;
  }
  if (peer.phase == TcpPhase::syn_received) into_queue(peer);
  acknowledged(peer, flight.received, flight.edge);
  if (flight.kind == Segment::Kind::data) return data_came(peer, std::move(flight.bytes));
  if (flight.kind == Segment::Kind::fin) return fin_came(peer, flight.closed);
}

// A listener's queue takes one more than its backlog: listen(1) lets two connect (measured). A SYN that finds it full is
// ignored, and comes again.
bool Wire::deliver_syn(WireSocket& client) {
  WireSocket* listener = bound_at(client.other_host, Role::listener, client.to, client.from);
  if (listener != nullptr && listener->queue.size() + listener->half_open.size() > listener->backlog) return false;
  record(WireEvent::What::arrived, client, Segment::Kind::syn, 0);
  if (listener == nullptr) {
    answer_with_reset(client);
    return true;
  }
  WireSocket& embryo = make(listener->host, Role::stream, listener->family);
  embryo.phase = TcpPhase::syn_received;
  embryo.listener = listener->id;
  embryo.other = client.id;
  embryo.other_host = client.host;
  embryo.from = client.to;
  embryo.to = client.from;
  embryo.local = seen_by(embryo.family, client.to);
  embryo.peer = seen_by(embryo.family, client.from);
  embryo.edge = client.flight.front().edge;
  embryo.syn_time = now_;
  listener->half_open.push_back(embryo.id);
  post(embryo, Segment::Kind::syn_ack);
  return true;
}

void Wire::deliver_syn_ack(WireSocket& embryo) {
  WireSocket* client = find(embryo.other);
  if (client == nullptr || client->phase != TcpPhase::syn_sent) return answer_with_reset(embryo);
  client->phase = TcpPhase::established;
  client->was_connected = true;
  client->other = embryo.id;
  client->round_trip = now_ - client->syn_time;
  client->edge = embryo.flight.front().edge;
  client->ack_flies = true;
  post(*client, Segment::Kind::ack);
  stir(*client);
}

void Wire::into_queue(WireSocket& socket) {
  socket.phase = TcpPhase::established;
  socket.was_connected = true;
  socket.round_trip = now_ - socket.syn_time;
  WireSocket& listener = *find(socket.listener);
  std::erase(listener.half_open, socket.id);
  listener.queue.push_back(socket.id);
  stir(listener);
}

void Wire::acknowledged(WireSocket& socket, std::uint64_t upto, std::uint64_t edge) {
  socket.acknowledged = std::max(socket.acknowledged, upto);
  socket.edge = std::max(socket.edge, edge);
  if (socket.fin_sent && socket.acknowledged == socket.sent) {
    if (socket.phase == TcpPhase::fin_wait_1) {
      socket.phase = TcpPhase::fin_wait_2;
      wait_for_fin(socket);
    }
    if (socket.phase == TcpPhase::closing || socket.phase == TcpPhase::last_ack) socket.phase = TcpPhase::closed;
  }
  pump(socket);
  // As the kernel: a writer that waits is told when a third of the buffer is free.
  const std::uint64_t buffer = hosts_[socket.host].setup.send_buffer;
  if (!socket.writer_waits || socket.unacknowledged() > buffer - (buffer + 2) / 3) return;
  socket.writer_waits = false;
  stir(socket);
}

// Bytes for somebody who has closed: an RST, and the connection is gone. (Unix-domain: they vanish; the FIN that is on
// its way says that nobody is there.)
void Wire::data_came(WireSocket& socket, Bytes bytes) {
  if (socket.is_orphan() && !socket.is_local()) {
    end(socket, Errc::none);
    post(socket, Segment::Kind::rst);
    return;
  }
  socket.received += bytes.size();
  if (!socket.is_orphan()) {
    socket.unread_bytes += bytes.size();
    socket.unread.push_back(std::move(bytes));
    stir(socket);
  }
  acknowledge(socket);
}

void Wire::fin_came(WireSocket& socket, bool closed) {
  if (!socket.fin_received) {
    socket.fin_received = true;
    ++socket.received;
    switch (socket.phase) {
      case TcpPhase::established: socket.phase = TcpPhase::close_wait; break;
      case TcpPhase::fin_wait_1: socket.phase = TcpPhase::closing; break;
      case TcpPhase::fin_wait_2: socket.phase = TcpPhase::closed; break;
      default: break;
    }
  }
  if (closed) {
    socket.peer_closed = true;
    socket.unsent.clear();
    socket.unsent_bytes = 0;
    pump(socket);
  }
  stir(socket);
  acknowledge(socket);
}

// After the peer's FIN an RST is told as broken_pipe, as Linux does.
void Wire::reset_came(WireSocket& socket) {
  switch (socket.phase) {
    case TcpPhase::closed:
    case TcpPhase::listen: return;
    case TcpPhase::syn_sent: return end(socket, Errc::connection_refused);
    case TcpPhase::close_wait: return end(socket, socket.is_local() ? Errc::connection_reset : Errc::broken_pipe);
    default: return end(socket, Errc::connection_reset);
  }
}

}  // namespace v1
}  // namespace meari
