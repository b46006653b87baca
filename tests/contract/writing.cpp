// What a Send sends: all of it, in the order of submission, from memory that nobody touches, and what is left of the
// stream when it was cut short.
#include <deque>

#include "pattern.hpp"

namespace meari::test {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

class Writing : public Contract {
 protected:
  Submitted start_text(End end, Tracked<Send>& send, std::string_view text) {
    send.chunk = Chunk::view(bytes_of(text));
    return start(end, send);
  }
  // Reads on the other side until the end, and compares with stream 1. How much it was.
  std::uint64_t read_stream_one(End end) {
    Receiver receiver(*this, end, 1);
    EXPECT_TRUE(until([&] { return receiver.over(); }));
    return receiver.received();
  }
};
MEARI_EVERY_BACKEND(Writing);

TEST_P(Writing, eight_mebibytes_to_a_slow_reader_arrive_whole) {
  auto [client, server] = connected();
  Sender sender(*this, client, {.seed = 1, .total = 8 << 20, .block = 8 << 20});
  Receiver receiver(*this, server, 1, true);
  receiver.limit = 30'000;
  while (!receiver.over()) {  // reads a little, then lets the sender run against the full buffer
    receiver.go_on();
    receiver.pause();
    ASSERT_TRUE(until([&, before = receiver.received()] { return receiver.over() || receiver.received() > before; }));
  }
  EXPECT_TRUE(receiver.ended());
  EXPECT_EQ(receiver.received(), 8U << 20);
  EXPECT_EQ(sender.sent(), 8U << 20);
  EXPECT_EQ(sender.error(), Errc::none);
}

TEST_P(Writing, a_mebibyte_through_narrow_buffers_arrives_whole) {
  auto [client, server] = connected(Family::ipv4, Buffers::small);
  Sender sender(*this, client, {.seed = 1, .total = 1 << 20, .block = 1 << 20});
  EXPECT_EQ(read_stream_one(server), 1U << 20);
  EXPECT_TRUE(until([&] { return sender.over(); }));
}

TEST_P(Writing, both_directions_at_once) {
  auto [client, server] = connected();
  Sender up(*this, client, {.seed = 1, .total = 4 << 20});
  Sender down(*this, server, {.seed = 2, .total = 4 << 20});
  Receiver server_gets(*this, server, 1);
  Receiver client_gets(*this, client, 2);
  EXPECT_TRUE(until([&] { return server_gets.over() && client_gets.over(); }));
  EXPECT_EQ(server_gets.received(), 4U << 20);
  EXPECT_EQ(client_gets.received(), 4U << 20);
}

TEST_P(Writing, many_pieces_go_out_as_one_stream) {
  auto [client, server] = connected();
  const std::string text = pattern(1, 0, 10'000);
  std::vector<std::span<const std::byte>> pieces;
  for (std::size_t at = 0; at < text.size(); at += 100) pieces.push_back(bytes_of(text).subspan(at, 100));
  Tracked<SendPieces> send;
  send.carry(pieces);
  EXPECT_EQ(run(client, send), Errc::none);
  EXPECT_EQ(send.sent, text.size());
  EXPECT_EQ(receive_exactly(server, text.size()), text);
}

TEST_P(Writing, empty_pieces_are_nothing) {
  auto [client, server] = connected();
  const std::array<std::span<const std::byte>, 7> pieces = {bytes_of(""),   bytes_of("a"), bytes_of(""), bytes_of(""),
                                                            bytes_of("bc"), bytes_of("d"), bytes_of("")};
  Tracked<SendPieces> send;
  send.carry(pieces);
  EXPECT_EQ(run(client, send), Errc::none);
  EXPECT_EQ(send.sent, 4U);
  EXPECT_EQ(receive_exactly(server, 4), "abcd");
}

TEST_P(Writing, a_thousand_empty_pieces_before_a_byte_are_nothing) {
  auto [client, server] = connected();
  std::vector<std::span<const std::byte>> pieces(2000, bytes_of(""));
  pieces.push_back(bytes_of("x"));
  Tracked<SendPieces> send;
  send.carry(pieces);
  EXPECT_EQ(run(client, send), Errc::none);
  EXPECT_EQ(receive(server), "x");
}

TEST_P(Writing, more_pieces_than_the_system_takes_at_once_all_go) {
  auto [client, server] = connected();
  const std::string text = pattern(1, 0, 5000 * 3);
  std::vector<std::span<const std::byte>> pieces;  // IOV_MAX is 1,024
  for (std::size_t i = 0; i < 5000; ++i) pieces.push_back(bytes_of(text).subspan(i * 3, 3));
  Tracked<SendPieces> send;
  send.carry(pieces);
  start(client, send);
  EXPECT_EQ(receive_exactly(server, text.size()), text);
  EXPECT_EQ(outcome(send), Errc::none);
  EXPECT_EQ(send.sent, text.size());
}

TEST_P(Writing, large_pieces_that_wait_go_on_where_they_were_cut) {
  auto [client, server] = connected();
  const std::string text = pattern(1, 0, 12 << 20);
  std::vector<std::span<const std::byte>> pieces;
  Dice dice(9);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = std::min(text.size() - at, 1 + dice.below(300'000));
    pieces.push_back(bytes_of(text).subspan(at, size));
    at += size;
  }
  Tracked<SendPieces> send;
  send.carry(pieces);
  start(client, send);
  Tracked<Finish> finish;
  start(client, finish);
  EXPECT_EQ(read_stream_one(server), text.size());
  EXPECT_EQ(outcome(send), Errc::none);
  EXPECT_EQ(outcome(finish), Errc::none);
}

TEST_P(Writing, nothing_is_sent_at_once) {
  auto [client, server] = connected();
  Tracked<Send> empty_chunk;
  EXPECT_EQ(run(client, empty_chunk), Errc::none);
  EXPECT_EQ(empty_chunk.sent, 0U);
  Tracked<SendPieces> no_pieces;
  no_pieces.carry({});
  EXPECT_EQ(run(client, no_pieces), Errc::none);
  send(client, "x");
  EXPECT_EQ(receive(server), "x");
}

TEST_P(Writing, nothing_may_be_sent_behind_something_that_waits) {
  auto [client, server] = connected();
  const std::string block = pattern(1, 0, 1 << 20);
  Tracked<Send> stalled;
  std::size_t taken = 0;
  fill(client, block, stalled, &taken);
  Tracked<Send> nothing;
  start(client, nothing);
  Tracked<Finish> finish;
  start(client, finish);
  EXPECT_EQ(receive_all(server).size(), taken + block.size());
  EXPECT_EQ(outcome(nothing), Errc::none);
  EXPECT_EQ(outcome(finish), Errc::none);
  EXPECT_EQ(outcome(stalled), Errc::none);
}

TEST_P(Writing, several_writers_go_in_the_order_of_submission) {
  auto [client, server] = connected();
  const std::string text = pattern(1, 0, 64 * 200'000);
  std::deque<Tracked<Send>> sends;
  std::vector<int> order;
  for (int i = 0; i < 64; ++i) {
    Tracked<Send>& send = sends.emplace_back();
    send.then = [&order, i] { order.push_back(i); };
    if (start_text(client, send, std::string_view(text).substr(static_cast<std::size_t>(i) * 200'000, 200'000)) ==
        Submitted::done)
      order.push_back(i);
  }
  Tracked<Finish> finish;
  start(client, finish);
  EXPECT_EQ(read_stream_one(server), text.size());
  for (Tracked<Send>& send : sends) EXPECT_EQ(outcome(send), Errc::none);
  EXPECT_EQ(outcome(finish), Errc::none);
  ASSERT_EQ(order.size(), 64U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_P(Writing, small_sends_behind_a_stalled_one_keep_their_order) {
  auto [client, server] = connected();
  const std::string block = pattern(1, 0, 1 << 20);
  Tracked<Send> stalled;
  std::size_t taken = 0;
  fill(client, block, stalled, &taken);
  std::deque<std::string> texts;
  std::deque<Tracked<Send>> sends;
  std::string tail;
  for (int i = 0; i < 100; ++i) {
    texts.push_back("[" + std::to_string(i) + "]");
    tail += texts.back();
    start_text(client, sends.emplace_back(), texts.back());
  }
  Tracked<Finish> finish;
  start(client, finish);
  const std::string all = receive_all(server);
  ASSERT_EQ(all.size(), taken + block.size() + tail.size());
  EXPECT_EQ(std::string_view(all).substr(taken + block.size()), tail);
  for (Tracked<Send>& send : sends) EXPECT_EQ(outcome(send), Errc::none);
  EXPECT_EQ(outcome(finish), Errc::none);
}

TEST_P(Writing, may_be_submitted_again_from_its_own_completion) {
  auto [client, server] = connected();
  Sender sender(*this, client, {.seed = 1, .total = 3'000'000, .block = 1000});
  EXPECT_EQ(read_stream_one(server), 3'000'000U);
}

TEST_P(Writing, a_chunk_of_its_own_memory_goes_out) {
  auto [client, server] = connected();
  const std::string text = pattern(1, 0, 3 << 20);
  Tracked<Send> send;
  send.chunk = Chunk::copy_of(bytes_of(text)).value();
  start(client, send);
  EXPECT_EQ(receive_exactly(server, text.size()), text);
  EXPECT_EQ(outcome(send), Errc::none);
  EXPECT_EQ(send.sent, text.size());
}

TEST_P(Writing, what_was_received_goes_back_as_it_is) {
  auto [client, server] = connected();
  send(client, "echo");
  Tracked<Receive> receive_;
  ASSERT_EQ(run(server, receive_), Errc::none);
  Tracked<Send> back;
  back.chunk = std::move(receive_.chunk);
  EXPECT_EQ(run(server, back), Errc::none);
  EXPECT_EQ(receive(client), "echo");
}

TEST_P(Writing, a_chunk_that_has_been_sent_is_back_in_the_pool) {
  auto [client, server] = connected();
  send(client, "echo");
  Tracked<Receive> receive_;
  ASSERT_EQ(run(server, receive_), Errc::none);
  Tracked<Send> back;
  back.chunk = std::move(receive_.chunk);
  EXPECT_EQ(run(server, back), Errc::none);
  EXPECT_EQ(backend().bytes_on_loan(), 0U) << "although the Send still lives";
}

TEST_P(Writing, a_small_loan_that_has_to_wait_is_copied_out_of_the_pool) {
  auto [client, server] = connected();
  send(client, "keep nothing of the pool");
  Tracked<Receive> receive_;
  ASSERT_EQ(run(server, receive_), Errc::none);
  const std::string block = pattern(1, 0, 1 << 20);
  Tracked<Send> stalled;
  std::size_t taken = 0;
  fill(server, block, stalled, &taken);
  Tracked<Send> behind;
  behind.chunk = std::move(receive_.chunk);
  EXPECT_EQ(start(server, behind), Submitted::pending);
  EXPECT_EQ(backend().bytes_on_loan(), 0U);
  Tracked<Finish> finish;
  start(server, finish);
  const std::string all = receive_all(client);
  ASSERT_EQ(all.size(), taken + block.size() + 24);
  EXPECT_EQ(all.substr(taken + block.size()), "keep nothing of the pool");
  EXPECT_EQ(outcome(behind), Errc::none);
  EXPECT_EQ(outcome(finish), Errc::none);
}

TEST_P(Writing, borrowed_memory_is_left_as_it_is) {
  auto [client, server] = connected();
  const std::string before = pattern(1, 0, 4 << 20);
  std::string text = before;
  Tracked<Send> send;
  start_text(client, send, text);
  Tracked<Finish> finish;
  start(client, finish);
  EXPECT_EQ(read_stream_one(server), text.size());
  EXPECT_EQ(outcome(send), Errc::none);
  EXPECT_EQ(outcome(finish), Errc::none);
  EXPECT_EQ(text, before);
}

TEST_P(Writing, borrowed_memory_may_be_used_again_after_completion) {
  auto [client, server] = connected();
  std::string text(100'000, '\0');
  Receiver receiver(*this, server, 1, true);
  for (std::uint64_t at = 0; at < 3'000'000; at += text.size()) {
    fill_pattern(1, at, std::as_writable_bytes(std::span(text)));
    receiver.go_on();
    send(client, text);
    std::fill(text.begin(), text.end(), '!');
  }
  finish(client);
  EXPECT_TRUE(until([&] { return receiver.over(); }));
  EXPECT_EQ(receiver.received(), 3'000'000U);
}

TEST_P(Writing, goes_on_when_the_peer_reads_again) {
  auto [client, server] = connected();
  const std::string block = pattern(1, 0, 1 << 20);
  Tracked<Send> stalled;
  std::size_t taken = 0;
  fill(client, block, stalled, &taken);
  receive_exactly(server, taken + block.size());
  EXPECT_EQ(outcome(stalled), Errc::none);
  send(client, "on we go");
  EXPECT_EQ(receive(server), "on we go");
}

// ---- cut short

TEST_P(Writing, cancelled_after_a_part_has_left_breaks_the_stream_and_says_how_much) {
  auto [client, server] = connected();
  const std::string text = pattern(1, 0, 64 << 20);
  Tracked<Send> send;
  EXPECT_EQ(start_text(client, send, text), Submitted::pending);
  let_pass(20ms);
  ASSERT_FALSE(send.over());
  backend().cancel(send);
  EXPECT_EQ(outcome(send), Errc::write_incomplete);
  EXPECT_GT(send.sent, 0U);
  EXPECT_LT(send.sent, text.size());
  EXPECT_EQ(send_error(client, "more"), Errc::write_incomplete);
  EXPECT_EQ(send_error(client, "and more"), Errc::write_incomplete);
  EXPECT_TRUE(facts(client).broken);
  const std::size_t sent = send.sent;
  close(client);
  EXPECT_EQ(read_stream_one(server), sent) << "exactly what `sent` says has left";
}

TEST_P(Writing, those_behind_a_send_that_was_cut_short_fail_too) {
  auto [client, server] = connected();
  const std::string text = pattern(1, 0, 64 << 20);
  Tracked<Send> send;
  start_text(client, send, text);
  Tracked<Send> behind;
  start_text(client, behind, "behind");
  Tracked<Finish> finish;
  start(client, finish);
  let_pass(20ms);
  backend().cancel(send);
  EXPECT_EQ(outcome(send), Errc::write_incomplete);
  EXPECT_EQ(outcome(behind), Errc::write_incomplete);
  EXPECT_EQ(behind.sent, 0U);
  EXPECT_EQ(outcome(finish), Errc::write_incomplete);
}

TEST_P(Writing, the_other_direction_of_a_broken_stream_goes_on) {
  auto [client, server] = connected();
  const std::string text = pattern(1, 0, 64 << 20);
  Tracked<Send> send_;
  start_text(client, send_, text);
  let_pass(20ms);
  backend().cancel(send_);
  EXPECT_EQ(outcome(send_), Errc::write_incomplete);
  send(server, "still listening?");
  EXPECT_EQ(receive(client), "still listening?");
}

TEST_P(Writing, a_deadline_after_a_part_has_left_breaks_the_stream) {
  auto [client, server] = connected();
  const std::string text = pattern(1, 0, 64 << 20);
  Tracked<Send> send;
  start_text(client, send, text);
  let_pass(20ms);
  backend().cancel(send, Errc::timed_out);
  const Errc error = outcome(send);
  EXPECT_TRUE(error == Errc::timed_out || error == Errc::write_incomplete) << describe(error);
  EXPECT_GT(send.sent, 0U);
  EXPECT_EQ(send_error(client, "more"), Errc::write_incomplete);
}

TEST_P(Writing, cancelled_before_a_byte_has_left_leaves_the_stream_whole) {
  MEARI_NEEDS(small_pairs);
  // Single bytes cannot be cut: the first that waits has sent nothing.
  auto [client, server] = pair();
  Tracked<Send> stalled;
  std::size_t taken = 0;
  fill(client, "x", stalled, &taken);
  backend().cancel(stalled);
  EXPECT_EQ(outcome(stalled), Errc::canceled);
  EXPECT_EQ(stalled.sent, 0U);
  EXPECT_FALSE(facts(client).broken);
  Tracked<Send> next;
  start_text(client, next, "next");
  Tracked<Finish> finish;
  start(client, finish);
  EXPECT_EQ(receive_all(server), std::string(taken, 'x') + "next");
  EXPECT_EQ(outcome(next), Errc::none);
  EXPECT_EQ(outcome(finish), Errc::none);
}

TEST_P(Writing, a_deadline_before_a_byte_has_left_leaves_the_stream_whole) {
  MEARI_NEEDS(small_pairs);
  auto [client, server] = pair();
  Tracked<Send> stalled;
  std::size_t taken = 0;
  fill(client, "x", stalled, &taken);
  backend().cancel(stalled, Errc::timed_out);
  EXPECT_EQ(outcome(stalled), Errc::timed_out);
  EXPECT_EQ(receive_exactly(server, taken), std::string(taken, 'x'));
  send(client, "whole");
  EXPECT_EQ(receive(server), "whole");
}

TEST_P(Writing, cancelling_the_first_lets_those_behind_go_on) {
  MEARI_NEEDS(small_pairs);
  auto [client, server] = pair();
  Tracked<Send> stalled;
  std::size_t taken = 0;
  fill(client, "x", stalled, &taken);
  Tracked<Send> behind;
  start_text(client, behind, "behind");
  Tracked<Finish> finish;
  start(client, finish);
  backend().cancel(stalled);
  EXPECT_EQ(outcome(stalled), Errc::canceled);
  EXPECT_EQ(receive_all(server), std::string(taken, 'x') + "behind");
  EXPECT_EQ(outcome(behind), Errc::none);
  EXPECT_EQ(outcome(finish), Errc::none);
}

TEST_P(Writing, cancelling_one_that_queues_leaves_the_stream_whole) {
  auto [client, server] = connected();
  const std::string block = pattern(1, 0, 1 << 20);
  Tracked<Send> stalled;
  std::size_t taken = 0;
  fill(client, block, stalled, &taken);
  Tracked<Send> first, second, third;
  start_text(client, first, "first ");
  start_text(client, second, "second ");
  start_text(client, third, "third");
  backend().cancel(second);
  EXPECT_EQ(outcome(second), Errc::canceled);
  EXPECT_EQ(second.sent, 0U);
  Tracked<Finish> finish;
  start(client, finish);
  const std::string all = receive_all(server);
  EXPECT_EQ(all.substr(taken + block.size()), "first third");
  EXPECT_EQ(outcome(first), Errc::none);
  EXPECT_EQ(outcome(third), Errc::none);
  EXPECT_EQ(outcome(finish), Errc::none);
  EXPECT_EQ(outcome(stalled), Errc::none);
}

TEST_P(Writing, cancelling_the_last_that_queues_leaves_room_for_another) {
  auto [client, server] = connected();
  const std::string block = pattern(1, 0, 1 << 20);
  Tracked<Send> stalled;
  std::size_t taken = 0;
  fill(client, block, stalled, &taken);
  Tracked<Send> last, another;
  start_text(client, last, "never");
  backend().cancel(last);
  start_text(client, another, "another");
  Tracked<Finish> finish;
  start(client, finish);
  EXPECT_EQ(outcome(last), Errc::canceled);
  EXPECT_EQ(receive_all(server).substr(taken + block.size()), "another");
  EXPECT_EQ(outcome(another), Errc::none);
  EXPECT_EQ(outcome(finish), Errc::none);
}

TEST_P(Writing, a_finish_that_queues_can_be_cancelled) {
  auto [client, server] = connected();
  const std::string block = pattern(1, 0, 1 << 20);
  Tracked<Send> stalled;
  std::size_t taken = 0;
  fill(client, block, stalled, &taken);
  Tracked<Finish> finish_;
  start(client, finish_);
  backend().cancel(finish_);
  EXPECT_EQ(outcome(finish_), Errc::canceled);
  receive_exactly(server, taken + block.size());
  EXPECT_EQ(outcome(stalled), Errc::none);
  send(client, "not finished");
  EXPECT_EQ(receive(server), "not finished");
  finish(client);
  EXPECT_EQ(receive(server), "");
}

TEST_P(Writing, cancelled_again_and_again_loses_no_byte_that_was_counted) {
  // Whatever the moment of the cancel, the peer gets exactly what `sent` says.
  for (int round = 0; round < 25; ++round) {
    auto [client, server] = connected();
    const std::string text = pattern(1, 0, 3 << 20);
    Tracked<Send> send;
    start_text(client, send, text);
    Receiver receiver(*this, server, 1);
    for (int turns = 0; turns < round && !send.over(); ++turns) turn(backend().now() + 20us);
    backend().cancel(send);
    const Errc error = outcome(send);
    EXPECT_EQ(error, send.sent == text.size() ? Errc::none : send.sent == 0 ? Errc::canceled : Errc::write_incomplete);
    close(client);
    ASSERT_TRUE(until([&] { return receiver.over(); }));
    EXPECT_EQ(receiver.received(), send.sent);
    close(server);
  }
}

// ---- to whom nothing can be sent

TEST_P(Writing, only_a_connected_stream_sends) {
  EXPECT_EQ(send_error(listen(), "x"), Errc::invalid_argument);
  EXPECT_EQ(send_error(open({.role = Role::datagram}), "x"), Errc::invalid_argument);
  EXPECT_EQ(send_error(stream(), "x"), Errc::not_connected);
}

TEST_P(Writing, to_a_peer_that_has_closed_fails_in_the_end) {
  auto [client, server] = connected();
  close(server);
  const Errc error = send_until_failure(client);
  EXPECT_TRUE(Error(error).peer_is_gone()) << describe(error);
  EXPECT_TRUE(Error(send_error(client, "again")).peer_is_gone());
  EXPECT_TRUE(facts(client).broken);
}

TEST_P(Writing, a_stalled_send_fails_when_the_peer_goes) {
  auto [client, server] = connected();
  const std::string block = pattern(1, 0, 1 << 20);
  Tracked<Send> stalled, behind;
  fill(client, block, stalled);
  start_text(client, behind, "behind");
  close(server, true);
  EXPECT_TRUE(Error(outcome(stalled)).peer_is_gone()) << stalled.error.message();
  EXPECT_TRUE(Error(outcome(behind)).peer_is_gone()) << behind.error.message();
}

TEST_P(Writing, raises_no_signal) {
  auto [client, server] = pair();
  close(server);
  EXPECT_TRUE(Error(send_until_failure(client)).peer_is_gone());  // SIGPIPE would have ended the test
}

}  // namespace
}  // namespace meari::test
