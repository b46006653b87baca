// One seed after the other, until one fails.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string_view>

#include <meari/scope.hpp>
#include <meari/sim.hpp>
#include "src/os/command_line.hpp"

namespace meari {
inline namespace v1 {

namespace {

struct Seeds {
  std::uint64_t first, count;
};

std::optional<std::uint64_t> seed_number(std::string_view text) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  return read.ec == std::errc() && read.ptr == end ? std::optional(value) : std::nullopt;
}

std::string_view variable(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? std::string_view() : text;
}

// What is no number stops the program, and so does what asks for no seed at all: a typo would let tests pass that have not run.
Seeds wanted(const SimSweep& sweep) {
  if (const std::string_view text = variable("MEARI_SIM_SEED"); !text.empty()) {
    if (const auto only = seed_number(text); only && *only != 0) return {*only, 1};
    raise(Error(Errc::invalid_argument, "MEARI_SIM_SEED", text));
  }
  const std::string_view text = variable("MEARI_SIM_SEEDS");
  if (text.empty()) return {sweep.first, sweep.seeds};
  const std::size_t hyphen = text.find('-');
  const auto one = seed_number(text.substr(0, hyphen));
  if (hyphen == std::string_view::npos) {
    if (one && *one != 0) return {sweep.first, *one};
  } else if (const auto last = seed_number(text.substr(hyphen + 1)); one && *one != 0 && last && *one <= *last) {
    return {*one, *last - *one + 1};
  }
  raise(Error(Errc::invalid_argument, "MEARI_SIM_SEEDS", text));
}

std::string command(const SimSweep& sweep, std::uint64_t seed) {
  const std::string number = std::to_string(seed);
  if (sweep.repeat.empty()) return "MEARI_SIM_SEED=" + number + ' ' + os::command_line();
  std::string text = sweep.repeat;
  if (const std::size_t at = text.find("{}"); at != std::string::npos) text.replace(at, 2, number);
  return text;
}

std::string words(const std::exception_ptr& exception) { return TaskFailure{Error(), exception}.message(); }

SimRecord run_once(const SimSweep& sweep, std::uint64_t seed, const std::function<void(const SimOptions&)>& scenario) {
  SimRecord record;
  SimOptions options = sweep.options;
  options.seed = seed;
  options.record = &record;
  options.swarm = options.swarm || sweep.swarm;
  const std::exception_ptr exception = caught([&] { scenario(options); });
  if (exception) record.failures.push_back(words(exception));
  if (sweep.failed && sweep.failed())
    record.failures.emplace_back("what was expected outside of the network: see above");
  return record;
}

}  // namespace

SimReport simulate(const SimSweep& sweep, const std::function<void(const SimOptions&)>& scenario) {
  SimReport report;
  const auto begin = std::chrono::steady_clock::now();
  const Seeds seeds = wanted(sweep);
  for (std::uint64_t seed = seeds.first; report.seeds != seeds.count; ++seed) {
    SimRecord record = run_once(sweep, seed, scenario);
    ++report.seeds;
    report.events += record.events;
    report.simulated += record.simulated;
    if (record.failures.empty() && sweep.twice != 0 && seed % sweep.twice == 0) {
      const SimRecord again = run_once(sweep, seed, scenario);
      if (again.hash != record.hash)
        record.failures.emplace_back(
            "the same seed did not give the same run: something in it is not simulated (the system's "
            "time, chance of its own, addresses in memory, threads)");
      else record.failures = again.failures;
    }
    if (record.failures.empty()) continue;
    report.failed_seed = seed;
    report.failures = std::move(record.failures);
    report.faults = std::move(record.faults);
    report.trace = record.trace ? record.trace() : std::string();
    report.repeat = command(sweep, seed);
    break;
  }
  report.taken = std::chrono::steady_clock::now() - begin;
  return report;
}

std::string SimReport::text() const {
  const double real = std::max(std::chrono::duration<double>(taken).count(), 1e-9);
  const double virtual_time = std::chrono::duration<double>(simulated).count();
  char figures[160];
  std::snprintf(figures, sizeof figures,
                "%llu seeds, %llu events, %.0f s of simulated time in %.2f s: %.0f seeds/s, %.0f : 1\n",
                static_cast<unsigned long long>(seeds), static_cast<unsigned long long>(events), virtual_time, real,
                static_cast<double>(seeds) / real, virtual_time / real);
  if (failed_seed == 0) return figures;
  std::string text = "seed " + std::to_string(failed_seed) + " failed:\n";
  for (const std::string& failure : failures) text += "  " + failure + '\n';
  text += "faults: " + faults + "\nthe last events:\n" + trace + "to repeat it: " + repeat + '\n';
  return text;
}

}  // namespace v1
}  // namespace meari
