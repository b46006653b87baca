// One seed after the other, until one fails.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include <meari/scope.hpp>
#include <meari/sim.hpp>

namespace meari {
inline namespace v1 {

namespace {

// The number in an environment variable; nothing where it is not set. What is not a number stops the program: a typo would
// let tests pass that have not run.
bool wanted(const char* name, std::uint64_t& value) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') return false;
  const std::string_view digits(text);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) raise(Error(Errc::invalid_argument, name, digits));
  return true;
}

std::string command(const SimSweep& sweep, std::uint64_t seed) {
  std::string text = sweep.repeat.empty() ? "MEARI_SIM_SEED={} and the same program again" : sweep.repeat;
  const std::string number = std::to_string(seed);
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
  std::uint64_t first = sweep.first, last = 0, count = sweep.seeds;
  wanted("MEARI_SIM_SEEDS", count);
  last = first + count;
  const bool only_one = wanted("MEARI_SIM_SEED", first);
  if (only_one) last = first + 1;
  for (std::uint64_t seed = first; seed < last; ++seed) {
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
