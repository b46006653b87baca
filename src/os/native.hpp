// Sockets as the system knows them: what Socket and the backends share below the public headers.
//
//   Result<Socket> opened = os::open_socket(address.family(), Kind::stream, os::Blocking::no);
//   os::NativeAddress to(address);
//   if (sys::connect(opened->descriptor(), to.data(), to.size) != 0 && to_errc(sys::last_error()) != Errc::in_progress) …
//   // later, when it became writable:
//   if (Error failed = os::connect_result(opened->descriptor(), address)) …   // SO_ERROR, and self-connect
//
// Everything takes a Descriptor and says what failed as an Error. Differences between systems are in posix.cpp and
// windows.cpp; what both share is in native.cpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <meari/address.hpp>
#include <meari/result.hpp>
#include <meari/socket.hpp>

#include "system.hpp"

namespace meari::os {

// Sockets need nothing on POSIX; on Windows this is WSAStartup 2.2, once for the process. open_socket calls it.
Result<> start_network() noexcept;

// The number of a network interface by its name: "eth0" → 2. Nothing where there is none of that name.
[[nodiscard]] std::optional<std::uint32_t> interface_index(std::string_view name) noexcept;

// ── Addresses ────────────────────────────────────────────────────────────────────────────────────────────────

// A sockaddr with its size. Made from an Address to pass it to the system, or empty for the system to fill:
//   NativeAddress from;  sys::accept4(fd, from.data(), &from.size, flags);  Address address = from.address();
struct NativeAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  NativeAddress() noexcept = default;
  // Size 0 for an Address without a family; the system refuses that.
  explicit NativeAddress(const Address& address) noexcept;

  [[nodiscard]] sockaddr* data() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] const sockaddr* data() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
  void clear() noexcept { *this = NativeAddress(); }
  // What the system wrote. A family that this project does not know gives an Address without a family. Only the path of
  // a Unix-domain socket needs memory: without it the Address has no path, or the whole one fails with out_of_memory.
  [[nodiscard]] Address address() const noexcept;
  [[nodiscard]] Result<Address> whole_address() const noexcept;
};

[[nodiscard]] int native_family(Family family) noexcept;  // AF_INET …
[[nodiscard]] int native_type(Kind kind) noexcept;        // SOCK_STREAM …

// ── Opening ──────────────────────────────────────────────────────────────────────────────────────────────────

enum class Blocking : bool { no, yes };

// socket(2), not inherited by children. On Windows also overlapped, for completion ports.
Result<Socket> open_socket(Family family, Kind kind, Blocking blocking);
// The option that makes a server restart at once: SO_REUSEADDR on POSIX, SO_EXCLUSIVEADDRUSE on Windows (where
// SO_REUSEADDR would let anybody take the port).
Result<> reuse_address(Descriptor descriptor);
// bind(2) with reuse_address for a stream. A Unix-domain path where nobody listens any more is removed first.
Result<> bind(Descriptor descriptor, const Address& address);
// listen(2); a negative backlog asks for all that the system allows.
Result<> listen(Descriptor descriptor, int backlog);
// Whether accept() failed only for the one client that was next: take the next one. Everything else is a failure.
[[nodiscard]] bool accept_again(int system_code) noexcept;
// How an unfinished connect(2) ended, once the socket is writable: SO_ERROR, then the check for a connection to itself.
[[nodiscard]] Error connect_result(Descriptor descriptor, const Address& target);
// Local address equals peer's address: with nobody listening the kernel may choose the very port it is to reach.
[[nodiscard]] bool is_self_connected(Descriptor descriptor) noexcept;
// Makes an eventfd readable, from any thread and from signal handlers; errno stays as it was. POSIX only.
bool notify(Descriptor eventfd) noexcept;
// Dissolves a connection: the peer gets RST, and the socket is as good as new. Does nothing on Windows.
void disconnect(Descriptor descriptor) noexcept;
// Removes the Unix-domain socket at this path if connecting is refused, so nobody listens. True if it did.
[[nodiscard]] bool remove_stale(const Address& address) noexcept;
[[nodiscard]] bool remove_stale(const NativeAddress& address) noexcept;

// ── Options ──────────────────────────────────────────────────────────────────────────────────────────────────

struct KeepAlive {
  std::chrono::seconds idle{60};
  std::chrono::seconds interval{10};
  int probes = 3;
};

Result<> set_non_blocking(Descriptor descriptor, bool on);
[[nodiscard]] bool is_non_blocking(Descriptor descriptor) noexcept;  // always false on Windows, which does not tell
Result<> set_no_delay(Descriptor descriptor, bool on);
Result<> set_keep_alive(Descriptor descriptor, bool on, const KeepAlive& times = {});
Result<> set_reuse_port(Descriptor descriptor, bool on);
Result<> set_v6_only(Descriptor descriptor, bool on);
Result<> set_send_buffer(Descriptor descriptor, int bytes);
Result<> set_receive_buffer(Descriptor descriptor, int bytes);
Result<> set_linger(Descriptor descriptor, int seconds);  // 0: close sends RST
Result<> set_receive_timeout(Descriptor descriptor, std::chrono::milliseconds time);

// ── Questions ────────────────────────────────────────────────────────────────────────────────────────────────

// SO_ERROR: what went wrong behind the program's back; asking clears it. 0: nothing.
[[nodiscard]] int socket_error(Descriptor descriptor) noexcept;
[[nodiscard]] Result<Address> local_address(Descriptor descriptor);
[[nodiscard]] Result<Address> peer_address(Descriptor descriptor);

// What a descriptor from elsewhere (fd:3) is. Fails with invalid_argument if it is not a socket.
struct Adopted {
  Family family = Family::unspecified;
  Kind kind = Kind::stream;
  bool listening = false;
};
[[nodiscard]] Result<Adopted> examine(Descriptor descriptor);

// Bytes that wait in the kernel: received and not yet read; sent and not yet acknowledged (or, Unix-domain, read).
struct QueueLengths {
  std::uint32_t unread = 0;
  std::uint32_t unsent = 0;
};
[[nodiscard]] Result<QueueLengths> queue_lengths(Descriptor descriptor);

// TCP_INFO, tcp(7). Plain numbers; 0 where this system or kernel does not say.
enum class TcpState : std::uint8_t {
  unknown,
  established,
  syn_sent,
  syn_received,
  fin_wait_1,
  fin_wait_2,
  time_wait,
  closed,
  close_wait,
  last_ack,
  listen,
  closing
};
[[nodiscard]] const char* describe(TcpState state) noexcept;  // "ESTABLISHED", as ss(8) and the RFC write it
struct TcpInfo {
  TcpState state = TcpState::unknown;
  std::uint32_t rtt_us = 0;
  std::uint32_t rtt_variance_us = 0;
  std::uint32_t unacked_segments = 0;
  std::uint32_t retransmits = 0;        // in all the connection's life
  std::uint32_t congestion_window = 0;  // segments
  std::uint64_t bytes_sent = 0;         // with retransmissions
  std::uint64_t bytes_acked = 0;        // 1 more than the payload: the SYN counts
  std::uint64_t bytes_received = 0;
  std::uint32_t queued = 0;       // TcpState::listen: connections that wait for accept …
  std::uint32_t queue_limit = 0;  // … of at most so many
};
[[nodiscard]] Result<TcpInfo> tcp_info(Descriptor descriptor);

// The longest queue that listen(2) may ask for: net.core.somaxconn.
[[nodiscard]] int listen_queue_limit() noexcept;

// RLIMIT_NOFILE. On Windows both are very large.
struct DescriptorLimit {
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
};
[[nodiscard]] Result<DescriptorLimit> descriptor_limit() noexcept;
// Raises the soft limit to the hard one, and tells what holds now.
Result<DescriptorLimit> raise_descriptor_limit() noexcept;
// How many descriptors this process has open. Nothing where the system does not tell.
[[nodiscard]] std::optional<std::size_t> open_descriptors() noexcept;

// Who listens on (or, for datagrams, is bound to) an address. As far as the system tells: other users' processes are
// hidden from anybody but root.
struct Owner {
  long process = 0;
  std::string name;
};
[[nodiscard]] std::optional<Owner> owner_of(const Address& address, Kind kind = Kind::stream);

}  // namespace meari::os
