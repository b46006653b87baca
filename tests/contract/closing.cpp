// Closing a slot ends all that is pending on it, exactly once, and what comes late never reaches whoever has the slot,
// or the descriptor, next.
#include <deque>

#include "pattern.hpp"

namespace meari::test {
namespace {

class Closing : public Contract {
 protected:
  bool all_slots_are_free() {
    return until([&] { return backend().slots_in_use() == 0; });
  }
};
MEARI_EVERY_BACKEND(Closing);

TEST_P(Closing, ends_a_receive_that_waits) {
  auto [client, server] = connected();
  Tracked<Receive> receive;
  start(server, receive);
  let_pass(1ms);
  close(server);
  EXPECT_EQ(outcome(receive), Errc::canceled);
}

TEST_P(Closing, ends_a_receive_that_was_submitted_in_the_same_turn) {
  auto [client, server] = connected();
  Tracked<Receive> receive;
  start(server, receive);
  close(server);
  EXPECT_EQ(outcome(receive), Errc::canceled);
}

TEST_P(Closing, ends_a_send_that_waits_and_all_behind_it) {
  auto [client, server] = connected();
  const std::string block = pattern(1, 0, 1 << 20);
  Tracked<Send> stalled, behind;
  fill(client, block, stalled);
  behind.chunk = Chunk::copy_of(std::as_bytes(std::span("x", 1))).value();
  start(client, behind);
  Tracked<Finish> finish;
  start(client, finish);
  close(client);
  EXPECT_EQ(outcome(stalled), Errc::canceled);
  EXPECT_EQ(outcome(behind), Errc::canceled);
  EXPECT_EQ(outcome(finish), Errc::canceled);
}

TEST_P(Closing, ends_a_receive_and_a_send_together) {
  auto [client, server] = connected();
  Tracked<Receive> receive;
  start(client, receive);
  const std::string block = pattern(1, 0, 1 << 20);
  Tracked<Send> stalled;
  fill(client, block, stalled);
  close(client);
  EXPECT_EQ(outcome(receive), Errc::canceled);
  EXPECT_EQ(outcome(stalled), Errc::canceled);
}

TEST_P(Closing, ends_everybody_who_waits_for_a_client) {
  const End listener = listen();
  std::array<Tracked<Accept>, 3> accepts;
  for (Tracked<Accept>& accept : accepts) start(listener, accept);
  let_pass(1ms);
  close(listener);
  for (Tracked<Accept>& accept : accepts) EXPECT_EQ(outcome(accept), Errc::canceled);
}

TEST_P(Closing, ends_who_waits_for_a_datagram) {
  const End end = open({.role = Role::datagram, .local = Address::loopback(Family::ipv4, 0)});
  Tracked<ReceiveFrom> receive;
  start(end, receive);
  let_pass(1ms);
  close(end);
  EXPECT_EQ(outcome(receive), Errc::canceled);
}

TEST_P(Closing, leaves_what_has_completed_before_as_it_is) {
  auto [client, server] = connected();
  Tracked<Receive> receive;
  start(server, receive);
  send(client, "in time");
  ASSERT_TRUE(until([&] { return receive.over(); }));
  close(server);
  EXPECT_EQ(receive.error.code(), Errc::none);
  EXPECT_EQ(receive.chunk.text(), "in time");
}

TEST_P(Closing, twice_is_as_good_as_once) {
  auto [client, server] = connected();
  Tracked<Receive> receive;
  start(server, receive);
  close(server);
  close(server);
  close(server, true);
  EXPECT_EQ(outcome(receive), Errc::canceled);
  close(server);
}

TEST_P(Closing, a_slot_that_never_was_is_nothing) {
  backend().close({});
  backend().close({12345, 7});
  EXPECT_EQ(backend().slots_in_use(), 0U);
}

TEST_P(Closing, every_later_operation_says_closed) {
  auto [client, server] = connected();
  const End listener = listen();
  const End udp = open({.role = Role::datagram, .local = Address::loopback(Family::ipv4, 0)});
  for (const End& end : {client, listener, udp}) close(end);
  Tracked<Receive> receive;
  EXPECT_EQ(run(client, receive), Errc::closed);
  Tracked<Send> send;
  EXPECT_EQ(run(client, send), Errc::closed);
  Tracked<Finish> finish;
  EXPECT_EQ(run(client, finish), Errc::closed);
  Tracked<Connect> connect;
  connect.target = local(server);
  EXPECT_EQ(run(client, connect), Errc::closed);
  Tracked<Accept> accept;
  EXPECT_EQ(run(listener, accept), Errc::closed);
  Tracked<ReceiveFrom> receive_from;
  EXPECT_EQ(run(udp, receive_from), Errc::closed);
  Tracked<SendTo> send_to;
  EXPECT_EQ(run(udp, send_to), Errc::closed);
  Tracked<Readiness> ready;
  EXPECT_EQ(run(client, ready), Errc::closed);
}

TEST_P(Closing, every_later_question_says_closed) {
  auto [client, server] = connected();
  close(client);
  EXPECT_EQ(backend().local(client.slot).error().code(), Errc::closed);
  EXPECT_EQ(backend().peer(client.slot).error().code(), Errc::closed);
  EXPECT_EQ(backend().info(client.slot).error().code(), Errc::closed);
  EXPECT_EQ(backend().release(client.slot).error().code(), Errc::closed);
  EXPECT_EQ(facts(client).number, 0U);
  ASSERT_TRUE(until([&] { return backend().slots_in_use() == 1; }));
  EXPECT_EQ(backend().policy(client.slot), nullptr);
}

TEST_P(Closing, an_old_name_never_means_a_new_slot) {
  std::vector<SlotId> old;
  for (int i = 0; i < 50; ++i) {
    const End end = stream();
    old.push_back(end.slot);
    close(end);
    ASSERT_TRUE(all_slots_are_free());
  }
  auto [client, server] = connected();
  const End third = stream();  // and so the places of all the old ones are taken again
  for (const SlotId& slot : old) {
    EXPECT_TRUE(slot.index == client.slot.index || slot.index == server.slot.index || slot.index == third.slot.index);
    EXPECT_EQ(receive_error({&backend(), slot}), Errc::closed);
    EXPECT_EQ(backend().facts(slot).number, 0U);
    EXPECT_EQ(backend().policy(slot), nullptr);
    backend().close(slot);
  }
  EXPECT_EQ(backend().slots_in_use(), 3U);
  send(client, "unharmed");
  EXPECT_EQ(receive(server), "unharmed");
}

TEST_P(Closing, is_seen_as_the_end) {
  auto [client, server] = connected();
  Tracked<Receive> receive;
  start(server, receive);
  close(client);
  EXPECT_EQ(outcome(receive), Errc::none);
  EXPECT_TRUE(receive.chunk.empty());
}

TEST_P(Closing, loses_nothing_that_was_sent_before) {
  auto [client, server] = connected();
  Sender sender(*this, client, {.seed = 6, .total = 100'000, .finish = false});
  ASSERT_TRUE(until([&] { return sender.over(); }));
  close(client);
  Receiver receiver(*this, server, 6);
  EXPECT_TRUE(until([&] { return receiver.over(); }));
  EXPECT_TRUE(receiver.ended());
  EXPECT_EQ(receiver.received(), 100'000U);
}

TEST_P(Closing, drops_what_was_not_read) {
  auto [client, server] = connected();
  send(client, "nobody reads me");
  EXPECT_EQ(receive(server, 1), "n");
  close(server);
  const Errc error = receive_last(client);
  EXPECT_TRUE(error == Errc::none || error == Errc::connection_reset) << describe(error);
  EXPECT_EQ(backend().bytes_on_loan(), 0U);
}

TEST_P(Closing, gives_the_descriptor_back_to_the_system) {
  MEARI_NEEDS(system_sockets);
  const std::size_t before = open_descriptors();
  {
    auto [client, server] = connected();
    Tracked<Receive> receive;
    start(server, receive);
    let_pass(1ms);
    close(client);
    close(server);
    EXPECT_EQ(outcome(receive), Errc::canceled);
    ASSERT_TRUE(all_slots_are_free());
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST_P(Closing, a_descriptor_that_is_used_again_brings_nothing_of_the_old_connection) {
  // The old connection has a receive in the kernel and bytes on their way when its descriptor goes to a new one.
  const End listener = listen();
  for (std::uint64_t round = 0; round < 60; ++round) {
    const End old_client = dial(local(listener));
    const End old_server = accept(listener);
    Tracked<Receive> old_receive;
    start(old_server, old_receive);
    if (round % 2 == 0) turn(backend().now() + 20us);
    Tracked<Send> old_send;
    const std::string text = pattern(round, 0, 1000);
    old_send.chunk = Chunk::view(std::as_bytes(std::span(text)));
    start(old_client, old_send);
    close(old_server, round % 3 == 0);
    close(old_client, round % 5 == 0);
    const End client = dial(local(listener));
    const End server = accept(listener);
    Tracked<Receive> receive_;
    start(server, receive_);
    send(client, "new");
    ASSERT_EQ(outcome(receive_), Errc::none);
    ASSERT_EQ(receive_.chunk.text(), "new") << "in round " << round;
    outcome(old_receive);
    outcome(old_send);
    close(client);
    close(server);
  }
}

TEST_P(Closing, from_the_completion_of_its_own_receive) {
  auto [client, server] = connected();
  Tracked<Receive> receive;
  receive.then = [&, end = server] { close(end); };
  start(server, receive);
  send(client, "goodbye");
  EXPECT_EQ(outcome(receive), Errc::none);
  EXPECT_EQ(receive.chunk.text(), "goodbye");
  EXPECT_TRUE(until([&] { return backend().slots_in_use() == 1; }));
}

TEST_P(Closing, from_the_completion_of_another_in_the_same_turn) {
  auto [client_1, server_1] = connected();
  auto [client_2, server_2] = connected();
  Tracked<Receive> first, second;
  first.then = [&, end = server_2] { close(end); };
  second.then = [&, end = server_1] { close(end); };
  start(server_1, first);
  start(server_2, second);
  let_pass(1ms);
  Tracked<Send> one, two;
  const std::string_view text = "x";
  one.chunk = Chunk::view(std::as_bytes(std::span(text)));
  two.chunk = Chunk::view(std::as_bytes(std::span(text)));
  start(client_1, one);
  start(client_2, two);
  outcome(first);
  outcome(second);
  EXPECT_EQ(first.completions(), 1);
  EXPECT_EQ(second.completions(), 1);
}

TEST_P(Closing, a_thousand_slots_in_turn_leaves_none) {
  for (int i = 0; i < 1000; ++i) close(stream());
  EXPECT_TRUE(all_slots_are_free());
}

TEST_P(Closing, three_hundred_connections_at_once_leaves_none) {
  const End listener = listen();
  std::deque<Tracked<Receive>> receives;
  std::vector<End> ends;
  for (int i = 0; i < 300; ++i) {
    ends.push_back(dial(local(listener)));
    ends.push_back(accept(listener));
    start(ends.back(), receives.emplace_back());
  }
  for (const End& end : ends) close(end);
  for (Tracked<Receive>& receive : receives) {
    const Errc error = outcome(receive);
    EXPECT_TRUE(error == Errc::canceled || error == Errc::none) << describe(error);
  }
  close(listener);
  EXPECT_TRUE(all_slots_are_free());
}

// ---- the backend itself goes

TEST_P(Closing, destroying_the_backend_completes_all_that_is_pending) {
  Tracked<Receive> receive;
  Tracked<Send> stalled;
  Tracked<Finish> finish;
  Tracked<Accept> accept_;
  Tracked<ReceiveFrom> receive_from;
  const std::string block = pattern(1, 0, 1 << 20);
  const End listener = listen();
  const End udp = open({.role = Role::datagram, .local = Address::loopback(Family::ipv4, 0)});
  auto [client, server] = connected();
  start(client, receive);
  fill(client, block, stalled);
  start(client, finish);
  start(listener, accept_);
  start(udp, receive_from);
  turn(backend().now() + 20us);
  destroy_backends();
  for (const Operation* operation :
       std::initializer_list<const Operation*>{&receive, &stalled, &finish, &accept_, &receive_from}) {
    EXPECT_EQ(operation->state, Operation::State::completed) << static_cast<int>(operation->kind);
    EXPECT_EQ(operation->error.code(), Errc::canceled) << static_cast<int>(operation->kind);
  }
  receive.orphaned();
  stalled.orphaned();
  finish.orphaned();
  accept_.orphaned();
  receive_from.orphaned();
}

TEST_P(Closing, destroying_the_backend_at_once_after_submission_completes_all) {
  Tracked<Receive> receive;
  Tracked<Accept> accept_;
  Tracked<Connect> connect;
  const End listener = listen();
  auto [client, server] = connected();
  const Address address = local(listener);
  start(listener, accept_);
  start(client, receive);
  connect.target = address;
  start(stream(), connect);
  destroy_backends();
  EXPECT_EQ(receive.state, Operation::State::completed);
  EXPECT_EQ(accept_.state, Operation::State::completed);
  EXPECT_EQ(connect.state, Operation::State::completed);
  receive.orphaned();
  accept_.orphaned();
  connect.orphaned();
}

TEST_P(Closing, destroying_the_backend_keeps_what_had_completed) {
  Tracked<Receive> refused;
  start({&backend(), {}}, refused);
  destroy_backends();
  EXPECT_EQ(refused.state, Operation::State::completed);
  EXPECT_EQ(refused.error.code(), Errc::closed);
  refused.orphaned();
}

TEST_P(Closing, destroying_the_backend_closes_every_descriptor) {
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 20; ++i) connected();
  listen();
  pair();
  destroy_backends();
  EXPECT_LE(open_descriptors(), before);  // TearDown looks at the exact number
}

TEST_P(Closing, destroying_a_backend_is_seen_by_its_sibling) {
  auto [client, server] = connected_to_sibling();
  Tracked<Receive> receive;
  start(server, receive);
  let_pass(1ms);
  Backend& gone = sibling();
  gone.close(client.slot);
  EXPECT_EQ(outcome(receive), Errc::none);
  EXPECT_TRUE(receive.chunk.empty());
}

}  // namespace
}  // namespace meari::test
