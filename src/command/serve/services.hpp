// What the small services of the RFCs say, apart from how it is sent: character generator (RFC 864), daytime (RFC 867) and
// time (RFC 868). Echo (RFC 862) and discard (RFC 863) say nothing of their own.
#pragma once

#include <array>
#include <chrono>
#include <string>
#include <string_view>

namespace meari::command {

// One whole rotation of RFC 864: 95 lines of 72 printable characters, each beginning one character later than the line
// before, each with CRLF. After the last line comes the first again.
[[nodiscard]] std::string_view generated_characters() noexcept;
// The most that a datagram of the character generator holds.
inline constexpr std::size_t most_generated_at_once = 512;

// "21 NOV 2026 12:44:00 UTC\r\n", in the time zone of this machine: what RFC 867 calls popular, with a year of four digits.
[[nodiscard]] std::string daytime(std::chrono::system_clock::time_point now);

// Seconds since 1900, 32 bits, big endian. Begins again in 2036, as the RFC has it.
[[nodiscard]] std::array<char, 4> seconds_since_1900(std::chrono::system_clock::time_point now) noexcept;

}  // namespace meari::command
