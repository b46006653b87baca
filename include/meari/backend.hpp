// Backend: what moves the bytes. io_uring, epoll, a simulated wire or Windows' completion ports behind one contract;
// the contract suite (tests/contract) runs the same cases on each of them. Operation.hpp has the rules of operations.
//
// A backend belongs to one thread, that of its loop; only wake() may be called from elsewhere.
//
// Every socket has one slot in its backend: what has arrived and nobody has taken yet (at most 64 KiB), the end or
// the error that has been seen, who waits to receive, who waits to send. A slot is named by its SlotId; a name whose
// slot has been closed is answered with Errc::closed.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <meari/operation.hpp>
#include <meari/version.hpp>

namespace meari {
inline namespace v1 {

enum class Role : std::uint8_t { stream, listener, datagram, foreign };

// What kind of socket to make, bound and listening as asked.
struct Opening {
  Role role = Role::stream;
  Family family = Family::ipv4;
  Address local;            // bind here, where it has a family; a listener must have one
  int backlog = -1;         // listener: as long as the system allows
  bool reuse_port = false;  // several sockets share the port (SO_REUSEPORT)
  bool v6_only = false;     // "::" takes IPv4 as well, unless this is set
};

// How long a stream may do nothing, or too little. Zero: for ever.
struct Timeouts {
  Duration idle{};   // no byte in either direction while a receive waits
  Duration stall{};  // a send waits and the peer takes nothing
  // Against peers that keep a connection by a byte now and then: in each `window` at least `least_bytes` have to move, both
  // directions together, or what waits for the peer fails with timed_out. Silence is no progress either.
  Duration window{};
  std::uint64_t least_bytes = 0;
};

// Streams that their owners have let go and that say goodbye to their peers, and what those still sent. Changed by one
// loop, and read by any thread.
struct Farewells : std::enable_shared_from_this<Farewells> {
  std::atomic<std::size_t> lingering = 0;
  std::atomic<std::uint64_t> dropped_bytes = 0;  // received after the owner had gone
};

// Timeouts::window, as it goes on.
struct Progress {
  Duration window{};
  std::uint64_t least_bytes = 0;
  Time window_ends{};
  std::uint64_t bytes_before = 0;  // the window began, both directions together
};

// On what terms a stream is kept, and the totals that are left of it when it is closed. Belongs to whoever set it,
// who has to take it back (SlotPolicy::terms = nullptr) before it goes.
struct StreamTerms {
  struct Limits {
    std::uint32_t idle_ms = 0;  // Timeouts, as whole milliseconds; 0: for ever
    std::uint32_t stall_ms = 0;
    Progress* progress = nullptr;  // owned; most streams have none
  };
  struct Totals {
    std::uint64_t received = 0;  // bytes
    std::uint64_t sent = 0;
  };

  StreamTerms() noexcept : limits() {}
  StreamTerms(const StreamTerms&) = delete;
  StreamTerms& operator=(const StreamTerms&) = delete;
  ~StreamTerms() {
    if (!closed) delete limits.progress;
  }
  // There is nothing to limit any more: the totals take the place of the limits.
  void close(std::uint64_t received, std::uint64_t sent) noexcept {
    MEARI_ASSERT(!closed);
    delete limits.progress;
    closed = true;
    totals = {received, sent};
  }

  Farewells* farewells = nullptr;  // where a lingering close is counted; outlives this
  union {
    Limits limits;  // until it is closed
    Totals totals;  // then
  };
  // Last, and one byte: whoever keeps this has the rest of the word for himself.
  bool owned : 1 = false;  // made by Stream::set_timeouts() and deleted with the stream
  bool closed : 1 = false;
  bool peer_finished : 1 = false;
  bool too_slow : 1 = false;   // ended for lack of progress
  bool timed_out : 1 = false;  // … or for being idle or stalled: one of these timeouts, and none of the owner's own
  bool break_off : 1 = false;  // whoever lets go of the stream has failed: it ends with RST
};

// The part of a slot that streams keep there, so that a Stream is two words and an idle connection is small.
struct SlotPolicy {
  Timer timer;                   // looks at the timeouts when it fires; never set again for a message
  StreamTerms* terms = nullptr;  // none: no timeouts, nobody wants the totals
};

// What can be seen of a slot. A copy: it does not change afterwards.
struct SlotFacts {
  Role role = Role::stream;
  Descriptor descriptor = no_descriptor;
  std::uint64_t number = 0;        // of the connection, unique in this process, from 1
  std::size_t unread = 0;          // bytes that have arrived in the slot and that nobody has taken
  std::size_t unsent = 0;          // bytes that wait to be sent
  Operation* receiving = nullptr;  // who waits to receive (or to accept, or to connect)
  Operation* sending = nullptr;    // whose send is in flight
  bool connected = false;
  bool is_served_soon = false;       // something has come for the receive that waits, and others are served before it
  bool failed = false;               // receiving has failed; every receive will
  bool ended = false;                // the peer has finished sending, and all before it was taken
  bool finished = false;             // we have finished sending
  bool broken = false;               // nothing more can be sent
  std::uint64_t bytes_received = 0;  // in its whole life
  std::uint64_t bytes_sent = 0;
  Time last_received{};  // bytes last came
  Time last_sent{};      // bytes last went, or the waiting send was submitted
};

// TCP_INFO and the queues of the kernel, as plain numbers; -1 where the system does not say.
struct SocketInfo {
  std::string state;  // "ESTABLISHED", "CLOSE_WAIT" … (RFC 9293)
  std::int64_t rtt_us = -1;
  std::int64_t retransmits = -1;         // segments, over the whole life of the connection
  std::int64_t bytes_acknowledged = -1;  // by the peer
  std::int64_t bytes_received = -1;
  std::int64_t receive_queue = -1;  // bytes in the kernel that nobody has read; of a listener: connections waiting
  std::int64_t send_queue = -1;     // bytes in the kernel that the peer has not acknowledged; of a listener: its limit
};

class MEARI_EXPORT Backend {
 public:
  Backend() noexcept = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  virtual ~Backend() = default;

  // "epoll", "uring", "uring-floor", "wire", "iocp".
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;

  // A new socket. Fails as socket(2), bind(2) and listen(2) do.
  virtual Result<SlotId> open(const Opening& opening) = 0;
  // Takes over a descriptor; finds out by itself what it is, unless it is said to be foreign.
  // On failure the descriptor stays with the caller.
  virtual Result<SlotId> adopt(Descriptor descriptor, Role role) = 0;
  // The same for what an Accept of this make of backend has given: nothing needs to be found out.
  virtual Result<SlotId> adopt_accepted(Descriptor descriptor, [[maybe_unused]] const Address& from) {
    return adopt(descriptor, Role::stream);
  }
  // Ends one that nobody takes in, with RST. Needs no memory.
  virtual void turn_away(Descriptor accepted) noexcept {
    if (const Result<SlotId> slot = adopt_accepted(accepted, Address())) close(*slot, true);
  }
  // Gives the descriptor back, blocking as the rest of the world expects it. Fails with busy while operations are
  // pending or bytes unread.
  virtual Result<Descriptor> release(SlotId slot) = 0;
  // Two streams that are connected with each other.
  virtual Result<std::pair<SlotId, SlotId>> pair() = 0;

  virtual Submitted submit(Operation& operation) = 0;
  // The same for the two that every message needs: who knows what it is saves the backend from finding out.
  virtual Submitted submit(Receive& receive) { return submit(static_cast<Operation&>(receive)); }
  virtual Submitted submit(Send& send) { return submit(static_cast<Operation&>(send)); }
  // The operation, if still pending, is to complete with `reason`.
  virtual void cancel(Operation& operation, Errc reason = Errc::canceled) = 0;
  // Ends the slot at once: pending operations complete with canceled, unread bytes are dropped, the descriptor is
  // closed after the last completion. `abort`: with RST, so that the peer sees a failure and nothing lingers.
  virtual void close(SlotId slot, bool abort = false) = 0;

  // Waits until something is ready, until `until` or until wake(); completes what has finished into ready().
  // Does not wait when ready() is not empty, or when it has put off what it knows of. Returns what the clock said then: one
  // look at it serves the whole turn.
  virtual Time wait(Time until) = 0;
  virtual void wake() noexcept = 0;  // from any thread and from signal handlers
  [[nodiscard]] virtual Time now() const noexcept = 0;
  // A network with names of its own (a simulated one) answers here, at once. Nothing: ask the system.
  [[nodiscard]] virtual std::optional<Result<std::vector<Address>>> resolve(const Endpoint&) { return std::nullopt; }

  // So many sockets may still be opened here; nothing: as many as the process may have descriptors.
  [[nodiscard]] virtual std::optional<std::size_t> most_descriptors() const noexcept { return std::nullopt; }

  [[nodiscard]] virtual SlotFacts facts(SlotId slot) const = 0;
  [[nodiscard]] virtual SlotPolicy* policy(SlotId slot) noexcept = 0;  // nullptr when closed; its address stays
  [[nodiscard]] virtual Result<Address> local(SlotId slot) const = 0;
  [[nodiscard]] virtual Result<Address> peer(SlotId slot) const = 0;
  [[nodiscard]] virtual Result<SocketInfo> info(SlotId slot) const = 0;
  // Puts bytes back in front of what is unread.
  virtual void unread(SlotId slot, Chunk chunk) = 0;
  // How many slots are in use, and how many bytes of the pool are on loan.
  [[nodiscard]] virtual std::size_t slots_in_use() const noexcept = 0;
  [[nodiscard]] virtual std::size_t bytes_on_loan() const noexcept = 0;

  // What has completed, and whatever else the loop is to run, in this order.
  [[nodiscard]] ReadyList& ready() noexcept { return ready_; }

 protected:
  ReadyList ready_;
};

// Which backend to take. `automatic`: MEARI_BACKEND, else the fastest that passes its self-test.
enum class BackendChoice : std::uint8_t { automatic, uring, uring_floor, epoll, iocp };

struct BackendOptions {
  BackendChoice choice = BackendChoice::automatic;
  std::size_t pool_bytes = std::size_t{64} << 20;  // the most memory on loan at a time
};

struct ChosenBackend {
  std::unique_ptr<Backend> backend;
  std::string refused;  // why a faster one was not taken: "io_uring is disabled here (…); using epoll"; or empty
};

// Fails with what the system says when a backend that was named cannot be had (a named one is strict), with
// invalid_argument when MEARI_BACKEND is not a name.
[[nodiscard]] MEARI_EXPORT Result<ChosenBackend> choose_backend(const BackendOptions& options = {});

}  // namespace v1
}  // namespace meari
