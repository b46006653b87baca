#include "src/backend/iocp_flights.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

#include "src/backend/kernel.hpp"
#include "src/os/system.hpp"

namespace meari {
inline namespace v1 {

Flights::~Flights() {
  while (spare_ != nullptr) delete std::exchange(spare_, spare_->next);
  if (port_ != nullptr) ::CloseHandle(port_);
}

Result<> Flights::open() {
  port_ = sys::create_port(no_descriptor, nullptr);
  if (port_ != nullptr) return {};
  return system_error(sys::last_error(), "make a completion port");
}

Flight* Flights::prepare(SlotId slot, Flight::Kind kind, std::size_t bytes) noexcept {
  Flight* flight = spare_;
  if (flight != nullptr) spare_ = flight->next;
  else if (flight = new (std::nothrow) Flight; flight == nullptr) return nullptr;
  static_cast<OVERLAPPED&>(*flight) = {};
  flight->slot = slot;
  flight->kind = kind;
  if (bytes != 0) flight->memory.reset(new (std::nothrow) std::byte[bytes]);
  if (bytes != 0 && flight->memory == nullptr) {
    land(*flight);
    return nullptr;
  }
  ++in_air_;
  return flight;
}

Error Flights::cancelled(Flight& flight, Error error) noexcept {
  --in_air_;
  land(flight);
  return error;
}

void Flights::land(Flight& flight) noexcept {
  if (flight.accepted != no_descriptor) sys::close(std::exchange(flight.accepted, no_descriptor));
  flight.memory.reset();
  flight.to.reset();
  flight.operation = nullptr;
  flight.next = std::exchange(spare_, &flight);
}

Error Flights::join_port(Slot& slot) {
  if (slot.registered) return {};
  if (sys::create_port(slot.descriptor, port_) == nullptr) {
    const auto code = static_cast<int>(::GetLastError());
    // It has been here before, was released, and is still on this port.
    if (code != ERROR_INVALID_PARAMETER || std::erase(left_, slot.descriptor) == 0)
      return system_error(code, "join a completion port");
  }
  slot.registered = true;
  return {};
}

void Flights::leave_port(Descriptor descriptor) {
  struct Status {
    void* status;
    ULONG_PTR information;
  } status{};
  struct Replacement {
    HANDLE port;
    void* key;
  } nothing{};
  constexpr int replace_completion_information = 61;
  using Set = LONG(NTAPI*)(HANDLE, Status*, void*, ULONG, int);
  static const auto set = reinterpret_cast<Set>(
      reinterpret_cast<void*>(::GetProcAddress(::GetModuleHandleW(L"ntdll.dll"), "NtSetInformationFile")));
  if (set != nullptr &&
      set(sys::handle(descriptor), &status, &nothing, sizeof nothing, replace_completion_information) == 0)
    return;
  std::erase(left_, descriptor);
  left_.push_back(descriptor);
}

Error Flights::launch_receive(Slot& slot) {
  Flight* flight = prepare(SlotTable::id(slot), Flight::Kind::receive);
  if (flight == nullptr) return Errc::out_of_memory;
  if (Error error = join_port(slot)) return cancelled(*flight, std::move(error));
  WSABUF nothing{0, nullptr};
  if (sys::wsa_recv(slot.descriptor, &nothing, 0, flight) != 0 && sys::last_error() != WSA_IO_PENDING)
    return cancelled(*flight, system_error(sys::last_error(), "read"));
  slot.armed = true;
  return {};
}

Error Flights::launch_accept(Slot& slot) {
  const Result<Address> here = os::local_address(slot.descriptor);
  if (!here) return here.error();
  Result<Socket> next = os::open_socket(here->family(), Kind::stream, os::Blocking::no);
  if (!next) return next.error().during("accept");
  Flight* flight = prepare(SlotTable::id(slot), Flight::Kind::accept, std::size_t{2} * address_room);
  if (flight == nullptr) return Errc::out_of_memory;
  flight->accepted = next->release();
  if (Error error = join_port(slot)) return cancelled(*flight, std::move(error));
  if (sys::accept_ex(slot.descriptor, flight->accepted, flight->memory.get(), address_room, flight) == 0 &&
      sys::last_error() != WSA_IO_PENDING)
    return cancelled(*flight, system_error(sys::last_error(), "accept"));
  slot.armed = true;
  return {};
}

// Looks at the next datagram and takes nothing of it: it stays for the recvfrom() that follows.
Error Flights::launch_receive_from(Slot& slot) {
  Flight* flight = prepare(SlotTable::id(slot), Flight::Kind::receive_from);
  if (flight == nullptr) return Errc::out_of_memory;
  if (Error error = join_port(slot)) return cancelled(*flight, std::move(error));
  WSABUF nothing{0, nullptr};
  if (sys::wsa_recv_from(slot.descriptor, &nothing, MSG_PEEK, nullptr, nullptr, flight) != 0 &&
      sys::last_error() != WSA_IO_PENDING && sys::last_error() != WSAEMSGSIZE)
    return cancelled(*flight, system_error(sys::last_error(), "receive"));
  slot.armed = true;
  return {};
}

Error Flights::launch_send_to(Slot& slot, SendTo& send) {
  Flight* flight = prepare(SlotTable::id(slot), Flight::Kind::send_to, send.bytes.size());
  if (flight == nullptr) return Errc::out_of_memory;
  flight->to.reset(new (std::nothrow) os::NativeAddress(send.target));
  if (flight->to == nullptr) return cancelled(*flight, Errc::out_of_memory);
  if (Error error = join_port(slot)) return cancelled(*flight, std::move(error));
  flight->operation = &send;
  std::copy(send.bytes.begin(), send.bytes.end(), flight->memory.get());
  WSABUF buffer{static_cast<ULONG>(send.bytes.size()), reinterpret_cast<char*>(flight->memory.get())};
  if (sys::wsa_send_to(slot.descriptor, &buffer, flight->to->data(), flight->to->size, flight) != 0 &&
      sys::last_error() != WSA_IO_PENDING)
    return cancelled(*flight, system_error(sys::last_error(), "send to", send.target));
  return {};
}

Result<LPFN_CONNECTEX> find_connect_ex() {
  Result<Socket> socket = os::open_socket(Family::ipv4, Kind::stream, os::Blocking::no);
  if (!socket) return socket.error();
  GUID id = WSAID_CONNECTEX;
  LPFN_CONNECTEX function = nullptr;
  if (sys::wsa_ioctl(socket->descriptor(), SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, &function,
                     sizeof function) != 0)
    return system_error(sys::last_error(), "look for ConnectEx");
  return function;
}

Error bind_somewhere(Descriptor descriptor, const Address& target) {
  if (const Result<Address> here = os::local_address(descriptor); here && here->port() != 0) return {};
  const os::NativeAddress any(Address::any(target.family(), 0));
  if (sys::bind(descriptor, any.data(), any.size) == 0 || sys::last_error() == WSAEINVAL) return {};
  return system_error(sys::last_error(), "connect to", target);
}

std::ptrdiff_t send_now(Descriptor descriptor, std::span<const std::span<const std::byte>> pieces) noexcept {
  std::array<WSABUF, 64> buffers;
  const std::size_t count = std::min(pieces.size(), buffers.size());
  for (std::size_t i = 0; i < count; ++i)
    buffers[i] = {static_cast<ULONG>(sys::int_size(pieces[i].size())),
                  reinterpret_cast<char*>(const_cast<std::byte*>(pieces[i].data()))};
  return sys::wsa_send_now(descriptor, buffers.data(), static_cast<DWORD>(count));
}

void copy_pieces(std::span<const std::span<const std::byte>> pieces, std::span<std::byte> room) noexcept {
  for (const std::span<const std::byte> piece : pieces) {
    const std::size_t part = std::min(piece.size(), room.size());
    if (part != 0) std::memcpy(room.data(), piece.data(), part);
    room = room.subspan(part);
  }
}

DWORD milliseconds_until(Time until) noexcept {
  if (until == never) return INFINITE;
  constexpr long long longest = 1'000'000'000;
  const Time present = kernel::now();
  if (until <= present) return 0;  // Time::min() has no distance
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - present).count();
  return static_cast<DWORD>(std::clamp<long long>(left, 0, longest));
}

int outcome_of(Descriptor descriptor, Flight& flight) noexcept {
  DWORD bytes = 0, flags = 0;
  const BOOL went = ::WSAGetOverlappedResult(sys::plain(descriptor), &flight, &bytes, FALSE, &flags);
  return went != FALSE ? 0 : sys::last_error();
}

int set_up(Descriptor accepted) {
  ::SetHandleInformation(sys::handle(accepted), HANDLE_FLAG_INHERIT, 0);
  static_cast<void>(os::set_no_delay(accepted, true));  // fails for a Unix-domain socket, which needs none
  return os::set_non_blocking(accepted, true) ? 0 : sys::last_error();
}

int take_from_queue(Descriptor listener, Client& client) {
  for (;;) {
    os::NativeAddress from;
    const Descriptor accepted = sys::accept(listener, from.data(), &from.size);
    if (accepted != static_cast<Descriptor>(INVALID_SOCKET)) {
      client = {accepted, from.address()};
      const int code = set_up(accepted);
      if (code != 0) sys::close(accepted);
      return code;
    }
    if (const int code = sys::last_error(); !os::accept_again(code)) return code;
  }
}

bool Unclaimed::take(SlotId listener, Client& client) {
  const auto one = std::ranges::find(all_, listener, &One::listener);
  if (one == all_.end()) return false;
  client = std::move(one->client);
  all_.erase(one);
  return true;
}

std::int64_t Unclaimed::count(SlotId listener) const noexcept {
  return std::ranges::count(all_, listener, &One::listener);
}

void Unclaimed::turn_away(SlotId listener) {
  for (const One& one : all_)
    if (one.listener == listener) sys::close(one.client.socket);
  std::erase_if(all_, [&](const One& one) { return one.listener == listener; });
}

Client client_of(Descriptor listener, Flight& flight) {
  const SOCKET from_listener = sys::plain(listener);
  // Until then getpeername(), shutdown() and the rest do not know that it is connected.
  sys::setsockopt(flight.accepted, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, &from_listener, sizeof from_listener);
  sockaddr *local = nullptr, *peer = nullptr;
  int local_size = 0, peer_size = 0;
  ::GetAcceptExSockaddrs(flight.memory.get(), 0, address_room, address_room, &local, &local_size, &peer, &peer_size);
  os::NativeAddress from;
  const std::size_t size = peer == nullptr ? 0 : std::min(static_cast<std::size_t>(peer_size), sizeof from.storage);
  if (size != 0) std::memcpy(&from.storage, peer, size);
  from.size = static_cast<socklen_t>(size);
  return {std::exchange(flight.accepted, no_descriptor), from.address()};
}

}  // namespace v1
}  // namespace meari
