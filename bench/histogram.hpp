// Histogram: how often each duration occurred. Log-linear: every power of two is cut into 128 equal parts, so that a
// percentile is wrong by at most 0.8 %, whether it is a microsecond or a minute.
//
//   Histogram h;  h.add(12'345);  h.percentile(0.99)
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

class Histogram {
 public:
  void add(std::uint64_t ns) noexcept {
    ++counts_[bucket_of(ns)];
    ++total_;
    max_ = std::max(max_, ns);
  }
  void clear() noexcept { *this = {}; }

  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  [[nodiscard]] std::uint64_t max() const noexcept { return max_; }
  // The smallest value that at least this share of all values does not exceed, as the middle of its bucket.
  [[nodiscard]] std::uint64_t percentile(double share) const noexcept {
    if (total_ == 0) return 0;
    const auto wanted =
        std::max<std::uint64_t>(1, static_cast<std::uint64_t>(share * static_cast<double>(total_) + 0.5));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
      seen += counts_[bucket];
      if (seen >= wanted) return std::min(middle_of(bucket), max_);
    }
    return max_;
  }

 private:
  static constexpr unsigned part_bits = 7;
  static constexpr std::uint64_t parts = 1U << part_bits;

  // Below 128 every value has a bucket of its own; above, the seven bits after the leading one say which part it is.
  static std::size_t bucket_of(std::uint64_t value) noexcept {
    if (value < parts) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - part_bits - 1;
    return (shift + 1) * parts + (value >> shift) - parts;
  }
  static std::uint64_t middle_of(std::size_t bucket) noexcept {
    if (bucket < parts) return bucket;
    const std::size_t shift = bucket / parts - 1;
    return ((bucket % parts + parts) << shift) + ((std::uint64_t{1} << shift) >> 1);
  }

  std::array<std::uint64_t, (64 - part_bits + 1) * parts> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t max_ = 0;
};
