// Completion ports: Windows says when something has been done, so what has to wait is done by the system itself.
//
// Everything is tried first, without waiting, as epoll does it. Only what has to wait becomes a Flight: an OVERLAPPED with
// what it needs, which belongs to this backend until its packet has come through the port. A receive that waits is a
// WSARecv of no bytes, which ends when something can be read, so that an idle connection owns no buffer. A send that
// waits goes out from a copy, so that the caller's memory is free as soon as the operation is over. A closed slot is
// free at once: closing the socket ends its flights, and what they bring is thrown away when it comes.
//
// A socket meets the port when it first has to wait. It can never leave it for another one (before Windows 8.1), so a
// socket that was accepted here and has not waited yet may be adopted by a sibling.
#include "src/backend/iocp.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <new>

#include "src/backend/iocp_flights.hpp"
#include "src/backend/iocp_watches.hpp"
#include "src/backend/kernel.hpp"
#include "src/os/system.hpp"

namespace meari {
inline namespace v1 {
namespace {

constexpr std::size_t most_in_flight = std::size_t{64} << 10;  // bytes of one send that the system has at a time
constexpr int events_a_wait = 256;
constexpr int wait_for_the_last_ms = 5000;  // when the backend goes and flights are still in the air

class Iocp final : public Kernel<Iocp> {
 public:
  static constexpr os::Blocking blocking = os::Blocking::no;

  explicit Iocp(std::size_t pool_bytes) noexcept : Kernel(pool_bytes) { begin_turn(kernel::now()); }

  ~Iocp() override {
    for (std::uint32_t place = 0; place < slots_.size(); ++place) {
      Slot& slot = slots_.at(place);
      if (slot.in_use) shut(slot);
    }
    while (flights_.in_air() != 0 && collect(wait_for_the_last_ms) > 0) {}
  }

  Result<> start() {
    if (Result<> started = os::start_network(); !started) return started;
    if (Result<> opened = flights_.open(); !opened) return opened;
    const Result<LPFN_CONNECTEX> found = find_connect_ex();
    if (!found) return found.error();
    connect_ex_ = *found;
    return {};
  }

  [[nodiscard]] std::string_view name() const noexcept override { return "iocp"; }
  Result<SlotId> adopt(Descriptor descriptor, Role role) override {
    if (role == Role::foreign)
      if (Error unfit = Watches::fit(descriptor)) return unfit.during("adopt a descriptor");
    return Kernel::adopt(descriptor, role);
  }

  // ---- receiving

  Submitted start_receive(Slot& slot, Receive& receive) {
    wait_here(slot, receive);
    if (somebody_starves() && pool_.scarce()) {
      starve(slot);  // behind those who have waited longer
    } else if (!slot.armed && try_receive(slot, receive)) {
      slot.waiting = nullptr;
      ready_.charge(receive.chunk.size());
      return receive.error ? refuse(receive, std::move(receive.error)) : done(receive);
    }
    return Submitted::pending;
  }

  bool feed(Slot& slot) {
    Receive* receive = receiver(slot);
    if (receive == nullptr) return true;
    if (!slot.armed && try_receive(slot, *receive)) {
      slot.waiting = nullptr;
      complete(*receive);
    }
    return !slot.starved;
  }

  // recv(), once, where that may bring something. True: the receive has its outcome. False: it waits.
  bool try_receive(Slot& slot, Receive& receive) {
    if (!slot.readable) return arm_receive(slot, receive);
    const std::span<std::byte> room = pool_.room(least_room);
    if (room.empty()) {
      starve(slot);
      return false;
    }
    const std::size_t wanted = std::min(room.size(), receive.limit);
    const std::ptrdiff_t count = sys::recv(slot.descriptor, room.data(), wanted, 0);
    if (count > 0) {
      count_received(slot, static_cast<std::size_t>(count));
      receive.chunk = pool_.commit(room, static_cast<std::size_t>(count));
      slot.readable = static_cast<std::size_t>(count) == wanted;
      return true;
    }
    if (count == 0) {
      end_came(slot);
      receive.error = slot.failure;
      return true;
    }
    const int code = sys::last_error();
    if (code == WSAEWOULDBLOCK) return arm_receive(slot, receive);
    failure_came(slot, system_error(code, "read"));
    receive.error = slot.failure;
    return true;
  }

  // A receive of no bytes, which ends when there is something. True: it could not even begin.
  bool arm_receive(Slot& slot, Receive& receive) {
    slot.readable = false;
    Error error = flights_.launch_receive(slot);
    if (!error) return false;
    failure_came(slot, std::move(error));
    receive.error = slot.failure;
    return true;
  }

  void receive_landed(Slot& slot, int code) {
    slot.armed = false;
    slot.readable = true;
    // Only where nothing is left to read; the recv() that follows might find the end of the stream in its place.
    if (code != 0 && code != WSA_OPERATION_ABORTED) failure_came(slot, system_error(code, "read"));
    Receive* receive = receiver(slot);
    if (receive == nullptr || slot.starved) return;
    if (!answer(slot, *receive) && !try_receive(slot, *receive)) return;
    slot.waiting = nullptr;
    complete(*receive);
  }

  // ---- sending

  enum class Went : std::uint8_t { all, part, wrong };

  Submitted start_send(Slot& slot, Send& send) {
    Error error;
    const bool is_loan = send.chunk.on_loan();  // receiving it was charged
    const Went result = try_send(slot, send, error);
    if (send.count != 0 || !is_loan) ready_.charge(send.sent);
    if (result == Went::all) return done(send);
    if (result == Went::wrong) {
      slot.send_failure = error.code();
      return refuse(send, std::move(error));
    }
    wait_to_send(slot, send);
    launch_send(slot);
    return Submitted::pending;
  }

  Went try_send(Slot& slot, Send& send, Error& error) {
    if (send.kind == Operation::Kind::finish) {
      if (sys::shutdown(slot.descriptor, SD_SEND) != 0) {
        error = system_error(sys::last_error(), "finish");
        return Went::wrong;
      }
      slot.finished = true;
      return Went::all;
    }
    while (left_of(send) != 0) {
      const std::ptrdiff_t count = send_some(slot, send);
      if (count > 0) {
        went(slot, send, static_cast<std::size_t>(count));
        continue;
      }
      const int code = sys::last_error();
      if (count == 0 || code == WSAEWOULDBLOCK) return Went::part;
      error = system_error(code, "write");
      return Went::wrong;
    }
    return Went::all;
  }

  std::ptrdiff_t send_some(Slot& slot, const Send& send) {
    if (send.count == 0) return sys::send(slot.descriptor, send.chunk.data(), send.chunk.size(), 0);
    std::array<std::span<const std::byte>, pieces_a_call> pieces;
    const std::size_t count = pieces_left(send, pieces.data(), pieces.size());
    return send_now(slot.descriptor, std::span(pieces).first(count));
  }

  // The next part of the first send, from a copy. What cannot begin fails.
  void launch_send(Slot& slot) {
    const Send& send = *first_send(slot);
    std::array<std::span<const std::byte>, pieces_a_call> pieces;
    const std::size_t count = pieces_left(send, pieces.data(), pieces.size());
    std::size_t size = 0;
    for (std::size_t i = 0; i < count; ++i) size += pieces[i].size();
    size = std::min(size, most_in_flight);
    Flight* flight = flights_.prepare(SlotTable::id(slot), Flight::Kind::send, size);
    if (flight == nullptr) return sends_failed(slot, Errc::out_of_memory);
    copy_pieces(std::span(pieces).first(count), {flight->memory.get(), size});
    Error error = flights_.join_port(slot);
    if (!error) {
      WSABUF buffer{static_cast<ULONG>(size), reinterpret_cast<char*>(flight->memory.get())};
      if (sys::wsa_send(slot.descriptor, &buffer, 0, flight) != 0 && sys::last_error() != WSA_IO_PENDING)
        error = system_error(sys::last_error(), "write");
    }
    if (error) return sends_failed(slot, flights_.cancelled(*flight, std::move(error)));
    slot.sending = true;
  }

  void send_landed(Slot& slot, int code, std::size_t bytes) {
    slot.sending = false;
    Send* send = first_send(slot);
    if (send == nullptr) return;
    if (went(slot, *send, bytes)) {
      leave_sends(slot, *send);
      complete(*send);
    } else if (send->cancel_requested) {
      abandon_send(slot, *send, static_cast<Errc>(send->progress));
    } else if (code != 0 && code != WSA_OPERATION_ABORTED) {
      return sends_failed(slot, system_error(code, "write"));
    }
    writable(slot);
  }

  void writable(Slot& slot) {
    while (Send* send = first_send(slot)) {
      Error error;
      const Went result = try_send(slot, *send, error);
      if (result == Went::part) return launch_send(slot);
      if (result == Went::wrong) return sends_failed(slot, error);
      leave_sends(slot, *send);
      complete(*send);
    }
  }

  // ---- connections

  Submitted start_accept(Slot& slot, Accept& accept) {
    wait_here(slot, accept);
    if (slot.waiting != &accept || !try_accept(slot, accept)) return Submitted::pending;
    leave(slot, accept);
    return accept.error ? refuse(accept, std::move(accept.error)) : done(accept);
  }

  // The client who came while nobody waited, or who waits in the system's queue; else AcceptEx is to bring the next.
  bool try_accept(Slot& slot, Accept& accept) {
    Client client;
    if (unclaimed_.take(SlotTable::id(slot), client)) return give(accept, client), true;
    if (slot.armed) return false;
    switch (const int code = take_from_queue(slot.descriptor, client)) {
      case 0: give(accept, client); return true;
      case WSAEWOULDBLOCK: accept.error = flights_.launch_accept(slot); break;
      default: accept.error = system_error(code, "accept");
    }
    return static_cast<bool>(accept.error);
  }

  static void give(Accept& accept, Client& client) noexcept {
    accept.accepted = client.socket;
    accept.from = std::move(client.from);
  }

  void accept_landed(Slot& slot, Flight& flight, int code) {
    slot.armed = false;
    if (code == 0) {
      Client client = client_of(slot.descriptor, flight);
      if (code = set_up(client.socket); code != 0) {
        sys::close(client.socket);
      } else if (slot.waiting == nullptr) {
        return unclaimed_.add(SlotTable::id(slot), std::move(client));  // who waited was cancelled
      } else {
        auto& accept = static_cast<Accept&>(*slot.waiting);
        give(accept, client);
        leave(slot, accept);
        complete(accept);
      }
    }
    if (code != 0 && !os::accept_again(code) && code != WSA_OPERATION_ABORTED && slot.waiting != nullptr) {
      auto& accept = static_cast<Accept&>(*slot.waiting);
      leave(slot, accept);
      refuse(accept, system_error(code, "accept"));
    }
    // The others, and who has only met a client that left again.
    while (slot.waiting != nullptr && !slot.armed) {
      auto& accept = static_cast<Accept&>(*slot.waiting);
      if (!try_accept(slot, accept)) break;
      leave(slot, accept);
      complete(accept);
    }
  }

  // Windows does not tell how many wait to be accepted, so they are taken in to be counted.
  std::int64_t count_clients(const Slot& slot) {
    constexpr std::int64_t enough = 1000;
    while (collect(0) == events_a_wait) {}  // one may have come while nobody waited
    std::int64_t count = unclaimed_.count(SlotTable::id(slot));
    for (Client client; count < enough && take_from_queue(slot.descriptor, client) == 0; ++count)
      unclaimed_.add(SlotTable::id(slot), std::move(client));
    return count;
  }

  [[nodiscard]] Result<SocketInfo> info(SlotId id) const override {
    const Slot* slot = slots_.find(id);
    if (slot == nullptr) return Errc::closed;
    SocketInfo info;
    if (slot->role == Role::listener) {
      info.receive_queue = const_cast<Iocp&>(*this).count_clients(*slot);
    } else if (const Result<os::QueueLengths> queues = os::queue_lengths(slot->descriptor)) {
      info.receive_queue = queues->unread;
    }
    return info;
  }

  Submitted start_connect(Slot& slot, Connect& connect) {
    if (slot.connected || slot.waiting != nullptr || slot.sending) return refuse(connect, Errc::busy);
    if (connect.target.family() == Family::local) return connect_now(slot, connect);
    const os::NativeAddress to(connect.target);
    if (to.size == 0) return refuse(connect, Error(Errc::invalid_argument, "connect to", connect.target));
    if (Error error = bind_somewhere(slot.descriptor, connect.target)) return refuse(connect, std::move(error));
    Flight* flight = flights_.prepare(SlotTable::id(slot), Flight::Kind::connect);
    if (flight == nullptr) return refuse(connect, Errc::out_of_memory);
    if (Error error = flights_.join_port(slot)) return refuse(connect, flights_.cancelled(*flight, std::move(error)));
    if (sys::connect_ex(connect_ex_, slot.descriptor, to.data(), to.size, flight) == 0 &&
        sys::last_error() != WSA_IO_PENDING)
      return refuse(connect,
                    flights_.cancelled(*flight, system_error(sys::last_error(), "connect to", connect.target)));
    slot.sending = true;
    return wait_here(slot, connect);
  }

  // ConnectEx does not take Unix-domain sockets, whose connect never waits for a network.
  Submitted connect_now(Slot& slot, Connect& connect) {
    const os::NativeAddress to(connect.target);
    if (sys::connect(slot.descriptor, to.data(), to.size) != 0)
      return refuse(connect, system_error(sys::last_error(), "connect to", connect.target));
    slot.connected = true;
    return done(connect);
  }

  void connect_landed(Slot& slot, int code) {
    slot.sending = false;
    if (slot.waiting == nullptr) return;  // cancelled
    auto& connect = static_cast<Connect&>(*slot.waiting);
    leave(slot, connect);
    if (code == 0) {
      sys::setsockopt(slot.descriptor, SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, nullptr, 0);
      connect.error = os::connect_result(slot.descriptor, connect.target);
    } else {
      connect.error = system_error(code, "connect to", connect.target);
    }
    slot.connected = !connect.error;
    complete(connect);
  }

  // ---- datagrams

  Submitted start_receive_from(Slot& slot, ReceiveFrom& receive) {
    for (Operation* at = slot.waiting; at != nullptr; at = static_cast<Operation*>(at->next))
      if (at->kind == Operation::Kind::receive_from) return refuse(receive, Errc::busy);
    wait_here(slot, receive);
    if (slot.armed || !try_receive_from(slot, receive)) return Submitted::pending;
    leave(slot, receive);
    return receive.error ? refuse(receive, std::move(receive.error)) : done(receive);
  }

  bool try_receive_from(Slot& slot, ReceiveFrom& receive) {
    receive.chunk = Chunk();
    if (scratch_ == nullptr) scratch_.reset(new (std::nothrow) std::byte[longest_datagram]);
    if (scratch_ == nullptr) return receive.error = Errc::out_of_memory, true;
    os::NativeAddress from;
    std::ptrdiff_t count = sys::recvfrom(slot.descriptor, scratch_.get(), longest_datagram, 0, from.data(), &from.size);
    receive.truncated = count < 0 && sys::last_error() == WSAEMSGSIZE;
    if (receive.truncated) count = longest_datagram;
    if (count < 0 && sys::last_error() == WSAEWOULDBLOCK) {
      receive.error = flights_.launch_receive_from(slot);
      return static_cast<bool>(receive.error);
    }
    if (count < 0) return receive.error = system_error(sys::last_error(), "receive"), true;
    receive.from = from.address();
    Result<Chunk> chunk = kernel::copied(pool_, {scratch_.get(), static_cast<std::size_t>(count)});
    if (!chunk) return receive.error = chunk.error(), true;
    count_received(slot, static_cast<std::size_t>(count));
    receive.chunk = std::move(*chunk);
    return true;
  }

  void receive_from_landed(Slot& slot) {
    slot.armed = false;
    for (Operation* at = slot.waiting; at != nullptr; at = static_cast<Operation*>(at->next)) {
      if (at->kind != Operation::Kind::receive_from) continue;
      if (!try_receive_from(slot, static_cast<ReceiveFrom&>(*at))) return;
      leave(slot, *at);
      return complete(*at);
    }
  }

  Submitted start_send_to(Slot& slot, SendTo& send) {
    const os::NativeAddress to(send.target);
    if (to.size == 0) return refuse(send, Error(Errc::invalid_argument, "send to", send.target));
    if (sys::sendto(slot.descriptor, send.bytes.data(), send.bytes.size(), 0, to.data(), to.size) >= 0) {
      count_sent(slot, send.bytes.size());
      return done(send);
    }
    const int code = sys::last_error();
    if (code != WSAEWOULDBLOCK) return refuse(send, system_error(code, "send to", send.target));
    if (Error error = flights_.launch_send_to(slot, send)) return refuse(send, std::move(error));
    return wait_here(slot, send);
  }

  void send_to_landed(Slot& slot, const Flight& flight, int code) {
    for (Operation* at = slot.waiting; at != nullptr; at = static_cast<Operation*>(at->next)) {
      if (at != flight.operation) continue;
      auto& send = static_cast<SendTo&>(*at);
      if (code != 0) send.error = system_error(code, "send to", send.target);
      else count_sent(slot, send.bytes.size());
      leave(slot, send);
      return complete(send);
    }
  }

  // ---- descriptors of others

  Submitted start_ready(Slot& slot, Readiness& readiness) {
    wait_here(slot, readiness);
    const Result<Interest> ready = watches_.watch(slot, {.read = !readiness.for_write, .write = readiness.for_write});
    if (!ready) {
      leave(slot, readiness);
      return refuse(readiness, ready.error());
    }
    if (ready->any()) is_ready(slot, *ready);
    return Submitted::pending;
  }

  // Who waits for that goes on, and the others wait again.
  void is_ready(Slot& slot, Interest ready) {
    Interest rest;
    for (Operation* at = slot.waiting; at != nullptr;) {
      auto& readiness = static_cast<Readiness&>(*at);
      at = static_cast<Operation*>(at->next);
      if (readiness.for_write ? ready.write : ready.read) {
        leave(slot, readiness);
        complete(readiness);
      } else {
        (readiness.for_write ? rest.write : rest.read) = true;
      }
    }
    if (!rest.any()) return;
    const Result<Interest> now = watches_.watch(slot, rest);
    if (now && !now->any()) return;
    while (slot.waiting != nullptr) {  // ready meanwhile, or it fails: the call that follows tells
      auto& readiness = static_cast<Readiness&>(*slot.waiting);
      leave(slot, readiness);
      complete(readiness);
    }
  }

  // ---- ends

  void stop(Slot& slot, Operation& operation, Errc reason) {
    if (operation.kind == Operation::Kind::send || operation.kind == Operation::Kind::finish) {
      // What is in the air tells how much of it had left. Whatever else waits on this socket begins anew.
      MEARI_ASSERT(slot.sending && static_cast<unsigned>(reason) <= std::numeric_limits<std::uint8_t>::max());
      operation.progress = static_cast<std::uint8_t>(reason);
      sys::cancel_io(slot.descriptor);
      return;
    }
    if (operation.kind == Operation::Kind::connect) sys::cancel_io(slot.descriptor);
    leave(slot, operation);
    refuse(operation, reason);
    if (slot.role == Role::foreign && slot.waiting == nullptr) watches_.stop(SlotTable::id(slot));
  }

  void shut(Slot& slot) {
    everybody_leaves(slot);
    if (slot.role == Role::listener) unclaimed_.turn_away(SlotTable::id(slot));
    if (slot.role == Role::foreign) watches_.stop(SlotTable::id(slot));
    else close_socket(slot);
    forget(slot);
  }

  // What is in the air lands as a failure. Closing alone would see to that, but the server of wine loses its memory over a
  // send that is under way then, and with it go all programs that it serves.
  static void close_socket(Slot& slot) {
    if (slot.sending || slot.armed) sys::cancel_io(slot.descriptor);
    kernel::close(slot);
  }

  Result<Descriptor> release(SlotId id) override {
    Slot* slot = slots_.find(id);
    if (slot == nullptr || slot->closing) return Errc::closed;
    if (slot->waiting != nullptr || slot->last_send != nullptr || slot->last_unread != nullptr || slot->sending)
      return Errc::busy;
    MEARI_ASSERT(!slot->policy.timer.is_set());
    const Descriptor descriptor = slot->descriptor;
    if (slot->role == Role::foreign) {
      watches_.stop(id);
      forget(*slot);
      return descriptor;
    }
    if (slot->armed) {
      sys::cancel_io(descriptor);
      collect(0);
    }
    if (unclaimed_.count(id) != 0) return Errc::busy;  // accepted already: it cannot go back into the system's queue
    if (Result<> set = os::set_non_blocking(descriptor, false); !set) return set.error();
    if (slot->registered) flights_.leave_port(descriptor);
    forget(*slot);
    return descriptor;
  }

  // ---- waiting

  Time wait(Time until) override {
    pool_.belongs_to_this_thread();
    feed_starved();
    collect(is_lost() && ready_.empty() && until != never ? 1 : ready_.empty() ? milliseconds_until(until) : 0);
    begin_turn(kernel::now());
    feed_starved();
    return turn_time_;
  }

  void wake() noexcept override {
    if (awake_.exchange(true, std::memory_order_acq_rel)) return;
    if (sys::port_post(flights_.port()) == 0) awake_.store(false, std::memory_order_release);
  }

 private:
  // Takes what has landed, and waits for so long when nothing has. Returns how many packets there were.
  ULONG collect(DWORD milliseconds) {
    std::array<OVERLAPPED_ENTRY, events_a_wait> entries;
    ULONG count = 0;
    if (sys::port_wait(flights_.port(), entries.data(), events_a_wait, &count, milliseconds) == 0) {
      const auto code = static_cast<int>(::GetLastError());
      if (code != WAIT_TIMEOUT && !is_lost()) lose(system_error(code, "wait for events"));
      return 0;
    }
    begin_turn(kernel::now());
    for (ULONG i = 0; i < count; ++i) {
      if (entries[i].lpOverlapped != nullptr) landed(*static_cast<Flight*>(entries[i].lpOverlapped));
      else awake_.exchange(false, std::memory_order_acq_rel);  // who found it set has posted before: that is seen now
    }
    return count;
  }

  void landed(Flight& flight) {
    flights_.came_back();
    Slot* slot = slots_.find(flight.slot);
    if (slot == nullptr) return flights_.land(flight);  // of a slot that has been closed since
    if (flight.kind == Flight::Kind::ready) {
      if (const Interest ready = watches_.landed(flight); slot->waiting != nullptr) is_ready(*slot, ready);
      return flights_.land(flight);
    }
    const int code = outcome_of(slot->descriptor, flight);
    switch (flight.kind) {
      case Flight::Kind::receive: receive_landed(*slot, code); break;
      case Flight::Kind::receive_from: receive_from_landed(*slot); break;
      case Flight::Kind::accept: accept_landed(*slot, flight, code); break;
      case Flight::Kind::connect: connect_landed(*slot, code); break;
      case Flight::Kind::send: send_landed(*slot, code, flight.InternalHigh); break;
      case Flight::Kind::send_to: send_to_landed(*slot, flight, code); break;
      case Flight::Kind::ready: break;
    }
    flights_.land(flight);
  }

  Flights flights_;
  Watches watches_{flights_};
  LPFN_CONNECTEX connect_ex_ = nullptr;
  std::atomic<bool> awake_{false};
  Unclaimed unclaimed_;
  std::unique_ptr<std::byte[]> scratch_;
};

}  // namespace

Result<std::unique_ptr<Backend>> make_iocp(std::size_t pool_bytes) {
  auto iocp = std::make_unique<Iocp>(pool_bytes);
  if (Result<> started = iocp->start(); !started) return started.error();
  return std::unique_ptr<Backend>(std::move(iocp));
}

}  // namespace v1
}  // namespace meari
