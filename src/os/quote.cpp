// Which bytes may be printed as they are. UTF-8 after RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF.
#include <meari/quote.hpp>

#include <algorithm>
#include <cstdint>

namespace meari {
inline namespace v1 {

namespace {

struct Range {
  std::uint32_t first, last;
};

// Characters that a terminal obeys or does not show, in order. Each could make the printed text differ from the bytes.
constexpr Range hidden[] = {
    {0x0000, 0x001F},    // C0 controls
    {0x007F, 0x009F},    // DEL, C1 controls
    {0x00AD, 0x00AD},    // soft hyphen
    {0x034F, 0x034F},    // combining grapheme joiner
    {0x061C, 0x061C},    // Arabic letter mark, changes direction
    {0x115F, 0x1160},    // Hangul fillers
    {0x17B4, 0x17B5},    // invisible Khmer vowels
    {0x180B, 0x180F},    // Mongolian selectors and separators
    {0x200B, 0x200F},    // zero-width space and joiners, direction marks
    {0x2028, 0x202E},    // line and paragraph separators, embeddings and overrides of direction
    {0x2060, 0x206F},    // word joiner, invisible operators, isolates, deprecated controls
    {0x3164, 0x3164},    // Hangul filler
    {0xD800, 0xDFFF},    // surrogates
    {0xFDD0, 0xFDEF},    // noncharacters
    {0xFEFF, 0xFEFF},    // byte order mark
    {0xFFA0, 0xFFA0},    // half-width Hangul filler
    {0xFFF0, 0xFFFB},    // unassigned, annotation marks
    {0xFFFE, 0xFFFF},    // noncharacters
    {0x1D173, 0x1D17A},  // invisible musical marks
    {0xE0000, 0xE0FFF},  // tags, further variation selectors
};

bool is_hidden(std::uint32_t character) noexcept {
  if ((character & 0xFFFE) == 0xFFFE) return true;  // the last two of every plane are noncharacters
  const Range* at = std::ranges::lower_bound(hidden, character, {}, &Range::last);
  return at != std::end(hidden) && at->first <= character;
}

// How many bytes at the front make one printable character; 0 when the first byte has to be escaped.
std::size_t printable_size(std::string_view bytes) noexcept {
  const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
  const std::uint32_t lead = at(0);
  if (lead < 0x80) return is_hidden(lead) ? 0 : 1;
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || bytes.size() < size) return 0;
  std::uint32_t character = lead & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((at(i) & 0xC0U) != 0x80) return 0;
    character = character << 6 | (at(i) & 0x3FU);
  }
  constexpr std::uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (character < smallest[size] || character > 0x10FFFF) return 0;
  return is_hidden(character) ? 0 : size;
}

void escape(std::string& out, char byte) {
  switch (byte) {
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    case '\\': out += "\\\\"; return;
    case '"': out += "\\\""; return;
    default: break;
  }
  constexpr char digits[] = "0123456789abcdef";
  const auto value = static_cast<std::uint8_t>(byte);
  out.append({'\\', 'x', digits[value >> 4], digits[value & 15]});
}

}  // namespace

std::string quote(std::string_view bytes, const QuoteOptions& options) {
  std::string out;
  out.reserve(std::min(bytes.size(), options.max_bytes) + 8);
  std::size_t i = 0;
  while (i < bytes.size()) {
    const std::size_t printable = printable_size(bytes.substr(i));
    if (i + std::max<std::size_t>(printable, 1) > options.max_bytes) {  // never half a character
      out += "…";
      break;
    }
    const char byte = bytes[i];
    const bool as_it_is = byte == '\n'  ? options.keep_newlines
                          : byte == '"' ? options.keep_quotes
                                        : printable != 0 && byte != '\\';
    if (!as_it_is) {
      escape(out, byte);
      ++i;
    } else {
      const std::size_t size = std::max<std::size_t>(printable, 1);
      out.append(bytes.substr(i, size));
      i += size;
    }
  }
  return out;
}

std::string quote(std::span<const std::byte> bytes, const QuoteOptions& options) {
  return quote(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()), options);
}

}  // namespace v1
}  // namespace meari
