// Datagrams that only a Unix-domain socket carries.
#include <sys/socket.h>

#include "pattern.hpp"

namespace meari::test {
namespace {

class LongDatagrams : public Contract {};
MEARI_EVERY_BACKEND(LongDatagrams);

TEST_P(LongDatagrams, beyond_65535_bytes_are_cut_and_say_so) {
  MEARI_NEEDS(system_sockets);
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
  const End other = adopt(backend(), ends[0], Role::datagram);
  Socket sender = Socket::adopt(ends[1]);
  const std::string text = pattern(1, 0, 100'000);
  ASSERT_TRUE(sender.send(text).has_value());
  ASSERT_TRUE(sender.send(std::string_view("next")).has_value());
  Tracked<ReceiveFrom> receive;
  ASSERT_EQ(run(other, receive), Errc::none);
  EXPECT_TRUE(receive.truncated);
  EXPECT_EQ(receive.chunk.size(), 65'535U);
  EXPECT_EQ(match_pattern(1, 0, receive.chunk.bytes()), receive.chunk.size());
  Tracked<ReceiveFrom> next;
  ASSERT_EQ(run(other, next), Errc::none);
  EXPECT_EQ(next.chunk.text(), "next");
  EXPECT_FALSE(next.truncated);
}

}  // namespace
}  // namespace meari::test
