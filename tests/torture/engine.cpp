#include "engine.hpp"

#include <dirent.h>
#include <sanitizer/allocator_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "faults.hpp"
#include "src/backend/uring_ring.hpp"

extern "C" void __sanitizer_symbolize_pc(void* pc, const char* format, char* out, std::size_t size);

namespace meari::torture {

namespace {

using Clock = std::chrono::steady_clock;
constexpr unsigned storm = 64;  // how long a fault that passes lasts, in calls
constexpr unsigned watchdog_seconds = 20;
constexpr std::size_t most_functions = 64;
constexpr std::uint64_t spoiled = std::uint64_t{1} << 63;  // in the tag of a submission; the backend's tags leave it 0

struct Call {
  int function = 0;
  unsigned nth = 0;
  sys::Site site;
};
using Place = std::tuple<int, const void*, const void*>;
Place place_of(const Call& call) { return {call.function, call.site.caller, call.site.callers_caller}; }

enum class Lasting : std::uint8_t { once, from_then_on, for_ever };
const char* name(Lasting lasting) noexcept {
  return lasting == Lasting::once ? "once" : lasting == Lasting::from_then_on ? "lasting" : "for_ever";
}

// One call that fails, or it and all that follow it; where that passes it is a storm of them, or for ever.
struct Failing {
  int function = 0;
  unsigned nth = 0;
  Fault fault;
  Lasting lasting = Lasting::once;

  [[nodiscard]] bool hits(int called, unsigned which) const noexcept {
    if (called != function || which < nth) return false;
    if (which == nth || lasting == Lasting::for_ever) return true;
    return lasting == Lasting::from_then_on && (!fault.passes || which < nth + storm);
  }
};
// What fails in a run: nothing, a call, a call and one that is made only because the first has failed, or an allocation.
struct Trial {
  std::vector<Failing> calls;
  unsigned allocation = 0;  // the nth
  bool lasting = false;     // and all after it

  [[nodiscard]] bool is_empty() const noexcept { return calls.empty() && allocation == 0; }
  [[nodiscard]] bool is_endless() const noexcept {
    return std::ranges::any_of(calls, [](const Failing& one) { return one.lasting == Lasting::for_ever; });
  }
};

// A cancel that the kernel has not been given yet.
struct Held {
  int ring = -1;
  std::uint64_t target = 0;
  bool is_next = false;  // the ring has been entered since
};

// ---- what the hooks see; they are called from helper threads, too

std::atomic<bool> armed{false};
Trial trial;  // changed only while nothing is armed
std::array<std::atomic<unsigned>, most_functions> counts;
std::atomic<unsigned> allocations{0};
std::atomic<unsigned> hits{0};  // how often what fails last has failed
std::mutex mutex;               // of all below
std::vector<Call> calls;
std::multimap<std::uint64_t, int> answers;         // of submissions that were spoiled
std::vector<Held> held;                            // cancels that come late
std::map<std::pair<int, int>, epoll_event> edges;  // what epoll watches
std::string verdict;                               // what wrong() was told
std::string on_trial;                              // for the watchdog
thread_local Fault fault;                          // of this call
thread_local bool clip_next = false;
thread_local bool ours = false;  // memory for this page itself never fails

using Ours = Exempt;

// Is this call one of those that fail?
bool fails_now(int function, const sys::Site& site) noexcept {
  const Ours guard;
  const unsigned nth = ++counts[static_cast<std::size_t>(function)];
  {
    const std::lock_guard lock(mutex);
    calls.push_back({function, nth, site});
  }
  for (const Failing& failing : trial.calls) {
    if (!failing.hits(function, nth)) continue;
    fault = failing.fault;
    if (&failing == &trial.calls.back()) ++hits;
    return true;
  }
  return false;
}

int index_of(std::string_view name) noexcept {
  const int function = function_index(name);
  if (function >= 0) return function;
  std::fprintf(stderr, "torture: no faults are known for %.*s; tests/torture/faults.cpp has to tell\n",
               static_cast<int>(name.size()), name.data());
  std::abort();
}

// A call that says "not yet" of what is there: whoever waits is told again, as by a kernel that has just got it.
void bring_edges() noexcept {
  const Ours guard;
  const std::lock_guard lock(mutex);
  for (auto& [where, event] : edges) ::epoll_ctl(where.first, EPOLL_CTL_MOD, where.second, &event);
}

// The ring is entered: what is held back since the last time happens now.
void let_cancels_go() noexcept {
  const Ours guard;
  const std::lock_guard lock(mutex);
  for (Held& one : held) {
    if (!std::exchange(one.is_next, true)) continue;
    io_uring_sync_cancel_reg wanted{};
    wanted.addr = one.target;
    wanted.fd = -1;
    wanted.timeout = {-1, -1};
    io_uring_register(static_cast<unsigned>(one.ring), IORING_REGISTER_SYNC_CANCEL, &wanted, 1);
    one.ring = -1;
  }
  std::erase_if(held, [](const Held& one) { return one.ring < 0; });
}

sys::Substitute on_call(const char* name, const sys::Site& site) noexcept {
  using When = sys::Substitute::When;
  clip_next = false;
  if (!armed) return {};
  if (std::string_view(name) == "io_uring_enter") let_cancels_go();
  if (!fails_now(index_of(name), site)) return {};
  switch (fault.kind) {
    case Fault::Kind::counts:
      clip_next = true;
      bring_edges();  // epoll(7) promises that nothing is left after a short count: the rest is about to arrive
      return {};
    case Fault::Kind::answer: errno = EIO; return {.when = When::instead, .result = fault.error, .error = EIO};
    case Fault::Kind::after: return {.when = When::after, .result = -1, .error = fault.error};
    case Fault::Kind::late:
    case Fault::Kind::fails: break;
  }
  if (fault.error == EAGAIN) bring_edges();
  return {.when = When::instead, .result = -1, .error = fault.error};
}

std::size_t on_clip(const char*, std::size_t size) noexcept { return std::exchange(clip_next, false) ? 1 : size; }

void on_watch(int epoll, int operation, int descriptor, const epoll_event* event) noexcept {
  if (!armed) return;
  const Ours guard;
  const std::lock_guard lock(mutex);
  if (operation == EPOLL_CTL_DEL || (event->events & EPOLLET) == 0) edges.erase({epoll, descriptor});
  else edges[{epoll, descriptor}] = *event;
}

const char* name_of(std::uint8_t opcode) noexcept {
  switch (opcode) {
    case IORING_OP_NOP: return "sqe NOP";
    case IORING_OP_READ: return "sqe READ";
    case IORING_OP_RECV: return "sqe RECV";
    case IORING_OP_SEND: return "sqe SEND";
    case IORING_OP_SENDMSG: return "sqe SENDMSG";
    case IORING_OP_CONNECT: return "sqe CONNECT";
    case IORING_OP_POLL_ADD: return "sqe POLL_ADD";
    case IORING_OP_ASYNC_CANCEL: return "sqe ASYNC_CANCEL";
    default: return "sqe of an unknown opcode";
  }
}

// The kernel is given a NOP instead, so that nothing happens that was said to have failed.
void on_submission(uring::Submission& entry, int ring) noexcept {
  if (!armed) return;
  const auto opcode = static_cast<std::uintptr_t>(entry.opcode);
  if (!fails_now(index_of(name_of(entry.opcode)), {reinterpret_cast<const void*>(opcode), nullptr})) return;
  if (fault.kind == Fault::Kind::counts) {
    if (entry.opcode == IORING_OP_SENDMSG) {
      auto* message = reinterpret_cast<msghdr*>(entry.addr);
      message->msg_iovlen = 1;
      message->msg_iov->iov_len = 1;
    } else {
      entry.len = 1;
      if (entry.file_index != 0) entry.file_index = 1;  // the credit of a multishot receive: it ends after this byte
    }
    return;
  }
  const std::uint64_t tag = entry.user_data, target = entry.addr;
  entry = {};
  entry.opcode = IORING_OP_NOP;
  entry.user_data = tag | spoiled;
  const Ours guard;
  const std::lock_guard lock(mutex);
  answers.emplace(tag, -fault.error);
  if (fault.kind == Fault::Kind::late) held.push_back({ring, target});
}

void on_completion(uring::Completion& completion) noexcept {
  const std::uint64_t tag = completion.tag & ~spoiled;
  const std::lock_guard lock(mutex);
  // What a late cancel was for is over, and another one may be of the same name soon.
  if (!completion.goes_on()) std::erase_if(held, [&](const Held& one) { return one.target == tag; });
  if (std::exchange(completion.tag, tag) == tag) return;
  const auto answer = answers.extract(tag);
  if (!answer.empty()) completion = {tag, answer.mapped(), 0};
}

// ---- which runs there are

bool is_exhaustive() { return std::getenv("MEARI_TORTURE_ALL") != nullptr; }
const char* only() {
  const char* given = std::getenv("MEARI_TORTURE_PAIR");
  return given == nullptr || *given == '\0' ? nullptr : given;
}

// ---- the watchdog, and last words

void say(const char* what) {
  [[maybe_unused]] auto written = ::write(2, what, std::strlen(what));
  written = ::write(2, on_trial.data(), on_trial.size());
  written = ::write(2, "\n", 1);
}
void on_alarm(int) {
  say("torture: it hangs: ");
  std::signal(SIGABRT, SIG_DFL);
  std::abort();
}
void on_abort(int) {
  if (armed) say("torture: it died: ");
  std::signal(SIGABRT, SIG_DFL);
  std::raise(SIGABRT);
}

// ---- what is left behind

std::atomic<long> blocks{0};  // allocations that nobody has freed

std::set<int> open_descriptors() {
  std::set<int> open;
  DIR* folder = ::opendir("/proc/self/fd");
  while (const dirent* entry = ::readdir(folder)) open.insert(std::atoi(entry->d_name));
  open.erase(::dirfd(folder));
  ::closedir(folder);
  return open;
}

void set_up() {
  static const bool once = [] {
    sys::hook = on_call;
    sys::clip = on_clip;
    sys::watched = on_watch;
    uring::on_submission = on_submission;
    uring::on_completion = on_completion;
    __sanitizer_install_malloc_and_free_hooks([](const volatile void*, std::size_t) { ++blocks; },
                                              [](const volatile void* memory) { blocks -= memory != nullptr; });
    std::signal(SIGALRM, on_alarm);
    std::signal(SIGABRT, on_abort);
    if (only() != nullptr) {  // the symbolizer is a process of its own, with descriptors of ours
      std::array<char, 256> text{};
      __sanitizer_symbolize_pc(reinterpret_cast<void*>(&on_alarm), "%s", text.data(), text.size());
    }
    std::signal(SIGPIPE, SIG_DFL);  // the library never raises it: the program would end
    return true;
  }();
  static_cast<void>(once);
}

// ---- one run

std::atomic<int> patience_factor{1};

struct Ran {
  std::string complaint;  // empty: as it should be
  std::string said;       // the Error, when it failed
  std::string where;      // and the line that met it
  bool reached = false;
  bool succeeded = false;
  bool leaked = false;
  bool late = false;  // on a machine that is busy more time would perhaps have helped

  void complain(std::string what) { complaint += (complaint.empty() ? "" : "; ") + what; }
};

std::string text_of(const Scenario& scenario, const Trial& wanted) {
  std::string text = scenario.name;
  for (const Failing& one : wanted.calls)
    text += ':' + std::string(functions()[static_cast<std::size_t>(one.function)].name) + ':' +
            std::to_string(one.nth) + ':' + name(one.fault) + ':' + name(one.lasting);
  if (wanted.allocation != 0)
    text += ":allocation:" + std::to_string(wanted.allocation) + (wanted.lasting ? ":lasting" : ":once");
  return text;
}

void reset() {
  verdict.clear();
  answers.clear();
  held.clear();
  edges.clear();
  calls.clear();
  for (auto& count : counts) count = 0;
  allocations = 0;
  hits = 0;
  clip_next = false;
}

// What happens every day and must not be seen from outside: interruptions, short counts, "not yet".
bool is_everyday(const Scenario& scenario, const Failing& one) {
  const std::string_view function = functions()[static_cast<std::size_t>(one.function)].name;
  static const std::set<std::string_view> moving = {"recv",    "recvmsg",  "send",     "sendmsg",    "sendto",
                                                    "accept4", "sqe RECV", "sqe SEND", "sqe SENDMSG"};
  static const std::set<std::string_view> waiting = {"connect", "poll",     "epoll_pwait2",   "epoll_wait",
                                                     "preadv2", "pwritev2", "io_uring_enter", "sqe POLL_ADD"};
  if (one.lasting == Lasting::for_ever) return false;
  if (one.fault.kind == Fault::Kind::late) return true;
  if (one.fault.kind == Fault::Kind::counts) return function != "read" && function != "write";
  switch (one.fault.error) {
    case EINTR: return moving.contains(function) || waiting.contains(function);
    case EAGAIN: return scenario.waits_by_itself && (moving.contains(function) || function == "io_uring_enter");
    case EBUSY:
    case ETIME: return function == "io_uring_enter";
    case ECONNABORTED: return function == "accept4";
    default: return false;
  }
}

// What may come of an allocation that fails: the Error that says so, or what a peer sees whose other end has failed so.
// Never timed_out: that would be somebody who waits for what nobody does any more.
bool says_so(const Error& error) noexcept {
  return error == Errc::out_of_memory || error == Errc::unexpected_end || error.peer_is_gone();
}

void judge(Ran& ran, const Scenario& scenario, const Result<>& result, Clock::duration took) {
  ran.reached = hits != 0;
  if (!verdict.empty()) ran.complain(verdict);
  if (!result) ran.said = result.error().message();
  if (const auto line = result.error().where().line(); line != 0) ran.where = ", line " + std::to_string(line);
  if (!result && (ran.said.empty() || result.error().code() == Errc::none)) ran.complain("an Error without a word");
  const bool everyday =
      scenario.hides_the_everyday && !trial.calls.empty() &&
      std::ranges::all_of(trial.calls, [&](const Failing& one) { return is_everyday(scenario, one); });
  if ((trial.is_empty() || everyday) && !ran.succeeded && ran.complaint.empty()) {
    ran.late = true;
    ran.complain((everyday ? "it fails, although this happens every day: " : "it fails by itself: ") + ran.said);
  }
  if (trial.allocation != 0 && !result && !says_so(result.error())) {
    ran.late = result.error() == Errc::timed_out;
    ran.complain("it says something else: " + ran.said);
  }
  if (took > scenario.limit * patience_factor.load()) {
    ran.late = true;
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
    ran.complain("it took " + std::to_string(ms) + " ms");
  }
}

Ran run_once(const Scenario& scenario, const Trial& wanted) {
  set_up();
  trial = wanted;
  on_trial = text_of(scenario, wanted);
  reset();
  Ran ran;
  const std::set<int> descriptors = open_descriptors();
  const long blocks_before = blocks;
  uring::longest_refusal = 40ms * patience_factor.load();
  const auto start = Clock::now();
  ::alarm(watchdog_seconds);
  armed = true;
  Result<> result;
  bool out_of_memory = false;
  try {
    result = scenario.run();
  } catch (const std::bad_alloc&) {
    out_of_memory = true;
    wrong("std::bad_alloc came out");
  } catch (const std::exception& thrown) {
    const Ours guard;
    wrong(std::string("an exception came out: ") + thrown.what());
  }
  armed = false;
  ::alarm(0);
  const auto took = Clock::now() - start;
  ran.succeeded = !out_of_memory && result.has_value();
  const long left = blocks - blocks_before;
  judge(ran, scenario, result, took);
  result = {};
  std::set<int> now = open_descriptors();
  if (std::ranges::any_of(wanted.calls, [](const Failing& one) { return one.fault.strays; }))
    std::erase_if(now, [&](int one) { return !descriptors.contains(one) && ::close(one) == 0; });
  if (now != descriptors)
    ran.complain("descriptors: " + std::to_string(descriptors.size()) + " before, " + std::to_string(now.size()) +
                 " after");
  // More blocks are no leak yet: a cache may have grown. Looking is slow, so it happens only then.
  ran.leaked = left != 0 && __lsan_do_recoverable_leak_check() != 0;
  if (ran.leaked) ran.complain("memory is left");
  trial = {};
  return ran;
}

// Where only time was too short it gets ten times as much: a machine may be busy, but a hang stays a hang.
Ran run(const Scenario& scenario, const Trial& wanted) {
  Ran ran = run_once(scenario, wanted);
  if (!ran.late || ran.leaked) return ran;
  patience_factor = 10;
  ran = run_once(scenario, wanted);
  patience_factor = 1;
  return ran;
}

// Twice, because the first run fills what is kept from then on.
bool runs_by_itself(const Scenario& scenario) {
  for (int round = 0; round < 2; ++round) {
    const Ran ran = run(scenario, {});
    if (ran.complaint.empty()) continue;
    ADD_FAILURE() << scenario.name << ": " << ran.complaint;
    return false;
  }
  return true;
}

// Counts, prints, and says how to repeat what failed.
class Tally {
 public:
  explicit Tally(const Scenario& scenario) : scenario_(scenario) {}

  // False: enough has been seen.
  bool judge(const Trial& wanted) {
    const std::string text = text_of(scenario_, wanted);
    if (only() != nullptr && text != only()) return true;
    const Ran ran = run(scenario_, wanted);
    if (only() != nullptr)
      std::printf("torture: %s: %s\n", text.c_str(), ran.succeeded ? "succeeded" : (ran.said + ran.where).c_str());
    if (!ran.complaint.empty()) {
      ADD_FAILURE() << ran.complaint << "\n  MEARI_TORTURE_PAIR='" << text
                    << "' build/asan/meari_torture --gtest_filter='*/" << scenario_.name << "'";
      return ++complaints_ != 30 && !ran.leaked;  // a leak would be found after every run that follows
    }
    ++(ran.reached ? reached_ : unreached_);
    if (ran.reached) ++(ran.succeeded ? succeeded_ : failed_);
    if (ran.reached && !ran.succeeded) ++outcomes_[ran.said];
    return true;
  }
  void print(const char* what, std::size_t count) const {
    if (std::getenv("MEARI_TORTURE_OUTCOMES") != nullptr)
      for (const auto& [said, times] : outcomes_) std::printf("  %6zu  %s\n", times, said.c_str());
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start_).count();
    std::printf(
        "torture: %s: %zu %s, %zu pairs (%zu went well all the same, %zu failed; %zu were not reached), %lld ms\n",
        scenario_.name.c_str(), count, what, reached_, succeeded_, failed_, unreached_, static_cast<long long>(ms));
  }

 private:
  const Scenario& scenario_;
  Clock::time_point start_ = Clock::now();
  std::map<std::string, std::size_t> outcomes_;  // what it said
  std::size_t reached_ = 0, unreached_ = 0, succeeded_ = 0, failed_ = 0, complaints_ = 0;
};

std::string_view name_of(const Call& call) { return functions()[static_cast<std::size_t>(call.function)].name; }

// A thread that only a descriptor can wake sleeps for ever when that is refused for ever.
bool may_last(const Scenario& scenario, const Call& call, const Fault& how) {
  return how.passes || !scenario.needs_wakes || name_of(call) != "eventfd_write";
}

// For the first call from a place in the code every fault, and for later ones from there one after the other.
void add_trials(const Scenario& scenario, std::vector<Trial>& trials, std::map<Place, std::size_t>& turns,
                const std::vector<Call>& all, const std::vector<Failing>& before) {
  for (const Call& call : all) {
    const std::vector<Fault>& faults = functions()[static_cast<std::size_t>(call.function)].faults;
    if (faults.empty()) continue;
    const auto [known, first] = turns.try_emplace(place_of(call), 0);
    if (!first && !before.empty()) continue;
    const auto add = [&](const Fault& how, Lasting lasting) {
      Trial& added = trials.emplace_back();
      added.calls = before;
      added.calls.push_back({call.function, call.nth, how, lasting});
    };
    if (first || is_exhaustive() || only() != nullptr) {
      for (const Fault& how : faults) {
        add(how, Lasting::once);
        if (may_last(scenario, call, how)) add(how, Lasting::from_then_on);
        if (scenario.waits_by_itself && before.empty() && may_go_on(name_of(call), how)) add(how, Lasting::for_ever);
      }
    } else {
      const std::size_t turn = known->second++;
      const Fault& how = faults[turn / 2 % faults.size()];
      add(how, turn % 2 != 0 && may_last(scenario, call, how) ? Lasting::from_then_on : Lasting::once);
    }
  }
}

// Adds to the file what the places are in the sources: "src/os/posix.cpp:81 socket". Which folder the sources lie in is left
// out: a compiler cache may give us what was compiled in another checkout, whose name the debug information has.
void write_sites(const std::map<Place, std::size_t>& places) {
  const char* file = std::getenv("MEARI_TORTURE_SITES");
  if (file == nullptr) return;
  std::string text;
  for (const auto& [place, turns] : places) {
    const auto& [function, caller, callers_caller] = place;
    if (callers_caller == nullptr) continue;  // a submission
    std::array<char, 1024> where{};
    const auto pc = reinterpret_cast<std::uintptr_t>(caller) - 1;  // of the call, not of what follows it
    __sanitizer_symbolize_pc(reinterpret_cast<void*>(pc), "%s:%l", where.data(), where.size());
    const std::string path = std::filesystem::path(where.data()).lexically_normal().string();
    const std::size_t inside = path.rfind("src/");
    text += path.substr(inside == std::string::npos ? 0 : inside) + ' ' +
            std::string(functions()[static_cast<std::size_t>(function)].name) + '\n';
  }
  std::ofstream(file, std::ios::app) << text;
}

}  // namespace

Exempt::Exempt() noexcept : before_(std::exchange(ours, true)) {}
Exempt::~Exempt() { ours = before_; }

int slack() noexcept { return patience_factor; }
std::size_t faults() noexcept { return trial.calls.size(); }
bool is_endless() noexcept { return trial.is_endless(); }

void wrong(std::string_view what) {
  const Ours guard;
  const std::lock_guard lock(mutex);
  if (verdict.empty()) verdict = what;
}

void torment(const Scenario& scenario) {
  if (!runs_by_itself(scenario)) return;
  Tally tally(scenario);
  std::map<Place, std::size_t> turns;
  std::vector<Trial> trials;
  const std::size_t count = calls.size();
  add_trials(scenario, trials, turns, std::vector<Call>(calls), {});
  for (std::size_t i = 0; i < trials.size(); ++i) {
    const Trial wanted = trials[i];
    if (!tally.judge(wanted)) break;
    // What is called only because this has failed is to fail as well.
    if (wanted.calls.size() != 1 || wanted.is_endless()) continue;
    if (wanted.calls[0].lasting == Lasting::once || wanted.calls[0].fault.passes)
      add_trials(scenario, trials, turns, std::vector<Call>(calls), wanted.calls);
  }
  tally.print("calls", count);
  write_sites(turns);
}

void starve(const Scenario& scenario) {
  if (!runs_by_itself(scenario)) return;
  Tally tally(scenario);
  const unsigned count = allocations;
  for (unsigned nth = 1; nth <= count; ++nth)
    for (const bool lasting : {false, true}) {
      Trial wanted;
      wanted.allocation = nth;
      wanted.lasting = lasting;
      if (!tally.judge(wanted)) return;
    }
  tally.print("allocations", count);
}

bool allocation_fails() noexcept {
  if (!armed || ours) return false;
  const unsigned nth = ++allocations;
  if (trial.allocation == 0 || nth < trial.allocation || (nth > trial.allocation && !trial.lasting)) return false;
  ++hits;
  if (nth == trial.allocation && only() != nullptr) {
    const Ours guard;
    __sanitizer_print_stack_trace();
  }
  return true;
}

}  // namespace meari::torture
