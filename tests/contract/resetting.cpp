// A peer that breaks off: what was received before is still there, then the failure, for ever; nothing can be sent.
#include "pattern.hpp"

namespace meari::test {
namespace {

class Resetting : public Contract {};
MEARI_EVERY_BACKEND(Resetting);

TEST_P(Resetting, is_seen_by_who_waits) {
  auto [client, server] = connected();
  Tracked<Receive> receive;
  start(server, receive);
  let_pass(1ms);
  close(client, true);
  EXPECT_EQ(outcome(receive), Errc::connection_reset);
  EXPECT_TRUE(receive.chunk.empty());
}

TEST_P(Resetting, is_seen_again_by_who_asks_again) {
  MEARI_NEEDS(resets);
  auto [client, server] = connected();
  Tracked<Receive> receive;
  start(server, receive);
  let_pass(1ms);
  close(client, true);
  EXPECT_EQ(outcome(receive), Errc::connection_reset);
  EXPECT_EQ(receive_error(server), Errc::connection_reset);
  EXPECT_EQ(receive_error(server), Errc::connection_reset);
}

TEST_P(Resetting, is_seen_by_who_asks_later) {
  MEARI_NEEDS(resets);
  auto [client, server] = connected();
  close(client, true);
  let_pass(1ms);
  EXPECT_EQ(receive_error(server), Errc::connection_reset);
}

TEST_P(Resetting, bytes_that_came_before_are_read_before) {
  MEARI_NEEDS(resets);
  auto [client, server] = connected();
  send(client, "first the bytes");
  EXPECT_EQ(receive(server, 6), "first ");
  close(client, true);
  let_pass(1ms);
  std::string got;
  Errc error = Errc::none;
  for (;;) {
    Tracked<Receive> receive;
    if (error = run(server, receive); error != Errc::none || receive.chunk.empty()) break;
    got += receive.chunk.text();
  }
  EXPECT_EQ(got, "the bytes");
  EXPECT_EQ(error, Errc::connection_reset);
}

TEST_P(Resetting, nothing_can_be_sent_afterwards) {
  MEARI_NEEDS(resets);
  auto [client, server] = connected();
  close(client, true);
  EXPECT_EQ(receive_error(server), Errc::connection_reset);
  const Errc error = send_error(server, "hello?");
  EXPECT_TRUE(Error(error).peer_is_gone()) << describe(error);
  EXPECT_TRUE(Error(send_error(server, "anybody?")).peer_is_gone());
}

TEST_P(Resetting, nothing_can_be_sent_when_it_was_not_noticed_yet) {
  auto [client, server] = connected();
  close(client, true);
  let_pass(1ms);
  const Errc error = send_until_failure(server);
  EXPECT_TRUE(Error(error).peer_is_gone()) << describe(error);
}

TEST_P(Resetting, a_receive_after_a_failed_send_fails_too) {
  auto [client, server] = connected();
  close(client, true);
  let_pass(1ms);
  EXPECT_TRUE(Error(send_until_failure(server)).peer_is_gone());
  // The kernel tells an error once: the send that met it keeps it for the receive, or a reset would look like an end.
  EXPECT_EQ(receive_last(server), Errc::connection_reset);
}

TEST_P(Resetting, ends_a_receive_and_a_send_that_wait_together) {
  auto [client, server] = connected();
  Tracked<Receive> receive;
  start(server, receive);
  const std::string block = pattern(1, 0, 1 << 20);
  Tracked<Send> stalled;
  fill(server, block, stalled);
  close(client, true);
  EXPECT_TRUE(Error(outcome(receive)).peer_is_gone()) << receive.error.message();
  EXPECT_TRUE(Error(outcome(stalled)).peer_is_gone()) << stalled.error.message();
}

TEST_P(Resetting, drops_what_was_not_sent_yet) {
  MEARI_NEEDS(resets);
  auto [client, server] = connected();
  const std::string block = pattern(1, 0, 1 << 20);
  Tracked<Send> stalled;
  fill(client, block, stalled);
  close(client, true);
  EXPECT_EQ(outcome(stalled), Errc::canceled);
  EXPECT_EQ(receive_last(server), Errc::connection_reset);
}

TEST_P(Resetting, harms_no_other_connection) {
  MEARI_NEEDS(resets);
  const End listener = listen();
  std::vector<std::pair<End, End>> all;
  for (int i = 0; i < 20; ++i) {
    const End client = dial(local(listener));
    all.emplace_back(client, accept(listener));
  }
  for (std::size_t i = 0; i < all.size(); i += 2) close(all[i].first, true);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i % 2 == 0) {
      EXPECT_EQ(receive_error(all[i].second), Errc::connection_reset);
    } else {
      send(all[i].first, "unharmed");
      EXPECT_EQ(receive(all[i].second), "unharmed");
    }
  }
}

TEST_P(Resetting, closing_with_bytes_that_nobody_read_breaks_off) {
  MEARI_NEEDS(resets);
  MEARI_NEEDS(system_sockets);  // RFC 1122, 4.2.2.13; of the kernel's queue, not of ours
  auto [client, server] = connected();
  send(client, "nobody ever reads this");
  let_pass(1ms);
  close(server);
  EXPECT_EQ(receive_last(client), Errc::connection_reset);
}

TEST_P(Resetting, a_peer_that_closes_first_breaks_our_pipe) {
  auto [client, server] = connected();
  close(client);
  EXPECT_EQ(receive(server), "");
  const Errc error = send_until_failure(server);
  EXPECT_TRUE(Error(error).peer_is_gone()) << describe(error);
  EXPECT_EQ(send_error(server, "again"), error);
}

TEST_P(Resetting, finishing_afterwards_ends_one_way_or_the_other) {
  MEARI_NEEDS(resets);
  auto [client, server] = connected();
  close(client, true);
  EXPECT_EQ(receive_error(server), Errc::connection_reset);
  Tracked<Finish> finish;
  const Errc error = run(server, finish);
  EXPECT_TRUE(error == Errc::none || error == Errc::not_connected || Error(error).peer_is_gone()) << describe(error);
}

TEST_P(Resetting, aborting_with_operations_pending_cancels_them) {
  MEARI_NEEDS(resets);
  auto [client, server] = connected();
  Tracked<Receive> receive;
  start(server, receive);
  const std::string block = pattern(1, 0, 1 << 20);
  Tracked<Send> stalled;
  fill(server, block, stalled);
  close(server, true);
  EXPECT_EQ(outcome(receive), Errc::canceled);
  EXPECT_EQ(outcome(stalled), Errc::canceled);
  EXPECT_EQ(receive_last(client), Errc::connection_reset);
}

TEST_P(Resetting, aborting_a_pair_is_seen_by_the_other) {
  auto [one, other] = pair();
  close(one, true);
  const Errc error = receive_last(other);
  EXPECT_TRUE(error == Errc::none || error == Errc::connection_reset) << describe(error);
  EXPECT_TRUE(Error(send_until_failure(other)).peer_is_gone());
}

TEST_P(Resetting, after_the_peers_end_fails_the_sender) {
  auto [client, server] = connected();
  finish(client);
  EXPECT_EQ(receive(server), "");
  close(client, true);
  let_pass(1ms);
  EXPECT_TRUE(Error(send_until_failure(server)).peer_is_gone());
}

TEST_P(Resetting, a_hundred_times_in_a_row) {
  const End listener = listen();
  for (int i = 0; i < 100; ++i) {
    const End client = dial(local(listener));
    const End server = accept(listener);
    Tracked<Receive> receive;
    start(server, receive);
    if (i % 3 == 0) send(client, "x");
    close(client, true);
    const Errc error = outcome(receive);
    EXPECT_TRUE(error == Errc::connection_reset || (i % 3 == 0 && error == Errc::none)) << describe(error);
    close(server, i % 2 == 0);
  }
}

}  // namespace
}  // namespace meari::test
