// Observer: sees everything that a loop's sockets do. The log, `--explain`, JSON events, metrics and the live page
// are all made from it; it costs nothing when nobody looks.
//
//   loop.observe([](const Event& event) { std::cerr << name(event.what) << ' ' << event.peer.to_string() << '\n'; });
//
// It is called on the loop's thread, between two steps of the work, and must not wait, nor touch the loop.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include <meari/address.hpp>
#include <meari/error.hpp>
#include <meari/operation.hpp>
#include <meari/version.hpp>

namespace meari {
inline namespace v1 {

struct Event {
  enum class What : std::uint8_t {
    opened,      // socket()
    bound,       // bind()
    listening,   // listen()
    connecting,  // connect() has begun
    connected,
    accepted,
    received,       // count bytes, in payload
    sent,           // count bytes, in payload where they are still there
    peer_finished,  // the peer's FIN has been read
    finished,       // our FIN is on its way
    closed,         // note: "reset" when it was broken off
    failed,         // error says what
    paused,         // a listener takes nobody for now; note says why
    resumed,
    refused,  // a connection was closed at once; note says why
    drained,  // a server has ended; note has the counts
  };

  What what = What::opened;
  std::uint64_t connection = 0;  // unique in the process, from 1
  std::uint64_t listener = 0;    // accepted: the number of the listener
  Descriptor descriptor = no_descriptor;
  Time time{};  // of the loop
  Address local;
  Address peer;
  std::uint64_t count = 0;
  std::span<const std::byte> payload;  // valid during the call
  Error error;
  std::string_view note;  // valid during the call; English
};

// "accepted", "received": stable names for scripts.
[[nodiscard]] MEARI_EXPORT const char* name(Event::What what) noexcept;

using Observer = std::function<void(const Event&)>;

}  // namespace v1
}  // namespace meari
