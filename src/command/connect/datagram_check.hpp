// DatagramCheck: is every datagram that comes back one that went out? They may overtake each other, and each comes back
// once.
//
//   check.sent(bytes);                    // before it is sent: the echo may be quick
//   if (!check.received(bytes)) …         // it is none of the missing ones; difference() compares it with the oldest
//   if (check.missing() == 0) …           // all of them are back
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

namespace meari::command {

class DatagramCheck {
 public:
  // Fails when more bytes than EchoCheck::longest_debt are missing.
  [[nodiscard]] bool sent(std::span<const std::byte> bytes);
  [[nodiscard]] bool received(std::span<const std::byte> bytes);

  [[nodiscard]] std::size_t missing() const noexcept { return missing_.size(); }  // datagrams
  // Of the first that did not fit: up to where it is the same as the oldest missing one. Nothing where none was missing.
  [[nodiscard]] std::optional<std::size_t> difference() const noexcept { return difference_; }

 private:
  std::uint64_t next_ = 0;
  std::size_t debt_ = 0;                          // bytes that are missing
  std::map<std::uint64_t, std::string> missing_;  // by number
  std::unordered_multimap<std::string_view, std::uint64_t> numbers_;
  std::optional<std::size_t> difference_;
};

}  // namespace meari::command
