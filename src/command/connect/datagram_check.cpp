#include "datagram_check.hpp"

#include <algorithm>

#include "echo_check.hpp"

namespace meari::command {
namespace {

std::string_view as_text(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

bool DatagramCheck::sent(std::span<const std::byte> bytes) {
  if (debt_ + bytes.size() > EchoCheck::longest_debt) return false;
  debt_ += bytes.size();
  const auto [at, fresh] = missing_.emplace(next_++, as_text(bytes));
  numbers_.emplace(at->second, at->first);
  return true;
}

bool DatagramCheck::received(std::span<const std::byte> bytes) {
  const std::string_view text = as_text(bytes);
  if (const auto found = numbers_.find(text); found != numbers_.end()) {
    const auto at = missing_.find(found->second);
    numbers_.erase(found);  // whose key looks into what goes now
    missing_.erase(at);
    debt_ -= text.size();
    return true;
  }
  if (difference_ || missing_.empty()) return false;
  const std::string_view oldest = missing_.begin()->second;
  const auto [here, there] = std::ranges::mismatch(text, oldest);
  difference_ = static_cast<std::size_t>(here - text.begin());
  return false;
}

}  // namespace meari::command
