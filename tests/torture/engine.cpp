#include "engine.hpp"

#include <dirent.h>
#include <sanitizer/allocator_interface.h>
#include <sanitizer/lsan_interface.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <mutex>
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

// Which call of a scenario fails, and how. `function` -1: none.
struct Pair {
  int function = -1;
  unsigned nth = 0;
  Fault fault;
  bool lasting = false;
};

// ---- what the hooks see; they are called from helper threads, too

std::atomic<bool> armed{false};
Pair pair;  // changed only while nothing is armed
std::array<std::atomic<unsigned>, most_functions> counts;
std::atomic<unsigned> hits{0};
std::atomic<bool> recording{false};
std::mutex mutex;  // of all below
std::vector<Call> calls;
std::multimap<std::uint64_t, int> answers;         // of submissions that were spoiled
std::map<std::pair<int, int>, epoll_event> edges;  // what epoll watches
std::string verdict;                               // what wrong() was told
thread_local bool clip_next = false;
std::string on_trial;  // for the watchdog

// Is this call the one, or one of those that follow it?
bool fails_now(int function, const sys::Site& site) noexcept {
  const unsigned nth = ++counts[static_cast<std::size_t>(function)];
  if (recording) {
    const std::lock_guard lock(mutex);
    calls.push_back({function, nth, site});
  }
  if (function != pair.function || nth < pair.nth) return false;
  const bool now = nth == pair.nth || (pair.lasting && (!pair.fault.passes || nth < pair.nth + storm));
  if (now) ++hits;
  return now;
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
  const std::lock_guard lock(mutex);
  for (auto& [where, event] : edges) ::epoll_ctl(where.first, EPOLL_CTL_MOD, where.second, &event);
}

sys::Substitute on_call(const char* name, const sys::Site& site) noexcept {
  using When = sys::Substitute::When;
  if (!armed) return {};
  if (!fails_now(index_of(name), site)) return {};
  switch (pair.fault.kind) {
    case Fault::Kind::counts: clip_next = true; return {};
    case Fault::Kind::answer: errno = EIO; return {.when = When::instead, .result = pair.fault.error, .error = EIO};
    case Fault::Kind::after: return {.when = When::after, .result = -1, .error = pair.fault.error};
    case Fault::Kind::fails: break;
  }
  if (pair.fault.error == EAGAIN) bring_edges();
  return {.when = When::instead, .result = -1, .error = pair.fault.error};
}

std::size_t on_clip(const char*, std::size_t size) noexcept { return std::exchange(clip_next, false) ? 1 : size; }

void on_watch(int epoll, int operation, int descriptor, const epoll_event* event) noexcept {
  if (!armed) return;
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
void on_submission(uring::Submission& entry) noexcept {
  if (!armed) return;
  const auto opcode = static_cast<std::uintptr_t>(entry.opcode);
  if (!fails_now(index_of(name_of(entry.opcode)), {reinterpret_cast<const void*>(opcode), nullptr})) return;
  if (pair.fault.kind == Fault::Kind::counts) {
    if (entry.opcode == IORING_OP_SENDMSG) {
      auto* message = reinterpret_cast<msghdr*>(entry.addr);
      message->msg_iovlen = 1;
      message->msg_iov->iov_len = 1;
    } else {
      entry.len = 1;
    }
    return;
  }
  const std::uint64_t tag = entry.user_data;
  entry = {};
  entry.opcode = IORING_OP_NOP;
  entry.user_data = tag | spoiled;
  const std::lock_guard lock(mutex);
  answers.emplace(tag, -pair.fault.error);
}

void on_completion(uring::Completion& completion) noexcept {
  if ((completion.tag & spoiled) == 0) return;
  completion.tag &= ~spoiled;
  const std::lock_guard lock(mutex);
  const auto found = answers.find(completion.tag);
  if (found == answers.end()) return;
  completion.result = found->second;
  completion.flags = 0;
  answers.erase(found);
}

// ---- the watchdog

void on_alarm(int) {
  constexpr char text[] = "torture: it hangs: ";
  [[maybe_unused]] auto written = ::write(2, text, sizeof text - 1);
  written = ::write(2, on_trial.data(), on_trial.size());
  written = ::write(2, "\n", 1);
  std::abort();
}

// ---- what is left behind

std::atomic<long> blocks{0};  // allocations that nobody has freed

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* folder = ::opendir("/proc/self/fd");
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

void set_up() {
  static const bool once = [] {
    sys::hook = on_call;
    sys::clip = on_clip;
    sys::watched = on_watch;
    uring::on_submission = on_submission;
    uring::on_completion = on_completion;
    __sanitizer_install_malloc_and_free_hooks([](const volatile void*, std::size_t) { ++blocks; },
                                              [](const volatile void* memory) {
                                                if (memory != nullptr) --blocks;
                                              });
    std::signal(SIGALRM, on_alarm);
    std::signal(SIGPIPE, SIG_DFL);  // the library never raises it: the program would end
    return true;
  }();
  static_cast<void>(once);
}

// ---- one run

struct Ran {
  std::string complaint;  // empty: as it should be
  bool reached = false;
  bool succeeded = false;
  bool leaked = false;
};

std::string text_of(const Scenario& scenario, const Pair& one) {
  if (one.function < 0) return scenario.name;
  return scenario.name + ':' + std::string(functions()[static_cast<std::size_t>(one.function)].name) + ':' +
         std::to_string(one.nth) + ':' + name(one.fault) + ':' + (one.lasting ? "lasting" : "once");
}

// `faulty`: the scenario may fail, and say so with an Error or, where memory was short, with std::bad_alloc.
Ran run(const Scenario& scenario, const std::string& trial, bool faulty) {
  set_up();
  on_trial = trial;
  verdict.clear();
  answers.clear();
  edges.clear();
  for (auto& count : counts) count = 0;
  hits = 0;
  clip_next = false;
  Ran ran;
  const std::size_t descriptors = open_descriptors();
  const long blocks_before = blocks;
  const auto start = Clock::now();
  ::alarm(watchdog_seconds);
  armed = true;
  Result<> result;
  bool out_of_memory = false;
  try {
    result = scenario.run();
  } catch (const std::bad_alloc&) {
    out_of_memory = true;
  } catch (const std::exception& thrown) {
    wrong(std::string("an exception came out: ") + thrown.what());
  }
  armed = false;
  ::alarm(0);
  const auto took = Clock::now() - start;
  ran.reached = hits != 0;
  ran.succeeded = !out_of_memory && result.has_value();
  const auto complain = [&ran](std::string what) { ran.complaint += (ran.complaint.empty() ? "" : "; ") + what; };
  if (!verdict.empty()) complain(verdict);
  if (!result && (result.error().message().empty() || result.error().code() == Errc::none))
    complain("an Error without a word");
  if (!faulty && !ran.succeeded) complain("it fails by itself: " + result.error().message());
  if (took > scenario.limit)
    complain("it took " + std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()) + " ms");
  result = {};
  const long left = blocks - blocks_before;
  if (const std::size_t now = open_descriptors(); now != descriptors)
    complain("descriptors: " + std::to_string(descriptors) + " before, " + std::to_string(now) + " after");
  // More blocks are no leak yet: a cache may have grown. Looking is slow, so it happens only then.
  ran.leaked = left != 0 && __lsan_do_recoverable_leak_check() != 0;
  if (ran.leaked) complain("memory is left");
  return ran;
}

Ran run(const Scenario& scenario, const Pair& one) {
  pair = one;
  Ran ran = run(scenario, text_of(scenario, one), one.function >= 0);
  pair = {};
  return ran;
}

std::vector<Call> list_calls(const Scenario& scenario) {
  for (int warming = 0; warming < 2; ++warming) {
    calls.clear();
    recording = true;
    const Ran ran = run(scenario, Pair{});
    recording = false;
    if (!ran.complaint.empty()) {
      ADD_FAILURE() << scenario.name << ": " << ran.complaint;
      return {};
    }
  }
  return std::exchange(calls, {});
}

// Once for each place in the code every fault, and for later calls from the same place one after the other.
std::vector<Pair> pairs_of(const std::vector<Call>& all, bool exhaustive) {
  std::map<std::tuple<int, const void*, const void*>, std::size_t> turns;
  std::vector<Pair> pairs;
  for (const Call& call : all) {
    const Function& function = functions()[static_cast<std::size_t>(call.function)];
    if (function.faults.empty()) continue;
    const std::tuple place(call.function, call.site.caller, call.site.callers_caller);
    const auto [known, first] = turns.try_emplace(place, 0);
    if (first || exhaustive) {
      for (const Fault& fault : function.faults)
        for (const bool lasting : {false, true}) pairs.push_back({call.function, call.nth, fault, lasting});
      continue;
    }
    const std::size_t turn = known->second++;
    pairs.push_back({call.function, call.nth, function.faults[turn / 2 % function.faults.size()], turn % 2 != 0});
  }
  return pairs;
}

const char* wanted() {
  const char* given = std::getenv("MEARI_TORTURE_PAIR");
  return given == nullptr || *given == '\0' ? nullptr : given;
}

std::string repeat(const std::string& trial) {
  return "MEARI_TORTURE_PAIR='" + trial + "' build/asan/meari_torture --gtest_filter='*" +
         trial.substr(0, trial.find(':')) + "'";
}

}  // namespace

void wrong(std::string what) {
  const std::lock_guard lock(mutex);
  if (verdict.empty()) verdict = std::move(what);
}

void torment(const Scenario& scenario) {
  set_up();
  const auto start = Clock::now();
  const std::vector<Call> all = list_calls(scenario);
  if (testing::Test::HasFailure()) return;
  const bool exhaustive = std::getenv("MEARI_TORTURE_ALL") != nullptr || wanted() != nullptr;
  std::size_t reached = 0, succeeded = 0, failed = 0, complaints = 0, unreached = 0;
  for (const Pair& one : pairs_of(all, exhaustive)) {
    const std::string trial = text_of(scenario, one);
    if (wanted() != nullptr && trial != wanted()) continue;
    if (wanted() != nullptr) std::printf("%s\n", trial.c_str());
    const Ran ran = run(scenario, one);
    if (!ran.complaint.empty()) {
      ADD_FAILURE() << ran.complaint << "\n  " << repeat(trial);
      if (++complaints == 30 || ran.leaked) break;  // a leak would be found after every run that follows
      continue;
    }
    ++(ran.reached ? reached : unreached);
    if (ran.reached) ++(ran.succeeded ? succeeded : failed);
  }
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
  std::printf(
      "torture: %s: %zu calls, %zu pairs (%zu went well all the same, %zu failed with an Error; %zu not reached), %lld "
      "ms\n",
      scenario.name.c_str(), all.size(), reached, succeeded, failed, unreached, static_cast<long long>(ms));
}

void starve(const Scenario& scenario) {
  set_up();
  static_cast<void>(scenario);
}

std::set<std::string> sites_of(const Scenario& scenario) {
  std::set<std::string> sites;
  for (const Call& call : list_calls(scenario)) {
    const std::string function(functions()[static_cast<std::size_t>(call.function)].name);
    if (call.site.callers_caller == nullptr) {
      sites.insert(function);
      continue;
    }
    std::array<char, 1024> text{};
    auto pc = reinterpret_cast<std::uintptr_t>(call.site.caller) - 1;  // of the call, not of what follows it
    __sanitizer_symbolize_pc(reinterpret_cast<void*>(pc), "%s:%l", text.data(), text.size());
    sites.insert(std::string(text.data()) + ' ' + function);
  }
  return sites;
}

}  // namespace meari::torture
