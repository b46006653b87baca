// Chart: the flow chart of every sockets tutorial, live, a numbered line for each step.
//
//   ① socket()    fd 5                              a socket; so far it has no address
//   ② bind()      fd 5  [::1]:9000                  it has its address now
//   ④ accept()    fd 7  127.0.0.1:53422             a new socket for this client; the listening one stays … (ESTABLISHED)
//   ⑤ recv()      fd 7  6 bytes "hello\n"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "src/command/speech/talk.hpp"
#include "steps.hpp"

namespace meari::command {

class Chart {
 public:
  // `colour`: with the escapes of a terminal (ECMA-48).
  Chart(const Talk& talk, bool colour) : talk_(talk), colour_(colour) {}

  void tell(const Step& step);

 private:
  struct Line {
    std::string_view call;
    std::string detail;
    std::string text;
    bool alarming = false;
    bool with_state = false;  // the state of TCP is what is new
  };
  [[nodiscard]] Line line_of(const Step& step) const;
  [[nodiscard]] Line moved(const Step& step) const;
  [[nodiscard]] Line closed(const Step& step) const;
  [[nodiscard]] Line waits(const Step& step) const;
  [[nodiscard]] std::string styled(std::string_view style, std::string text) const;

  const Talk& talk_;
  bool colour_;
  std::uint32_t step_ = 0;
};

}  // namespace meari::command
