#include "src/backend/wire_backend.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <thread>

#include "src/backend/bell.hpp"

namespace meari {
inline namespace v1 {

std::unique_ptr<Backend> make_wire_backend(Wire& wire, HostId host, std::size_t pool_bytes) {
  return std::make_unique<WireBackend>(wire, host, pool_bytes);
}

WireBackend::WireBackend(Wire& wire, HostId host, std::size_t pool_bytes)
    : Slotted(pool_bytes), wire_(wire), host_(host), ahead_(wire.host(host).ahead) {
  begin_turn(now());
  wire_.enlist(*this);
}

WireBackend::~WireBackend() {
  for (std::uint32_t place = 0; place < slots_.size(); ++place) {
    Slot& slot = slots_.at(place);
    if (slot.in_use) shut(slot);
  }
  wire_.leave(*this);
}

// ---- slots

Result<SlotId> WireBackend::admit(Descriptor descriptor) {
  const Result<SlotId> id = fresh(descriptor, Role::stream);
  if (!id) return id;
  Slot& slot = *slots_.find(*id);
  const Result<Wire::Found> found = wire_.attach(descriptor, host_, *this, *id);
  if (!found) {
    forget(slot);
    return found.error();
  }
  slot.role = found->role;
  slot.local = found->local;
  slot.connected = found->connected;
  return id;
}

Result<SlotId> WireBackend::open(const Opening& opening) {
  const Result<Descriptor> descriptor = wire_.open(host_, opening);
  if (!descriptor) return descriptor.error();
  Result<SlotId> id = admit(*descriptor);
  if (!id) wire_.close(*descriptor, false);
  return id;
}

Result<SlotId> WireBackend::adopt(Descriptor descriptor, Role role) {
  if (role == Role::foreign) return Error(Errc::not_supported, "adopt a descriptor");
  const Result<SlotId> id = admit(descriptor);
  if (!id) return id.error().during("adopt a descriptor");
  Slot& slot = *slots_.find(*id);
  if (slot.role == role) return id;
  wire_.detach(descriptor);
  forget(slot);
  return Error(Errc::invalid_argument, "adopt a descriptor");
}

Result<Descriptor> WireBackend::release(SlotId id) {
  Slot* slot = slots_.find(id);
  if (slot == nullptr || slot->closing) return Errc::closed;
  if (slot->waiting != nullptr || slot->last_send != nullptr || slot->last_unread != nullptr) return Errc::busy;
  MEARI_ASSERT(!slot->policy.timer.is_set());
  const Descriptor descriptor = slot->descriptor;
  wire_.detach(descriptor);
  forget(*slot);
  return descriptor;
}

Result<std::pair<SlotId, SlotId>> WireBackend::pair() {
  const auto descriptors = wire_.pair(host_);
  if (!descriptors) return descriptors.error();
  const Result<SlotId> first = admit(descriptors->first);
  const Result<SlotId> second = first ? admit(descriptors->second) : first;
  if (second) return std::pair(*first, *second);
  if (first) {
    close(*first, false);
  } else {
    wire_.close(descriptors->first, false);
  }
  wire_.close(descriptors->second, false);
  return second.error();
}

void WireBackend::shut(Slot& slot) {
  everybody_leaves(slot);
  wire_.close(slot.descriptor, slot.abort);
  forget(slot);
}

// ---- receiving

Submitted WireBackend::start_receive(Slot& slot, Receive& receive) {
  wait_here(slot, receive);
  if (somebody_starves() && pool_.scarce()) {
    starve(slot);  // behind those who have waited longer
  } else if (try_receive(slot, receive)) {
    leave(slot, receive);
    return receive.error ? refuse(receive, std::move(receive.error)) : done(receive);
  }
  return Submitted::pending;
}

bool WireBackend::try_receive(Slot& slot, Receive& receive) {
  std::array<std::byte, 1> nothing;
  std::span<std::byte> room = nothing;
  if (const std::size_t readable = wire_.readable(slot.descriptor); readable != 0) {
    room = pool_.room(std::min(readable, least_room));
    if (room.empty()) {
      starve(slot);
      return false;
    }
    room = room.first(std::min(room.size(), receive.limit));
  }
  const Result<std::size_t> count = wire_.receive(slot.descriptor, room);
  if (!count) {
    if (count.error() == Errc::would_block) return false;
    failure_came(slot, count.error().during("read"));
    receive.error = slot.failure;
  } else if (*count == 0) {
    end_came(slot);
    receive.error = slot.failure;
  } else {
    count_received(slot, *count);
    receive.chunk = pool_.commit(room, *count);
  }
  return true;
}

bool WireBackend::feed(Slot& slot) {
  stirred(SlotTable::id(slot));
  return !slot.starved;
}

// ---- sending

Submitted WireBackend::start_send(Slot& slot, Send& send) {
  Error error;
  switch (try_send(slot, send, error)) {
    case Went::all: return done(send);
    case Went::part: break;
    case Went::wrong: slot.send_failure = error.code(); return refuse(send, std::move(error));
  }
  return wait_to_send(slot, send);
}

WireBackend::Went WireBackend::try_send(Slot& slot, Send& send, Error& error) {
  if (send.kind == Operation::Kind::finish) {
    const Result<> finished = wire_.finish(slot.descriptor);
    if (!finished) {
      error = finished.error().during("finish");
      return Went::wrong;
    }
    slot.finished = true;
    return Went::all;
  }
  while (left_of(send) != 0) {
    std::array<std::span<const std::byte>, pieces_a_call> pieces;
    const std::size_t count = pieces_left(send, pieces.data(), pieces.size());
    const Result<std::size_t> sent = wire_.send(slot.descriptor, std::span(pieces).first(count));
    if (sent) {
      went(slot, send, *sent);
      continue;
    }
    if (sent.error() == Errc::would_block) return Went::part;
    error = sent.error().during("write");
    return Went::wrong;
  }
  return Went::all;
}

void WireBackend::writable(Slot& slot) {
  while (Send* send = first_send(slot)) {
    Error error;
    const Went result = try_send(slot, *send, error);
    if (result == Went::part) return;
    if (result == Went::wrong) return sends_failed(slot, error);
    leave_sends(slot, *send);
    complete(*send);
  }
}

// ---- connections

Submitted WireBackend::start_accept(Slot& slot, Accept& accept) {
  wait_here(slot, accept);
  if (slot.waiting != &accept || !try_accept(slot, accept)) return Submitted::pending;
  leave(slot, accept);
  return accept.error ? refuse(accept, std::move(accept.error)) : done(accept);
}

bool WireBackend::try_accept(Slot& slot, Accept& accept) {
  const Result<Wire::Taken> taken = wire_.accept(slot.descriptor);
  if (taken) {
    accept.accepted = taken->socket;
    accept.from = taken->from;
    return true;
  }
  if (taken.error() == Errc::would_block) return false;
  accept.error = taken.error().during("accept");
  return true;
}

Submitted WireBackend::start_connect(Slot& slot, Connect& connect) {
  if (slot.connected || slot.waiting != nullptr) return refuse(connect, Errc::busy);
  Error error = wire_.connect(slot.descriptor, connect.target);
  if (error != Errc::in_progress) return refuse(connect, std::move(error));
  return wait_here(slot, connect);
}

bool WireBackend::try_connect(Slot& slot, Connect& connect) {
  Error error = wire_.connect_result(slot.descriptor);
  if (error == Errc::would_block) return false;
  slot.connected = !error;
  connect.error = std::move(error);
  return true;
}

// ---- datagrams

Submitted WireBackend::start_receive_from(Slot& slot, ReceiveFrom& receive) {
  for (Operation* at = slot.waiting; at != nullptr; at = static_cast<Operation*>(at->next))
    if (at->kind == Operation::Kind::receive_from) return refuse(receive, Errc::busy);
  receive.chunk = Chunk();
  if (!try_receive_from(slot, receive)) return wait_here(slot, receive);
  return receive.error ? refuse(receive, std::move(receive.error)) : done(receive);
}

bool WireBackend::try_receive_from(Slot& slot, ReceiveFrom& receive) {
  Result<Wire::Letter> letter = wire_.receive_from(slot.descriptor);
  if (!letter) {
    if (letter.error() == Errc::would_block) return false;
    receive.error = letter.error().during("receive");
    return true;
  }
  receive.from = letter->from;
  receive.truncated = letter->bytes.size() > longest_datagram;
  if (receive.truncated) letter->bytes = letter->bytes.substr(0, longest_datagram);
  count_received(slot, letter->bytes.size());
  if (letter->bytes.empty()) return true;
  if (const std::span<std::byte> room = pool_.room(letter->bytes.size()); !room.empty()) {
    std::memcpy(room.data(), letter->bytes.data(), letter->bytes.size());
    receive.chunk = pool_.commit(room, letter->bytes.size());
  } else if (Result<Chunk> copy = Chunk::copy_of(letter->bytes.bytes())) {
    receive.chunk = std::move(*copy);
  } else {
    receive.error = copy.error();
  }
  return true;
}

Submitted WireBackend::start_send_to(Slot& slot, SendTo& send) {
  if (!try_send_to(slot, send)) return wait_here(slot, send);
  return send.error ? refuse(send, std::move(send.error)) : done(send);
}

bool WireBackend::try_send_to(Slot& slot, SendTo& send) {
  const Result<> sent = wire_.send_to(slot.descriptor, send.bytes, send.target);
  if (!sent) {
    if (sent.error() == Errc::would_block) return false;
    send.error = sent.error().during("send to", send.target);
    return true;
  }
  slot.sent_ms = ms();
  slot.sent.add(send.bytes.size());
  return true;
}

Submitted WireBackend::start_ready(Slot&, Readiness& readiness) { return refuse(readiness, Errc::not_supported); }

// ---- what the wire tells

void WireBackend::stirred(SlotId id) {
  Slot* slot = slots_.find(id);
  if (slot == nullptr) return;
  if (!severed_) begin_turn(now());  // whoever sleeps here sleeps on: what moves now moves later than its last turn
  for (Operation* at = slot->waiting; at != nullptr;) {
    auto* next = static_cast<Operation*>(at->next);
    if (try_waiting(*slot, *at)) {
      leave(*slot, *at);
      complete(*at);
    }
    at = next;
  }
  writable(*slot);
}

bool WireBackend::try_waiting(Slot& slot, Operation& operation) {
  switch (operation.kind) {
    case Operation::Kind::receive: return !slot.starved && try_receive(slot, static_cast<Receive&>(operation));
    case Operation::Kind::accept: return try_accept(slot, static_cast<Accept&>(operation));
    case Operation::Kind::connect: return try_connect(slot, static_cast<Connect&>(operation));
    case Operation::Kind::receive_from: return try_receive_from(slot, static_cast<ReceiveFrom&>(operation));
    case Operation::Kind::send_to: return try_send_to(slot, static_cast<SendTo&>(operation));
    default: return false;
  }
}

void WireBackend::stop(Slot& slot, Operation& operation, Errc reason) {
  if (operation.kind == Operation::Kind::send || operation.kind == Operation::Kind::finish) {
    abandon_send(slot, static_cast<Send&>(operation), reason);
    return writable(slot);
  }
  leave(slot, operation);
  refuse(operation, reason);
}

// ---- waiting

Time WireBackend::wait(Time until) {
  pool_.belongs_to_this_thread();
  feed_starved();
  if (severed_) {
    pass_own_time(until);
    return now();
  }
  const bool poll = woken_.exchange(false, std::memory_order_acq_rel) || !ready_.empty();
  const Time limit = poll ? wire_.now() : until == never ? never : std::max(until, now()) - ahead_;
  if (wire_.driven_) {
    asleep_ = !poll && limit > wire_.now();
    alarm_ = asleep_ ? limit : never;
  } else {
    let_happen(limit);
  }
  begin_turn(now());
  feed_starved();
  return turn_time_;
}

// Until something is ready here, or until then. With nothing left that could happen, real time passes until wake().
void WireBackend::let_happen(Time until) {
  while (wire_.next_time() <= until && wire_.next_time() != never) {
    wire_.step();
    if (!ready_.empty() || woken_.load(std::memory_order_acquire)) return;
  }
  if (until != never) return wire_.advance_to(until);
  if (ready_.empty()) wait_for(woken_);
}

void WireBackend::wake() noexcept {
  woken_.store(true, std::memory_order_release);
  notify_of(woken_);
}

// Nobody else is in this time: it passes as soon as there is nothing else to do. Who still waits for a socket then was not
// cancelled, and gets its failure.
void WireBackend::pass_own_time(Time until) {
  const bool woken = woken_.exchange(false, std::memory_order_acq_rel);
  if (!woken && ready_.empty()) {
    for (std::uint32_t place = 0; place < slots_.size(); ++place)
      if (slots_.at(place).in_use) stirred(SlotTable::id(slots_.at(place)));
  }
  if (!woken && ready_.empty()) {
    if (until != never) own_time_ = std::max(own_time_, until);
    std::this_thread::yield();  // to helper threads, which have work in real time
  }
  begin_turn(own_time_);
  feed_starved();
}

void WireBackend::sever() noexcept {
  own_time_ = now();
  severed_ = true;
}

void WireBackend::jump(Duration ahead) noexcept {
  ahead_ += ahead;
  time_has_come();
}

void WireBackend::time_has_come() noexcept {
  asleep_ = false;
  alarm_ = never;
}

bool WireBackend::awake() const noexcept {
  return !asleep_ || !ready_.empty() || woken_.load(std::memory_order_acquire);
}

// ---- questions

std::optional<Result<std::vector<Address>>> WireBackend::resolve(const Endpoint& where) {
  // Nothing of this asks the system: neither numbers nor localhost.
  if (where.form != Endpoint::Form::name || where.host == "localhost" || where.host.ends_with(".localhost"))
    return meari::resolve(where);
  const HostId* host = wire_.find_host(where.host);
  std::vector<Address> addresses;
  if (host != nullptr) addresses = wire_.host(*host).addresses;
  for (Address& address : addresses) address = address.with_port(where.port);
  if (addresses.empty()) return Result<std::vector<Address>>(Error(Errc::name_not_found, "look up", where.host));
  return Result<std::vector<Address>>(std::move(addresses));
}

std::optional<std::size_t> WireBackend::most_descriptors() const noexcept {
  const std::size_t most = wire_.host(host_).descriptors, open = wire_.descriptors(host_);
  return most > open ? most - open : 0;
}

Result<Address> WireBackend::local(SlotId id) const {
  const Slot* slot = slots_.find(id);
  if (slot == nullptr) return Errc::closed;
  return wire_.local(slot->descriptor);
}

Result<Address> WireBackend::peer(SlotId id) const {
  const Slot* slot = slots_.find(id);
  if (slot == nullptr) return Errc::closed;
  return wire_.peer(slot->descriptor);
}

Result<SocketInfo> WireBackend::info(SlotId id) const {
  const Slot* slot = slots_.find(id);
  if (slot == nullptr) return Errc::closed;
  return wire_.info(slot->descriptor);
}

}  // namespace v1
}  // namespace meari
