// The pool is one for all: who waits for a peer keeps nothing of it, who waits for memory is served in turn, and
// nobody is kept from it by others who stand still.
#include <algorithm>
#include <deque>

#include "allocations.hpp"
#include "pattern.hpp"
#include "src/backend/slot.hpp"

namespace meari::test {
namespace {

class Memory : public Contract {
 protected:
  static constexpr std::size_t two_slabs = std::size_t{512} << 10;

  void SetUp() override {
    Contract::SetUp();
    if (!IsSkipped()) with_pool(two_slabs);
  }

  struct Connection {
    End client;
    End server;
  };
  std::vector<Connection> connections(std::size_t count, Buffers buffers = Buffers::usual) {
    const End listener = listen();
    if (buffers == Buffers::small) narrow(listener);
    std::vector<Connection> all;
    for (std::size_t i = 0; i < count; ++i) {
      const End client = dial(local(listener), buffers);
      all.push_back({client, accept(listener)});
    }
    close(listener);
    return all;
  }
  // Asks and gets its answer a hundred times: the quick client among those who stand still.
  void quick_client_is_served() {
    auto [client, server] = connected();
    Forwarder echo(*this, server, server);
    for (std::uint64_t i = 0; i < 100; ++i) {
      const std::string text = pattern(i, 0, 200);
      send(client, text);
      ASSERT_EQ(receive_exactly(client, text.size()), text);
    }
    finish(client);
    EXPECT_EQ(receive(client), "");
    EXPECT_TRUE(until([&] { return echo.over(); }));
  }
};
MEARI_EVERY_BACKEND(Memory);

TEST_P(Memory, a_hundred_readers_share_two_slabs) {
  const std::vector<Connection> all = connections(100);
  std::deque<Sender> senders;
  std::deque<Receiver> receivers;
  for (std::size_t i = 0; i < all.size(); ++i) {
    receivers.emplace_back(*this, all[i].server, i);
    senders.emplace_back(*this, all[i].client, Sender::Plan{.seed = i, .total = 50'000, .block = 5000});
  }
  for (Receiver& receiver : receivers) {
    ASSERT_TRUE(until([&] { return receiver.over(); }));
    EXPECT_EQ(receiver.received(), 50'000U);
  }
}

TEST_P(Memory, sixteen_echoes_of_a_megabyte_share_two_slabs) {
  const std::vector<Connection> all = connections(16);
  std::deque<Sender> senders;
  std::deque<Forwarder> echoes;
  std::deque<Receiver> receivers;
  for (std::size_t i = 0; i < all.size(); ++i) {
    echoes.emplace_back(*this, all[i].server, all[i].server);
    receivers.emplace_back(*this, all[i].client, i);
    senders.emplace_back(*this, all[i].client, Sender::Plan{.seed = i, .total = 1 << 20});
  }
  for (Receiver& receiver : receivers) {
    ASSERT_TRUE(until([&] { return receiver.over(); }));
    EXPECT_EQ(receiver.received(), 1U << 20);
  }
  for (Forwarder& echo : echoes) EXPECT_TRUE(until([&] { return echo.over(); }));
}

TEST_P(Memory, a_thousand_stalled_readers_do_not_hold_up_a_quick_one) {
  MEARI_NEEDS(quick_system);
  // Each gets so much echoed that its own receive buffer is full: what is left waits for it, outside of the pool.
  const std::vector<Connection> all = connections(1000, Buffers::small);
  std::deque<Forwarder> echoes;
  std::deque<Sender> senders;
  for (std::size_t i = 0; i < all.size(); ++i) {
    echoes.emplace_back(*this, all[i].server, all[i].server);
    senders.emplace_back(*this, all[i].client, Sender::Plan{.seed = i, .total = 1 << 20, .block = 4096});
  }
  ASSERT_TRUE(until(
      [&] { return std::all_of(echoes.begin(), echoes.end(), [](const Forwarder& echo) { return echo.sending(); }); }));
  let_pass(20ms);
  quick_client_is_served();
  for (std::size_t i = 0; i < all.size(); i += 100) {  // and they go on where they stood
    Receiver receiver(*this, all[i].client, i);
    EXPECT_TRUE(until([&] { return receiver.over(); }));
    EXPECT_EQ(receiver.received(), 1U << 20);
  }
  for (const Connection& one : all) {
    close(one.client, true);
    close(one.server, true);
  }
}

TEST_P(Memory, a_thousand_half_lines_do_not_hold_up_a_quick_client) {
  const std::vector<Connection> all = connections(1000);
  for (std::size_t i = 0; i < all.size(); ++i) send(all[i].client, pattern(i, 0, 60));
  for (std::size_t i = 0; i < all.size(); ++i) {
    Tracked<Receive> receive;
    ASSERT_EQ(run(all[i].server, receive), Errc::none);
    backend().unread(all[i].server.slot, std::move(receive.chunk));
  }
  EXPECT_LE(backend().bytes_on_loan(), two_slabs / 2);
  quick_client_is_served();
  for (std::size_t i = 0; i < all.size(); ++i) {
    send(all[i].client, pattern(i, 60, 60));
    ASSERT_EQ(receive_exactly(all[i].server, 120), pattern(i, 0, 120));
  }
}

TEST_P(Memory, a_relay_that_is_full_both_ways_does_not_hold_up_a_quick_client) {
  const std::vector<Connection> front = connections(8), back = connections(8);
  std::deque<Forwarder> relays;
  std::deque<Sender> senders;
  for (std::size_t i = 0; i < front.size(); ++i) {
    relays.emplace_back(*this, front[i].server, back[i].client);
    relays.emplace_back(*this, back[i].client, front[i].server);
    senders.emplace_back(*this, front[i].client, Sender::Plan{.seed = 2 * i, .total = 24 << 20});
    senders.emplace_back(*this, back[i].server, Sender::Plan{.seed = 2 * i + 1, .total = 24 << 20});
  }
  ASSERT_TRUE(until([&] {
    return std::all_of(relays.begin(), relays.end(), [](const Forwarder& relay) { return relay.sending(); });
  }));
  let_pass(50ms);
  quick_client_is_served();
  for (std::size_t i = 0; i < front.size(); i += 4) {
    Receiver at_back(*this, back[i].server, 2 * i), at_front(*this, front[i].client, 2 * i + 1);
    EXPECT_TRUE(until([&] { return at_back.over() && at_front.over(); }));
    EXPECT_EQ(at_back.received() + at_front.received(), 48U << 20);
  }
  for (std::size_t i = 0; i < front.size(); ++i) {
    for (const End& end : {front[i].client, front[i].server, back[i].client, back[i].server}) close(end, true);
  }
}

TEST_P(Memory, chunks_that_somebody_keeps_hold_up_the_others_until_they_are_let_go) {
  std::vector<Connection> all = connections(20);
  for (std::size_t i = 0; i < all.size(); ++i) send(all[i].client, pattern(i, 0, 30'000));
  std::deque<Tracked<Receive>> receives;
  for (std::size_t i = 0; i < all.size(); ++i) {
    Tracked<Receive>& receive = receives.emplace_back();
    receive.limit = 30'000;
    start(all[i].server, receive);
  }
  const auto served = [&] {
    return std::ranges::count_if(receives, [](const auto& receive) { return receive.over(); });
  };
  ASSERT_TRUE(until([&] { return served() >= 2; }));
  let_pass(10ms);
  EXPECT_LT(served(), 20) << "20 × 30,000 bytes do not stand in two slabs";
  for (std::size_t i = 0; i < all.size(); ++i) {  // whoever is served lets go, and the next is served
    ASSERT_TRUE(until([&] {
      return std::any_of(receives.begin(), receives.end(),
                         [](const Tracked<Receive>& receive) { return receive.over() && !receive.chunk.empty(); }) ||
             std::all_of(receives.begin(), receives.end(),
                         [](const Tracked<Receive>& receive) { return receive.over(); });
    })) << "after "
        << i;
    for (std::size_t at = 0; at < receives.size(); ++at) {
      if (!receives[at].over() || receives[at].chunk.empty()) continue;
      EXPECT_EQ(match_pattern(at, 0, receives[at].chunk.bytes()), receives[at].chunk.size());
      receives[at].chunk = Chunk();
      break;
    }
  }
  for (Tracked<Receive>& receive : receives) {
    EXPECT_EQ(outcome(receive), Errc::none);
    receive.chunk = Chunk();
  }
}

TEST_P(Memory, who_waits_takes_what_is_left_of_an_open_slab) {
  const End one = open({.role = Role::datagram, .local = Address::loopback(Family::ipv4, 0)});
  const End other = open({.role = Role::datagram, .local = Address::loopback(Family::ipv4, 0)});
  Tracked<SendTo> datagram;
  datagram.bytes = std::as_bytes(std::span("a slab is open from here on", 27));
  datagram.target = local(other);
  ASSERT_EQ(run(one, datagram), Errc::none);
  Tracked<ReceiveFrom> first;
  ASSERT_EQ(run(other, first), Errc::none);

  // More than one slab, and less than two.
  const std::vector<Connection> all = connections(30);
  std::deque<Tracked<Receive>> kept;
  for (std::size_t i = 0; i < all.size(); ++i) {
    start(all[i].server, kept.emplace_back());
    send(all[i].client, pattern(i, 0, 12'000));
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    ASSERT_TRUE(until([&] { return kept[i].over(); })) << i << ", while all others are kept";
    EXPECT_EQ(match_pattern(i, 0, kept[i].chunk.bytes()), kept[i].chunk.size());
  }
  for (Tracked<Receive>& receive : kept) receive.chunk = Chunk();
}

// Who receives much stands in line behind others of that kind. Answered meanwhile with what was put back, it is there no more,
// and may come to wait for memory.
TEST_P(Memory, what_is_put_back_answers_who_stands_in_line) {
  constexpr std::size_t large = std::size_t{200} << 10;
  const std::vector<Connection> all = connections(8);
  std::deque<std::string> texts;
  std::deque<Tracked<Send>> sends;
  const auto send_to = [&](std::size_t i) {
    const std::string& text = texts.emplace_back(pattern(i, 0, large));
    Tracked<Send>& sending = sends.emplace_back();
    sending.chunk = Chunk::view(std::as_bytes(std::span(text.data(), text.size())));
    start(all[i].client, sending);
  };
  for (std::size_t i = 0; i < all.size(); ++i) {
    send_to(i);
    ASSERT_EQ(receive_exactly(all[i].server, large), texts[i]);
  }
  std::deque<Tracked<Receive>> kept;
  for (const Connection& one : all) start(one.server, kept.emplace_back());
  for (std::size_t i = 0; i < all.size(); ++i) send_to(i);
  ASSERT_TRUE(until([&] { return std::ranges::any_of(kept, [](const auto& receive) { return receive.over(); }); }));
  std::deque<Tracked<Receive>> again;
  std::vector<std::size_t> answered;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (kept[i].over()) continue;
    backend().unread(all[i].server.slot, *Chunk::copy_of(std::as_bytes(std::span("back", 4))));
    answered.push_back(i);
  }
  ASSERT_FALSE(answered.empty());
  run_ready(backend());
  for (const std::size_t i : answered) {
    ASSERT_TRUE(kept[i].over());
    EXPECT_EQ(kept[i].chunk.text(), "back");
    start(all[i].server, again.emplace_back());
  }
  for (Tracked<Receive>& receive : kept) receive.chunk = Chunk();
  for (std::size_t i = 0; i < answered.size(); ++i) {
    ASSERT_TRUE(until([&] { return again[i].over(); })) << i;
    EXPECT_EQ(match_pattern(answered[i], 0, again[i].chunk.bytes()), again[i].chunk.size());
    EXPECT_GT(again[i].chunk.size(), 0U);
    again[i].chunk = Chunk();
  }
  for (const Connection& one : all) close(one.client, true), close(one.server, true);
  for (Tracked<Send>& sending : sends) outcome(sending);
}

TEST_P(Memory, waiting_for_memory_is_quiet) {
  const std::vector<Connection> all = connections(20);
  for (const Connection& one : all) send(one.client, std::string(30'000, 'x'));
  std::deque<Tracked<Receive>> receives;
  for (const Connection& one : all) start(one.server, receives.emplace_back());
  let_pass(10ms);
  const Time deadline = backend().now() + 20ms;
  int returns = 0;
  for (; backend().now() < deadline; ++returns) {
    backend().wait(deadline);
    run_ready(backend());
  }
  EXPECT_LE(returns, 25);
  for (Tracked<Receive>& receive : receives) {
    outcome(receive);
    receive.chunk = Chunk();
  }
}

TEST_P(Memory, who_waits_for_memory_goes_on_as_soon_as_some_is_back) {
  const std::vector<Connection> all = connections(20);
  for (const Connection& one : all) send(one.client, std::string(30'000, 'x'));
  std::deque<Tracked<Receive>> receives;
  for (const Connection& one : all) start(one.server, receives.emplace_back());
  let_pass(10ms);
  const auto served = [&receives] {
    return std::count_if(receives.begin(), receives.end(), [](const auto& receive) { return receive.over(); });
  };
  const auto before = served();
  ASSERT_LT(before, 20);
  for (Tracked<Receive>& receive : receives) receive.chunk = Chunk();
  // Nothing else happens: a backend that goes to sleep first sleeps for as long as it may.
  const Time later = backend().now() + 5s;
  while (served() == before && backend().now() < later) {
    backend().wait(later);
    run_ready(backend());
  }
  EXPECT_LT(backend().now(), later);
  for (Tracked<Receive>& receive : receives) {
    receive.then = [&receive] { receive.chunk = Chunk(); };
    receive.chunk = Chunk();
  }
  for (Tracked<Receive>& receive : receives) outcome(receive);
}

TEST_P(Memory, who_waits_for_memory_can_be_cancelled_and_closed) {
  const std::vector<Connection> all = connections(20);
  for (const Connection& one : all) send(one.client, std::string(30'000, 'x'));
  std::deque<Tracked<Receive>> receives;
  for (const Connection& one : all) start(one.server, receives.emplace_back());
  let_pass(10ms);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (receives[i].over()) continue;
    if (i % 2 == 0) {
      backend().cancel(receives[i]);
    } else {
      close(all[i].server);
    }
    EXPECT_EQ(outcome(receives[i]), Errc::canceled);
  }
  for (Tracked<Receive>& receive : receives) receive.chunk = Chunk();
  for (std::size_t i = 0; i < all.size(); i += 2) {  // those who were not closed still have all of it
    if (receives[i].error) EXPECT_EQ(receive_exactly(all[i].server, 30'000), std::string(30'000, 'x'));
  }
}

TEST_P(Memory, a_backend_may_go_while_somebody_waits_for_memory) {
  std::deque<Tracked<Receive>> receives;
  for (const Connection& one : connections(20)) {
    send(one.client, std::string(30'000, 'x'));
    start(one.server, receives.emplace_back());
  }
  let_pass(10ms);
  for (Tracked<Receive>& receive : receives) receive.chunk = Chunk();
  destroy_backends();
  for (Tracked<Receive>& receive : receives) {
    EXPECT_EQ(receive.state, Operation::State::completed);
    receive.orphaned();
  }
}

TEST_P(Memory, a_backend_may_go_with_bytes_that_nobody_has_read) {
  auto [client, server] = connected();
  send(client, "five!");
  EXPECT_EQ(receive(server, 1), "f");
  backend().unread(server.slot, Chunk::copy_of(std::as_bytes(std::span("f", 1))).value());
  destroy_backends();
}

TEST_P(Memory, an_end_is_seen_even_without_memory) {
  const std::vector<Connection> all = connections(12);
  std::deque<Tracked<Receive>> receives;
  for (const Connection& one : all) {
    send(one.client, std::string(60'000, 'x'));
    start(one.server, receives.emplace_back());
  }
  let_pass(10ms);
  auto [client, server] = connected();
  Tracked<Receive> last;
  start(server, last);
  close(client);
  let_pass(5ms);
  for (Tracked<Receive>& receive : receives) {
    receive.then = [&receive] { receive.chunk = Chunk(); };
    receive.chunk = Chunk();
  }
  EXPECT_EQ(outcome(last), Errc::none);
  EXPECT_TRUE(last.chunk.empty());
  for (Tracked<Receive>& receive : receives) outcome(receive);
}

TEST_P(Memory, datagrams_come_even_without_memory) {
  const End one = open({.role = Role::datagram, .local = Address::loopback(Family::ipv4, 0)});
  const End other = open({.role = Role::datagram, .local = Address::loopback(Family::ipv4, 0)});
  std::deque<Tracked<ReceiveFrom>> kept;
  for (std::uint64_t i = 0; i < 20; ++i) {
    const std::string text = pattern(i, 0, 30'000);
    Tracked<SendTo> send;
    send.bytes = std::as_bytes(std::span(text));
    send.target = local(other);
    ASSERT_EQ(run(one, send), Errc::none);
    ASSERT_EQ(run(other, kept.emplace_back()), Errc::none);
    ASSERT_EQ(kept.back().chunk.size(), 30'000U);
  }
  for (std::uint64_t i = 0; i < 20; ++i) EXPECT_EQ(match_pattern(i, 0, kept[i].chunk.bytes()), 30'000U);
}

// What could not be put back is lost, and nothing that comes after it is read.
TEST_P(Memory, bytes_behind_a_gap_are_never_read) {
  if (!support::counts_allocations()) GTEST_SKIP() << "a sanitizer owns operator new";
  auto [client, server] = connected();
  {
    const support::NoMemory none;
    for (int i = 0; i < 100 && !facts(server).failed; ++i)  // there may be room for some
      backend().unread(server.slot, Chunk::view(std::as_bytes(std::span("x", 1))));
  }
  ASSERT_TRUE(facts(server).failed);
  send(client, "behind it");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(receive_error(server), Errc::out_of_memory);
    let_pass(1ms);
  }
}

TEST_P(Memory, a_budget_is_never_exceeded) {
  const std::vector<Connection> all = connections(30);
  std::deque<Tracked<Receive>> receives;
  for (const Connection& one : all) {
    send(one.client, std::string(20'000, 'x'));
    start(one.server, receives.emplace_back());
  }
  for (int i = 0; i < 20; ++i) {
    turn(backend().now() + 1ms);
    EXPECT_LE(backend().bytes_on_loan(), two_slabs);
  }
  for (Tracked<Receive>& receive : receives) {
    receive.then = [&receive] { receive.chunk = Chunk(); };
    receive.chunk = Chunk();
  }
  for (Tracked<Receive>& receive : receives) EXPECT_EQ(outcome(receive), Errc::none);
}

TEST_P(Memory, a_pair_with_memory_for_one_end_only_is_none) {
  MEARI_NEEDS(system_sockets);
  if (!support::counts_allocations()) GTEST_SKIP() << "a sanitizer owns operator new";
  std::deque<End> others;
  while (backend().slots_in_use() % SlotTable::page_slots != SlotTable::page_slots - 1) others.push_back(stream());
  const std::size_t slots = backend().slots_in_use();
  const std::size_t descriptors = open_descriptors();
  {
    const support::NoMemory none;
    EXPECT_EQ(backend().pair().error().code(), Errc::out_of_memory);
  }
  EXPECT_TRUE(until([&] { return backend().slots_in_use() == slots; }));
  EXPECT_EQ(open_descriptors(), descriptors);
  static_cast<void>(pair());
}

TEST_P(Memory, a_datagram_for_which_the_system_has_none_fails_and_the_next_one_comes) {
  if (!support::counts_allocations()) GTEST_SKIP() << "a sanitizer owns operator new";
  const End one = open({.role = Role::datagram, .local = Address::loopback(Family::ipv4, 0)});
  const End other = open({.role = Role::datagram, .local = Address::loopback(Family::ipv4, 0)});
  const std::string text = pattern(1, 0, 30'000);
  const auto arrives = [&] {
    Tracked<SendTo> send;
    send.bytes = std::as_bytes(std::span(text));
    send.target = local(other);
    ASSERT_EQ(run(one, send), Errc::none);
    let_pass(1ms);
  };
  std::deque<Tracked<ReceiveFrom>> kept;
  while (kept.empty() || kept.back().chunk.on_loan()) {  // as long as the pool has room
    arrives();
    ASSERT_EQ(run(other, kept.emplace_back()), Errc::none);
  }
  arrives();
  {
    const support::NoMemory none;
    Tracked<ReceiveFrom> receive;
    EXPECT_EQ(run(other, receive), Errc::out_of_memory);
  }
  arrives();
  Tracked<ReceiveFrom> next;
  EXPECT_EQ(run(other, next), Errc::none);
  EXPECT_EQ(match_pattern(1, 0, next.chunk.bytes()), 30'000U);
}

}  // namespace
}  // namespace meari::test
