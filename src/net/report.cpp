#include "src/net/report.hpp"

namespace meari {
inline namespace v1 {

const char* name(Event::What what) noexcept {
  switch (what) {
    case Event::What::opened: return "opened";
    case Event::What::bound: return "bound";
    case Event::What::listening: return "listening";
    case Event::What::connecting: return "connecting";
    case Event::What::connected: return "connected";
    case Event::What::accepted: return "accepted";
    case Event::What::received: return "received";
    case Event::What::sent: return "sent";
    case Event::What::peer_finished: return "peer_finished";
    case Event::What::finished: return "finished";
    case Event::What::closed: return "closed";
    case Event::What::failed: return "failed";
    case Event::What::paused: return "paused";
    case Event::What::resumed: return "resumed";
    case Event::What::refused: return "refused";
    case Event::What::drained: return "drained";
  }
  return "";
}

Event event_of(Loop& loop, SlotId slot, Event::What what) {
  const Backend& backend = loop.backend();
  const SlotFacts facts = backend.facts(slot);
  Event event;
  event.what = what;
  event.connection = facts.number;
  event.descriptor = facts.descriptor;
  event.time = loop.now();
  if (Result<Address> local = backend.local(slot)) event.local = *std::move(local);
  if (facts.role == Role::stream) {
    if (Result<Address> peer = backend.peer(slot)) event.peer = *std::move(peer);
  }
  return event;
}

void report_failure(const Operation& operation, const char* what) {
  Loop* loop = Loop::current();
  if (loop == nullptr || !loop->observed() || operation.error == Errc::canceled) return;
  Event event = event_of(*loop, operation.slot, Event::What::failed);
  event.error = operation.error.during(what);
  loop->emit(event);
}

}  // namespace v1
}  // namespace meari
