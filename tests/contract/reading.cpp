// What a Receive gives: every byte once and in order, as much as it asked for, the end for ever.
#include <deque>

#include "pattern.hpp"

namespace meari::test {
namespace {

class Reading : public Contract {
 protected:
  Chunk chunk_of(std::string_view text) {
    return Chunk::copy_of(std::as_bytes(std::span(text.data(), text.size()))).value();
  }
};
MEARI_EVERY_BACKEND(Reading);

TEST_P(Reading, gives_what_the_peer_sent) {
  auto [client, server] = connected();
  send(client, "hello");
  EXPECT_EQ(receive(server), "hello");
}

TEST_P(Reading, waits_until_something_comes) {
  auto [client, server] = connected();
  Tracked<Receive> receive;
  EXPECT_EQ(start(server, receive), Submitted::pending);
  let_pass(5ms);
  EXPECT_FALSE(receive.over());
  send(client, "at last");
  EXPECT_EQ(outcome(receive), Errc::none);
  EXPECT_EQ(receive.chunk.text(), "at last");
}

TEST_P(Reading, takes_no_more_than_its_limit_and_leaves_the_rest) {
  auto [client, server] = connected();
  send(client, "hello world");
  EXPECT_EQ(receive(server, 5), "hello");
  EXPECT_EQ(receive(server, 1), " ");
  EXPECT_EQ(receive(server), "world");
}

TEST_P(Reading, a_limit_holds_for_a_receive_that_waits) {
  auto [client, server] = connected();
  Tracked<Receive> first;
  first.limit = 4;
  start(server, first);
  let_pass(1ms);
  send(client, "12345678");
  EXPECT_EQ(outcome(first), Errc::none);
  EXPECT_EQ(first.chunk.text(), "1234");
  EXPECT_EQ(receive(server), "5678");
}

TEST_P(Reading, byte_by_byte_gives_the_same_bytes) {
  auto [client, server] = connected();
  const std::string text = pattern(7, 0, 1000);
  send(client, text);
  std::string got;
  for (int i = 0; i < 1000; ++i) got += receive(server, 1);
  EXPECT_EQ(got, text);
}

TEST_P(Reading, pieces_come_in_the_order_in_which_they_were_sent) {
  auto [client, server] = connected();
  std::string all;
  for (std::size_t i = 0; i < 200; ++i) {
    const std::string piece = pattern(i, 0, 1 + i * 7 % 301);
    send(client, piece);
    all += piece;
  }
  EXPECT_EQ(receive_exactly(server, all.size()), all);
}

TEST_P(Reading, a_megabyte_in_receives_of_every_size_is_whole) {
  auto [client, server] = connected();
  Sender sender(*this, client, {.seed = 3, .total = 1 << 20, .block = 50'000});
  Dice dice(11);
  std::uint64_t got = 0;
  for (;;) {
    Tracked<Receive> receive;
    receive.limit = 1 + dice.below(20'000);
    ASSERT_EQ(run(server, receive), Errc::none);
    if (receive.chunk.empty()) break;
    ASSERT_LE(receive.chunk.size(), receive.limit);
    ASSERT_EQ(match_pattern(3, got, receive.chunk.bytes()), receive.chunk.size()) << "at " << got;
    got += receive.chunk.size();
  }
  EXPECT_EQ(got, 1U << 20);
}

TEST_P(Reading, the_end_is_an_empty_chunk_and_no_error) {
  auto [client, server] = connected();
  finish(client);
  EXPECT_EQ(receive(server), "");
}

TEST_P(Reading, the_end_wakes_who_waits) {
  auto [client, server] = connected();
  Tracked<Receive> receive;
  start(server, receive);
  let_pass(1ms);
  EXPECT_FALSE(receive.over());
  finish(client);
  EXPECT_EQ(outcome(receive), Errc::none);
  EXPECT_TRUE(receive.chunk.empty());
}

TEST_P(Reading, the_end_comes_again_and_again) {
  auto [client, server] = connected();
  finish(client);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(receive(server), "");
}

TEST_P(Reading, bytes_come_before_the_end) {
  auto [client, server] = connected();
  send(client, "last words");
  finish(client);
  EXPECT_EQ(receive_all(server), "last words");
}

TEST_P(Reading, bytes_come_before_the_end_with_a_limit) {
  auto [client, server] = connected();
  send(client, "abc");
  finish(client);
  EXPECT_EQ(receive(server, 1), "a");
  EXPECT_EQ(receive(server, 1), "b");
  EXPECT_EQ(receive(server, 1), "c");
  EXPECT_EQ(receive(server, 1), "");
}

TEST_P(Reading, bytes_come_before_the_end_of_a_peer_that_has_closed) {
  auto [client, server] = connected();
  send(client, "gone already");
  close(client);
  EXPECT_EQ(receive_all(server), "gone already");
}

TEST_P(Reading, a_second_receive_is_busy_and_the_first_goes_on) {
  auto [client, server] = connected();
  Tracked<Receive> first;
  start(server, first);
  EXPECT_EQ(receive_error(server), Errc::busy);
  send(client, "for the first");
  EXPECT_EQ(outcome(first), Errc::none);
  EXPECT_EQ(first.chunk.text(), "for the first");
}

TEST_P(Reading, may_be_submitted_again_from_its_own_completion) {
  auto [client, server] = connected();
  Receiver receiver(*this, server, 5);
  for (std::uint64_t at = 0; at < 10'000; at += 100) send(client, pattern(5, at, 100));
  finish(client);
  EXPECT_TRUE(until([&] { return receiver.ended(); }));
  EXPECT_EQ(receiver.received(), 10'000U);
}

TEST_P(Reading, what_is_put_back_comes_first) {
  auto [client, server] = connected();
  send(client, "world");
  backend().unread(server.slot, chunk_of("hello "));
  EXPECT_EQ(receive_exactly(server, 11), "hello world");
}

TEST_P(Reading, the_rest_of_a_chunk_can_be_put_back) {
  auto [client, server] = connected();
  send(client, "line\nhalf");
  {
    Tracked<Receive> receive;
    ASSERT_EQ(run(server, receive), Errc::none);
    ASSERT_EQ(receive.chunk.text(), "line\nhalf");
    const Chunk line = receive.chunk.split(5);
    EXPECT_EQ(line.text(), "line\n");
    backend().unread(server.slot, std::move(receive.chunk));
  }
  EXPECT_EQ(facts(server).unread, 4U);
  send(client, " and half");
  EXPECT_EQ(receive_exactly(server, 13), "half and half");
}

TEST_P(Reading, what_was_put_back_last_comes_first) {
  auto [client, server] = connected();
  backend().unread(server.slot, chunk_of("c"));
  backend().unread(server.slot, chunk_of("b"));
  backend().unread(server.slot, chunk_of("a"));
  EXPECT_EQ(receive_exactly(server, 3), "abc");
}

TEST_P(Reading, what_is_put_back_answers_who_waits) {
  auto [client, server] = connected();
  Tracked<Receive> receive;
  EXPECT_EQ(start(server, receive), Submitted::pending);
  backend().unread(server.slot, chunk_of("found"));
  EXPECT_EQ(outcome(receive), Errc::none);
  EXPECT_EQ(receive.chunk.text(), "found");
}

TEST_P(Reading, what_is_put_back_obeys_a_limit) {
  auto [client, server] = connected();
  backend().unread(server.slot, chunk_of("abcdef"));
  EXPECT_EQ(receive(server, 2), "ab");
  EXPECT_EQ(receive(server, 3), "cde");
  EXPECT_EQ(receive(server), "f");
}

TEST_P(Reading, what_is_put_back_after_the_end_comes_before_it) {
  auto [client, server] = connected();
  finish(client);
  EXPECT_EQ(receive(server), "");
  backend().unread(server.slot, chunk_of("one more"));
  EXPECT_FALSE(facts(server).ended);
  EXPECT_EQ(receive(server), "one more");
  EXPECT_EQ(receive(server), "");
}

TEST_P(Reading, putting_nothing_back_changes_nothing) {
  auto [client, server] = connected();
  backend().unread(server.slot, Chunk());
  EXPECT_EQ(facts(server).unread, 0U);
  send(client, "x");
  EXPECT_EQ(receive(server), "x");
}

TEST_P(Reading, putting_back_to_a_closed_slot_is_nothing) {
  auto [client, server] = connected();
  close(server);
  backend().unread(server.slot, chunk_of("too late"));
  EXPECT_EQ(receive_error(server), Errc::closed);
}

TEST_P(Reading, a_chunk_outlives_its_connection) {
  auto [client, server] = connected();
  Tracked<Receive> receive;
  send(client, "remember me");
  ASSERT_EQ(run(server, receive), Errc::none);
  close(server);
  close(client);
  ASSERT_TRUE(until([&] { return backend().slots_in_use() == 0; }));
  auto [other, another] = connected();
  for (int i = 0; i < 20; ++i) {
    send(other, std::string(5000, 'x'));
    receive_exactly(another, 5000);
  }
  EXPECT_EQ(receive.chunk.text(), "remember me");
}

TEST_P(Reading, chunks_that_are_kept_do_not_change) {
  auto [client, server] = connected();
  std::deque<Chunk> kept;
  for (std::uint64_t i = 0; i < 100; ++i) {
    send(client, pattern(i, 0, 500));
    Tracked<Receive> receive;
    ASSERT_EQ(run(server, receive), Errc::none);
    ASSERT_EQ(receive.chunk.size(), 500U);
    kept.push_back(std::move(receive.chunk));
  }
  for (std::uint64_t i = 0; i < 100; ++i) EXPECT_EQ(match_pattern(i, 0, kept[i].bytes()), 500U) << i;
}

TEST_P(Reading, an_idle_connection_owns_no_memory_of_the_pool) {
  auto [client, server] = connected();
  send(client, "x");
  EXPECT_EQ(receive(server), "x");
  Tracked<Receive> receive;
  start(server, receive);
  let_pass(1ms);
  EXPECT_EQ(backend().bytes_on_loan(), 0U);
}

TEST_P(Reading, who_does_not_read_stops_the_sender) {
  auto [client, server] = connected(Family::ipv4, Buffers::small);
  const std::string block = pattern(1, 0, 64 << 10);
  Tracked<Send> stalled;
  std::size_t taken = 0;
  fill(client, block, stalled, &taken);
  EXPECT_LE(facts(server).unread, 64U << 10);
  backend().cancel(stalled);
  outcome(stalled);
}

TEST_P(Reading, who_has_stopped_reading_holds_no_more_than_a_bounded_part) {
  auto [client, server] = connected();
  Receiver receiver(*this, server, 1, true);
  receiver.limit = 1000;
  Tracked<Receive> once;  // reads once, then no more: what is armed must stop by itself
  Sender sender(*this, client, {.seed = 1, .total = 32 << 20});
  ASSERT_EQ(run(server, once), Errc::none);
  const std::size_t first = once.chunk.size();
  EXPECT_EQ(match_pattern(1, 0, once.chunk.bytes()), first);
  std::string put_back(once.chunk.text());
  once.chunk = Chunk();
  let_pass(20ms);
  EXPECT_LE(facts(server).unread, 64U << 10);
  EXPECT_FALSE(sender.over());
  backend().unread(server.slot, chunk_of(put_back));
  receiver.limit = std::numeric_limits<std::size_t>::max();
  receiver.go_on();
  EXPECT_TRUE(until([&] { return receiver.ended(); }));
  EXPECT_EQ(receiver.received(), 32U << 20);
}

TEST_P(Reading, fifty_connections_each_get_their_own) {
  const End listener = listen();
  std::vector<std::pair<End, End>> all;
  for (int i = 0; i < 50; ++i) {
    const End client = dial(local(listener));
    all.emplace_back(client, accept(listener));
  }
  for (std::size_t i = 0; i < all.size(); ++i) send(all[i].first, pattern(i, 0, 300));
  for (std::size_t i = all.size(); i-- > 0;) EXPECT_EQ(receive_exactly(all[i].second, 300), pattern(i, 0, 300)) << i;
}

TEST_P(Reading, only_a_stream_receives) {
  EXPECT_EQ(receive_error(listen()), Errc::invalid_argument);
  EXPECT_EQ(receive_error(open({.role = Role::datagram})), Errc::invalid_argument);
}

TEST_P(Reading, a_failure_comes_again_and_again) {
  MEARI_NEEDS(resets);
  auto [client, server] = connected();
  close(client, true);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(receive_error(server), Errc::connection_reset);
}

TEST_P(Reading, from_a_sibling) {
  auto [client, server] = connected_to_sibling();
  send(client, "from afar");
  EXPECT_EQ(receive(server), "from afar");
  send(server, "and back");
  EXPECT_EQ(receive(client), "and back");
}

}  // namespace
}  // namespace meari::test
