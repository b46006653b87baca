// Dice: chance from a seed, the same on every machine and compiler.
//
//   Dice latency(seed, "latency"), loss(seed, "loss");          // a stream for each purpose
//   Duration delay = 50us + latency.below(200) * 1us;
//   if (loss.one_in(100)) …
//
// Counter-based: the n-th draw of a stream is a fixed mixture of seed, purpose and n. Streams do not disturb each other,
// so that another draw in one place does not change what happens elsewhere. Draw once a statement: the order in which
// a compiler evaluates the operands of one expression is its own affair. Not for secrets.
#pragma once

#include <cstdint>
#include <string_view>

#include <meari/result.hpp>

namespace meari {
inline namespace v1 {

// Every bit of the input decides about every bit of the result; a bijection (the end of SplitMix64, Steele et al. 2014).
[[nodiscard]] constexpr std::uint64_t mixed(std::uint64_t bits) noexcept {
  bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9U;
  bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBU;
  return bits ^ (bits >> 31);
}

class Dice {
 public:
  constexpr explicit Dice(std::uint64_t seed, std::string_view purpose = {}) noexcept : key_(mixed(seed + step)) {
    for (const char letter : purpose) key_ = mixed(key_ ^ static_cast<unsigned char>(letter));
  }

  // 64 bits, all equally likely.
  constexpr std::uint64_t next() noexcept { return mixed(key_ + step * ++drawn_); }
  // 0 … limit-1, all equally likely. limit > 0.
  constexpr std::uint64_t below(std::uint64_t limit) noexcept {
    MEARI_ASSERT(limit > 0);
    const std::uint64_t uneven = (0 - limit) % limit;  // so many draws would make the small numbers more likely
    std::uint64_t bits = next();
    while (bits < uneven) bits = next();
    return bits % limit;
  }
  // least … most, both included.
  constexpr std::uint64_t between(std::uint64_t least, std::uint64_t most) noexcept {
    MEARI_ASSERT(least <= most);
    if (most - least == ~std::uint64_t{0}) return next();
    return least + below(most - least + 1);
  }
  // True once in `times` draws. 0: never, without a draw.
  constexpr bool one_in(std::uint64_t times) noexcept { return times != 0 && below(times) == 0; }

  [[nodiscard]] constexpr std::uint64_t drawn() const noexcept { return drawn_; }

 private:
  static constexpr std::uint64_t step = 0x9E3779B97F4A7C15U;  // 2^64 divided by the golden ratio
  std::uint64_t key_;
  std::uint64_t drawn_ = 0;
};

}  // namespace v1
}  // namespace meari
