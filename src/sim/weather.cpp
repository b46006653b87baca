// Who decides what becomes of segments, calls and hosts: links, faults, partitions, rules, in this order.
#include <algorithm>
#include <utility>

#include "src/sim/inside.hpp"

namespace meari {
inline namespace v1 {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration on_the_spot = microseconds(10);  // from a host to itself
constexpr Duration tick_time = milliseconds(100);

Duration between(Dice& dice, Duration least, Duration most) {
  return Duration(static_cast<Duration::rep>(
      dice.between(static_cast<std::uint64_t>(least.count()), static_cast<std::uint64_t>(most.count()))));
}

// Every fault, its name, and how often it comes where a seed has it: once in `often` to once in `seldom`.
struct Fault {
  const char* name;
  std::uint32_t SimFaults::* rate;
  std::uint32_t often;
  std::uint32_t seldom;
};
constexpr Fault all_faults[] = {
    {"short calls", &SimFaults::short_calls, 2, 20},
    {"blocked calls", &SimFaults::blocked_calls, 2, 20},
    {"failed accepts", &SimFaults::failed_accepts, 2, 10},
    {"failed opens", &SimFaults::failed_opens, 4, 30},
    {"late news", &SimFaults::late_news, 2, 30},
    {"losses", &SimFaults::losses, 5, 200},
    {"splits", &SimFaults::splits, 2, 20},
    {"resets", &SimFaults::resets, 50, 2000},
    {"slow connects", &SimFaults::slow_connects, 2, 10},
    {"black holes", &SimFaults::black_holes, 5, 50},
    {"double datagrams", &SimFaults::double_datagrams, 2, 20},
    {"slow readers", &SimFaults::slow_readers, 2, 5},
    {"small buffers", &SimFaults::small_buffers, 2, 5},
    {"skewed clocks", &SimFaults::skewed_clocks, 1, 3},
    {"jumps", &SimFaults::jumps, 10, 200},
    {"stops", &SimFaults::stops, 10, 200},
    {"partitions", &SimFaults::partitions, 10, 200},
    {"crashes", &SimFaults::crashes, 20, 400},
    {"coarse times", &SimFaults::coarse_times, 1, 1},
};

}  // namespace

SimFaults draw_faults(Dice& dice) {
  SimFaults faults;
  for (const Fault& fault : all_faults) {
    const std::uint64_t rate = dice.between(fault.often, fault.seldom);
    if (dice.one_in(2)) faults.*fault.rate = static_cast<std::uint32_t>(rate);
  }
  return faults;
}

std::string to_string(const SimFaults& faults) {
  std::string text;
  for (const Fault& fault : all_faults) {
    if (faults.*fault.rate == 0) continue;
    if (!text.empty()) text += ", ";
    text += std::string(fault.name) + ' ' + std::to_string(faults.*fault.rate);
  }
  return text.empty() ? "none" : text;
}

// ---- segments and calls

Weather SimNetwork::Inside::weather() {
  Weather weather;
  weather.passage = [this](const Segment& segment) { return passage(segment); };
  weather.call = [this](const WireCall& call) { return verdict(call); };
  if (faults.late_news != 0) weather.news = [this](HostId, Descriptor) { return late_news(); };
  return weather;
}

Passage SimNetwork::Inside::passage(const Segment& segment) {
  Passage passage;
  Way& way = this->way(segment.from_host, segment.to_host);
  const SimLink& link = way.link == nullptr ? options.link : *way.link;
  if (segment.from_host == segment.to_host) {
    passage.latency = on_the_spot;
  } else {
    passage.latency =
        link.latency +
        Duration(static_cast<Duration::rep>(dice.latency.below(static_cast<std::uint64_t>(link.jitter.count()) + 1)));
    passage.most = link.largest_segment;
    if (link.bytes_per_second != 0) {
      const std::uint64_t bytes = std::min<std::uint64_t>(segment.size, passage.most) + 40;  // and the headers
      way.busy_until = std::max(way.busy_until, segment.time) + Duration(bytes * 1'000'000'000 / link.bytes_per_second);
      passage.latency += way.busy_until - segment.time;
    }
    passage.lost = dice.losses.one_in(link.losses);
  }
  bad_luck(segment, passage);
  if (way.cuts != 0) passage.lost = true;
  for (const auto& rule : rules) rule(segment, passage);
  return passage;
}

void SimNetwork::Inside::bad_luck(const Segment& segment, Passage& passage) {
  using Kind = Segment::Kind;
  const bool loopback = segment.from_host == segment.to_host;
  if (!loopback && dice.losses.one_in(faults.losses)) passage.lost = true;
  switch (segment.kind) {
    case Kind::syn:
      if (dice.segments.one_in(faults.slow_connects))
        passage.latency += between(dice.segments, milliseconds(1), seconds(3));
      // The same for every SYN of a connection.
      if (faults.black_holes != 0 && !loopback &&
          mixed(options.seed ^ static_cast<std::uint64_t>(segment.socket)) % faults.black_holes == 0)
        passage.lost = true;
      break;
    case Kind::data:
      if (segment.size > 1 && dice.segments.one_in(faults.splits)) {
        // Into a few pieces; short ones into single bytes as well, which is where parsers go wrong.
        const std::uint64_t parts = dice.segments.between(2, segment.size <= 64 ? segment.size : 8);
        passage.most = std::min(passage.most, (segment.size + parts - 1) / parts);
      }
      break;
    case Kind::datagram:
      if (!dice.segments.one_in(faults.double_datagrams)) break;
      passage.copies = 2;
      passage.latency += between(dice.segments, Duration(0), milliseconds(20));
      break;
    default: break;
  }
  if (segment.kind != Kind::rst && segment.kind != Kind::datagram && dice.segments.one_in(faults.resets))
    passage.reset = true;
  if (faults.coarse_times != 0) passage.latency = std::chrono::ceil<milliseconds>(passage.latency);
}

Verdict SimNetwork::Inside::verdict(const WireCall& call) {
  using What = WireCall::What;
  Verdict verdict;
  switch (call.what) {
    case What::connect: break;
    case What::open:
      if (!call.listens && dice.calls.one_in(faults.failed_opens)) verdict.error = Errc::too_many_descriptors;
      break;
    case What::accept:
      if (dice.calls.one_in(faults.failed_accepts)) {
        constexpr Errc reasons[] = {Errc::too_many_descriptors, Errc::out_of_memory, Errc::out_of_buffers,
                                    Errc::connection_aborted};
        verdict.error = reasons[dice.calls.below(std::size(reasons))];
      }
      break;
    default:
      if (call.what == What::receive && hosts[call.host]->inside_->slow_reader && dice.calls.one_in(2)) {
        verdict.error = Errc::would_block;
        verdict.pause = between(dice.calls, milliseconds(1), milliseconds(100));
        break;
      }
      if (dice.calls.one_in(faults.short_calls)) verdict.most = dice.calls.between(1, 512);
      if (dice.calls.one_in(faults.blocked_calls)) {
        verdict.error = Errc::would_block;
        verdict.pause = between(dice.calls, microseconds(1), milliseconds(1));
      }
      break;
  }
  return verdict;
}

Duration SimNetwork::Inside::late_news() {
  if (!dice.news.one_in(faults.late_news)) return Duration::zero();
  return between(dice.news, microseconds(1), milliseconds(20));
}

// ---- what happens to hosts

bool SimNetwork::Inside::faults_of_hosts() const {
  return faults.jumps != 0 || faults.stops != 0 || faults.partitions != 0 || faults.crashes != 0;
}

void SimNetwork::Inside::tick() {
  next_tick += tick_time;
  for (std::size_t place = 0; place < hosts.size(); ++place) {
    SimHost::Inside& host = *hosts[place]->inside_;
    if (!host.loop) continue;
    if (dice.troubles.one_in(faults.jumps)) {
      const Duration ahead = between(dice.troubles, milliseconds(1), seconds(20));
      trace->add(wire.now(), "the clock of " + host.name + " jumps by " + std::to_string(ahead.count()) + " ns");
      wire.jump(host.id, ahead);
    }
    if (dice.troubles.one_in(faults.stops)) stop(host, between(dice.troubles, milliseconds(1), seconds(2)));
    if (hosts.size() > 1 && dice.troubles.one_in(faults.partitions)) {
      const std::uint64_t step = dice.troubles.between(1, hosts.size() - 1);
      const Duration time = between(dice.troubles, milliseconds(1), seconds(5));
      auto guard = std::make_shared<SimGuard>(
          cut({host.id}, {static_cast<HostId>((place + step) % hosts.size())}, true, dice.troubles.one_in(2)));
      at(wire.now() + time, [guard] { guard->end(); });
    }
    if (host.program && dice.troubles.one_in(faults.crashes)) {
      const Duration time = between(dice.troubles, milliseconds(1), seconds(5));
      crash(host);
      host.fell = true;
      at(wire.now() + time, [this, &host] {
        if (std::exchange(host.fell, false)) restart(host);
      });
    }
  }
}

SimGuard SimNetwork::Inside::cut(const std::vector<HostId>& some, const std::vector<HostId>& others, bool both,
                                 bool hurry) {
  std::vector<std::list<std::pair<HostId, HostId>>::iterator> made;
  const auto add = [&](HostId from, HostId to) {
    made.push_back(cuts.insert(cuts.end(), {from, to}));
    ++way(from, to).cuts;
    trace->add(wire.now(), "cut off: " + hosts[from]->name() + " > " + hosts[to]->name());
  };
  for (const HostId one : some)
    for (const HostId other : others) {
      if (one == other) continue;
      add(one, other);
      if (both) add(other, one);
    }
  return SimGuard([net = self, made, hurry, era = healings] {
    const std::shared_ptr<Inside> inside = net.lock();
    if (inside == nullptr || inside->healings != era) return;
    for (const auto& at : made) {
      inside->uncut(at->first, at->second, hurry);
      inside->cuts.erase(at);
    }
  });
}

void SimNetwork::Inside::uncut(HostId from, HostId to, bool hurry) {
  --way(from, to).cuts;
  trace->add(wire.now(), "joined again: " + hosts[from]->name() + " > " + hosts[to]->name());
  if (hurry && way(from, to).cuts == 0) wire.hurry(from, to);
}

void SimNetwork::Inside::heal() {
  trace->add(wire.now(), "healed");
  ++healings;
  faults = {};
  rules.clear();
  cuts.clear();
  for (Way& way : ways) way.cuts = 0;
  for (const auto& host : hosts) {
    SimHost::Inside& inside = *host->inside_;
    inside.slow_reader = false;
    inside.stopped_until = Time{};
    if (std::exchange(inside.fell, false)) restart(inside);
  }
  wire.set_weather(weather());
  for (const auto& from : hosts)
    for (const auto& to : hosts) wire.hurry(from->id(), to->id());
}

}  // namespace v1
}  // namespace meari
