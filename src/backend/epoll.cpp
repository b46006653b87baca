// epoll: the kernel says when something is worth a try, and then we try.
//
// Edge-triggered. A receive calls recv() at once while the slot is marked readable; a short answer or EAGAIN takes
// the mark away, and the next edge brings it back. A send is tried at once as well; only what the kernel does not
// take waits, and only then does epoll watch for room. A descriptor that never had to wait never meets epoll.
//
// All that epoll tells is taken in at once, but who has much to receive stands in line, and a turn takes as much from there
// as fits into a cache: Slotted::line_up().
#include "src/backend/epoll.hpp"

#include <algorithm>
#include <array>
#include <atomic>

#include "src/backend/alarm.hpp"
#include "src/backend/kernel.hpp"
#include "src/os/system.hpp"

namespace meari {
inline namespace v1 {
namespace {

constexpr int events_a_wait = 256;
constexpr std::uint32_t incoming = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET;
constexpr std::size_t most_small = 2 << 10;  // bytes of one receive: more than that is much
constexpr std::uint64_t wake_tag = 0;        // no slot has generation 0
constexpr std::uint64_t alarm_tag = 1;

class Epoll final : public Kernel<Epoll> {
 public:
  static constexpr os::Blocking blocking = os::Blocking::no;

  explicit Epoll(std::size_t pool_bytes) noexcept : Kernel(pool_bytes) { begin_turn(kernel::now()); }

  ~Epoll() override {
    for (std::uint32_t place = 0; place < slots_.size(); ++place) {
      Slot& slot = slots_.at(place);
      if (slot.in_use) shut(slot);
    }
    if (wake_ >= 0) sys::close(wake_);
    if (epoll_ >= 0) sys::close(epoll_);
  }

  Result<> start() {
    epoll_ = sys::epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) return system_error(sys::last_error(), "epoll_create1");
    wake_ = sys::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_ < 0) return system_error(sys::last_error(), "eventfd");
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.u64 = wake_tag;
    if (sys::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0) return system_error(sys::last_error(), "epoll_ctl");
    alarm_.open(false);
    event.data.u64 = alarm_tag;
    if (sys::epoll_ctl(epoll_, EPOLL_CTL_ADD, alarm_.descriptor(), &event) != 0) alarm_.close();
    return {};
  }

  [[nodiscard]] std::string_view name() const noexcept override { return "epoll"; }

  // ---- receiving

  [[gnu::always_inline]] Submitted start_receive(Slot& slot, Receive& receive) {
    slot.waiting = &receive;
    if (slot.readable || !slot.registered || somebody_starves()) [[unlikely]]
      return look_first(slot, receive);
    return Submitted::pending;
  }
  [[gnu::noinline]] Submitted look_first(Slot& slot, Receive& receive) {
    if (somebody_starves() && pool_.scarce()) {
      starve(slot);  // behind those who have waited longer
    } else if (!slot.readable) {
      watch(slot);
    } else if (try_receive(slot, receive)) {
      slot.waiting = nullptr;
      ready_.charge(receive.chunk.size());
      return receive.error ? refuse(receive, std::move(receive.error)) : done(receive);
    }
    return Submitted::pending;
  }

  bool feed(Slot& slot) {
    if (Receive* receive = receiver(slot)) receive_for(slot, *receive);
    return !slot.starved;
  }
  // Who waits goes on, if there is something. Says whether there was.
  bool receive_for(Slot& slot, Receive& receive) {
    if (!try_receive(slot, receive)) return false;
    slot.waiting = nullptr;
    complete(receive);
    return true;
  }

  // recv(), once. True: the receive has its outcome. False: it waits, for an edge or for memory.
  bool try_receive(Slot& slot, Receive& receive) {
    const Came came = receive_now(slot, receive);
    if (came == Came::all) slot.readable = may_stop_short(slot) || !slot.registered;
    return came != Came::nothing;
  }

  // Less than there was room for is all that was there, but not where the end of the stream waits behind it, nor where something
  // stands between bytes: TCP's urgent data, or descriptors that a Unix-domain socket passes.
  static bool may_stop_short(const Slot& slot) noexcept { return slot.hung_up | slot.local; }

  // What recv(2) brought: nothing, and the receive waits; all that was there; or its outcome, and there may be more.
  enum class Came : std::uint8_t { nothing, all, some };

  [[gnu::always_inline]] Came receive_now(Slot& slot, Receive& receive) {
    const std::span<std::byte> room = pool_.room(least_room);
    if (room.empty()) [[unlikely]]
      return no_room(slot, receive);
    const std::size_t wanted = std::min(room.size(), receive.limit);
    std::ptrdiff_t count = sys::recv(slot.descriptor, room.data(), wanted, MSG_NOSIGNAL);
    while (count <= 0) [[unlikely]] {
      if (count == 0 || sys::last_error() != EINTR) return received_nothing(slot, receive, count);
      count = sys::recv(slot.descriptor, room.data(), wanted, MSG_NOSIGNAL);
    }
    count_received(slot, static_cast<std::size_t>(count));
    brought_ += static_cast<std::size_t>(count);
    if (static_cast<std::size_t>(count) > most_small) [[unlikely]]
      slot.bulk = true;
    receive.chunk = pool_.commit(room, static_cast<std::size_t>(count));
    return static_cast<std::size_t>(count) < wanted ? Came::all : Came::some;
  }

  [[gnu::noinline]] Came no_room(Slot& slot, Receive& receive) {
    if (!pool_.used_up()) {  // the system has no memory, and what others give back may never come
      receive.error = Errc::out_of_memory;
      return Came::some;
    }
    slot.readable = true;
    starve(slot);
    return Came::nothing;
  }

  [[gnu::noinline]] Came received_nothing(Slot& slot, Receive& receive, std::ptrdiff_t count) {
    if (count == 0) {
      end_came(slot);
    } else if (const int code = sys::last_error(); code == EAGAIN || code == EWOULDBLOCK) {
      slot.readable = false;
      watch(slot);
      return Came::nothing;
    } else {
      failure_came(slot, system_error(code, "read"));
    }
    receive.error = slot.failure;
    return Came::some;
  }

  // ---- sending

  [[gnu::always_inline]] Submitted start_send(Slot& slot, Send& send) {
    if (send.count != 0 || send.kind == Operation::Kind::finish) [[unlikely]]
      return start_other_send(slot, send);
    const std::ptrdiff_t count = send_chunk(slot, send);
    if (static_cast<std::size_t>(count) != send.chunk.size()) [[unlikely]]
      return sent_in_part(slot, send, count);
    if (count > static_cast<std::ptrdiff_t>(least_room) && !send.chunk.on_loan()) [[unlikely]]
      ready_.charge(send.chunk.size());  // else receiving it was charged
    went_whole(slot, send);
    return done(send);
  }
  [[gnu::noinline]] Submitted start_other_send(Slot& slot, Send& send) {
    Error error;
    const Went result = try_send(slot, send, error);
    ready_.charge(send.sent);
    return started(slot, send, result, std::move(error));
  }
  [[gnu::noinline]] Submitted sent_in_part(Slot& slot, Send& send, std::ptrdiff_t count) {
    Error error;
    Went result = took(slot, send, count, error);
    if (result == Went::some) result = try_send(slot, send, error);
    return started(slot, send, result, std::move(error));
  }
  Submitted started(Slot& slot, Send& send, Went result, Error error) {
    if (result == Went::all) return done(send);
    if (result == Went::wrong) {
      slot.send_failure = error.code();
      return refuse(send, std::move(error));
    }
    wait_to_send(slot, send);
    watch_out(slot);
    return Submitted::pending;
  }

  // Sends until all has gone, or the kernel takes no more.
  Went try_send(Slot& slot, Send& send, Error& error) {
    if (send.kind == Operation::Kind::finish) return try_finish(slot, error);
    Went result = Went::some;
    while (result == Went::some) result = took(slot, send, send_some(slot, send), error);
    return result;
  }
  std::ptrdiff_t send_some(Slot& slot, const Send& send) {
    return send.count == 0 ? send_chunk(slot, send) : send_pieces(slot, send);
  }
  static std::ptrdiff_t send_chunk(const Slot& slot, const Send& send) {
    return sys::send(slot.descriptor, send.chunk.data(), send.chunk.size(), MSG_NOSIGNAL);
  }
  std::ptrdiff_t send_pieces(Slot& slot, const Send& send) {
    std::array<std::span<const std::byte>, pieces_a_call> pieces;
    const std::size_t count = pieces_left(send, pieces.data(), pieces.size());
    std::array<iovec, pieces_a_call> vectors;
    for (std::size_t i = 0; i < count; ++i) vectors[i] = {const_cast<std::byte*>(pieces[i].data()), pieces[i].size()};
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    return sys::sendmsg(slot.descriptor, &message, MSG_NOSIGNAL);
  }

  static Went try_finish(Slot& slot, Error& error) {
    if (sys::shutdown(slot.descriptor, SHUT_WR) != 0) {
      error = system_error(sys::last_error(), "finish");
      return Went::wrong;
    }
    slot.finished = true;
    return Went::all;
  }

  void writable(Slot& slot) {
    while (Send* send = first_send(slot)) {
      Error error;
      const Went result = try_send(slot, *send, error);
      if (result == Went::part) return;
      if (result == Went::wrong) {
        sends_failed(slot, error);
        return;
      }
      leave_sends(slot, *send);
      complete(*send);
    }
  }

  // ---- connections

  Submitted start_accept(Slot& slot, Accept& accept) {
    wait_here(slot, accept);
    if (!slot.readable) {
      watch(slot);
    } else if (slot.waiting == &accept && try_accept(slot, accept)) {
      leave(slot, accept);
      return accept.error ? refuse(accept, std::move(accept.error)) : done(accept);
    }
    return Submitted::pending;
  }

  bool try_accept(Slot& slot, Accept& accept) {
    if (kernel::try_accept(slot.descriptor, SOCK_NONBLOCK, accept)) return true;
    slot.readable = false;
    watch(slot);
    return false;
  }

  Submitted start_connect(Slot& slot, Connect& connect) {
    if (slot.connected || slot.waiting != nullptr) return refuse(connect, Errc::busy);
    const os::NativeAddress to(connect.target);
    const int result = sys::connect(slot.descriptor, to.data(), to.size);
    // EINTR: the handshake goes on without us, as with EINPROGRESS (POSIX).
    if (result != 0 && sys::last_error() != EINPROGRESS && sys::last_error() != EINTR)
      return refuse(connect, system_error(sys::last_error(), "connect to", connect.target));
    if (result == 0) {
      if (Error error = os::connect_result(slot.descriptor, connect.target)) return refuse(connect, std::move(error));
      slot.connected = true;
      return done(connect);
    }
    wait_here(slot, connect);
    watch_out(slot);
    return Submitted::pending;
  }

  void connect_ended(Slot& slot, Connect& connect) {
    slot.waiting = nullptr;
    connect.error = os::connect_result(slot.descriptor, connect.target);
    slot.connected = !connect.error;
    complete(connect);
  }

  // ---- datagrams

  Submitted start_receive_from(Slot& slot, ReceiveFrom& receive) {
    for (Operation* at = slot.waiting; at != nullptr; at = static_cast<Operation*>(at->next))
      if (at->kind == Operation::Kind::receive_from) return refuse(receive, Errc::busy);
    wait_here(slot, receive);
    if (!slot.readable) {
      watch(slot);
    } else if (try_receive_from(slot, receive)) {
      leave(slot, receive);
      return receive.error ? refuse(receive, std::move(receive.error)) : done(receive);
    }
    return Submitted::pending;
  }

  bool try_receive_from(Slot& slot, ReceiveFrom& receive) {
    if (datagrams_.try_receive_from(slot.descriptor, pool_, receive)) {
      if (!receive.error) count_received(slot, receive.chunk.size());
      return true;
    }
    slot.readable = false;
    watch(slot);
    return false;
  }

  Submitted start_send_to(Slot& slot, SendTo& send) {
    if (!try_send_to(slot, send)) {
      wait_here(slot, send);
      watch_out(slot);
      return Submitted::pending;
    }
    return send.error ? refuse(send, std::move(send.error)) : done(send);
  }

  bool try_send_to(Slot& slot, SendTo& send) {
    if (!kernel::try_send_to(slot.descriptor, send)) return false;
    if (!send.error) count_sent(slot, send.bytes.size());
    return true;
  }

  // ---- descriptors of others

  Submitted start_ready(Slot& slot, Readiness& readiness) {
    wait_here(slot, readiness);
    if (Error error = rearm_foreign(slot)) {
      leave(slot, readiness);
      return refuse(readiness, std::move(error));
    }
    return Submitted::pending;
  }

  Error rearm_foreign(Slot& slot) {
    epoll_event event{};
    for (Operation* at = slot.waiting; at != nullptr; at = static_cast<Operation*>(at->next))
      event.events |= static_cast<Readiness*>(at)->for_write ? EPOLLOUT : EPOLLIN | EPOLLRDHUP;
    event.events |= EPOLLONESHOT;
    event.data.u64 = tag(slot);
    const int action = slot.registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (sys::epoll_ctl(epoll_, action, slot.descriptor, &event) != 0) {
      const int code = sys::last_error();
      if (code == EPERM) return Errc::not_supported;  // a file: always ready, epoll refuses it
      return system_error(code, "watch a descriptor");
    }
    slot.registered = true;
    return {};
  }

  void foreign_is_ready(Slot& slot, std::uint32_t events) {
    const bool both = (events & (EPOLLERR | EPOLLHUP)) != 0;
    for (Operation* at = slot.waiting; at != nullptr;) {
      auto* next = static_cast<Operation*>(at->next);
      const std::uint32_t wanted = static_cast<Readiness*>(at)->for_write ? EPOLLOUT : EPOLLIN | EPOLLRDHUP;
      if (both || (events & wanted) != 0) {
        leave(slot, *at);
        complete(*at);
      }
      at = next;
    }
    if (slot.waiting == nullptr) return;
    if (Error error = rearm_foreign(slot)) {
      while (Operation* waiting = slot.waiting) {
        leave(slot, *waiting);
        refuse(*waiting, error);
      }
    }
  }

  // ---- ends

  void stop(Slot& slot, Operation& operation, Errc reason) {
    if (operation.kind == Operation::Kind::send || operation.kind == Operation::Kind::finish) {
      abandon_send(slot, static_cast<Send&>(operation), reason);
      if (first_send(slot) != nullptr) writable(slot);
      return;
    }
    leave(slot, operation);
    refuse(operation, reason);
  }

  void shut(Slot& slot) {
    everybody_leaves(slot);
    // epoll watches what is behind the descriptor, and forgets it with the last copy. Of what was opened or accepted here there is
    // none, but in a child for as long as it takes to become another program; until then nobody hears what comes for it.
    if (slot.registered && (slot.adopted || slot.role == Role::foreign))
      sys::epoll_ctl(epoll_, EPOLL_CTL_DEL, slot.descriptor, nullptr);
    if (slot.role != Role::foreign) kernel::close(slot);
    forget(slot);
  }

  Result<Descriptor> release(SlotId id) override {
    Slot* slot = slots_.find(id);
    if (slot == nullptr || slot->closing) return Errc::closed;
    if (slot->waiting != nullptr || slot->last_send != nullptr || slot->last_unread != nullptr) return Errc::busy;
    MEARI_ASSERT(!slot->policy.timer.is_set());
    const Descriptor descriptor = slot->descriptor;
    if (slot->registered) sys::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
    if (slot->role != Role::foreign) {
      if (Result<> set = os::set_non_blocking(descriptor, false); !set) return set.error();
    }
    forget(*slot);
    return descriptor;
  }

  // ---- waiting

  Time wait(Time until) override {
    pool_.belongs_to_this_thread();
    if (is_lost()) {
      kernel::wait_for_wake(wake_, awake_, ready_.empty() ? until : Time::min());
      begin_turn(kernel::now());
      return turn_time_;
    }
    if (somebody_starves()) feed_starved();
    if (unwatched_) fail_unwatched();
    const int count = wants_news() ? wait_for(until) : 0;
    begin_turn(kernel::now());
    for (const epoll_event *event = events_.data(), *end = event + count; event != end; ++event) happened(*event);
    if (somebody_is_in_line()) serve_line();
    if (somebody_starves()) feed_starved();
    return turn_time_;
  }

  void wake() noexcept override { kernel::wake(wake_, awake_); }

 private:
  static std::uint64_t tag(const Slot& slot) noexcept { return (std::uint64_t{slot.generation} << 32) | slot.place; }

  int wait_for(Time until) {
    timespec time{};
    const timespec* limit = &time;
    if (!ready_.empty() || somebody_is_in_line()) {
      // poll: what is ready already must not wait
    } else if (until == never || alarm_.covers(until, turn_time_)) {
      limit = nullptr;
    } else if (const Time present = kernel::now(); until > present) {  // Time::min() has no distance
      const Duration left = until - present;
      time.tv_sec = static_cast<time_t>(left / std::chrono::seconds(1));
      time.tv_nsec = static_cast<long>((left % std::chrono::seconds(1)).count());
    }
    int count = sys::epoll_pwait2(epoll_, events_.data(), events_a_wait, limit);
    if (count < 0 &&
        (sys::last_error() == ENOSYS || sys::last_error() == EPERM)) {  // filters may know the older one only
      const int milliseconds =
          limit == nullptr
              ? -1
              : static_cast<int>(std::min<long long>(time.tv_sec, 86400) * 1000 + (time.tv_nsec + 999'999) / 1'000'000);
      count = sys::epoll_wait(epoll_, events_.data(), events_a_wait, milliseconds);
    }
    if (count >= 0) return count;
    // EINTR: the loop looks around and comes again. With anything else it would do nothing but come again.
    if (const int code = sys::last_error(); code != EINTR) lose(system_error(code, "wait for events"));
    return 0;
  }

  [[gnu::always_inline]] void happened(const epoll_event& event) {
    Slot* slot =
        slots_.find({static_cast<std::uint32_t>(event.data.u64), static_cast<std::uint32_t>(event.data.u64 >> 32)});
    if (slot == nullptr) [[unlikely]]
      return happened_elsewhere(event);
    // Room to send is told along with bytes, once somebody had to wait for it.
    const std::uint32_t events = slot->last_send == nullptr ? event.events & ~EPOLLOUT : event.events;
    if (events != EPOLLIN || slot->waiting == nullptr || slot->waiting->kind != Operation::Kind::receive ||
        slot->starved || brought_ >= most_brought || somebody_is_in_line()) [[unlikely]]
      return happened_otherwise(*slot, event.events);
    // Bytes for somebody who waits for them. That nothing was readable is known: else nobody would wait.
    auto& receive = static_cast<Receive&>(*slot->waiting);
    const Came came = receive_now(*slot, receive);
    if (came == Came::nothing) [[unlikely]]
      return;
    slot->waiting = nullptr;
    if (came != Came::all || may_stop_short(*slot)) [[unlikely]]
      slot->readable = true;
    complete(receive);
  }

  // One of them in any case, whatever the others have brought.
  [[gnu::noinline]] void serve_line() {
    const std::size_t before = brought_;
    do {
      Slot* slot = next_in_line();
      if (slot == nullptr) return;
      if (Receive* receive = receiver(*slot); receive != nullptr && receive_for(*slot, *receive))
        slot->bulk = receive->chunk.size() > most_small;
    } while (brought_ - before < most_brought);
  }

  [[gnu::noinline]] void happened_elsewhere(const epoll_event& event) {
    if (event.data.u64 == wake_tag) kernel::woken(wake_, awake_);
    if (event.data.u64 == alarm_tag) alarm_.rang();
    // Else it is of a slot that has been closed since.
  }

  [[gnu::noinline]] void happened_otherwise(Slot& slot, std::uint32_t events) {
    if (slot.role == Role::foreign) return foreign_is_ready(slot, events);
    if ((events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
      slot.readable = true;
      slot.hung_up = slot.hung_up || (events & (EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    }
    if (Receive* receive = receiver(slot)) {
      if (slot.readable && !slot.starved && !slot.in_line) {
        if (others_come_first(slot)) line_up(slot);
        else receive_for(slot, *receive);
      }
    } else if (slot.waiting != nullptr) {
      answer_waiting(slot, events);
    }
    if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) writable(slot);
  }

  void answer_waiting(Slot& slot, std::uint32_t events) {
    const bool out = (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
    for (Operation* at = slot.waiting; at != nullptr;) {
      auto* next = static_cast<Operation*>(at->next);
      bool over = false;
      switch (at->kind) {
        case Operation::Kind::accept: over = slot.readable && try_accept(slot, static_cast<Accept&>(*at)); break;
        case Operation::Kind::receive_from:
          over = slot.readable && try_receive_from(slot, static_cast<ReceiveFrom&>(*at));
          break;
        case Operation::Kind::send_to: over = out && try_send_to(slot, static_cast<SendTo&>(*at)); break;
        case Operation::Kind::connect:
          if (out) connect_ended(slot, static_cast<Connect&>(*at));
          return;
        default: break;
      }
      if (over) {
        leave(slot, *at);
        complete(*at);
      }
      at = next;
    }
  }

  // The next edge is to be told.
  void watch(Slot& slot) {
    if (!slot.registered) register_events(slot, EPOLL_CTL_ADD, incoming);
  }
  void watch_out(Slot& slot) {
    if (slot.watches_out) return;
    slot.watches_out = true;
    register_events(slot, slot.registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, incoming | EPOLLOUT);
  }
  void register_events(Slot& slot, int action, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = tag(slot);
    if (sys::epoll_ctl(epoll_, action, slot.descriptor, &event) == 0) {
      slot.registered = true;
      return;
    }
    unwatched_ = system_error(sys::last_error(), "epoll_ctl");
    slot.unwatched = true;
  }

  // epoll had no memory for some: nobody would ever wake who waits there. Rare enough to look at every slot.
  void fail_unwatched() {
    const Error error = std::exchange(unwatched_, Error());
    for (std::uint32_t place = 0; place < slots_.size(); ++place) {
      Slot& slot = slots_.at(place);
      if (!slot.in_use || !slot.unwatched) continue;
      slot.unwatched = false;
      failure_came(slot, error);
      while (Operation* waiting = slot.waiting) {
        leave(slot, *waiting);
        refuse(*waiting, error);
      }
      sends_failed(slot, error);
    }
  }

  int epoll_ = -1;
  int wake_ = -1;
  kernel::Alarm alarm_;
  Error unwatched_;
  std::array<epoll_event, events_a_wait> events_;
  std::atomic<bool> awake_{false};
  kernel::DatagramReceiver datagrams_;
};

}  // namespace

Result<std::unique_ptr<Backend>> make_epoll(std::size_t pool_bytes) {
  auto epoll = std::make_unique<Epoll>(pool_bytes);
  if (Result<> started = epoll->start(); !started) return started.error();
  return std::unique_ptr<Backend>(std::move(epoll));
}

}  // namespace v1
}  // namespace meari
