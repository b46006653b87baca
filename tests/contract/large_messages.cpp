// Large messages come another way on some backends (docs/decisions/0015-large-messages.md). What a stream gives must not
// depend on the way, nor on how often it changes: every byte, then the end, and a turn that stays short.
#include <algorithm>
#include <array>
#include <deque>
#include <memory>

#include "loop_harness.hpp"

namespace meari::test {
namespace {

class LargeMessages : public Contract {
 protected:
  static constexpr std::size_t large = std::size_t{200} << 10;

  // From the client to the server, whatever their sizes.
  void carry(End client, End server, std::span<const std::size_t> sizes) {
    std::uint64_t at = 0;
    for (const std::size_t size : sizes) {
      const std::string text = pattern(1, at, size);
      Tracked<Send> sending;
      sending.chunk = Chunk::view(std::as_bytes(std::span(text.data(), text.size())));
      start(client, sending);
      ASSERT_EQ(receive_exactly(server, size), text) << size << " bytes at " << at;
      ASSERT_EQ(outcome(sending), Errc::none);
      at += size;
    }
  }
  // Connected, and the server has received so much that its backend has taken to the way of large messages.
  std::pair<End, End> used_to_large_ones() { return used_to_large_ones(connected()); }
  std::pair<End, End> used_to_large_ones(std::pair<End, End> ends) {
    carry(ends.first, ends.second, std::array{large, large});
    return ends;
  }
};
MEARI_EVERY_BACKEND(LargeMessages);

class LargeMessagesOnLoop : public OnLoop {};
MEARI_EVERY_BACKEND(LargeMessagesOnLoop);

TEST_P(LargeMessages, alternate_with_small_ones) {
  auto [client, server] = connected();
  static constexpr std::array<std::size_t, 16> sizes = {100,   300'000,   50, 20'000,  1,  65'536, 4'000, large, 4'097,
                                                        4'096, 1'000'000, 64, 131'072, 64, 64,     large};
  for (int i = 0; i < 10; ++i) carry(client, server, sizes);
}

TEST_P(LargeMessages, are_answered_small_ones_and_the_other_way_round) {
  auto [client, server] = connected();
  for (int i = 0; i < 20; ++i) {
    carry(client, server, std::array{large});
    carry(server, client, std::array{std::size_t{10}});
    carry(client, server, std::array{std::size_t{10}});
    carry(server, client, std::array{large});
  }
}

// Alone they may come by another way than among many, and after a while of that the way changes.
TEST_P(LargeMessages, come_whole_alone_and_among_many) {
  const int alone = missing(GetParam(), Need::quick_system).empty() ? 200 : 20;
  std::deque<std::pair<End, End>> all;
  std::deque<Receiver> receivers;
  for (std::uint64_t i = 0; i < 6; ++i) {
    all.push_back(connected());
    receivers.emplace_back(*this, all.back().second, i);
  }
  std::vector<std::uint64_t> sent(all.size());
  const auto send_some = [&](std::size_t i, std::size_t count) {
    const std::string text = pattern(i, sent[i], count);
    send(all[i].first, text);
    sent[i] += count;
  };
  for (int round = 0; round < 4; ++round) {
    for (int times = 0; times < 20; ++times)
      for (std::size_t i = 0; i < all.size(); ++i) send_some(i, large);
    for (int times = 0; times < alone; ++times) {
      send_some(0, times % 2 == 0 ? 30'000 : 130'000);
      ASSERT_TRUE(until([&] { return receivers[0].received() == sent[0] || receivers[0].over(); }));
    }
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_TRUE(until([&] { return receivers[i].received() == sent[i] || receivers[i].over(); }));
    EXPECT_TRUE(receivers[i].right()) << i;
    finish(all[i].first);
    EXPECT_TRUE(until([&] { return receivers[i].over(); }));
    EXPECT_TRUE(receivers[i].ended()) << i;
    EXPECT_EQ(receivers[i].received(), sent[i]);
  }
}

TEST_P(LargeMessages, the_end_comes_to_who_waits) {
  auto [client, server] = used_to_large_ones();
  Tracked<Receive> receive;
  EXPECT_EQ(start(server, receive), Submitted::pending);
  let_pass(1ms);
  finish(client);
  EXPECT_EQ(outcome(receive), Errc::none);
  EXPECT_TRUE(receive.chunk.empty());
}

TEST_P(LargeMessages, the_end_comes_behind_the_last_bytes) {
  auto [client, server] = used_to_large_ones(connected_to_sibling());
  Tracked<Receive> receive;
  EXPECT_EQ(start(server, receive), Submitted::pending);
  let_pass(1ms);
  Tracked<Send> last;
  const std::string text = pattern(3, 0, 8000);  // not so small that the stream would change its way
  last.chunk = Chunk::view(std::as_bytes(std::span(text.data(), text.size())));
  start(client, last);
  Tracked<Finish> end;
  start(client, end);
  ASSERT_TRUE(until_alone(sibling(), [&] { return last.over() && end.over(); }));  // the server is told of both at once
  EXPECT_EQ(outcome(receive), Errc::none);
  EXPECT_EQ(receive.chunk.text(), text);
  EXPECT_EQ(this->receive(server), "");
}

TEST_P(LargeMessages, the_end_comes_behind_a_large_one_of_a_peer_that_has_closed) {
  auto [client, server] = used_to_large_ones();
  const std::string text = pattern(5, 0, large);
  Tracked<Receive> receive;
  receive.limit = 50'000;
  start(server, receive);
  Tracked<Send> sending;
  sending.chunk = Chunk::view(std::as_bytes(std::span(text.data(), text.size())));
  start(client, sending);
  EXPECT_EQ(outcome(receive), Errc::none);
  std::string got{receive.chunk.text()};
  receive.chunk = Chunk();
  got += receive_exactly(server, text.size() / 2);
  EXPECT_EQ(outcome(sending), Errc::none);
  close(client);
  got += receive_all(server);
  EXPECT_EQ(got.size(), text.size());
  EXPECT_TRUE(got == text);
}

TEST_P(LargeMessages, who_waits_for_one_hears_of_a_reset) {
  MEARI_NEEDS(resets);
  auto [client, server] = used_to_large_ones();
  Tracked<Receive> receive;
  start(server, receive);
  let_pass(1ms);
  close(client, true);
  EXPECT_EQ(outcome(receive), Errc::connection_reset);
  EXPECT_EQ(receive_error(server), Errc::connection_reset);
}

TEST_P(LargeMessages, a_receive_can_be_called_off_and_started_again) {
  auto [client, server] = used_to_large_ones();
  for (int i = 0; i < 50; ++i) {
    Tracked<Receive> off;
    EXPECT_EQ(start(server, off), Submitted::pending);
    if (i % 2 == 0) let_pass(100us);
    backend().cancel(off);
    EXPECT_EQ(outcome(off), Errc::canceled);
    const std::size_t size = i % 3 == 0 ? large : 100;
    carry(client, server, std::array{size});
  }
}

TEST_P(LargeMessages, what_comes_while_nobody_reads_stays) {
  auto [client, server] = used_to_large_ones();
  for (int i = 0; i < 10; ++i) {
    const std::string small = pattern(2, static_cast<std::uint64_t>(i), 100);
    send(client, small);
    let_pass(1ms);
    EXPECT_EQ(receive(server), small);
    carry(client, server, std::array{large});
  }
}

TEST_P(LargeMessages, a_stream_can_be_closed_while_it_waits_for_one) {
  for (const bool abort : {false, true}) {
    auto [client, server] = used_to_large_ones();
    Tracked<Receive> receive;
    start(server, receive);
    let_pass(1ms);
    close(server, abort);
    EXPECT_EQ(outcome(receive), Errc::canceled);
    close(client, true);
  }
}

TEST_P(LargeMessages, a_descriptor_can_be_released_and_adopted_between_two) {
  MEARI_NEEDS(system_sockets);
  auto [client, server] = used_to_large_ones();
  Result<Descriptor> descriptor = Errc::busy;
  EXPECT_TRUE(until([&] { return (descriptor = backend().release(server.slot)).has_value(); }));
  const End again = adopt(backend(), *descriptor);
  carry(client, again, std::array{large, std::size_t{100}, large});
}

// Nobody else has anything to do, and every read takes whatever there is.
class LargeMessagesAlone : public LargeMessages {
 protected:
  static constexpr std::size_t block = std::size_t{48} << 10;
  static constexpr std::size_t most_unread = std::size_t{64} << 10;

  // A conversation that has gone on so for a while.
  void SetUp() override {
    LargeMessages::SetUp();
    if (IsSkipped()) return;
    ends_ = connected_to_sibling();
    server_ = ends_.second;
    receiver_ = std::make_unique<Receiver>(*this, server_, 1);
    go_on(40);
  }
  void TearDown() override {
    receiver_.reset();
    LargeMessages::TearDown();
  }
  void send_one(std::size_t size = block) {
    send(ends_.first, pattern(1, sent_, size));
    sent_ += size;
  }
  void go_on(int times) {
    for (int i = 0; i < times && receiver_->right(); ++i) {
      send_one();
      EXPECT_TRUE(until([&] { return receiver_->received() == sent_ || receiver_->over(); }));
    }
  }

  // After the read that waits, which is answered.
  void stop_reading() {
    const std::uint64_t before = receiver_->received();
    receiver_->pause();
    send_one();
    EXPECT_TRUE(until([&] { return receiver_->received() > before || receiver_->over(); }));
  }

  std::pair<End, End> ends_;
  End server_;
  std::uint64_t sent_ = 0;
  std::unique_ptr<Receiver> receiver_;
};
MEARI_EVERY_BACKEND(LargeMessagesAlone);

TEST_P(LargeMessagesAlone, who_stops_reading_holds_no_more_than_others) {
  stop_reading();
  Tracked<Send> much;
  const std::string text = pattern(1, sent_, 8 << 20);
  much.chunk = Chunk::view(std::as_bytes(std::span(text.data(), text.size())));
  start(ends_.first, much);
  let_pass(20ms);
  EXPECT_LE(facts(server_).unread, most_unread);
  // Nor does who takes little at a time.
  receiver_->limit = 1000;
  receiver_->go_on();
  std::size_t most = 0;
  ASSERT_TRUE(until([&] {
    most = std::max<std::size_t>(most, facts(server_).unread);
    return receiver_->received() >= sent_ + 500'000 || receiver_->over();
  }));
  EXPECT_LE(most, most_unread);
  receiver_->limit = std::numeric_limits<std::size_t>::max();
  sent_ += text.size();
  EXPECT_TRUE(until([&] { return receiver_->received() == sent_ || receiver_->over(); }));
  EXPECT_EQ(outcome(much), Errc::none);
  go_on(40);
  EXPECT_TRUE(receiver_->right());
}

TEST_P(LargeMessagesAlone, come_whole_when_others_come_and_go) {
  std::deque<std::pair<End, End>> others;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 3; ++i) {
      others.push_back(used_to_large_ones());
      go_on(10);
      send_one(large * 3);  // more than there is room for at once
      carry(others.back().first, others.back().second, std::array{large, std::size_t{100}, large});
      send_one(100);
    }
    for (; !others.empty(); others.pop_front()) {
      close(others.front().first);
      close(others.front().second, true);
    }
    go_on(40);
  }
  finish(ends_.first);
  EXPECT_TRUE(until([&] { return receiver_->over(); }));
  EXPECT_TRUE(receiver_->ended());
  EXPECT_EQ(receiver_->received(), sent_);
}

TEST_P(LargeMessagesAlone, the_end_comes_to_who_waits) {
  for (int i = 0; i < 5; ++i) send_one();
  finish(ends_.first);
  EXPECT_TRUE(until([&] { return receiver_->over(); }));
  EXPECT_TRUE(receiver_->ended());
  EXPECT_EQ(receiver_->received(), sent_);
}

TEST_P(LargeMessagesAlone, the_next_one_may_be_alone_when_it_is_closed) {
  for (const bool abort : {false, true}) {
    close(server_, abort);
    ASSERT_TRUE(until([&] { return receiver_->over(); }));
    EXPECT_EQ(receiver_->error(), Errc::canceled);
    auto [client, server] = connected_to_sibling();
    Receiver next(*this, server, 2);
    std::uint64_t at = 0;
    for (int i = 0; i < 40; ++i) {
      send(client, pattern(2, at, block));
      at += block;
      ASSERT_TRUE(until([&] { return next.received() == at || next.over(); }));
    }
    EXPECT_TRUE(next.right());
    close(server, abort);
    EXPECT_TRUE(until([&] { return next.over(); }));
    close(client, true);
  }
}

TEST_P(LargeMessagesAlone, its_descriptor_can_be_released) {
  MEARI_NEEDS(system_sockets);
  stop_reading();
  const auto rest = static_cast<std::size_t>(sent_ - receiver_->received());
  EXPECT_EQ(receive_exactly(server_, rest), pattern(1, receiver_->received(), rest));
  Result<Descriptor> descriptor = Errc::busy;
  EXPECT_TRUE(until([&] { return (descriptor = backend().release(server_.slot)).has_value(); }));
  carry(ends_.first, adopt(backend(), *descriptor), std::array{large, std::size_t{100}, large});
}

// Whatever is told at once: of those who had much before, of those who have it for the first time, and of both ends.
TEST_P(LargeMessages, that_are_all_there_at_once_come_in_several_turns) {
  constexpr std::size_t count = 24;
  std::vector<std::pair<End, End>> all;
  for (std::size_t i = 0; i < count; ++i) {
    all.push_back(i % 2 == 0 ? connected() : used_to_large_ones());
    if (i % 3 == 0) std::swap(all.back().first, all.back().second);
  }
  std::deque<Tracked<Receive>> receives;
  for (const auto& [from, to] : all) start(to, receives.emplace_back());
  std::deque<std::string> texts;
  std::deque<Tracked<Send>> sends;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& text = texts.emplace_back(pattern(i, 0, large));
    Tracked<Send>& sending = sends.emplace_back();
    sending.chunk = Chunk::view(std::as_bytes(std::span(text.data(), text.size())));
    start(all[i].first, sending);
  }
  std::vector<std::size_t> received(count);
  const auto take = [&](std::size_t i) {
    const std::size_t size = receives[i].chunk.size();
    EXPECT_EQ(receives[i].error, Errc::none);
    EXPECT_EQ(match_pattern(i, received[i], receives[i].chunk.bytes()), size);
    received[i] += size;
    receives[i].chunk = Chunk();
    if (received[i] < large && size != 0) start(all[i].second, receives[i]);
    return size;
  };
  std::size_t most = 0, most_in_line = 0;
  while (std::ranges::count(received, large) != std::ptrdiff_t{count}) {
    turn(backend().now() + patience);
    most_in_line = std::max(most_in_line, static_cast<std::size_t>(std::ranges::count_if(all, [&](const auto& ends) {
                              return backend().facts(ends.second.slot).is_served_soon;
                            })));
    std::size_t sum = 0;
    std::vector<std::size_t> came;
    for (std::size_t i = 0; i < count; ++i)
      if (received[i] < large && receives[i].over()) came.push_back(i);
    for (const std::size_t i : came) sum += take(i);
    most = std::max(most, sum);
    for (const std::size_t i : came)  // what a receive finds at once has no part in it
      while (received[i] < large && receives[i].over()) ASSERT_NE(take(i), 0U);
  }
  // Completion ports have no line, and on the wire one thing happens at a time.
  const bool has_line = missing(GetParam(), Need::system_sockets).empty() && backend().name() != "iocp";
  if (backend().name() != "iocp") EXPECT_LE(most, std::size_t{1} << 20);
  if (has_line) EXPECT_GT(most_in_line, 0U);
  for (const auto& [from, to] : all) EXPECT_FALSE(backend().facts(to.slot).is_served_soon);
  for (Tracked<Send>& sending : sends) EXPECT_EQ(outcome(sending), Errc::none);
}

// Thirty-two streams with more to read than a turn can carry, and every read is over at once: who waits for news of
// another stream must not wait until all of that has been read, and none of them gets far ahead of the others.
TEST_P(LargeMessagesOnLoop, a_turn_stays_short_and_streams_take_turns_whatever_there_is_to_read) {
  constexpr std::size_t streams_count = 32, bytes_each = std::size_t{2} << 20;
  std::vector<std::pair<Stream, Stream>> all;
  for (std::size_t i = 0; i < streams_count; ++i) all.push_back(streams());
  const std::string text = pattern(1, 0, bytes_each);
  std::vector<std::size_t> moved(streams_count);
  auto body = [&](Scope& scope) -> Task<> {
    for (std::size_t i = 0; i < streams_count; ++i) {
      // In both directions: who has connected is told of by other events.
      auto& [to, from] = all[i];
      if (i % 2 != 0) std::swap(to, from);
      scope.spawn([&text, &to]() -> Task<> {
        co_await to.write(text);
        co_await to.finish();
      });
      if (i % 3 == 0) {
        scope.spawn([&sum = moved[i], &from]() -> Task<> {
          while (const Chunk chunk = co_await with_timeout(patience, from.read())) sum += chunk.size();
        });
      } else {
        scope.spawn([&sum = moved[i], &from]() -> Task<> {
          while (const Chunk chunk = co_await from.read()) sum += chunk.size();
        });
      }
    }
    co_return;
  };
  auto whole = [&]() -> Task<> { co_await scoped(body); };
  loop().spawn(whole);
  std::size_t most = 0, most_of_one = 0;
  while (loop().tasks() != 0) {
    const std::vector<std::size_t> before(moved.begin(), moved.end());
    loop().turn(now() + patience);
    std::size_t sum = 0;
    for (std::size_t i = 0; i < streams_count; ++i) {
      sum += moved[i] - before[i];
      most_of_one = std::max(most_of_one, moved[i] - before[i]);
    }
    most = std::max(most, sum);
  }
  EXPECT_EQ(std::ranges::count(moved, bytes_each), std::ptrdiff_t{streams_count});
  // What the kernel was asked for before the steps (768 KiB), these (512), what the last of them had begun, one who was due.
  if (loop().backend().name() != "iocp") EXPECT_LE(most, std::size_t{3} << 20);
  EXPECT_LE(most_of_one, std::size_t{1} << 20);
}

// The same streams, and one that has a byte to tell now and then: it waits for a turn or a few, not for all of them.
TEST_P(LargeMessagesOnLoop, who_has_little_to_move_does_not_wait_behind_those_who_have_much) {
  MEARI_NEEDS(system_sockets);  // on the wire one thing happens at a time
  constexpr std::size_t streams_count = 32;
  std::vector<std::pair<Stream, Stream>> all;
  for (std::size_t i = 0; i < streams_count; ++i) all.push_back(streams());
  auto [caller, called] = streams();
  const std::string text = pattern(1, 0, std::size_t{8} << 20);
  std::vector<std::size_t> moved(streams_count);
  std::size_t heard = 0;
  auto body = [&](Scope& scope) -> Task<> {
    for (std::size_t i = 0; i < streams_count; ++i) {
      auto& [client, server] = all[i];
      scope.spawn([&text, &to = client]() -> Task<> {
        co_await to.write(text);
        co_await to.finish();
      });
      scope.spawn([&sum = moved[i], &from = server]() -> Task<> {
        while (const Chunk chunk = co_await from.read()) sum += chunk.size();
      });
    }
    scope.spawn([&heard, &from = called]() -> Task<> {
      while (const Chunk chunk = co_await from.read()) ++heard;
    });
    co_return;
  };
  auto whole = [&]() -> Task<> { co_await scoped(body); };
  auto tell = [&to = caller]() -> Task<> { co_await to.write("x"); };
  loop().spawn(whole);
  const auto turn = [&] { loop().turn(now() + patience); };
  while (std::ranges::count(moved, std::size_t{0}) != 0) turn();
  std::vector<std::size_t> turns;
  while (std::ranges::any_of(moved, [&](std::size_t sum) { return sum < text.size() / 2; })) {
    const std::size_t before = heard;
    loop().spawn(tell);
    std::size_t count = 0;
    while (heard == before) turn(), ++count;
    turns.push_back(count);
  }
  std::ranges::sort(turns);
  ASSERT_GE(turns.size(), 8U);
  EXPECT_LE(turns[turns.size() / 2], 8U) << turns.back();
  auto finish = [&to = caller]() -> Task<> { co_await to.finish(); };
  loop().spawn(finish);
  while (loop().tasks() != 0) turn();
  EXPECT_EQ(std::ranges::count(moved, text.size()), std::ptrdiff_t{streams_count});
}

}  // namespace
}  // namespace meari::test
