// WireSocket: what a wire knows of one socket; in a kernel it would be a struct sock.
#pragma once

#include <deque>

#include "src/backend/wire.hpp"

namespace meari {
inline namespace v1 {

// States of RFC 9293. A socket that is not a stream stays `closed`.
enum class TcpPhase : std::uint8_t {
  closed,
  listen,
  syn_sent,
  syn_received,
  established,
  fin_wait_1,
  fin_wait_2,
  close_wait,
  closing,
  last_ack
};
[[nodiscard]] const char* name(TcpPhase phase) noexcept;  // "CLOSE_WAIT"

// A segment on its way.
struct WireFlight {
  Segment::Kind kind = Segment::Kind::data;
  bool lost = false;    // and to be sent again when it is due
  bool reset = false;   // somebody on the way makes it an RST for both ends
  bool closed = false;  // a FIN of a Unix-domain socket that is closed, not only finished
  std::uint32_t losses = 0;
  Time first{};  // when it departed for the first time
  Time due{};
  Bytes bytes;
  std::uint64_t received = 0;  // all before this number has come in
  std::uint64_t edge = 0;      // bytes up to this number may be sent
};

struct WireSocket {
  Descriptor id = no_descriptor;
  HostId host = 0;
  Role role = Role::stream;
  Family family = Family::ipv4;
  TcpPhase phase = TcpPhase::closed;
  bool open = false;   // has a descriptor. Without one it says goodbye, or belongs to a backlog
  bool bound = false;  // stands in its host's ports or names
  bool v6_only = false;
  bool reuse_port = false;
  bool reuse_address = false;
  bool was_connected = false;
  bool was_reset = false;  // or has given up: nothing is sent again
  bool probed = false;     // by keep-alive, after the other end had vanished
  Address local;           // as the program sees them
  Address peer;
  WireBackend* backend = nullptr;  // who is told
  SlotId slot;

  // ---- a stream. Numbers count bytes from 0; a FIN counts as one
  Descriptor other = no_descriptor;  // the other end
  HostId other_host = 0;
  Address from;  // as the network sees them
  Address to;
  std::deque<WireFlight> flight;  // to the other end, oldest first; one event waits for the first
  std::deque<Bytes> unsent;
  std::uint64_t sent = 0;  // the next number to send
  std::uint64_t acknowledged = 0;
  std::uint64_t edge = 0;  // the first number that may not be sent
  bool fin_wanted = false;
  bool fin_sent = false;
  bool writer_waits = false;  // was told would_block
  std::size_t unsent_bytes = 0;
  std::deque<Bytes> unread;
  std::size_t unread_bytes = 0;
  std::uint64_t received = 0;   // the next number to come
  std::uint64_t told_edge = 0;  // what the other end knows of our window
  std::uint64_t told_received = 0;
  bool fin_received = false;
  bool ack_flies = false;
  bool peer_closed = false;  // Unix-domain: nothing more can be sent to it
  Errc error = Errc::none;   // told once, to whoever asks first
  std::uint64_t retransmits = 0;
  Time syn_time{};
  Duration round_trip{-1};

  // ---- a listener
  std::uint32_t backlog = 0;
  std::vector<Descriptor> half_open;    // handshakes begun
  std::deque<Descriptor> queue;         // handshakes done
  Descriptor listener = no_descriptor;  // of a connection in one of these: whose it is

  // ---- a datagram socket
  std::deque<Wire::Letter> letters;
  std::size_t letter_bytes = 0;
  std::size_t letters_coming = 0;   // Unix-domain
  std::vector<Descriptor> writers;  // Unix-domain: those that wait for room here

  [[nodiscard]] bool is_local() const noexcept { return family == Family::local; }
  [[nodiscard]] bool is_connected() const noexcept {
    return phase != TcpPhase::closed && phase != TcpPhase::listen && phase != TcpPhase::syn_sent;
  }
  // Closed by its program, and still saying goodbye.
  [[nodiscard]] bool is_orphan() const noexcept { return !open && listener == no_descriptor; }
  [[nodiscard]] std::uint64_t unacknowledged() const noexcept { return unsent_bytes + (sent - acknowledged); }
};

// An IPv4 address mapped into IPv6 (RFC 4291, 2.5.5.2) as what it is.
[[nodiscard]] Address unmapped(const Address& address) noexcept;
// The address as a socket of this family tells it: IPv4 mapped where it is of IPv6.
[[nodiscard]] Address seen_by(Family family, const Address& address) noexcept;

}  // namespace v1
}  // namespace meari
