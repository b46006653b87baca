// The inside of a simulated network: the wire with its hosts, who is turned when, and who decides what goes wrong.
#pragma once

#include <array>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <meari/sim.hpp>

#include "src/backend/wire.hpp"
#include "src/backend/wire_backend.hpp"
#include "src/sim/trace.hpp"

namespace meari {
inline namespace v1 {

struct SimHost::Inside {
  SimNetwork::Inside& net;
  HostId id = 0;
  std::string name;
  Address address;
  SimHostOptions options;
  WireBackend* backend = nullptr;  // the loop's
  std::unique_ptr<Loop> loop;      // none while it is down
  std::function<Task<>()> program;
  Time stopped_until{};
  bool slow_reader = false;
  bool fell = false;  // a fault crashed it
};

struct SimNetwork::Inside {
  explicit Inside(SimOptions given);
  ~Inside();

  // ---- hosts
  SimHost& add(std::string name, SimHostOptions host_options);
  void boot(SimHost::Inside& host);
  void crash(SimHost::Inside& host);
  void restart(SimHost::Inside& host);
  void stop(SimHost::Inside& host, Duration time);
  void later(std::function<void()> callable);  // at once, or when the turn is over

  // ---- time
  void turn_everybody();
  bool advance(Time end);  // lets one thing happen, not after `end`. False: there is nothing by then
  void at(Time time, std::function<void()> callable) { chores.emplace(time, std::move(callable)); }
  [[nodiscard]] bool runs(const SimHost::Inside& host) const { return host.loop && host.stopped_until <= wire.now(); }

  // ---- weather (weather.cpp)
  struct Way {  // from one host to another
    const SimLink* link = nullptr;
    int cuts = 0;
    Time busy_until{};
  };
  Way& way(HostId from, HostId to) { return ways[from * hosts.size() + to]; }
  [[nodiscard]] Weather weather();
  Passage passage(const Segment& segment);
  void bad_luck(const Segment& segment, Passage& passage);
  Verdict verdict(const WireCall& call);
  Duration late_news();
  [[nodiscard]] bool faults_of_hosts() const;
  void tick();  // a tenth of a second has passed: what happens to hosts
  SimGuard cut(const std::vector<HostId>& some, const std::vector<HostId>& others, bool both, bool hurry);
  void uncut(HostId from, HostId to, bool hurry);
  void heal();

  void fail(std::string text);

  SimOptions options;
  SimFaults faults;  // until heal()
  SimFaults drawn;
  Wire wire;
  std::vector<std::unique_ptr<SimHost>> hosts;
  std::vector<Way> ways;
  std::list<SimLink> links;
  std::list<std::function<void(const Segment&, Passage&)>> rules;
  std::list<std::pair<HostId, HostId>> cuts;
  std::multimap<Time, std::function<void()>> chores;
  std::vector<std::function<void()>> when_turned;
  Time next_tick{};
  std::uint64_t healings = 0;
  bool turning = false;
  bool ending = false;
  std::uint64_t turns_without_time = 0;
  std::uint64_t noted = 0;  // hash of notes
  std::shared_ptr<SimTrace> trace;
  std::vector<std::string> failures;
  std::weak_ptr<Inside> self;
  // Chance, a stream for each purpose, so that one more draw in one of them changes nothing in the others.
  struct {
    Dice hosts, calls, news, latency, losses, segments, turns, troubles;
  } dice;
};

}  // namespace v1
}  // namespace meari
