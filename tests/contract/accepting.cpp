// What an Accept gives, who is served first, and what becomes of a client when the accept is cancelled or fails.
#include <array>
#include <deque>

#include "backend_harness.hpp"

namespace meari::test {
namespace {

class Accepting : public Contract {};
MEARI_EVERY_BACKEND(Accepting);

TEST_P(Accepting, gives_the_client_and_its_address) {
  const End listener = listen();
  const End client = dial(local(listener));
  Address from;
  const End server = accept(listener, &from);
  EXPECT_EQ(from, local(client));
  EXPECT_EQ(server.backend->peer(server.slot).value(), from);
  send(client, "ping");
  EXPECT_EQ(receive(server), "ping");
  send(server, "pong");
  EXPECT_EQ(receive(client), "pong");
}

TEST_P(Accepting, waits_until_a_client_comes) {
  const End listener = listen();
  Tracked<Accept> accept;
  EXPECT_EQ(start(listener, accept), Submitted::pending);
  let_pass(5ms);
  EXPECT_FALSE(accept.over());
  const End client = dial(local(listener));
  ASSERT_EQ(outcome(accept), Errc::none);
  EXPECT_EQ(accept.from, local(client));
  adopt(backend(), accept.accepted);
}

TEST_P(Accepting, clients_that_wait_are_taken_in_the_order_in_which_they_came) {
  const End listener = listen();
  std::vector<Address> came;
  for (int i = 0; i < 5; ++i) came.push_back(local(dial(local(listener))));
  for (const Address& client : came) {
    Address from;
    accept(listener, &from);
    EXPECT_EQ(from, client);
  }
}

TEST_P(Accepting, a_queue_is_emptied_without_waiting_again) {
  const End listener = listen();
  for (int i = 0; i < 3; ++i) dial(local(listener));
  accept(listener);
  let_pass(1ms);
  for (int i = 0; i < 2; ++i) {
    Tracked<Accept> next;
    EXPECT_EQ(start(listener, next), Submitted::done);
    EXPECT_EQ(outcome(next), Errc::none);
    close(adopt(backend(), std::exchange(next.accepted, no_descriptor)));
  }
}

TEST_P(Accepting, several_that_wait_are_served_first_come_first_served) {
  const End listener = listen();
  std::array<Tracked<Accept>, 4> accepts;
  for (Tracked<Accept>& accept : accepts) EXPECT_EQ(start(listener, accept), Submitted::pending);
  for (Tracked<Accept>& accept : accepts) {
    const End client = dial(local(listener));
    ASSERT_EQ(outcome(accept), Errc::none);
    EXPECT_EQ(accept.from, local(client));
    adopt(backend(), accept.accepted);
  }
}

TEST_P(Accepting, a_burst_serves_everybody_who_waits) {
  const End listener = listen();
  std::array<Tracked<Accept>, 8> accepts;
  for (Tracked<Accept>& accept : accepts) start(listener, accept);
  std::array<Tracked<Connect>, 8> connects;
  for (Tracked<Connect>& connect : connects) {
    connect.target = local(listener);
    start(stream(), connect);
  }
  for (Tracked<Accept>& accept : accepts) {
    EXPECT_EQ(outcome(accept), Errc::none);
    adopt(backend(), accept.accepted);
  }
  for (Tracked<Connect>& connect : connects) EXPECT_EQ(outcome(connect), Errc::none);
}

TEST_P(Accepting, two_hundred_clients_at_once_are_all_taken) {
  const End listener = listen();
  std::deque<Tracked<Connect>> connects;
  for (int i = 0; i < 200; ++i) {
    Tracked<Connect>& connect = connects.emplace_back();
    connect.target = local(listener);
    start(stream(), connect);
  }
  for (int i = 0; i < 200; ++i) accept(listener);
  for (Tracked<Connect>& connect : connects) EXPECT_EQ(outcome(connect), Errc::none);
}

TEST_P(Accepting, may_be_submitted_again_from_its_own_completion) {
  const End listener = listen();
  int taken = 0;
  Tracked<Accept> accept;
  const auto take = [&] {
    adopt(backend(), accept.accepted);
    ++taken;
  };
  accept.then = [&] {
    take();
    while (taken < 20 && start(listener, accept) == Submitted::done) take();
  };
  start(listener, accept);
  for (int i = 0; i < 20; ++i) dial(local(listener));
  EXPECT_TRUE(until([&] { return taken == 20; })) << taken;
}

TEST_P(Accepting, works_over_ipv6) {
  MEARI_NEEDS(ipv6);
  auto [client, server] = connected(Family::ipv6);
  EXPECT_EQ(local(server).family(), Family::ipv6);
  send(client, "six");
  EXPECT_EQ(receive(server), "six");
}

TEST_P(Accepting, works_over_a_unix_domain_socket) {
  MEARI_NEEDS(abstract_names);
  MEARI_NEEDS(unix_domain);
  auto [client, server] = connected(Family::local);
  send(client, "near");
  EXPECT_EQ(receive(server), "near");
  send(server, "nearer");
  EXPECT_EQ(receive(client), "nearer");
}

TEST_P(Accepting, a_listener_on_all_addresses_takes_ipv4_and_ipv6) {
  MEARI_NEEDS(ipv6);
  const End listener = listen_at(Address::any(Family::ipv6, 0));
  const std::uint16_t port = local(listener).port();
  Address from;
  dial(Address::loopback(Family::ipv4, port));
  accept(listener, &from);
  EXPECT_TRUE(from.to_string().starts_with("127.0.0.1:")) << from.to_string();
  dial(Address::loopback(Family::ipv6, port));
  accept(listener, &from);
  EXPECT_TRUE(from.to_string().starts_with("[::1]:")) << from.to_string();
}

TEST_P(Accepting, a_listener_for_ipv6_alone_leaves_the_port_to_ipv4) {
  MEARI_NEEDS(ipv6);
  // The port is free for IPv6; somebody else on this machine may have it for IPv4 at this moment.
  Result<SlotId> four_slot = Errc::address_in_use;
  std::uint16_t port = 0;
  for (int attempt = 0; attempt < 20 && !four_slot; ++attempt) {
    const End six =
        open({.role = Role::listener, .family = Family::ipv6, .local = Address::any(Family::ipv6, 0), .v6_only = true});
    port = local(six).port();
    four_slot =
        backend().open({.role = Role::listener, .family = Family::ipv4, .local = Address::any(Family::ipv4, port)});
    if (!four_slot) ASSERT_EQ(four_slot.error(), Errc::address_in_use);
  }
  const End four = keep(backend(), four_slot);
  dial(Address::loopback(Family::ipv4, port));
  Address from;
  accept(four, &from);
  EXPECT_EQ(from.family(), Family::ipv4);
}

TEST_P(Accepting, what_a_client_sent_before_it_was_accepted_is_there) {
  const End listener = listen();
  const End client = dial(local(listener));
  send(client, "early");
  finish(client);
  const End server = accept(listener);
  EXPECT_EQ(receive_all(server), "early");
}

TEST_P(Accepting, a_client_that_has_gone_before_it_was_accepted_harms_nobody) {
  const End listener = listen();
  const End gone = dial(local(listener));
  const Address gone_from = local(gone);
  close(gone, true);
  let_pass(1ms);
  const End client = dial(local(listener));
  Address from;
  End server = accept(listener, &from);
  if (from == gone_from) {  // the kernel keeps it in the queue: then it is a connection that was reset
    EXPECT_EQ(receive_error(server), Errc::connection_reset);
    server = accept(listener, &from);
  }
  EXPECT_EQ(from, local(client));
  send(client, "still here");
  EXPECT_EQ(receive(server), "still here");
}

TEST_P(Accepting, cancelled_before_a_client_came_leaves_it_to_the_next) {
  const End listener = listen();
  Tracked<Accept> accept_;
  start(listener, accept_);
  backend().cancel(accept_);
  EXPECT_EQ(outcome(accept_), Errc::canceled);
  EXPECT_EQ(accept_.accepted, no_descriptor);
  const End client = dial(local(listener));
  Address from;
  accept(listener, &from);
  EXPECT_EQ(from, local(client));
}

TEST_P(Accepting, cancelled_after_a_client_came_loses_no_connection) {
  for (int round = 0; round < 20; ++round) {
    const End listener = listen();
    Tracked<Accept> accept_;
    start(listener, accept_);
    let_pass(1ms);
    const End client = open(sibling(), {});
    Tracked<Connect> connect;
    connect.target = local(listener);
    start(client, connect);
    ASSERT_TRUE(until_alone(sibling(), [&] { return connect.over(); }));
    backend().cancel(accept_);
    const Errc error = outcome(accept_);
    if (error == Errc::none) {
      EXPECT_EQ(accept_.from, local(client));
      adopt(backend(), accept_.accepted);
    } else {
      EXPECT_EQ(error, Errc::canceled);
      Address from;
      accept(listener, &from);
      EXPECT_EQ(from, local(client));
    }
    close(client);
    close(listener);
  }
}

TEST_P(Accepting, cancelling_one_in_the_middle_keeps_the_order_of_the_others) {
  const End listener = listen();
  std::array<Tracked<Accept>, 3> accepts;
  for (Tracked<Accept>& accept : accepts) start(listener, accept);
  backend().cancel(accepts[1]);
  EXPECT_EQ(outcome(accepts[1]), Errc::canceled);
  const End first = dial(local(listener));
  ASSERT_EQ(outcome(accepts[0]), Errc::none);
  EXPECT_EQ(accepts[0].from, local(first));
  EXPECT_FALSE(accepts[2].over());
  const End second = dial(local(listener));
  ASSERT_EQ(outcome(accepts[2]), Errc::none);
  EXPECT_EQ(accepts[2].from, local(second));
  adopt(backend(), accepts[0].accepted);
  adopt(backend(), accepts[2].accepted);
}

TEST_P(Accepting, cancelling_the_first_serves_the_second) {
  const End listener = listen();
  std::array<Tracked<Accept>, 2> accepts;
  for (Tracked<Accept>& accept : accepts) start(listener, accept);
  let_pass(1ms);
  backend().cancel(accepts[0]);
  EXPECT_EQ(outcome(accepts[0]), Errc::canceled);
  const End client = dial(local(listener));
  ASSERT_EQ(outcome(accepts[1]), Errc::none);
  EXPECT_EQ(accepts[1].from, local(client));
  adopt(backend(), accepts[1].accepted);
}

TEST_P(Accepting, without_a_descriptor_fails_and_takes_the_same_client_later) {
  MEARI_NEEDS(descriptor_limit);
  const End listener = listen();
  const End client = dial(local(listener));
  {
    Tracked<Accept> accept_;
    DescriptorShortage shortage(*this);
    EXPECT_EQ(run(listener, accept_), Errc::too_many_descriptors);
    EXPECT_EQ(run(listener, accept_), Errc::too_many_descriptors) << "and again";
  }
  Address from;
  const End server = accept(listener, &from);
  EXPECT_EQ(from, local(client));
  send(client, "patient");
  EXPECT_EQ(receive(server), "patient");
}

TEST_P(Accepting, fails_when_the_shortage_comes_while_it_waits) {
  MEARI_NEEDS(descriptor_limit);
  const End listener = listen();
  const End client = open(sibling(), {});
  Tracked<Accept> accept_;
  start(listener, accept_);
  let_pass(1ms);
  Tracked<Connect> connect;
  connect.target = local(listener);
  {
    DescriptorShortage shortage(*this);
    start(client, connect);
    EXPECT_EQ(outcome(accept_), Errc::too_many_descriptors);
    EXPECT_EQ(outcome(connect), Errc::none);
  }
  Address from;
  accept(listener, &from);
  EXPECT_EQ(from, local(client));
}

TEST_P(Accepting, a_shortage_harms_nobody_who_is_in) {
  MEARI_NEEDS(descriptor_limit);
  auto [client, server] = connected();
  const End listener = listen();
  dial(local(listener));
  DescriptorShortage shortage(*this);
  Tracked<Accept> accept_;
  EXPECT_EQ(run(listener, accept_), Errc::too_many_descriptors);
  send(client, "unharmed");
  EXPECT_EQ(receive(server), "unharmed");
}

TEST_P(Accepting, opening_without_a_descriptor_fails_and_leaves_nothing) {
  MEARI_NEEDS(descriptor_limit);
  const std::size_t before = backend().slots_in_use();
  {
    DescriptorShortage shortage(*this);
    EXPECT_EQ(backend().open({}).error().code(), Errc::too_many_descriptors);
    EXPECT_EQ(backend().pair().error().code(), Errc::too_many_descriptors);
  }
  EXPECT_EQ(backend().slots_in_use(), before);
}

TEST_P(Accepting, what_was_accepted_may_live_on_a_sibling) {
  const End listener = listen();
  const End client = dial(local(listener));
  Tracked<Accept> accept_;
  ASSERT_EQ(run(listener, accept_), Errc::none);
  const Result<SlotId> slot = sibling().adopt_accepted(accept_.accepted, accept_.from);
  ASSERT_TRUE(slot.has_value());
  const End server{&sibling(), *slot};
  send(client, "over there");
  EXPECT_EQ(receive(server), "over there");
  finish(server);
  EXPECT_EQ(receive_all(client), "");
  close(server);
}

TEST_P(Accepting, only_a_listener_accepts) {
  Tracked<Accept> accept_;
  EXPECT_EQ(run(stream(), accept_), Errc::invalid_argument);
  auto [client, server] = connected();
  EXPECT_EQ(run(client, accept_), Errc::invalid_argument);
  EXPECT_EQ(run(open({.role = Role::datagram}), accept_), Errc::invalid_argument);
}

TEST_P(Accepting, a_port_in_use_is_refused) {
  const End listener = listen();
  const Result<SlotId> second =
      backend().open({.role = Role::listener, .family = Family::ipv4, .local = local(listener)});
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), Errc::address_in_use);
}

TEST_P(Accepting, a_port_is_free_again_when_its_listener_has_closed) {
  const End listener = listen();
  const Address address = local(listener);
  dial(address);
  accept(listener);
  close(listener);
  ASSERT_TRUE(until([&] { return backend().slots_in_use() == 2; }));
  const End again = listen_at(address);
  dial(address);
  accept(again);
}

TEST_P(Accepting, a_closed_listener_refuses) {
  const End listener = listen();
  const Address address = local(listener);
  close(listener);
  ASSERT_TRUE(until([&] { return backend().slots_in_use() == 0; }));
  Tracked<Connect> connect;
  connect.target = address;
  EXPECT_EQ(run(stream(), connect), Errc::connection_refused);
}

TEST_P(Accepting, closing_the_listener_leaves_those_who_are_in) {
  auto [client, server] = connected();  // its listener is closed
  send(client, "hello");
  EXPECT_EQ(receive(server), "hello");
}

TEST_P(Accepting, a_client_left_in_the_queue_of_a_closed_listener_sees_its_end) {
  const End listener = listen();
  const End client = dial(local(listener));
  close(listener);
  const Errc error = receive_last(client);
  EXPECT_TRUE(error == Errc::none || error == Errc::connection_reset) << describe(error);
}

TEST_P(Accepting, two_listeners_share_a_port_when_both_ask_for_it) {
  MEARI_NEEDS(shared_ports);
  MEARI_NEEDS(system_sockets);
  const Opening opening{.role = Role::listener, .local = Address::loopback(Family::ipv4, 0), .reuse_port = true};
  const End first = open(opening);
  Opening same = opening;
  same.local = local(first);
  const End second = open(same);
  EXPECT_EQ(local(second), local(first));
  dial(local(first));
  std::array<Tracked<Accept>, 2> accepts;
  start(first, accepts[0]);
  start(second, accepts[1]);
  ASSERT_TRUE(until([&] {
    return accepts[0].state == Operation::State::completed || accepts[1].state == Operation::State::completed;
  }));
  for (Tracked<Accept>& accept : accepts) {
    if (accept.state == Operation::State::completed) adopt(backend(), accept.accepted);
  }
}

}  // namespace
}  // namespace meari::test
