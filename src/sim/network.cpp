// The world: hosts that come, run, crash and come again, and the one place that lets time pass.
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "src/sim/inside.hpp"

namespace meari {
inline namespace v1 {

namespace {

// So many turns while no time passes: somebody wakes himself, or others, without an end.
constexpr std::uint64_t most_turns_at_once = 200'000;

bool prints_everything() {
  const char* wish = std::getenv("MEARI_SIM_TRACE");
  return wish != nullptr && std::string_view(wish) == "1";
}

// Called in a turn of its loop, so that it may ask for Loop::current() also where it is not a coroutine itself.
Task<> begin(std::function<Task<>()> program) { co_await program(); }

}  // namespace

SimNetwork::Inside::Inside(SimOptions given)
    : options(std::move(given)),
      next_tick(std::chrono::milliseconds(100)),
      trace(std::make_shared<SimTrace>(options.trace_events, prints_everything())),
      dice{Dice(options.seed, "hosts"),   Dice(options.seed, "calls"),   Dice(options.seed, "news"),
           Dice(options.seed, "latency"), Dice(options.seed, "losses"),  Dice(options.seed, "segments"),
           Dice(options.seed, "turns"),   Dice(options.seed, "troubles")} {
  Dice swarm(options.seed, "swarm");
  drawn = faults = options.swarm ? draw_faults(swarm) : options.faults;
  wire.drive();
  wire.set_weather(weather());
  if (options.trace_events != 0) wire.watch([this](const WireEvent& event) { trace->add(event); });
}

SimNetwork::Inside::~Inside() {
  ending = true;
  for (const auto& host : hosts) {
    if (!host->inside_->loop) continue;
    wire.crash(host->inside_->id);
    host->inside_->loop.reset();
  }
  wire.set_weather({});
  wire.watch({});
}

void SimNetwork::Inside::fail(std::string text) {
  trace->add(wire.now(), "FAILED: " + text);
  trace->freeze();  // what comes afterwards explains nothing
  failures.push_back(std::move(text));
}

// ---- hosts

SimHost& SimNetwork::Inside::add(std::string name, SimHostOptions host_options) {
  MEARI_ASSERT(!name.empty() && wire.find_host(name) == nullptr);
  const std::size_t place = hosts.size() + 1;
  if (host_options.addresses.empty())
    host_options.addresses.push_back(
        Address::from_ipv4({10, 0, static_cast<std::uint8_t>(place >> 8), static_cast<std::uint8_t>(place)}, 0));
  auto inside = std::make_unique<SimHost::Inside>(SimHost::Inside{.net = *this});
  SimHost::Inside& host = *inside;
  host.slow_reader = dice.hosts.one_in(faults.slow_readers);
  if (dice.hosts.one_in(faults.small_buffers)) {
    host_options.pool_bytes = 0;  // as few slabs as there can be
    host_options.send_buffer = dice.hosts.between(200, 2000);
    host_options.window = dice.hosts.between(200, 2000);
  }
  if (dice.hosts.one_in(faults.skewed_clocks))
    host_options.ahead += Duration(static_cast<Duration::rep>(dice.hosts.below(100'000'000'000)));
  host.name = std::move(name);
  host.options = std::move(host_options);
  host.address = host.options.addresses.front().with_port(0);
  host.id = wire.add_host({.name = host.name,
                           .addresses = host.options.addresses,
                           .descriptors = host.options.descriptors,
                           .backlog = host.options.backlog,
                           .send_buffer = host.options.send_buffer,
                           .window = host.options.window,
                           .ahead = host.options.ahead});
  trace->add_host(host.name);
  hosts.push_back(std::unique_ptr<SimHost>(new SimHost(std::move(inside))));
  // The table of ways has a row for each host; those that are there keep what they have.
  std::vector<Way> wider(hosts.size() * hosts.size());
  const std::size_t old = hosts.size() - 1;
  for (std::size_t from = 0; from < old; ++from)
    for (std::size_t to = 0; to < old; ++to) wider[from * hosts.size() + to] = ways[from * old + to];
  ways = std::move(wider);
  boot(host);
  return *hosts.back();
}

void SimNetwork::Inside::boot(SimHost::Inside& host) {
  auto backend = std::make_unique<WireBackend>(wire, host.id, host.options.pool_bytes);
  host.backend = backend.get();
  LoopOptions loop_options;
  loop_options.on_failure = [this, &host](const TaskFailure& failure) {
    const std::string text = host.name + ": a task failed: " + failure.message();
    if (failure.exception) return fail(text);
    if (!ending) trace->add(wire.now(), text);
  };
  host.loop = std::make_unique<Loop>(std::move(backend), std::move(loop_options));
  if (host.program) host.loop->spawn(begin, host.program);
}

void SimNetwork::Inside::crash(SimHost::Inside& host) {
  if (!host.loop) return;
  trace->add(wire.now(), host.name + " crashes");
  wire.crash(host.id);
  host.backend = nullptr;
  const std::unique_ptr<Loop> gone = std::move(host.loop);
}

void SimNetwork::Inside::restart(SimHost::Inside& host) {
  host.fell = false;
  if (host.loop) return;
  trace->add(wire.now(), host.name + " starts again");
  wire.restart(host.id);
  boot(host);
}

void SimNetwork::Inside::stop(SimHost::Inside& host, Duration time) {
  trace->add(wire.now(), host.name + " stops for " + std::to_string(time.count()) + " ns");
  host.stopped_until = std::max(host.stopped_until, wire.now() + time);
  at(host.stopped_until, [] {});  // something to wait for
}

void SimNetwork::Inside::later(std::function<void()> callable) {
  if (!turning) return callable();
  when_turned.push_back(std::move(callable));
}

// ---- time

// Until all of them wait. Who goes first is chance where faults are drawn: nothing may depend on it.
void SimNetwork::Inside::turn_everybody() {
  for (;;) {
    bool somebody = false;
    const std::size_t count = hosts.size();
    const std::size_t first = options.swarm && count > 1 ? dice.turns.below(count) : 0;
    for (std::size_t i = 0; i < count; ++i) {
      SimHost::Inside& host = *hosts[(first + i) % count]->inside_;
      if (!runs(host) || !host.backend->awake()) continue;
      somebody = true;
      turning = true;
      host.loop->turn(never);
      turning = false;
      for (const auto& callable : std::exchange(when_turned, {})) callable();
    }
    if (!somebody) return;
    if (++turns_without_time < most_turns_at_once) continue;
    if (turns_without_time == most_turns_at_once)
      fail("it never comes to rest: its hosts run and run while no time passes");
    return;
  }
}

bool SimNetwork::Inside::advance(Time end) {
  if (wire.happened() > options.most_events) {
    if (failures.empty()) fail("it never comes to rest: more than " + std::to_string(options.most_events) + " events");
    return false;
  }
  const Time event = wire.next_time();
  const Time chore = chores.empty() ? never : chores.begin()->first;
  const Time next = std::min(event, chore);
  if (next == never) return false;
  const Time before = wire.now();
  if (faults_of_hosts() && next_tick <= next) {
    if (next_tick > end) return false;
    wire.advance_to(next_tick);
    tick();
  } else if (next > end) {
    return false;
  } else if (event <= chore) {
    wire.step();
  } else {
    wire.advance_to(chore);
    const auto callable = std::move(chores.begin()->second);
    chores.erase(chores.begin());
    callable();
  }
  if (wire.now() != before) turns_without_time = 0;
  return true;
}

// ---- what users call

SimHost::SimHost(std::unique_ptr<Inside> inside) noexcept : inside_(std::move(inside)) {}
SimHost::~SimHost() = default;

const std::string& SimHost::name() const noexcept { return inside_->name; }
HostId SimHost::id() const noexcept { return inside_->id; }
const Address& SimHost::address() const noexcept { return inside_->address; }
bool SimHost::is_up() const noexcept { return inside_->loop != nullptr; }
Loop& SimHost::loop() const noexcept {
  if (!inside_->loop) broken("SimHost::loop(): this host has crashed and was not restarted");
  return *inside_->loop;
}

void SimHost::start(std::function<Task<>()> program) {
  inside_->program = std::move(program);
  if (inside_->loop) inside_->loop->spawn(begin, inside_->program);
}
void SimHost::crash() {
  inside_->net.later([this] { inside_->net.crash(*inside_); });
}
void SimHost::restart() {
  inside_->net.later([this] { inside_->net.restart(*inside_); });
}
void SimHost::stop_for(Duration time) { inside_->net.stop(*inside_, time); }
void SimHost::jump_clock(Duration forward) { inside_->net.wire.jump(inside_->id, forward); }

SimNetwork::SimNetwork(SimOptions options) : inside_(std::make_shared<Inside>(std::move(options))) {
  inside_->self = inside_;
}

SimNetwork::~SimNetwork() {
  Inside& net = *inside_;
  SimRecord* record = net.options.record;
  if (record == nullptr) return;
  record->seed = net.options.seed;
  record->hash = hash();
  record->events = events();
  record->simulated = now().time_since_epoch();
  record->faults = to_string(net.drawn);
  record->failures = net.failures;
  record->trace = [trace = net.trace] { return trace->text(); };
}

SimHost& SimNetwork::host(std::string_view name) {
  if (const HostId* id = inside_->wire.find_host(name)) return *inside_->hosts[*id];
  return inside_->add(std::string(name), {});
}
SimHost& SimNetwork::add_host(std::string name, SimHostOptions options) {
  return inside_->add(std::move(name), std::move(options));
}
std::vector<SimHost*> SimNetwork::hosts() const {
  std::vector<SimHost*> all;
  for (const auto& host : inside_->hosts) all.push_back(host.get());
  return all;
}

void SimNetwork::link(const SimHost& from, const SimHost& to, const SimLink& link) {
  inside_->links.push_back(link);
  inside_->way(from.id(), to.id()).link = &inside_->links.back();
}
void SimNetwork::link_both(const SimHost& one, const SimHost& two, const SimLink& link) {
  this->link(one, two, link);
  this->link(two, one, link);
}

SimGuard SimNetwork::partition(SimHost& one, SimHost& two) { return inside_->cut({one.id()}, {two.id()}, true, false); }
SimGuard SimNetwork::partition(const std::vector<SimHost*>& some, const std::vector<SimHost*>& others) {
  std::vector<HostId> left, right;
  for (const SimHost* host : some) left.push_back(host->id());
  for (const SimHost* host : others) right.push_back(host->id());
  return inside_->cut(left, right, true, false);
}
SimGuard SimNetwork::clog(SimHost& from, SimHost& to) { return inside_->cut({from.id()}, {to.id()}, false, true); }

SimGuard SimNetwork::rule(std::function<void(const Segment&, Passage&)> rule) {
  const auto at = inside_->rules.insert(inside_->rules.end(), std::move(rule));
  return SimGuard([net = inside_->self, at, era = inside_->healings] {
    const std::shared_ptr<Inside> inside = net.lock();
    if (inside != nullptr && inside->healings == era) inside->rules.erase(at);
  });
}

Time SimNetwork::now() const noexcept { return inside_->wire.now(); }

void SimNetwork::run_for(Duration time) {
  const Time end = now() + time;
  do inside_->turn_everybody();
  while (inside_->advance(end));
  if (events() > inside_->options.most_events) return;
  inside_->wire.advance_to(end);
  inside_->turns_without_time = 0;
  inside_->turn_everybody();
}

bool SimNetwork::run_until(const std::function<bool()>& predicate, Duration limit) {
  const Time end = now() + limit;
  do {
    inside_->turn_everybody();
    if (predicate()) return true;
  } while (inside_->advance(end));
  return false;
}

bool SimNetwork::run(Duration limit) {
  const Time end = now() + limit;
  do inside_->turn_everybody();
  while (inside_->advance(end));
  return inside_->wire.next_time() == never && inside_->chores.empty();
}

void SimNetwork::after(Duration time, std::function<void()> callable) {
  inside_->at(now() + time, std::move(callable));
}

void SimNetwork::heal() {
  inside_->later([inside = inside_.get()] { inside->heal(); });
}

// ---- what came of it

void SimNetwork::expect(bool ok, std::string_view what) {
  if (!ok) inside_->fail(std::string(what));
}

std::vector<std::string> SimNetwork::left() const {
  std::vector<std::string> all;
  for (const auto& host : inside_->hosts) {
    const SimHost::Inside& inside = *host->inside_;
    if (!inside.loop) continue;
    const std::string where = inside.name + ": ";
    const Backend& backend = *inside.backend;
    if (inside.loop->tasks() != 0)
      all.push_back(where + std::to_string(inside.loop->tasks()) + " tasks:\n" + inside.loop->dump());
    if (backend.slots_in_use() != 0) all.push_back(where + std::to_string(backend.slots_in_use()) + " slots");
    if (backend.bytes_on_loan() != 0) all.push_back(where + std::to_string(backend.bytes_on_loan()) + " bytes on loan");
    if (inside.loop->next_timer() != never) all.push_back(where + "a timer");
  }
  if (inside_->wire.sockets() != 0) all.push_back("sockets:\n" + inside_->wire.dump());
  return all;
}

void SimNetwork::expect_quiescent() {
  for (std::string& what : left()) inside_->fail("left at the end: " + what);
}

const std::vector<std::string>& SimNetwork::failures() const noexcept { return inside_->failures; }
std::uint64_t SimNetwork::seed() const noexcept { return inside_->options.seed; }
Dice SimNetwork::dice(std::string_view purpose) const noexcept {
  return Dice(mixed(inside_->options.seed ^ 0x5EEDU), purpose);
}
const SimFaults& SimNetwork::faults() const noexcept { return inside_->faults; }
std::uint64_t SimNetwork::hash() const noexcept { return mixed(inside_->wire.hash() ^ inside_->noted); }
std::uint64_t SimNetwork::events() const noexcept { return inside_->wire.happened(); }
std::string SimNetwork::trace() const { return inside_->trace->text(); }

void SimNetwork::note(std::string_view text) {
  inside_->trace->add(now(), text);
  for (const char letter : text) inside_->noted = mixed(inside_->noted ^ static_cast<unsigned char>(letter));
  inside_->noted = mixed(inside_->noted ^ static_cast<std::uint64_t>(now().time_since_epoch().count()));
}

}  // namespace v1
}  // namespace meari
