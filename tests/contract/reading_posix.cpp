// What stands between the bytes of a stream ends a recv(2) early, although more has come: tcp(7) "urgent data", unix(7)
// "SCM_RIGHTS". Nothing may wait for the peer's next bytes because of it.
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "backend_harness.hpp"

namespace meari::test {
namespace {

class StoppingShort : public Contract {
 protected:
  void SetUp() override {
    Contract::SetUp();
    MEARI_NEEDS(system_sockets);
  }
  // Connected, and the client's descriptor is ours.
  std::pair<Descriptor, End> peer_and_server() {
    auto [client, server] = connected();
    const Result<Descriptor> released = backend().release(client.slot);
    EXPECT_TRUE(released);
    return {*released, server};
  }
  // Its backend waits for it from now on, and is told of what comes.
  void make_it_wait(End end, Descriptor peer) {
    for (const char byte : {'1', '2'}) {
      Tracked<Receive> receive;
      EXPECT_EQ(start(end, receive), Submitted::pending);
      let_pass(1ms);
      say(peer, {&byte, 1});
      EXPECT_EQ(outcome(receive), Errc::none);
      EXPECT_EQ(receive.chunk.text(), std::string_view(&byte, 1));
    }
  }
  static void say(Descriptor peer, std::string_view text, int flags = 0) {
    ASSERT_EQ(::send(peer, text.data(), text.size(), flags | MSG_NOSIGNAL), std::ssize(text)) << std::strerror(errno);
  }
  // As one message, with a descriptor beside it.
  static void pass_descriptor(Descriptor peer, std::string_view text) {
    iovec vector{const_cast<char*>(text.data()), text.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int passed = STDERR_FILENO;
    std::memcpy(CMSG_DATA(header), &passed, sizeof passed);
    ASSERT_EQ(::sendmsg(peer, &message, MSG_NOSIGNAL), std::ssize(text)) << std::strerror(errno);
  }
};
MEARI_EVERY_BACKEND(StoppingShort);

TEST_P(StoppingShort, urgent_data_holds_nothing_up) {
  auto [peer, server] = peer_and_server();
  make_it_wait(server, peer);
  for (int i = 0; i < 3; ++i) {
    say(peer, "before");
    say(peer, "!", MSG_OOB);
    say(peer, "after");
    EXPECT_EQ(receive_exactly(server, 11), "beforeafter") << i;
  }
  ::close(peer);
  EXPECT_EQ(receive(server), "");
}

TEST_P(StoppingShort, urgent_data_holds_nobody_up_who_waits) {
  auto [peer, server] = peer_and_server();
  make_it_wait(server, peer);
  Tracked<Receive> receive;
  EXPECT_EQ(start(server, receive), Submitted::pending);
  say(peer, "!", MSG_OOB);
  say(peer, "at last");
  EXPECT_EQ(outcome(receive), Errc::none);
  std::string got(receive.chunk.text());
  if (got.size() < 7) got += receive_exactly(server, 7 - got.size());
  EXPECT_EQ(got, "at last");
  ::close(peer);
  EXPECT_EQ(this->receive(server), "");
}

TEST_P(StoppingShort, a_descriptor_that_is_passed_holds_nothing_up) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
  const Descriptor peer = ends[1];
  const End server = adopt(backend(), ends[0]);
  make_it_wait(server, peer);
  for (int i = 0; i < 3; ++i) {
    say(peer, "before");
    pass_descriptor(peer, "with it");
    say(peer, "after");
    EXPECT_EQ(receive_exactly(server, 18), "beforewith itafter") << i;
  }
  ::close(peer);
  EXPECT_EQ(receive(server), "");
}

}  // namespace
}  // namespace meari::test
