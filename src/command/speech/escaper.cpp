#include "escaper.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <meari/quote.hpp>

namespace meari::command {
namespace {

// How many bytes at the end may be the beginning of a UTF-8 character that is not whole yet.
std::size_t unfinished(std::string_view bytes) noexcept {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, bytes.size()); ++back) {
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - back]);
    if (byte < 0x80) return 0;
    if (byte < 0xC0) continue;
    const std::size_t size = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
    return size > back ? back : 0;
  }
  return 0;
}

}  // namespace

std::string Escaper::escape(std::string_view bytes) {
  std::string text = std::exchange(kept_, {}) + std::string(bytes);
  const std::size_t keep = unfinished(text);
  kept_ = text.substr(text.size() - keep);
  text.resize(text.size() - keep);
  if (!text.empty()) at_line_start_ = text.back() == '\n';
  return quote(text, {.keep_newlines = true, .keep_quotes = true});
}

std::string Escaper::finish() {
  if (!kept_.empty()) at_line_start_ = false;
  return quote(std::exchange(kept_, {}), {.keep_quotes = true});
}

}  // namespace meari::command
