#include "hexdump.hpp"

#include <algorithm>
#include <vector>

#include "messages.hpp"

namespace meari::command {
namespace {

constexpr std::size_t row_bytes = 16;

struct Characters {
  std::uint32_t first, last;
  std::uint8_t columns;
};

// Characters whose width every terminal agrees about (Unicode's East Asian Width, without combining marks); in order.
constexpr Characters widths[] = {
    {0x0020, 0x007E, 1},    // ASCII
    {0x00C0, 0x00FF, 1},    // Latin letters
    {0x0100, 0x02AF, 1},    //
    {0x0386, 0x0386, 1},    // Greek
    {0x0388, 0x038A, 1},    //
    {0x038E, 0x03A1, 1},    //
    {0x03A3, 0x03FF, 1},    //
    {0x0400, 0x0482, 1},    // Cyrillic
    {0x048A, 0x052F, 1},    //
    {0x3001, 0x3029, 2},    // punctuation of East Asia
    {0x3041, 0x3096, 2},    // kana
    {0x30A1, 0x30FF, 2},    //
    {0x3131, 0x3163, 2},    // single Korean letters
    {0x3165, 0x318E, 2},    //
    {0x4E00, 0x9FFF, 2},    // Chinese characters
    {0xAC00, 0xD7A3, 2},    // Korean syllables
    {0xFF01, 0xFF60, 2},    // wide forms
    {0x1F600, 0x1F64F, 2},  // faces
};

struct Character {
  std::size_t bytes = 0;  // 0: not shown
  std::size_t columns = 0;
};

Character character_at(std::string_view text) noexcept {
  const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint32_t lead = at(0);
  const std::size_t size = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (text.size() < size || (lead >= 0x80 && lead < 0xC2) || lead > 0xF4) return {};
  std::uint32_t character = size == 1 ? lead : lead & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((at(i) & 0xC0U) != 0x80) return {};
    character = character << 6 | (at(i) & 0x3FU);
  }
  constexpr std::uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};  // an overlong form is no text
  const Characters* range = std::ranges::lower_bound(widths, character, {}, &Characters::last);
  if (range == std::end(widths) || character < range->first || character < smallest[size]) return {};
  return {.bytes = size, .columns = range->columns};
}

// What stands in the cell of each byte: a character, a dot, a space, or nothing where a wide one reaches into it.
std::vector<std::string_view> cells_of(std::string_view text) {
  std::vector<std::string_view> cells(text.size(), ".");
  for (std::size_t i = 0; i < text.size();) {
    const Character here = character_at(text.substr(i));
    if (here.bytes == 0) {
      ++i;
      continue;
    }
    for (std::size_t byte = 0; byte < here.bytes; ++byte) cells[i + byte] = " ";
    const std::size_t room = row_bytes - i % row_bytes;
    const std::size_t home = room >= std::min(here.columns, here.bytes) ? i : i + room;
    cells[home] = text.substr(i, here.bytes);
    for (std::size_t more = 1; more < here.columns; ++more) cells[home + more] = "";
    i += here.bytes;
  }
  return cells;
}

std::string_view arrow(HexDump::Way way) noexcept { return way == HexDump::Way::out ? "→" : "←"; }

}  // namespace

std::string HexDump::bytes(Way way, std::span<const std::byte> data, Duration since) {
  const std::string_view text(reinterpret_cast<const char*>(data.data()), data.size());
  const std::vector<std::string_view> cells = cells_of(text);
  std::string out = title(way, since, talk_.text(messages::dumped_bytes, data.size()));
  for (std::size_t row = 0; row < text.size(); row += row_bytes) {
    const std::size_t end = std::min(row + row_bytes, text.size());
    out += fmt::format("{}{} {:08x} ", name_, arrow(way), offset_[static_cast<std::size_t>(way)] + row);
    for (std::size_t i = row; i < end; ++i) out += fmt::format(" {:02x}", static_cast<std::uint8_t>(text[i]));
    out.append(3 * (row + row_bytes - end) + 2, ' ');
    for (std::size_t i = row; i < end; ++i) out += cells[i];
    while (out.ends_with(' ')) out.pop_back();
    out += '\n';
  }
  offset_[static_cast<std::size_t>(way)] += text.size();
  return out;
}

std::string HexDump::end(Way way, Duration since) const { return title(way, since, talk_.text(messages::dumped_end)); }

std::string HexDump::title(Way way, Duration since, std::string_view what) const {
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(since).count();
  const std::string time = fmt::format("{}.{:06}", microseconds / 1'000'000, microseconds % 1'000'000);
  return name_ + talk_.text(messages::dump_title, arrow(way), time, what) + '\n';
}

}  // namespace meari::command
