// The sessions of each source in simulated worlds: hosts come and go as chance has it, sessions end in every way that there
// is, accepting fails, hosts crash. No source ever has more than its share, nobody is refused who is below it, and when all
// have gone every source has its whole share again: a count that leaks (as in systemd and xinetd) would lock it out.
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <meari/meari.hpp>
#include <meari/sim.hpp>

namespace meari {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t most = 2;

class Sources {
 public:
  explicit Sources(const SimOptions& options) : net_(options), dice_(net_.dice("sources")) {}

  void run() {
    server().start([this] { return serve(); });
    net_.run_for(1ms);
    for (const char* name : {"one", "two", "three"})
      for (int i = 0; i < 4; ++i) net_.host(name).run([this] { return come_and_go(); });
    net_.run_for(20s);
    calm_ = true;
    net_.heal();
    net_.expect(net_.run_until([this] { return going_ == 0 && active_.empty(); }, 10min), "all have gone");
    for (const char* name : {"one", "two", "three"}) net_.host(name).run([this] { return take_the_whole_share(); });
    net_.expect(net_.run_until([this] { return whole_shares_ == 3; }, 1min), "each source has its whole share again");
  }

 private:
  SimHost& server() { return net_.host("server"); }

  // Each time that the host boots.
  Task<> serve() {
    active_.clear();
    ServerOptions options{.max_per_source = most, .timeouts = {.idle = 2s, .stall = 2s}};
    options.on_start = [this](const Session& session) {
      net_.expect(++active_[session.source().with_port(0)] <= most, "no source has more than its share");
    };
    options.on_end = [this](const Session& session, const SessionEnd&) {
      const auto at = active_.find(session.source().with_port(0));
      if (--at->second == 0) active_.erase(at);
    };
    options.on_too_many = [this](const Address& source) {
      net_.expect(active_[source.with_port(0)] == most, "nobody is refused who is below his share");
    };
    Server server(*Loop::current(), [this](Stream peer) { return handle(std::move(peer)); }, std::move(options));
    const Result<std::vector<Address>> where = server.listen(":9000");
    if (!where) co_return co_await Error(where.error());  // it has crashed
    co_await server.run();
  }

  Task<> handle(Stream peer) {
    const std::uint64_t how = calm_ ? 0 : dice_.below(5);
    while (Chunk data = co_await peer.read()) {
      if (how == 1) throw std::runtime_error("as handlers do");
      if (how == 2) co_return;
      if (how == 3) peer.abort();
      if (how == 3) co_return;
      co_await peer.write(std::move(data));
    }
  }

  // Ends with its host, which may crash: so it is counted by what it leaves.
  Task<> come_and_go() {
    struct Going {
      explicit Going(int& counter) : count(counter) { ++count; }
      ~Going() { --count; }
      int& count;
    } going(going_);
    while (!calm_) {
      static_cast<void>(co_await as_result(with_timeout(5s, one_visit())));
      co_await sleep_for(std::chrono::milliseconds(dice_.below(200)));
    }
  }

  Task<> one_visit() {
    Stream peer = co_await connect("server:9000");
    const std::uint64_t how = dice_.below(4);
    if (how == 0) co_return;
    co_await peer.write("x");
    if (how == 1) co_return peer.abort();
    const Chunk reply = co_await peer.read();
    co_await sleep_for(std::chrono::milliseconds(dice_.below(3000)));
    if (how == 2) co_await peer.finish();
  }

  Task<> take_the_whole_share() {
    std::vector<Stream> all;
    while (all.size() < most) {
      Stream peer = co_await connect("server:9000");
      co_await peer.write("x");
      const Chunk reply = co_await peer.read();
      if (reply.empty()) co_return net_.fail("a place has leaked");
      all.push_back(std::move(peer));
    }
    Stream beyond = co_await connect("server:9000");
    const Result<Chunk> nothing = co_await as_result(beyond.read());
    net_.expect(!nothing || nothing->empty(), "who comes beyond the share is closed");
    ++whole_shares_;
  }

  std::map<Address, std::size_t> active_;
  bool calm_ = false;
  int going_ = 0;
  int whole_shares_ = 0;
  SimNetwork net_;
  Dice dice_;
};

TEST(SourcesInWorlds, have_their_share_and_never_more_whatever_happens) {
  SimSweep sweep;
  sweep.seeds = 150;
  sweep.failed = [] { return testing::Test::HasFailure(); };
  const SimReport report = simulate(sweep, [](const SimOptions& options) {
    Sources sources(options);
    sources.run();
  });
  EXPECT_TRUE(report) << report.text();
}

}  // namespace
}  // namespace meari
