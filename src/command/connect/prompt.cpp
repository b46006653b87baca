#include "prompt.hpp"

#include <optional>
#include <span>
#include <string_view>

#include <meari/readiness.hpp>

#include "src/os/console.hpp"

namespace meari::command {
namespace {

constexpr std::string_view sign = "> ";

}  // namespace

Prompt::Prompt(Loop& loop, Source& input, Sink& output)
    : loop_(loop), input_(input), output_(output), editor_(LineEditor::make(sign)) {}

Task<Chunk> Prompt::line() {
  Chunk line;
  waits_ = true;
  if (editor_ == nullptr) line = co_await plain_line();
  else line = co_await edited_line();
  waits_ = false;
  co_return line;
}

Task<Chunk> Prompt::plain_line() {
  co_await print(std::string(sign));
  co_return co_await input_.read();
}

Task<Chunk> Prompt::edited_line() {
  co_await print(editor_->show());
  for (;;) {
    const std::optional<EditedLine> line = editor_->next();
    co_await print(editor_->output());
    if (line && line->end) co_return Chunk();
    if (line) {
      const std::string text = line->text + '\n';
      Result<Chunk> copy = Chunk::copy_of(std::as_bytes(std::span(text.data(), text.size())));
      co_return co_await std::move(copy);
    }
    const Chunk typed = co_await input_.read();
    if (typed.empty()) co_return Chunk();
    editor_->feed(typed.text());
  }
}

std::string Prompt::around(std::string lines) const {
  if (!waits_) return lines;
  lines.insert(0, editor_ == nullptr ? "\n" : editor_->hide());
  lines += editor_ == nullptr ? std::string(sign) : editor_->show();  // in this order, so not in one expression
  return lines;
}

void Prompt::tell(std::string line) const {
  if (os::is_terminal(os::Standard::error)) line = around(std::move(line));
  os::print(os::Standard::error, line);
}

Task<> Prompt::redraw_after_stops() {
  if (editor_ == nullptr || editor_->gone_on() == no_descriptor) co_return;
  const Result<Watched> gone_on = Watched::watch(editor_->gone_on(), loop_);
  if (!gone_on) co_return;
  for (;;) {
    co_await gone_on->readable();
    std::string line = editor_->again();
    if (waits_) co_await print(std::move(line));
  }
}

Task<> Prompt::print(std::string text) {
  if (!text.empty()) co_await output_.write(std::string_view(text));
}

}  // namespace meari::command
