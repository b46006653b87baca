// Shows what the eight calls do, with real sockets on loopback: the good way, and every way that learners meet too late.
#include <meari/socket.hpp>

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "src/os/native.hpp"
#include "support/backend_harness.hpp"

namespace meari {
namespace {

using namespace std::chrono_literals;

Socket listening(Family family = Family::ipv4) {
  Socket listener = Socket::open(family, Kind::stream).value();
  listener.bind(Address::loopback(family, 0)).value();
  listener.listen().value();
  return listener;
}

struct Connected {
  Socket client, server;
  Address client_address;
};

Connected connected(Family family = Family::ipv4) {
  Socket listener = listening(family);
  Socket client = Socket::open(family, Kind::stream).value();
  client.connect(listener.local().value()).value();
  Accepted accepted = listener.accept().value();
  return {std::move(client), std::move(accepted.socket), accepted.from};
}

// A port of loopback where nobody listens: held by a socket that is only bound.
struct ClosedPort {
  Socket holder = Socket::open(Family::ipv4, Kind::stream).value();
  ClosedPort() { holder.bind({"127.0.0.1", 0}).value(); }
  [[nodiscard]] Address address() const { return holder.local().value(); }
};

std::string received(Socket& socket) {
  std::array<char, 4096> buffer;
  const std::size_t size = socket.recv(buffer).value();
  return {buffer.data(), size};
}

TEST(Socket, echoes_over_ipv4_and_ipv6) {
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    auto [client, server, address] = connected(family);
    EXPECT_EQ(address, client.local().value());
    EXPECT_EQ(server.peer().value(), address);
    client.send_all("hello").value();
    const std::string text = received(server);
    server.send_all(text).value();
    EXPECT_EQ(received(client), "hello");
    client.shutdown(Socket::Direction::send).value();
    EXPECT_EQ(received(server), "");  // the end
    server.send_all("late").value();  // the other direction still works
    EXPECT_EQ(received(client), "late");
  }
}

TEST(Socket, port_zero_becomes_the_port_that_the_kernel_chose) { EXPECT_NE(listening().local().value().port(), 0); }

TEST(Socket, an_ipv6_listener_on_all_addresses_takes_ipv4_too) {
  Socket listener = Socket::open(Family::ipv6, Kind::stream).value();
  listener.bind(Address::any(Family::ipv6, 0)).value();
  listener.listen().value();
  Socket client = Socket::open(Family::ipv4, Kind::stream).value();
  client.connect({"127.0.0.1", listener.local().value().port()}).value();
  EXPECT_TRUE(listener.accept().value().from.to_string().starts_with("127.0.0.1:"));
}

TEST(Socket, a_refused_connection_names_the_address_and_what_to_do) {
  const ClosedPort closed;
  Socket client = Socket::open(Family::ipv4, Kind::stream).value();
  const Result<> refused = client.connect(closed.address());
  ASSERT_TRUE(refused.error() == Errc::connection_refused);
  EXPECT_EQ(refused.error().message(), "connect to " + closed.address().to_string() + ": connection refused");
}

TEST(Socket, a_port_in_use_is_refused_and_named) {
  Socket first = listening();
  Socket second = Socket::open(Family::ipv4, Kind::stream).value();
  const Result<> in_use = second.bind(first.local().value());
  ASSERT_TRUE(in_use.error() == Errc::address_in_use);
  EXPECT_EQ(in_use.error().subject(), first.local().value().to_string());
}

TEST(Socket, a_server_restarts_at_once_although_a_connection_lingers) {
  Socket listener = listening();
  const Address here = listener.local().value();
  Socket client = Socket::open(Family::ipv4, Kind::stream).value();
  client.connect(here).value();
  Accepted accepted = listener.accept().value();
  accepted.socket.close().value();  // the server closes first: TIME_WAIT is on its side
  EXPECT_EQ(received(client), "");
  client.close().value();
  listener.close().value();
  Socket again = Socket::open(Family::ipv4, Kind::stream).value();
  EXPECT_TRUE(again.bind(here));
  EXPECT_TRUE(again.listen());
}

TEST(Socket, an_address_of_another_machine_cannot_be_bound) {
  Socket socket = Socket::open(Family::ipv4, Kind::stream).value();
  EXPECT_TRUE(socket.bind({"192.0.2.1", 0}).error() == Errc::address_not_available);
}

TEST(Socket, an_address_without_family_is_refused_by_every_call) {
  Socket stream = Socket::open(Family::ipv4, Kind::stream).value();
  EXPECT_TRUE(stream.bind(Address()).error() == Errc::invalid_argument);
  EXPECT_TRUE(stream.connect(Address("localhost", 1)).error() == Errc::invalid_argument);
  Socket datagram = Socket::open(Family::ipv4, Kind::datagram).value();
  EXPECT_TRUE(datagram.send_to(std::as_bytes(std::span("x")), Address()).error() == Errc::invalid_argument);
  EXPECT_TRUE(Socket::open(Family::unspecified, Kind::stream).error() == Errc::invalid_argument);
}

TEST(Socket, a_closed_socket_says_so) {
  Socket socket = Socket::open(Family::ipv4, Kind::stream).value();
  socket.close().value();
  EXPECT_FALSE(socket.is_open());
  EXPECT_TRUE(socket.send("x").error() == Errc::closed);
  EXPECT_TRUE(socket.listen().error() == Errc::closed);
  EXPECT_TRUE(socket.close().error() == Errc::closed);
}

TEST(Socket, a_client_that_reset_before_accept_is_accepted_with_its_address) {
  MEARI_SYSTEM_NEEDS(reset_in_queue);
  Socket listener = listening();
  Address client_address;
  {
    Socket client = Socket::open(Family::ipv4, Kind::stream).value();
    client.connect(listener.local().value()).value();
    client_address = client.local().value();
    client.set_linger(0).value();
  }
  Accepted accepted = listener.accept().value();
  EXPECT_EQ(accepted.from, client_address);
  EXPECT_TRUE(accepted.socket.peer().error() == Errc::not_connected);
  std::array<char, 8> buffer;
  const Result<std::size_t> reset = accepted.socket.recv(buffer);
  ASSERT_TRUE(reset.error() == Errc::connection_reset);
  EXPECT_TRUE(reset.error().peer_is_gone());
}

TEST(Socket, a_connection_to_itself_is_refused_and_the_socket_is_usable_afterwards) {
  Socket socket = Socket::open(Family::ipv4, Kind::stream).value();
  socket.bind({"127.0.0.1", 0}).value();
  const Result<> itself = socket.connect(socket.local().value());
  ASSERT_TRUE(itself.error() == Errc::self_connect) << itself.error().message();
  MEARI_SYSTEM_NEEDS(dissolving);
  Socket listener = listening();
  EXPECT_TRUE(socket.connect(listener.local().value()));
}

TEST(Socket, writing_twice_after_the_peer_has_gone_is_an_error_and_no_signal) {
  auto [client, server, address] = connected();
  client.close().value();
  Result<> sent = server.send_all("first");
  EXPECT_TRUE(sent);  // the kernel takes it; the answer is RST
  for (int i = 0; sent && i < 200; ++i) {
    std::this_thread::sleep_for(5ms);
    sent = server.send_all("second");
  }
  EXPECT_TRUE(sent.error() == Errc::broken_pipe || sent.error() == Errc::connection_reset) << sent.error().message();
}

TEST(Socket, receiving_exactly_fails_when_the_peer_ends_too_early) {
  auto [client, server, address] = connected();
  client.send_all("12345").value();
  client.shutdown(Socket::Direction::send).value();
  std::array<std::byte, 3> first;
  EXPECT_TRUE(server.recv_exactly(first));
  std::array<std::byte, 3> second;
  EXPECT_TRUE(server.recv_exactly(second).error() == Errc::unexpected_end);
}

TEST(Socket, an_empty_buffer_is_refused_because_it_would_look_like_the_end) {
  auto [client, server, address] = connected();
  EXPECT_TRUE(server.recv(std::span<char>()).error() == Errc::invalid_argument);
  EXPECT_TRUE(server.recv_exactly({}));
  EXPECT_EQ(client.send("").value(), 0U);
}

TEST(Socket, a_receive_timeout_is_not_an_end) {
  auto [client, server, address] = connected();
  server.set_receive_timeout(20ms).value();
  std::array<char, 8> buffer;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(server.recv(buffer).error() == Errc::timed_out);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 15ms);
}

TEST(Socket, without_blocking_there_is_nothing_yet) {
  auto [client, server, address] = connected();
  server.set_non_blocking(true).value();
  std::array<char, 8> buffer;
  EXPECT_TRUE(server.recv(buffer).error() == Errc::would_block);
  Socket listener = listening();
  listener.set_non_blocking(true).value();
  EXPECT_TRUE(listener.accept().error() == Errc::would_block);
}

TEST(Socket, datagrams_keep_their_borders_and_tell_when_they_were_cut) {
  Socket server = Socket::open(Family::ipv4, Kind::datagram).value();
  server.bind({"127.0.0.1", 0}).value();
  Socket client = Socket::open(Family::ipv4, Kind::datagram).value();
  const std::string text = "0123456789";
  EXPECT_EQ(client.send_to(std::as_bytes(std::span(text)), server.local().value()).value(), 10U);
  EXPECT_EQ(client.send_to({}, server.local().value()).value(), 0U);
  std::array<std::byte, 4> small;
  const ReceivedFrom cut = server.recv_from(small).value();
  EXPECT_EQ(cut.size, 4U);
  EXPECT_TRUE(cut.truncated);
  EXPECT_EQ(cut.from.port(), client.local().value().port());
  const ReceivedFrom empty = server.recv_from(small).value();
  EXPECT_EQ(empty.size, 0U);
  EXPECT_FALSE(empty.truncated);
}

TEST(Socket, a_datagram_that_is_too_long_is_refused) {
  Socket client = Socket::open(Family::ipv4, Kind::datagram).value();
  const std::vector<std::byte> large(70'000);
  EXPECT_TRUE(client.send_to(large, {"127.0.0.1", 9}).error() == Errc::message_too_long);
}

TEST(Socket, eight_mebibytes_arrive_whole_and_in_order_at_a_slow_reader) {
  Connected ends = connected();
  std::vector<std::byte> data(8 << 20);
  std::uint32_t state = 1;
  for (std::byte& byte : data) byte = static_cast<std::byte>((state = state * 1664525 + 1013904223) >> 24);
  std::thread writer([&] {
    ends.client.send_all(data).value();
    ends.client.shutdown(Socket::Direction::send).value();
  });
  std::vector<std::byte> all;
  std::vector<std::byte> buffer(100'000);
  while (const std::size_t size = ends.server.recv(buffer).value()) {
    all.insert(all.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size));
    if (all.size() % 7 == 0) std::this_thread::sleep_for(1ms);
  }
  writer.join();
  EXPECT_TRUE(all == data);
}

TEST(Socket, a_pair_is_connected_both_ways) {
  auto [first, second] = Socket::pair().value();
  first.send_all("ping").value();
  EXPECT_EQ(received(second), "ping");
  second.send_all("pong").value();
  EXPECT_EQ(received(first), "pong");
}

TEST(Socket, options_can_be_set) {
  auto [client, server, address] = connected();
  EXPECT_TRUE(client.set_no_delay(true));
  EXPECT_TRUE(client.set_keep_alive(true));
  EXPECT_TRUE(client.set_keep_alive(false));
  EXPECT_TRUE(client.set_send_buffer(65536));
  EXPECT_TRUE(client.set_receive_buffer(65536));
  EXPECT_TRUE(client.set_linger(1));
  Socket ipv6 = Socket::open(Family::ipv6, Kind::stream).value();
  EXPECT_TRUE(ipv6.set_v6_only(true));
}

TEST(Socket, ownership_moves_and_can_be_given_away) {
  Socket socket = Socket::open(Family::ipv4, Kind::stream).value();
  Socket moved = std::move(socket);
  EXPECT_FALSE(socket.is_open());  // NOLINT: what a move leaves is specified
  const Descriptor descriptor = moved.release();
  EXPECT_FALSE(moved.is_open());
  EXPECT_TRUE(Socket::adopt(descriptor).close());
}

}  // namespace
}  // namespace meari
