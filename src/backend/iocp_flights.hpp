// What the backend over completion ports gives to the system and gets back: flights, and the port that they come back to.
//
//   Flight* flight = flights.prepare(slot, Flight::Kind::receive);
//   if (Error error = flights.join_port(slot)) return flights.cancelled(*flight, error);
//   if (sys::wsa_recv(…, flight) != 0 && sys::last_error() != WSA_IO_PENDING) return flights.cancelled(*flight, …);
//   … when the port gives it back: flights.came_back(); … flights.land(*flight);
#pragma once

#include <memory>
#include <vector>

#include "src/backend/slot.hpp"
#include "src/os/native.hpp"

namespace meari {
inline namespace v1 {

// One call that the system works on. The port gives its address back.
struct Flight : OVERLAPPED {
  enum class Kind : std::uint8_t { receive, receive_from, accept, connect, send, send_to, ready };
  Flight() noexcept : OVERLAPPED{} {}
  Flight* next = nullptr;
  SlotId slot;
  Kind kind = Kind::receive;
  Descriptor accepted = no_descriptor;    // accept: made before the client comes
  Operation* operation = nullptr;         // send_to: whose it is
  std::unique_ptr<std::byte[]> memory;    // send: a copy. accept: both addresses
  std::unique_ptr<os::NativeAddress> to;  // send_to
};

class Flights {
 public:
  Flights() = default;
  Flights(const Flights&) = delete;
  Flights& operator=(const Flights&) = delete;
  ~Flights();  // those in the air keep their memory: the system may still write there

  Result<> open();
  [[nodiscard]] HANDLE port() const noexcept { return port_; }
  [[nodiscard]] std::size_t in_air() const noexcept { return in_air_; }

  // With so much memory of its own; nullptr without.
  [[nodiscard]] Flight* prepare(SlotId slot, Flight::Kind kind, std::size_t bytes = 0) noexcept;
  // It has not begun, and the port will not give it back. Returns the error.
  [[nodiscard]] Error cancelled(Flight& flight, Error error) noexcept;
  void came_back() noexcept { --in_air_; }
  void land(Flight& flight) noexcept;  // may be used again

  // Each begins one, whose packet comes later: a receive of no bytes that ends when there are some, a client, a look at the
  // next datagram, a copy of a datagram that did not go at once.
  Error launch_receive(Slot& slot);
  Error launch_accept(Slot& slot);
  Error launch_receive_from(Slot& slot);
  Error launch_send_to(Slot& slot, SendTo& send);

  Error join_port(Slot& slot);
  // Takes a socket off the port where the system can (Windows 8.1), and remembers it where not.
  void leave_port(Descriptor descriptor);

 private:
  HANDLE port_ = nullptr;
  std::size_t in_air_ = 0;
  Flight* spare_ = nullptr;
  std::vector<Descriptor> left_;  // released, and still on our port
};

// ConnectEx has no name to link with.
Result<LPFN_CONNECTEX> find_connect_ex();

// What ConnectEx wants: a socket that has an address. Not exclusively: the port is the system's choice.
[[nodiscard]] Error bind_somewhere(Descriptor descriptor, const Address& target);
// Several pieces at once, at most 64, without waiting. How many bytes were taken, or -1.
[[nodiscard]] std::ptrdiff_t send_now(Descriptor descriptor,
                                      std::span<const std::span<const std::byte>> pieces) noexcept;
// As much of the pieces as there is room for.
void copy_pieces(std::span<const std::span<const std::byte>> pieces, std::span<std::byte> room) noexcept;
[[nodiscard]] DWORD milliseconds_until(Time until) noexcept;
// How a flight that came back went. 0, or what WSAGetLastError() says.
[[nodiscard]] int outcome_of(Descriptor descriptor, Flight& flight) noexcept;

// Somebody who has been accepted.
struct Client {
  Descriptor socket = no_descriptor;
  Address from;
};
// Those who were accepted when nobody waited for them any more.
class Unclaimed {
 public:
  void add(SlotId listener, Client client) { all_.push_back({listener, std::move(client)}); }
  [[nodiscard]] bool take(SlotId listener, Client& client);  // who came to this listener first, if anybody did
  [[nodiscard]] std::int64_t count(SlotId listener) const noexcept;
  void turn_away(SlotId listener);  // closes their sockets

 private:
  struct One {
    SlotId listener;
    Client client;
  };
  std::vector<One> all_;
};
// accept(), without waiting. 0, or what WSAGetLastError() says.
[[nodiscard]] int take_from_queue(Descriptor listener, Client& client);
// Whom AcceptEx has brought.
[[nodiscard]] Client client_of(Descriptor listener, Flight& flight);
// What every socket of ours is. 0, or what WSAGetLastError() says.
[[nodiscard]] int set_up(Descriptor accepted);
// AcceptEx wants 16 bytes more than an address has.
inline constexpr DWORD address_room = sizeof(sockaddr_storage) + 16;

}  // namespace v1
}  // namespace meari
