// Shows which addresses an endpoint stands for. Nothing here needs a network.
#include <meari/address.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace meari {
namespace {

std::vector<std::string> resolved(const char* text) {
  std::vector<std::string> all;
  for (const Address& address : resolve(Endpoint::parse(text).value()).value()) all.push_back(address.to_string());
  return all;
}

using Texts = std::vector<std::string>;

TEST(Resolve, a_port_alone_is_loopback_over_both_families) {
  EXPECT_EQ(resolved("9000"), (Texts{"[::1]:9000", "127.0.0.1:9000"}));
}

TEST(Resolve, a_colon_and_a_port_is_every_address_of_both_families) {
  EXPECT_EQ(resolved(":9000"), (Texts{"[::]:9000", "0.0.0.0:9000"}));
}

TEST(Resolve, localhost_is_loopback_whatever_files_and_servers_say) {
  for (const char* name : {"localhost:7", "LocalHost:7", "localhost.:7", "db.localhost:7", "udp:localhost:7"})
    EXPECT_EQ(resolved(name), (Texts{"[::1]:7", "127.0.0.1:7"})) << name;
}

TEST(Resolve, an_address_is_itself) {
  EXPECT_EQ(resolved("127.0.0.2:5"), (Texts{"127.0.0.2:5"}));
  EXPECT_EQ(resolved("unix:/run/x.sock"), (Texts{"unix:/run/x.sock"}));
}

TEST(Resolve, a_name_that_does_not_exist_is_named) {
  // .invalid never exists (RFC 6761); without a name server the answer may be "not now".
  const auto none = resolve(Endpoint::parse("nobody.invalid:80").value());
  ASSERT_FALSE(none);
  EXPECT_TRUE(none.error() == Errc::name_not_found || none.error() == Errc::name_try_again) << none.error().message();
  EXPECT_EQ(none.error().subject(), "nobody.invalid");
}

TEST(Resolve, a_descriptor_has_no_addresses) {
  EXPECT_TRUE(resolve(Endpoint::parse("fd:0").value()).error() == Errc::invalid_argument);
}

}  // namespace
}  // namespace meari
