// Counting sessions by their source: an IPv4 address, 64 bits of an IPv6 address. Whatever order sessions begin and end in,
// and however many are refused in between, the counts are those of a model, and nothing is left when all have gone.
#include "src/server/sources.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

using namespace meari;

TEST(Sources, counts_addresses_of_ipv4_and_networks_of_ipv6) {
  Sources sources(1);
  EXPECT_TRUE(sources.enter(Address("192.0.2.1", 1000)));
  EXPECT_FALSE(sources.enter(Address("192.0.2.1", 2000)));
  EXPECT_FALSE(sources.enter(Address("::ffff:192.0.2.1", 2000))) << "the same, seen through an IPv6 socket";
  EXPECT_TRUE(sources.enter(Address("192.0.2.2", 1000)));
  EXPECT_TRUE(sources.enter(Address("2001:db8:0:1::1", 1000)));
  EXPECT_FALSE(sources.enter(Address("2001:db8:0:1:ffff::1", 1000)));
  EXPECT_TRUE(sources.enter(Address("2001:db8:0:2::1", 1000)));
  EXPECT_TRUE(sources.enter(Address::from_path("/run/x").value()));
  EXPECT_TRUE(sources.enter(Address::from_path("/run/x").value()));
  sources.leave(Address::from_path("/run/x").value());
  EXPECT_EQ(sources.size(), 4U);
}

TEST(Sources, without_a_limit_nothing_is_counted) {
  Sources sources;
  EXPECT_TRUE(sources.enter(Address("192.0.2.1", 1)));
  EXPECT_TRUE(sources.enter(Address("192.0.2.1", 1)));
  EXPECT_EQ(sources.size(), 0U);
  sources.leave(Address("192.0.2.1", 1));
}

TEST(Sources, a_refusal_leaves_nothing_behind) {
  Sources sources(1);
  const Address source("192.0.2.1", 1);
  EXPECT_TRUE(sources.enter(source));
  EXPECT_FALSE(sources.enter(source));
  sources.leave(source);
  EXPECT_EQ(sources.size(), 0U);
  EXPECT_TRUE(sources.enter(source));
}

TEST(Sources, any_order_of_beginnings_and_endings_counts_right) {
  for (std::uint32_t seed = 1; seed <= 50; ++seed) {
    std::mt19937 chance(seed);
    const std::size_t most = 1 + chance() % 4;
    Sources sources(most);
    std::vector<std::uint32_t> open;  // the source of each session
    std::map<std::uint32_t, std::size_t> model;
    // Of each source another address each time: IPv4 also as an IPv6 socket sees it, and any host of a network of IPv6.
    const auto address = [&chance](std::uint32_t source) {
      const std::string number = std::to_string(source);
      const auto port = static_cast<std::uint16_t>(1 + chance() % 65'535);
      if (source < 3) return Address((chance() % 2 == 0 ? "192.0.2." : "::ffff:192.0.2.") + number, port);
      return Address("2001:db8:0:" + number + "::" + std::to_string(chance() % 10'000), port);
    };
    for (int step = 0; step < 2000; ++step) {
      const std::uint32_t what = chance();
      if (what % 5 < 3 || open.empty()) {
        const std::uint32_t source = chance() % 6;
        const bool may = sources.enter(address(source));
        ASSERT_EQ(may, model[source] < most) << "seed " << seed << ", step " << step;
        if (may) {
          ++model[source];
          open.push_back(source);
        }
      } else {
        std::swap(open[chance() % open.size()], open.back());
        --model[open.back()];
        sources.leave(address(open.back()));
        open.pop_back();
      }
      for (const auto& [source, count] : model)
        ASSERT_EQ(sources.sessions_of(address(source)), count) << "seed " << seed;
    }
    for (const std::uint32_t source : open) sources.leave(address(source));
    ASSERT_EQ(sources.size(), 0U) << "seed " << seed;
  }
}
