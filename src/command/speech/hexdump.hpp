// HexDump: what went over the wire, 16 bytes a line, for people. → is what we sent, ← what we received; the offset counts
// the bytes of that direction.
//
//   → 0.000812 s, bytes: 16
//   → 00000000  eb a9 94 ec 95 84 eb a6 ac 20 65 63 68 6f 21 0a   메 아 리  echo!.
//
// The text column has one cell a byte. A Korean syllable is three bytes and two columns wide, so it takes two cells and
// leaves one empty, and everything behind it stays where it is. When it is cut by the end of the line, it stands on the
// side where it has room. What is no text of a known width is a dot, so nothing here can control a terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <meari/operation.hpp>

#include "talk.hpp"

namespace meari::command {

class HexDump {
 public:
  enum class Way : std::uint8_t { out, in };

  explicit HexDump(const Talk& talk) : talk_(talk) {}

  // Lines with their ends. `since`: the time since the connection began.
  [[nodiscard]] std::string bytes(Way way, std::span<const std::byte> data, Duration since);
  // That direction has ended.
  [[nodiscard]] std::string end(Way way, Duration since) const;

 private:
  [[nodiscard]] std::string title(Way way, Duration since, std::string_view what) const;

  const Talk& talk_;
  std::uint64_t offset_[2] = {};
};

}  // namespace meari::command
