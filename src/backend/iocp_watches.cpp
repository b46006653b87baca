#include "src/backend/iocp_watches.hpp"

#include <utility>

#include "src/backend/kernel.hpp"
#include "src/os/memory.hpp"
#include "src/os/system.hpp"

namespace meari {
inline namespace v1 {
namespace {

constexpr long events_to_read = FD_READ | FD_ACCEPT | FD_OOB | FD_CLOSE;
constexpr long events_to_write = FD_WRITE | FD_CONNECT | FD_CLOSE;

bool is_socket(Descriptor descriptor) noexcept {
  int kind = 0;
  socklen_t size = sizeof kind;
  return sys::getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &kind, &size) == 0;
}

// Of what is asked for. What is wrong with a socket is told by the call that follows, so that counts as ready.
Interest ready_now(Descriptor socket, Interest interest) noexcept {
  WSAPOLLFD entry{sys::plain(socket), 0, 0};
  if (interest.read) entry.events |= POLLRDNORM;
  if (interest.write) entry.events |= POLLWRNORM;
  if (sys::poll(&entry, 1, 0) <= 0) return {};
  const bool both = (entry.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
  return {.read = interest.read && (both || (entry.revents & POLLRDNORM) != 0),
          .write = interest.write && (both || (entry.revents & POLLWRNORM) != 0)};
}

}  // namespace

Watches::~Watches() {
  while (!watches_.empty()) stop(watches_.back()->slot);
}

Error Watches::fit(Descriptor descriptor) noexcept {
  DWORD flags = 0;
  if (::GetHandleInformation(sys::handle(descriptor), &flags) == 0) return Errc::closed;
  if (is_socket(descriptor)) return {};
  const DWORD type = ::GetFileType(sys::handle(descriptor));
  return type == FILE_TYPE_DISK || type == FILE_TYPE_PIPE ? Errc::not_supported : Errc::none;
}

// On a thread of the system's own. The flight stays until its packet has come.
void CALLBACK Watches::signalled(void* watch, BOOLEAN) noexcept {
  Watch& self = *static_cast<Watch*>(watch);
  self.fired.store(true);
  ::PostQueuedCompletionStatus(self.flights->port(), 0, 0, self.flight);
}

std::size_t Watches::place_of(SlotId slot) const noexcept {
  std::size_t place = 0;
  while (place != watches_.size() && watches_[place]->slot != slot) ++place;
  return place;
}

Result<Interest> Watches::watch(Slot& slot, Interest interest) {
  const SlotId id = SlotTable::id(slot);
  const std::size_t place = place_of(id);
  if (place == watches_.size()) {
    auto fresh = std::make_unique<Watch>();
    fresh->flights = &flights_;
    fresh->slot = id;
    if (is_socket(slot.descriptor)) {
      fresh->socket = slot.descriptor;
      fresh->event = ::CreateEventW(nullptr, FALSE, FALSE, nullptr);
      if (fresh->event == nullptr) return system_error(static_cast<int>(::GetLastError()), "watch a descriptor");
    }
    watches_.push_back(std::move(fresh));
  }
  Watch& watch = *watches_[place];
  if (watch.wait != nullptr && watch.event == nullptr) return Interest();  // the handle is waited for already
  interest = {.read = interest.read || watch.interest.read, .write = interest.write || watch.interest.write};
  end_wait(watch);
  watch.flight = flights_.prepare(id, Flight::Kind::ready);
  if (watch.flight == nullptr) return Error(Errc::out_of_memory);
  watch.fired.store(false);
  watch.interest = interest;
  if (watch.event != nullptr) {
    const long events = (interest.read ? events_to_read : 0) | (interest.write ? events_to_write : 0);
    ::ResetEvent(watch.event);
    if (::WSAEventSelect(sys::plain(watch.socket), watch.event, events) != 0) {
      return flights_.cancelled(*std::exchange(watch.flight, nullptr),
                                system_error(sys::last_error(), "watch a descriptor"));
    }
    // Events are told of once, when something changes; what is there already is seen by looking.
    if (const Interest now = ready_now(watch.socket, interest); now.any()) {
      static_cast<void>(flights_.cancelled(*std::exchange(watch.flight, nullptr), {}));
      watch.interest = {};
      return now;
    }
  }
  const HANDLE handle = watch.event != nullptr ? watch.event : sys::handle(slot.descriptor);
  if (::RegisterWaitForSingleObject(&watch.wait, handle, &Watches::signalled, &watch, INFINITE,
                                    WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD) == 0) {
    watch.wait = nullptr;
    return flights_.cancelled(*std::exchange(watch.flight, nullptr),
                              system_error(static_cast<int>(::GetLastError()), "watch a descriptor"));
  }
  return Interest();
}

Interest Watches::landed(const Flight& flight) noexcept {
  const std::size_t place = place_of(flight.slot);
  if (place == watches_.size() || watches_[place]->flight != &flight) return {};  // nobody waits for it any more
  Watch& watch = *watches_[place];
  watch.flight = nullptr;
  ::UnregisterWaitEx(std::exchange(watch.wait, nullptr), INVALID_HANDLE_VALUE);
  const Interest interest = std::exchange(watch.interest, {});
  return watch.event != nullptr ? ready_now(watch.socket, interest) : Interest{.read = true, .write = true};
}

void Watches::end_wait(Watch& watch) noexcept {
  if (watch.wait == nullptr) return;
  ::UnregisterWaitEx(std::exchange(watch.wait, nullptr), INVALID_HANDLE_VALUE);
  Flight* flight = std::exchange(watch.flight, nullptr);
  watch.interest = {};
  if (!watch.fired.load()) static_cast<void>(flights_.cancelled(*flight, {}));  // else it lands, and is nobody's
}

void Watches::stop(SlotId slot) noexcept {
  const std::size_t place = place_of(slot);
  if (place == watches_.size()) return;
  Watch& watch = *watches_[place];
  end_wait(watch);
  if (watch.event != nullptr) {
    ::WSAEventSelect(sys::plain(watch.socket), nullptr, 0);
    ::CloseHandle(watch.event);
  }
  std::swap(watches_[place], watches_.back());
  watches_.pop_back();
}

}  // namespace v1
}  // namespace meari
