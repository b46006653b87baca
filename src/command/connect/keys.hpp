// Keys: cuts what comes from a terminal into keys, so that nobody ever waits for the rest of one: a character in UTF-8, a
// control character, or an escape sequence. What is no key, or none that the line editor knows, is left out.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace meari::command {

class Keys {
 public:
  void feed(std::string_view typed) { bytes_ += typed; }
  // The next key as characters; nothing when it is not whole yet.
  [[nodiscard]] std::optional<std::u32string> next();

 private:
  // The length of the key at the front; 0: not whole.
  [[nodiscard]] std::size_t size() const noexcept;

  std::string bytes_;
};

}  // namespace meari::command
