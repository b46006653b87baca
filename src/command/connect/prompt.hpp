// Prompt: a person at a terminal, who types a line at a time while others print on the same screen.
//
//   Prompt prompt(loop, input, output);
//   while (Chunk line = co_await prompt.line()) …      // with its end; an empty one: the end of input
//   co_await output.write(prompt.around("news\n"));    // meanwhile: what is being typed stays below it, as it was
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <meari/chunk.hpp>
#include <meari/loop.hpp>
#include <meari/standard.hpp>
#include <meari/task.hpp>

#include "line_editor.hpp"

namespace meari::command {

class Prompt {
 public:
  // Both are a terminal, and outlive it.
  Prompt(Loop& loop, Source& input, Sink& output);

  // A line as the terminal gives it, with its line end; without one after Ctrl-D in the middle of a line.
  Task<Chunk> line();
  // How to print whole lines now.
  [[nodiscard]] std::string around(std::string lines) const;
  // What was being typed stays where it is, and nothing is put around what is printed from now on. Says whether something
  // was being typed: then the cursor stands behind it.
  bool leave() noexcept { return std::exchange(waits_, false); }
  // A line of ours for standard error, at any time.
  void tell(std::string line) const;
  // What was typed so far is shown again after Ctrl-Z and fg. Does not end by itself, unless there is nothing to do.
  Task<> redraw_after_stops();

 private:
  Task<Chunk> plain_line();
  Task<Chunk> edited_line();
  Task<> print(std::string text);

  Loop& loop_;
  Source& input_;
  Sink& output_;
  std::unique_ptr<LineEditor> editor_;  // nothing: the terminal edits its lines itself
  bool waits_ = false;                  // for a line
};

}  // namespace meari::command
