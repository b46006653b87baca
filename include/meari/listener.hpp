// Listener: a socket that waits for connections. Its queue is the kernel's: a client is connected as soon as it is
// queued, whether or not anybody has accepted it yet.
//
//   Address address("127.0.0.1", 9000);
//   Listener listener = co_await Listener::open(address);
//   for (;;) {
//     Stream peer = co_await listener.accept();      // a new socket; the listener goes on listening
//     scope.spawn(session, std::move(peer));
//   }
#pragma once

#include <cstdint>
#include <utility>

#include <meari/loop.hpp>
#include <meari/stream.hpp>
#include <meari/task.hpp>
#include <meari/version.hpp>

namespace meari {
inline namespace v1 {

struct ListenOptions {
  int backlog = -1;         // connections that may wait; -1: as many as the system allows (net.core.somaxconn)
  bool reuse_port = false;  // several listeners share the port, and the kernel deals (SO_REUSEPORT)
  bool v6_only = false;     // "::" takes IPv4 clients as well, unless this is set
};

// A connection that has been taken from the queue and belongs to no loop yet. Closed if nobody takes it in.
class MEARI_EXPORT Arrival {
 public:
  Arrival() noexcept = default;
  Arrival(Loop& accepted_by, Descriptor descriptor, Address from) noexcept
      : loop_(&accepted_by), descriptor_(descriptor), from_(std::move(from)) {}
  Arrival(Arrival&& other) noexcept
      : loop_(other.loop_),
        descriptor_(std::exchange(other.descriptor_, no_descriptor)),
        from_(std::move(other.from_)) {}
  Arrival& operator=(Arrival&& other) noexcept {
    std::swap(loop_, other.loop_);
    std::swap(descriptor_, other.descriptor_);
    std::swap(from_, other.from_);
    return *this;
  }
  ~Arrival() { turn_away(); }

  [[nodiscard]] const Address& from() const noexcept { return from_; }
  [[nodiscard]] Descriptor descriptor() const noexcept { return descriptor_; }
  // As a stream of `loop`, on its thread. Fails with out_of_memory, and stays what it was.
  [[nodiscard]] Result<Stream> take_in(Loop& loop);
  // Closes it.
  void turn_away() noexcept;

 private:
  Loop* loop_ = nullptr;
  Descriptor descriptor_ = no_descriptor;
  Address from_;
};

class [[nodiscard]] AcceptArrival {
 public:
  struct Operation : Accept {
    ~Operation() { static_cast<void>(take()); }
    Arrival take() noexcept {
      if (accepted == no_descriptor || error) return {};
      return {*loop, std::exchange(accepted, no_descriptor), std::move(from)};
    }
    Loop* loop = nullptr;
  };
  using Value = Arrival;
  using Activity = OperationActivity<AcceptArrival>;
  AcceptArrival(Loop& loop, SlotId slot) noexcept : loop_(&loop), slot_(slot) {}
  void prepare(Operation& accept) noexcept {
    accept.loop = loop_;
    accept.slot = slot_;
  }
  static Arrival take(Operation& accept) noexcept { return accept.take(); }
  static Error fail(Operation& accept) { return accept.error.during("accept"); }

 private:
  Loop* loop_;
  SlotId slot_;
};

class MEARI_EXPORT Listener {
 public:
  Listener() noexcept = default;
  Listener(Loop& loop, SlotId slot) noexcept : loop_(&loop), slot_(slot) {}
  Listener(Listener&& other) noexcept
      : loop_(std::exchange(other.loop_, nullptr)), slot_(std::exchange(other.slot_, SlotId{})) {}
  Listener& operator=(Listener&& other) noexcept {
    std::swap(loop_, other.loop_);
    std::swap(slot_, other.slot_);
    return *this;
  }
  ~Listener() { close(); }

  // socket(2), bind(2), listen(2). A Unix-domain path where nobody listens any more is taken over, and removed by
  // close(). Fails with address_in_use, address_not_available, permission_denied …
  static Result<Listener> open(const Address& address, const ListenOptions& options = {});
  static Result<Listener> open(Loop& loop, const Address& address, const ListenOptions& options = {});
  // A listening socket that somebody else opened.
  static Result<Listener> adopt(Loop& loop, Descriptor descriptor);

  // The next connection, as a stream of this loop. One that was reset in the queue fails at its first read. Fails with
  // too_many_descriptors, out_of_memory: the client stays in the queue, so wait a little before the next try.
  [[nodiscard]] Task<Stream> accept() { return accept(*loop_, slot_); }
  // The next connection, for any loop whose backend is of the same make.
  AcceptArrival accept_arrival() noexcept { return AcceptArrival(*loop_, slot_); }

  [[nodiscard]] Result<Address> local() const;    // with the port that the kernel chose
  [[nodiscard]] Result<SocketInfo> info() const;  // receive_queue: how many wait; send_queue: how many may
  [[nodiscard]] std::uint64_t number() const;     // in events
  [[nodiscard]] bool is_open() const noexcept { return loop_ != nullptr; }
  [[nodiscard]] SlotId slot() const noexcept { return slot_; }
  void close() noexcept;
  [[nodiscard]] Result<Descriptor> release();

 private:
  static Task<Stream> accept(Loop& loop, SlotId slot);

  Loop* loop_ = nullptr;
  SlotId slot_;
};

}  // namespace v1
}  // namespace meari
