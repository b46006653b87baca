#include "talk.hpp"

#include <meari/quote.hpp>

#include "library_text.hpp"
#include "src/os/console.hpp"

namespace meari::command {

void Talk::line(std::string_view text) const { write(quote(text, {.keep_quotes = true})); }

void Talk::whole_line(std::string text) const {
  if (!quiet_) write(std::move(text));
}

void Talk::write(std::string line) const {
  line += '\n';
  if (writer_) return writer_(std::move(line));
  // One write for one line: lines of several programs do not get mixed up in a log.
  os::print(os::Standard::error, line);
}

void Talk::complain(std::string_view sentence) const { line("meari: " + std::string(sentence)); }

void Talk::advise(std::string_view sentence) const {
  if (!sentence.empty()) line("       " + std::string(sentence));
}

void Talk::complain(const Error& error) const {
  complain(std::string_view(message_of(language_, error)));
  advise(advice_for(language_, error));
}

std::string seconds(std::int64_t nanoseconds) {
  const std::int64_t milliseconds = nanoseconds / 1'000'000;
  return fmt::format("{}.{:03}", milliseconds / 1000, milliseconds % 1000);
}

}  // namespace meari::command
