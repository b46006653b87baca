// Datagrams: each comes whole, with its sender's address, or not at all.
#include <deque>

#include "pattern.hpp"

namespace meari::test {
namespace {

class Datagrams : public Contract {
 protected:
  End socket(Family family = Family::ipv4) {
    return open({.role = Role::datagram, .family = family, .local = Address::loopback(family, 0)});
  }
  Errc send_to(End from, const Address& to, std::string_view text) {
    Tracked<SendTo> send;
    send.bytes = std::as_bytes(std::span(text.data(), text.size()));
    send.target = to;
    return run(from, send);
  }
  std::string receive_from(End end, Address* from = nullptr) {
    Tracked<ReceiveFrom> receive;
    EXPECT_EQ(run(end, receive), Errc::none);
    EXPECT_FALSE(receive.truncated);
    if (from != nullptr) *from = receive.from;
    return std::string(receive.chunk.text());
  }
};
MEARI_EVERY_BACKEND(Datagrams);

TEST_P(Datagrams, come_with_the_address_of_their_sender) {
  const End one = socket(), other = socket();
  EXPECT_EQ(send_to(one, local(other), "hello"), Errc::none);
  Address from;
  EXPECT_EQ(receive_from(other, &from), "hello");
  EXPECT_EQ(from, local(one));
  EXPECT_EQ(send_to(other, from, "hello yourself"), Errc::none);
  EXPECT_EQ(receive_from(one), "hello yourself");
}

TEST_P(Datagrams, are_waited_for) {
  const End one = socket(), other = socket();
  Tracked<ReceiveFrom> receive;
  EXPECT_EQ(start(other, receive), Submitted::pending);
  let_pass(2ms);
  EXPECT_FALSE(receive.over());
  send_to(one, local(other), "now");
  EXPECT_EQ(outcome(receive), Errc::none);
  EXPECT_EQ(receive.chunk.text(), "now");
  EXPECT_EQ(receive.from, local(one));
}

TEST_P(Datagrams, are_received_by_one_at_a_time) {
  const End one = socket(), other = socket();
  Tracked<ReceiveFrom> first, second;
  EXPECT_EQ(start(other, first), Submitted::pending);
  EXPECT_EQ(run(other, second), Errc::busy);
  send_to(one, local(other), "for the first");
  EXPECT_EQ(outcome(first), Errc::none);
  EXPECT_EQ(first.chunk.text(), "for the first");
}

TEST_P(Datagrams, keep_their_boundaries_and_their_order) {
  const End one = socket(), other = socket();
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(send_to(one, local(other), pattern(i, 0, i * 10 + 1)), Errc::none);
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(receive_from(other), pattern(i, 0, i * 10 + 1));
}

TEST_P(Datagrams, may_be_empty) {
  const End one = socket(), other = socket();
  EXPECT_EQ(send_to(one, local(other), ""), Errc::none);
  EXPECT_EQ(send_to(one, local(other), "and not"), Errc::none);
  Address from;
  EXPECT_EQ(receive_from(other, &from), "");
  EXPECT_EQ(from, local(one));
  EXPECT_EQ(receive_from(other), "and not");
}

TEST_P(Datagrams, may_be_as_large_as_udp_allows) {
  const End one = socket(), other = socket();
  const std::string text = pattern(1, 0, 65'507);
  EXPECT_EQ(send_to(one, local(other), text), Errc::none);
  EXPECT_EQ(receive_from(other), text);
}

TEST_P(Datagrams, that_are_too_long_are_refused_and_the_next_one_goes) {
  const End one = socket(), other = socket();
  EXPECT_EQ(send_to(one, local(other), std::string(70'000, 'x')), Errc::message_too_long);
  EXPECT_EQ(send_to(one, local(other), "short"), Errc::none);
  EXPECT_EQ(receive_from(other), "short");
}

TEST_P(Datagrams, work_over_ipv6) {
  MEARI_NEEDS(ipv6);
  const End one = socket(Family::ipv6), other = socket(Family::ipv6);
  EXPECT_EQ(send_to(one, local(other), "six"), Errc::none);
  Address from;
  EXPECT_EQ(receive_from(other, &from), "six");
  EXPECT_EQ(from, local(one));
}

TEST_P(Datagrams, from_many_senders_keep_their_senders) {
  const End all = socket();
  std::vector<End> senders;
  for (std::size_t i = 0; i < 20; ++i) {
    senders.push_back(socket());
    EXPECT_EQ(send_to(senders.back(), local(all), std::to_string(i)), Errc::none);
  }
  for (std::size_t i = 0; i < 20; ++i) {
    Address from;
    EXPECT_EQ(receive_from(all, &from), std::to_string(i));
    EXPECT_EQ(from, local(senders[i]));
  }
}

TEST_P(Datagrams, to_nobody_are_sent_and_lost) {
  const End one = socket(), other = socket();
  const End closed = socket();
  const Address nobody = local(closed);
  close(closed);
  ASSERT_TRUE(until([&] { return backend().slots_in_use() == 2; }));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(send_to(one, nobody, "anybody?"), Errc::none);
  EXPECT_EQ(send_to(one, local(other), "you"), Errc::none);
  EXPECT_EQ(receive_from(other), "you");
}

TEST_P(Datagrams, to_no_address_fail) {
  const End one = socket();
  EXPECT_NE(send_to(one, Address(), "where?"), Errc::none);
}

TEST_P(Datagrams, from_a_socket_without_an_address_get_one) {
  const End other = socket();
  const End one = open({.role = Role::datagram});
  EXPECT_EQ(send_to(one, local(other), "me"), Errc::none);
  Address from;
  receive_from(other, &from);
  EXPECT_NE(from.port(), 0);
  EXPECT_EQ(send_to(other, from, "you"), Errc::none);
  EXPECT_EQ(receive_from(one), "you");
}

TEST_P(Datagrams, that_are_kept_do_not_change) {
  const End one = socket(), other = socket();
  std::deque<Chunk> kept;
  for (std::uint64_t i = 0; i < 30; ++i) {
    EXPECT_EQ(send_to(one, local(other), pattern(i, 0, 700)), Errc::none);
    Tracked<ReceiveFrom> receive;
    ASSERT_EQ(run(other, receive), Errc::none);
    kept.push_back(std::move(receive.chunk));
  }
  for (std::uint64_t i = 0; i < 30; ++i) EXPECT_EQ(match_pattern(i, 0, kept[i].bytes()), 700U) << i;
}

TEST_P(Datagrams, an_operation_may_be_submitted_again_from_its_own_completion) {
  const End one = socket(), other = socket();
  Tracked<ReceiveFrom> receive;
  std::size_t count = 0;
  receive.then = [&, end = other] {
    ++count;
    while (count < 100 && start(end, receive) == Submitted::done) ++count;
  };
  if (start(other, receive) == Submitted::done) receive.then();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(send_to(one, local(other), "tick"), Errc::none);
    ASSERT_TRUE(until([&] { return count > static_cast<std::size_t>(i); }));
  }
}

TEST_P(Datagrams, only_they_have_these_operations) {
  const End listener = listen();
  Tracked<ReceiveFrom> receive;
  EXPECT_EQ(run(listener, receive), Errc::invalid_argument);
  EXPECT_EQ(run(stream(), receive), Errc::invalid_argument);
  EXPECT_EQ(send_to(stream(), local(listener), "x"), Errc::invalid_argument);
}

TEST_P(Datagrams, reach_a_sibling) {
  const End one = socket();
  const End other = open(sibling(), {.role = Role::datagram, .local = Address::loopback(Family::ipv4, 0)});
  EXPECT_EQ(send_to(one, local(other), "across"), Errc::none);
  Address from;
  EXPECT_EQ(receive_from(other, &from), "across");
  EXPECT_EQ(from, local(one));
}

}  // namespace
}  // namespace meari::test
