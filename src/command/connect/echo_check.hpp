// EchoCheck: is what comes back what went out, byte for byte?
//
//   check.sent(bytes);                    // before they are sent: the echo may be quick
//   if (!check.received(bytes)) …         // difference() says where
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace meari::command {

struct EchoDifference {
  std::uint64_t offset = 0;
  std::optional<std::byte> expected;  // nothing: more came back than was sent
  std::byte found{};
};

class EchoCheck {
 public:
  // An echo may answer late, but what it owes is kept in memory.
  static constexpr std::size_t longest_debt = std::size_t{256} << 20;

  // Fails when more than longest_debt bytes have not come back.
  [[nodiscard]] bool sent(std::span<const std::byte> bytes);
  [[nodiscard]] bool received(std::span<const std::byte> bytes);

  [[nodiscard]] const std::optional<EchoDifference>& difference() const noexcept { return difference_; }
  [[nodiscard]] std::uint64_t total_sent() const noexcept { return sent_; }
  [[nodiscard]] std::uint64_t total_matched() const noexcept { return matched_; }

 private:
  std::string owed_;  // what has been sent and has not come back, from first_ on
  std::size_t first_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t matched_ = 0;
  std::optional<EchoDifference> difference_;
};

}  // namespace meari::command
