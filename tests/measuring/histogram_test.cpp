// The histogram of `meari bench`: how wrong it can be, that parts of it add up to the whole, and what is made of it.
#include "src/command/bench/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <sstream>
#include <vector>

#include <meari/dice.hpp>

#include "src/command/bench/measurement.hpp"

namespace {

using namespace meari;
using namespace meari::command;

// Any length of time between 1 ns and 20 minutes, as likely to be short as long.
std::uint64_t draw(Dice& dice) {
  const double power = static_cast<double>(dice.below(1'000'000)) / 1'000'000;
  return static_cast<std::uint64_t>(std::exp(power * std::log(1.2e12)));
}

TEST(Histogram, a_percentile_is_wrong_by_less_than_one_percent_up_to_minutes) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Dice dice(seed);
    const auto histogram = std::make_unique<Histogram>();
    std::vector<std::uint64_t> exact;
    for (int i = 0; i < 20'000; ++i) {
      exact.push_back(draw(dice));
      histogram->add(exact.back());
    }
    std::ranges::sort(exact);
    for (const double share : {0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 0.9999}) {
      const auto rank = static_cast<std::size_t>(share * static_cast<double>(exact.size()) + 0.5) - 1;
      const auto truth = static_cast<double>(exact[rank]);
      EXPECT_LE(std::abs(static_cast<double>(histogram->percentile(share)) - truth), std::max(truth * 0.01, 1.0))
          << "seed " << seed << ", share " << share;
    }
    EXPECT_EQ(histogram->least(), exact.front());
    EXPECT_EQ(histogram->most(), exact.back());
  }
}

TEST(Histogram, every_value_lies_in_its_bucket) {
  Dice dice(7);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t value = dice.next() >> dice.below(64);
    const std::size_t bucket = Histogram::bucket_of(value);
    ASSERT_LT(bucket, Histogram::buckets);
    EXPECT_EQ(Histogram::bucket_of(Histogram::middle_of(bucket)), bucket);  // so that what was saved can be read again
    EXPECT_LE(Histogram::begin_of(bucket), static_cast<double>(value));
    if (bucket + 1 < Histogram::buckets)
      EXPECT_GE(Histogram::begin_of(bucket + 1) * (1 + 1e-12), static_cast<double>(value));
  }
}

TEST(Histogram, parts_of_a_run_add_up_to_the_whole) {
  Dice dice(3);
  const auto whole = std::make_unique<Histogram>();
  const auto merged = std::make_unique<Histogram>();
  Counts summed;
  for (int part = 0; part < 10; ++part) {
    const auto some = std::make_unique<Histogram>();
    for (int i = 0; i < 500; ++i) {
      const std::uint64_t value = draw(dice);
      whole->add(value);
      some->add(value);
    }
    merged->add(some->counts());
    summed = sum(summed, some->counts());
  }
  const Counts wanted = whole->counts();
  for (const Counts& have : {merged->counts(), summed}) {
    EXPECT_EQ(have.buckets, wanted.buckets);
    EXPECT_EQ(have.total, wanted.total);
    EXPECT_EQ(have.least, wanted.least);
    EXPECT_EQ(have.most, wanted.most);
    EXPECT_NEAR(have.sum, wanted.sum, wanted.sum * 1e-9);
  }
}

TEST(Histogram, neighbouring_slices_become_one_without_losing_anything) {
  std::vector<Slice> slices;
  for (int i = 0; i < 77; ++i) {
    Histogram histogram;
    histogram.add(static_cast<std::uint64_t>(1000 + i), 3);
    slices.push_back({.at = i * 0.5, .seconds = 0.5, .response = histogram.counts()});
  }
  const std::vector<Slice> fewer = at_most(slices, 20);
  ASSERT_LE(fewer.size(), 20U);
  std::uint64_t total = 0;
  double seconds = 0;
  for (const Slice& slice : fewer) {
    EXPECT_NEAR(slice.at, seconds, 1e-9);
    total += slice.response.total;
    seconds += slice.seconds;
  }
  EXPECT_EQ(total, 77U * 3);
  EXPECT_NEAR(seconds, 38.5, 1e-9);
}

// The form that HdrHistogram's own tools write and read: value, percentile, count, 1/(1-percentile); then three comments.
TEST(Histogram, its_percentile_distribution_has_the_form_of_HdrHistogram) {
  Histogram histogram;
  for (std::uint64_t i = 1; i <= 10'000; ++i) histogram.add(i * 1000);
  std::istringstream lines(percentile_distribution(histogram));
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "       Value     Percentile TotalCount 1/(1-Percentile)");
  std::getline(lines, line);
  EXPECT_EQ(line, "");
  double value_before = 0;
  double share_before = -1;
  double count = 0;
  while (std::getline(lines, line) && !line.starts_with('#')) {
    double value = 0;
    double share = 0;
    double rest = 0;
    std::istringstream words(line);
    ASSERT_TRUE(words >> value >> share >> count) << line;
    EXPECT_GT(value, value_before);
    EXPECT_GT(share, share_before);
    EXPECT_NEAR(share, count / 10'000, 1e-9);
    EXPECT_NEAR(value, share * 10, 0.1);  // milliseconds
    if (words >> rest) EXPECT_NEAR(rest, 1 / (1 - share), 0.01 / (1 - share));
    value_before = value;
    share_before = share;
  }
  EXPECT_EQ(share_before, 1);
  EXPECT_EQ(value_before, 10);
  EXPECT_EQ(count, 10'000);
  EXPECT_TRUE(line.starts_with("#[Mean    =     5.00")) << line;
}

}  // namespace
