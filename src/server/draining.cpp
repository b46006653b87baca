// How a server stops: who is idle is ended, who is busy may finish, and the rest is cut off at the deadline.
#include <algorithm>
#include <string>

#include "src/net/linger.hpp"
#include "src/server/house.hpp"

namespace meari {
inline namespace v1 {

bool Server::out_of_time() const noexcept { return draining() && loop_.now() >= drain_deadline_; }

void Server::drain() noexcept {
  // A second call is in a hurry.
  drain_deadline_ = draining() ? loop_.now() : loop_.now() + options_.drain;
  draining_ = true;
  Backend& backend = loop_.backend();
  for (const Listener& listener : listeners_) {
    // Whoever waits at the door looks into the queue once more, and goes.
    if (Operation* accept = backend.facts(listener.slot()).receiving) backend.cancel(*accept);
  }
  static_cast<void>(room_->left.try_send(Room::Left{}));
}

bool Server::anybody_lingers() const noexcept {
  return std::ranges::any_of(houses_, [](const auto& house) { return house->farewells->lingering != 0; });
}

void Server::end_idle() {
  for (const auto& house : houses_) house->idle_order.send(house == houses_.front());
}

void Server::cut_off() {
  for (const auto& house : houses_) house->cut_order.send(house == houses_.front());
}

// Ends the sessions that only wait for their peer: nothing unread, nothing unsent, here and in the kernel.
void Server::end_idle(House& house) {
  const Backend& backend = house.loop.backend();
  for (Active* active = house.first; active != nullptr; active = active->following) {
    // After its farewell has begun, what reads on the slot is that.
    if (active->is_forced() || active->terms_.closed) continue;
    const SlotFacts facts = backend.facts(active->slot);
    if (facts.receiving == nullptr || facts.receiving->kind != Operation::Kind::receive) continue;
    if (facts.is_served_soon || facts.sending != nullptr || facts.unread != 0) continue;
    const Result<SocketInfo> info = backend.info(active->slot);
    if (info && (info->receive_queue > 0 || info->send_queue > 0)) continue;
    if (active->at_drain_ == AtDrain::end_input) house.loop.backend().cancel(*facts.receiving);
    if (active->at_drain_ != AtDrain::end) continue;
    active->forced_ = SessionEnd::How::drained;
    cancel(house.loop, active->task->request_cancel());
  }
}

void Server::cut_off(House& house) {
  for (Active* active = house.first; active != nullptr; active = active->following) {
    active->forced_ = SessionEnd::How::cut_off;
    cancel(house.loop, active->task->request_cancel());
    if (!active->terms_.closed) close_at_once(house.loop, active->slot, true);
  }
}

void Server::count_drained(SessionEnd::How how) noexcept {
  if (how == SessionEnd::How::drained) {
    ++drained_.idle;
  } else if (how == SessionEnd::How::cut_off) {
    ++drained_.cut_off;
  } else {
    ++drained_.finished;
  }
}

void Server::tell_drained() {
  for (const auto& house : houses_) drained_.dropped_bytes += house->farewells->dropped_bytes;
  if (!loop_.observed()) return;
  static_cast<void>(caught([this] {
    const std::string note = "finished " + std::to_string(drained_.finished) + ", idle " +
                             std::to_string(drained_.idle) + ", cut off " + std::to_string(drained_.cut_off) +
                             ", dropped bytes " + std::to_string(drained_.dropped_bytes);
    tell(Event::What::drained, note);
  }));
}

void Server::tell(Event::What what, std::string_view note) {
  if (!loop_.observed()) return;
  Event event;
  event.what = what;
  event.time = loop_.now();
  event.note = note;
  loop_.emit(event);
}

}  // namespace v1
}  // namespace meari
