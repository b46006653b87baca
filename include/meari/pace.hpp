// Pace: how fast bytes may go, as a token bucket. What is under way in bursts leaves evenly.
//
//   Pace pace(64 << 10);                                  // 64 KiB a second
//   while (Chunk data = co_await peer.read_some(pace.piece())) {
//     co_await pace.spend(data.size());                   // waits until so many may go
//     co_await peer.write(std::move(data));
//   }
//
// In any stretch of time no more than rate × time bytes are let go, and one piece. Nothing is saved up over longer pauses.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <meari/deadline.hpp>
#include <meari/loop.hpp>

namespace meari {
inline namespace v1 {

class Pace {
 public:
  // 0, and more than 18 GB a second: as fast as it goes.
  explicit Pace(std::uint64_t bytes_per_second = 0) noexcept
      : rate_(bytes_per_second > fastest ? 0 : bytes_per_second) {}

  [[nodiscard]] bool limited() const noexcept { return rate_ != 0; }
  // How much to move at a time, so that it goes evenly: what a tenth of a second lets go, 1 byte to 64 KiB.
  [[nodiscard]] std::size_t piece() const noexcept {
    if (rate_ == 0) return most;
    return static_cast<std::size_t>(std::clamp<std::uint64_t>(rate_ / 10, 1, most));
  }
  // Waits until so many bytes may go. Whoever comes next waits behind them, also when this one is cancelled. The first
  // piece after a pause goes at once.
  [[nodiscard]] Sleep spend(std::size_t bytes) noexcept { return sleep_until(due(Loop::current()->now(), bytes)); }
  // When they may go, and counts them. What would take longer than a year takes a year.
  [[nodiscard]] Time due(Time now, std::size_t bytes) noexcept {
    if (rate_ == 0) return now;
    const Time earliest = std::max(empty_, now - cost(piece()));
    empty_ = earliest + cost(bytes);
    return std::max(empty_, now);
  }

 private:
  static constexpr std::uint64_t most = std::uint64_t{64} << 10;

  static constexpr std::uint64_t second = 1'000'000'000;
  static constexpr std::uint64_t fastest = UINT64_MAX / second - 1;  // so that no product below overflows
  static constexpr std::uint64_t longest = std::uint64_t{365} * 24 * 3600;

  // Rounded up: never faster than the rate.
  [[nodiscard]] Duration cost(std::uint64_t bytes) const noexcept {
    const std::uint64_t seconds = std::min(bytes / rate_, longest);
    const std::uint64_t rest = (bytes % rate_ * second + rate_ - 1) / rate_;
    return Duration(static_cast<Duration::rep>(seconds * second + rest));
  }

  std::uint64_t rate_;
  Time empty_ = Time::min();  // when all that was let go is paid for
};

}  // namespace v1
}  // namespace meari
