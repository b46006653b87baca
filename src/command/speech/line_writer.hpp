// LineWriter: lines on their way to standard error. Nobody ever waits for whoever reads them: when that is slow, lines are
// dropped and counted, and the count is written in their place.
#pragma once

#include <cstdint>
#include <string>

#include <meari/channel.hpp>
#include <meari/task.hpp>

#include "talk.hpp"

namespace meari::command {

class LineWriter {
 public:
  explicit LineWriter(const Talk& talk) : talk_(&talk) {}

  void add(std::string line);
  // Writes until finish(); to be spawned on the loop.
  Task<> run();
  // Writes what is left, for at most a second. Nothing is added afterwards.
  Task<> finish();

 private:
  static constexpr std::size_t capacity = 4096;  // lines

  const Talk* talk_;
  Channel<std::string> lines_{ChannelOptions{.capacity = capacity, .when_full = WhenFull::refuse}};
  Channel<bool> finished_{ChannelOptions{.capacity = 1, .when_full = WhenFull::drop_oldest}};
  std::uint64_t lost_ = 0;
};

}  // namespace meari::command
