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
  const Sources::Place four = sources.enter(Address("192.0.2.1", 1000));
  EXPECT_TRUE(four);
  EXPECT_FALSE(sources.enter(Address("192.0.2.1", 2000)));
  EXPECT_FALSE(sources.enter(Address("::ffff:192.0.2.1", 2000))) << "the same, seen through an IPv6 socket";
  EXPECT_TRUE(sources.enter(Address("192.0.2.2", 1000)));
  const Sources::Place six = sources.enter(Address("2001:db8:0:1::1", 1000));
  EXPECT_TRUE(six);
  EXPECT_FALSE(sources.enter(Address("2001:db8:0:1:ffff::1", 1000)));
  EXPECT_TRUE(sources.enter(Address("2001:db8:0:2::1", 1000)));
  EXPECT_TRUE(sources.enter(Address::from_path("/run/x").value()));
  EXPECT_TRUE(sources.enter(Address::from_path("/run/x").value()));
}

TEST(Sources, without_a_limit_nothing_is_counted) {
  Sources sources;
  const Sources::Place one = sources.enter(Address("192.0.2.1", 1));
  EXPECT_TRUE(one);
  EXPECT_EQ(sources.size(), 0U);
}

TEST(Sources, a_refusal_leaves_nothing_behind_and_a_moved_place_counts_once) {
  Sources sources(1);
  const Address source("192.0.2.1", 1);
  {
    Sources::Place first = sources.enter(source);
    Sources::Place second = std::move(first);
    EXPECT_FALSE(first);  // NOLINT: what is left of it
    EXPECT_TRUE(second);
    EXPECT_FALSE(sources.enter(source));
    second = Sources::Place();
    EXPECT_EQ(sources.size(), 0U);
    second = sources.enter(source);
    EXPECT_TRUE(second);
  }
  EXPECT_EQ(sources.size(), 0U);
}

TEST(Sources, any_order_of_beginnings_and_endings_counts_right) {
  for (std::uint32_t seed = 1; seed <= 50; ++seed) {
    std::mt19937 chance(seed);
    const std::size_t most = 1 + chance() % 4;
    Sources sources(most);
    struct Session {
      std::uint32_t source;
      Sources::Place place;
    };
    std::vector<Session> open;
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
        Sources::Place place = sources.enter(address(source));
        ASSERT_EQ(static_cast<bool>(place), model[source] < most) << "seed " << seed << ", step " << step;
        if (place) {
          ++model[source];
          if (what % 7 == 0) --model[source];  // its session fails before it begins: the place goes at once
          else open.push_back({source, std::move(place)});
        }
      } else {
        std::swap(open[chance() % open.size()], open.back());
        --model[open.back().source];
        open.pop_back();
      }
      for (const auto& [source, count] : model)
        ASSERT_EQ(sources.sessions_of(address(source)), count) << "seed " << seed;
    }
    open.clear();
    ASSERT_EQ(sources.size(), 0U) << "seed " << seed;
  }
}
