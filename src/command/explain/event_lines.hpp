// EventLines: every step as a JSON object on a line of its own, for programs. Always English, names never change meaning;
// docs/events.md is the schema and tests/command/test_explain.py holds it.
#pragma once

#include "src/command/speech/talk.hpp"
#include "steps.hpp"

namespace meari::command {

class EventLines {
 public:
  explicit EventLines(const Talk& talk) : talk_(talk) {}
  void tell(const Step& step) const;

 private:
  const Talk& talk_;
};

}  // namespace meari::command
