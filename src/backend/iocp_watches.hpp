// What the backend over completion ports watches for others: a handle that can be waited for (an event, a process, a
// thread), or a socket that somebody else reads and writes. A thread of the system's own waits; when it is over, a packet
// comes through the port like any other.
//
//   watches.watch(slot, Interest{.read = true})      a packet will come; a second call widens what is waited for
//   const Interest ready = watches.landed(flight);   when it has come
//   watches.stop(id);                                nothing comes any more; blocks until that is certain
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "src/backend/iocp_flights.hpp"

namespace meari {
inline namespace v1 {

// Handles have one state, and count as both.
struct Interest {
  bool read = false;
  bool write = false;
  [[nodiscard]] bool any() const noexcept { return read || write; }
};

class Watches {
 public:
  explicit Watches(Flights& flights) noexcept : flights_(flights) {}
  Watches(const Watches&) = delete;
  Watches& operator=(const Watches&) = delete;
  ~Watches();

  // Whether it can be watched: empty, closed or not_supported. Files and pipes cannot.
  [[nodiscard]] static Error fit(Descriptor descriptor) noexcept;

  // What is ready now, and is not waited for then; nothing: a packet follows.
  Result<Interest> watch(Slot& slot, Interest interest);
  [[nodiscard]] Interest landed(const Flight& flight) noexcept;
  void stop(SlotId slot) noexcept;

 private:
  struct Watch {
    Flights* flights = nullptr;
    SlotId slot;
    Descriptor socket = no_descriptor;  // of a socket: it, and the event that it sets
    HANDLE event = nullptr;
    HANDLE wait = nullptr;
    Flight* flight = nullptr;
    Interest interest;
    std::atomic<bool> fired{false};
  };
  static void CALLBACK signalled(void* watch, BOOLEAN) noexcept;
  std::size_t place_of(SlotId slot) const noexcept;
  void end_wait(Watch& watch) noexcept;

  Flights& flights_;
  std::vector<std::unique_ptr<Watch>> watches_;
};

}  // namespace v1
}  // namespace meari
