// quote(): bytes from anywhere as text that is safe to print. The one place where this project escapes.
//
//   quote("hello\n")        →  hello\n          with a backslash and an n
//   quote("\x1b[2J메아리")   →  \x1b[2J메아리
//
// What a peer sends may hold anything: terminal commands, half a character, marks that turn the direction of writing.
// Printable UTF-8 stays as it is; a backslash, a quotation mark and the usual controls become \\ \" \n \r \t; every other
// byte becomes \xNN. One line in, one line out; from what is printed, the bytes can be told exactly.
#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include <meari/version.hpp>

namespace meari {
inline namespace v1 {

struct QuoteOptions {
  std::size_t max_bytes = std::numeric_limits<std::size_t>::max();  // of the input; "…" tells that more followed
  bool keep_newlines = false;                                       // "\n" stays a new line
  bool keep_quotes = false;                                         // '"' stays as it is: not inside quotation marks
};

[[nodiscard]] MEARI_EXPORT std::string quote(std::string_view bytes, const QuoteOptions& options = {});
[[nodiscard]] MEARI_EXPORT std::string quote(std::span<const std::byte> bytes, const QuoteOptions& options = {});

}  // namespace v1
}  // namespace meari
