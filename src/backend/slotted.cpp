#include "src/backend/slotted.hpp"

#include <algorithm>
#include <atomic>
#include <new>

namespace meari {
inline namespace v1 {

// ---- the table

Slot* SlotTable::take() noexcept {
  if (free_ == Slot::nobody) {
    if (size_ % page_slots == 0) {
      std::unique_ptr<Slot[]> page(new (std::nothrow) Slot[page_slots]);
      if (page == nullptr) return nullptr;
#if defined(__cpp_exceptions)
      try {
        pages_.push_back(std::move(page));
      } catch (...) {
        return nullptr;
      }
#else
      pages_.push_back(std::move(page));
#endif
    }
    at(size_).place = size_;
    at(size_).generation = 1;
    free_ = size_++;
    at(free_).next = Slot::nobody;
  }
  Slot& slot = at(free_);
  free_ = std::exchange(slot.next, Slot::nobody);
  slot.in_use = true;
  ++in_use_;
  return &slot;
}

void SlotTable::free(Slot& slot) noexcept {
  MEARI_ASSERT(slot.in_use && slot.waiting == nullptr && slot.last_send == nullptr && slot.last_unread == nullptr);
  const std::uint32_t place = slot.place;
  const std::uint32_t generation = slot.generation + 1 == 0 ? 1 : slot.generation + 1;
  slot = Slot{};
  slot.place = place;
  slot.generation = generation;
  slot.next = free_;
  free_ = place;
  --in_use_;
}

// ---- what can be seen

SlotBackend::~SlotBackend() {
  while (spare_unread_ != nullptr) delete std::exchange(spare_unread_, spare_unread_->next);
}

Time SlotBackend::since(std::uint32_t then_ms) const noexcept {
  return turn_time_ - std::chrono::milliseconds(static_cast<std::int32_t>(ms() - then_ms));
}

SlotFacts SlotBackend::facts(SlotId id) const {
  SlotFacts facts;
  const Slot* slot = slots_.find(id);
  if (slot == nullptr || slot->closing) return facts;
  facts.role = slot->role;
  facts.descriptor = slot->descriptor;
  facts.number = slot->number;
  facts.unread = slot->unread_bytes;
  facts.receiving = slot->waiting;
  facts.sending = first_send(*slot);
  if (const Send* send = first_send(*slot)) {
    do {
      facts.unsent += left_of(*send);
      send = static_cast<const Send*>(send->next);
    } while (send != first_send(*slot));
  }
  facts.connected = slot->connected;
  facts.is_served_soon = slot->in_line;
  facts.failed = static_cast<bool>(slot->failure);
  facts.ended = slot->ended && slot->last_unread == nullptr;
  facts.finished = slot->finished;
  facts.broken = slot->send_failure != Errc::none;
  facts.bytes_received = slot->received.value();
  facts.bytes_sent = slot->sent.value();
  facts.last_received = since(slot->received_ms);
  facts.last_sent = since(slot->sent_ms);
  return facts;
}

SlotPolicy* SlotBackend::policy(SlotId id) noexcept {
  Slot* slot = slots_.find(id);
  return slot == nullptr ? nullptr : &slot->policy;
}

// ---- waiting

// ---- receiving

void SlotBackend::end_came(Slot& slot) noexcept {
  switch (slot.send_failure) {
    case Errc::connection_reset:
    case Errc::connection_aborted:
    case Errc::timed_out:
    case Errc::host_unreachable:
    case Errc::network_unreachable:
    case Errc::network_down: return failure_came(slot, slot.send_failure);
    default: slot.ended = true;
  }
}

void SlotBackend::failure_came(Slot& slot, Error error) noexcept {
  if (!slot.failure) slot.failure = std::move(error);
}

void SlotBackend::unread(SlotId id, Chunk chunk) {
  Slot* slot = slots_.find(id);
  if (slot == nullptr || slot->closing || chunk.empty()) return;
  if (pool_.scarce()) settle(chunk, pool_);
  const auto count = static_cast<std::uint32_t>(chunk.size());
  Unread* piece = new_unread(spare_unread_, std::move(chunk));
  if (piece == nullptr) {  // what stands behind a gap is worth nothing
    drop_unread(*slot);
    return failure_came(*slot, Errc::out_of_memory);
  }
  if (slot->last_unread == nullptr) {
    slot->last_unread = piece->next = piece;
  } else {
    piece->next = std::exchange(slot->last_unread->next, piece);
  }
  slot->unread_bytes += count;
  if (receiver(*slot) != nullptr) leave_queue(*slot);  // it has what it waits for
  settle_receive(*slot);
}

void SlotBackend::drop_unread(Slot& slot) noexcept {
  if (slot.last_unread == nullptr) return;
  Unread* piece = std::exchange(slot.last_unread->next, nullptr);
  slot.last_unread = nullptr;
  slot.unread_bytes = 0;
  while (piece != nullptr) {
    Unread* next = piece->next;
    piece->chunk = Chunk();
    piece->next = spare_unread_;
    spare_unread_ = piece;
    piece = next;
  }
}

void SlotFifo::push(const SlotTable& slots, Slot& slot) noexcept {
  slot.next = Slot::nobody;
  (last_ == Slot::nobody ? first_ : slots.at(last_).next) = slot.place;
  last_ = slot.place;
}

void SlotFifo::remove(const SlotTable& slots, Slot& slot) noexcept {
  std::uint32_t before = Slot::nobody;
  for (std::uint32_t at = first_; at != slot.place; at = slots.at(at).next) before = at;
  (before == Slot::nobody ? first_ : slots.at(before).next) = slot.next;
  if (last_ == slot.place) last_ = before;
  slot.next = Slot::nobody;
}

void SlotBackend::starve(Slot& slot) noexcept {
  if (slot.starved) return;
  MEARI_ASSERT(!slot.in_line);
  slot.starved = true;
  starved_.push(slots_, slot);
}

void SlotBackend::line_up(Slot& slot) noexcept {
  if (slot.in_line) return;
  MEARI_ASSERT(!slot.starved);
  slot.in_line = true;
  line_.push(slots_, slot);
}

void SlotBackend::leave_queue(Slot& slot) noexcept {
  if (slot.starved) starved_.remove(slots_, slot);
  if (slot.in_line) line_.remove(slots_, slot);
  slot.starved = slot.in_line = false;
}

Slot* SlotBackend::next_to_feed() noexcept { return pool_.has_room(least_room) ? first_of(starved_) : nullptr; }

Slot* SlotBackend::first_of(SlotFifo& queue) noexcept {
  if (queue.empty()) return nullptr;
  Slot& slot = queue.front(slots_);
  leave_queue(slot);
  return &slot;
}

// ---- sending

void SlotBackend::sends_failed(Slot& slot, const Error& error) noexcept {
  if (slot.send_failure == Errc::none) slot.send_failure = error.code();
  while (Send* send = first_send(slot)) {
    leave_sends(slot, *send);
    refuse(*send, error);
  }
}

void SlotBackend::abandon_send(Slot& slot, Send& send, Errc reason) noexcept {
  leave_sends(slot, send);
  if (send.sent == 0) {
    refuse(send, reason);
    return;
  }
  refuse(send, reason == Errc::timed_out ? reason : Errc::write_incomplete);
  sends_failed(slot, Errc::write_incomplete);
}

// ---- ends of all things

void SlotBackend::lose(const Error& error) noexcept {
  lost_ = error;
  for (std::uint32_t place = 0; place < slots_.size(); ++place) {
    Slot& slot = slots_.at(place);
    if (!slot.in_use) continue;
    leave_queue(slot);
    failure_came(slot, error);
    while (Operation* waiting = slot.waiting) {
      leave(slot, *waiting);
      refuse(*waiting, error);
    }
    sends_failed(slot, error);
  }
}

// ---- slots

Result<SlotId> SlotBackend::fresh(Descriptor descriptor, Role role) noexcept {
  static std::atomic<std::uint32_t> numbers{0};
  Slot* slot = slots_.take();
  if (slot == nullptr) return Errc::out_of_memory;
  slot->descriptor = descriptor;
  slot->role = role;
  slot->number = numbers.fetch_add(1, std::memory_order_relaxed) + 1;
  slot->received_ms = slot->sent_ms = ms();
  slot->failure = lost_;
  slot->send_failure = lost_.code();
  return slots_.id(*slot);
}

void SlotBackend::forget(Slot& slot) noexcept {
  leave_queue(slot);
  drop_unread(slot);
  slots_.free(slot);
}

void SlotBackend::everybody_leaves(Slot& slot) noexcept {
  while (Operation* waiting = slot.waiting) {
    leave(slot, *waiting);
    refuse(*waiting, Errc::canceled);
  }
  while (Send* send = first_send(slot)) {
    leave_sends(slot, *send);
    refuse(*send, Errc::canceled);
  }
}

}  // namespace v1
}  // namespace meari
