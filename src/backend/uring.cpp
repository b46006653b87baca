#include "src/backend/uring.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "src/backend/uring_backend.hpp"

namespace meari {
inline namespace v1 {
namespace uring {

namespace {
constexpr unsigned sends_on_the_spot = 4;        // in a turn with one completion
constexpr std::uint32_t most_copied = 16 << 10;  // bytes, to have in one piece what came in several
constexpr unsigned receives_an_enter = 20;       // that the kernel brings, whatever is asked for
constexpr std::size_t parcels_kept = 64;
constexpr Duration often_enough = std::chrono::microseconds(20);  // to ask for news while there is something to do
}  // namespace

// ---- life

Result<> Uring::start(const UringOptions& options, const Abilities& abilities) {
  current_ = abilities.current && !options.floor;
  if (Error error = ring_.open({options.submissions, options.completions})) return error;
  if (Error error = buffers_.open(ring_, current_, current_ ? abilities.current_rewinds : abilities.floor_rewinds))
    return error;
  // Without it nobody is alone, and all goes on.
  if (current_) static_cast<void>(lone_buffers_.open(ring_, true, abilities.current_rewinds));
  wake_ = sys::eventfd(0, EFD_CLOEXEC);
  if (wake_ < 0) return system_error(sys::last_error(), "eventfd");
  alarm_.open(true);
  parcels_.resize(parcels_kept);
  touched_.reserve(options.completions);
  return {};
}

Uring::~Uring() {
  pool_.belongs_to_this_thread();  // whoever destroys is the last one here
  for (std::uint32_t place = 0; place < slots_.size(); ++place) {
    Slot& slot = slots_.at(place);
    if (!slot.in_use || slot.closing) continue;
    slot.closing = true;
    leave_queue(slot);
    drop_unread(slot);
    shut(slot);
  }
  // On the thread that turned the ring everything is waited for. When that thread has ended, the kernel has taken
  // back what it had submitted.
  if (ring_.is_open() && owner_ == std::this_thread::get_id())
    work_until([this] { return slots_.in_use() == 0; }, std::chrono::seconds(2));
  ring_.close();
  for (std::uint32_t place = 0; place < slots_.size(); ++place) {
    Slot& slot = slots_.at(place);
    if (!slot.in_use) continue;
    everybody_leaves(slot);
    gone(slot);
  }
  if (wake_ >= 0) sys::close(wake_);
}

// The thread that turns first is the one that the kernel works for.
void Uring::own() {
  owned_ = true;
  owner_ = std::this_thread::get_id();
  pool_.belongs_to_this_thread();
  if (ring_.enable()) return;
  watch_wake();
  if (alarm_.descriptor() != no_descriptor) watch(Kind::alarm, alarm_.descriptor(), alarm_count_);
}

void Uring::watch(Kind kind, Descriptor descriptor, std::uint64_t& count) noexcept {
  Submission& entry = ring_.next();
  entry.opcode = IORING_OP_READ;
  entry.fd = sys::plain(descriptor);
  entry.addr = reinterpret_cast<std::uintptr_t>(&count);
  entry.len = sizeof count;
  entry.off = std::numeric_limits<std::uint64_t>::max();
  entry.user_data = Tag::of(kind);
}

// A kernel that cannot read it would not wake anybody.
void Uring::alarm_rang(int result) noexcept {
  alarm_.rang();
  if (result < 0 && result != -EINTR && result != -EAGAIN) return alarm_.close();
  watch(Kind::alarm, alarm_.descriptor(), alarm_count_);
}

Parcel& Uring::next_parcel() noexcept {
  if (ring_.queued() == 0) parcels_used_ = 0;
  if (parcels_used_ == parcels_.size()) {
    if (!owned_) own();
    ring_.flush();
    parcels_used_ = 0;
  }
  return parcels_[parcels_used_++];
}

Result<Descriptor> Uring::release(SlotId id) {
  Slot* slot = slots_.find(id);
  if (slot == nullptr || slot->closing) return Errc::closed;
  if (slot->waiting != nullptr || slot->last_send != nullptr || slot->last_unread != nullptr) return Errc::busy;
  MEARI_ASSERT(!slot->policy.timer.is_set());
  if (slot->in_kernel != 0) {
    withdraw_all(*slot);
    work_until([slot] { return slot->in_kernel == 0; }, Duration::max());
    if (slot->in_kernel != 0) return ring_.failure();
    if (slot->last_unread != nullptr) return Errc::busy;  // it came in the last moment
  }
  const Descriptor descriptor = slot->descriptor;
  if (slot->registered) {
    if (Result<> set = os::set_non_blocking(descriptor, false); !set) return set.error();
  }
  forget(*slot);
  return descriptor;
}

msghdr& Parcel::pack(const Pieces& pieces, std::size_t count) noexcept {
  for (std::size_t i = 0; i < count; ++i) vectors[i] = {const_cast<std::byte*>(pieces[i].data()), pieces[i].size()};
  message = {};
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  return message;
}

// ---- what becomes of a message
// Receiving: what comes of a receive that is armed stays in the slot, whether or not anybody waits for it

// Nothing is in the kernel yet that would bring it something.
Submitted Uring::start_first_receive(Slot& slot, Receive& receive) {
  if (lone_pause_ != 0 && slot.bulk) --lone_pause_;
  const bool directly = is_asked_directly(slot);
  if (somebody_starves() && (!directly || pool_.scarce())) {
    starve(slot);  // behind those who have waited longer
  } else if (directly) {
    return start_bulk(slot, receive);
  } else {
    arm(slot);
  }
  return Submitted::pending;
}

// Goes on with a receive that waits, and has nothing in the kernel.
void Uring::ask(Slot& slot) {
  if (!is_asked_directly(slot)) return arm(slot);
  Receive& receive = *receiver(slot);
  if (start_bulk(slot, receive) == Submitted::done) complete(receive);
}

void Uring::arm(Slot& slot) {
  if (slot.bulk && may_be_alone(slot) && arm_alone(slot)) return;
  if (slot.bulk && lone_ != nullptr) ++lone_rivals_;
  if (!buffers_.refill()) return starve(slot);
  if (slot.polled) withdraw(slot, Kind::poll_in);
  Submission& receive = submission(Kind::receive, slot, IORING_OP_RECV);
  receive.flags = IOSQE_BUFFER_SELECT;
  receive.buf_group = buffers_.group();
  // Without the poll the kernel would look at an empty queue first, and with no buffer left it would fail at once.
  if (!slot.readable) receive.ioprio |= IORING_RECVSEND_POLL_FIRST;
  // A multishot receive on a Unix-domain socket may miss the end of the stream.
  if (!current_ || slot.local || slot.bulk) {
    receive.len = Slot::most_unread;
  } else {
    receive.ioprio |= IORING_RECV_MULTISHOT;
    // The credit: no byte more once `optlen` is reached. It may be passed by one call's worth, so it is half of it.
    receive.len = Slot::most_unread / 2;
    receive.file_index = Slot::most_unread / 2 + 1;
  }
  slot.armed = true;
  slot.readable = false;
}

// Bytes go straight to the receive that waits. But when the next completion brings more for the same stream, or some are
// here already, they are gathered first. Plainly: the kernel goes on receiving into the same buffer, and all that is
// special is left to received().
bool Uring::received_plainly(Slot& slot, const Completion& completion, const Ring::Following& following) {
  Receive* receive = receiver(slot);
  const auto size = static_cast<std::uint32_t>(completion.result);
  if (slot.closing || slot.last_unread != nullptr || slot.failure || size - 1 >= least_bulk - 1 ||
      following.is_for(completion.tag)) [[unlikely]]
    return false;
  if (receive == nullptr) return kept_plainly(slot, completion);
  if (size > receive->limit) [[unlikely]]
    return false;
  count_received(slot, size);
  buffers_.take_into(receive->chunk, completion);
  slot.waiting = nullptr;
  complete(*receive);
  ++happened_;
  return true;
}

// The answer to what is sent in this very turn comes before the sender goes on: it stays here for a moment.
bool Uring::kept_plainly(Slot& slot, const Completion& completion) {
  Unread* piece = spare_unread_;
  if (piece == nullptr || pool_.scarce()) [[unlikely]]
    return false;
  spare_unread_ = piece->next;
  piece->next = piece;
  buffers_.take_into(piece->chunk, completion);
  slot.last_unread = piece;
  slot.unread_bytes = static_cast<std::uint32_t>(completion.result);
  count_received(slot, slot.unread_bytes);
  ++happened_;
  return true;
}

void Uring::received(Slot& slot, const Completion& completion, const Ring::Following& following, Chunk chunk) {
  if (!completion.goes_on()) {
    slot.armed = false;
    slot.readable = (completion.flags & IORING_CQE_F_SOCK_NONEMPTY) != 0;
  }
  if (completion.result <= 0) [[unlikely]]
    return received_nothing(slot, completion.result);
  const auto size = static_cast<std::size_t>(completion.result);
  slot.bulk = size >= least_bulk || (slot.bulk && (size > most_small || slot.readable));
  slot.deep = slot.bulk && slot.readable;
  Receive* receive = receiver(slot);
  if (receive == nullptr || slot.last_unread != nullptr || slot.failure || chunk.size() > receive->limit ||
      following.is_for(completion.tag)) [[unlikely]] {
    bytes_came(slot, std::move(chunk));
    return touch(slot);
  }
  count_received(slot, chunk.size());
  receive->chunk = std::move(chunk);
  slot.waiting = nullptr;
  complete(*receive);
}

void Uring::received_nothing(Slot& slot, int result) {
  switch (-result) {
    case 0: end_came(slot); break;
    case ENOBUFS:
      slot.readable = true;  // bytes or an end are there, only memory was not
      buffers_.ran_out();
      ran_out_ = true;
      break;
    case ECANCELED:
    case EAGAIN:
    case EINTR: break;
    default: failure_came(slot, system_error(-result, "read"));
  }
  touch(slot);
}

// Sending
Submitted Uring::start_send(Slot& slot, Send& send) {
  const std::size_t most = current_ ? Slot::most_unread : least_bulk - 1;
  if (send.kind == Operation::Kind::finish || send.chunk.size() > most) return send_at_once(slot, send);
  if (on_the_spot_ > 0 && count_in_ring_ == 0) return send_at_once(slot, send);
  // Of what is on loan there is no more than receives had room for.
  if (send.chunk.size() >= least_bulk && !send.chunk.on_loan()) ready_.charge(send.chunk.size());
  send_in_ring(slot, send, MSG_DONTWAIT);
  send.next = &send;  // the only one
  slot.last_send = &send;
  return Submitted::pending;
}

// The first of the queue, through the ring. With MSG_DONTWAIT it is over when enter() returns; without, it waits in
// the kernel until the peer takes something. (Not with MSG_WAITALL: that would hide progress from the stall deadline.)
void Uring::send_in_ring(Slot& slot, const Send& send, unsigned flags) {
  if (send.count != 0) {
    send_pieces_in_ring(slot, send, flags);
  } else {
    put_in_ring(slot, send, static_cast<std::uint32_t>(std::min<std::size_t>(send.chunk.size(), 1U << 30)), flags);
  }
  if (flags != 0) ++count_in_ring_;
  slot.sending = true;
}

// The only message of its turn: this is quicker than a detour through the ring.
Submitted Uring::send_on_the_spot(Slot& slot, Send& send) {
  if (count_in_ring_ != 0) [[unlikely]]
    return start_watched(slot, send);
  --on_the_spot_;
  const std::ptrdiff_t count =
      sys::send(slot.descriptor, send.chunk.data(), send.chunk.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return watched(slot, sent_at_once(slot, send, count));
}

Submitted Uring::send_at_once(Slot& slot, Send& send) {
  if (send.kind == Operation::Kind::finish) {
    Error error = finish(slot);
    return error ? refuse(send, std::move(error)) : done(send);
  }
  if (on_the_spot_ > 0) --on_the_spot_;
  return sent_at_once(slot, send, send_some(slot, send));
}

// Goes on from what send(2) has said.
inline Submitted Uring::sent_at_once(Slot& slot, Send& send, std::ptrdiff_t count) {
  const bool is_loan = send.chunk.on_loan();  // receiving it was charged
  if (send.count != 0 || static_cast<std::size_t>(count) != send.chunk.size()) [[unlikely]]
    return sent_in_part(slot, send, count);
  if (!is_loan) ready_.charge(send.chunk.size());
  went_whole(slot, send);
  return done(send);
}

Submitted Uring::sent_in_part(Slot& slot, Send& send, std::ptrdiff_t count) {
  const bool is_loan = send.chunk.on_loan();
  Error error;
  Went result = took(slot, send, count, error);
  while (result == Went::some) result = took(slot, send, send_some(slot, send), error);
  if (send.count != 0 || !is_loan) ready_.charge(send.sent);
  if (result == Went::all) return done(send);
  if (result == Went::wrong) {
    slot.send_failure = error.code();
    return refuse(send, std::move(error));
  }
  wait_to_send(slot, send);
  send_in_ring(slot, send, 0);
  return Submitted::pending;
}

std::ptrdiff_t Uring::send_some(const Slot& slot, const Send& send) {
  constexpr int flags = MSG_NOSIGNAL | MSG_DONTWAIT;
  if (send.count == 0) return sys::send(slot.descriptor, send.chunk.data(), send.chunk.size(), flags);
  Parcel::Pieces pieces;
  Parcel parcel;
  const std::size_t count = pieces_left(send, pieces.data(), pieces.size());
  return sys::sendmsg(slot.descriptor, &parcel.pack(pieces, count), flags);
}

void Uring::send_pieces_in_ring(Slot& slot, const Send& send, unsigned flags) {
  Parcel::Pieces pieces;
  const std::size_t count = pieces_left(send, pieces.data(), pieces.size());
  Parcel& parcel = next_parcel();
  Submission& entry = submission(Kind::send, slot, IORING_OP_SENDMSG);
  entry.addr = reinterpret_cast<std::uintptr_t>(&parcel.pack(pieces, count));
  entry.len = 1;
  entry.msg_flags = MSG_NOSIGNAL | flags;
}

// Plainly: all of the only one that there is.
bool Uring::sent_plainly(Slot& slot, int result) {
  Send* send = slot.last_send;
  if (send == nullptr || slot.closing || send->next != send || send->count != 0 ||
      static_cast<std::size_t>(result) != send->chunk.size()) [[unlikely]]
    return false;
  --slot.in_kernel;
  slot.sending = false;
  count_sent(slot, send->chunk.size());
  send->sent += send->chunk.size();
  send->chunk = Chunk();  // its memory is free now, however long the Send lives on
  slot.last_send = nullptr;
  complete(*send);
  ++happened_;
  return true;
}

void Uring::sent(Slot& slot, int result) {
  Send* send = first_send(slot);
  MEARI_ASSERT(slot.sending && send != nullptr);
  slot.sending = false;
  bool all = false;
  if (result >= 0) {
    all = went(slot, *send, static_cast<std::size_t>(result));
  } else if (result != -EAGAIN && result != -EINTR && result != -ECANCELED) {
    sends_failed(slot, system_error(-result, "write"));
    return;
  }
  if (all) {
    leave_sends(slot, *send);
    complete(*send);
  } else if (slot.closing) {
    leave_sends(slot, *send);
    refuse(*send, Errc::canceled);
  } else if (send->cancel_requested) {
    abandon_send(slot, *send, Errc(send->progress));
  }
  if (!slot.closing) go_on_sending(slot);
}

void Uring::go_on_sending(Slot& slot) {
  while (Send* send = first_send(slot)) {
    if (send->kind != Operation::Kind::finish && left_of(*send) != 0 && !slot.finished) {
      settle(send->chunk, pool_);
      return send_in_ring(slot, *send, 0);
    }
    leave_sends(slot, *send);
    if (send->kind == Operation::Kind::finish) {
      if (!slot.finished) send->error = finish(slot);
    } else if (slot.finished) {
      send->error = Errc::broken_pipe;
    }
    complete(*send);
  }
}

Error Uring::finish(Slot& slot) {
  if (sys::shutdown(slot.descriptor, SHUT_WR) != 0) return system_error(sys::last_error(), "finish");
  slot.finished = true;
  return {};
}

// ---- turning

void Uring::wake() noexcept { kernel::wake(wake_, awake_); }

inline void Uring::enter(Time until) {
  // All of them are over when the kernel has taken them; waiting for so many lets as many receives come along, and on
  // the floor each of those needs a slab of its own.
  const unsigned in_ring = std::min(std::exchange(count_in_ring_, 0), current_ ? 1U << 16 : receives_an_enter);
  if (until <= turn_time_) {
    // A system call is much for a turn of a few steps: while there are others ready, the kernel is asked now and then.
    const Time present = kernel::now();
    if (!ready_.empty() && ring_.queued() == 0 && present - asked_ < often_enough) return;
    asked_ = present;
    ring_.enter({.least = 0});
  } else if (until == never || alarm_.covers(until, turn_time_)) {
    ring_.enter({.least = std::max(in_ring, 1U)});
  } else if (const Time present = kernel::now(); until > present) {
    ring_.enter({.least = std::max(in_ring, 1U), .limit = until - present});
  } else {
    ring_.enter({.least = 0});
  }
}

Time Uring::wait(Time until) {
  if (!owned_) own();
  if (is_lost()) {
    kernel::wait_for_wake(wake_, awake_, ready_.empty() ? until : Time::min());
    begin_turn(kernel::now());
    return turn_time_;
  }
  happened_ = 0;
  const bool somebody_was_in_line = somebody_is_in_line();
  if (wants_news(count_in_ring_ != 0)) {  // answers do not wait for those in line
    if (lone_ != nullptr) look_after_lone();
    if (somebody_starves() || buffers_.lacks_some()) feed_some();
    rewind(buffers_);
    const bool some_can_be_fed = somebody_starves() && (buffers_.in_ring() != 0 || pool_.has_room(least_room));
    enter(ready_.empty() && !some_can_be_fed && !somebody_was_in_line ? until : Time::min());
  }
  begin_turn(kernel::now());
  reap();
  if (somebody_is_in_line()) serve_line();
  if (ring_.failure()) lose_ring();
  on_the_spot_ = !somebody_was_in_line && !somebody_is_in_line() && happened_ <= 1 ? sends_on_the_spot : 0;
  return turn_time_;
}

// What is in the kernel must not touch the memory of those who are told now: the ring goes first.
void Uring::lose_ring() noexcept {
  const Error error = ring_.failure();
  ring_.close();
  lone_ = nullptr;
  for (std::uint32_t place = 0; place < slots_.size(); ++place) {
    Slot& slot = slots_.at(place);
    if (!slot.in_use) continue;
    slot.in_kernel = 0;
    slot.sending = slot.armed = slot.polled = slot.watches_out = false;
    if (!slot.closing) continue;
    everybody_leaves(slot);
    gone(slot);
  }
  lose(error);
}

template <class Done>
void Uring::work_until(Done&& is_done, Duration limit) {
  const Time start = kernel::now();
  count_in_ring_ = 0;
  while (!is_done() && !ring_.failure() && kernel::now() - start < limit) {
    if (lone_ != nullptr) look_after_lone();
    ring_.enter({.least = 1, .limit = std::chrono::milliseconds(100)});
    reap();
  }
}

// Pieces that followed each other have been joined when the slots are settled.
void Uring::reap() {
  ring_.reap([this](const Completion& completion, const Ring::Following& following)
                 __attribute__((always_inline)) { return take_plainly(completion, following); },
             [this](Completion completion, Ring::Following following) {
               take(completion, following);
               return true;
             });
  if (!touched_.empty()) settle_touched();
}

// What every message needs has a way of its own. False: it goes the way of all.
bool Uring::take_plainly(const Completion& completion, const Ring::Following& following) {
  const Kind kind = Tag::kind(completion.tag);
  Slot* slot = Tag::slot(completion.tag);
  if (kind == Kind::send) return sent_plainly(*slot, completion.result);
  return kind == Kind::receive && buffers_.goes_on_with(completion) && received_plainly(*slot, completion, following);
}

void Uring::take(Completion completion, Ring::Following following) {
  const Kind kind = Tag::kind(completion.tag);
  Chunk chunk;
  if (completion.has_buffer()) chunk = (kind == Kind::receive_alone ? lone_buffers_ : buffers_).taken(completion);
  if (kind == Kind::nothing) return;
  if (kind == Kind::cancel) return withdrawn(completion.result);
  if (kind == Kind::wake) {
    awake_.exchange(false, std::memory_order_acq_rel);  // the kernel has emptied it: the order of kernel::woken()
    return watch_wake();
  }
  if (kind == Kind::alarm) return alarm_rang(completion.result);
  Slot& slot = *Tag::slot(completion.tag);
  MEARI_ASSERT(slot.in_use && slot.in_kernel != 0);
  if (kind != Kind::receive_alone || !following.is_for(completion.tag)) ++happened_;
  if (!completion.goes_on()) --slot.in_kernel;
  switch (kind) {
    case Kind::receive:
      if (!slot.closing) received(slot, completion, following, std::move(chunk));
      break;
    case Kind::receive_alone: received_alone(slot, completion, std::move(chunk)); break;
    case Kind::send: sent(slot, completion.result); break;
    case Kind::connect: connect_ended(slot, completion.result); break;
    default: polled(slot, kind, completion);
  }
  if (slot.closing && slot.in_kernel == 0) gone(slot);
}

// A message that the end of a slab has cut in two: a copy costs less than to receive and to send twice.
void Uring::join_pieces(Slot& slot) {
  const Unread* last = slot.last_unread;
  if (last == nullptr || last->next == last || slot.unread_bytes > most_copied || pool_.scarce()) return;
  const std::span<std::byte> room = pool_.room(slot.unread_bytes);
  if (room.empty()) return;
  std::size_t count = 0;
  const Unread* piece = last;
  do {
    piece = piece->next;
    std::memcpy(room.data() + count, piece->chunk.data(), piece->chunk.size());
    count += piece->chunk.size();
  } while (piece != last);
  drop_unread(slot);
  append_unread(slot, pool_.commit(room, count));
}

void Uring::settle_touched() {
  for (const std::uint32_t place : touched_) {
    Slot& slot = slots_.at(place);
    slot.touched = false;
    if (!slot.in_use || slot.closing) continue;
    if (receiver(slot) != nullptr) join_pieces(slot);
    settle_receive(slot);
    if (receiver(slot) == nullptr || slot.armed || slot.starved) continue;
    if (ran_out_ && is_asked_directly(slot)) {
      watch_bulk(slot);  // so that large ones come one after the other
    } else if (ran_out_) {
      starve(slot);  // all at once they would only find nothing again
    } else {
      ask(slot);
    }
  }
  touched_.clear();
  ran_out_ = false;
}

}  // namespace uring

Result<std::unique_ptr<Backend>> make_uring(const UringOptions& options) {
  const uring::Abilities abilities = uring::probe();
  if (abilities.refused) return abilities.refused;
  auto backend = std::make_unique<uring::Uring>(options);
  if (Result<> started = backend->start(options, abilities); !started) return started.error();
  return std::unique_ptr<Backend>(std::move(backend));
}

}  // namespace v1
}  // namespace meari
