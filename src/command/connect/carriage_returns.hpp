// CarriageReturns: LF becomes CRLF, as line-based protocols want it (--crlf). What is CRLF already stays, also when the CR
// was the end of the piece before.
#pragma once

#include <string>
#include <string_view>

namespace meari::command {

class CarriageReturns {
 public:
  [[nodiscard]] std::string add(std::string_view text) {
    std::string out;
    out.reserve(text.size() + text.size() / 32 + 2);
    for (const char letter : text) {
      if (letter == '\n' && last_ != '\r') out += '\r';
      out += letter;
      last_ = letter;
    }
    return out;
  }

 private:
  char last_ = '\0';
};

}  // namespace meari::command
