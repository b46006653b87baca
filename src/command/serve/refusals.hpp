// Refusals: who is turned away, and why, told in a line an episode. For --max-per-source an episode is of one source: it
// begins with the first connection beyond the limit and ends when the source has room again. A flood is not to become one of
// lines, so there are few in a second; the others are counted in the next one.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include <meari/address.hpp>
#include <meari/operation.hpp>

#include "log.hpp"

namespace meari::command {

// What --max-per-source counts by: "192.0.2.1", "2001:db8:0:1::/64".
[[nodiscard]] std::string name_of_source(const Address& address);

class Refusals {
 public:
  Refusals(const Log& log, std::size_t max_per_source) : log_(log), max_per_source_(max_per_source) {}

  void not_admitted(const Address& from, Time now);
  void too_many(const Address& from, Time now);
  // A session of this source has ended.
  void has_room(const Address& from);

 private:
  // Whether there may be one more line in this second; else it is counted.
  [[nodiscard]] bool may_tell(Time now, std::size_t most);

  const Log& log_;
  std::size_t max_per_source_;
  std::set<std::string> full_;  // those in an episode; each has a session at least
  Time second_ = Time::min();   // when it began
  std::size_t told_ = 0;        // in this second
  std::uint64_t untold_ = 0;
};

}  // namespace meari::command
