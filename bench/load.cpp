// Load for echo servers on this machine: closed loop, every byte verified. Written on plain epoll and on nothing of
// libmeari, so that it measures all servers with the same yardstick.
//
//   load --connections 64 --size 64 --depth 1 --seconds 2 41234          one server, on port 41234
//   load … --rounds 12 --json 41234:800 41235:801                        two servers (PORT:PID), alternating
//   load --churn --connections 64 41234                                  connects, has one message echoed, closes; and again
//   load --afresh --connections 10000 41234:800 41235:801                opens its connections for each slice anew, because
//                                                                        a process may not have enough for all servers
//   load --hold --connections 10000 41234                                opens, echoes once, waits: a line of standard
//                                                                        input leads from each step to the next
//
// All connections to all servers are opened first. A round gives every server one slice of `--seconds`, in random
// order; `--depth` messages are under way on each connection, and what comes back is answered by as many new ones.
// A slice ends when the last of them has come back: the server sleeps then, so its CPU time is exact, and belongs to
// exactly the round trips that are reported. `--round-trips N` ends a slice after N instead.
//
// Each connection sends a stream of its own, and what comes back is compared byte by byte. Anything wrong is told, the
// connection is given up, and the exit status is 1.
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "histogram.hpp"

namespace {

struct Options {
  std::size_t connections = 64;
  std::size_t size = 64;
  std::size_t depth = 1;
  double seconds = 1;
  std::uint64_t round_trips = UINT64_MAX;  // a slice ends after so many
  std::size_t rounds = 1;
  std::uint64_t seed = 1;
  double warm_up = 0.1;  // seconds for each server, not reported
  bool json = false;
  bool hold = false;
  bool churn = false;
  bool afresh = false;
};

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "load: %s\n", what.c_str());
  std::exit(1);
}

std::uint64_t clock_ns(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

// CPU time of all threads of a process, in ns. Exact while they sleep.
std::uint64_t process_cpu_ns(int pid) {
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  std::uint64_t sum = 0;
  DIR* folder = ::opendir(tasks.c_str());
  if (folder == nullptr) fail("there is no process " + std::to_string(pid));
  while (const dirent* entry = ::readdir(folder)) {
    if (entry->d_name[0] == '.') continue;
    std::uint64_t ns = 0;
    std::ifstream(tasks + "/" + entry->d_name + "/schedstat") >> ns;
    sum += ns;
  }
  ::closedir(folder);
  return sum;
}

// What everybody sends: a long stretch of bytes that look random, which repeats after a prime number of bytes and is
// long enough to be sent from anywhere in the period without a seam. Connections differ in where they begin.
class Pattern {
 public:
  explicit Pattern(std::size_t longest) : bytes_(period + longest) {
    std::uint64_t state = 0x9e3779b97f4a7c15;
    for (std::size_t i = 0; i < bytes_.size(); ++i) {
      state ^= state << 13, state ^= state >> 7, state ^= state << 17;
      bytes_[i] = i < period ? static_cast<char>(state >> 32) : bytes_[i - period];
    }
  }
  [[nodiscard]] const char* at(std::uint64_t offset) const noexcept { return bytes_.data() + offset % period; }

 private:
  static constexpr std::size_t period = 32'749;
  std::vector<char> bytes_;
};

constexpr std::size_t receive_size = 256UL * 1024;  // one recv() takes at most so much

struct Connection {
  int descriptor = -1;
  bool broken = false;
  bool goes_on = false;         // is in Target::has_more_
  std::uint64_t first = 0;      // where in the pattern its stream begins
  std::uint64_t issued = 0;     // messages that were begun
  std::uint64_t sent = 0;       // bytes that the kernel took
  std::uint64_t received = 0;   // bytes
  std::uint64_t completed = 0;  // messages that are back
};

struct Slice {
  std::uint64_t round_trips = 0;
  std::uint64_t ns = 0;             // of wall time
  std::uint64_t load_cpu_ns = 0;    // of this program
  std::uint64_t server_cpu_ns = 0;  // 0 without PID
  std::uint64_t errors = 0;         // connections that were given up, so far
};

// A server, and our connections to it.
class Target {
 public:
  Target(const Options& options, const Pattern& pattern, int port, int pid)
      : options_(options), pattern_(pattern), port_(port), pid_(pid), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    connections_.resize(options.connections);
    begun_.resize(options.connections * options.depth);
    if (epoll_ < 0) fail("epoll_create1: " + std::string(std::strerror(errno)));
    if (!options.afresh && !options.churn) open_all();
  }
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;
  ~Target() {
    close_all();
    ::close(epoll_);
  }

  [[nodiscard]] int port() const noexcept { return port_; }
  [[nodiscard]] int pid() const noexcept { return pid_; }
  [[nodiscard]] std::uint64_t errors() const noexcept { return errors_; }

  Slice slice(double seconds, std::uint64_t round_trips, Histogram& latencies) {
    latencies_ = &latencies;
    latencies.clear();
    if (options_.afresh) {
      open_all();
      wait_until_quiet();
      if (options_.warm_up > 0) {
        run(options_.warm_up, round_trips);
        latencies.clear();
      }
    }
    Slice slice;
    const std::uint64_t server_cpu = pid_ != 0 ? process_cpu_ns(pid_) : 0;
    const std::uint64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    slice.ns = run(seconds, round_trips);
    slice.load_cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    slice.round_trips = latencies.total();
    slice.errors = errors_;
    if (pid_ != 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));  // it goes to sleep meanwhile
      slice.server_cpu_ns = process_cpu_ns(pid_) - server_cpu;
    }
    if (options_.afresh) {  // what closing costs belongs to nobody's slice
      close_all();
      wait_until_quiet();
    }
    return slice;
  }

 private:
  // Returns how long it took, in ns.
  std::uint64_t run(double seconds, std::uint64_t round_trips) {
    const std::uint64_t start = clock_ns(CLOCK_MONOTONIC);
    stop_at_ = start + static_cast<std::uint64_t>(seconds * 1e9);
    to_issue_ = round_trips;
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      if (options_.churn) begin_short_one(i, start);
      else issue(i, options_.depth, clock_ns(CLOCK_MONOTONIC));
    }
    turn_until_idle();
    return clock_ns(CLOCK_MONOTONIC) - start;
  }

  static constexpr std::uint64_t patience_ns = 10'000'000'000;  // for an answer

  [[nodiscard]] int connect() const {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) fail("socket: " + std::string(std::strerror(errno)));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port_));
    if (::connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      fail("connect to port " + std::to_string(port_) + ": " + std::strerror(errno));
    const int yes = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return descriptor;
  }

  void open_all() {
    has_more_.clear();
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      connections_[i] = Connection{.descriptor = connect(), .first = i * 7'919};
      watch(i, EPOLLIN | EPOLLOUT | EPOLLET);
    }
  }
  // With RST: ports that wait for stray segments would soon be all there are. Its own end never costs the server anything
  // that is measured.
  void close_all() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    for (Connection& connection : connections_) {
      if (connection.descriptor < 0) continue;
      if (options_.afresh) ::setsockopt(connection.descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      ::close(connection.descriptor);
      connection.descriptor = -1;
    }
  }
  void watch(std::size_t index, std::uint32_t what) const {
    epoll_event event{};
    event.events = what;
    event.data.u64 = index;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, connections_[index].descriptor, &event) != 0) fail("epoll_ctl");
  }
  // Until the server has had nothing to do for a while.
  void wait_until_quiet() const {
    if (pid_ == 0) return;
    std::uint64_t before = 0;
    for (std::uint64_t now = process_cpu_ns(pid_); now != before; now = process_cpu_ns(pid_)) {
      before = now;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  // ---- short connections: connect, one message, its echo, close; and the next. One round trip is all of that.

  void begin_short_one(std::size_t index, std::uint64_t now) {
    Connection& connection = connections_[index];
    if (connection.broken || to_issue_ == 0) return;
    --to_issue_;
    ++under_way_;
    connection = Connection{.descriptor = connect(), .first = index * 7'919, .issued = 1};
    begun_[index * options_.depth] = now;
    watch(index, EPOLLIN);
    send(connection);
  }

  void end_short_one(std::size_t index) {
    Connection& connection = connections_[index];
    const ssize_t count = ::recv(connection.descriptor, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return give_up(connection, count == 0 ? "closed by the server" : std::strerror(errno));
    const auto bytes = static_cast<std::size_t>(count);
    if (connection.received + bytes > connection.sent) return give_up(connection, "more came back than was sent");
    if (!same(connection, bytes)) return give_up(connection, "other bytes came back than were sent");
    connection.received += bytes;
    if (connection.received < options_.size) return;
    ::close(connection.descriptor);
    connection.descriptor = -1;
    const std::uint64_t now = clock_ns(CLOCK_MONOTONIC);
    latencies_->add(now - begun_[index * options_.depth]);
    --under_way_;
    if (now < stop_at_) begin_short_one(index, now);
  }

  void turn_until_idle() {
    std::uint64_t last_news = clock_ns(CLOCK_MONOTONIC);
    std::array<epoll_event, 1024> events;
    while (under_way_ != 0) {
      const int count =
          ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), has_more_.empty() ? 1000 : 0);
      if (count < 0 && errno != EINTR) fail("epoll_wait");
      if (count > 0 || !has_more_.empty()) {
        const std::vector<std::size_t> goes_on = std::exchange(has_more_, {});
        for (int i = 0; i < count; ++i) serve(events[static_cast<std::size_t>(i)]);
        for (const std::size_t index : goes_on) go_on(index);
        last_news = 0;
      } else if (last_news == 0) {
        last_news = clock_ns(CLOCK_MONOTONIC);
      } else if (clock_ns(CLOCK_MONOTONIC) - last_news > patience_ns) {
        for (Connection& connection : connections_)
          if (!connection.broken && connection.completed < connection.issued) give_up(connection, "no answer for 10 s");
      }
    }
  }

  void serve(const epoll_event& event) {
    Connection& connection = connections_[event.data.u64];
    if (connection.broken) return;
    if (options_.churn) return end_short_one(event.data.u64);
    if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !connection.goes_on) receive(event.data.u64);
    if ((event.events & EPOLLOUT) != 0 && !connection.broken) send(connection);
  }

  // Once, and then it is the turn of the others: a server that answers as fast as it is read from would otherwise have to do
  // with this one connection only, and look fast, while all others waited here.
  void receive(std::size_t index) {
    Connection& connection = connections_[index];
    const ssize_t count = ::recv(connection.descriptor, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) return;
    if (count < 0) return give_up(connection, std::strerror(errno));
    if (count == 0) return give_up(connection, "closed by the server");
    const auto bytes = static_cast<std::size_t>(count);
    if (connection.received + bytes > connection.sent) return give_up(connection, "more came back than was sent");
    if (!same(connection, bytes)) return give_up(connection, "other bytes came back than were sent");
    connection.received += bytes;
    answered(index, clock_ns(CLOCK_MONOTONIC));
    if (bytes < buffer_.size() || connection.goes_on) return;  // empty: what comes next is a new edge
    connection.goes_on = true;
    has_more_.push_back(index);
  }

  void go_on(std::size_t index) {
    Connection& connection = connections_[index];
    connection.goes_on = false;
    if (!connection.broken) receive(index);
  }

  // Compares in pieces that the pattern holds without a seam.
  [[nodiscard]] bool same(const Connection& connection, std::size_t count) const {
    const std::size_t piece = options_.size * options_.depth;
    for (std::size_t done = 0; done < count; done += piece) {
      const char* expected = pattern_.at(connection.first + connection.received + done);
      if (std::memcmp(buffer_.data() + done, expected, std::min(piece, count - done)) != 0) return false;
    }
    return true;
  }

  void answered(std::size_t index, std::uint64_t now) {
    Connection& connection = connections_[index];
    const std::uint64_t completed = connection.received / options_.size;
    const std::uint64_t news = completed - connection.completed;
    for (; connection.completed < completed; ++connection.completed)
      latencies_->add(now - begun_[index * options_.depth + connection.completed % options_.depth]);
    under_way_ -= news;
    if (news != 0 && now < stop_at_) issue(index, news, now);
  }

  void issue(std::size_t index, std::uint64_t count, std::uint64_t now) {
    Connection& connection = connections_[index];
    if (connection.broken) return;
    count = std::min(count, to_issue_);
    if (count == 0) return;
    to_issue_ -= count;
    under_way_ += count;
    for (; count != 0; --count, ++connection.issued)
      begun_[index * options_.depth + connection.issued % options_.depth] = now;
    send(connection);
  }

  void send(Connection& connection) {
    while (connection.sent < connection.issued * options_.size) {
      const std::uint64_t left = connection.issued * options_.size - connection.sent;
      const ssize_t count =
          ::send(connection.descriptor, pattern_.at(connection.first + connection.sent),
                 std::min<std::uint64_t>(left, options_.size * options_.depth), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count < 0 && errno == EAGAIN) return;  // EPOLLOUT follows
      if (count < 0) return give_up(connection, std::strerror(errno));
      connection.sent += static_cast<std::uint64_t>(count);
    }
  }

  void give_up(Connection& connection, const char* why) {
    std::fprintf(stderr, "load: port %d, connection %zu, byte %llu: %s\n", port_,
                 static_cast<std::size_t>(&connection - connections_.data()),
                 static_cast<unsigned long long>(connection.received), why);
    connection.broken = true;
    ++errors_;
    under_way_ -= connection.issued - connection.completed;
  }

  const Options& options_;
  const Pattern& pattern_;
  int port_;
  int pid_;
  int epoll_;
  std::vector<Connection> connections_;
  std::vector<std::uint64_t> begun_;   // when each message under way was issued: `depth` for each connection
  std::vector<std::size_t> has_more_;  // connections with something to receive that epoll does not tell of again
  std::uint64_t stop_at_ = 0;
  std::uint64_t to_issue_ = 0;
  std::uint64_t under_way_ = 0;  // messages
  std::uint64_t errors_ = 0;
  Histogram* latencies_ = nullptr;
  static inline std::array<char, receive_size> buffer_;
};

void print(const Options& options, std::size_t round, std::size_t which, const Target& target, const Slice& slice,
           const Histogram& latencies) {
  const double load = static_cast<double>(slice.load_cpu_ns) / static_cast<double>(slice.ns);
  const double server = static_cast<double>(slice.server_cpu_ns) / static_cast<double>(slice.ns);
  const auto us = [&](double share) { return static_cast<double>(latencies.percentile(share)) / 1000; };
  if (options.json) {
    std::printf(
        "{\"round\":%zu,\"target\":%zu,\"round_trips\":%llu,\"ns\":%llu,\"load_cpu_ns\":%llu,\"server_cpu_ns\":%llu,"
        "\"errors\":%llu,\"limited_by_load\":%s,\"p50_us\":%.3f,\"p90_us\":%.3f,\"p99_us\":%.3f,\"p999_us\":%.3f,"
        "\"max_us\":%.3f}\n",
        round, which, static_cast<unsigned long long>(slice.round_trips), static_cast<unsigned long long>(slice.ns),
        static_cast<unsigned long long>(slice.load_cpu_ns), static_cast<unsigned long long>(slice.server_cpu_ns),
        static_cast<unsigned long long>(slice.errors), load >= 0.95 ? "true" : "false", us(0.5), us(0.9), us(0.99),
        us(0.999), static_cast<double>(latencies.max()) / 1000);
  } else {
    std::printf(
        "port %d: %.0f round trips/s, p50 %.1f us, p99 %.1f us, p99.9 %.1f us, max %.1f us; this program's CPU %.0f %%",
        target.port(), static_cast<double>(slice.round_trips) * 1e9 / static_cast<double>(slice.ns), us(0.5), us(0.99),
        us(0.999), static_cast<double>(latencies.max()) / 1000, load * 100);
    if (target.pid() != 0)
      std::printf("; server's CPU %.0f %%, %.0f ns a round trip", server * 100,
                  static_cast<double>(slice.server_cpu_ns) / static_cast<double>(slice.round_trips));
    std::printf("%s\n", load >= 0.95 ? "; THE LOAD GENERATOR WAS THE LIMIT" : "");
  }
  std::fflush(stdout);
}

void next_step(const char* reached) {
  std::puts(reached);
  std::fflush(stdout);
  std::string line;
  std::getline(std::cin, line);
}

std::uint64_t number(std::string_view text, std::string_view name) {
  std::uint64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size() || value == 0)
    fail(std::string(name) + " wants a number above 0, not `" + std::string(text) + "`");
  return value;
}

struct Where {
  int port = 0;
  int pid = 0;
};

std::vector<Where> parse(int count, char** arguments, Options& options) {
  std::vector<Where> targets;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = arguments[i];
    const auto value = [&] {
      if (++i == count) fail(std::string(word) + " wants a value");
      return std::string_view(arguments[i]);
    };
    if (word == "--connections") options.connections = number(value(), word);
    else if (word == "--size") options.size = number(value(), word);
    else if (word == "--depth") options.depth = number(value(), word);
    else if (word == "--seconds") options.seconds = std::atof(std::string(value()).c_str());
    else if (word == "--warm-up") options.warm_up = std::atof(std::string(value()).c_str());
    else if (word == "--round-trips") options.round_trips = number(value(), word), options.warm_up = 0;
    else if (word == "--rounds") options.rounds = number(value(), word);
    else if (word == "--seed") options.seed = number(value(), word);
    else if (word == "--json") options.json = true;
    else if (word == "--hold") options.hold = true;
    else if (word == "--churn") options.churn = true;
    else if (word == "--afresh") options.afresh = true;
    else if (word.starts_with("-"))
      fail("there is no option " + std::string(word) + "; the source begins with all of them");
    else {
      const std::size_t colon = word.find(':');
      Where where{.port = static_cast<int>(number(word.substr(0, colon), "PORT"))};
      if (colon != std::string_view::npos) where.pid = static_cast<int>(number(word.substr(colon + 1), "PID"));
      targets.push_back(where);
    }
  }
  if (options.churn && (options.depth != 1 || options.hold)) fail("--churn has one message for each connection");
  if (options.churn && options.size > 16 * 1024) fail("--churn sends its message at once: 16384 bytes at most");
  if (targets.empty()) fail("which server? load --connections N --size B --depth D --seconds S PORT[:PID]…");
  if (options.round_trips != UINT64_MAX) options.seconds = 1e6;
  return targets;
}

}  // namespace

int main(int count, char** arguments) {
  Options options;
  const std::vector<Where> wanted = parse(count, arguments, options);
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  const Pattern pattern(std::max(options.size * options.depth, receive_size));
  std::vector<std::unique_ptr<Target>> targets;
  for (const Where& where : wanted)
    targets.push_back(std::make_unique<Target>(options, pattern, where.port, where.pid));

  const auto latencies = std::make_unique<Histogram>();
  if (options.hold) {
    next_step("opened");
    for (const auto& target : targets) target->slice(0, options.connections, *latencies);
    next_step("echoed");
  } else {
    if (options.warm_up > 0 && !options.afresh)
      for (const auto& target : targets) target->slice(options.warm_up, options.round_trips, *latencies);
    std::vector<std::size_t> order(targets.size());
    std::iota(order.begin(), order.end(), 0);
    std::mt19937_64 dice(options.seed);
    for (std::size_t round = 0; round < options.rounds; ++round) {
      std::shuffle(order.begin(), order.end(), dice);
      for (const std::size_t which : order) {
        const Slice slice = targets[which]->slice(options.seconds, options.round_trips, *latencies);
        print(options, round, which, *targets[which], slice, *latencies);
      }
    }
  }
  std::uint64_t errors = 0;
  for (const auto& target : targets) errors += target->errors();
  return errors == 0 ? 0 : 1;
}
