// Watched: a descriptor of somebody else, of which the loop says when it is readable or writable. For libraries that
// do their own input and output (a database client, a resolver), and for pipes, eventfds and terminals.
//
//   Watched events = Watched::watch(inotify_descriptor).value();
//   for (;;) {
//     co_await events.readable();
//     read_them(inotify_descriptor);      // until EAGAIN
//   }
//
// The descriptor stays with its owner, who closes it after the Watched has gone. Regular files cannot be watched.
// On Windows: a socket, or a HANDLE that can be waited for (an event, a process, a thread), which counts as both readable and
// writable when it is signalled; pipes cannot be watched there.
#pragma once

#include <utility>

#include <meari/activity.hpp>
#include <meari/loop.hpp>
#include <meari/operation.hpp>
#include <meari/result.hpp>
#include <meari/socket.hpp>

namespace meari {
inline namespace v1 {

class Watched {
 public:
  struct [[nodiscard]] Wait {
    using Operation = Readiness;
    using Value = void;
    using Activity = OperationActivity<Wait>;
    Wait(SlotId which, bool to_write) noexcept : slot(which), for_write(to_write) {}
    void prepare(Readiness& readiness) noexcept {
      readiness.slot = slot;
      readiness.for_write = for_write;
    }
    static void take(Readiness&) noexcept {}
    SlotId slot;
    bool for_write;
  };

  // On the current loop, or on the one that is named. Fails with not_supported where the backend cannot watch it.
  static Result<Watched> watch(Descriptor descriptor) { return watch(descriptor, *Loop::current()); }
  static Result<Watched> watch(Descriptor descriptor, Loop& loop) {
    const Result<SlotId> slot = loop.backend().adopt(descriptor, Role::foreign);
    if (!slot) return slot.error();
    return Watched(loop, *slot);
  }
  Watched(Watched&& other) noexcept : loop_(std::exchange(other.loop_, nullptr)), slot_(other.slot_) {}
  Watched& operator=(Watched&& other) noexcept {
    std::swap(loop_, other.loop_);
    std::swap(slot_, other.slot_);
    return *this;
  }
  // Who still waits fails with canceled.
  ~Watched() {
    if (loop_ != nullptr) loop_->backend().close(slot_);
  }

  // Also when it has failed or its other end has gone: the call that follows says what it is.
  Wait readable() const noexcept { return Wait(slot_, false); }
  Wait writable() const noexcept { return Wait(slot_, true); }

 private:
  Watched(Loop& loop, SlotId slot) noexcept : loop_(&loop), slot_(slot) {}
  Loop* loop_;
  SlotId slot_;
};

}  // namespace v1
}  // namespace meari
