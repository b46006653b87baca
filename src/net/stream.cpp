#include <meari/stream.hpp>

#include <string>

#include "src/net/gathering.hpp"
#include "src/net/linger.hpp"
#include "src/net/report.hpp"

namespace meari {
inline namespace v1 {

// ---- what observers are told

void Read::report(const Receive& receive) {
  Loop& loop = *Loop::current();
  if (!loop.observed()) return;
  Event event =
      event_of(loop, receive.slot, receive.chunk.empty() ? Event::What::peer_finished : Event::What::received);
  event.count = receive.chunk.size();
  event.payload = receive.chunk.bytes();
  loop.emit(event);
}

Error Read::fail(Receive& receive) {
  report_failure(receive, "read");
  return receive.error.during("read");
}

void Write::report(const Send& send) {
  Loop& loop = *Loop::current();
  if (!loop.observed()) return;
  Event event = event_of(loop, send.slot, Event::What::sent);
  event.count = send.sent;
  loop.emit(event);
}

Error Write::fail(Send& send) {
  if (send.error == Errc::timed_out) [[unlikely]]
    end_sending(*Loop::current(), send.slot);
  report_failure(send, "write");
  return send.error.during("write");
}

void FinishSending::take(Finish& finish) {
  Loop& loop = *Loop::current();
  if (loop.observed()) loop.emit(event_of(loop, finish.slot, Event::What::finished));
}

// ---- reading more than a piece

namespace {

struct FromSlot {
  Loop* loop;
  SlotId slot;
  [[nodiscard]] Read read(std::size_t limit) const noexcept { return Read(slot, limit); }
  void unread(Chunk chunk) const {
    if (loop != nullptr) loop->backend().unread(slot, std::move(chunk));
  }
};

}  // namespace

Task<Chunk> Stream::read_exactly(std::size_t count) { return gather_exactly(FromSlot{loop_, slot_}, count); }

Task<Chunk> Stream::read_until(std::string_view delimiter, std::size_t limit) {
  return until(FromSlot{loop_, slot_}, delimiter, limit);
}

// ---- ends

void Stream::close() noexcept {
  if (loop_ == nullptr) return;
  let_go(*std::exchange(loop_, nullptr), std::exchange(slot_, SlotId{}));
}

void Stream::abort() noexcept {
  if (loop_ == nullptr) return;
  Loop& loop = *std::exchange(loop_, nullptr);
  close_at_once(loop, std::exchange(slot_, SlotId{}), true);
}

// ---- questions

Result<Address> Stream::local() const {
  if (loop_ == nullptr) return Errc::closed;
  return loop_->backend().local(slot_);
}
Result<Address> Stream::peer() const {
  if (loop_ == nullptr) return Errc::closed;
  return loop_->backend().peer(slot_);
}
Result<SocketInfo> Stream::info() const {
  if (loop_ == nullptr) return Errc::closed;
  return loop_->backend().info(slot_);
}
SlotFacts Stream::facts() const { return loop_ == nullptr ? SlotFacts{} : loop_->backend().facts(slot_); }

// ---- coming and going

Result<Stream> Stream::adopt(Loop& loop, Descriptor descriptor) {
  const Result<SlotId> slot = loop.backend().adopt(descriptor, Role::stream);
  if (!slot) return slot.error();
  return Stream(loop, *slot);
}
Result<Stream> Stream::adopt(Descriptor descriptor) { return adopt(*Loop::current(), descriptor); }

Result<Descriptor> Stream::release() {
  if (loop_ == nullptr) return Errc::closed;
  if (SlotPolicy* policy = loop_->backend().policy(slot_)) loop_->unset(policy->timer);
  Result<Descriptor> descriptor = loop_->backend().release(slot_);
  if (descriptor) {
    loop_ = nullptr;
    slot_ = SlotId{};
  }
  return descriptor;
}

Result<std::pair<Stream, Stream>> Stream::pair(Loop& loop) {
  const Result<std::pair<SlotId, SlotId>> slots = loop.backend().pair();
  if (!slots) return slots.error();
  return std::pair(Stream(loop, slots->first), Stream(loop, slots->second));
}
Result<std::pair<Stream, Stream>> Stream::pair() { return pair(*Loop::current()); }

}  // namespace v1
}  // namespace meari
