// How a Connect ends: reached, refused, cancelled in either order, or with itself at the other end.
#include <deque>
#include <filesystem>

#include "backend_harness.hpp"
#include "this_system.hpp"

namespace meari::test {
namespace {

class Connecting : public Contract {
 protected:
  Errc connect_to(const Address& target) {
    Tracked<Connect> connect;
    connect.target = target;
    return run(stream(target.family() == Family::unspecified ? Family::ipv4 : target.family()), connect);
  }
  // A listener whose queue is full, so that the next connect has to wait. Clients stay in `ends`.
  End full_listener(Family family = Family::ipv4) {
    const End listener = listen(family, 1);
    for (int i = 0; i < 2; ++i) {
      Tracked<Connect>& connect = queued_.emplace_back();
      connect.target = local(listener);
      start(stream(family), connect);
    }
    EXPECT_TRUE(until([&] { return queued_[0].over() && queued_[1].over(); }));
    return listener;
  }

 private:
  std::deque<Tracked<Connect>> queued_;
};
MEARI_EVERY_BACKEND(Connecting);

TEST_P(Connecting, both_ends_agree_on_their_addresses) {
  auto [client, server] = connected();
  EXPECT_EQ(local(client), backend().peer(server.slot).value());
  EXPECT_EQ(local(server), backend().peer(client.slot).value());
}

TEST_P(Connecting, is_refused_where_nobody_listens) {
  const End bound = open({.local = Address::loopback(Family::ipv4, 0)});  // has the port, does not listen
  Tracked<Connect> connect;
  connect.target = local(bound);
  EXPECT_EQ(run(stream(), connect), Errc::connection_refused);
  EXPECT_NE(connect.error.message().find(local(bound).to_string()), std::string::npos) << connect.error.message();
}

TEST_P(Connecting, a_refusal_comes_through_the_ready_list) {
  const End bound = open({.local = Address::loopback(Family::ipv4, 0)});
  Tracked<Connect> connect;
  connect.target = local(bound);
  EXPECT_EQ(start(stream(), connect), Submitted::pending);
  EXPECT_EQ(outcome(connect), Errc::connection_refused);
}

TEST_P(Connecting, after_a_refusal_nothing_can_be_sent_or_received) {
  const End bound = open({.local = Address::loopback(Family::ipv4, 0)});
  const End client = stream();
  Tracked<Connect> connect;
  connect.target = local(bound);
  EXPECT_EQ(run(client, connect), Errc::connection_refused);
  EXPECT_EQ(send_error(client, "x"), Errc::not_connected);
  EXPECT_EQ(receive_error(client), Errc::not_connected);
}

TEST_P(Connecting, works_over_ipv6) {
  MEARI_NEEDS(ipv6);
  const End listener = listen(Family::ipv6);
  const End client = dial(local(listener));
  EXPECT_EQ(backend().peer(client.slot).value(), local(listener));
}

TEST_P(Connecting, is_refused_over_ipv6) {
  MEARI_NEEDS(ipv6);
  const End bound = open({.family = Family::ipv6, .local = Address::loopback(Family::ipv6, 0)});
  EXPECT_EQ(connect_to(local(bound)), Errc::connection_refused);
}

TEST_P(Connecting, works_over_a_unix_domain_path) {
  MEARI_NEEDS(unix_domain);
  MEARI_NEEDS(system_sockets);
  const std::string path =
      testing::TempDir() + "meari-contract-" + std::to_string(process_number()) + "-" + name(GetParam());
  const End listener = listen_at(Address::from_path(path).value());
  const End client = dial(local(listener));
  const End server = accept(listener);
  send(client, "by path");
  EXPECT_EQ(receive(server), "by path");
  std::filesystem::remove(path);
}

TEST_P(Connecting, works_over_an_abstract_name) {
  MEARI_NEEDS(abstract_names);
  MEARI_NEEDS(unix_domain);
  const End listener = listen(Family::local);
  EXPECT_TRUE(local(listener).path().starts_with("@")) << local(listener).path();
  dial(local(listener));
  accept(listener);
}

TEST_P(Connecting, to_a_path_that_is_not_there_fails_with_not_found) {
  MEARI_NEEDS(unix_domain);
  MEARI_NEEDS(system_sockets);
  EXPECT_EQ(connect_to(Address::from_path("/tmp/meari-contract-nobody-was-ever-here").value()), Errc::not_found);
}

TEST_P(Connecting, to_an_abstract_name_that_nobody_has_is_refused) {
  MEARI_NEEDS(abstract_names);
  MEARI_NEEDS(unix_domain);
  EXPECT_EQ(connect_to(free_address(Family::local)), Errc::connection_refused);
}

TEST_P(Connecting, to_port_zero_fails) { EXPECT_NE(connect_to(Address::loopback(Family::ipv4, 0)), Errc::none); }

TEST_P(Connecting, to_no_address_is_an_invalid_argument) { EXPECT_EQ(connect_to(Address()), Errc::invalid_argument); }

TEST_P(Connecting, to_an_address_of_another_family_fails) {
  MEARI_NEEDS(ipv6);
  const End listener = listen(Family::ipv6);
  Tracked<Connect> connect;
  connect.target = local(listener);
  EXPECT_NE(run(stream(Family::ipv4), connect), Errc::none);
}

TEST_P(Connecting, to_itself_is_refused_as_self_connect) {
  const End client = open({.local = Address::loopback(Family::ipv4, 0)});
  Tracked<Connect> connect;
  connect.target = local(client);
  EXPECT_EQ(run(client, connect), Errc::self_connect);
  EXPECT_EQ(send_error(client, "to myself"), Errc::not_connected);
}

TEST_P(Connecting, from_an_address_of_its_own_choice) {
  const End listener = listen();
  const End client = open({.local = Address::loopback(Family::ipv4, 0)});
  const Address chosen = local(client);
  Tracked<Connect> connect;
  connect.target = local(listener);
  ASSERT_EQ(run(client, connect), Errc::none);
  Address from;
  accept(listener, &from);
  EXPECT_EQ(from, chosen);
}

TEST_P(Connecting, a_second_time_fails_and_leaves_the_connection_as_it_is) {
  const End listener = listen();
  const End client = dial(local(listener));
  const End server = accept(listener);
  Tracked<Connect> connect;
  connect.target = local(listener);
  EXPECT_NE(run(client, connect), Errc::none);
  send(client, "still connected");
  EXPECT_EQ(receive(server), "still connected");
}

TEST_P(Connecting, only_a_stream_connects) {
  const End listener = listen();
  Tracked<Connect> connect;
  connect.target = local(listener);
  EXPECT_EQ(run(listener, connect), Errc::invalid_argument);
  EXPECT_EQ(run(open({.role = Role::datagram}), connect), Errc::invalid_argument);
}

TEST_P(Connecting, before_it_nothing_can_be_sent_received_or_finished) {
  const End client = stream();
  EXPECT_EQ(send_error(client, "x"), Errc::not_connected);
  EXPECT_EQ(receive_error(client), Errc::not_connected);
  Tracked<Finish> finish;
  EXPECT_EQ(run(client, finish), Errc::not_connected);
}

TEST_P(Connecting, fifty_at_once_all_arrive) {
  const End listener = listen();
  std::deque<Tracked<Connect>> connects;
  for (int i = 0; i < 50; ++i) {
    connects.emplace_back().target = local(listener);
    start(stream(), connects.back());
  }
  for (Tracked<Connect>& connect : connects) EXPECT_EQ(outcome(connect), Errc::none);
}

TEST_P(Connecting, cancelled_at_once_ends_once_one_way_or_the_other) {
  for (int round = 0; round < 50; ++round) {
    const End listener = listen();
    const End client = stream();
    Tracked<Connect> connect;
    connect.target = local(listener);
    start(client, connect);
    backend().cancel(connect);
    const Errc error = outcome(connect);
    if (error == Errc::none) {
      const End server = accept(listener);
      send(client, "success came first");
      EXPECT_EQ(receive(server), "success came first");
      close(server);
    } else {
      EXPECT_EQ(error, Errc::canceled);
      EXPECT_EQ(send_error(client, "x"), Errc::not_connected);
    }
    close(client);
    close(listener);
  }
}

TEST_P(Connecting, cancelled_after_success_keeps_the_connection) {
  const End listener = listen();
  const End client = stream();
  Tracked<Connect> connect;
  connect.target = local(listener);
  ASSERT_EQ(run(client, connect), Errc::none);
  backend().cancel(connect);
  EXPECT_EQ(connect.error.code(), Errc::none);
  const End server = accept(listener);
  send(client, "kept");
  EXPECT_EQ(receive(server), "kept");
}

TEST_P(Connecting, waits_while_the_queue_of_the_listener_is_full) {
  const End listener = full_listener();
  const End client = stream();
  Tracked<Connect> connect;
  connect.target = local(listener);
  start(client, connect);
  let_pass(10ms);
  accept(listener);
  accept(listener);
  EXPECT_EQ(outcome(connect), Errc::none);  // the kernel knocks again after a second
  accept(listener);
}

TEST_P(Connecting, a_second_time_while_the_first_waits_is_busy) {
  const End listener = full_listener();
  const End client = stream();
  Tracked<Connect> first, second;
  first.target = second.target = local(listener);
  start(client, first);
  let_pass(5ms);
  if (first.over()) GTEST_SKIP() << "the queue took one more than it was asked to";
  EXPECT_EQ(run(client, second), Errc::busy);
  EXPECT_FALSE(first.over());
  backend().cancel(first);
  EXPECT_EQ(outcome(first), Errc::canceled);
}

TEST_P(Connecting, cancelled_while_it_waits) {
  const End listener = full_listener();
  Tracked<Connect> connect;
  connect.target = local(listener);
  start(stream(), connect);
  let_pass(5ms);
  if (connect.over()) GTEST_SKIP() << "the queue took one more than it was asked to";
  backend().cancel(connect);
  EXPECT_EQ(outcome(connect), Errc::canceled);
}

TEST_P(Connecting, cancelled_by_a_deadline_says_timed_out) {
  const End listener = full_listener();
  Tracked<Connect> connect;
  connect.target = local(listener);
  start(stream(), connect);
  let_pass(5ms);
  if (connect.over()) GTEST_SKIP() << "the queue took one more than it was asked to";
  backend().cancel(connect, Errc::timed_out);
  EXPECT_EQ(outcome(connect), Errc::timed_out);
}

TEST_P(Connecting, closed_while_it_waits) {
  const End listener = full_listener();
  const End client = stream();
  Tracked<Connect> connect;
  connect.target = local(listener);
  start(client, connect);
  let_pass(5ms);
  if (connect.over()) GTEST_SKIP() << "the queue took one more than it was asked to";
  close(client);
  EXPECT_EQ(outcome(connect), Errc::canceled);
}

TEST_P(Connecting, closed_at_once_ends_once) {
  for (int round = 0; round < 20; ++round) {
    const End listener = listen();
    const End client = stream();
    Tracked<Connect> connect;
    connect.target = local(listener);
    start(client, connect);
    close(client);
    const Errc error = outcome(connect);
    EXPECT_TRUE(error == Errc::none || error == Errc::canceled) << describe(error);
    close(listener);
  }
}

TEST_P(Connecting, to_a_full_queue_over_unix_fails_or_can_be_cancelled) {
  MEARI_NEEDS(abstract_names);
  MEARI_NEEDS(unix_domain);
  const End listener = listen(Family::local, 0);
  std::deque<Tracked<Connect>> connects;
  for (int i = 0; i < 4; ++i) {
    connects.emplace_back().target = local(listener);
    start(stream(Family::local), connects.back());
  }
  let_pass(5ms);
  for (Tracked<Connect>& connect : connects) {
    backend().cancel(connect);
    const Errc error = outcome(connect);
    EXPECT_TRUE(error == Errc::none || error == Errc::canceled || error == Errc::would_block) << describe(error);
  }
}

}  // namespace
}  // namespace meari::test
