// What fuzzers share: how they fail, and how they read their input as choices.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace meari::fuzz {

inline void need(bool right) {
  if (!right) std::abort();
}

// The input, taken from the front. What is missing is 0, so that every input is a whole program.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : at_(data), left_(size) {}
  [[nodiscard]] bool empty() const noexcept { return left_ == 0; }
  std::uint8_t byte() noexcept {
    if (left_ == 0) return 0;
    --left_;
    return *at_++;
  }
  // 0 … limit-1.
  std::size_t below(std::size_t limit) noexcept { return byte() % limit; }
  std::size_t size(std::size_t most) noexcept {
    const std::size_t high = byte();
    return (high * 256 + byte()) % (most + 1);
  }
  std::string_view text(std::size_t most) noexcept {
    const std::size_t count = most < left_ ? most : left_;
    const std::string_view taken(reinterpret_cast<const char*>(at_), count);
    at_ += count;
    left_ -= count;
    return taken;
  }
  std::string_view rest() noexcept { return text(left_); }

 private:
  const std::uint8_t* at_;
  std::size_t left_;
};

}  // namespace meari::fuzz
