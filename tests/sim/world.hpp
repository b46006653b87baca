// World: random networks of servers and clients under all faults, and an oracle that knows what may come of it.
//
// Two to sixteen hosts; servers of four protocols with limits, timeouts and drains in the middle, which crash and come
// again; clients that try their jobs until they are done, and remember across crashes what has been acknowledged. After
// the faults have healed everything must finish, and at the end nothing may be left. The oracle:
//   - every byte that arrives is the next one of its stream; what a peer has acknowledged has arrived once, in order;
//   - a stream that ends with a FIN was complete; one that fails says so;
//   - every session that began has ended, also where its host crashed.
#pragma once

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <meari/meari.hpp>
#include <meari/sim.hpp>

namespace meari::worlds {

using namespace std::chrono_literals;

enum class Protocol : std::uint8_t { echo, count, greet, trade, room, datagrams };
constexpr std::uint64_t protocols = 6;

inline char nth_byte(std::uint64_t key, std::size_t place) { return static_cast<char>(mixed(key + place)); }
inline std::string stretch(std::uint64_t key, std::size_t from, std::size_t count) {
  std::string text(count, '\0');
  for (char& letter : text) letter = nth_byte(key, from++);
  return text;
}
inline std::uint64_t sum(std::string_view text) {
  std::uint64_t sum = text.size();
  for (const char letter : text) sum = mixed(sum ^ static_cast<unsigned char>(letter));
  return sum;
}

// Who is in the room that a server keeps, and what they have not heard yet.
struct Member {
  explicit Member(std::size_t capacity) : unheard(ChannelOptions{.capacity = capacity, .when_full = WhenFull::close}) {}
  Channel<Bytes> unheard;
};
using Room = std::vector<Member*>;

struct Service {
  SimHost* host = nullptr;
  const Service* target = nullptr;  // it only passes on what is said
  Duration pause{};                 // before an echo
  std::size_t patience = 16;        // lines that a member of a room may be behind
  Room* room = nullptr;             // while the server runs
  Protocol protocol = Protocol::echo;
  ServerOptions options;
  std::size_t greeting = 0;  // bytes
  Server* server = nullptr;  // while it runs
};

// What one client is to do; it survives crashes, as if it were on a disk.
struct Job {
  explicit Job(Dice own) : dice(own), key(dice.next()) {}
  Dice dice;
  std::uint64_t key;
  Service* service = nullptr;
  std::string where;
  Duration timeout{};
  std::vector<std::size_t> messages;  // sizes
  std::vector<bool> answered;         // of trade and datagrams
  int attempts = 0;
  bool done = false;
};

class World {
 public:
  explicit World(const SimOptions& options) : dice_(options.seed, "world"), net(options) { build(); }

  void run() {
    net.run_for(Duration(static_cast<Duration::rep>(dice_.below(20'000'000'000))));
    net.heal();
    const auto all_done = [this] { return std::ranges::all_of(jobs_, &Job::done); };
    if (!net.run_until(all_done, 2h))
      return net.fail("after the faults have healed not everything finishes:\n" + unfinished());
    over_ = true;
    for (const auto& service : services_) {
      if (service->server != nullptr) service->server->drain();
      if (service->protocol == Protocol::datagrams) service->host->loop().cancel();
    }
    if (!net.run(2h)) return net.fail("after everything has finished it does not come to rest:\n" + unfinished());
    net.expect_quiescent();
    net.expect(sessions_ == 0, "sessions began and did not end");
    net.expect(connections_.empty(), "connections were opened and not closed");
  }

 private:
  // ---- the world
  void build();
  void build_service(std::uint64_t place, bool both_families);
  void add_job(Service& service, std::deque<Job*>& list);
  [[nodiscard]] std::string unfinished() const;
  void check(std::string_view text, std::uint64_t key, std::size_t place, const char* who) {
    for (const char letter : text)
      if (letter != nth_byte(key, place++)) return net.fail(std::string(who) + ": a byte that is not the next one");
  }
  // Every connection that an observer hears of is closed once.
  void observe(Loop& loop);
  // Counts sessions while it lives.
  struct Open {
    explicit Open(World& given) : world(given) { ++world.sessions_; }
    ~Open() { --world.sessions_; }
    World& world;
  };

  // ---- servers
  Task<> serve_again_and_again(Service& service);
  Task<> serve_datagrams();
  Task<> session(Service& service, Stream peer, Session& session);
  Task<> count_session(Stream& peer);
  Task<> trade_session(Stream& peer, Session& session);
  Task<> echo_session(Service& service, Stream& peer);
  Task<> room_session(Service& service, Stream& peer);
  Task<> hear(Room& room, Stream& peer, std::string name);
  Task<> tell(Member& member, Stream& peer);
  Task<> pass_on(Service& service, Stream& peer);
  Task<> pump(Stream& from, Stream& to);

  // ---- clients
  Task<> no_server() { co_return; }
  Task<> work(std::deque<Job*> list);
  Task<> attempt(Job& job);
  Task<> talk(Job& job, Stream& peer);
  Task<> echo_job(Job& job, Stream& peer);
  Task<> count_job(Job& job, Stream& peer);
  Task<> greet_job(Job& job, Stream& peer);
  Task<> trade_job(Job& job, Stream& peer);
  Task<> room_job(Job& job, Stream& peer);
  Task<> say_lines(Job& job, Stream& peer);
  Task<> datagram_job(Job& job);
  Task<> write_all_of_it(Job& job, Stream& peer);
  Task<> send_orders(Job& job, Stream& peer);
  Task<> write_patiently(Job& job, Stream& peer, std::string text);
  Task<Chunk> read_patiently(Job& job, Stream& peer);

  Dice dice_;
  std::vector<std::unique_ptr<Service>> services_;
  std::deque<Job> jobs_;
  std::deque<std::deque<Job*>> lists_;
  std::map<std::uint64_t, std::uint64_t> ledger_;  // what trade servers have taken: order and sum
  std::size_t sessions_ = 0;
  std::set<std::uint64_t> connections_;  // that are open
  bool over_ = false;
  SimNetwork net;  // last: its Tasks refer to all of the above
};

}  // namespace meari::worlds
