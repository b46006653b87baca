// "I have finished sending": each direction of a stream ends by itself.
#include "pattern.hpp"

namespace meari::test {
namespace {

class HalfClosing : public Contract {};
MEARI_EVERY_BACKEND(HalfClosing);

TEST_P(HalfClosing, the_other_direction_goes_on) {
  auto [client, server] = connected();
  send(client, "question");
  finish(client);
  EXPECT_EQ(receive_all(server), "question");
  send(server, "a long ");
  send(server, "answer");
  finish(server);
  EXPECT_EQ(receive_all(client), "a long answer");
}

TEST_P(HalfClosing, the_server_may_finish_first) {
  auto [client, server] = connected();
  send(server, "greeting");
  finish(server);
  EXPECT_EQ(receive_all(client), "greeting");
  send(client, "thanks");
  EXPECT_EQ(receive(server), "thanks");
  finish(client);
  EXPECT_EQ(receive(server), "");
}

TEST_P(HalfClosing, both_at_the_same_time) {
  auto [client, server] = connected();
  Tracked<Finish> one, other;
  start(client, one);
  start(server, other);
  EXPECT_EQ(outcome(one), Errc::none);
  EXPECT_EQ(outcome(other), Errc::none);
  EXPECT_EQ(receive(client), "");
  EXPECT_EQ(receive(server), "");
}

TEST_P(HalfClosing, comes_after_all_that_was_sent_before) {
  auto [client, server] = connected();
  Sender sender(*this, client, {.seed = 4, .total = 5'000'000, .block = 700'000, .finish = false});
  Tracked<Finish> finish;
  bool finishing = false;
  Receiver receiver(*this, server, 4);
  EXPECT_TRUE(until([&] {
    if (sender.over() && !finishing) {
      finishing = true;
      start(client, finish);
    }
    return receiver.over();
  }));
  EXPECT_TRUE(receiver.ended());
  EXPECT_EQ(receiver.received(), 5'000'000U);
  EXPECT_EQ(outcome(finish), Errc::none);
}

TEST_P(HalfClosing, waits_behind_sends_that_wait) {
  auto [client, server] = connected();
  const std::string block = pattern(1, 0, 1 << 20);
  Tracked<Send> stalled;
  std::size_t taken = 0;
  fill(client, block, stalled, &taken);
  Tracked<Finish> finish;
  EXPECT_EQ(start(client, finish), Submitted::pending);
  EXPECT_FALSE(facts(client).finished);
  EXPECT_EQ(receive_all(server).size(), taken + block.size());
  EXPECT_EQ(outcome(finish), Errc::none);
  EXPECT_EQ(outcome(stalled), Errc::none);
  EXPECT_TRUE(facts(client).finished);
}

TEST_P(HalfClosing, what_is_sent_after_it_is_a_broken_pipe) {
  auto [client, server] = connected();
  finish(client);
  EXPECT_EQ(send_error(client, "too late"), Errc::broken_pipe);
  EXPECT_EQ(send_error(client, "still too late"), Errc::broken_pipe);
  send(server, "but you may talk");
  EXPECT_EQ(receive(client), "but you may talk");
}

TEST_P(HalfClosing, what_is_sent_behind_a_finish_that_waits_fails) {
  auto [client, server] = connected();
  const std::string block = pattern(1, 0, 1 << 20);
  Tracked<Send> stalled;
  std::size_t taken = 0;
  fill(client, block, stalled, &taken);
  Tracked<Finish> finish;
  start(client, finish);
  Tracked<Send> late;
  late.chunk = Chunk::copy_of(std::as_bytes(std::span("late", 4))).value();
  start(client, late);
  EXPECT_EQ(receive_all(server).size(), taken + block.size());
  EXPECT_EQ(outcome(finish), Errc::none);
  EXPECT_EQ(outcome(late), Errc::broken_pipe);
  EXPECT_EQ(late.sent, 0U);
  EXPECT_EQ(outcome(stalled), Errc::none);
}

TEST_P(HalfClosing, twice_is_as_good_as_once) {
  auto [client, server] = connected();
  finish(client);
  finish(client);
  EXPECT_EQ(receive(server), "");
}

TEST_P(HalfClosing, twice_behind_a_send_that_waits_is_as_good_as_once) {
  auto [client, server] = connected();
  const std::string block = pattern(1, 0, 1 << 20);
  Tracked<Send> stalled;
  std::size_t taken = 0;
  fill(client, block, stalled, &taken);
  Tracked<Finish> one, two;
  start(client, one);
  start(client, two);
  EXPECT_EQ(receive_all(server).size(), taken + block.size());
  EXPECT_EQ(outcome(one), Errc::none);
  EXPECT_EQ(outcome(two), Errc::none);
  EXPECT_EQ(outcome(stalled), Errc::none);
}

TEST_P(HalfClosing, after_the_peer_has_finished) {
  auto [client, server] = connected();
  finish(server);
  EXPECT_EQ(receive(client), "");
  finish(client);
  EXPECT_EQ(receive(server), "");
}

TEST_P(HalfClosing, does_not_disturb_a_receive_that_waits) {
  auto [client, server] = connected();
  Tracked<Receive> receive_;
  start(client, receive_);
  finish(client);
  EXPECT_EQ(receive(server), "");
  let_pass(2ms);
  EXPECT_FALSE(receive_.over());
  send(server, "for you");
  EXPECT_EQ(outcome(receive_), Errc::none);
  EXPECT_EQ(receive_.chunk.text(), "for you");
}

TEST_P(HalfClosing, an_echo_of_eight_mebibytes_comes_back_whole) {
  auto [client, server] = connected();
  Forwarder echo(*this, server, server);
  Sender sender(*this, client, {.seed = 8, .total = 8 << 20});
  Receiver receiver(*this, client, 8);
  EXPECT_TRUE(until([&] { return receiver.over() && echo.over(); }));
  EXPECT_TRUE(receiver.ended());
  EXPECT_EQ(receiver.received(), 8U << 20);
}

TEST_P(HalfClosing, a_relay_hands_on_each_end_by_itself) {
  auto [client, front] = connected();
  auto [back, server] = connected();
  Forwarder up(*this, front, back);
  Forwarder down(*this, back, front);
  send(client, "question");
  finish(client);
  EXPECT_EQ(receive_all(server), "question");
  EXPECT_TRUE(until([&] { return up.over(); }));
  EXPECT_FALSE(down.over());
  send(server, "answer");
  finish(server);
  EXPECT_EQ(receive_all(client), "answer");
  EXPECT_TRUE(until([&] { return down.over(); }));
}

TEST_P(HalfClosing, works_between_a_pair) {
  auto [one, other] = pair();
  send(one, "over");
  finish(one);
  EXPECT_EQ(receive_all(other), "over");
  send(other, "and out");
  finish(other);
  EXPECT_EQ(receive_all(one), "and out");
}

TEST_P(HalfClosing, works_over_a_unix_domain_socket) {
  MEARI_NEEDS(abstract_names);
  MEARI_NEEDS(unix_domain);
  auto [client, server] = connected(Family::local);
  finish(client);
  EXPECT_EQ(receive(server), "");
  send(server, "back");
  finish(server);
  EXPECT_EQ(receive_all(client), "back");
}

TEST_P(HalfClosing, the_end_of_one_is_kept_until_somebody_asks) {
  auto [client, server] = connected();
  finish(client);
  let_pass(2ms);
  send(server, "before you ask");
  EXPECT_EQ(receive(client), "before you ask");
  EXPECT_EQ(receive(server), "");
}

TEST_P(HalfClosing, between_siblings) {
  auto [client, server] = connected_to_sibling();
  send(client, "up");
  finish(client);
  EXPECT_EQ(receive_all(server), "up");
  send(server, "down");
  finish(server);
  EXPECT_EQ(receive_all(client), "down");
}

}  // namespace
}  // namespace meari::test
