#include <meari/listener.hpp>

#include "src/net/linger.hpp"
#include "src/net/report.hpp"

namespace meari {
inline namespace v1 {

// ---- arrivals

Result<Stream> Arrival::take_in(Loop& loop) {
  Result<SlotId> slot = loop.backend().adopt_accepted(descriptor_, from_);
  if (!slot) return slot.error().during("accept", from_);
  descriptor_ = no_descriptor;
  return Stream(loop, *slot);
}

void Arrival::turn_away() noexcept {
  if (descriptor_ == no_descriptor) return;
  // The backend knows what a descriptor means to it.
  loop_->backend().turn_away(std::exchange(descriptor_, no_descriptor));
}

// ---- listeners

Result<Listener> Listener::open(Loop& loop, const Address& address, const ListenOptions& options) {
  Opening opening;
  opening.role = Role::listener;
  opening.family = address.family();
  opening.local = address;
  opening.backlog = options.backlog;
  opening.reuse_port = options.reuse_port;
  opening.v6_only = options.v6_only;
  const Result<SlotId> slot = loop.backend().open(opening);
  if (!slot) return slot.error().during("listen on", address);
  if (loop.observed()) {
    for (const auto what : {Event::What::opened, Event::What::bound, Event::What::listening})
      loop.emit(event_of(loop, *slot, what));
  }
  return Listener(loop, *slot);
}

Result<Listener> Listener::open(const Address& address, const ListenOptions& options) {
  return open(*Loop::current(), address, options);
}

Result<Listener> Listener::adopt(Loop& loop, Descriptor descriptor) {
  const Result<SlotId> slot = loop.backend().adopt(descriptor, Role::listener);
  if (!slot) return slot.error().during("listen on a descriptor");
  if (loop.observed()) loop.emit(event_of(loop, *slot, Event::What::listening));
  return Listener(loop, *slot);
}

Task<Stream> Listener::accept(Loop& loop, SlotId slot) {
  Arrival arrival = co_await AcceptArrival(loop, slot);
  Result<Stream> stream = arrival.take_in(loop);
  if (stream && loop.observed()) {
    Event event = event_of(loop, stream->slot(), Event::What::accepted);
    event.listener = loop.backend().facts(slot).number;
    event.peer = arrival.from();
    loop.emit(event);
  }
  co_return co_await std::move(stream);
}

Result<Address> Listener::local() const {
  if (loop_ == nullptr) return Errc::closed;
  return loop_->backend().local(slot_);
}
Result<SocketInfo> Listener::info() const {
  if (loop_ == nullptr) return Errc::closed;
  return loop_->backend().info(slot_);
}
std::uint64_t Listener::number() const { return loop_ == nullptr ? 0 : loop_->backend().facts(slot_).number; }

void Listener::close() noexcept {
  if (loop_ == nullptr) return;
  Loop& loop = *std::exchange(loop_, nullptr);
  close_at_once(loop, std::exchange(slot_, SlotId{}), false);
}

Result<Descriptor> Listener::release() {
  if (loop_ == nullptr) return Errc::closed;
  Result<Descriptor> descriptor = loop_->backend().release(slot_);
  if (descriptor) {
    loop_ = nullptr;
    slot_ = SlotId{};
  }
  return descriptor;
}

}  // namespace v1
}  // namespace meari
