#include "keys.hpp"

#include <algorithm>
#include <cstdint>

namespace meari::command {
namespace {

constexpr char escape = '\x1b';

std::uint8_t byte(char letter) noexcept { return static_cast<std::uint8_t>(letter); }

std::size_t character_size(char lead) noexcept {
  const std::uint8_t value = byte(lead);
  return value >= 0xF0 ? 4 : value >= 0xE0 ? 3 : value >= 0xC0 ? 2 : 1;
}

// Arrows, Home, End, Delete; and after an escape alone (Alt): a word on, a word back, and what deletes words.
bool is_known(std::string_view sequence) noexcept {
  constexpr std::string_view known[] = {"[A", "[B",  "[C",  "[D",  "[H",  "[F",  "OA", "OB", "OC", "OD",   "OH",
                                        "OF", "[1~", "[3~", "[4~", "[7~", "[8~", "b",  "f",  "d",  "\x7f", "\b"};
  return std::ranges::find(known, sequence.substr(1)) != std::end(known);
}

// Control characters that the editor knows: those that ask for more keys would keep it waiting.
bool is_known(char control) noexcept {
  constexpr std::string_view known = "\x01\x02\x04\x05\x06\x08\n\x0b\x0c\r\x0e\x10\x14\x15\x17\x19\x7f";
  return known.contains(control);
}

}  // namespace

std::size_t Keys::size() const noexcept {
  if (bytes_.empty()) return 0;
  if (bytes_[0] != escape) {
    const std::size_t whole = character_size(bytes_[0]);
    // A character that is broken off is over where the next one begins.
    for (std::size_t i = 1; i < std::min(whole, bytes_.size()); ++i)
      if ((byte(bytes_[i]) & 0xC0U) != 0x80) return i;
    return bytes_.size() < whole ? 0 : whole;
  }
  if (bytes_.size() < 2) return 0;
  if (bytes_[1] == 'O') return bytes_.size() < 3 ? 0 : 3;
  if (bytes_[1] != '[') return 2;
  for (std::size_t i = 2; i < bytes_.size(); ++i)
    if (byte(bytes_[i]) < 0x20 || byte(bytes_[i]) > 0x3F) return i + 1;
  return 0;
}

std::optional<std::u32string> Keys::next() {
  while (const std::size_t length = size()) {
    const std::string key = bytes_.substr(0, length);
    bytes_.erase(0, length);
    if (key[0] == escape) {
      if (is_known(std::string_view(key))) return std::u32string(key.begin(), key.end());
      continue;
    }
    const std::uint8_t lead = byte(key[0]);
    if (lead < 0x20 || lead == 0x7F) {
      if (is_known(key[0])) return std::u32string(1, lead);
      continue;
    }
    if (lead < 0x80) return std::u32string(1, lead);
    if (length != character_size(key[0]) || lead < 0xC2 || lead > 0xF4) continue;
    char32_t character = lead & (0x7FU >> length);
    for (std::size_t i = 1; i < length; ++i) character = character << 6 | (byte(key[i]) & 0x3FU);
    return std::u32string(1, character);
  }
  return {};
}

}  // namespace meari::command
