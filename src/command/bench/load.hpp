// Load: what `meari bench` does to a server. A thread with a loop of its own for each worker; each has a share of the
// connections and counts for itself, so that nothing is shared while it is measured. (Or one worker on the loop that is there
// already: so a test runs all of it on the simulated wire, where delays are exact.)
//
//   main loop ── begin, stop ──► Worker ── conversations ──► server
//             ◄── opened, every second, done ──                 all of it posted from loop to loop
//
// A closed loop sends the next message when a reply has come, `depth` at a time. An open loop (a rate) sends message n at
// begin + n / rate, whatever the server does, and counts from when it was due: a server that stands still for a while is
// seen by all the messages that were due meanwhile, and not by the one that happened to be under way ("coordinated
// omission", G. Tene).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <meari/channel.hpp>
#include <meari/loop.hpp>
#include <meari/task.hpp>

#include "histogram.hpp"
#include "src/command/flags/options.hpp"

namespace meari::command {

// What one worker, or all of them together, have counted between the end of the warm-up and the end.
struct Tally {
  Histogram response;          // ns from when a message was due until its reply was complete
  std::vector<Counts> slices;  // the same, by the part of the time in which the reply came; the last may hold late ones
  Histogram service;           // ns from when it was sent; the same in a closed loop
  Histogram lateness;          // ns, of a timer that fires every 20 ms: how late this program itself was
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t opened = 0;                       // connections
  std::uint64_t wrong = 0;                        // replies that were not what they should have been
  std::uint64_t unanswered = 0;                   // messages whose reply never came
  std::uint64_t retransmits = 0;                  // TCP segments
  std::uint64_t lost = 0;                         // datagrams whose reply did not come in time
  std::uint64_t late = 0;                         // replies to these
  std::uint64_t twice = 0;                        // replies that had been there before
  std::uint64_t reordered = 0;                    // replies that came after one to a later datagram
  std::map<std::string, std::uint64_t> failures;  // how often which, in English
  Duration cpu{};                                 // of the thread
  Duration most_cpu{};                            // of the busiest thread
  Error first_failure;                            // of a connect
  std::string difference;                         // where the first wrong reply was wrong

  void add(const Tally& other);
  [[nodiscard]] std::uint64_t failed() const noexcept;
};

// What one second brought.
struct Glance {
  Histogram response;
  std::uint64_t failed = 0;
};

class Worker;

enum class Threads : std::uint8_t { own, none };  // none: one worker, on the home loop

class Load {
 public:
  // All of it on the loop that `home` is; workers post to it.
  Load(Loop& home, const BenchSettings& settings, Address target, Threads threads = Threads::own);
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  ~Load();

  // Starts the threads and waits until every connection is open, or has failed.
  Task<> open();
  // Begins now, and waits until all workers are done. `tell` is called about once a second.
  Task<> measure(std::function<void(const Glance&)> tell);
  // Instead of measure(): ends without having measured.
  Task<> abandon();
  void stop();  // ends early

  // After open(): of all connections, and why the first failed.
  [[nodiscard]] std::uint64_t opened() const noexcept;
  [[nodiscard]] Error first_failure() const noexcept;

  [[nodiscard]] const Tally& tally() const noexcept { return tally_; }
  [[nodiscard]] Duration opening() const noexcept { return opening_; }  // how long open() took
  [[nodiscard]] Duration slice_length() const noexcept { return slice_length_; }
  [[nodiscard]] Time measured_from() const noexcept { return from_; }
  [[nodiscard]] Time measured_to() const noexcept { return to_; }

 private:
  friend class Worker;
  Loop& home_;
  const BenchSettings& settings_;
  Address target_;
  Threads threads_;
  Duration slice_length_;
  std::vector<std::unique_ptr<Worker>> workers_;
  Channel<bool> news_{ChannelOptions{.capacity = 1024}};  // a worker has opened everything; later: is done
  std::function<void(const Glance&)> tell_;
  Glance glance_;
  unsigned glances_ = 0;
  Tally tally_;
  Duration opening_{};
  Time from_{};
  Time to_{};
};

// The time of this moment, which Loop::now() is not: that is the time of its turn.
[[nodiscard]] inline Time precise_now(Loop& loop) noexcept { return loop.backend().now(); }

// Where to receive the replies of datagrams to `target`.
[[nodiscard]] Result<Address> address_for_datagrams(const Address& target, Time now, unsigned index);

}  // namespace meari::command
