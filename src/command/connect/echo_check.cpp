#include "echo_check.hpp"

#include <algorithm>

namespace meari::command {

bool EchoCheck::sent(std::span<const std::byte> bytes) {
  if (owed_.size() - first_ + bytes.size() > longest_debt) return false;
  constexpr std::size_t worth_moving = std::size_t{1} << 20;
  if (first_ >= worth_moving && first_ * 2 >= owed_.size()) {
    owed_.erase(0, first_);
    first_ = 0;
  }
  owed_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  sent_ += bytes.size();
  return true;
}

bool EchoCheck::received(std::span<const std::byte> bytes) {
  const auto* owed = reinterpret_cast<const std::byte*>(owed_.data()) + first_;
  const std::size_t size = std::min(bytes.size(), owed_.size() - first_);
  const auto [expected, found] = std::mismatch(owed, owed + size, bytes.data());
  const auto same = static_cast<std::size_t>(expected - owed);
  first_ += same;
  matched_ += same;
  if (same == bytes.size()) return true;
  difference_.emplace();
  difference_->offset = matched_;
  if (same < size) difference_->expected = *expected;
  difference_->found = *found;
  return false;
}

}  // namespace meari::command
