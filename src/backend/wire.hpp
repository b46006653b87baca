// Wire: a network in memory and in virtual time, and on it backends for loops that know no other.
//
//   Wire wire;
//   const HostId left = wire.add_host({.name = "left", .addresses = {{"10.0.0.1", 0}}});
//   const HostId right = wire.add_host({.name = "right", .addresses = {{"10.0.0.2", 0}}});
//   std::unique_ptr<Backend> server = make_wire_backend(wire, left);
//   std::unique_ptr<Backend> client = make_wire_backend(wire, right);
//
// A Wire does what the kernel and the network do for the other backends: ports and names of each host, handshakes,
// backlogs, windows, FIN and RST, datagrams. Everything that takes time is an event; events happen in the order of their
// time, and of their making where the times are equal. No real time, no address in memory and no hash order decides
// anything: the same calls give the same events, and hash() says whether they did.
//
// ---- Driving it
// One loop: nothing to do. Its wait(until) lets events happen until one concerns it, and when none does moves the clock
// to `until`. With wait(never) and no event left it blocks until somebody calls wake().
//
// Several loops on one thread: say drive(), and wait() never moves the clock; it notes when the loop wants to be turned
// again (its next timer). Then whoever drives turns every loop until all of them wait, and lets one event happen:
//
//   wire.drive();
//   do {
//     for (Loop* loop : loops) loop->turn(never);
//   } while (wire.somebody_awake() || wire.step());     // ends when nothing can happen any more
//
// To stop at a time: `|| (wire.next_time() <= end && wire.step())`. Loops that are turned with turn(until = now) work as
// well, but then their timers are unknown here: step() only what comes before the next of them, else advance_to() it.
// Turning only awake(backend) loops gives the same events. All of it on one thread; wake() alone may come from others.
// Say drive(false) before you call what turns a loop by itself: run(), block_on(), and the destructor of a Loop that has
// Tasks or lingering connections, which it sees off.
//
// ---- What is modelled, and what is not
// As Linux does it, as measured on 6.18: see the comments at each rule in wire_stream.cpp and wire_ports.cpp; what can be
// observed from a program is compared with the kernel in tests/conformance. Modelled are
// the order of bytes, send buffers and receive windows, SYN retransmission, loss as delay (a lost segment holds all that
// follow it in its direction until it is sent again). Not modelled: congestion control, delayed acknowledgement, options,
// urgent data, simultaneous open, TIME_WAIT (a closed port is free at once), IP fragments, ICMP to datagram sockets;
// keep-alive only so far that a peer is told, too, when one end gives up, that a lost RST comes again, and that those who
// are connected with a host that has crashed find out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <queue>
#include <span>
#include <string>
#include <vector>

#include <meari/backend.hpp>
#include <meari/bytes.hpp>
#include <meari/weather.hpp>

namespace meari {
inline namespace v1 {

struct WireSocket;  // wire_socket.hpp
struct WireFlight;
class WireBackend;  // wire_backend.hpp

struct HostSetup {
  std::string name;                // for traces
  std::vector<Address> addresses;  // besides 127.0.0.0/8 and ::1, which every host has; ports do not matter
  std::size_t descriptors = std::size_t{1} << 20;   // open at a time; then too_many_descriptors
  std::uint32_t backlog = 4096;                     // the longest that a listener may ask for (somaxconn)
  std::size_t send_buffer = std::size_t{64} << 10;  // bytes of one stream that wait to be acknowledged
  std::size_t window = std::size_t{128} << 10;      // bytes of one stream that wait to be received
  std::size_t datagram_queue = 212'992;             // of one socket, with what the kernel adds to each; then it drops
  Duration user_timeout{};  // what comes through nowhere for so long gives up (TCP_USER_TIMEOUT); 0: Linux's own tries
  std::uint16_t first_ephemeral = 32768;
  std::uint16_t last_ephemeral = 60999;
  Duration ahead{};  // its clock is so much ahead of the wire's; not negative
};

class Wire {
 public:
  Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  ~Wire();  // after its backends

  HostId add_host(HostSetup setup = {});
  [[nodiscard]] const HostSetup& host(HostId host) const { return hosts_.at(host).setup; }
  [[nodiscard]] std::size_t hosts() const noexcept { return hosts_.size(); }
  [[nodiscard]] const HostId* find_host(std::string_view name) const noexcept;  // nullptr: nobody is called so
  // Asked as long as the wire lives: closing sends segments, too.
  void set_weather(Weather weather) { weather_ = std::move(weather); }
  // Called for everything that happens; must not touch the wire.
  void watch(std::function<void(const WireEvent&)> watcher) { watcher_ = std::move(watcher); }

  // ---- time, which begins at 0
  [[nodiscard]] Time now() const noexcept { return now_; }
  // When the next event is due or, on a driven wire, a loop wants to be turned; never: nothing will happen by itself.
  [[nodiscard]] Time next_time() const noexcept;
  // Lets one event happen, or wakes the loops whose time has come. False: there was nothing.
  bool step();
  // Lets everything happen that is due until then, and moves the clock there. Never back.
  void advance_to(Time time);
  // From now on waiting does not move the clock, or does so again.
  void drive(bool driven = true) noexcept { driven_ = driven; }
  [[nodiscard]] bool somebody_awake() const noexcept;  // a loop that has something to do, or has not been asked yet
  [[nodiscard]] bool awake(const Backend& backend) const noexcept;

  // ---- what hosts and networks go through (wire_faults.cpp)
  // The host stops at once: its sockets are gone without a word, whatever is sent to it is lost, and who is connected with
  // it finds out when an answer fails to come, or by keep-alive. Its backends are cut off: every call fails with closed,
  // and they have a time of their own, so that a Loop on them can be destroyed without anybody noticing.
  void crash(HostId host);
  // It may be used again, with new backends. To what is sent to its old connections it answers RST.
  void restart(HostId host);
  [[nodiscard]] bool is_up(HostId host) const { return hosts_.at(host).up; }
  // Its clock goes forward at once.
  void jump(HostId host, Duration ahead);
  // What was lost on the way from one to the other is sent again now, instead of when its time comes.
  void hurry(HostId from, HostId to);

  // ---- what can be seen
  [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }                        // of all events until now
  [[nodiscard]] std::uint64_t happened() const noexcept { return happened_; }                // their number
  [[nodiscard]] std::size_t descriptors(HostId host) const { return hosts_.at(host).open; }  // open there
  [[nodiscard]] bool driven() const noexcept { return driven_; }
  [[nodiscard]] std::size_t sockets() const noexcept {
    return living_;
  }  // with those that are closed and still say goodbye

  [[nodiscard]] std::string dump() const;  // every socket in a line

  // ---- the system calls, for backends. They never wait: would_block
  Result<Descriptor> open(HostId host, const Opening& opening);
  Result<std::pair<Descriptor, Descriptor>> pair(HostId host);
  // in_progress: it has begun; connect_result() tells the end. Anything else: it failed.
  Error connect(Descriptor socket, const Address& target);
  [[nodiscard]] Error connect_result(Descriptor socket);  // would_block: not yet
  struct Taken {
    Descriptor socket = no_descriptor;
    Address from;
  };
  Result<Taken> accept(Descriptor listener);
  Result<std::size_t> send(Descriptor socket, std::span<const std::span<const std::byte>> pieces);
  Result<std::size_t> receive(Descriptor socket, std::span<std::byte> room);  // 0: the peer has finished sending
  Result<> finish(Descriptor socket);
  void close(Descriptor socket, bool abort);
  Result<> send_to(Descriptor socket, std::span<const std::byte> bytes, const Address& target);
  struct Letter {
    Bytes bytes;
    Address from;
    std::size_t cost = 0;  // of the receiver's queue
  };
  Result<Letter> receive_from(Descriptor socket);

  [[nodiscard]] std::size_t readable(Descriptor socket) const;  // bytes that receive() would give
  [[nodiscard]] Result<Address> local(Descriptor socket) const;
  [[nodiscard]] Result<Address> peer(Descriptor socket) const;
  [[nodiscard]] Result<SocketInfo> info(Descriptor socket) const;

  // Who is told when a call on this socket may give something else than before.
  struct Found {
    Role role = Role::stream;
    bool local = false;
    bool connected = false;
  };
  Result<Found> attach(Descriptor socket, HostId host, WireBackend& backend, SlotId slot);
  void detach(Descriptor socket);

 private:
  friend class WireBackend;
  struct Host {
    HostSetup setup;
    std::size_t open = 0;
    bool up = true;
    std::map<std::uint16_t, std::vector<Descriptor>> ports[2];  // of streams, of datagrams
    std::uint16_t next_port[2] = {};
    std::map<std::string, Descriptor, std::less<>> names;  // Unix-domain; no_descriptor: the path is still there
  };
  struct Post {  // a datagram on its way
    Descriptor sender = no_descriptor;
    Bytes bytes;
    HostId host = 0;  // where it goes
    Address from;
    Address to;
  };
  struct Due {
    enum class What : std::uint8_t { arrival, post, stir, unreachable, fin_timeout, keep_alive };
    Time time;
    std::uint64_t order;
    Descriptor socket;  // post: of the sender
    What what;
    friend bool operator>(const Due& a, const Due& b) noexcept {
      return a.time != b.time ? a.time > b.time : a.order > b.order;
    }
  };

  // wire.cpp
  WireSocket* find(Descriptor socket) const noexcept;
  WireSocket& make(HostId host, Role role, Family family);
  void bury(WireSocket& socket);  // if nothing is left of it
  [[nodiscard]] bool has_descriptor(HostId host) const { return hosts_[host].open < hosts_[host].setup.descriptors; }
  void forget_idle_events();
  void give_descriptor(WireSocket& socket);
  std::uint64_t schedule(Time time, Due::What what, Descriptor socket);
  void happen(const Due& due);
  void carry(WireSocket& socket, std::size_t place);  // a segment of this socket departs
  Passage passage(const Segment& segment);
  void arrive(WireSocket& socket);
  bool depart_again(WireSocket& socket);
  Time next_try(const WireSocket& socket, const WireFlight& flight) const;
  void give_up(WireSocket& socket);
  void record(WireEvent::What what, const WireSocket& socket, Segment::Kind kind, std::size_t size,
              std::span<const std::byte> bytes = {});
  Errc judge(WireCall::What what, const WireSocket& socket, std::size_t& most);
  void stir(WireSocket& socket);  // its program is told, now or later
  void tell(WireSocket& socket);
  void enlist(WireBackend& backend);
  void leave(WireBackend& backend);

  // wire_faults.cpp
  void cut(WireSocket& socket);
  void keep_alive(WireSocket& socket);
  void fin_timeout(WireSocket& socket);
  void wait_for_fin(WireSocket& socket);

  // wire_stream.cpp
  void post(WireSocket& socket, Segment::Kind kind, Bytes bytes = {});
  bool deliver(WireSocket& socket);  // the oldest segment of this socket; false: no room for it
  void deliver_to(WireSocket& peer, WireSocket& sender);
  bool deliver_syn(WireSocket& client);
  void deliver_syn_ack(WireSocket& embryo);
  void answer_with_reset(WireSocket& to);
  void acknowledged(WireSocket& socket, std::uint64_t upto, std::uint64_t edge);
  void acknowledge(WireSocket& socket);
  void into_queue(WireSocket& socket);
  void data_came(WireSocket& socket, Bytes bytes);
  void fin_came(WireSocket& socket, bool closed);
  void reset_came(WireSocket& socket);
  void pump(WireSocket& socket);
  void begin_finish(WireSocket& socket);
  void end(WireSocket& socket, Errc error);
  void close_listener(WireSocket& listener);
  void close_stream(WireSocket& socket, bool abort);

  // wire_ports.cpp
  Result<> bind(WireSocket& socket, const Opening& opening);
  Result<> bind_ip(WireSocket& socket, const Address& address);
  Result<> bind_path(WireSocket& socket, const Address& address);
  bool bind_ephemeral(WireSocket& socket, std::uint16_t besides);
  [[nodiscard]] bool is_taken(const WireSocket& socket) const;
  void enter(WireSocket& socket);
  void unbind(WireSocket& socket);
  struct Route {
    HostId host = 0;
    bool exists = false;
    Address from;  // the address of ours that it comes from, and where it goes: as the network sees them, without port
    Address to;
  };
  Result<Route> route(const WireSocket& socket, const Address& target) const;
  [[nodiscard]] bool has_address(HostId host, const Address& address) const;
  [[nodiscard]] Address own_address(HostId host, Family family) const;
  [[nodiscard]] bool is_connected_already(const WireSocket& socket) const;
  Error begin_connect(WireSocket& socket, const Address& target);
  Error begin_connect_path(WireSocket& socket, const Address& target);
  WireSocket* bound_at(HostId host, Role role, const Address& address, const Address& from);
  WireSocket* bound_path(HostId host, Role role, std::string_view path) const;
  Result<> send_to_path(WireSocket& socket, std::span<const std::byte> bytes, const Address& target);
  void deliver_post(Post post);

  std::vector<Host> hosts_;
  std::map<std::string, HostId, std::less<>> host_names_;  // of two with the same name the first
  std::map<Address, HostId> homes_;                        // whose address it is; port 0
  std::vector<std::unique_ptr<WireSocket>> sockets_;  // by descriptor; gone ones stay empty, numbers are not used again
  std::size_t living_ = 0;
  std::vector<WireBackend*> backends_;
  Weather weather_;
  std::function<void(const WireEvent&)> watcher_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> agenda_;
  std::map<std::uint64_t, Post> posts_;  // by the order of their event
  std::uint64_t order_ = 0;
  Time now_{};
  std::uint64_t hash_ = 0;
  std::uint64_t happened_ = 0;
  bool driven_ = false;
  std::vector<std::byte> scratch_;
};

// A backend for one loop of this host; a host may have several, and a descriptor of one may be adopted by another.
// The wire must live longer.
[[nodiscard]] std::unique_ptr<Backend> make_wire_backend(Wire& wire, HostId host,
                                                         std::size_t pool_bytes = std::size_t{64} << 20);

}  // namespace v1
}  // namespace meari
