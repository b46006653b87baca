// What stands above a single stream, over every backend: the race of connect(), listeners, datagrams, and a server that
// drains.
#include <optional>

#include <meari/datagram.hpp>
#include <meari/server.hpp>

#include "loop_harness.hpp"

namespace meari::test {
namespace {

class Services : public OnLoop {
 protected:
  // An address that answers nothing, as one behind a dead link: its queue is full, and the clients in it stay.
  Task<Address> black_hole() {
    hole_ = co_await Listener::open(loop(), Address::loopback(Family::ipv4, 0), hole_options_);
    Address at = co_await hole_.local();
    std::vector<Address> where(1, at);
    ConnectOptions soon;
    soon.timeout = 100ms;
    for (;;) {
      Result<Stream> waiting = co_await as_result(connect(where, soon));
      if (!waiting) break;
      waiting_.push_back(std::move(*waiting));
    }
    co_return at;
  }
  // An address that refuses: bound, and nobody listens.
  Address refusing() {
    const SlotId slot = loop().backend().open({.local = Address::loopback(Family::ipv4, 0)}).value();
    bound_.push_back(slot);
    return loop().backend().local(slot).value();
  }
  void TearDown() override {
    for (const SlotId slot : bound_) loop().backend().close(slot);
    for (Stream& stream : waiting_) stream.abort();
    hole_.close();
    OnLoop::TearDown();
  }

 private:
  ListenOptions hole_options_{.backlog = 1};
  Listener hole_;
  std::vector<Stream> waiting_;
  std::vector<SlotId> bound_;
};
MEARI_EVERY_BACKEND(Services);

// ---- connect

TEST_P(Services, connect_goes_on_to_the_next_address_when_one_refuses) {
  auto body = [&]() -> Task<> {
    Listener listener = co_await Listener::open(loop(), free_address(Family::ipv4));
    std::vector<Address> where;
    where.push_back(refusing());
    where.push_back(refusing());
    where.push_back(co_await listener.local());
    Stream client = co_await connect(where);
    Stream server = co_await listener.accept();
    co_await client.write("third");
    Chunk text = co_await server.read();
    EXPECT_EQ(text.text(), "third");
  };
  const Time before = now();
  run(body);
  if (GetParam() == Make::wire) EXPECT_LT(now(), before + 250ms) << "a refusal does not wait for the stagger";
}

TEST_P(Services, connect_does_not_wait_for_a_dead_address) {
  auto body = [&]() -> Task<> {
    Listener listener = co_await Listener::open(loop(), free_address(Family::ipv4));
    std::vector<Address> where;
    where.push_back(co_await black_hole());
    where.push_back(co_await listener.local());
    const Time before = loop().now();
    Stream client = co_await connect(where);
    EXPECT_GE(loop().now(), before + 250ms) << "RFC 8305: the first has a quarter of a second";
    const Address peer = co_await client.peer();
    EXPECT_EQ(peer, where[1]);
    Stream server = co_await listener.accept();
    co_await server.write("alive");
    Chunk text = co_await client.read();
    EXPECT_EQ(text.text(), "alive");
  };
  run(body);
}

TEST_P(Services, connect_to_a_dead_address_ends_in_time) {
  auto body = [&]() -> Task<> {
    std::vector<Address> where;
    where.push_back(co_await black_hole());
    ConnectOptions options;
    options.timeout = 50ms;
    const Time before = loop().now();
    Result<Stream> nobody = co_await as_result(connect(where, options));
    EXPECT_EQ(nobody.error(), Errc::timed_out);
    EXPECT_GE(loop().now(), before + 50ms);
  };
  run(body);
}

TEST_P(Services, connect_tells_whom_it_could_not_reach) {
  auto body = [&]() -> Task<> {
    std::vector<Address> where(1, refusing());
    Result<Stream> nobody = co_await as_result(connect(where));
    EXPECT_EQ(nobody.error(), Errc::connection_refused);
    EXPECT_NE(nobody.error().message().find(where[0].to_string()), std::string::npos) << nobody.error().message();
  };
  run(body);
}

TEST_P(Services, connect_that_is_cancelled_leaves_nothing) {
  auto body = [&]() -> Task<> {
    std::vector<Address> where;
    where.push_back(co_await black_hole());
    const std::size_t slots = loop().backend().slots_in_use();
    Result<Stream> nobody = co_await as_result(with_timeout(20ms, connect(where)));
    EXPECT_FALSE(nobody.has_value());
    while (loop().backend().slots_in_use() != slots) co_await sleep_for(1ms);
  };
  run(body);
}

TEST_P(Services, connect_without_addresses_fails) {
  auto body = [&]() -> Task<> {
    std::vector<Address> nowhere;
    Result<Stream> nobody = co_await as_result(connect(nowhere));
    EXPECT_FALSE(nobody.has_value());
  };
  run(body);
}

TEST_P(Services, the_losers_of_a_race_are_closed) {
  auto body = [&]() -> Task<> {
    Listener one = co_await Listener::open(loop(), free_address(Family::ipv4));
    Listener other = co_await Listener::open(loop(), free_address(Family::ipv4));
    std::vector<Address> where;
    where.push_back(co_await one.local());
    where.push_back(co_await other.local());
    ConnectOptions at_once;
    at_once.stagger = Duration::zero();
    const std::size_t slots = loop().backend().slots_in_use();
    Stream winner = co_await connect(where, at_once);
    while (loop().backend().slots_in_use() != slots + 1) co_await sleep_for(1ms);
    EXPECT_TRUE(winner.is_open());
  };
  run(body);
}

TEST_P(Services, connect_from_a_chosen_address) {
  auto body = [&]() -> Task<> {
    Listener listener = co_await Listener::open(loop(), free_address(Family::ipv4));
    std::vector<Address> where;
    where.push_back(co_await listener.local());
    ConnectOptions options;
    options.source = Address("127.0.0.1", 0);
    Stream client = co_await connect(where, options);
    const Address local = co_await client.local();
    EXPECT_EQ(local.ip(), options.source.ip());
  };
  run(body);
}

TEST_P(Services, connect_does_not_wait_where_it_cannot_even_begin) {
  auto body = [&]() -> Task<> {
    Listener listener = co_await Listener::open(loop(), free_address(Family::ipv4));
    std::vector<Address> where;
    where.push_back(co_await listener.local());
    ConnectOptions options;
    options.source = Address("192.0.2.1", 0);  // of a network for documents: not ours
    options.stagger = 1h;
    Result<Stream> nobody = co_await as_result(connect(where, options));
    EXPECT_EQ(nobody.error(), Errc::address_not_available);
    // Sockets of Unix have no such source; they come after two that cannot be.
    where.push_back(where.front());
    const Address local_listener = free_address(Family::local);
    Listener other = co_await Listener::open(loop(), local_listener);
    where.push_back(local_listener);
    Stream client = co_await connect(where, options);
    EXPECT_TRUE(client.is_open());
  };
  if (missing(GetParam(), Need::unix_domain).empty()) run(body);
}

// ---- listeners

TEST_P(Services, a_listener_gives_streams_in_the_order_of_their_clients) {
  auto body = [&]() -> Task<> {
    Listener listener = co_await Listener::open(loop(), free_address(Family::ipv4));
    std::vector<Address> where;
    where.push_back(co_await listener.local());
    std::vector<Stream> clients;
    for (int i = 0; i < 10; ++i) clients.push_back(co_await connect(where));
    for (Stream& client : clients) {
      Stream server = co_await listener.accept();
      const Address from = co_await server.peer();
      const Address expected = co_await client.local();
      EXPECT_EQ(from, expected);
    }
  };
  run(body);
}

TEST_P(Services, an_accept_that_is_out_of_time_loses_no_client) {
  auto body = [&]() -> Task<> {
    Listener listener = co_await Listener::open(loop(), free_address(Family::ipv4));
    Result<Stream> nobody = co_await as_result(with_timeout(10ms, listener.accept()));
    EXPECT_EQ(nobody.error(), Errc::timed_out);
    std::vector<Address> where;
    where.push_back(co_await listener.local());
    Stream client = co_await connect(where);
    Stream server = co_await listener.accept();
    co_await client.write("x");
    Chunk text = co_await server.read();
    EXPECT_EQ(text.text(), "x");
  };
  run(body);
}

TEST_P(Services, a_listener_that_closes_ends_who_waits) {
  std::optional<Listener> listener = Listener::open(loop(), free_address(Family::ipv4)).value();
  auto wait = [&]() -> Task<> {
    Result<Stream> nobody = co_await as_result(listener->accept());
    EXPECT_EQ(nobody.error(), Errc::canceled);
  };
  auto leave = [&]() -> Task<> {
    co_await sleep_for(1ms);
    listener->close();
  };
  run(leave, wait);
}

TEST_P(Services, an_arrival_is_taken_in_or_turned_away) {
  auto body = [&]() -> Task<> {
    Listener listener = co_await Listener::open(loop(), free_address(Family::ipv4));
    std::vector<Address> where;
    where.push_back(co_await listener.local());
    Stream welcome = co_await connect(where);
    Stream unwelcome = co_await connect(where);
    Arrival first = co_await listener.accept_arrival();
    Stream server = co_await first.take_in(loop());
    Arrival second = co_await listener.accept_arrival();
    second.turn_away();
    Result<Chunk> end = co_await as_result(unwelcome.read());
    EXPECT_TRUE(end ? end->empty() : end.error().peer_is_gone()) << end.error().message();
    co_await server.write("in");
    Chunk text = co_await welcome.read();
    EXPECT_EQ(text.text(), "in");
  };
  run(body);
}

// ---- datagrams

TEST_P(Services, an_arrival_moves_and_the_one_it_replaces_is_turned_away) {
  auto body = [&]() -> Task<> {
    Listener listener = co_await Listener::open(loop(), free_address(Family::ipv4));
    std::vector<Address> where;
    where.push_back(co_await listener.local());
    Stream first = co_await connect(where);
    Stream second = co_await connect(where);
    Arrival arrival = co_await listener.accept_arrival();
    EXPECT_NE(arrival.descriptor(), no_descriptor);
    {
      Arrival next = co_await listener.accept_arrival();
      const Address from = co_await second.local();
      arrival = std::move(next);
      EXPECT_EQ(arrival.from(), from);
    }
    Result<Chunk> gone = co_await as_result(first.read());
    EXPECT_TRUE(gone ? gone->empty() : gone.error().peer_is_gone());
    Stream server = co_await arrival.take_in(loop());
    co_await server.write("second");
    Chunk greeting = co_await second.read();
    EXPECT_EQ(greeting.text(), "second");
  };
  run(body);
}

TEST_P(Services, a_listener_is_released_and_adopted_with_its_queue) {
  auto body = [&]() -> Task<> {
    Listener listener = co_await Listener::open(loop(), free_address(Family::ipv4));
    std::vector<Address> where;
    where.push_back(co_await listener.local());
    Stream client = co_await connect(where);
    const Descriptor descriptor = co_await listener.release();
    EXPECT_FALSE(listener.is_open());
    EXPECT_EQ(listener.release().error(), Errc::closed);
    EXPECT_EQ(listener.local().error(), Errc::closed);
    Listener again = co_await Listener::adopt(loop(), descriptor);
    EXPECT_TRUE(again.is_open());
    Stream server = co_await again.accept();
    co_await server.write("still there");
    Chunk greeting = co_await client.read();
    EXPECT_EQ(greeting.text(), "still there");
  };
  run(body);
}

TEST_P(Services, a_datagram_socket_that_somebody_else_opened) {
  MEARI_NEEDS(system_sockets);
  Socket theirs = Socket::open(Family::ipv4, Kind::datagram).value();
  ASSERT_TRUE(theirs.bind(Address::loopback(Family::ipv4, 0)));
  EXPECT_FALSE(Datagram::adopt(loop(), no_descriptor));
  auto body = [&]() -> Task<> {
    Datagram mine = co_await Datagram::adopt(loop(), theirs.release());
    Datagram other = co_await Datagram::open(free_address(Family::ipv4));
    Address to = co_await mine.local();
    co_await other.send_to("hello", to);
    Received message = co_await mine.receive();
    EXPECT_EQ(message.data.text(), "hello");
  };
  run(body);
}

TEST_P(Services, connect_says_what_is_no_address_for_it) {
  auto body = [&]() -> Task<> {
    Result<Stream> none = co_await as_result(connect("[nowhere"));
    EXPECT_FALSE(none);
    Result<Stream> datagram = co_await as_result(connect("udp:127.0.0.1:9"));
    EXPECT_EQ(datagram.error(), Errc::invalid_argument);
    Result<Stream> descriptor = co_await as_result(connect("fd:5"));
    EXPECT_EQ(descriptor.error(), Errc::invalid_argument);
  };
  run(body);
}

TEST_P(Services, datagrams_are_answered) {
  auto body = [&]() -> Task<> {
    Datagram one = co_await Datagram::open(loop(), free_address(Family::ipv4));
    Datagram other = co_await Datagram::open(loop(), free_address(Family::ipv4));
    const Address to = co_await other.local();
    co_await one.send_to("question", to);
    Received question = co_await other.receive();
    EXPECT_EQ(question.data.text(), "question");
    co_await other.send_to("answer", question.from);
    Received answer = co_await one.receive();
    EXPECT_EQ(answer.data.text(), "answer");
    Result<Received> nothing = co_await as_result(with_timeout(10ms, one.receive()));
    EXPECT_EQ(nothing.error(), Errc::timed_out);
  };
  run(body);
}

// ---- servers

class Serving : public Services {
 protected:
  static Task<> echo(Stream peer) {
    while (Chunk data = co_await peer.read()) co_await peer.write(std::move(data));
  }
  // Runs the server and a client side by side; drains when the client has done.
  template <class Client>
  void serve(Server& server, Client client) {
    auto serving = [&]() -> Task<> { co_await server.run(); };
    auto asking = [&]() -> Task<> {
      Result<> done = co_await as_result(client());
      server.drain();
      co_await std::move(done);
    };
    run(serving, asking);
  }
  std::vector<Address> open(Server& server) { return {server.listen("127.0.0.1:0").value().front()}; }
};
MEARI_EVERY_BACKEND(Serving);

TEST_P(Serving, a_hundred_clients_are_served_at_once) {
  Server server(loop(), echo);
  const std::vector<Address> where = open(server);
  auto clients = [&]() -> Task<> {
    auto body = [&](Scope& scope) -> Task<> {
      auto one = [&](std::uint64_t seed) -> Task<> {
        Stream stream = co_await connect(where);
        for (std::uint64_t at = 0; at < 10'000; at += 1000) {
          const std::string text = pattern(seed, at, 1000);
          co_await stream.write(text);
          Chunk reply = co_await stream.read_exactly(1000);
          EXPECT_EQ(match_pattern(seed, at, reply.bytes()), 1000U);
        }
        co_await stream.finish();
        Chunk end = co_await stream.read();
        EXPECT_TRUE(end.empty());
      };
      for (std::uint64_t seed = 0; seed < 100; ++seed) scope.spawn(one, seed);
      co_return;
    };
    co_await scoped(body);
  };
  serve(server, clients);
  EXPECT_EQ(server.accepted(), 100U);
  EXPECT_EQ(server.sessions(), 0U);
}

TEST_P(Serving, a_drain_ends_the_idle_and_lets_the_busy_finish) {
  auto handler = [&](Stream peer) -> Task<> {
    Chunk data = co_await peer.read();
    co_await sleep_for(50ms);  // busy, and not waiting for its peer
    co_await peer.write(std::move(data));
  };
  Server server(loop(), handler);
  const std::vector<Address> where = open(server);
  auto client = [&]() -> Task<> {
    Stream idle = co_await connect(where);
    Stream busy = co_await connect(where);
    co_await busy.write("work");
    while (server.sessions() < 2) co_await sleep_for(1ms);
    co_await sleep_for(5ms);
    server.drain();
    Chunk end = co_await idle.read();
    EXPECT_TRUE(end.empty());
    Chunk done = co_await busy.read_exactly(4);
    EXPECT_EQ(done.text(), "work");
  };
  serve(server, client);
  EXPECT_EQ(server.drained().idle, 1U);
  EXPECT_EQ(server.drained().finished, 1U);
  EXPECT_EQ(server.drained().cut_off, 0U);
}

TEST_P(Serving, a_drain_cuts_off_at_its_deadline) {
  auto stuck = [](Stream peer) -> Task<> {
    Chunk data = co_await peer.read();
    co_await sleep_for(1h);
  };
  ServerOptions options;
  options.drain = 30ms;
  Server server(loop(), stuck, std::move(options));
  const std::vector<Address> where = open(server);
  auto client = [&]() -> Task<> {
    Stream stream = co_await connect(where);
    co_await stream.write("x");
    while (server.sessions() < 1) co_await sleep_for(1ms);
    co_await sleep_for(2ms);
    server.drain();
    Result<Chunk> reset = co_await as_result(stream.read());
    EXPECT_EQ(reset.error(), Errc::connection_reset);
  };
  serve(server, client);
  EXPECT_EQ(server.drained().cut_off, 1U);
}

TEST_P(Serving, who_stands_in_the_queue_is_served_by_a_drain) {
  ServerOptions options;
  options.max_sessions = 1;
  Server server(loop(), echo, std::move(options));
  const std::vector<Address> where = open(server);
  auto client = [&]() -> Task<> {
    Stream first = co_await connect(where);
    co_await first.write("1");
    Chunk one = co_await first.read();
    EXPECT_EQ(one.text(), "1");
    Stream second = co_await connect(where);
    co_await second.write("2");
    co_await second.finish();
    co_await sleep_for(1ms);  // on the wire a client knows of its connection before the server does
    server.drain();
    Chunk two = co_await second.read();
    EXPECT_EQ(two.text(), "2");
  };
  serve(server, client);
  EXPECT_EQ(server.accepted(), 2U);
}

TEST_P(Serving, an_idle_session_is_ended) {
  ServerOptions options;
  options.timeouts.idle = 30ms;
  std::optional<SessionEnd> ended;
  options.on_end = [&](const Session&, const SessionEnd& end) { ended = end; };
  Server server(loop(), echo, std::move(options));
  const std::vector<Address> where = open(server);
  auto client = [&]() -> Task<> {
    Stream stream = co_await connect(where);
    Chunk end = co_await stream.read();
    EXPECT_TRUE(end.empty());
  };
  serve(server, client);
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->how, SessionEnd::How::timed_out);
}

TEST_P(Serving, without_descriptors_it_pauses_and_serves_everybody_in_the_end) {
  MEARI_NEEDS(descriptor_limit);
  std::vector<std::string> pauses;
  ServerOptions options;
  options.max_sessions = 1000;
  options.on_pause = [&](bool resumed, std::string_view) { pauses.push_back(resumed ? "resumed" : "paused"); };
  Server server(loop(), echo, std::move(options));
  std::vector<Stream> streams;
  auto knock = [&]() -> Task<> {
    Listener listener = co_await Listener::open(loop(), free_address(Family::ipv4));
    std::vector<Address> where;
    where.push_back(co_await listener.local());
    for (int i = 0; i < 5; ++i) streams.push_back(co_await connect(where));
    server.listen(std::move(listener));
  };
  run(knock);
  std::optional<DescriptorShortage> shortage(*this);
  auto client = [&]() -> Task<> {
    while (pauses.empty()) co_await sleep_for(1ms);
    EXPECT_EQ(server.accepted(), 0U);
    shortage.reset();
    for (Stream& stream : streams) {
      co_await stream.write("x");
      Chunk reply = co_await stream.read();
      EXPECT_EQ(reply.text(), "x");
      stream.close();
    }
  };
  serve(server, client);
  EXPECT_EQ(server.accepted(), 5U);
  EXPECT_EQ(pauses.front(), "paused");
  EXPECT_EQ(pauses.back(), "resumed");
}

}  // namespace
}  // namespace meari::test
