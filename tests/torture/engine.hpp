// The torture that misses no call. A scenario runs once and every system call and every submission of it is listed; then
// it runs again for each of them and each way in which that call can fail (faults.hpp): with that one failing, and with
// that one and every later call of the same function failing; what passes by itself (EINTR, EAGAIN) fails 64 times, and for
// ever where a kernel could do that.
//
//   Result<> conversation() { …; if (text != "hello") wrong("other bytes came"); return {}; }
//   TEST(Torture, conversation) { torment({"conversation", conversation}); }
//
// What a run must show: it ends in time, with the right bytes or with an Error that says something; no descriptor and no
// memory is left; no sanitizer complains. A failure prints the one command that repeats it:
//
//   MEARI_TORTURE_PAIR=conversation:recv:2:ECONNRESET:once build/asan/meari_torture
#pragma once

#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <meari/result.hpp>

#include "src/os/system.hpp"

namespace meari::torture {

using namespace std::chrono_literals;

struct Scenario {
  std::string name;
  std::function<Result<>()> run;
  std::chrono::milliseconds limit = 1500ms;  // one run may take so long at the most
  bool hides_the_everyday = true;            // interruptions and short counts are not seen from outside
  bool waits_by_itself = false;              // EAGAIN means: later. Else it is the time limit of a blocking socket
  bool needs_wakes = false;                  // what one thread tells another is not looked at before long otherwise
};

// Every call of it, every fault. Where MEARI_TORTURE_SITES names a file, the places in the sources that were reached are
// written there.
void torment(const Scenario& scenario);
// Every allocation of it: the nth fails once, and from then on.
void starve(const Scenario& scenario);

// How many times as long a scenario may wait: 1, and more when it is tried once again.
[[nodiscard]] int slack() noexcept;
// How many calls are made to fail in this run.
[[nodiscard]] std::size_t faults() noexcept;
// Something passing goes on for ever: all that is to be seen is that there is an end.
[[nodiscard]] bool is_endless() noexcept;
// For operator new: is this the allocation that fails?
[[nodiscard]] bool allocation_fails() noexcept;

// Memory that a scenario needs for itself, not for the library: it never fails while one of these is there.
class Exempt {
 public:
  Exempt() noexcept;
  ~Exempt();

 private:
  bool before_;
};

// Said by a scenario: it came to an end that must never be, such as bytes that nobody has sent.
void wrong(std::string_view what);
// A failure of the scenario's own, made out of what it saw; not of the library.
[[nodiscard]] inline Error saw(const char* what) { return Error(Errc::unexpected_end, what); }

// All scenarios: each room adds its own.
using Scenarios = std::vector<Scenario>;
Scenarios blocking_scenarios();
Scenarios loop_scenarios();
Scenarios memory_scenarios();

}  // namespace meari::torture
