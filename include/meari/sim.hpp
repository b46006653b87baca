// Sim: your own server and clients, unchanged, on a network in memory, in virtual time, with chance from a seed.
//
//   const SimReport report = simulate({.seeds = 500}, [](const SimOptions& options) {
//     std::string answer;                                    // what Tasks refer to is made before the network
//     SimNetwork net(options);
//     net.host("server").run(serve_echo);                    // Tasks as they are: listen(), connect("server:9000") …
//     net.host("client").run([&] { return ask("server:9000", answer); });
//     net.run_for(10s);                                      // of virtual time: faults come and go
//     net.heal();
//     net.expect(net.run_until([&] { return answer == "hello"; }, 5min), "the client has its answer");
//   });
//   EXPECT_TRUE(report) << report.text();
//
// Stream, Listener, connect, Server, Datagram, sleep_for: all run on it as on a real network. Each host has a Loop, a
// clock, addresses and a name; the same seed gives the same run on every machine and compiler. A failure says which seed
// it was, which faults it had, what happened last, and how to repeat it. docs/simulation.md has a worked example, and
// what is not modelled (congestion control, TCP options, disks, threads: offload() still runs on real ones).
//
// All of it on one thread. Everything that Tasks refer to must live longer than the network.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <meari/dice.hpp>
#include <meari/loop.hpp>
#include <meari/scope.hpp>
#include <meari/task.hpp>
#include <meari/version.hpp>
#include <meari/weather.hpp>

namespace meari {
inline namespace v1 {

class SimNetwork;
class SimHost;

// How often what goes wrong: once in so many; 0: never.
struct SimFaults {
  // of calls
  std::uint32_t short_calls = 0;     // reads and writes move a part of what they could
  std::uint32_t blocked_calls = 0;   // say would_block although they need not, several times in a row
  std::uint32_t failed_accepts = 0;  // no descriptors, memory, buffers; or the connection was aborted
  std::uint32_t failed_opens = 0;    // no descriptors for a new socket
  std::uint32_t late_news = 0;       // the program is told late, after things that came later elsewhere
  // of segments
  std::uint32_t losses = 0;            // streams: sent again later. Datagrams: gone
  std::uint32_t splits = 0;            // arrive in pieces
  std::uint32_t resets = 0;            // become an RST for both ends
  std::uint32_t slow_connects = 0;     // a SYN takes seconds
  std::uint32_t black_holes = 0;       // of connections: the SYN never arrives
  std::uint32_t double_datagrams = 0;  // arrive twice, and out of order
  // of hosts, drawn when they are made
  std::uint32_t slow_readers = 0;   // what has come is read late
  std::uint32_t small_buffers = 0;  // a pool of two slabs, send buffers and windows of a few hundred bytes
  std::uint32_t skewed_clocks = 0;  // their clock is ahead
  // of tenths of a second, each host on its own; until heal()
  std::uint32_t jumps = 0;       // its clock goes forward
  std::uint32_t stops = 0;       // it does not run for a while, as under SIGSTOP or in a paused machine
  std::uint32_t partitions = 0;  // it is cut off from another host for a while
  std::uint32_t crashes = 0;     // it crashes and starts again after a while, where it has a program to start()
  // of networks
  std::uint32_t coarse_times = 0;  // everything takes whole milliseconds, so that things happen at the same time
};

// Draws which faults a seed has, each with a half chance, and how often they come. So every seed has a climate of its own:
// one that drops much and never resets finds what a little of everything would not ("swarm testing", Groce et al. 2012).
[[nodiscard]] MEARI_EXPORT SimFaults draw_faults(Dice& dice);
// "losses 30, resets 500"; "none".
[[nodiscard]] MEARI_EXPORT std::string to_string(const SimFaults& faults);

// One direction between two hosts.
struct SimLink {
  Duration latency = std::chrono::microseconds(50);  // at least
  Duration jitter = std::chrono::microseconds(50);   // up to so much more, drawn for each segment
  std::uint64_t bytes_per_second = 0;                // 0: no limit
  std::uint32_t losses = 0;                          // once in so many; 0: never
  std::size_t largest_segment = Passage::whole;
};

struct SimHostOptions {
  std::vector<Address> addresses;  // none: one of 10.0.0.0/8 is chosen
  std::size_t descriptors = std::size_t{1} << 20;
  std::uint32_t backlog = 4096;  // the longest that a listener may have
  std::size_t send_buffer = std::size_t{64} << 10;
  std::size_t window = std::size_t{128} << 10;
  std::size_t pool_bytes = std::size_t{4} << 20;
  Duration ahead{};  // of its clock
};

// What is left of a run when its network has gone. Filled in by SimNetwork for simulate().
struct SimRecord {
  std::uint64_t seed = 0;
  std::uint64_t hash = 0;
  std::uint64_t events = 0;
  Duration simulated{};
  std::vector<std::string> failures;
  std::string faults;
  std::function<std::string()> trace;  // its last events, a line each
};

struct SimOptions {
  std::uint64_t seed = 1;
  bool swarm = false;  // the seed draws the faults, and `faults` is not looked at
  SimFaults faults;
  SimLink link;                           // where SimNetwork::link() says nothing else
  std::size_t trace_events = 40;          // how many of the last events are kept for trace()
  std::uint64_t most_events = 5'000'000;  // more are a failure: it never comes to rest
  SimRecord* record = nullptr;            // or where to leave it
};

// Something that lasts as long as this lives: a partition, a rule.
class [[nodiscard]] MEARI_EXPORT SimGuard {
 public:
  SimGuard() noexcept = default;
  explicit SimGuard(std::function<void()> ending) noexcept : end_(std::move(ending)) {}
  SimGuard(SimGuard&& other) noexcept : end_(std::exchange(other.end_, nullptr)) {}
  // What it kept until now ends.
  SimGuard& operator=(SimGuard&& other) noexcept {
    const SimGuard before(std::exchange(end_, std::exchange(other.end_, nullptr)));
    return *this;
  }
  ~SimGuard() { end(); }
  void end() {
    if (const auto ending = std::exchange(end_, nullptr)) ending();
  }
  // It lasts as long as the network.
  void keep() noexcept { end_ = nullptr; }

 private:
  std::function<void()> end_;
};

class MEARI_EXPORT SimHost {
 public:
  SimHost(const SimHost&) = delete;
  SimHost& operator=(const SimHost&) = delete;
  ~SimHost();

  [[nodiscard]] const std::string& name() const noexcept;
  [[nodiscard]] HostId id() const noexcept;               // in rules
  [[nodiscard]] const Address& address() const noexcept;  // the first; port 0
  // Of the host as it runs now; a restart makes a new one. Only while is_up().
  [[nodiscard]] Loop& loop() const noexcept;

  // Spawns a Task: callable and arguments by value, as Loop::spawn().
  template <class F, class... Args>
  void run(F callable, Args... args) {
    loop().spawn(std::move(callable), std::move(args)...);
  }
  // The same, and again whenever the host has been restarted.
  void start(std::function<Task<>()> program);

  // It is gone at once and without a word on the network. Its Tasks are cancelled where nobody can see it: their
  // destructors run, and what they still say to the network fails. Inside a Task: as soon as the turn is over.
  void crash();
  // Boots again with an empty memory: what start() was given begins anew.
  void restart();
  [[nodiscard]] bool is_up() const noexcept;
  // It does not run until then, as under SIGSTOP. Its kernel still answers.
  void stop_for(Duration time);
  void jump_clock(Duration forward);

 private:
  friend class SimNetwork;
  struct Inside;
  explicit SimHost(std::unique_ptr<Inside> inside) noexcept;
  std::unique_ptr<Inside> inside_;
};

class MEARI_EXPORT SimNetwork {
 public:
  explicit SimNetwork(SimOptions options = {});
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;
  // All hosts crash: Tasks that still run are cancelled.
  ~SimNetwork();

  // The host of this name; made with the first call. Other hosts find it by that name.
  SimHost& host(std::string_view name);
  SimHost& add_host(std::string name, SimHostOptions options);
  [[nodiscard]] std::vector<SimHost*> hosts() const;

  // ---- the network
  void link(const SimHost& from, const SimHost& to, const SimLink& link);  // one direction
  void link_both(const SimHost& one, const SimHost& two, const SimLink& link);
  // Nothing comes through, in both directions: streams send again when their time comes, datagrams are gone.
  SimGuard partition(SimHost& one, SimHost& two);
  SimGuard partition(const std::vector<SimHost*>& some, const std::vector<SimHost*>& others);
  // Nothing comes through, in this direction. What streams have sent meanwhile goes on as soon as it ends.
  SimGuard clog(SimHost& from, SimHost& to);
  // Asked about every segment, after links and faults; a later rule after an earlier one.
  SimGuard rule(std::function<void(const Segment&, Passage&)> rule);

  // ---- time, which begins at 0
  [[nodiscard]] Time now() const noexcept;
  void run_for(Duration time);
  // Until the predicate, asked whenever something has happened, says so. False: `limit` was over, or nothing can happen
  // any more.
  [[nodiscard]] bool run_until(const std::function<bool()>& predicate, Duration limit = std::chrono::hours(1));
  // Until nothing can happen any more. False: `limit` was over.
  bool run(Duration limit = std::chrono::hours(24));
  // Calls it after so much time, between the turns of the hosts.
  void after(Duration time, std::function<void()> callable);

  // From now on nothing goes wrong: faults, partitions, clogs and rules end, hosts that faults have stopped or crashed run
  // again, what was lost is sent again at once. Links stay as they are.
  void heal();

  // ---- what came of it
  void expect(bool ok, std::string_view what);  // not ok: a failure of this run
  void fail(std::string what) { expect(false, what); }
  // What is left: sockets, Tasks, timers, bytes on loan. Nothing, when everybody has cleaned up and time has passed.
  [[nodiscard]] std::vector<std::string> left() const;
  // A failure for each of them.
  void expect_quiescent();
  [[nodiscard]] const std::vector<std::string>& failures() const noexcept;

  [[nodiscard]] std::uint64_t seed() const noexcept;
  [[nodiscard]] Dice dice(std::string_view purpose) const noexcept;  // a stream of chance of your own
  [[nodiscard]] const SimFaults& faults() const noexcept;
  [[nodiscard]] std::uint64_t hash() const noexcept;  // of all that has happened
  [[nodiscard]] std::uint64_t events() const noexcept;
  [[nodiscard]] std::string trace() const;  // the last events, a line each
  void note(std::string_view text);         // a line of your own in the trace; part of the hash
  struct Inside;

 private:
  std::shared_ptr<Inside> inside_;
};

struct SimSweep {
  std::uint64_t seeds = 100;  // 1 to so many; MEARI_SIM_SEEDS=N runs N, A-B those, MEARI_SIM_SEED=N one only
  std::uint64_t first = 1;
  SimOptions options;            // seed and record are set for each run
  bool swarm = true;             // each seed draws its faults; false: those of the options
  std::uint32_t twice = 20;      // once in so many seeds runs twice, to see that it gives the same; 0: never
  std::function<bool()> failed;  // asked after each run: has something outside failed? (a test framework)
  std::string repeat;            // the command that repeats a seed, with {} for it; else as this program was started
};

struct SimReport {
  std::uint64_t seeds = 0;        // that were run
  std::uint64_t failed_seed = 0;  // the first that failed; 0: none
  std::uint64_t events = 0;
  Duration simulated{};
  Duration taken{};  // real time
  std::vector<std::string> failures;
  std::string faults;
  std::string trace;
  std::string repeat;

  explicit operator bool() const noexcept { return failed_seed == 0; }
  // What failed, the seed, its faults, the last events and the command that repeats it; or one line of figures.
  [[nodiscard]] MEARI_EXPORT std::string text() const;
};

// Runs the scenario with one seed after the other, until one fails: by expect(), by an exception, by a Task that ended with
// an exception, by `failed`, or because the same seed did not give the same run. MEARI_SIM_TRACE=1 prints every event.
MEARI_EXPORT SimReport simulate(const SimSweep& sweep, const std::function<void(const SimOptions&)>& scenario);

}  // namespace v1
}  // namespace meari
