#include "line_editor.hpp"

#if defined(MEARI_HAS_EDIT)

#include <algorithm>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <utility>

#include <histedit.h>

#include "history.hpp"
#include "keys.hpp"
#include "src/os/terminal.hpp"

namespace meari::command {
namespace {

constexpr int standard_input = 0, standard_output = 1, standard_error = 2;

std::string in_utf8(const wchar_t* begin, const wchar_t* end) {
  std::string text;
  for (const wchar_t* at = begin; at != end; ++at) {
    const auto character = static_cast<std::uint32_t>(*at);
    const auto add = [&](std::uint32_t bits) { text += static_cast<char>(bits); };
    if (character < 0x80) add(character);
    else if (character < 0x800) add(0xC0 | character >> 6), add(0x80 | (character & 0x3F));
    else if (character < 0x10000)
      add(0xE0 | character >> 12), add(0x80 | (character >> 6 & 0x3F)), add(0x80 | (character & 0x3F));
    else
      add(0xF0 | character >> 18), add(0x80 | (character >> 12 & 0x3F)), add(0x80 | (character >> 6 & 0x3F)),
          add(0x80 | (character & 0x3F));
  }
  return text;
}

// What libedit would print, kept until somebody takes it.
class Screen {
 public:
  Screen() : file_(open_memstream(&memory_, &size_)) {}
  ~Screen() {
    if (file_ != nullptr) static_cast<void>(std::fclose(file_));
    std::free(memory_);
  }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;
  [[nodiscard]] FILE* file() const noexcept { return file_; }
  std::string take() {
    static_cast<void>(std::fflush(file_));
    std::string text(memory_, size_);
    std::rewind(file_);
    return text;
  }

 private:
  char* memory_ = nullptr;
  std::size_t size_ = 0;
  FILE* file_;
};

// libedit in its unbuffered mode, in which el_gets() handles one key and comes back. It gets whole keys only, so it always
// finds what it asks for.
class Editor final : public LineEditor {
 public:
  explicit Editor(std::string_view prompt) : prompt_(prompt) {
    none_ = std::fopen("/dev/null", "r");
    if (none_ == nullptr || screen_.file() == nullptr) return;
    edit_ = el_init_fd("meari", none_, screen_.file(), screen_.file(), standard_input, standard_output, standard_error);
    if (edit_ == nullptr) return;
    el_set(edit_, EL_CLIENTDATA, this);
    el_set(edit_, EL_SIGNAL, 0);
    el_set(edit_, EL_EDITOR, "emacs");
    el_set(edit_, EL_PROMPT, &Editor::prompt_of);
    el_set(edit_, EL_GETCFN, &Editor::next_character);
    for (const auto& [key, command] : {std::pair{"\\e[3~", "ed-delete-next-char"},
                                       {"\\e[1~", "ed-move-to-beg"},
                                       {"\\e[7~", "ed-move-to-beg"},
                                       {"\\e[H", "ed-move-to-beg"},
                                       {"\\eOH", "ed-move-to-beg"},
                                       {"\\e[4~", "ed-move-to-end"},
                                       {"\\e[8~", "ed-move-to-end"},
                                       {"\\e[F", "ed-move-to-end"},
                                       {"\\eOF", "ed-move-to-end"},
                                       {"^W", "ed-delete-prev-word"}})
      el_set(edit_, EL_BIND, key, command, nullptr);
    // Inserting and deleting on the screen makes libedit 3.1 lose count of columns where characters are wide.
    for (const char* capability : {"ic", "IC", "im", "ei", "ip", "dc", "DC", "dm", "ed"})
      el_set(edit_, EL_SETTC, capability, "", nullptr);
    history_of_libedit_ = ::history_init();
    HistEvent event;
    ::history(history_of_libedit_, &event, H_SETSIZE, static_cast<int>(2 * History::most_lines));
    for (const std::string& line : history_.lines()) ::history(history_of_libedit_, &event, H_ENTER, line.c_str());
    el_set(edit_, EL_HIST, ::history, history_of_libedit_);
    el_set(edit_, EL_UNBUFFERED, 1);
    modes_.emplace();
    static_cast<void>(screen_.take());  // the prompt comes with show()
  }

  ~Editor() override {
    modes_.reset();
    if (edit_ != nullptr) {
      el_set(edit_, EL_UNBUFFERED, 0);
      el_end(edit_);
    }
    if (history_of_libedit_ != nullptr) ::history_end(history_of_libedit_);
    if (none_ != nullptr) static_cast<void>(std::fclose(none_));
  }

  [[nodiscard]] bool works() const noexcept { return edit_ != nullptr; }

  void feed(std::string_view typed) override { keys_.feed(typed); }

  std::optional<EditedLine> next() override {
    while (const std::optional<std::u32string> key = keys_.next()) {
      constexpr char32_t end_of_input = 4;
      if (key->front() == end_of_input && text().empty()) return EditedLine{.text = {}, .end = true};
      pending_.assign(key->begin(), key->end());
      int count = 0;
      const char* const done = el_gets(edit_, &count);
      pending_.clear();
      if (done == nullptr || count <= 0) continue;
      const LineInfoW* const line = el_wline(edit_);
      if (line->lastchar == line->buffer || line->lastchar[-1] != L'\n') continue;
      EditedLine edited{.text = in_utf8(line->buffer, line->lastchar - 1)};
      if (history_.add(edited.text)) {
        HistEvent event;
        ::history(history_of_libedit_, &event, H_ENTER, edited.text.c_str());
      }
      output_ += screen_.take();
      start_afresh();
      return edited;
    }
    return {};
  }

  std::string output() override { return std::exchange(output_, {}) + screen_.take(); }

  std::string hide() override {
    std::string out = output();
    const LineInfoW* const line = el_wline(edit_);
    const std::size_t wide = static_cast<std::size_t>(std::max(1, width()));
    const std::size_t row = (columns(line->buffer, line->cursor) + prompt_.size()) / wide;
    out += '\r';
    if (row != 0) out += "\x1b[" + std::to_string(row) + 'A';
    out += "\x1b[J";
    kept_ = text();
    kept_cursor_ = static_cast<int>(line->lastchar - line->cursor);
    return out;
  }

  std::string show() override {
    start_afresh();  // also learns how wide the window is now
    if (!kept_.empty()) {
      el_insertstr(edit_, kept_.c_str());
      el_cursor(edit_, -std::exchange(kept_cursor_, 0));
      kept_.clear();
    }
    el_set(edit_, EL_REFRESH);
    return output();
  }

  [[nodiscard]] Descriptor gone_on() const override { return modes_ ? modes_->gone_on() : no_descriptor; }

  std::string again() override {
    modes_->taken();
    static_cast<void>(hide());  // where it was nobody knows now
    return "\r\x1b[J" + show();
  }

 private:
  static char* prompt_of(EditLine* edit) {
    void* self = nullptr;
    el_get(edit, EL_CLIENTDATA, &self);
    return static_cast<Editor*>(self)->prompt_.data();
  }

  static int next_character(EditLine* edit, wchar_t* character) {
    void* self = nullptr;
    el_get(edit, EL_CLIENTDATA, &self);
    std::deque<wchar_t>& pending = static_cast<Editor*>(self)->pending_;
    if (pending.empty()) return 0;
    *character = pending.front();
    pending.pop_front();
    return 1;
  }

  // An empty line with the cursor behind its prompt, without a word to the terminal's driver, which could make us wait.
  void start_afresh() {
    el_set(edit_, EL_EDITMODE, 0);
    el_set(edit_, EL_UNBUFFERED, 0);
    el_set(edit_, EL_UNBUFFERED, 1);
    el_set(edit_, EL_EDITMODE, 1);
    static_cast<void>(screen_.take());  // the prompt; EL_REFRESH prints it with what stands behind it
  }

  [[nodiscard]] std::string text() const {
    const LineInfoW* const line = el_wline(edit_);
    return in_utf8(line->buffer, line->lastchar);
  }
  [[nodiscard]] int width() const;
  static std::size_t columns(const wchar_t* begin, const wchar_t* end) {
    std::size_t sum = 0;
    for (const wchar_t* at = begin; at != end; ++at) sum += static_cast<std::size_t>(std::max(0, ::wcwidth(*at)));
    return sum;
  }

  std::string prompt_;
  FILE* none_ = nullptr;
  Screen screen_;
  EditLine* edit_ = nullptr;
  ::History* history_of_libedit_ = nullptr;
  command::History history_;
  Keys keys_;
  std::optional<os::KeptModes> modes_;
  std::deque<wchar_t> pending_;
  std::string output_;
  std::string kept_;
  int kept_cursor_ = 0;  // from the end
};

int Editor::width() const {
  int columns_of_terminal = 0;
  return el_get(edit_, EL_GETTC, "co", &columns_of_terminal) == 0 && columns_of_terminal > 0 ? columns_of_terminal : 80;
}

}  // namespace

std::unique_ptr<LineEditor> LineEditor::make(std::string_view prompt) {
  const char* const kind = std::getenv("TERM");
  if (kind == nullptr || *kind == '\0' || std::string_view(kind) == "dumb") return nullptr;
  // libedit asks the locale how wide a character is. What is typed is UTF-8 here, whatever the language.
  if (std::setlocale(LC_CTYPE, "C.UTF-8") == nullptr) return nullptr;
  auto editor = std::make_unique<Editor>(prompt);
  if (!editor->works()) return nullptr;
  return editor;
}

}  // namespace meari::command

#else

namespace meari::command {

std::unique_ptr<LineEditor> LineEditor::make(std::string_view) { return nullptr; }

}  // namespace meari::command

#endif
