// Comparison: whether one measurement is better or worse than another, or whether that is noise.
//
// Each measurement is cut into slices of time. Runs that might have been are drawn from them: as many slices as there were,
// again and again, in groups of neighbours, because what is slow now is likely to be slow a moment later (the circular block
// bootstrap of Politis and Romano). How far their ratios are apart is the noise within the two runs; what differs from one start
// of a program to the next (addresses, the processor's clock, neighbours) is not in it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "measurement.hpp"
#include "src/command/flags/gates.hpp"
#include "src/command/speech/talk.hpp"

namespace meari::command {

// Holds the ratio 95 times of 100.
struct Interval {
  double low = 1;
  double high = 1;
};

enum class Finding : std::uint8_t { better, worse, noise, unknown };

struct Change {
  Metric metric = Metric::rate;
  double before = 0;  // ns, messages a second, errors
  double after = 0;
  std::optional<Interval> ratio;  // none: too few slices
  Finding finding = Finding::unknown;
};

struct GateOutcome {
  enum class Kind : std::uint8_t { passed, failed, doubtful };  // doubtful: beyond the limit, and within the noise
  Gate gate;
  Kind kind = Kind::passed;
};

struct Difference {
  std::string name;
  std::string before;
  std::string after;
};

struct Comparison {
  std::vector<Change> changes;          // one for each metric
  std::vector<Difference> differences;  // of settings and machines: what is compared is not the same thing
  std::vector<GateOutcome> gates;

  [[nodiscard]] bool failed() const noexcept;
  // Several lines, quoted.
  [[nodiscard]] std::string text(const Talk& talk, const std::string& file, const Measurement& before) const;
  [[nodiscard]] nlohmann::ordered_json json(const std::string& file) const;
};

[[nodiscard]] Comparison compare(const Measurement& before, const Measurement& after, std::span<const Gate> gates);

}  // namespace meari::command
