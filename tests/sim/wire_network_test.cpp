// Networks of the wire: addresses and ports, paths, datagrams, weather, and that the same script gives the same events.
#include <deque>
#include <functional>

#include <meari/dice.hpp>
#include "wire_bench.hpp"

namespace meari {
namespace {

Errc open_error(Backend& backend, const Opening& opening) {
  const Result<SlotId> slot = backend.open(opening);
  return slot ? Errc::none : slot.error().code();
}

// ---- addresses and ports

TEST(WirePorts, port_0_and_connecting_take_free_ports_in_turn) {
  Bench net;
  Backend& host = net.add({.first_ephemeral = 50'000, .last_ephemeral = 50'002});
  const SlotId listener = net.listen(host, {"127.0.0.1", 0});
  EXPECT_EQ(net.where(host, listener).to_string(), "127.0.0.1:50000");
  const SlotId one = net.socket(host), two = net.socket(host), three = net.socket(host);
  ASSERT_FALSE(net.connect(host, one, net.where(host, listener)));
  ASSERT_FALSE(net.connect(host, two, net.where(host, listener)));
  EXPECT_EQ(net.where(host, two).port(), 50'002);
  EXPECT_EQ(net.connect(host, three, net.where(host, listener)), Errc::address_not_available);
  host.close(one);
  net.accept(host, listener);
  net.rest();
  const SlotId four = net.socket(host);
  EXPECT_FALSE(net.connect(host, four, net.where(host, listener)));
  EXPECT_EQ(net.where(host, four).port(), 50'001);
}

TEST(WirePorts, an_address_in_use_is_refused_as_linux_does) {
  Bench net;
  Backend& host = net.add({.addresses = {{"10.0.0.1", 0}}});
  const auto listener = [](const char* ip, std::uint16_t port) {
    const Address local(ip, port);
    return Opening{.role = Role::listener, .family = local.family(), .local = local};
  };
  ASSERT_EQ(open_error(host, listener("0.0.0.0", 80)), Errc::none);
  EXPECT_EQ(open_error(host, listener("0.0.0.0", 80)), Errc::address_in_use);
  EXPECT_EQ(open_error(host, listener("127.0.0.1", 80)), Errc::address_in_use);
  EXPECT_EQ(open_error(host, listener("::", 80)), Errc::address_in_use);  // it wants IPv4 as well
  Opening only_v6 = listener("::", 80);
  only_v6.v6_only = true;
  EXPECT_EQ(open_error(host, only_v6), Errc::none);
  ASSERT_EQ(open_error(host, listener("127.0.0.1", 81)), Errc::none);
  EXPECT_EQ(open_error(host, listener("10.0.0.1", 81)), Errc::none);
  EXPECT_EQ(open_error(host, listener("10.0.0.2", 82)), Errc::address_not_available);
  const Opening stream{.local = {"0.0.0.0", 83}};  // two streams may share a port until one of them listens
  EXPECT_EQ(open_error(host, stream), Errc::none);
  EXPECT_EQ(open_error(host, stream), Errc::none);
  const Opening datagram{.role = Role::datagram, .local = {"0.0.0.0", 80}};
  EXPECT_EQ(open_error(host, datagram), Errc::none);
  EXPECT_EQ(open_error(host, datagram), Errc::address_in_use);
}

TEST(WirePorts, listeners_that_share_a_port_deal) {
  TwoHosts net;
  Opening shared{.role = Role::listener, .local = {"10.0.0.1", 70}, .reuse_port = true};
  const SlotId one = net.server.open(shared).value(), two = net.server.open(shared).value();
  for (int i = 0; i < 4; ++i) ASSERT_FALSE(net.connect(net.client, net.socket(net.client), {"10.0.0.1", 70}));
  net.rest();
  EXPECT_EQ(net.server.info(one)->receive_queue, 2);
  EXPECT_EQ(net.server.info(two)->receive_queue, 2);
}

TEST(WirePorts, a_listener_of_both_families_sees_ipv4_clients) {
  TwoHosts net;
  const SlotId listener = net.listen(net.server, {"::", 70});
  const SlotId four = net.socket(net.client);
  ASSERT_FALSE(net.connect(net.client, four, {"10.0.0.1", 70}));
  const SlotId far = net.accept(net.server, listener);
  EXPECT_EQ(net.server.peer(far)->family(), Family::ipv6);
  EXPECT_EQ(net.server.peer(far)->to_string(), net.where(net.client, four).to_string());
  const SlotId six = net.socket(net.server, Family::ipv6);
  ASSERT_FALSE(net.connect(net.server, six, {"::1", 70}));
  EXPECT_EQ(net.server.peer(net.accept(net.server, listener))->ip(), Address("::1", 0).ip());
  const SlotId mapped = net.socket(net.client, Family::ipv6);
  ASSERT_FALSE(net.connect(net.client, mapped, {"::ffff:10.0.0.1", 70}));
  EXPECT_EQ(net.where(net.client, mapped).family(), Family::ipv6);
}

TEST(WirePorts, a_target_of_the_wrong_family_is_refused) {
  TwoHosts net;
  EXPECT_EQ(net.connect(net.client, net.socket(net.client), {"::1", 9000}), Errc::not_supported);
  EXPECT_EQ(net.connect(net.client, net.socket(net.client, Family::ipv6), {"10.0.0.1", 9000}), Errc::invalid_argument);
  EXPECT_EQ(net.connect(net.client, net.socket(net.client), Address()), Errc::invalid_argument);
}

TEST(WirePorts, nobody_connects_to_himself) {
  Bench net;
  Backend& host = net.add();
  const SlotId slot = host.open({.local = {"127.0.0.1", 5000}}).value();
  EXPECT_EQ(net.connect(host, slot, {"127.0.0.1", 5000}), Errc::self_connect);
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(net.connect(host, net.socket(host), {"127.0.0.1", 32'769}), Errc::connection_refused);
}

TEST(WirePorts, every_host_has_a_loopback_of_its_own) {
  TwoHosts net;
  EXPECT_EQ(net.connect(net.client, net.socket(net.client), {"127.0.0.1", 9000}), Errc::connection_refused);
  const SlotId near = net.socket(net.server);
  ASSERT_FALSE(net.connect(net.server, near, {"127.0.0.2", 9000}));
  EXPECT_EQ(net.where(net.server, near).with_port(0).to_string(), "127.0.0.1:0");
  EXPECT_EQ(net.server.peer(near)->to_string(), "127.0.0.2:9000");
  const SlotId any = net.socket(net.server);
  ASSERT_FALSE(net.connect(net.server, any, {"0.0.0.0", 9000}));
  EXPECT_EQ(net.server.peer(any)->to_string(), "127.0.0.1:9000");
}

// ---- Unix-domain

TEST(WirePaths, streams_meet_at_a_path) {
  Bench net;
  Backend& host = net.add();
  const Address path = Address::from_path("/run/echo.sock").value();
  EXPECT_EQ(net.connect(host, net.socket(host, Family::local), path), Errc::not_found);
  const SlotId listener = net.listen(host, path);
  EXPECT_EQ(open_error(host, {.role = Role::listener, .family = Family::local, .local = path}), Errc::address_in_use);
  const SlotId near = net.socket(host, Family::local);
  ASSERT_FALSE(net.connect(host, near, path));
  Watched<Accept> accept;
  ASSERT_FALSE(net.finish(host, listener, accept));
  EXPECT_EQ(accept.from.family(), Family::local);
  EXPECT_EQ(accept.from.path(), "");
  const SlotId far = host.adopt_accepted(accept.accepted, accept.from).value();
  ASSERT_FALSE(net.send(host, near, "by path"));
  EXPECT_EQ(net.receive(host, far), "by path");
  host.close(listener);
  EXPECT_EQ(net.connect(host, net.socket(host, Family::local), path), Errc::not_found);  // the path has gone with it
  net.listen(host, path);
}

TEST(WirePaths, a_closed_end_breaks_the_pipe_at_once) {
  Bench net;
  Backend& host = net.add();
  const auto [one, two] = host.pair().value();
  ASSERT_FALSE(net.send(host, one, "left behind"));
  host.close(one, true);  // there is no RST: abort means nothing
  net.rest();
  EXPECT_EQ(net.send(host, two, "x"), Errc::broken_pipe);
  EXPECT_EQ(net.receive(host, two), "left behind");
  EXPECT_EQ(net.receive(host, two), "(end)");
}

TEST(WirePaths, closing_with_unread_bytes_resets_and_only_a_receive_is_told) {
  Bench net;
  Backend& host = net.add();
  const auto [one, two] = host.pair().value();
  ASSERT_FALSE(net.send(host, two, "never read"));
  ASSERT_FALSE(net.send(host, one, "last words"));
  net.rest();
  host.close(one);
  net.rest();
  EXPECT_EQ(net.send(host, two, "x"), Errc::broken_pipe);
  EXPECT_EQ(net.receive(host, two), "last words");
  EXPECT_EQ(net.receive(host, two), describe(Errc::connection_reset));
}

TEST(WirePaths, a_pair_finishes_one_direction_at_a_time) {
  Bench net;
  Backend& host = net.add();
  const auto [one, two] = host.pair().value();
  ASSERT_FALSE(net.finish(host, one));
  EXPECT_EQ(net.receive(host, two), "(end)");
  ASSERT_FALSE(net.send(host, two, "still here"));
  ASSERT_FALSE(net.finish(host, two));
  EXPECT_EQ(net.receive_all(host, one), "still here");
  host.close(one);
  host.close(two);
  net.rest();
  EXPECT_EQ(net.wire.sockets(), 0U);
}

// ---- datagrams

struct Datagrams : TwoHosts {
  SlotId here = client.open({.role = Role::datagram, .local = {"10.0.0.2", 53}}).value();
  SlotId there = server.open({.role = Role::datagram, .family = Family::ipv6, .local = {"::", 53}}).value();

  Error send_to(Backend& backend, SlotId slot, std::string_view text, const Address& target) {
    Watched<SendTo> send;
    send.bytes = bytes_of(text);
    send.target = target;
    return finish(backend, slot, send);
  }
};

TEST(WireDatagrams, go_there_and_back) {
  Datagrams net;
  ASSERT_FALSE(net.send_to(net.client, net.here, "ping", {"10.0.0.1", 53}));
  Watched<ReceiveFrom> receive;
  ASSERT_FALSE(net.finish(net.server, net.there, receive));
  EXPECT_EQ(receive.chunk.text(), "ping");
  EXPECT_EQ(receive.from.to_string(), "10.0.0.2:53");
  ASSERT_FALSE(net.send_to(net.server, net.there, "", receive.from));
  Watched<ReceiveFrom> answer;
  ASSERT_FALSE(net.finish(net.client, net.here, answer));
  EXPECT_TRUE(answer.chunk.empty());
  EXPECT_EQ(answer.from.to_string(), "10.0.0.1:53");
}

// As many as Linux 6.18 keeps with its net.core.rmem_default of 212,992, for sizes on both sides of where that changes.
TEST(WireDatagrams, a_full_queue_drops_as_the_kernel_counts_and_a_closed_port_swallows) {
  constexpr struct {
    std::size_t size;
    int fit;
  } measured[] = {{0, 256},   {197, 256}, {198, 166}, {645, 166},  {646, 92},   {1669, 92}, {1670, 48}, {3717, 48},
                  {3718, 25}, {7813, 25}, {7814, 12}, {16917, 12}, {16918, 11}, {34666, 6}, {34667, 5}, {65507, 3}};
  for (const auto& [size, fit] : measured) {
    Datagrams net;
    const std::string text(size, 'x');
    for (int i = 0; i < 300; ++i) ASSERT_FALSE(net.send_to(net.client, net.here, text, {"10.0.0.1", 53}));
    ASSERT_FALSE(net.send_to(net.client, net.here, text, {"10.0.0.1", 54}));
    net.rest();
    int came = 0;
    for (;; ++came) {
      Watched<ReceiveFrom> receive;
      net.submit(net.server, net.there, receive);
      if (receive.over) continue;
      net.server.cancel(receive);
      break;
    }
    EXPECT_EQ(came, fit) << size << " bytes";
  }
}

TEST(WireDatagrams, what_is_too_long_is_refused) {
  Datagrams net;
  const std::string longest(65'507, 'l');
  EXPECT_FALSE(net.send_to(net.client, net.here, longest, {"10.0.0.1", 53}));
  EXPECT_EQ(net.send_to(net.client, net.here, longest + "x", {"10.0.0.1", 53}), Errc::message_too_long);
  EXPECT_EQ(net.send_to(net.client, net.here, "x", {"10.0.0.1", 0}), Errc::invalid_argument);
  Watched<ReceiveFrom> receive;
  ASSERT_FALSE(net.finish(net.server, net.there, receive));
  EXPECT_EQ(receive.chunk.size(), longest.size());
}

TEST(WireDatagrams, a_full_queue_at_a_path_makes_the_sender_wait) {
  Bench net;
  Backend& host = net.add();
  const Address path = Address::from_path("@log").value();
  const SlotId target = host.open({.role = Role::datagram, .family = Family::local, .local = path}).value();
  const SlotId source = net.socket(host, Family::local, Role::datagram);
  std::deque<Watched<SendTo>> sends(12);
  for (Watched<SendTo>& send : sends) {
    send.bytes = bytes_of("line");
    send.target = path;
    net.submit(host, source, send);
  }
  net.rest();
  EXPECT_TRUE(sends[10].over);
  EXPECT_FALSE(sends[11].over);
  Watched<ReceiveFrom> receive;
  ASSERT_FALSE(net.finish(host, target, receive));
  net.rest();
  EXPECT_TRUE(sends[11].over);
}

// ---- weather

TEST(WireWeather, latency_is_a_matter_of_the_way) {
  TwoHosts net;
  net.wire.set_weather(
      {.passage = [](const Segment& segment) { return Passage{.latency = segment.from_host == 0 ? 30ms : 10ms}; }});
  net.connected();
  EXPECT_EQ(net.wire.now(), Time(50ms));  // SYN 10, SYN+ACK 30, ACK 10
}

TEST(WireWeather, a_lost_segment_delays_all_that_follow_it) {
  TwoHosts net;
  const auto [near, far] = net.connected();
  int segments = 0;
  net.wire.set_weather({.passage = [&](const Segment& segment) {
    return Passage{.lost = segment.kind == Segment::Kind::data && ++segments == 1};
  }});
  const Time before = net.wire.now();
  ASSERT_FALSE(net.send(net.client, near, "first "));
  ASSERT_FALSE(net.send(net.client, near, "second"));
  EXPECT_EQ(net.receive(net.server, far), "first ");
  EXPECT_EQ(net.wire.now() - before, 200ms + 50us);
  EXPECT_EQ(net.receive(net.server, far), "second");
  EXPECT_EQ(net.client.info(near)->retransmits, 1);
}

// Whoever aborts sends nothing again; so what was behind the gap must not close it.
TEST(WireWeather, what_follows_a_lost_segment_does_not_arrive_without_it_when_the_sender_aborts) {
  TwoHosts net;
  const auto [near, far] = net.connected();
  int segments = 0;
  net.wire.set_weather({.passage = [&](const Segment& segment) {
    return Passage{.lost = segment.kind == Segment::Kind::data && ++segments == 1};
  }});
  ASSERT_FALSE(net.send(net.client, near, "first "));
  ASSERT_FALSE(net.send(net.client, near, "second"));
  net.client.close(near, true);
  EXPECT_EQ(net.receive(net.server, far), describe(Errc::connection_reset));
}

TEST(WireWeather, a_way_that_is_cut_ends_in_timed_out_at_both_ends) {
  for (const Duration patience : {90s, 0s}) {
    TwoHosts net({}, {.user_timeout = patience});
    const auto [near, far] = net.connected();
    net.rest();
    net.wire.set_weather({.passage = [](const Segment&) { return Passage{.lost = true}; }});
    const Time before = net.wire.now();
    ASSERT_FALSE(net.send(net.client, near, "into the void"));
    EXPECT_EQ(net.receive(net.client, near), describe(Errc::timed_out));
    // Without a user timeout the kernel tries for a quarter of an hour (tcp_retries2).
    if (patience != Duration::zero()) EXPECT_EQ(net.wire.now() - before, patience);
    else EXPECT_GT(net.wire.now() - before, 15min);
    EXPECT_EQ(net.receive(net.server, far), describe(Errc::timed_out));
    const Time then = net.wire.now();
    EXPECT_EQ(net.connect(net.client, net.socket(net.client), net.address), Errc::timed_out);
    EXPECT_EQ(net.wire.now() - then, patience != Duration::zero() ? patience : 131s);
  }
}

TEST(WireWeather, calls_fail_as_it_says) {
  TwoHosts net;
  std::map<WireCall::What, std::deque<Verdict>> verdicts;
  net.wire.set_weather({.call = [&](const WireCall& call) {
    std::deque<Verdict>& mine = verdicts[call.what];
    if (mine.empty()) return Verdict();
    const Verdict verdict = mine.front();
    mine.pop_front();
    return verdict;
  }});
  verdicts[WireCall::What::open] = {{.error = Errc::out_of_buffers}};
  EXPECT_EQ(net.client.open({}).error(), Errc::out_of_buffers);
  verdicts[WireCall::What::accept] = {{.error = Errc::out_of_memory}};
  const SlotId near = net.socket(net.client);
  ASSERT_FALSE(net.connect(net.client, near, net.address));
  Watched<Accept> accept;
  EXPECT_EQ(net.finish(net.server, net.listener, accept), Errc::out_of_memory);
  const SlotId far = net.accept(net.server, net.listener);
  verdicts[WireCall::What::send] = {{.error = Errc::would_block}, {.most = 1}};
  verdicts[WireCall::What::receive] = {{.most = 2}, {.error = Errc::would_block}, {.most = 1}};
  ASSERT_FALSE(net.send(net.client, near, "hello"));
  net.rest();
  EXPECT_EQ(net.receive(net.server, far), "he");
  const Time before = net.wire.now();
  EXPECT_EQ(net.receive(net.server, far), "l");
  EXPECT_EQ(net.wire.now() - before, 50us);
  EXPECT_EQ(net.receive(net.server, far), "lo");
  const SlotId letters = net.server.open({.role = Role::datagram, .local = Address::any(Family::ipv4, 53)}).value();
  Watched<SendTo> letter;
  letter.bytes = std::as_bytes(std::span("?", 1));
  letter.target = net.address.with_port(53);
  const SlotId writer = net.client.open({.role = Role::datagram}).value();
  ASSERT_FALSE(net.finish(net.client, writer, letter));
  net.rest();
  verdicts[WireCall::What::receive_from] = {{.error = Errc::out_of_memory}};
  Watched<ReceiveFrom> failed, received;
  EXPECT_EQ(net.finish(net.server, letters, failed), Errc::out_of_memory);
  EXPECT_FALSE(net.finish(net.server, letters, received));
  EXPECT_EQ(received.chunk.text(), "?");
}

// ---- the same again

// An echo under a storm of losses, splits and delays; says what came back, and leaves the hash behind.
struct Storm {
  std::uint64_t hash = 0;
  std::uint64_t happened = 0;
  Time end{};
  std::string sent, came;
};

Storm storm(std::uint64_t seed, Duration calm = 100us) {
  Storm result;
  TwoHosts net({.window = 3000}, {.send_buffer = 2000});
  Dice latency(seed, "latency"), loss(seed, "loss"), split(seed, "split"), calls(seed, "calls"), sizes(seed, "sizes");
  const auto [near, far] = net.connected();
  net.wire.set_weather({.passage =
                            [&](const Segment&) {
                              Passage passage;
                              passage.latency = calm + Duration(latency.below(1'000'000));
                              passage.lost = loss.one_in(10);
                              if (split.one_in(3)) passage.most = split.between(1, 50);
                              return passage;
                            },
                        .call =
                            [&](const WireCall& call) {
                              Verdict verdict;
                              const bool moves =
                                  call.what == WireCall::What::send || call.what == WireCall::What::receive;
                              if (!moves) return verdict;
                              if (calls.one_in(5)) verdict.error = Errc::would_block;
                              if (calls.one_in(5)) verdict.most = calls.between(1, 20);
                              return verdict;
                            }});
  for (char letter = 'a'; letter <= 'z'; ++letter) result.sent += std::string(sizes.below(2000), letter);
  Watched<Send> send;
  send.chunk = Chunk::view(bytes_of(result.sent));
  Watched<Finish> finish, answer_finish;
  net.submit(net.client, near, send);
  net.submit(net.client, near, finish);
  // The server sends back what it receives, piece by piece, and the client collects it.
  Watched<Receive> question, answer;
  Watched<Send> reply;
  bool asked = false;
  net.submit(net.server, far, question);
  net.submit(net.client, near, answer);
  reply.over = true;
  net.until([&] {
    if (question.over && reply.over && !asked) {
      EXPECT_FALSE(question.error);
      if (question.chunk.empty()) {
        asked = true;
        net.submit(net.server, far, answer_finish);
      } else {
        reply.chunk = std::move(question.chunk);
        net.submit(net.server, far, reply);
        net.submit(net.server, far, question);
      }
    }
    if (!answer.over) return false;
    EXPECT_FALSE(answer.error);
    if (answer.chunk.empty()) return true;
    result.came += answer.chunk.text();
    net.submit(net.client, near, answer);
    return answer.over && answer.chunk.empty();
  });
  net.server.close(far);
  net.client.close(near);
  net.rest();
  EXPECT_EQ(net.wire.sockets(), 1U) << "something is left besides the listener";
  result.hash = net.wire.hash();
  result.happened = net.wire.happened();
  result.end = net.wire.now();
  return result;
}

TEST(WireStorm, no_byte_is_lost_repeated_or_reordered) {
  sweep(100, [](std::uint64_t seed) {
    const Storm result = storm(seed);
    EXPECT_EQ(result.came, result.sent);
  });
}

TEST(WireStorm, the_same_seed_gives_the_same_events_and_another_one_does_not) {
  const Storm one = storm(7), again = storm(7), other = storm(8), slower = storm(7, 200us);
  EXPECT_EQ(one.hash, again.hash);
  EXPECT_EQ(one.happened, again.happened);
  EXPECT_EQ(one.end, again.end);
  EXPECT_NE(one.hash, other.hash);
  EXPECT_NE(one.hash, slower.hash);
  EXPECT_NE(one.end, slower.end);
}

// The same on every compiler, in every build. Whoever changes what happens on the wire changes this number.
TEST(WireStorm, the_hash_is_the_same_everywhere) { EXPECT_EQ(storm(7).hash, 14274455686739713915U); }

TEST(Dice, are_the_same_everywhere_and_even) {
  Dice dice(1, "latency");
  EXPECT_EQ(dice.next(), 4779630343083032210U);
  std::array<int, 6> faces{};
  for (int i = 0; i < 6000; ++i) ++faces[dice.below(6)];
  for (const int face : faces) EXPECT_NEAR(face, 1000, 150);
  EXPECT_FALSE(dice.one_in(0));
  EXPECT_TRUE(dice.one_in(1));
  EXPECT_EQ(dice.between(5, 5), 5U);
  Dice same(1, "latency"), other(1, "loss");
  EXPECT_NE(same.next(), other.next());
}

TEST(WireTrace, tells_what_happens_in_its_order) {
  TwoHosts net;
  std::string trace;
  net.wire.watch([&](const WireEvent& event) {
    trace += std::string(name(event.what)) + ' ' + name(event.kind) + " at " + net.wire.host(event.host).name + '\n';
  });
  const SlotId near = net.socket(net.client);
  ASSERT_FALSE(net.connect(net.client, near, net.address));
  EXPECT_EQ(trace,
            "opened DATA at client\n"
            "departed SYN at client\narrived SYN at client\n"
            "departed SYN+ACK at server\narrived SYN+ACK at server\n"
            "departed ACK at client\n");
}

// ---- three hosts

TEST(WireWorld, a_relay_carries_both_directions_and_each_end_separately) {
  Bench net;
  Backend& client = net.add({.name = "client", .addresses = {{"10.0.0.1", 0}}});
  Backend& relay = net.add({.name = "relay", .addresses = {{"10.0.0.2", 0}, {"fd00::2", 0}}});
  Backend& server = net.add({.name = "server", .addresses = {{"fd00::3", 0}}});
  const SlotId front_door = net.listen(relay, {"10.0.0.2", 80});
  const SlotId service = net.listen(server, {"::", 8080});
  const SlotId near = net.socket(client);
  ASSERT_FALSE(net.connect(client, near, {"10.0.0.2", 80}));
  const SlotId front = net.accept(relay, front_door);
  const SlotId back = net.socket(relay, Family::ipv6);
  ASSERT_FALSE(net.connect(relay, back, {"fd00::3", 8080}));
  const SlotId far = net.accept(server, service);
  EXPECT_EQ(server.peer(far)->with_port(0).to_string(), "[fd00::2]:0");
  EXPECT_EQ(net.connect(client, net.socket(client, Family::ipv6), {"fd00::3", 8080}), Errc::network_unreachable);

  ASSERT_FALSE(net.send(client, near, "request"));
  ASSERT_FALSE(net.finish(client, near));
  ASSERT_FALSE(net.send(relay, back, net.receive_all(relay, front)));
  ASSERT_FALSE(net.finish(relay, back));
  EXPECT_EQ(net.receive_all(server, far), "request");
  ASSERT_FALSE(net.send(server, far, "response"));
  server.close(far);
  ASSERT_FALSE(net.send(relay, front, net.receive_all(relay, back)));
  relay.close(front);
  relay.close(back);
  EXPECT_EQ(net.receive_all(client, near), "response");
}

}  // namespace
}  // namespace meari
