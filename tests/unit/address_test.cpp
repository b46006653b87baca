// Shows every form of address that is accepted, every one that is refused and how it is explained.
#include <meari/address.hpp>

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "src/os/native.hpp"

namespace meari {
namespace {

static_assert(sizeof(Address) <= 24);

TEST(Address, reads_and_writes_numeric_forms) {
  const std::map<std::string, std::string> forms = {
      {"127.0.0.1:9000", "127.0.0.1:9000"},
      {"0.0.0.0:0", "0.0.0.0:0"},
      {"255.255.255.255:65535", "255.255.255.255:65535"},
      {"[::]:9000", "[::]:9000"},
      {"[::1]:9000", "[::1]:9000"},
      {"[0:0:0:0:0:0:0:1]:9000", "[::1]:9000"},
      {"[2001:DB8::8:800:200C:417A]:80", "[2001:db8::8:800:200c:417a]:80"},
      {"[1::]:1", "[1::]:1"},
      {"[1:0:0:2:0:0:0:3]:1", "[1:0:0:2::3]:1"},       // the longest run
      {"[1:0:0:2:3:0:0:4]:1", "[1::2:3:0:0:4]:1"},     // the first of two
      {"[1:0:2:3:4:5:6:7]:1", "[1:0:2:3:4:5:6:7]:1"},  // a single zero stays
      {"[::2:3:4:5:6:7:8]:1", "[0:2:3:4:5:6:7:8]:1"},
      {"[fe80::1%7]:5", "[fe80::1%7]:5"},
      {"[::ffff:10.0.0.1]:80", "10.0.0.1:80"},  // IPv4 inside IPv6
      {"[64:ff9b::192.0.2.33]:80", "[64:ff9b::c000:221]:80"},
      {"unix:/run/x.sock", "unix:/run/x.sock"},
      {"unix:@name", "unix:@name"},
  };
  for (const auto& [text, shown] : forms) {
    const Result<Address> address = Address::parse(text);
    ASSERT_TRUE(address) << address.error().message();
    EXPECT_EQ(address->to_string(), shown);
    const Result<Address> again = Address::parse(shown);
    ASSERT_TRUE(again) << shown;
    EXPECT_EQ(again->to_string(), shown);
  }
}

TEST(Address, refuses_what_is_not_numeric) {
  for (const char* text : {"",
                           "9000",
                           ":9000",
                           "localhost:80",
                           "1.2.3:4",
                           "1.2.3.4.5:6",
                           "01.2.3.4:5",
                           "256.1.1.1:1",
                           "1.2.3.4",
                           "1.2.3.4:",
                           "1.2.3.4:x",
                           "1.2.3.4:65536",
                           "1.2.3.4:-1",
                           "::1:80",
                           "[::1]",
                           "[::1]80",
                           "[::1",
                           "[1.2.3.4]:5",
                           "[]:5",
                           "[:::]:5",
                           "[1:2:3:4:5:6:7]:5",
                           "[1:2:3:4:5:6:7:8:9]:5",
                           "[1::2::3]:5",
                           "[12345::]:5",
                           "[g::]:5",
                           "[1:]:5",
                           "[:1]:5",
                           "[::1%]:5",
                           "[::1%nosuchinterface]:5",
                           "[1:2:3:4:5:6:7::8]:5",
                           "[::1.2.3]:5",
                           "[1.2.3.4::]:5",
                           "unix:",
                           "unix:@",
                           " 1.2.3.4:5",
                           "1.2.3.4:5 "}) {
    const Result<Address> address = Address::parse(text);
    ASSERT_FALSE(address) << text;
    EXPECT_TRUE(address.error() == Errc::invalid_argument);
    EXPECT_TRUE(address.error().message().starts_with("address ")) << address.error().message();
  }
}

TEST(Address, a_constructor_that_cannot_read_gives_no_family) {
  EXPECT_EQ(Address("localhost", 80).family(), Family::unspecified);
  EXPECT_EQ(Address("", 80).family(), Family::unspecified);
  EXPECT_EQ(Address("127.0.0.1", 80).family(), Family::ipv4);
  EXPECT_EQ(Address("::1", 80).family(), Family::ipv6);
  EXPECT_EQ(Address("fe80::1%2", 80).scope(), 2U);
  EXPECT_EQ(Address().to_string(), "(no address)");
}

TEST(Address, knows_loopback_and_any) {
  EXPECT_TRUE(Address("127.8.9.1", 1).is_loopback());
  EXPECT_TRUE(Address("::1", 1).is_loopback());
  EXPECT_TRUE(Address("::ffff:127.0.0.1", 1).is_loopback());
  EXPECT_FALSE(Address("128.0.0.1", 1).is_loopback());
  EXPECT_TRUE(Address::from_path("/run/x").value().is_loopback());
  EXPECT_FALSE(Address().is_loopback());
  EXPECT_TRUE(Address("0.0.0.0", 1).is_any());
  EXPECT_TRUE(Address("::", 1).is_any());
  EXPECT_FALSE(Address().is_any());
  EXPECT_EQ(Address::loopback(Family::ipv6, 5).to_string(), "[::1]:5");
  EXPECT_EQ(Address::any(Family::ipv4, 5).to_string(), "0.0.0.0:5");
}

TEST(Address, paths_have_at_most_107_bytes_and_no_nul) {
  EXPECT_TRUE(Address::from_path(std::string(107, 'x')));
  EXPECT_FALSE(Address::from_path(std::string(108, 'x')));
  EXPECT_FALSE(Address::from_path(std::string_view("a\0b", 3)));
  EXPECT_FALSE(Address::from_path(""));
  EXPECT_EQ(Address::from_path("@echo").value().path(), "@echo");
}

TEST(Address, compares_by_value) {
  EXPECT_EQ(Address("1.2.3.4", 5), Address("1.2.3.4", 5));
  EXPECT_NE(Address("1.2.3.4", 5), Address("1.2.3.4", 6));
  EXPECT_LT(Address("1.2.3.4", 5), Address("1.2.3.5", 1));
  EXPECT_EQ(Address::from_path("/x").value(), Address::from_path("/x").value());
  EXPECT_NE(Address::from_path("/x").value(), Address::from_path("@x").value());
  EXPECT_EQ(Address("1.2.3.4", 5).with_port(6), Address("1.2.3.4", 6));
}

TEST(Address, survives_the_way_to_the_system_and_back) {
  for (const char* text : {"127.0.0.1:9000", "[fe80::1%3]:443", "[::ffff:1.2.3.4]:5", "unix:/tmp/x", "unix:@abc"}) {
    const Address address = Address::parse(text).value();
    EXPECT_EQ(os::NativeAddress(address).address(), address) << text;
  }
  const Address longest = Address::from_path(std::string(107, 'p')).value();
  EXPECT_EQ(os::NativeAddress(longest).address(), longest);
  EXPECT_EQ(os::NativeAddress(Address()).size, socklen_t{0});
}

struct Meant {
  const char* text;
  Endpoint::Form form;
  Kind kind;
  std::uint16_t port;
};

TEST(Endpoint, reads_every_form_and_writes_it_back) {
  using Form = Endpoint::Form;
  const std::vector<Meant> all = {
      {"9000", Form::loopback, Kind::stream, 9000},
      {"0", Form::loopback, Kind::stream, 0},
      {":9000", Form::any, Kind::stream, 9000},
      {"localhost:9000", Form::name, Kind::stream, 9000},
      {"db-1.example_x.org:65535", Form::name, Kind::stream, 65535},
      {"메아리.kr:80", Form::name, Kind::stream, 80},
      {"127.0.0.1:9000", Form::address, Kind::stream, 9000},
      {"[::1]:9000", Form::address, Kind::stream, 9000},
      {"unix:/run/x.sock", Form::address, Kind::stream, 0},
      {"unix:@abstract", Form::address, Kind::stream, 0},
      {"unix:relative:with:colons", Form::address, Kind::stream, 0},
      {"udp:9000", Form::loopback, Kind::datagram, 9000},
      {"udp::9000", Form::any, Kind::datagram, 9000},
      {"udp:[::1]:5", Form::address, Kind::datagram, 5},
      {"udp:localhost:5", Form::name, Kind::datagram, 5},
      {"udp:unix:/x", Form::address, Kind::datagram, 0},
      {"fd:3", Form::descriptor, Kind::stream, 0},
  };
  for (const Meant& meant : all) {
    const Result<Endpoint> endpoint = Endpoint::parse(meant.text);
    ASSERT_TRUE(endpoint) << endpoint.error().message();
    EXPECT_EQ(endpoint->form, meant.form) << meant.text;
    EXPECT_EQ(endpoint->kind, meant.kind) << meant.text;
    EXPECT_EQ(endpoint->port, meant.port) << meant.text;
    EXPECT_EQ(endpoint->to_string(), meant.text);
  }
  EXPECT_EQ(Endpoint::parse("fd:3").value().descriptor, 3);
  EXPECT_EQ(Endpoint::parse("localhost:1").value().host, "localhost");
}

TEST(Endpoint, says_what_is_wrong_and_what_would_be_right) {
  const std::map<std::string, std::string> wrong = {
      {"", "there is no address"},
      {"localhost", "the port is missing"},
      {"127.0.0.1", "the port is missing"},
      {"localhost:", "the port is missing"},
      {":", "the port is missing"},
      {"udp:", "the port is missing"},
      {"[::1]", "the port is missing"},
      {"[::1]:", "the port is missing"},
      {"localhost:http", "the port is not a number"},
      {":+80", "the port is not a number"},
      {":-1", "the port is not a number"},
      {": 80", "the port is not a number"},
      {"65536", "a port is at most 65535"},
      {"127.0.0.1:99999", "a port is at most 65535"},
      {":99999999999999999999", "a port is at most 65535"},
      {"::1:9000", "more than one colon"},
      {"http://x:80", "more than one colon"},
      {"[::1:9000", "closing bracket"},
      {"[::1]9000", "after the closing bracket"},
      {"[localhost]:9000", "not an IPv6 address"},
      {"[]:9000", "not an IPv6 address"},
      {"[127.0.0.1]:9000", "not an IPv6 address"},
      {"1.2.3:4", "four numbers"},
      {"127.1:4", "four numbers"},
      {"010.0.0.1:4", "four numbers"},
      {"300.0.0.1:4", "four numbers"},
      {"*:9000", "nothing before the colon"},
      {"a b:1", "letters, digits"},
      {"a/b:1", "letters, digits"},
      {std::string(254, 'a') + ":1", "253"},
      {"unix:", "the path is missing"},
      {"unix:@", "the path is missing"},
      {"unix:" + std::string(108, 'x'), "107"},
      {"fd:", "number of an open descriptor"},
      {"fd:x", "number of an open descriptor"},
      {"fd:-1", "number of an open descriptor"},
      {"fd:99999999999", "number of an open descriptor"},
      {"udp:fd:3", "leave udp: out"},
      {"udp:udp:3", "twice"},
      {std::string("a\0b:1", 5), "NUL"},
      {std::string("unix:/a\0b", 9), "NUL"},
  };
  for (const auto& [text, reason] : wrong) {
    const Result<Endpoint> endpoint = Endpoint::parse(text);
    ASSERT_FALSE(endpoint) << text;
    EXPECT_TRUE(endpoint.error() == Errc::invalid_argument);
    const std::string message = endpoint.error().message();
    EXPECT_NE(message.find(reason), std::string::npos) << message;
    EXPECT_NE(message.find("[::1]:9000"), std::string::npos) << "no accepted forms: " << message;
    EXPECT_LT(message.size(), 600U);
  }
}

}  // namespace
}  // namespace meari
