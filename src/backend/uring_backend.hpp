// Uring: the backend over io_uring(7). Operations go into a queue that the waiting system call hands over, all at once.
//
//   submit()   an entry in the submission queue; no system call
//   wait()     one enter(): the kernel takes the entries, does what it can, waits; then every completion passes take(),
//              and the slots that were touched are settled, so that pieces that came one after the other are joined
//
// Descriptors are in blocking mode: the calls made here directly say MSG_DONTWAIT, and an operation in the ring would
// fail with EAGAIN where it should wait. Listeners are the exception: accept4(2) knows no such flag, so they are polled
// through the ring and asked directly. That keeps an accept out of the kernel: nothing can be lost by a cancel.
//
// What is in the kernel for a slot is counted in `in_kernel`; the descriptor is closed when that is 0, not before.
//
//   uring.cpp              making, turning, and what becomes of a message
//   uring_bulk.cpp         what becomes of large messages, and of who waits for memory
//   uring_operations.cpp   what becomes of everything else
//   uring_buffers.hpp      slabs in the hands of the kernel     uring_ring.hpp   the two queues
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "src/backend/alarm.hpp"
#include "src/backend/kernel.hpp"
#include "src/backend/uring.hpp"
#include "src/backend/uring_buffers.hpp"
#include "src/backend/uring_probe.hpp"
#include "src/backend/uring_ring.hpp"
#include "src/os/system.hpp"

namespace meari {
inline namespace v1 {
namespace uring {

// What a completion is for: a slot, and in the lowest bits of its address the kind. A slot is not freed before all that is
// in the kernel for it has come back (in_kernel), and its memory never moves: so no completion finds another one there.
enum class Kind : std::uint32_t {
  nothing,
  receive,
  receive_alone,
  send,
  connect,
  poll_in,
  poll_out,
  wake,
  alarm,
  cancel
};
struct Tag {
  static constexpr std::uintptr_t kinds = 15;
  static_assert(alignof(Slot) > kinds);

  static std::uint64_t of(Kind kind) noexcept { return static_cast<std::uint64_t>(kind); }
  static std::uint64_t of(Kind kind, const Slot& slot) noexcept {
    return reinterpret_cast<std::uintptr_t>(&slot) | static_cast<std::uintptr_t>(kind);
  }
  static Kind kind(std::uint64_t tag) noexcept { return static_cast<Kind>(static_cast<std::uint32_t>(tag) & kinds); }
  // nullptr: it is not for a slot.
  static Slot* slot(std::uint64_t tag) noexcept {
    return reinterpret_cast<Slot*>(static_cast<std::uintptr_t>(tag) & ~kinds);
  }
};

// What the kernel reads while it takes a submission, and never again: a message of several pieces, or an address.
struct Parcel {
  static constexpr std::size_t most_pieces = 16;
  using Pieces = std::array<std::span<const std::byte>, most_pieces>;

  msghdr message{};
  std::array<iovec, most_pieces> vectors;
  os::NativeAddress address;

  msghdr& pack(const Pieces& pieces, std::size_t count) noexcept;
};

class Uring final : public Kernel<Uring> {
 public:
  static constexpr os::Blocking blocking = os::Blocking::yes;
  static constexpr std::size_t least_bulk = 24 << 10;  // bytes of one receive, or of one send
  static constexpr std::size_t most_small = 4 << 10;   // the same: it is bulk no more

  explicit Uring(const UringOptions& options) noexcept
      : Kernel(options.pool_bytes), buffers_(pool_), lone_buffers_(pool_, Buffers::For::lone) {
    begin_turn(kernel::now());
  }
  ~Uring() override;
  Result<> start(const UringOptions& options, const Abilities& abilities);

  [[nodiscard]] std::string_view name() const noexcept override { return current_ ? "uring" : "uring-floor"; }
  Result<Descriptor> release(SlotId id) override;
  Time wait(Time until) override;
  void wake() noexcept override;
  [[nodiscard]] std::size_t bytes_on_loan() const noexcept override {
    return pool_.bytes_on_loan() - (buffers_.unused_slabs() + lone_buffers_.unused_slabs()) * Pool::slab_bytes;
  }

  // For Slotted, which has the rules.
  [[gnu::always_inline]] inline Submitted start_receive(Slot& slot, Receive& receive);
  [[gnu::always_inline]] inline Submitted send_plainly(Slot& slot, Send& send);
  Submitted start_send(Slot& slot, Send& send);
  Submitted start_accept(Slot& slot, Accept& accept);
  Submitted start_connect(Slot& slot, Connect& connect);
  Submitted start_receive_from(Slot& slot, ReceiveFrom& receive);
  Submitted start_send_to(Slot& slot, SendTo& send);
  Submitted start_ready(Slot& slot, Readiness& readiness);
  void stop(Slot& slot, Operation& operation, Errc reason);
  void shut(Slot& slot);

 private:
  // ---- receiving: what comes of a receive that is armed stays in the slot, whether or not anybody waits for it
  void arm(Slot& slot);
  [[gnu::noinline]] Submitted start_first_receive(Slot& slot, Receive& receive);
  // So much comes for it that recv(2) takes more at once than the ring could bring.
  [[nodiscard]] bool is_asked_directly(const Slot& slot) const noexcept {
    return slot.bulk && (!current_ || slot.deep);
  }
  Submitted start_bulk(Slot& slot, Receive& receive);
  bool try_receive(Slot& slot, Receive& receive);
  [[gnu::always_inline]] inline bool received_plainly(Slot& slot, const Completion& completion,
                                                      const Ring::Following& following);
  [[gnu::always_inline]] inline bool kept_plainly(Slot& slot, const Completion& completion);
  void received(Slot& slot, const Completion& completion, const Ring::Following& following, Chunk chunk);
  void received_nothing(Slot& slot, int result);
  // ---- the one that is alone with its large messages
  [[nodiscard]] bool may_be_alone(const Slot& slot) const noexcept;
  [[nodiscard]] bool arm_alone(Slot& slot);
  void received_alone(Slot& slot, const Completion& completion, Chunk chunk);
  [[gnu::noinline]] void look_after_lone();
  void rewind(Buffers& buffers) noexcept {
    if (buffers.is_to_rewind() && ring_.all_seen()) buffers.rewind();
  }

  // ---- sending
  [[gnu::noinline]] Submitted send_on_the_spot(Slot& slot, Send& send);
  [[gnu::noinline]] Submitted send_at_once(Slot& slot, Send& send);
  [[gnu::always_inline]] inline Submitted sent_at_once(Slot& slot, Send& send, std::ptrdiff_t count);
  [[gnu::noinline]] Submitted sent_in_part(Slot& slot, Send& send, std::ptrdiff_t count);
  [[gnu::always_inline]] static std::ptrdiff_t send_some(const Slot& slot, const Send& send);
  void send_in_ring(Slot& slot, const Send& send, unsigned flags);
  [[gnu::always_inline]] inline void put_in_ring(Slot& slot, const Send& send, std::uint32_t bytes, unsigned flags);
  void send_pieces_in_ring(Slot& slot, const Send& send, unsigned flags);
  [[gnu::always_inline]] inline bool sent_plainly(Slot& slot, int result);
  void sent(Slot& slot, int result);
  void go_on_sending(Slot& slot);
  static Error finish(Slot& slot);

  // ---- connections and datagrams
  bool try_accept(Slot& slot, Accept& accept);
  void connect_ended(Slot& slot, int result);
  bool try_receive_from(Slot& slot, ReceiveFrom& receive);
  bool try_send_to(Slot& slot, SendTo& send);

  // ---- readiness: of listeners, of datagram sockets, and of descriptors that belong to others
  void poll(Slot& slot, Kind kind);
  void polled(Slot& slot, Kind kind, const Completion& completion);
  void watch_bulk(Slot& slot);
  void watched_bulk(Slot& slot, const Completion& completion);
  void serve_line();
  bool try_again(Slot& slot, Operation& operation);

  // ---- ends
  void withdraw(Slot& slot, Kind kind);  // what is in the kernel for it is wanted no more
  void withdraw_all(Slot& slot);
  void withdrawn(int result) noexcept;
  void gone(Slot& slot);

  // ---- submissions
  void own();
  [[gnu::always_inline]] Submission& next_submission() noexcept {
    if (!ring_.has_room() && !owned_) [[unlikely]]
      own();
    return ring_.next();
  }
  [[gnu::always_inline]] Submission& submission(Kind kind, Slot& slot, std::uint8_t opcode) noexcept {
    Submission& entry = next_submission();
    entry.opcode = opcode;
    entry.fd = sys::plain(slot.descriptor);
    entry.user_data = Tag::of(kind, slot);
    ++slot.in_kernel;
    return entry;
  }
  Parcel& next_parcel() noexcept;
  void watch(Kind kind, Descriptor descriptor, std::uint64_t& count) noexcept;  // of a wake-up, or of the alarm
  void watch_wake() noexcept { watch(Kind::wake, wake_, wake_count_); }
  void alarm_rang(int result) noexcept;

  // ---- completions
  [[gnu::always_inline]] inline void enter(Time until);
  void lose_ring() noexcept;
  void reap();
  [[gnu::always_inline]] inline bool take_plainly(const Completion& completion, const Ring::Following& following);
  [[gnu::noinline]] void take(Completion completion, Ring::Following following);
  void touch(Slot& slot) {
    if (slot.touched) return;
    if (touched_.size() == touched_.capacity()) [[unlikely]]
      settle_touched();  // rather than to ask for more memory here
    slot.touched = true;
    touched_.push_back(slot.place);
  }
  void settle_touched();
  void join_pieces(Slot& slot);
  void feed_some();
  void fail_starved() noexcept;
  template <class Done>
  void work_until(Done&& is_done, Duration limit);
  void ask(Slot& slot);

  // What a turn with one message needs stands side by side.
  bool owned_ = false;
  bool current_ = false;
  bool ran_out_ = false;        // in this turn a receive found no memory
  unsigned on_the_spot_ = 0;    // how many sends may still go out at once in this turn
  unsigned count_in_ring_ = 0;  // sends that will be over when enter() returns
  unsigned happened_ = 0;       // completions of slots in this turn
  kernel::Alarm alarm_;
  std::vector<std::uint32_t> touched_;
  Slot* lone_ = nullptr;  // the stream that is received for as if nobody else were there; nobody: nullptr
  Ring ring_;
  Buffers buffers_;
  Buffers lone_buffers_;
  bool lone_leaves_ = false;     // its receive has been withdrawn, and is not over yet
  unsigned lone_rivals_ = 0;     // large receives of others, less its own
  unsigned lone_pause_ = 0;      // so many large receives are as all others before one may be alone again
  Time asked_{};                 // when the kernel was asked for news, though there was something to do
  std::vector<Parcel> parcels_;  // of a fixed size
  std::size_t parcels_used_ = 0;
  std::thread::id owner_;
  int wake_ = -1;
  std::uint64_t wake_count_ = 0;
  std::atomic<bool> awake_{false};
  std::uint64_t alarm_count_ = 0;
  kernel::DatagramReceiver datagrams_;
};

// ---- what happens for every message stands here, so that it becomes part of submit()

inline Submitted Uring::start_receive(Slot& slot, Receive& receive) {
  slot.waiting = &receive;
  return slot.armed ? Submitted::pending : start_first_receive(slot, receive);
}

// A small one goes with the others of its turn: with MSG_DONTWAIT it is over when enter() returns.
inline Submitted Uring::send_plainly(Slot& slot, Send& send) {
  if (on_the_spot_ != 0) [[unlikely]]
    return send_on_the_spot(slot, send);
  if (send.chunk.size() >= least_bulk || !ring_.has_room()) [[unlikely]]
    return start_watched(slot, send);
  put_in_ring(slot, send, static_cast<std::uint32_t>(send.chunk.size()), MSG_DONTWAIT);
  ++count_in_ring_;
  slot.sending = true;
  send.next = &send;  // the only one
  slot.last_send = &send;
  return watched(slot, Submitted::pending);
}

inline void Uring::put_in_ring(Slot& slot, const Send& send, std::uint32_t bytes, unsigned flags) {
  Submission& entry = submission(Kind::send, slot, IORING_OP_SEND);
  entry.addr = reinterpret_cast<std::uintptr_t>(send.chunk.data());
  entry.len = bytes;
  entry.msg_flags = MSG_NOSIGNAL | flags;
}

}  // namespace uring

}  // namespace v1
}  // namespace meari
