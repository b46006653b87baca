// History: the lines that were typed, over all runs: $XDG_STATE_HOME/meari/history, else ~/.local/state/meari/history.
// Only its owner may read it. A line that begins with a space is not kept, as in a shell.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace meari::command {

class History {
 public:
  static constexpr std::size_t most_lines = 1000;

  // Reads what is there; without a home nothing is kept.
  History();
  ~History() { save(); }
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  [[nodiscard]] const std::vector<std::string>& lines() const noexcept { return lines_; }
  // Says whether it was taken.
  bool add(std::string_view line);

 private:
  // Behind what others have written meanwhile. What fails here is no reason to disturb anybody.
  void save() noexcept;

  std::filesystem::path path_;
  std::vector<std::string> lines_;
  std::size_t known_ = 0;  // as many of them are in the file
};

}  // namespace meari::command
