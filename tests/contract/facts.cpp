// What a backend tells about its slots, and how it says that a socket cannot be had.
#include "pattern.hpp"

namespace meari::test {
namespace {

class Facts : public Contract {};
MEARI_EVERY_BACKEND(Facts);

TEST_P(Facts, a_new_slot_was_active_just_now) {
  let_pass(3ms);
  const Time before = backend().now();
  turn(before);
  const End end = stream();
  const SlotFacts seen = facts(end);
  // Timeouts count from here; whole milliseconds are kept.
  EXPECT_GE(seen.last_received, before - 2ms);
  EXPECT_LE(seen.last_received, backend().now());
  EXPECT_EQ(seen.last_sent, seen.last_received);
}

TEST_P(Facts, the_backend_has_the_name_that_it_was_asked_for_by) {
  const std::string_view expected = GetParam() == Make::uring_floor ? "uring-floor" : test::name(GetParam());
  EXPECT_EQ(backend().name(), expected);
}

TEST_P(Facts, of_a_fresh_stream) {
  const SlotFacts seen = facts(stream());
  EXPECT_EQ(seen.role, Role::stream);
  EXPECT_NE(seen.descriptor, no_descriptor);
  EXPECT_GT(seen.number, 0U);
  EXPECT_EQ(seen.unread, 0U);
  EXPECT_EQ(seen.unsent, 0U);
  EXPECT_EQ(seen.receiving, nullptr);
  EXPECT_EQ(seen.sending, nullptr);
  EXPECT_FALSE(seen.ended || seen.finished || seen.broken);
}

TEST_P(Facts, of_every_role) {
  EXPECT_EQ(facts(listen()).role, Role::listener);
  EXPECT_EQ(facts(open({.role = Role::datagram})).role, Role::datagram);
  auto [client, server] = connected();
  EXPECT_EQ(facts(server).role, Role::stream);
}

TEST_P(Facts, numbers_are_never_used_again) {
  std::uint64_t last = 0;
  for (int i = 0; i < 20; ++i) {
    const End end = stream();
    EXPECT_GT(facts(end).number, last);
    last = facts(end).number;
    close(end);
  }
  EXPECT_GT(facts(open(sibling(), {})).number, last);
}

TEST_P(Facts, who_waits_to_receive) {
  auto [client, server] = connected();
  Tracked<Receive> receive;
  start(server, receive);
  EXPECT_EQ(facts(server).receiving, &receive);
  send(client, "x");
  outcome(receive);
  EXPECT_EQ(facts(server).receiving, nullptr);
}

TEST_P(Facts, who_waits_to_accept) {
  const End listener = listen();
  Tracked<Accept> accept;
  start(listener, accept);
  EXPECT_EQ(facts(listener).receiving, &accept);
}

TEST_P(Facts, who_waits_to_send_and_how_much) {
  auto [client, server] = connected();
  const std::string block = pattern(1, 0, 1 << 20);
  Tracked<Send> stalled, behind;
  std::size_t taken = 0;
  fill(client, block, stalled, &taken);
  EXPECT_EQ(facts(client).sending, &stalled);
  const std::size_t unsent = facts(client).unsent;
  EXPECT_GT(unsent, 0U);
  EXPECT_LE(unsent, block.size());
  behind.chunk = Chunk::view(std::as_bytes(std::span(block)));
  start(client, behind);
  EXPECT_EQ(facts(client).sending, &stalled);
  EXPECT_EQ(facts(client).unsent, unsent + block.size());
  receive_exactly(server, taken + 2 * block.size());
  outcome(stalled);
  outcome(behind);
  EXPECT_EQ(facts(client).sending, nullptr);
  EXPECT_EQ(facts(client).unsent, 0U);
}

TEST_P(Facts, bytes_that_nobody_has_taken) {
  auto [client, server] = connected();
  backend().unread(server.slot, Chunk::copy_of(std::as_bytes(std::span("12345", 5))).value());
  EXPECT_EQ(facts(server).unread, 5U);
  receive(server, 2);
  EXPECT_EQ(facts(server).unread, 3U);
  receive(server);
  EXPECT_EQ(facts(server).unread, 0U);
}

TEST_P(Facts, the_peer_has_finished_and_we_have_finished) {
  auto [client, server] = connected();
  finish(client);
  EXPECT_TRUE(facts(client).finished);
  EXPECT_FALSE(facts(client).ended);
  EXPECT_EQ(receive(server), "");
  EXPECT_TRUE(facts(server).ended);
  EXPECT_FALSE(facts(server).finished);
}

TEST_P(Facts, nothing_more_can_be_sent) {
  auto [client, server] = connected();
  EXPECT_FALSE(facts(server).broken);
  close(client, true);
  EXPECT_NE(send_until_failure(server), Errc::none);
  EXPECT_TRUE(facts(server).broken);
}

TEST_P(Facts, when_bytes_last_came_and_went) {
  auto [client, server] = connected();
  const Time begin = backend().now();
  let_pass(10ms);
  send(client, "x");
  receive(server);
  let_pass(1ms);
  // Milliseconds, as of the last turn.
  EXPECT_GE(facts(server).last_received, begin + 8ms);
  EXPECT_LE(facts(server).last_received, backend().now());
  EXPECT_GE(facts(client).last_sent, begin + 8ms);
  EXPECT_LT(facts(client).last_received, begin + 8ms);
}

TEST_P(Facts, a_finish_is_a_sign_of_life_too) {
  auto [client, server] = connected();
  const Time begin = backend().now();
  let_pass(10ms);
  finish(client);
  EXPECT_GE(facts(client).last_sent, begin + 8ms);
}

TEST_P(Facts, bytes_are_counted_over_the_whole_life) {
  auto [client, server] = connected();
  Sender sender(*this, client, {.seed = 1, .total = 3'000'000});
  Receiver receiver(*this, server, 1);
  ASSERT_TRUE(until([&] { return receiver.over() && sender.over(); }));
  EXPECT_EQ(facts(client).bytes_sent, 3'000'000U);
  EXPECT_EQ(facts(client).bytes_received, 0U);
  EXPECT_EQ(facts(server).bytes_received, 3'000'000U);
  EXPECT_EQ(facts(server).bytes_sent, 0U);
}

TEST_P(Facts, whether_a_stream_is_connected_and_whether_it_has_failed) {
  MEARI_NEEDS(resets);
  EXPECT_FALSE(facts(stream()).connected);
  auto [client, server] = connected();
  EXPECT_TRUE(facts(client).connected);
  EXPECT_TRUE(facts(server).connected);
  EXPECT_FALSE(facts(server).failed);
  close(client, true);
  EXPECT_EQ(receive_error(server), Errc::connection_reset);
  EXPECT_TRUE(facts(server).failed);
}

TEST_P(Facts, of_a_closed_slot_are_empty) {
  const End end = stream();
  close(end);
  EXPECT_EQ(facts(end).number, 0U);
  EXPECT_EQ(facts(end).descriptor, no_descriptor);
}

TEST_P(Facts, slots_in_use_are_counted) {
  EXPECT_EQ(backend().slots_in_use(), 0U);
  const End one = stream();
  EXPECT_EQ(backend().slots_in_use(), 1U);
  pair();
  EXPECT_EQ(backend().slots_in_use(), 3U);
  close(one);
  EXPECT_TRUE(until([&] { return backend().slots_in_use() == 2; }));
}

TEST_P(Facts, the_policy_of_a_slot_never_moves) {
  const End end = stream();
  SlotPolicy* policy = backend().policy(end.slot);
  ASSERT_NE(policy, nullptr);
  EXPECT_FALSE(policy->timer.is_set());
  StreamTerms terms;
  policy->terms = &terms;
  for (int i = 0; i < 2000; ++i) close(stream());
  std::vector<End> others;
  for (int i = 0; i < 600; ++i) others.push_back(stream());
  EXPECT_EQ(backend().policy(end.slot), policy);
  EXPECT_EQ(policy->terms, &terms);
  policy->terms = nullptr;
}

TEST_P(Facts, the_policy_of_a_new_slot_is_fresh) {
  const End end = stream();
  StreamTerms terms;
  backend().policy(end.slot)->terms = &terms;
  close(end);
  ASSERT_TRUE(until([&] { return backend().slots_in_use() == 0; }));
  EXPECT_EQ(backend().policy(stream().slot)->terms, nullptr);
}

TEST_P(Facts, addresses_of_both_ends) {
  const End listener = listen();
  EXPECT_EQ(local(listener).ip(), Address::loopback(Family::ipv4, 0).ip());
  EXPECT_NE(local(listener).port(), 0);
  EXPECT_FALSE(backend().peer(listener.slot).has_value());
  const End client = stream();
  EXPECT_EQ(backend().peer(client.slot).error().code(), Errc::not_connected);
}

TEST_P(Facts, the_state_of_a_connection_follows_its_ends) {
  MEARI_NEEDS(tcp_info);
  auto [client, server] = connected();
  EXPECT_EQ(backend().info(client.slot).value().state, "ESTABLISHED");
  finish(client);
  EXPECT_EQ(receive(server), "");
  EXPECT_EQ(backend().info(server.slot).value().state, "CLOSE_WAIT");
  EXPECT_TRUE(backend().info(client.slot).value().state.starts_with("FIN_WAIT"));  // 1 or 2: whether its ACK has come
}

TEST_P(Facts, what_stands_in_the_queues_of_the_kernel) {
  MEARI_NEEDS(tcp_info);
  auto [client, server] = connected();
  send(client, "unread");
  EXPECT_TRUE(until([&, end = server] { return backend().info(end.slot).value().receive_queue == 6; }));
  const SocketInfo info = backend().info(server.slot).value();
  EXPECT_GE(info.rtt_us, 0);
  EXPECT_GE(info.retransmits, 0);
  EXPECT_EQ(receive(server), "unread");
  EXPECT_EQ(backend().info(server.slot).value().receive_queue, 0);
  EXPECT_EQ(backend().info(server.slot).value().bytes_received, 6);
}

TEST_P(Facts, how_many_wait_to_be_accepted) {
  MEARI_NEEDS(tcp_info);
  const End listener = listen(Family::ipv4, 7);
  dial(local(listener));
  dial(local(listener));
  EXPECT_TRUE(until([&] { return backend().info(listener.slot).value().receive_queue == 2; }));
  const SocketInfo info = backend().info(listener.slot).value();
  EXPECT_EQ(info.state, "LISTEN");
  EXPECT_EQ(info.send_queue, 7);
}

TEST_P(Facts, info_may_be_asked_of_every_role) {
  MEARI_NEEDS(tcp_info);
  auto [client, server] = connected();
  auto [one, other] = pair();
  for (const End& end : {client, listen(), open({.role = Role::datagram}), one})
    EXPECT_TRUE(backend().info(end.slot).has_value());
}

TEST_P(Facts, an_address_of_somebody_else_cannot_be_bound) {
  const std::size_t before = open_descriptors();
  for (const Role role : {Role::stream, Role::listener, Role::datagram}) {
    if (role == Role::datagram && !missing(GetParam(), Need::refused_datagrams).empty()) continue;
    const Result<SlotId> slot = backend().open({.role = role, .local = Address("192.0.2.1", 0)});
    ASSERT_FALSE(slot.has_value());
    EXPECT_EQ(slot.error().code(), Errc::address_not_available);
  }
  EXPECT_EQ(backend().slots_in_use(), 0U);
  EXPECT_EQ(open_descriptors(), before);
}

TEST_P(Facts, an_address_of_another_family_cannot_be_bound) {
  const std::size_t before = open_descriptors();
  const Address v4 = Address::loopback(Family::ipv4, 0), v6 = Address::loopback(Family::ipv6, 0);
  const auto refused = [&](Family family, const Address& address) {
    const Result<SlotId> slot = backend().open({.family = family, .local = address});
    EXPECT_FALSE(slot.has_value()) << address.to_string();
    return slot.error().code();
  };
  EXPECT_EQ(refused(Family::ipv4, v6), Errc::not_supported);
  if (missing(GetParam(), Need::ipv6).empty()) EXPECT_EQ(refused(Family::ipv6, v4), Errc::invalid_argument);
  if (missing(GetParam(), Need::unix_domain).empty()) EXPECT_EQ(refused(Family::local, v4), Errc::invalid_argument);
  EXPECT_EQ(backend().slots_in_use(), 0U);
  EXPECT_EQ(open_descriptors(), before);
}

TEST_P(Facts, a_listener_without_an_address_is_an_invalid_argument) {
  const Result<SlotId> slot = backend().open({.role = Role::listener});
  if (slot) close({&backend(), *slot});
  ASSERT_FALSE(slot.has_value());
  EXPECT_EQ(slot.error().code(), Errc::invalid_argument);
}

TEST_P(Facts, a_foreign_socket_cannot_be_opened) {
  const Result<SlotId> slot = backend().open({.role = Role::foreign});
  ASSERT_FALSE(slot.has_value());
  EXPECT_EQ(slot.error().code(), Errc::invalid_argument);
}

TEST_P(Facts, datagram_ports_in_use_are_refused) {
  const End one = open({.role = Role::datagram, .local = Address::loopback(Family::ipv4, 0)});
  EXPECT_EQ(backend().open({.role = Role::datagram, .local = local(one)}).error().code(), Errc::address_in_use);
}

}  // namespace
}  // namespace meari::test
