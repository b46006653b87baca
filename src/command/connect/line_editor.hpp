// LineEditor: the line that a person is typing, with the keys that people know from a shell, and a history.
//
//   std::unique_ptr<LineEditor> editor = LineEditor::make(loop…);       // nothing: this terminal cannot, read plain lines
//   screen += editor->show();                                           // the prompt
//   while (!(line = editor->next())) { editor->feed(read()); screen += editor->output(); }
//
// It reads and writes nothing by itself, so that it never keeps the loop waiting: what is typed is fed to it, and what it
// wants to have on the screen is taken from it. Output of others goes between hide() and show(); the line and the cursor in
// it stay as they were.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <meari/operation.hpp>

namespace meari::command {

struct EditedLine {
  std::string text;  // without its end
  bool end = false;  // Ctrl-D on an empty line: the end of input
};

class LineEditor {
 public:
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;
  virtual ~LineEditor() = default;  // the terminal is as it was, and the history is kept

  // Standard input and output are a terminal. Nothing when it cannot move its cursor (TERM=dumb), or when this program was
  // built without libedit.
  [[nodiscard]] static std::unique_ptr<LineEditor> make(std::string_view prompt);

  // What was typed: any bytes, cut anywhere.
  virtual void feed(std::string_view typed) = 0;
  // A line that is complete; nothing when more has to be typed. What was fed behind it waits for the next call.
  [[nodiscard]] virtual std::optional<EditedLine> next() = 0;
  // For the screen, since it was asked last.
  [[nodiscard]] virtual std::string output() = 0;
  // Takes the line off the screen, and puts it back.
  [[nodiscard]] virtual std::string hide() = 0;
  [[nodiscard]] virtual std::string show() = 0;
  // Readable when the process goes on after a stop (Ctrl-Z, then fg), and something else stands on the screen; or
  // no_descriptor. Then again() puts the line where the cursor is.
  [[nodiscard]] virtual Descriptor gone_on() const = 0;
  [[nodiscard]] virtual std::string again() = 0;

 protected:
  LineEditor() = default;
};

}  // namespace meari::command
