// What becomes of every operation but the messages themselves: connections, datagrams, readiness, and the ends.
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "src/backend/uring_backend.hpp"

namespace meari {
inline namespace v1 {
namespace uring {

namespace {
void set_polled(Slot& slot, Kind kind, bool on) noexcept {
  if (kind == Kind::poll_in) {
    slot.armed = on;
  } else {
    slot.watches_out = on;
  }
}

// Does it wait for this kind of readiness?
bool is_for(const Operation& operation, Kind kind) noexcept {
  const bool out = operation.kind == Operation::Kind::send_to ||
                   (operation.kind == Operation::Kind::ready && static_cast<const Readiness&>(operation).for_write);
  return out == (kind == Kind::poll_out);
}
}  // namespace

// ---- connections
Submitted Uring::start_accept(Slot& slot, Accept& accept) {
  if (!slot.registered) {
    if (Result<> set = os::set_non_blocking(slot.descriptor, true); !set) return refuse(accept, set.error());
    slot.registered = true;
  }
  wait_here(slot, accept);
  if (slot.waiting == &accept && slot.readable && try_accept(slot, accept)) {
    leave(slot, accept);
    return accept.error ? refuse(accept, std::move(accept.error)) : done(accept);
  }
  poll(slot, Kind::poll_in);
  return Submitted::pending;
}

bool Uring::try_accept(Slot& slot, Accept& accept) {
  if (kernel::try_accept(slot.descriptor, 0, accept)) return true;
  slot.readable = false;
  return false;
}

Submitted Uring::start_connect(Slot& slot, Connect& connect) {
  if (slot.connected || slot.waiting != nullptr || slot.sending) return refuse(connect, Errc::busy);
  wait_here(slot, connect);
  Parcel& parcel = next_parcel();
  parcel.address = os::NativeAddress(connect.target);
  Submission& entry = submission(Kind::connect, slot, IORING_OP_CONNECT);
  entry.addr = reinterpret_cast<std::uintptr_t>(parcel.address.data());
  entry.off = parcel.address.size;
  slot.sending = true;
  return Submitted::pending;
}

void Uring::connect_ended(Slot& slot, int result) {
  slot.sending = false;
  if (slot.waiting == nullptr) return;  // it was canceled
  auto& connect = static_cast<Connect&>(*slot.waiting);
  leave(slot, connect);
  connect.error = result < 0 ? system_error(-result, "connect to", connect.target)
                             : os::connect_result(slot.descriptor, connect.target);
  slot.connected = !connect.error;
  complete(connect);
}

// ---- datagrams: asked for directly, and polled through the ring. Never out of the ring's buffers: an incremental
// one does not say where a datagram ends.
Submitted Uring::start_receive_from(Slot& slot, ReceiveFrom& receive) {
  for (Operation* at = slot.waiting; at != nullptr; at = static_cast<Operation*>(at->next))
    if (at->kind == Operation::Kind::receive_from) return refuse(receive, Errc::busy);
  if (!slot.armed && try_receive_from(slot, receive))
    return receive.error ? refuse(receive, std::move(receive.error)) : done(receive);
  wait_here(slot, receive);
  poll(slot, Kind::poll_in);
  return Submitted::pending;
}

bool Uring::try_receive_from(Slot& slot, ReceiveFrom& receive) {
  if (!datagrams_.try_receive_from(slot.descriptor, pool_, receive)) return false;
  if (!receive.error) count_received(slot, receive.chunk.size());
  return true;
}

Submitted Uring::start_send_to(Slot& slot, SendTo& send) {
  if (!slot.watches_out && try_send_to(slot, send))
    return send.error ? refuse(send, std::move(send.error)) : done(send);
  wait_here(slot, send);
  poll(slot, Kind::poll_out);
  return Submitted::pending;
}

bool Uring::try_send_to(Slot& slot, SendTo& send) {
  if (!kernel::try_send_to(slot.descriptor, send)) return false;
  if (!send.error) count_sent(slot, send.bytes.size());
  return true;
}

// ---- readiness: of listeners, of datagram sockets, and of descriptors that belong to others
Submitted Uring::start_ready(Slot& slot, Readiness& readiness) {
  wait_here(slot, readiness);
  poll(slot, readiness.for_write ? Kind::poll_out : Kind::poll_in);
  return Submitted::pending;
}

void Uring::poll(Slot& slot, Kind kind) {
  const bool in = kind == Kind::poll_in;
  if (in ? slot.armed : slot.watches_out) return;
  set_polled(slot, kind, true);
  Submission& entry = submission(kind, slot, IORING_OP_POLL_ADD);
  entry.poll32_events = in ? POLLIN | POLLRDHUP : POLLOUT;
}

void Uring::polled(Slot& slot, Kind kind, const Completion& completion) {
  const int result = completion.result;
  if (slot.role == Role::stream) return watched_bulk(slot, completion);
  set_polled(slot, kind, false);
  if (slot.closing) return;
  if (kind == Kind::poll_in) slot.readable = true;
  for (Operation* at = slot.waiting; at != nullptr;) {
    auto* next = static_cast<Operation*>(at->next);
    if (is_for(*at, kind)) {
      if (result < 0 && result != -ECANCELED && result != -EINTR) {
        at->error = system_error(-result, "watch a descriptor");
      } else if (result < 0 || !try_again(slot, *at)) {
        return poll(slot, kind);
      }
      leave(slot, *at);
      complete(*at);
    }
    at = next;
  }
}

bool Uring::try_again(Slot& slot, Operation& operation) {
  switch (operation.kind) {
    case Operation::Kind::accept: return try_accept(slot, static_cast<Accept&>(operation));
    case Operation::Kind::receive_from: return try_receive_from(slot, static_cast<ReceiveFrom&>(operation));
    case Operation::Kind::send_to: return try_send_to(slot, static_cast<SendTo&>(operation));
    default: return true;
  }
}

// ---- ends
void Uring::stop(Slot& slot, Operation& operation, Errc reason) {
  if (operation.kind == Operation::Kind::send || operation.kind == Operation::Kind::finish) {
    operation.progress = static_cast<std::uint8_t>(reason);
    return withdraw(slot, Kind::send);  // the kernel reads its memory: the completion is the answer
  }
  leave(slot, operation);
  refuse(operation, reason);
  if (operation.kind == Operation::Kind::connect) return withdraw(slot, Kind::connect);
  // The kernel keeps what it polls open: of a descriptor of somebody else it has to let go.
  if (slot.role != Role::foreign) return;
  const Kind kind = static_cast<Readiness&>(operation).for_write ? Kind::poll_out : Kind::poll_in;
  for (Operation* at = slot.waiting; at != nullptr; at = static_cast<Operation*>(at->next))
    if (is_for(*at, kind)) return;
  withdraw(slot, kind);
}

void Uring::shut(Slot& slot) {
  while (Operation* waiting = slot.waiting) {
    leave(slot, *waiting);
    refuse(*waiting, Errc::canceled);
  }
  // A send in the kernel stays: its memory is being read.
  const Send* flying = slot.sending ? first_send(slot) : nullptr;
  while (Send* send = flying == nullptr ? first_send(slot) : static_cast<Send*>(flying->next)) {
    if (send == flying) break;
    leave_sends(slot, *send);
    refuse(*send, Errc::canceled);
  }
  if (slot.in_kernel == 0) return gone(slot);
  withdraw_all(slot);
}

void Uring::withdraw_all(Slot& slot) {
  if (&slot == lone_) {
    lone_leaves_ = true;
    withdraw(slot, Kind::receive_alone);
  } else if (slot.armed) {
    withdraw(slot, slot.role == Role::stream ? Kind::receive : Kind::poll_in);
  }
  if (slot.polled) withdraw(slot, Kind::poll_in);
  if (slot.watches_out) withdraw(slot, Kind::poll_out);
  if (slot.sending) withdraw(slot, first_send(slot) != nullptr ? Kind::send : Kind::connect);
}

void Uring::withdraw(Slot& slot, Kind kind) {
  Submission& entry = next_submission();
  entry.opcode = IORING_OP_ASYNC_CANCEL;
  entry.fd = -1;
  entry.addr = Tag::of(kind, slot);
  entry.user_data = Tag::of(Kind::cancel);
}

// What became of its target, that one tells: it is over already (ENOENT), or will be at once (EALREADY). Any other error means
// that the kernel does not cancel for us: a write would ignore its deadline and a connection that was closed stay open, for
// as long as the peer likes. There is one other way to take back what it has.
void Uring::withdrawn(int result) noexcept {
  if (result < 0 && result != -ENOENT && result != -EALREADY) ring_.fail(system_error(-result, "cancel an operation"));
}

// The kernel has nothing of this slot any more.
void Uring::gone(Slot& slot) {
  if (slot.role != Role::foreign) kernel::close(slot);
  forget(slot);
}

}  // namespace uring
}  // namespace v1
}  // namespace meari
