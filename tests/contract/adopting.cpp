// Sockets that come from elsewhere and go elsewhere: adopt, release, pair.

#include <array>

#include "pattern.hpp"
#include "src/os/native.hpp"

namespace meari::test {
namespace {

class Adopting : public Contract {};
MEARI_EVERY_BACKEND(Adopting);

// ---- streams, listeners and datagrams of the system

TEST_P(Adopting, a_stream_that_somebody_else_connected) {
  MEARI_NEEDS(system_sockets);
  auto [mine, theirs] = Socket::pair().value();
  const End end = adopt(backend(), mine.release());
  EXPECT_EQ(facts(end).role, Role::stream);
  ASSERT_TRUE(theirs.send_all(std::string_view("from outside")).has_value());
  EXPECT_EQ(receive(end), "from outside");
  send(end, "from inside");
  std::array<char, 32> buffer{};
  EXPECT_EQ(theirs.recv(std::span(buffer)).value(), 11U);
  finish(end);
  EXPECT_EQ(theirs.recv(std::span(buffer)).value(), 0U);
}

TEST_P(Adopting, a_stream_with_bytes_and_its_end_in_it_already) {
  MEARI_NEEDS(system_sockets);
  auto [mine, theirs] = Socket::pair().value();
  ASSERT_TRUE(theirs.send_all(std::string_view("early")).has_value());
  ASSERT_TRUE(theirs.close().has_value());
  const End end = adopt(backend(), mine.release());
  EXPECT_EQ(receive_all(end), "early");
}

TEST_P(Adopting, a_listener_that_somebody_else_opened) {
  MEARI_NEEDS(system_sockets);
  Socket socket = Socket::open(Family::ipv4, Kind::stream).value();
  ASSERT_TRUE(socket.bind(Address::loopback(Family::ipv4, 0)).has_value());
  ASSERT_TRUE(socket.listen().has_value());
  const End listener = adopt(backend(), socket.release(), Role::listener);
  EXPECT_EQ(facts(listener).role, Role::listener);
  const End client = dial(local(listener));
  const End server = accept(listener);
  send(client, "inherited");
  EXPECT_EQ(receive(server), "inherited");
}

TEST_P(Adopting, a_datagram_socket_that_somebody_else_opened) {
  MEARI_NEEDS(system_sockets);
  Socket socket = Socket::open(Family::ipv4, Kind::datagram).value();
  ASSERT_TRUE(socket.bind(Address::loopback(Family::ipv4, 0)).has_value());
  const End end = adopt(backend(), socket.release(), Role::datagram);
  EXPECT_EQ(facts(end).role, Role::datagram);
  Socket other = Socket::open(Family::ipv4, Kind::datagram).value();
  ASSERT_TRUE(other.send_to(std::as_bytes(std::span("hi", 2)), local(end)).has_value());
  Tracked<ReceiveFrom> receive;
  EXPECT_EQ(run(end, receive), Errc::none);
  EXPECT_EQ(receive.chunk.text(), "hi");
}

TEST_P(Adopting, a_stream_that_is_not_connected_yet_connects) {
  MEARI_NEEDS(system_sockets);
  const End listener = listen();
  Socket socket = Socket::open(Family::ipv4, Kind::stream).value();
  const End client = adopt(backend(), socket.release());
  EXPECT_EQ(send_error(client, "x"), Errc::not_connected);
  Tracked<Connect> connect;
  connect.target = local(listener);
  EXPECT_EQ(run(client, connect), Errc::none);
  const End server = accept(listener);
  send(client, "connected now");
  EXPECT_EQ(receive(server), "connected now");
}

TEST_P(Adopting, as_something_that_it_is_not_never_lies) {
  MEARI_NEEDS(system_sockets);
  Socket socket = Socket::open(Family::ipv4, Kind::datagram).value();
  ASSERT_TRUE(socket.bind(Address::loopback(Family::ipv4, 0)).has_value());
  const Result<SlotId> slot = backend().adopt(socket.descriptor(), Role::listener);
  if (slot) {
    EXPECT_EQ(backend().facts(*slot).role, Role::datagram);
    static_cast<void>(socket.release());
    backend().close(*slot);
  } else {
    EXPECT_EQ(slot.error().code(), Errc::invalid_argument);
    EXPECT_TRUE(socket.local().has_value()) << "the descriptor stays with the caller";
  }
}

// ---- giving back

TEST_P(Adopting, a_released_stream_works_with_blocking_calls) {
  MEARI_NEEDS(system_sockets);
  auto [client, server] = connected();
  send(client, "before ");
  EXPECT_EQ(receive(server), "before ");
  const Descriptor descriptor = backend().release(server.slot).value();
  EXPECT_FALSE(os::is_non_blocking(descriptor));
  Socket socket = Socket::adopt(descriptor);
  send(client, "after");
  std::array<char, 32> buffer{};
  EXPECT_EQ(socket.recv(std::span(buffer)).value(), 5U);
  ASSERT_TRUE(socket.send_all(std::string_view("blocking")).has_value());
  EXPECT_EQ(receive(client), "blocking");
}

TEST_P(Adopting, a_released_stream_is_no_longer_ours) {
  auto [client, server] = connected();
  const Result<Descriptor> descriptor = backend().release(server.slot);
  ASSERT_TRUE(descriptor.has_value()) << descriptor.error().message();
  EXPECT_EQ(receive_error(server), Errc::closed);
  backend().close(server.slot);
  EXPECT_EQ(backend().slots_in_use(), 1U);
  const End again = adopt(backend(), *descriptor);
  send(client, "and back again");
  EXPECT_EQ(receive(again), "and back again");
}

TEST_P(Adopting, a_stream_that_has_waited_comes_back_to_the_same_backend) {
  auto [client, server] = connected();
  Tracked<Receive> first;
  start(server, first);
  let_pass(1ms);  // whatever tells the backend of bytes is in place now
  send(client, "one");
  EXPECT_EQ(outcome(first), Errc::none);
  first.chunk = Chunk();
  Result<Descriptor> descriptor = Errc::busy;
  EXPECT_TRUE(until([&] { return (descriptor = backend().release(server.slot)).has_value(); }));
  const End again = adopt(backend(), *descriptor);
  Tracked<Receive> second;
  EXPECT_EQ(start(again, second), Submitted::pending);
  let_pass(1ms);
  send(client, "two");
  EXPECT_EQ(outcome(second), Errc::none);
  EXPECT_EQ(second.chunk.text(), "two");
}

TEST_P(Adopting, a_released_stream_goes_on_at_a_sibling) {
  auto [client, server] = connected();
  send(client, "one");
  EXPECT_EQ(receive(server), "one");
  const Result<Descriptor> descriptor = backend().release(server.slot);
  ASSERT_TRUE(descriptor.has_value()) << descriptor.error().message();
  send(client, "two");
  const End moved = adopt(sibling(), *descriptor);
  EXPECT_EQ(receive(moved), "two");
  send(moved, "three");
  EXPECT_EQ(receive(client), "three");
}

TEST_P(Adopting, releasing_loses_no_byte_whenever_it_happens) {
  auto [client, first] = connected();
  Sender sender(*this, client, {.seed = 2, .total = 2'000'000});
  End server = first;
  std::uint64_t got = 0;
  for (int moves = 0;; ++moves) {
    Tracked<Receive> receive;
    ASSERT_EQ(run(server, receive), Errc::none);
    if (receive.chunk.empty()) break;
    ASSERT_EQ(match_pattern(2, got, receive.chunk.bytes()), receive.chunk.size()) << "at " << got;
    got += receive.chunk.size();
    Result<Descriptor> descriptor = server.backend->release(server.slot);
    if (!descriptor) {  // bytes have come in meanwhile
      EXPECT_EQ(descriptor.error().code(), Errc::busy);
      continue;
    }
    server = adopt(moves % 2 == 0 ? sibling() : backend(), *descriptor);
  }
  EXPECT_EQ(got, 2'000'000U);
}

TEST_P(Adopting, releasing_is_busy_while_somebody_waits) {
  auto [client, server] = connected();
  Tracked<Receive> receive_;
  start(server, receive_);
  EXPECT_EQ(backend().release(server.slot).error().code(), Errc::busy);
  send(client, "still in place");
  EXPECT_EQ(outcome(receive_), Errc::none);
  EXPECT_EQ(receive_.chunk.text(), "still in place");
}

TEST_P(Adopting, releasing_is_busy_while_a_send_waits) {
  auto [client, server] = connected();
  const std::string block = pattern(1, 0, 1 << 20);
  Tracked<Send> stalled;
  fill(client, block, stalled);
  EXPECT_EQ(backend().release(client.slot).error().code(), Errc::busy);
}

TEST_P(Adopting, releasing_is_busy_while_bytes_are_unread) {
  auto [client, server] = connected();
  send(client, "two parts");
  EXPECT_EQ(receive(server, 4), "two ");
  backend().unread(server.slot, Chunk::copy_of(std::as_bytes(std::span("two ", 4))).value());
  EXPECT_EQ(backend().release(server.slot).error().code(), Errc::busy);
  EXPECT_EQ(receive_exactly(server, 9), "two parts");
}

TEST_P(Adopting, a_listener_can_be_released) {
  const End listener = listen();
  const Address address = local(listener);
  const Result<Descriptor> descriptor = backend().release(listener.slot);
  ASSERT_TRUE(descriptor.has_value()) << descriptor.error().message();
  const End again = adopt(backend(), *descriptor, Role::listener);
  EXPECT_EQ(local(again), address);
  dial(address);
  accept(again);
}

TEST_P(Adopting, a_listener_that_has_served_can_be_released_with_its_queue) {
  const End listener = listen();
  dial(local(listener));
  accept(listener);
  const End waiting = dial(local(listener));
  const Result<Descriptor> descriptor = backend().release(listener.slot);
  ASSERT_TRUE(descriptor.has_value()) << descriptor.error().message();
  const End again = adopt(sibling(), *descriptor, Role::listener);
  Address from;
  accept(again, &from);
  EXPECT_EQ(from, local(waiting));
}

TEST_P(Adopting, a_released_listener_waits_in_blocking_calls) {
  MEARI_NEEDS(system_sockets);
  const End listener = listen();
  const Address address = local(listener);
  dial(address);
  accept(listener);
  Socket socket = Socket::adopt(backend().release(listener.slot).value());
  EXPECT_FALSE(os::is_non_blocking(socket.descriptor()));
}

TEST_P(Adopting, releasing_what_is_closed_says_closed) {
  const End end = stream();
  close(end);
  EXPECT_EQ(backend().release(end.slot).error().code(), Errc::closed);
}

// ---- pairs

TEST_P(Adopting, the_ends_of_a_pair_are_connected) {
  auto [one, other] = pair();
  send(one, "there");
  EXPECT_EQ(receive(other), "there");
  send(other, "and back");
  EXPECT_EQ(receive(one), "and back");
  close(one);
  EXPECT_EQ(receive(other), "");
}

TEST_P(Adopting, a_pair_carries_a_megabyte_each_way) {
  auto [one, other] = pair();
  Sender up(*this, one, {.seed = 1, .total = 1 << 20});
  Sender down(*this, other, {.seed = 2, .total = 1 << 20});
  Receiver at_other(*this, other, 1), at_one(*this, one, 2);
  EXPECT_TRUE(until([&] { return at_other.over() && at_one.over(); }));
  EXPECT_EQ(at_other.received() + at_one.received(), 2U << 20);
}

}  // namespace
}  // namespace meari::test
