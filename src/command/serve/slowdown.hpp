// Slowdown: tells that --limit-rate makes a session wait, once an episode for each direction. An episode is over when nothing
// had to wait for a while.
#pragma once

#include <chrono>
#include <cstdint>

#include <meari/operation.hpp>

#include "log.hpp"

namespace meari::command {

class Slowdown {
 public:
  using Way = HexDump::Way;

  // `number`: of the session, as the log counts.
  Slowdown(const Log& log, std::uint64_t number, std::uint64_t bytes_per_second)
      : log_(log), number_(number), limit_(bytes_per_second) {}

  // The next piece in this direction has to wait until then.
  void waits(Way way, Time now, Time until) {
    constexpr std::chrono::seconds pause{10};
    Time& last = last_[static_cast<std::size_t>(way)];
    if (last == Time::min() || now - last >= pause) log_.slowed_down(number_, way, limit_);
    last = until;
  }

 private:
  const Log& log_;
  std::uint64_t number_;
  std::uint64_t limit_;
  Time last_[2] = {Time::min(), Time::min()};  // when the last wait was over
};

}  // namespace meari::command
