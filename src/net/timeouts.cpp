// Idle, stalled and slow streams. One timer for each stream, set when the earliest of its limits could be reached, and looked
// at only then: a message just leaves its time in the slot.
#include <algorithm>
#include <chrono>
#include <memory>
#include <new>
#include <utility>

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

// True: the window has passed without enough.
bool too_slow(Progress& progress, const SlotFacts& facts, Time now) noexcept {
  if (now < progress.window_ends) return false;
  const std::uint64_t bytes = facts.bytes_received + facts.bytes_sent;
  const bool enough = bytes - progress.bytes_before >= progress.least_bytes;
  progress.bytes_before = bytes;
  progress.window_ends = now + progress.window;
  return !enough;
}

void look(Ready& ready) {
  auto& timer = static_cast<Timer&>(ready);
  Slot& slot = slot_of(timer);
  const SlotId id = SlotTable::id(slot);
  Loop& loop = *Loop::current();
  Backend& backend = loop.backend();
  StreamTerms* terms = slot.policy.terms;
  if (terms == nullptr) return;
  const SlotFacts facts = backend.facts(id);
  const Time now = loop.now();
  Time next = never;
  if (terms->limits.idle_ms != 0) {
    const std::chrono::milliseconds idle(terms->limits.idle_ms);
    const Time due = std::max(facts.last_received, facts.last_sent) + idle;
    if (now < due) {
      next = due;
    } else {
      next = now + idle;
      if (facts.receiving != nullptr && facts.sending == nullptr && !facts.is_served_soon) {
        terms->timed_out = true;
        backend.cancel(*facts.receiving, Errc::timed_out);
      }
    }
  }
  if (terms->limits.stall_ms != 0 && facts.sending != nullptr) {
    const Time due = facts.last_sent + std::chrono::milliseconds(terms->limits.stall_ms);
    if (now < due) {
      next = std::min(next, due);
    } else {
      terms->timed_out = true;
      backend.cancel(*facts.sending, Errc::timed_out);
    }
  }
  if (terms->limits.progress != nullptr) {
    // Who is not waited for is not to blame.
    const bool waited_for = (facts.receiving != nullptr && !facts.is_served_soon) || facts.sending != nullptr;
    if (too_slow(*terms->limits.progress, facts, now) && waited_for) {
      terms->too_slow = terms->timed_out = true;
      if (facts.receiving != nullptr) backend.cancel(*facts.receiving, Errc::timed_out);
      if (facts.sending != nullptr) backend.cancel(*facts.sending, Errc::timed_out);
    }
    next = std::min(next, terms->limits.progress->window_ends);
  }
  if (next != never) loop.set(timer, next);
}

}  // namespace

bool set_timeouts(Loop& loop, SlotId slot, Timeouts timeouts) noexcept {
  SlotPolicy* policy = loop.backend().policy(slot);
  if (policy == nullptr) return true;
  const bool limits_progress = timeouts.window > Duration::zero() && timeouts.least_bytes != 0;
  if (policy->terms == nullptr) {
    if (timeouts.idle == Duration::zero() && timeouts.stall == Duration::zero() && !limits_progress) return true;
    policy->terms = new (std::nothrow) StreamTerms;
    if (policy->terms == nullptr) return false;
    policy->terms->owned = true;
  }
  policy->terms->limits.idle_ms = to_ms(timeouts.idle);
  policy->terms->limits.stall_ms = to_ms(timeouts.stall);
  delete std::exchange(policy->terms->limits.progress, nullptr);
  policy->timer.run = look;
  loop.unset(policy->timer);
  Time next = never;
  if (limits_progress) {
    const SlotFacts facts = loop.backend().facts(slot);
    auto progress = std::unique_ptr<Progress>(new (std::nothrow) Progress);
    if (progress != nullptr) {
      *progress = {.window = timeouts.window,
                   .least_bytes = timeouts.least_bytes,
                   .window_ends = loop.now() + timeouts.window,
                   .bytes_before = facts.bytes_received + facts.bytes_sent};
      next = progress->window_ends;
      policy->terms->limits.progress = progress.release();
    }
  }
  if (policy->terms->limits.idle_ms != 0)
    next = std::min(next, loop.now() + std::chrono::milliseconds(policy->terms->limits.idle_ms));
  if (policy->terms->limits.stall_ms != 0 && loop.backend().facts(slot).sending != nullptr)
    next = std::min(next, loop.now() + std::chrono::milliseconds(policy->terms->limits.stall_ms));
  if (next != never) loop.set(policy->timer, next);
  return !limits_progress || policy->terms->limits.progress != nullptr;
}

void end_sending(Loop& loop, SlotId slot) noexcept {
  SlotPolicy* policy = loop.backend().policy(slot);
  if (policy == nullptr) return;
  Errc& failure = slot_of(policy->timer).send_failure;
  if (failure == Errc::none) failure = Errc::write_incomplete;
}

void watch_stall(Loop& loop, SlotId slot) noexcept {
  SlotPolicy* policy = loop.backend().policy(slot);
  if (policy == nullptr || policy->terms == nullptr || policy->terms->limits.stall_ms == 0) return;
  const Time due = loop.now() + std::chrono::milliseconds(policy->terms->limits.stall_ms);
  if (!policy->timer.is_set() || policy->timer.at > due) loop.set(policy->timer, due);
}

}  // namespace v1
}  // namespace meari
