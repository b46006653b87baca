// View: lets --explain and --events look at a loop. Must outlive the loop: a socket that closes last is told, too.
#pragma once

#include <meari/loop.hpp>

#include "chart.hpp"
#include "event_lines.hpp"
#include "src/command/speech/talk.hpp"
#include "steps.hpp"

namespace meari::command {

struct ViewSettings {
  bool explain = false;
  bool events = false;
  [[nodiscard]] bool wanted() const noexcept { return explain || events; }
};

class View {
 public:
  View(const Talk& talk, ViewSettings settings);
  View(const View&) = delete;
  View& operator=(const View&) = delete;
  // Before anything is opened on the loop. Nothing happens when nobody wants to look.
  void attach(Loop& loop);

 private:
  ViewSettings settings_;
  Chart chart_;
  EventLines lines_;
  Steps steps_;
};

}  // namespace meari::command
