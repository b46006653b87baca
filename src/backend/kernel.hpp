// Kernel: what the backends over real sockets share, epoll and io_uring, and what is not on the way of a message:
// opening, adopting, giving back, asking. `Self::blocking` says which mode its descriptors have to be in.
#pragma once

#include <array>
#include <atomic>
#include <memory>

#include "src/backend/slotted.hpp"
#include "src/os/native.hpp"
#include "src/os/system.hpp"

namespace meari {
inline namespace v1 {

namespace kernel {

[[nodiscard]] inline Time now() noexcept { return Time(Duration(sys::monotonic_ns())); }
// A socket as asked for, with the options that every socket of ours has: TCP_NODELAY, keep-alive, TCP_USER_TIMEOUT.
// Set on a listener, they are inherited by what it accepts.
Result<Socket> open(const Opening& opening, os::Blocking blocking);
// What a descriptor is. `connected` is said of streams.
struct Found {
  Role role = Role::stream;
  bool local = false;
  bool connected = false;
};
Result<Found> examine(Descriptor descriptor);
Result<SocketInfo> info(Descriptor descriptor, Role role, bool local);
// Closes what the slot has; where it is to be aborted the peer gets RST. A listener's Unix-domain path goes with it.
void close(const Slot& slot) noexcept;
// A datagram, out of a buffer that is large enough for any, into one that is as large as it is.
Result<Chunk> copied(Pool& pool, std::span<const std::byte> bytes);

// Makes the eventfd readable, from any thread and from signal handlers. `awake` says that it is: nobody has looked since.
void wake(Descriptor eventfd, std::atomic<bool>& awake) noexcept;
// The loop has noticed, and looks at what was posted after this. The eventfd is emptied first: with `awake` taken back first,
// a wake-up that comes between the two is emptied with the old one, `awake` says for ever that it is there, and no other one
// comes through. And an exchange, not a store: who found `awake` set has posted before, and that has to be seen now.
void woken(Descriptor eventfd, std::atomic<bool>& awake) noexcept;
// Waits for that alone: for a backend that is lost.
void wait_for_wake(Descriptor eventfd, std::atomic<bool>& awake, Time until) noexcept;

// Each of these tries once and never waits. True: the operation has its outcome, good or bad. False: it has to wait.
// The next client, with its address. The listener has to be in non-blocking mode; `flags` are for what it accepts.
[[nodiscard]] bool try_accept(Descriptor listener, int flags, Accept& accept);
[[nodiscard]] bool try_send_to(Descriptor descriptor, SendTo& send);
class DatagramReceiver {
 public:
  // The next datagram, copied out of the one buffer that is large enough for any: most are small.
  [[nodiscard]] bool try_receive_from(Descriptor descriptor, Pool& pool, ReceiveFrom& receive);

 private:
  using Scratch = std::array<std::byte, std::size_t{64} << 10>;
  std::unique_ptr<Scratch> scratch_;
};

// How far a send has come: all of it; some, and more may go; a part, and the kernel takes no more for now.
enum class Went : std::uint8_t { all, some, part, wrong };

}  // namespace kernel

template <class Self>
class Kernel : public Slotted<Self> {
 public:
  using Slotted<Self>::Slotted;

  Result<SlotId> open(const Opening& opening) override {
    Result<Socket> socket = kernel::open(opening, Self::blocking);
    if (!socket) return socket.error();
    return admit(*socket, {opening.role, opening.family == Family::local, false});
  }

  Result<SlotId> adopt(Descriptor descriptor, Role role) override {
    if (role == Role::foreign) return this->fresh(descriptor, role);
    const Result<kernel::Found> found = kernel::examine(descriptor);
    if (!found) return found.error();
    if (found->role != role) return Error(Errc::invalid_argument, "adopt a descriptor");
    const bool was_non_blocking = os::is_non_blocking(descriptor);
    if (Result<> set = os::set_non_blocking(descriptor, Self::blocking == os::Blocking::no); !set) return set.error();
    Result<SlotId> slot = admit_descriptor(descriptor, *found);
    if (!slot) {
      static_cast<void>(os::set_non_blocking(descriptor, was_non_blocking));
    } else {
      this->slots_.find(*slot)->adopted = true;
    }
    return slot;
  }

  Result<SlotId> adopt_accepted(Descriptor descriptor, const Address& from) override {
    return admit_descriptor(descriptor, {Role::stream, from.family() == Family::local, true});
  }

  void turn_away(Descriptor accepted) noexcept override {
    Slot slot;  // none of the table's, which may have no memory for one
    slot.descriptor = accepted;
    slot.abort = true;
    kernel::close(slot);
  }

  Result<std::pair<SlotId, SlotId>> pair() override {
    Result<std::pair<Socket, Socket>> sockets = Socket::pair();
    if (!sockets) return sockets.error();
    for (const Socket* end : {&sockets->first, &sockets->second}) {
      Result<> set = os::set_non_blocking(end->descriptor(), Self::blocking == os::Blocking::no);
      if (!set) return set.error();
    }
    const Result<SlotId> first = admit(sockets->first, {Role::stream, true, true});
    if (!first) return first.error();
    const Result<SlotId> second = admit(sockets->second, {Role::stream, true, true});
    if (!second) {
      this->close(*first, false);
      return second.error();
    }
    return std::pair(*first, *second);
  }

  [[nodiscard]] Time now() const noexcept override { return kernel::now(); }

  [[nodiscard]] Result<Address> local(SlotId id) const override {
    const Slot* slot = this->slots_.find(id);
    if (slot == nullptr) return Errc::closed;
    return os::local_address(slot->descriptor);
  }
  [[nodiscard]] Result<Address> peer(SlotId id) const override {
    const Slot* slot = this->slots_.find(id);
    if (slot == nullptr) return Errc::closed;
    return os::peer_address(slot->descriptor);
  }
  [[nodiscard]] Result<SocketInfo> info(SlotId id) const override {
    const Slot* slot = this->slots_.find(id);
    if (slot == nullptr) return Errc::closed;
    return kernel::info(slot->descriptor, slot->role, slot->local);
  }

 protected:
  using Went = kernel::Went;
  // What send(2) has said.
  Went took(Slot& slot, Send& send, std::ptrdiff_t count, Error& error) {
    if (count >= 0) return this->went(slot, send, static_cast<std::size_t>(count)) ? Went::all : Went::some;
    const int code = sys::last_error();
    if (code == EINTR) return Went::some;
    if (code == EAGAIN || code == EWOULDBLOCK) return Went::part;
    error = system_error(code, "write");
    return Went::wrong;
  }

  Result<SlotId> admit(Socket& socket, const kernel::Found& found) {
    Result<SlotId> slot = admit_descriptor(socket.descriptor(), found);
    if (slot) static_cast<void>(socket.release());
    return slot;
  }

  Result<SlotId> admit_descriptor(Descriptor descriptor, const kernel::Found& found) {
    Result<SlotId> id = this->fresh(descriptor, found.role);
    if (!id) return id;
    Slot& slot = *this->slots_.find(*id);
    slot.local = found.local;
    slot.connected = found.connected;
    slot.readable = true;
    return id;
  }
};

}  // namespace v1
}  // namespace meari
