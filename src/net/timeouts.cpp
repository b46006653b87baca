// Idle and stalled streams. One timer for each stream, set when the earliest of its limits could be reached, and looked
// at only then: a message just leaves its time in the slot.
#include <algorithm>
#include <chrono>
#include <new>

#include <meari/stream.hpp>
#include "src/backend/slot.hpp"
#include "src/net/linger.hpp"

namespace meari {
inline namespace v1 {
namespace {

std::uint32_t to_ms(Duration time) noexcept {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(time).count();
  return static_cast<std::uint32_t>(std::clamp<long long>(ms, 0, std::numeric_limits<std::int32_t>::max()));
}

void look(Ready& ready) {
  auto& timer = static_cast<Timer&>(ready);
  Slot& slot = slot_of(timer);
  const SlotId id = SlotTable::id(slot);
  Loop& loop = *Loop::current();
  Backend& backend = loop.backend();
  const StreamTerms* terms = slot.policy.terms;
  if (terms == nullptr) return;
  const SlotFacts facts = backend.facts(id);
  const Time now = loop.now();
  Time next = never;
  if (terms->idle_ms != 0) {
    const std::chrono::milliseconds idle(terms->idle_ms);
    const Time due = std::max(facts.last_received, facts.last_sent) + idle;
    if (now < due) {
      next = due;
    } else {
      next = now + idle;
      if (facts.receiving != nullptr && facts.sending == nullptr) backend.cancel(*facts.receiving, Errc::timed_out);
    }
  }
  if (terms->stall_ms != 0 && facts.sending != nullptr) {
    const Time due = facts.last_sent + std::chrono::milliseconds(terms->stall_ms);
    if (now < due) {
      next = std::min(next, due);
    } else {
      backend.cancel(*facts.sending, Errc::timed_out);
    }
  }
  if (next != never) loop.set(timer, next);
}

}  // namespace

void set_timeouts(Loop& loop, SlotId slot, Timeouts timeouts) noexcept {
  SlotPolicy* policy = loop.backend().policy(slot);
  if (policy == nullptr) return;
  if (policy->terms == nullptr) {
    if (timeouts.idle == Duration::zero() && timeouts.stall == Duration::zero()) return;
    policy->terms = new (std::nothrow) StreamTerms;
    if (policy->terms == nullptr) return;  // without memory there are no timeouts; the peer's keep-alive stays
    policy->terms->owned = true;
  }
  policy->terms->idle_ms = to_ms(timeouts.idle);
  policy->terms->stall_ms = to_ms(timeouts.stall);
  policy->timer.run = look;
  loop.unset(policy->timer);
  Time next = never;
  if (policy->terms->idle_ms != 0) next = loop.now() + std::chrono::milliseconds(policy->terms->idle_ms);
  if (policy->terms->stall_ms != 0 && loop.backend().facts(slot).sending != nullptr)
    next = std::min(next, loop.now() + std::chrono::milliseconds(policy->terms->stall_ms));
  if (next != never) loop.set(policy->timer, next);
}

void end_sending(Loop& loop, SlotId slot) noexcept {
  SlotPolicy* policy = loop.backend().policy(slot);
  if (policy == nullptr) return;
  Errc& failure = slot_of(policy->timer).send_failure;
  if (failure == Errc::none) failure = Errc::write_incomplete;
}

void watch_stall(Loop& loop, SlotId slot) noexcept {
  SlotPolicy* policy = loop.backend().policy(slot);
  if (policy == nullptr || policy->terms == nullptr || policy->terms->stall_ms == 0) return;
  const Time due = loop.now() + std::chrono::milliseconds(policy->terms->stall_ms);
  if (!policy->timer.is_set() || policy->timer.at > due) loop.set(policy->timer, due);
}

}  // namespace v1
}  // namespace meari
