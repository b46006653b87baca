// Server: takes connections, gives each to a handler in a session of its own, and knows when enough is enough.
//
//   int main() { return serve("localhost:9000", echo); }            // with Ctrl-C, limits and a graceful stop
//
//   Server server(loop, echo, {.max_sessions = 1000});              // the same by hand
//   std::vector<Address> where = co_await server.listen("localhost:9000");
//   co_await server.run();                                          // until server.drain() has done its work
//
// A handler is `Task<>(Stream)` or `Task<>(Stream, Session&)`. Its failure ends its session and nothing else; so does
// an exception. What one session does never waits for another.
//
// What a peer got from a handler that failed may be half of an answer, so the Stream that the handler holds ends with RST
// then, and not with a FIN, which would say that this was all. A peer that timed out by the server's Timeouts gets a FIN.
//
// Limits pause and resume; nothing stops for ever. At max_sessions, or without descriptors or memory, nobody is taken
// from the queue until a session has ended (or 100 ms have passed), and at max_rate until the second is over; clients wait
// there meanwhile.
//
// drain(): nobody new is let into the queue, whoever is in it is still served, sessions that only wait for their peer
// are ended, busy ones may finish, and at the deadline the rest is cut off. drained() says how many of each.
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <meari/address.hpp>
#include <meari/listener.hpp>
#include <meari/loop.hpp>
#include <meari/stream.hpp>
#include <meari/task.hpp>
#include <meari/version.hpp>

namespace meari {
inline namespace v1 {

class Server;
struct ServerHouse;  // a loop with the sessions that run on it

// A session that waits for its peer looks idle from outside. What drain() does with it then:
enum class AtDrain : std::uint8_t {
  end,        // it is idle: ends it
  wait,       // it owes its peer an answer that has to come from elsewhere: lets it go on, up to the deadline
  end_input,  // its read fails with canceled, and the session goes on, up to the deadline: nothing more will come
};

// How a session ended.
struct SessionEnd {
  enum class How : std::uint8_t {
    finished,   // the handler returned
    peer_gone,  // reset, broken pipe: an ordinary event
    timed_out,  // idle or stalled
    too_slow,   // moved less than Timeouts::least_bytes in a window
    failed,     // error or exception say why
    drained,    // ended by drain() while it waited for its peer
    cut_off,    // ended by drain() at its deadline
  };
  How how = How::finished;
  Error error;            // failed, peer_gone, timed_out, too_slow
  std::string exception;  // what() of an exception of the handler
  Duration lasted{};
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  bool peer_finished = false;  // the peer's FIN had come
};
[[nodiscard]] MEARI_EXPORT const char* name(SessionEnd::How how) noexcept;  // "finished", "peer_gone" …

// One connection while its handler runs. Lives as long as the handler.
class MEARI_EXPORT Session {
 public:
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }           // unique in the process, from 1
  [[nodiscard]] const Address& source() const noexcept { return source_; }  // the peer's address, as accept(2) gave it
  [[nodiscard]] Time started() const noexcept { return started_; }
  // The server is about to stop: finish what has begun, begin nothing new.
  [[nodiscard]] bool draining() const noexcept;
  // What drain() does with this session while it waits for its peer. At any time, also while it drains.
  void at_drain(AtDrain what) noexcept { at_drain_ = what; }

 private:
  friend class Server;
  friend struct ServerHouse;
  Session(ServerHouse& house, Address source, Time started) noexcept
      : house_(&house), source_(std::move(source)), started_(started) {}
  ~Session() = default;
  [[nodiscard]] bool is_forced() const noexcept { return forced_ != SessionEnd::How::finished; }
  // In this order nothing is lost between them: a session that is idle should be small.
  ServerHouse* house_;
  [[no_unique_address]] Address source_;
  AtDrain at_drain_ = AtDrain::end;
  Time started_;
  [[no_unique_address]] StreamTerms terms_;             // of its stream
  SessionEnd::How forced_ = SessionEnd::How::finished;  // drain() ends it: `drained` or `cut_off`
  std::uint32_t id_ = 0;                                // as the backends count them
};

struct ServerOptions {
  ListenOptions listen;
  std::size_t max_sessions = 0;  // 0: as many as the process may have descriptors, less a reserve
  // Sessions at a time of one source: an IPv4 address, or the first 64 bits of an IPv6 address. Who comes beyond that is
  // accepted and closed at once. 0: no limit.
  std::size_t max_per_source = 0;
  // Sessions that begin within a second; the others wait in the system's queue, as they do at max_sessions. 0: no limit.
  std::size_t max_rate = 0;
  std::size_t descriptors_per_session =
      1;  // that a handler needs, the connection included; counts where max_sessions is 0
  Timeouts timeouts{std::chrono::minutes(5), std::chrono::seconds(30)};
  Duration drain = std::chrono::seconds(30);  // the longest that drain() takes
  Duration accept_delay{};                    // waits so long before each accept, to watch the queue fill
  std::size_t workers = 1;                    // of serve(): threads, each with a loop of its own; see Server::deal_to()

  // Asked for each connection, where it is set: who is not admitted is closed at once.
  std::function<bool(const Address& source)> admit;

  // Told on the thread of the server's own loop, in order, also of sessions that run elsewhere; must not wait. What they
  // cannot do for want of memory (std::bad_alloc) is not done: the server goes on. A connection for which there is no memory
  // is closed, and the next one has to wait a little.
  std::function<void(const Session&)> on_start;
  std::function<void(const Session&, const SessionEnd&)> on_end;
  // A source has had one connection too many: its max_per_source has been reached.
  std::function<void(const Address& source)> on_too_many;
  // "paused …", "resumed": one line for an episode, with the reason. English; `resumed` says which it is.
  std::function<void(bool resumed, std::string_view reason)> on_pause;
};

struct Drained {
  std::uint64_t finished = 0;       // sessions that ended by themselves while draining
  std::uint64_t idle = 0;           // that waited for their peer and were ended
  std::uint64_t cut_off = 0;        // that were busy at the deadline
  std::uint64_t dropped_bytes = 0;  // that peers sent after their session had been ended
};

class MEARI_EXPORT Server {
 public:
  using Handler = std::function<Task<>(Stream, Session&)>;

  // Takes a loop, starts no thread. The handler must be callable for as long as the server lives.
  template <class H>
    requires std::is_invocable_r_v<Task<>, H&, Stream, Session&> || std::is_invocable_r_v<Task<>, H&, Stream>
  Server(Loop& loop, H handler, ServerOptions options = {})
      : Server(loop, std::move(options), adapt(std::move(handler))) {}
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();  // not while it runs

  // Deals sessions to this loop as well, before run(): each goes to the loop that has the fewest. Another thread turns it
  // until run() has ended; its backend must be of the same make. The handler is copied for each loop: sessions on
  // different loops share nothing but what it refers to. Limits, counts and draining are those of the whole server.
  // Fails with invalid_argument where the backend is another one.
  Result<> deal_to(Loop& worker);

  // Opens listeners for all that `where` stands for, and says on which addresses, with the ports that were chosen.
  // May block while a name is looked up, so do it first. A loopback without IPv6 is no failure.
  Result<std::vector<Address>> listen(std::string_view where);
  Result<std::vector<Address>> listen(const Endpoint& where);
  // A listener that somebody else opened.
  void listen(Listener listener);

  // Serves until drain() has ended. Once. Cancelled it cuts off every session, also while it drains, and fails with canceled.
  [[nodiscard]] Task<> run();
  // Begins to drain. A second call ends at once what is left. On the loop's thread.
  void drain() noexcept;

  [[nodiscard]] bool draining() const noexcept { return draining_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t sessions() const noexcept { return sessions_; }
  [[nodiscard]] std::uint64_t accepted() const noexcept { return accepted_; }
  [[nodiscard]] const Drained& drained() const noexcept { return drained_; }
  [[nodiscard]] const std::vector<Listener>& listeners() const noexcept { return listeners_; }
  [[nodiscard]] Loop& loop() const noexcept { return loop_; }

 private:
  using House = ServerHouse;
  struct Active;   // a session and what the server keeps of it
  struct Dealt;    // one that runs on another loop
  struct Room;     // where acceptors wait while the house is full
  struct Counted;  // sessions of each source
  friend struct ServerHouse;

  Server(Loop& loop, ServerOptions options, Handler handler);

  template <class H>
  static Handler adapt(H handler) {
    if constexpr (std::is_invocable_r_v<Task<>, H&, Stream, Session&>) {
      return Handler(std::move(handler));
    } else {
      return [kept = std::move(handler)](Stream peer, Session&) mutable { return kept(std::move(peer)); };
    }
  }

  Task<> accept_all(Listener& listener);
  // When to look again whether one more session may begin; nothing: now.
  std::optional<Time> has_to_wait();
  House& least_busy() noexcept;
  Result<std::vector<Address>> open_listeners(const Endpoint& where);

  // On the server's thread.
  void begin_session(Arrival arrival, const Listener& listener);
  void admit(Arrival arrival, const Listener& listener);
  void session_is_over(Active& active, const SessionEnd& end);
  void make_room(const Active& active) noexcept;

  // On the thread of the session's loop.
  void arrive(Dealt& dealt);
  [[nodiscard]] bool enter(Active& active, SlotId slot,
                           std::uint64_t listener) noexcept;  // false: without its timeouts
  void start(Active& active, Stream stream, bool entered);
  void handler_ended(Active& active);
  void leave(Active& active, const TaskFailure& failure);
  static SessionEnd conclude(Active& active, const TaskFailure& failure);
  [[nodiscard]] static bool breaks_off(const Active& active, const TaskFailure& failure);
  [[nodiscard]] static SessionEnd::How judge(const Active& active, const TaskFailure& failure);
  static void end_idle(House& house);
  static void cut_off(House& house);

  void pause(const Error& shortage);
  template <std::invocable Reason>
  void pause(Reason reason);
  void resume();
  void end_idle();
  void cut_off();
  [[nodiscard]] bool anybody_lingers() const noexcept;
  [[nodiscard]] bool out_of_time() const noexcept;
  void count_drained(SessionEnd::How how) noexcept;
  void tell_drained();
  void tell(Event::What what, std::string_view note);

  Loop& loop_;
  ServerOptions options_;
  std::vector<std::unique_ptr<House>> houses_;  // that of our own loop first
  std::size_t next_house_ = 0;
  std::vector<Listener> listeners_;
  std::unique_ptr<Room> room_;
  std::unique_ptr<Counted> counted_;
  std::size_t sessions_ = 0;
  std::uint64_t accepted_ = 0;
  Time second_ends_{};              // of max_rate: the second that began with the first session in it
  std::size_t in_this_second_ = 0;  // sessions that began in it
  Drained drained_;
  std::atomic<bool> draining_ = false;
  Time drain_deadline_ = never;
  std::string paused_;  // the reason, while it lasts
};

// Threads that turn a loop each, until they are destroyed.
//
//   Result<Workers> workers = Workers::beside(loop, 3);
//   for (Loop* worker : workers->loops()) server.deal_to(*worker).value();
class MEARI_EXPORT Workers {
 public:
  // Loops with the same backend as `loop`. Fails as Loop::make() does, or when the system gives no thread.
  static Result<Workers> beside(Loop& loop, std::size_t count);
  Workers(Workers&&) noexcept;
  Workers& operator=(Workers&&) noexcept;
  ~Workers();

  [[nodiscard]] const std::vector<Loop*>& loops() const noexcept { return loops_; }

 private:
  struct Thread;
  Workers() noexcept;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::vector<Loop*> loops_;
};

// A whole server program: listens, prints where to standard error, serves until SIGINT or SIGTERM, drains; a second
// signal ends at once. Returns the exit status: 0, or 1 after a message on standard error.
[[nodiscard]] MEARI_EXPORT int serve(std::string_view where, Server::Handler handler, ServerOptions options = {});
template <class H>
  requires std::is_invocable_r_v<Task<>, H&, Stream> && (!std::is_invocable_r_v<Task<>, H&, Stream, Session&>)
[[nodiscard]] int serve(std::string_view where, H handler, ServerOptions options = {}) {
  auto with_session = [kept = std::move(handler)](Stream peer, Session&) mutable { return kept(std::move(peer)); };
  return serve(where, Server::Handler(std::move(with_session)), std::move(options));
}

// A whole client program: runs one Task on a loop of its own. SIGINT and SIGTERM cancel it. Returns the exit status: 0,
// 1 after a message on standard error when it failed, 130 when it was interrupted.
[[nodiscard]] MEARI_EXPORT int run(std::function<Task<>()> task);

}  // namespace v1
}  // namespace meari
