// LineWriter: lines on their way to standard error. Nobody ever waits for whoever reads them: when that is slow, lines are
// dropped and counted, and the count is written in their place. Only a dump waits: none of its bytes is to be missing.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>

#include <meari/channel.hpp>
#include <meari/task.hpp>

#include "talk.hpp"

namespace meari::command {

class LineWriter {
 public:
  explicit LineWriter(const Talk& talk) : talk_(&talk) {}

  // From any thread.
  void add(std::string line);
  // Lines that belong together, with their ends; from a Task on any loop. Waits while so many others are on their way.
  Task<> dump(std::string lines);
  // Writes until finish(); to be spawned on the loop.
  Task<> run();
  // Writes what is left, for at most a second. Nothing is added afterwards.
  Task<> finish();

 private:
  static constexpr std::size_t capacity = 4096;  // lines
  static constexpr std::size_t most_dumps = 8;   // of them; each may be long

  struct Entry {
    std::string text;
    bool is_dump = false;
  };

  const Talk* talk_;
  void write_down(Entry entry, std::string& batch);

  Channel<Entry> lines_{ChannelOptions{.capacity = capacity}};
  Channel<bool> dumps_{ChannelOptions{.capacity = most_dumps}};  // one value for each that is on its way
  Channel<bool> finished_{ChannelOptions{.capacity = 1, .when_full = WhenFull::drop_oldest}};
  std::atomic<std::uint64_t> lost_ = 0;
};

}  // namespace meari::command
