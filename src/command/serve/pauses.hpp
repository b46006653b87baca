// Pauses: tells that a limit has the server take nobody, once an episode. At its limit a busy server pauses and resumes for
// every session; an episode lasts until it has taken everybody who came for a while.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include <meari/channel.hpp>
#include <meari/loop.hpp>
#include <meari/task.hpp>

#include "log.hpp"

namespace meari::command {

class Pauses {
 public:
  Pauses(Loop& loop, const Log& log) : loop_(loop), log_(log) {}

  // As ServerOptions::on_pause is told.
  void told(bool resumed, std::string_view reason);
  // Tells the end of each episode. Does not end by itself.
  Task<> watch();

 private:
  Loop& loop_;
  const Log& log_;
  std::set<std::string> reasons_;  // of this episode, each told once; none: there is no episode
  std::uint64_t pauses_ = 0;       // in it
  bool paused_ = false;
  Time last_change_{};
  Channel<bool> resumed_{ChannelOptions{.capacity = 1, .when_full = WhenFull::drop_oldest}};
};

}  // namespace meari::command
