// HexDump: what went over the wire, 16 bytes a line, for people. → is what we sent, ← what we received; the offset counts
// the bytes of that direction.
//
//   → 0.000812 s, bytes: 16
//   → 00000000  eb a9 94 ec 95 84 eb a6 ac 20 65 63 68 6f 21 0a   메 아 리  echo!.
//
// The text column has one cell a byte. A Korean syllable is three bytes and two columns wide, so it takes two cells and
// leaves one empty, and everything behind it stays where it is. When it is cut by the end of the line, it stands on the
// side where it has room. What is no text of a known width is a dot, so nothing here can control a terminal.
//
// A server shows many conversations at once, so each of their lines begins with the name of its own: #1 → 00000000 …
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <meari/operation.hpp>

#include "talk.hpp"

namespace meari::command {

class HexDump {
 public:
  enum class Way : std::uint8_t { out, in };

  // `name`: of the conversation, printable; it stands in front of every line.
  explicit HexDump(const Talk& talk, std::string name = {})
      : talk_(talk), name_(name.empty() ? name : std::move(name) + ' ') {}

  // Lines with their ends. `since`: the time since the connection began.
  [[nodiscard]] std::string bytes(Way way, std::span<const std::byte> data, Duration since);
  // That direction has ended.
  [[nodiscard]] std::string end(Way way, Duration since) const;

 private:
  [[nodiscard]] std::string title(Way way, Duration since, std::string_view what) const;

  const Talk& talk_;
  std::string name_;
  std::uint64_t offset_[2] = {};
};

}  // namespace meari::command
