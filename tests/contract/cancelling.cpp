// Cancel is a request, the completion is the truth: for every kind of operation, in both orders, exactly once.
// Accept and Connect have theirs in accepting.cpp and connecting.cpp, cut sends in writing.cpp.
#include <array>
#include <deque>

#include "pattern.hpp"

namespace meari::test {
namespace {

class Cancelling : public Contract {
 protected:
  End datagrams() { return open({.role = Role::datagram, .local = Address::loopback(Family::ipv4, 0)}); }
  void send_datagram(End from, const Address& to, std::string_view text) {
    Tracked<SendTo> send;
    send.bytes = std::as_bytes(std::span(text.data(), text.size()));
    send.target = to;
    EXPECT_EQ(run(from, send), Errc::none);
  }
};
MEARI_EVERY_BACKEND(Cancelling);

TEST_P(Cancelling, a_receive_before_anything_came) {
  auto [client, server] = connected();
  Tracked<Receive> receive_;
  start(server, receive_);
  let_pass(1ms);
  backend().cancel(receive_);
  EXPECT_EQ(outcome(receive_), Errc::canceled);
  EXPECT_TRUE(receive_.chunk.empty());
  send(client, "for the next");
  EXPECT_EQ(receive(server), "for the next");
}

TEST_P(Cancelling, a_receive_in_the_turn_of_its_submission) {
  auto [client, server] = connected();
  Tracked<Receive> receive_;
  start(server, receive_);
  backend().cancel(receive_);
  EXPECT_EQ(outcome(receive_), Errc::canceled);
  send(client, "for the next");
  EXPECT_EQ(receive(server), "for the next");
}

TEST_P(Cancelling, a_receive_whose_bytes_are_on_their_way_loses_none) {
  for (int round = 0; round < 50; ++round) {
    auto [client, server] = connected_to_sibling();
    Tracked<Receive> receive_;
    start(server, receive_);
    if (round % 2 == 0) let_pass(1ms);
    Tracked<Send> send_;
    const std::string_view text = "abcdef";
    send_.chunk = Chunk::view(std::as_bytes(std::span(text)));
    if (start(client, send_) == Submitted::pending) {
      ASSERT_TRUE(until_alone(sibling(), [&] { return send_.over(); }));
    }
    backend().cancel(receive_);
    const Errc error = outcome(receive_);
    std::string got(receive_.chunk.text());
    EXPECT_EQ(error, got.empty() ? Errc::canceled : Errc::none);
    got += receive_exactly(server, text.size() - got.size());
    EXPECT_EQ(got, text);
    close(client);
    close(server);
  }
}

TEST_P(Cancelling, a_receive_that_has_completed_changes_nothing) {
  auto [client, server] = connected();
  Tracked<Receive> receive_;
  start(server, receive_);
  send(client, "came first");
  ASSERT_EQ(outcome(receive_), Errc::none);
  backend().cancel(receive_);
  EXPECT_EQ(receive_.error.code(), Errc::none);
  EXPECT_EQ(receive_.chunk.text(), "came first");
  let_pass(1ms);
  EXPECT_EQ(receive_.completions(), 1);
}

TEST_P(Cancelling, a_receive_whose_completion_waits_to_be_run_changes_nothing) {
  auto [client, server] = connected();
  Tracked<Receive> first, second;
  auto [other_client, other_server] = connected();
  start(server, first);
  start(other_server, second);
  // Each cancels the other when it runs: one of them may have completed already.
  first.then = [&] { backend().cancel(second); };
  second.then = [&] { backend().cancel(first); };
  send(client, "one");
  send(other_client, "two");
  const auto first_outcome = outcome(first);  // named: it must be over before its chunk is looked at
  const auto second_outcome = outcome(second);
  EXPECT_EQ(first_outcome, first.chunk.empty() ? Errc::canceled : Errc::none);
  EXPECT_EQ(second_outcome, second.chunk.empty() ? Errc::canceled : Errc::none);
  EXPECT_EQ(first.completions(), 1);
  EXPECT_EQ(second.completions(), 1);
  if (first.chunk.empty()) EXPECT_EQ(receive(server), "one");
  if (second.chunk.empty()) EXPECT_EQ(receive(other_server), "two");
}

TEST_P(Cancelling, twice_completes_once_with_the_first_reason) {
  auto [client, server] = connected();
  Tracked<Receive> receive;
  start(server, receive);
  backend().cancel(receive, Errc::timed_out);
  backend().cancel(receive, Errc::canceled);
  EXPECT_EQ(outcome(receive), Errc::timed_out);
  let_pass(1ms);
  EXPECT_EQ(receive.completions(), 1);
}

TEST_P(Cancelling, an_accept_twice_completes_once) {
  const End listener = listen();
  Tracked<Accept> accept;
  start(listener, accept);
  let_pass(1ms);
  backend().cancel(accept, Errc::timed_out);
  backend().cancel(accept);
  EXPECT_EQ(outcome(accept), Errc::timed_out);
  let_pass(1ms);
  EXPECT_EQ(accept.completions(), 1);
}

TEST_P(Cancelling, what_was_never_submitted_is_nothing) {
  Tracked<Receive> receive;
  backend().cancel(receive);
  EXPECT_EQ(receive.state, Operation::State::idle);
}

TEST_P(Cancelling, what_was_refused_keeps_its_error) {
  Tracked<Receive> receive;
  start({&backend(), {}}, receive);
  backend().cancel(receive);
  EXPECT_EQ(outcome(receive), Errc::closed);
}

TEST_P(Cancelling, with_a_deadline_says_timed_out_for_every_kind) {
  auto [client, server] = connected();
  const End listener = listen();
  const End udp = datagrams();
  Tracked<Receive> receive;
  Tracked<Accept> accept;
  Tracked<ReceiveFrom> receive_from;
  start(server, receive);
  start(listener, accept);
  start(udp, receive_from);
  let_pass(1ms);
  for (Operation* operation : std::initializer_list<Operation*>{&receive, &accept, &receive_from})
    backend().cancel(*operation, Errc::timed_out);
  EXPECT_EQ(outcome(receive), Errc::timed_out);
  EXPECT_EQ(outcome(accept), Errc::timed_out);
  EXPECT_EQ(outcome(receive_from), Errc::timed_out);
}

TEST_P(Cancelling, and_submitting_again_in_its_completion) {
  auto [client, server] = connected();
  Tracked<Receive> receive_;
  int cancelled = 0;
  receive_.then = [&, end = server] {
    if (receive_.error.code() != Errc::canceled) return;
    ++cancelled;
    start(end, receive_);
    if (cancelled < 10) backend().cancel(receive_);
  };
  start(server, receive_);
  backend().cancel(receive_);
  ASSERT_TRUE(until([&] { return cancelled == 10; }));
  send(client, "after ten cancels");
  EXPECT_EQ(outcome(receive_), Errc::none);
  EXPECT_EQ(receive_.chunk.text(), "after ten cancels");
}

TEST_P(Cancelling, a_hundred_receives_at_once_loses_nothing) {
  const End listener = listen();
  std::vector<std::pair<End, End>> all;
  std::deque<Tracked<Receive>> receives;
  for (int i = 0; i < 100; ++i) {
    const End client = dial(local(listener));
    all.emplace_back(client, accept(listener));
    start(all.back().second, receives.emplace_back());
  }
  let_pass(1ms);
  for (Tracked<Receive>& receive : receives) backend().cancel(receive);
  for (std::size_t i = 0; i < all.size(); ++i) send(all[i].first, pattern(i, 0, 100));
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(outcome(receives[i]), Errc::canceled);
    EXPECT_EQ(receive_exactly(all[i].second, 100), pattern(i, 0, 100));
  }
}

TEST_P(Cancelling, receives_at_every_moment_of_a_stream_loses_nothing) {
  auto [client, server] = connected();
  Sender sender(*this, client, {.seed = 12, .total = 600'000, .block = 1777});
  Dice dice(5);
  std::uint64_t got = 0;
  for (bool ended = false; !ended;) {
    Tracked<Receive> receive;
    if (start(server, receive) == Submitted::pending) {
      for (std::size_t turns = dice.below(3); turns > 0 && !receive.over(); --turns) turn(backend().now() + 20us);
      backend().cancel(receive);
      if (outcome(receive) == Errc::canceled) {
        turn(backend().now() + 20us);
        continue;
      }
    }
    ASSERT_EQ(match_pattern(12, got, receive.chunk.bytes()), receive.chunk.size()) << "at " << got;
    got += receive.chunk.size();
    ended = receive.chunk.empty();
  }
  EXPECT_EQ(got, 600'000U);
}

TEST_P(Cancelling, a_send_that_has_completed_changes_nothing) {
  auto [client, server] = connected();
  Tracked<Send> send;
  const std::string_view text = "sent";
  send.chunk = Chunk::view(std::as_bytes(std::span(text)));
  run(client, send);
  backend().cancel(send);
  EXPECT_EQ(send.error.code(), Errc::none);
  EXPECT_EQ(send.sent, 4U);
  EXPECT_EQ(receive(server), "sent");
}

TEST_P(Cancelling, a_send_in_the_turn_of_its_submission_is_whole_or_not_at_all) {
  for (int round = 0; round < 20; ++round) {
    auto [client, server] = connected();
    Tracked<Send> send_;
    const std::string_view text = "all or nothing";
    send_.chunk = Chunk::view(std::as_bytes(std::span(text)));
    start(client, send_);
    backend().cancel(send_);
    const Errc error = outcome(send_);
    EXPECT_EQ(error, send_.sent == 0 ? Errc::canceled : Errc::none);
    send(client, ".");
    finish(client);
    EXPECT_EQ(receive_all(server), std::string(text.substr(0, send_.sent)) + ".");
    close(client);
    close(server);
  }
}

TEST_P(Cancelling, a_finish_in_the_turn_of_its_submission_ends_once) {
  auto [client, server] = connected();
  Tracked<Finish> finish_;
  start(client, finish_);
  backend().cancel(finish_);
  const Errc error = outcome(finish_);
  if (error == Errc::canceled) {
    send(client, "so not finished");
    EXPECT_EQ(receive(server), "so not finished");
  } else {
    EXPECT_EQ(error, Errc::none);
    EXPECT_EQ(receive(server), "");
  }
}

TEST_P(Cancelling, who_waits_for_a_datagram_leaves_it_to_the_next) {
  const End one = datagrams();
  const End other = datagrams();
  Tracked<ReceiveFrom> receive, next;
  start(one, receive);
  let_pass(1ms);
  backend().cancel(receive);
  EXPECT_EQ(outcome(receive), Errc::canceled);
  send_datagram(other, local(one), "for the next");
  EXPECT_EQ(run(one, next), Errc::none);
  EXPECT_EQ(next.chunk.text(), "for the next");
}

TEST_P(Cancelling, who_waits_for_a_datagram_that_has_come_loses_none) {
  for (int round = 0; round < 30; ++round) {
    const End one = datagrams();
    const End other = open(sibling(), {.role = Role::datagram, .local = Address::loopback(Family::ipv4, 0)});
    Tracked<ReceiveFrom> receive, next;
    start(one, receive);
    let_pass(1ms);
    Tracked<SendTo> send;
    const std::string_view text = "kept";
    send.bytes = std::as_bytes(std::span(text));
    send.target = local(one);
    if (start(other, send) == Submitted::pending) {
      ASSERT_TRUE(until_alone(sibling(), [&] { return send.over(); }));
    }
    backend().cancel(receive);
    if (outcome(receive) == Errc::none) {
      EXPECT_EQ(receive.chunk.text(), "kept");
    } else {
      EXPECT_EQ(run(one, next), Errc::none);
      EXPECT_EQ(next.chunk.text(), "kept");
    }
    close(one);
    close(other);
  }
}

TEST_P(Cancelling, one_does_not_disturb_its_neighbours) {
  auto [client_1, server_1] = connected();
  auto [client_2, server_2] = connected();
  Tracked<Receive> first, second;
  start(server_1, first);
  start(server_2, second);
  let_pass(1ms);
  backend().cancel(first);
  send(client_2, "undisturbed");
  EXPECT_EQ(outcome(first), Errc::canceled);
  EXPECT_EQ(outcome(second), Errc::none);
  EXPECT_EQ(second.chunk.text(), "undisturbed");
}

TEST_P(Cancelling, a_receive_leaves_the_send_of_the_same_stream_alone) {
  auto [client, server] = connected();
  const std::string block = pattern(1, 0, 1 << 20);
  Tracked<Send> stalled;
  std::size_t taken = 0;
  fill(client, block, stalled, &taken);
  Tracked<Receive> receive;
  start(client, receive);
  let_pass(1ms);
  backend().cancel(receive);
  EXPECT_EQ(outcome(receive), Errc::canceled);
  receive_exactly(server, taken + block.size());
  EXPECT_EQ(outcome(stalled), Errc::none);
}

TEST_P(Cancelling, a_send_leaves_the_receive_of_the_same_stream_alone) {
  MEARI_NEEDS(small_pairs);
  auto [client, server] = pair();
  Tracked<Send> stalled;
  fill(client, "x", stalled);
  Tracked<Receive> receive;
  start(client, receive);
  backend().cancel(stalled);
  EXPECT_EQ(outcome(stalled), Errc::canceled);
  EXPECT_FALSE(receive.over());
  send(server, "undisturbed");
  EXPECT_EQ(outcome(receive), Errc::none);
  EXPECT_EQ(receive.chunk.text(), "undisturbed");
}

TEST_P(Cancelling, then_closing_completes_once) {
  auto [client, server] = connected();
  const End listener = listen();
  Tracked<Receive> receive;
  Tracked<Accept> accept;
  start(server, receive);
  start(listener, accept);
  let_pass(1ms);
  backend().cancel(receive);
  backend().cancel(accept);
  close(server);
  close(listener);
  EXPECT_EQ(outcome(receive), Errc::canceled);
  EXPECT_EQ(outcome(accept), Errc::canceled);
  let_pass(1ms);
  EXPECT_EQ(receive.completions(), 1);
  EXPECT_EQ(accept.completions(), 1);
}

}  // namespace
}  // namespace meari::test
