// Weather: what a simulated network does with segments and socket calls. For rules of your own in <meari/sim.hpp>.
//
//   net.rule([](const Segment& segment, Passage& passage) {
//     if (segment.kind == Segment::Kind::fin) passage.latency += 100ms;
//   });
//
// A network in memory (src/backend/wire.hpp) asks about everything that may go one way or another, and counts, queues and
// retransmits by itself. Whoever answers must draw from a seed (<meari/dice.hpp>) where chance is wanted, so that a run
// can be repeated.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>

#include <meari/address.hpp>
#include <meari/operation.hpp>
#include <meari/version.hpp>

namespace meari {
inline namespace v1 {

using HostId = std::uint32_t;

// What is on its way from one host to another. A view: valid during the call.
struct Segment {
  enum class Kind : std::uint8_t { syn, syn_ack, ack, data, fin, rst, datagram };
  Kind kind = Kind::data;
  HostId from_host = 0;
  HostId to_host = 0;
  Descriptor socket = no_descriptor;  // that sends it
  const Address* from = nullptr;      // IPv4 as such, even where a socket of IPv6 sends it
  const Address* to = nullptr;
  std::size_t size = 0;              // bytes in it
  std::span<const std::byte> bytes;  // and these are they
  std::uint32_t losses = 0;          // how often it was lost before
  Time time{};                       // now
};

// What becomes of a segment.
struct Passage {
  static constexpr std::size_t whole = std::numeric_limits<std::size_t>::max();
  Duration latency = std::chrono::microseconds(50);  // at least 1 ns. Within one direction of a stream nobody overtakes
  bool lost = false;         // a stream sends it again later: that delay is all its loss. A datagram is gone
  bool reset = false;        // a stream: both ends get an RST instead of it, as from a box on the way
  std::size_t most = whole;  // data: so many bytes of it at the most, the rest is a segment of its own. At least 1
  std::uint32_t copies = 1;  // datagrams: so many arrive
};

// A socket call that is about to be made.
struct WireCall {
  enum class What : std::uint8_t { open, connect, accept, receive, send, receive_from, send_to };
  What what = What::open;
  HostId host = 0;
  Descriptor socket = no_descriptor;
  bool listens = false;  // the socket, or it is going to
  Time time{};
};
// What becomes of it: it fails with `error`, or moves `most` bytes. Two errors are more than what the call says:
// would_block: it is tried again after `pause`. connection_aborted, of accept: the connection that was to be taken is
// reset, and the call goes on with the next one, as programs do on a system where accept(2) says ECONNABORTED.
struct Verdict {
  Errc error = Errc::none;
  std::size_t most = Passage::whole;  // at least 1
  Duration pause = std::chrono::microseconds(50);
};

// Decides about segments and calls. What is not set is fair: 50 µs, nothing lost, nothing cut, nothing refused.
struct Weather {
  std::function<Passage(const Segment&)> passage;
  std::function<Verdict(const WireCall&)> call;
  // How much later than it could a program is told that something has come for this socket, or that it may send again.
  std::function<Duration(HostId, Descriptor)> news;
};

// Something that happened, for traces. A view: valid during the call.
struct WireEvent {
  enum class What : std::uint8_t {
    opened,    // a descriptor has come into the world
    closed,    // and gone; size: bytes that nobody had read
    departed,  // a segment is on its way
    arrived,
    lost,      // a segment has to be sent again
    dropped,   // arrived where nobody wants it or where there is no room
    refused,   // the weather made a call fail; size: the Errc
    vanished,  // a socket has gone with its host
    given_up,  // nothing came through for too long
  };
  What what = What::opened;
  Segment::Kind kind = Segment::Kind::data;
  HostId host = 0;
  Descriptor socket = no_descriptor;
  std::size_t size = 0;
  Time time{};
  const Address* from = nullptr;  // of the socket; or nullptr
  const Address* to = nullptr;
  std::span<const std::byte> bytes;
};
[[nodiscard]] MEARI_EXPORT const char* name(WireEvent::What what) noexcept;
[[nodiscard]] MEARI_EXPORT const char* name(Segment::Kind kind) noexcept;

}  // namespace v1
}  // namespace meari
