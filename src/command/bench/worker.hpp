// Worker: one thread of a Load, with its share of the connections.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include <meari/channel.hpp>
#include <meari/datagram.hpp>
#include <meari/dice.hpp>
#include <meari/scope.hpp>
#include <meari/stream.hpp>

#include "load.hpp"
#include "ring.hpp"

namespace meari::command {

inline constexpr std::size_t most_under_way = 100'000;  // messages of one connection or socket in an open loop

// Bytes that repeat after a while, so that any part of an endless stream can be had, and checked, without making it.
class Pattern {
 public:
  // `longest`: the longest piece that is asked for at once.
  Pattern(std::string_view unit, std::size_t longest);
  // So long a period, and so little order, that a byte too many or too few is seen at once.
  static std::string noise();

  [[nodiscard]] std::span<const std::byte> at(std::uint64_t offset, std::size_t count) const noexcept;
  // How many of these bytes are what stands at `offset`, until the first that is not.
  [[nodiscard]] std::size_t match(std::uint64_t offset, std::span<const std::byte> bytes) const noexcept;

 private:
  std::size_t period_;
  std::size_t longest_;
  std::string bytes_;
};

class Worker {
 public:
  // `first` of all connections is the first of this worker, which has `share` of them.
  Worker(Load& load, unsigned first, unsigned share);
  ~Worker();

  void begin(Time begin);  // once it has opened everything
  void stop();             // whenever; from any thread
  void join();
  [[nodiscard]] Tally& tally() noexcept { return tally_; }

 private:
  struct Sent {
    Time due{};
    Time sent{};
    std::uint64_t end = 0;  // of its reply, counted over the whole conversation; of a datagram: how long it is
    bool answered = false;  // datagrams: others before it may not be
  };
  // What a conversation by datagrams needs beside what all have.
  struct Mail {
    Datagram socket;
    std::string message;                           // that is being sent
    std::uint64_t first = 0;                       // number of under_way.front()
    std::uint64_t next = 0;                        // number of the next one
    std::uint64_t newest = 0;                      // 1 + the highest number that was answered
    std::uint64_t awaited = 0;                     // under way and not answered
    std::uint64_t gone = 0;                        // were given up
    std::unordered_map<std::uint64_t, bool> lost;  // their numbers, lately; whether they counted
  };
  struct Talk {
    Stream stream;
    std::unique_ptr<Mail> mail;  // datagrams
    unsigned index = 0;          // among all connections
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::uint64_t promised = 0;  // bytes of replies that are to come in all
    Ring<Sent> under_way;
    Time heard{};  // when the last piece of a reply came
    bool writing = true;
    bool waiting = false;  // the writer: for room, or for the last replies
    Dice dice{0};
    Channel<bool> room{ChannelOptions{.capacity = 1, .when_full = WhenFull::drop_oldest}};

    [[nodiscard]] std::uint64_t unanswered() const noexcept { return mail ? mail->awaited : under_way.size(); }
  };

  void thread_main();
  Task<> work_here();  // on the home loop
  void tell_the_end(const Error& failure);
  Task<> work();
  Task<> open_all();
  Task<> open_some();
  Task<> measure_all();
  Task<> watch_time(Scope& scope);
  Task<> watch_lateness();
  Task<> tell_every_second();

  Task<> hold(Talk& talk);
  Task<> converse(Talk& talk);
  Task<> closed_loop(Talk& talk);  // one Task, for what fits into the buffers on the way
  Task<> two_ways(Talk& talk);     // one that writes and one that reads
  Task<> write_closed(Talk& talk);
  Task<> write_open(Talk& talk);
  Task<> read_all(Talk& talk);
  // Datagrams: datagram_worker.cpp
  [[nodiscard]] Result<> open_mail(Talk& talk);
  Task<> mail(Talk& talk);
  Task<> mail_closed(Talk& talk);
  Task<> mail_open(Talk& talk);
  Task<> post_open(Talk& talk);
  Task<> fetch_all(Talk& talk);
  Task<> post_one(Talk& talk, Time due);
  Task<> fetch_one(Talk& talk);
  void take(Talk& talk, const Received& received);
  void give_up(Talk& talk, Time sent_before);

  Task<> churn(Talk& talk);
  Task<> connect_and_talk(Talk& talk);

  [[nodiscard]] std::span<const std::byte> next_message(Talk& talk, Time due, Time now);
  // The same without its bytes, for who sends several at once. How long it is.
  [[nodiscard]] std::size_t begin_message(Talk& talk, Time due, Time now);
  [[nodiscard]] bool take(Talk& talk, const Chunk& data);
  void record(const Sent& sent, Time now, std::uint64_t times = 1);
  // Until somebody has heard something.
  Task<> wait_for_news(Talk& talk);
  void begin_slice(Time now);
  void end_slice(Time now);
  void count(const Error& error);
  [[nodiscard]] Task<Stream> connect_once();
  [[nodiscard]] Time precise() const noexcept { return precise_now(*loop_); }
  [[nodiscard]] bool stopping() const noexcept { return stopped_ || precise() >= end_; }
  [[nodiscard]] bool measured(Time time) const noexcept { return time >= from_ && time <= end_; }
  template <class F>
  void post_home(F callable);

  Load& load_;
  const BenchSettings& settings_;
  unsigned first_;
  unsigned share_;
  std::size_t least_;  // bytes of a message
  std::size_t most_;
  Pattern out_;
  Pattern in_;
  std::thread thread_;
  std::mutex guard_;
  Loop* loop_ = nullptr;  // of the thread, while it works; under guard_
  std::vector<std::unique_ptr<Talk>> talks_;
  unsigned next_ = 0;  // connection to open
  Channel<bool> begun_{ChannelOptions{.capacity = 1, .when_full = WhenFull::drop_oldest}};
  Time begin_{};
  Time from_ = never;
  Time end_ = never;
  bool stopped_ = false;
  unsigned talking_ = 0;  // conversations that have not ended
  Tally tally_;
  Histogram slice_;                 // what has come since the last slice was closed
  std::int64_t slice_number_ = -1;  // -1: warm-up
  Time slice_end_{};
  Histogram second_;  // closed slices, for the line that tells how it goes
};

}  // namespace meari::command
