// Histogram: how often each duration occurred. Log-linear: every power of two is cut into 128 equal parts, so that a
// percentile is wrong by at most 0.8 %, whether it is a microsecond or an hour. Two of them can be added.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace meari::command {

// What a histogram holds, without its empty buckets: how a part of a run is kept and saved.
struct Counts {
  std::vector<std::pair<std::uint32_t, std::uint64_t>> buckets;  // which, and how many; from small to large
  std::uint64_t total = 0;
  double sum = 0;
  std::uint64_t least = ~std::uint64_t{0};
  std::uint64_t most = 0;
};

class Histogram {
 public:
  static constexpr unsigned part_bits = 7;
  static constexpr std::uint64_t parts = 1U << part_bits;
  static constexpr std::size_t buckets = (64 - part_bits + 1) * parts;

  void add(std::uint64_t value, std::uint64_t times = 1) noexcept {
    counts_[bucket_of(value)] += times;
    total_ += times;
    sum_ += static_cast<double>(value) * static_cast<double>(times);
    least_ = std::min(least_, value);
    most_ = std::max(most_, value);
  }
  void add(const Histogram& other) noexcept {
    for (std::size_t i = 0; i < buckets; ++i) counts_[i] += other.counts_[i];
    total_ += other.total_;
    sum_ += other.sum_;
    least_ = std::min(least_, other.least_);
    most_ = std::max(most_, other.most_);
  }
  void add(const Counts& counts) noexcept {
    for (const auto& [bucket, count] : counts.buckets)
      if (bucket < buckets) counts_[bucket] += count;
    total_ += counts.total;
    sum_ += counts.sum;
    least_ = std::min(least_, counts.least);
    most_ = std::max(most_, counts.most);
  }
  void clear() noexcept { *this = {}; }
  [[nodiscard]] Counts counts() const {
    Counts all{.buckets = {}, .total = total_, .sum = sum_, .least = least_, .most = most_};
    for (std::size_t bucket = 0; bucket < buckets; ++bucket)
      if (counts_[bucket] != 0) all.buckets.emplace_back(static_cast<std::uint32_t>(bucket), counts_[bucket]);
    return all;
  }

  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  [[nodiscard]] std::uint64_t least() const noexcept { return total_ == 0 ? 0 : least_; }
  [[nodiscard]] std::uint64_t most() const noexcept { return most_; }
  [[nodiscard]] double mean() const noexcept { return total_ == 0 ? 0 : sum_ / static_cast<double>(total_); }
  // The smallest value that at least this share of all values does not exceed, as the middle of its bucket.
  [[nodiscard]] std::uint64_t percentile(double share) const noexcept {
    if (total_ == 0) return 0;
    const auto wanted =
        std::max<std::uint64_t>(1, static_cast<std::uint64_t>(share * static_cast<double>(total_) + 0.5));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
      seen += counts_[bucket];
      if (seen >= wanted) return std::clamp(middle_of(bucket), least_, most_);
    }
    return most_;
  }
  // Calls f(middle of the bucket, count) for every bucket that is not empty, from small to large.
  template <class F>
  void each(F&& f) const {
    for (std::size_t bucket = 0; bucket < buckets; ++bucket)
      if (counts_[bucket] != 0) f(middle_of(bucket), counts_[bucket]);
  }

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
  // The smallest value of a bucket; that of the next one is where it ends.
  static double begin_of(std::size_t bucket) noexcept {
    if (bucket < parts) return static_cast<double>(bucket);
    const std::size_t shift = bucket / parts - 1;
    return static_cast<double>(bucket % parts + parts) * static_cast<double>(std::uint64_t{1} << shift);
  }

 private:
  std::array<std::uint64_t, buckets> counts_{};
  std::uint64_t total_ = 0;
  double sum_ = 0;
  std::uint64_t least_ = ~std::uint64_t{0};
  std::uint64_t most_ = 0;
};

}  // namespace meari::command
