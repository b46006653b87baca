// Streams on the wire: what two programs see of each other, as Linux shows it to them, and how time passes meanwhile.
#include "wire_bench.hpp"

#include <thread>

namespace meari {
namespace {

TEST(Wire, an_echo_takes_four_latencies_of_virtual_time) {
  TwoHosts net;
  const auto [near, far] = net.connected();
  const Time before = net.wire.now();
  ASSERT_FALSE(net.send(net.client, near, "hello"));
  ASSERT_EQ(net.receive(net.server, far), "hello");
  ASSERT_FALSE(net.send(net.server, far, "hello yourself"));
  ASSERT_EQ(net.receive(net.client, near), "hello yourself");
  EXPECT_EQ(net.wire.now() - before, 100us);
}

TEST(Wire, connecting_takes_a_round_trip_and_does_not_wait_for_accept) {
  TwoHosts net;
  const SlotId near = net.socket(net.client);
  ASSERT_FALSE(net.connect(net.client, near, net.address));
  EXPECT_EQ(net.wire.now(), Time(100us));
  ASSERT_FALSE(net.send(net.client, near, "early"));
  const SlotId far = net.accept(net.server, net.listener);
  EXPECT_EQ(net.receive(net.server, far), "early");
  EXPECT_EQ(net.server.peer(far)->to_string(), net.where(net.client, near).to_string());
  EXPECT_EQ(net.where(net.server, far).to_string(), "10.0.0.1:9000");
}

TEST(Wire, one_loop_waits_by_moving_the_clock) {
  Wire wire;
  const auto backend = make_wire_backend(wire, wire.add_host());
  backend->wait(Time(5s));
  EXPECT_EQ(backend->now(), Time(5s));
  const auto [one, two] = backend->pair().value();
  Watched<Receive> receive;
  receive.slot = two;
  ASSERT_EQ(backend->submit(receive), Submitted::pending);
  Watched<Send> send;
  send.slot = one;
  send.chunk = Chunk::view(bytes_of("x"));
  ASSERT_EQ(backend->submit(send), Submitted::done);
  backend->wait(Time(10s));  // ends as soon as something is ready
  EXPECT_EQ(backend->now(), Time(5s) + 50us);
  EXPECT_EQ(backend->ready().pop(), &receive);
  backend->wait(Time(10s));
  EXPECT_EQ(backend->now(), Time(10s));
}

TEST(Wire, wake_from_another_thread_ends_a_wait_in_which_nothing_can_happen) {
  Wire wire;
  const auto backend = make_wire_backend(wire, wire.add_host());
  std::thread other([&] { backend->wake(); });
  backend->wait(never);
  other.join();
  EXPECT_EQ(backend->now(), Time());
}

TEST(Wire, a_clock_that_is_ahead_waits_just_as_long) {
  Wire wire;
  const auto backend = make_wire_backend(wire, wire.add_host({.ahead = 1h}));
  EXPECT_EQ(backend->now(), Time(1h));
  backend->wait(Time(1h) + 3s);
  EXPECT_EQ(wire.now(), Time(3s));
}

TEST(Wire, a_driven_wire_turns_loops_when_their_time_has_come) {
  Bench net;
  Backend& late = net.add();
  Backend& early = net.add();
  late.wait(Time(7s));
  early.wait(Time(2s));
  EXPECT_FALSE(net.wire.somebody_awake());
  ASSERT_TRUE(net.wire.step());
  EXPECT_EQ(net.wire.now(), Time(2s));
  EXPECT_TRUE(net.wire.awake(early));
  EXPECT_FALSE(net.wire.awake(late));
  early.wait(never);
  ASSERT_TRUE(net.wire.step());
  EXPECT_EQ(net.wire.now(), Time(7s));
  late.wait(never);
  EXPECT_FALSE(net.wire.step());
}

// ---- ends

TEST(Wire, who_has_finished_still_receives) {
  TwoHosts net;
  const auto [near, far] = net.connected();
  ASSERT_FALSE(net.send(net.client, near, "question"));
  ASSERT_FALSE(net.finish(net.client, near));
  EXPECT_EQ(net.receive_all(net.server, far), "question");
  net.rest();
  EXPECT_EQ(net.client.info(near)->state, "FIN_WAIT_2");
  EXPECT_EQ(net.server.info(far)->state, "CLOSE_WAIT");
  ASSERT_FALSE(net.send(net.server, far, "answer"));
  ASSERT_FALSE(net.finish(net.server, far));
  EXPECT_EQ(net.receive_all(net.client, near), "answer");
  net.rest();
  EXPECT_EQ(net.client.info(near)->state, "CLOSED");
  EXPECT_EQ(net.server.info(far)->state, "CLOSED");
  EXPECT_EQ(net.client.peer(near).error(), Errc::not_connected);
  EXPECT_EQ(net.send(net.client, near, "more"), Errc::broken_pipe);
}

TEST(Wire, what_was_sent_before_a_close_arrives_however_slowly_it_is_read) {
  TwoHosts net;
  const auto [near, far] = net.connected();
  const std::string big(60'000, 'b');
  ASSERT_FALSE(net.send(net.client, near, big));
  net.client.close(near);
  net.pass(1min);
  EXPECT_EQ(net.receive_all(net.server, far), big);
}

TEST(Wire, the_first_send_after_the_peer_has_closed_succeeds_and_the_next_breaks) {
  TwoHosts net;
  const auto [near, far] = net.connected();
  net.server.close(far);
  net.rest();
  EXPECT_FALSE(net.send(net.client, near, "one"));
  net.rest();
  EXPECT_EQ(net.send(net.client, near, "two"), Errc::broken_pipe);
  EXPECT_EQ(net.receive(net.client, near), "(end)");  // the FIN came first
}

TEST(Wire, closing_with_unread_bytes_resets_and_what_had_arrived_can_still_be_read) {
  TwoHosts net;
  const auto [near, far] = net.connected();
  ASSERT_FALSE(net.send(net.client, near, "never read"));
  ASSERT_FALSE(net.send(net.server, far, "last words"));
  net.rest();
  net.server.close(far);
  net.rest();
  EXPECT_EQ(net.receive(net.client, near), "last words");
  EXPECT_EQ(net.receive(net.client, near), "connection reset by the peer");
  EXPECT_EQ(net.send(net.client, near, "more"), Errc::broken_pipe);  // the error was told already
}

TEST(Wire, an_abort_resets_and_the_reader_is_told_although_a_send_was_told_before) {
  TwoHosts net;
  const auto [near, far] = net.connected();
  net.server.close(far, true);
  net.rest();
  EXPECT_EQ(net.send(net.client, near, "x"), Errc::connection_reset);
  EXPECT_EQ(net.receive(net.client, near), "connection reset by the peer");
  EXPECT_EQ(net.wire.sockets(), 2U);  // the listener and the near end
}

TEST(Wire, an_abort_loses_what_is_still_unsent) {
  TwoHosts net({.window = 1000});
  const auto [near, far] = net.connected();
  ASSERT_FALSE(net.send(net.client, near, std::string(5000, 'x')));
  net.rest();
  net.client.close(near, true);
  net.rest();
  EXPECT_EQ(net.receive(net.server, far).size(), 1000U);
  EXPECT_EQ(net.receive(net.server, far), "connection reset by the peer");
}

TEST(Wire, bytes_for_somebody_who_has_closed_bring_a_reset) {
  TwoHosts net;
  const auto [near, far] = net.connected();
  ASSERT_FALSE(net.send(net.client, near, "in flight"));
  net.server.close(far);  // before they arrive: nothing is unread, so a FIN goes out
  net.rest();
  EXPECT_EQ(net.receive(net.client, near), "(end)");
  EXPECT_EQ(net.send(net.client, near, "x"), Errc::broken_pipe);
}

TEST(Wire, a_receive_that_waits_is_told_of_a_reset) {
  TwoHosts net;
  const auto [near, far] = net.connected();
  Watched<Receive> receive;
  net.submit(net.client, near, receive);
  net.server.close(far, true);
  net.rest();
  ASSERT_TRUE(receive.over);
  EXPECT_EQ(receive.error, Errc::connection_reset);
}

// ---- listeners

TEST(Wire, a_closed_port_refuses) {
  TwoHosts net;
  EXPECT_EQ(net.connect(net.client, net.socket(net.client), {"10.0.0.1", 1}), Errc::connection_refused);
  EXPECT_EQ(net.wire.now(), Time(100us));
  net.rest();
  EXPECT_EQ(net.wire.sockets(), 2U);
}

TEST(Wire, an_address_that_nobody_has_is_unreachable) {
  TwoHosts net;
  EXPECT_EQ(net.connect(net.client, net.socket(net.client), {"10.9.9.9", 1}), Errc::host_unreachable);
  EXPECT_EQ(net.connect(net.client, net.socket(net.client, Family::ipv6), {"fd00::9", 1}), Errc::network_unreachable);
}

TEST(Wire, a_full_backlog_lets_one_more_connect_and_the_next_come_again) {
  TwoHosts net({}, {.user_timeout = {}}, 1);
  std::vector<Watched<Connect>> connects(4);
  for (Watched<Connect>& connect : connects) {
    connect.target = net.address;
    net.submit(net.client, net.socket(net.client), connect);
    net.pass(1ms);
  }
  EXPECT_TRUE(connects[0].over && connects[1].over);
  EXPECT_FALSE(connects[2].over || connects[3].over);
  EXPECT_EQ(net.server.info(net.listener)->receive_queue, 2);
  EXPECT_EQ(net.server.info(net.listener)->send_queue, 1);
  net.accept(net.server, net.listener);
  net.pass(1500ms);  // a SYN is sent again after a second
  EXPECT_TRUE(connects[2].over);
  EXPECT_FALSE(connects[3].over);
  ASSERT_TRUE(net.until([&] { return connects[3].over; }));
  EXPECT_EQ(connects[3].error, Errc::timed_out);
  EXPECT_EQ(net.wire.now(), Time(131s) + 3ms + 11 * 50us);  // what Linux needs with tcp_syn_retries = 6
}

TEST(Wire, a_connection_that_was_reset_before_accept_is_given_and_says_so) {
  TwoHosts net;
  const SlotId gone = net.socket(net.client);
  ASSERT_FALSE(net.connect(net.client, gone, net.address));
  net.rest();
  net.client.close(gone, true);
  net.rest();
  const SlotId stays = net.socket(net.client);
  ASSERT_FALSE(net.connect(net.client, stays, net.address));
  const SlotId reset = net.accept(net.server, net.listener);
  EXPECT_EQ(net.receive(net.server, reset), "connection reset by the peer");
  const SlotId far = net.accept(net.server, net.listener);
  EXPECT_EQ(net.server.peer(far)->port(), net.where(net.client, stays).port());
}

TEST(Wire, closing_a_listener_resets_who_waits_in_its_queue) {
  TwoHosts net;
  const SlotId near = net.socket(net.client);
  ASSERT_FALSE(net.connect(net.client, near, net.address));
  net.rest();
  net.server.close(net.listener);
  EXPECT_EQ(net.receive(net.client, near), "connection reset by the peer");
  EXPECT_EQ(net.connect(net.client, net.socket(net.client), net.address), Errc::connection_refused);
}

TEST(Wire, accepts_are_served_in_their_order) {
  TwoHosts net;
  Watched<Accept> first, second;
  net.submit(net.server, net.listener, first);
  net.submit(net.server, net.listener, second);
  ASSERT_FALSE(net.connect(net.client, net.socket(net.client), net.address));
  net.rest();
  EXPECT_TRUE(first.over);
  EXPECT_FALSE(second.over);
  net.server.cancel(second);
  net.rest();
  EXPECT_EQ(second.error, Errc::canceled);
  net.server.close(net.server.adopt_accepted(first.accepted, first.from).value());
}

TEST(Wire, a_host_out_of_descriptors_leaves_the_connection_in_the_queue) {
  TwoHosts net({.descriptors = 2});
  const SlotId other = net.socket(net.server);
  const SlotId near = net.socket(net.client);
  ASSERT_FALSE(net.connect(net.client, near, net.address));
  EXPECT_EQ(net.server.open({}).error(), Errc::too_many_descriptors);
  Watched<Accept> accept;
  EXPECT_EQ(net.finish(net.server, net.listener, accept), Errc::too_many_descriptors);
  net.server.close(other);
  net.accept(net.server, net.listener);
  EXPECT_EQ(net.wire.descriptors(0), 2U);
}

TEST(Wire, a_sibling_backend_adopts_what_another_has_accepted) {
  TwoHosts net;
  Backend& sibling = net.sibling(0);
  const SlotId near = net.socket(net.client);
  ASSERT_FALSE(net.connect(net.client, near, net.address));
  Watched<Accept> accept;
  ASSERT_FALSE(net.finish(net.server, net.listener, accept));
  EXPECT_EQ(net.client.adopt(accept.accepted, Role::stream).error(), Errc::closed);  // another host
  const SlotId far = sibling.adopt_accepted(accept.accepted, accept.from).value();
  EXPECT_EQ(net.server.adopt(accept.accepted, Role::stream).error(), Errc::busy);  // has an owner
  ASSERT_FALSE(net.send(net.client, near, "to the sibling"));
  EXPECT_EQ(net.receive(sibling, far), "to the sibling");
  const Descriptor back = sibling.release(far).value();
  EXPECT_EQ(net.server.adopt(back, Role::listener).error(), Errc::invalid_argument);
  const SlotId again = net.server.adopt(back, Role::stream).value();
  ASSERT_FALSE(net.send(net.server, again, "moved"));
  EXPECT_EQ(net.receive(net.client, near), "moved");
  EXPECT_EQ(net.server.adopt(0, Role::foreign).error(), Errc::not_supported);
}

// ---- windows

TEST(Wire, a_sender_waits_for_a_reader_and_goes_on_with_him) {
  TwoHosts net({.window = 10'000}, {.send_buffer = 5'000});
  const auto [near, far] = net.connected();
  const std::string big(100'000, 'w');
  Watched<Send> send;
  send.chunk = Chunk::view(bytes_of(big));
  net.submit(net.client, near, send);
  net.rest();
  EXPECT_FALSE(send.over);
  EXPECT_EQ(net.client.facts(near).unsent, 85'000U);  // the window and the buffer are full
  EXPECT_EQ(net.server.info(far)->receive_queue, 10'000);
  EXPECT_EQ(net.client.info(near)->send_queue, 5'000);
  std::string all;
  while (all.size() < big.size()) {
    all += net.receive(net.server, far);
    ASSERT_LE(net.server.info(far)->receive_queue, 10'000);
  }
  net.rest();
  EXPECT_TRUE(send.over);
  EXPECT_EQ(send.sent, big.size());
  EXPECT_EQ(all, big);
  EXPECT_EQ(net.client.info(near)->send_queue, 0);
  EXPECT_EQ(net.client.info(near)->bytes_acknowledged, 100'000);
}

TEST(Wire, sends_keep_their_order_and_a_finish_comes_last) {
  TwoHosts net({.window = 100}, {.send_buffer = 100});
  const auto [near, far] = net.connected();
  const std::string first(500, '1'), second(500, '2');
  const std::span<const std::byte> pieces[] = {bytes_of(second), {}, bytes_of("end")};
  Watched<Send> one;
  Watched<SendPieces> two;
  Watched<Finish> finish;
  one.chunk = Chunk::view(bytes_of(first));
  two.carry(pieces);
  net.submit(net.client, near, one);
  net.submit(net.client, near, two);
  net.submit(net.client, near, finish);
  EXPECT_FALSE(one.over || two.over || finish.over);
  EXPECT_EQ(net.receive_all(net.server, far), first + second + "end");
  EXPECT_TRUE(one.over && two.over && finish.over);
}

TEST(Wire, a_send_that_is_cancelled_half_way_breaks_the_stream_and_a_whole_one_does_not) {
  TwoHosts net({.window = 100}, {.send_buffer = 100});
  const auto [near, far] = net.connected();
  const std::string big(1000, 'b');
  Watched<Send> partly, waiting, later;
  for (Watched<Send>* send : {&partly, &waiting, &later}) send->chunk = Chunk::view(bytes_of(big));
  net.submit(net.client, near, partly);
  net.submit(net.client, near, waiting);
  net.client.cancel(waiting);
  net.rest();
  EXPECT_EQ(waiting.error, Errc::canceled);
  EXPECT_FALSE(net.client.facts(near).broken);
  net.client.cancel(partly);
  net.rest();
  EXPECT_EQ(partly.error, Errc::write_incomplete);
  EXPECT_EQ(partly.sent, 200U);
  EXPECT_EQ(net.finish(net.client, near, later), Errc::write_incomplete);
}

TEST(Wire, a_receive_with_a_limit_leaves_the_rest) {
  TwoHosts net;
  const auto [near, far] = net.connected();
  ASSERT_FALSE(net.send(net.client, near, "abcdef"));
  net.rest();
  Watched<Receive> receive;
  receive.limit = 2;
  ASSERT_FALSE(net.finish(net.server, far, receive));
  EXPECT_EQ(receive.chunk.text(), "ab");
  EXPECT_EQ(net.receive(net.server, far), "cdef");
}

TEST(Wire, an_idle_connection_owns_no_buffer) {
  TwoHosts net;
  const auto [near, far] = net.connected();
  Watched<Receive> receive;
  net.submit(net.server, far, receive);
  net.rest();
  EXPECT_EQ(net.server.bytes_on_loan(), 0U);
  ASSERT_FALSE(net.send(net.client, near, "x"));
  net.rest();
  EXPECT_NE(net.server.bytes_on_loan(), 0U);
  receive.chunk = Chunk();
  EXPECT_EQ(net.server.bytes_on_loan(), 0U);
}

TEST(Wire, receives_wait_for_memory_in_their_order) {
  constexpr std::size_t size = 64U << 10, in_a_slab = Pool::slab_bytes / size, count = 3 * in_a_slab + 1;
  Bench net;
  const HostId host = net.wire.add_host();
  net.backends.push_back(make_wire_backend(net.wire, host, 2 * Pool::slab_bytes));
  Backend& backend = *net.backends.back();
  std::vector<std::pair<SlotId, SlotId>> pairs;
  const std::string big(size, 'm');
  for (std::size_t i = 0; i < count; ++i) {
    pairs.push_back(backend.pair().value());
    ASSERT_FALSE(net.send(backend, pairs.back().first, big));
  }
  net.rest();
  std::vector<Watched<Receive>> receives(count);
  for (std::size_t i = 0; i < count; ++i) net.submit(backend, pairs[i].second, receives[i]);
  net.rest();
  const auto over = [&receives] {  // the first so many, and no other
    std::size_t first = 0;
    while (first < count && receives[first].over) ++first;
    for (std::size_t i = first; i < count; ++i) EXPECT_FALSE(receives[i].over);
    return first;
  };
  EXPECT_EQ(over(), 2 * in_a_slab);
  for (std::size_t i = 0; i < in_a_slab; ++i) receives[in_a_slab + i].chunk = Chunk();
  net.rest();
  EXPECT_EQ(over(), 3 * in_a_slab);
  for (std::size_t i = 0; i < in_a_slab; ++i) receives[2 * in_a_slab + i].chunk = Chunk();
  net.rest();
  EXPECT_EQ(over(), count);
}

// ---- operations and slots

TEST(Wire, everything_that_waits_is_completed_when_its_slot_closes) {
  TwoHosts net({.window = 100}, {.send_buffer = 100});
  const auto [near, far] = net.connected();
  const std::string big(1000, 'c');
  Watched<Receive> receive;
  Watched<Send> send;
  Watched<Finish> finish;
  send.chunk = Chunk::view(bytes_of(big));
  net.submit(net.client, near, receive);
  net.submit(net.client, near, send);
  net.submit(net.client, near, finish);
  Watched<Receive> second;
  EXPECT_EQ(net.finish(net.client, near, second), Errc::busy);
  net.client.close(near);
  net.rest();
  EXPECT_EQ(receive.error, Errc::canceled);
  EXPECT_EQ(send.error, Errc::canceled);
  EXPECT_EQ(finish.error, Errc::canceled);
  EXPECT_EQ(net.receive(net.client, near), describe(Errc::closed));
}

TEST(Wire, a_backend_that_ends_completes_what_waits) {
  Watched<Receive> receive;
  {
    Bench net;
    Backend& backend = net.add();
    net.submit(backend, backend.pair()->first, receive);
  }
  EXPECT_EQ(receive.error, Errc::canceled);
  EXPECT_EQ(receive.state, Operation::State::completed);
}

TEST(Wire, a_connect_that_is_cancelled_leaves_nothing_behind) {
  TwoHosts net;
  const SlotId near = net.socket(net.client);
  Watched<Connect> connect;
  connect.target = net.address;
  net.submit(net.client, near, connect);
  net.client.cancel(connect, Errc::timed_out);
  EXPECT_FALSE(net.until([] { return false; }, net.wire.now()));
  EXPECT_EQ(connect.error, Errc::timed_out);
  net.client.close(near);
  net.rest();
  EXPECT_EQ(net.wire.sockets(), 1U);  // the answer found nobody, and was answered with a reset
}

}  // namespace
}  // namespace meari
