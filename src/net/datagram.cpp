#include <meari/datagram.hpp>

#include "src/net/linger.hpp"
#include "src/net/report.hpp"

namespace meari {
inline namespace v1 {

Received ReceiveDatagram::take(ReceiveFrom& receive) {
  Loop& loop = *Loop::current();
  if (loop.observed()) {
    Event event = event_of(loop, receive.slot, Event::What::received);
    event.peer = receive.from;
    event.count = receive.chunk.size();
    event.payload = receive.chunk.bytes();
    loop.emit(event);
  }
  return {std::move(receive.chunk), std::move(receive.from), receive.truncated};
}

void SendDatagram::take(SendTo& send) {
  Loop& loop = *Loop::current();
  if (!loop.observed()) return;
  Event event = event_of(loop, send.slot, Event::What::sent);
  event.peer = send.target;
  event.count = send.bytes.size();
  event.payload = send.bytes;
  loop.emit(event);
}

Result<Datagram> Datagram::open(Loop& loop, const Address& local) {
  Opening opening;
  opening.role = Role::datagram;
  opening.family = local.family();
  opening.local = local;
  const Result<SlotId> slot = loop.backend().open(opening);
  if (!slot) return slot.error().during("bind", local);
  if (loop.observed()) {
    for (const auto what : {Event::What::opened, Event::What::bound}) loop.emit(event_of(loop, *slot, what));
  }
  return Datagram(loop, *slot);
}

Result<Datagram> Datagram::open(const Address& local) { return open(*Loop::current(), local); }

Result<Datagram> Datagram::adopt(Loop& loop, Descriptor descriptor) {
  const Result<SlotId> slot = loop.backend().adopt(descriptor, Role::datagram);
  if (!slot) return slot.error();
  return Datagram(loop, *slot);
}

Result<Address> Datagram::local() const {
  if (loop_ == nullptr) return Errc::closed;
  return loop_->backend().local(slot_);
}
SlotFacts Datagram::facts() const { return loop_ == nullptr ? SlotFacts{} : loop_->backend().facts(slot_); }

void Datagram::close() noexcept {
  if (loop_ == nullptr) return;
  Loop& loop = *std::exchange(loop_, nullptr);
  close_at_once(loop, std::exchange(slot_, SlotId{}), false);
}

}  // namespace v1
}  // namespace meari
