// Steps: what the sockets of this process do, one step after the other, with what the kernel says about it. --explain
// draws its chart from them and --events writes them as JSON.
//
//   loop ── Event ──► Steps ── Step ──► Chart, or EventLines
//
// An Event says what a program did; a Step adds what the kernel made of it: the state of TCP (TCP_INFO), the queue of a
// listener, what both sides have finished. look() finds what no call tells: bytes and connections that wait.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string_view>

#include <meari/loop.hpp>
#include <meari/task.hpp>

namespace meari::command {

// What is known about a socket.
struct Track {
  bool listens = false;
  bool datagrams = false;
  bool attempts = false;    // connect() has not ended yet, or has failed
  bool port_given = false;  // bound before it was connected: our port was not the system's choice
  bool peer_finished = false;
  bool we_finished = false;
  bool peer_was_first = false;  // of the two above
  bool failed = false;
  std::uint64_t received = 0;  // bytes
  std::uint64_t sent = 0;
  Time opened{};
};

struct Step {
  enum class Wait : std::uint8_t {
    none,     // an Event
    sending,  // event.count bytes wait in the kernel to be taken by the peer
    reading,  // … to be read by us
    accept,   // event.count connections wait to be accepted
  };
  Wait wait = Wait::none;
  const Event& event;
  const Track& track;
  std::string_view tcp;     // "ESTABLISHED"; empty where it is not known
  std::size_t on_port = 0;  // accepted: sockets of this process on the listener's port, with the listener
  std::int64_t queue = -1;  // listening, accepted: connections that wait; -1: not known
  std::int64_t queue_limit = -1;
};

class Steps {
 public:
  using Teller = std::function<void(const Step&)>;
  explicit Steps(Teller teller) : teller_(std::move(teller)) {}

  void see(const Event& event);
  // Looks every quarter of a second at what waits. Never ends by itself.
  Task<> watch();

 private:
  struct Watched {
    Track track;
    Event last;  // number, descriptor, addresses
    std::uint64_t listener = 0;
    std::uint32_t waiting[3] = {};  // what waited when we last looked: to be sent, to be read, to be accepted
    bool told[3] = {};              // said in this episode
  };
  void look(Time now);
  void compare(Watched& watched, Step::Wait wait, std::uint32_t waiting, Time now);
  void tell(const Event& happened, const Watched& watched, Step::Wait wait);

  Teller teller_;
  std::map<std::uint64_t, Watched> sockets_;  // by number
};

}  // namespace meari::command
