// Escaper: received bytes made fit for a terminal. New lines stay; a character that comes in two pieces is put together
// before it is judged.
#pragma once

#include <string>
#include <string_view>

namespace meari::command {

class Escaper {
 public:
  // What can be printed by now.
  [[nodiscard]] std::string escape(std::string_view bytes);
  // The rest, when no more bytes come.
  [[nodiscard]] std::string finish();
  // Whether what was printed last ended a line (or nothing was).
  [[nodiscard]] bool at_line_start() const noexcept { return at_line_start_; }

 private:
  std::string kept_;  // the beginning of a character: at most three bytes
  bool at_line_start_ = true;
};

}  // namespace meari::command
