// The server's promises: sessions that do not harm each other, limits that pause and resume, a drain that tells what
// became of everybody. On every backend that this machine has.
#include <meari/server.hpp>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <meari/channel.hpp>
#include <meari/connect.hpp>
#include <meari/deadline.hpp>
#include <meari/scope.hpp>

#include "support/backend_harness.hpp"
#include "support/serving.hpp"

namespace meari {
namespace {

using namespace std::chrono_literals;
using test::echo, test::patience;

class ServerTest : public testing::TestWithParam<BackendChoice> {
 protected:
  void SetUp() override {
    LoopOptions options;
    options.backend.choice = GetParam();
    Result<std::unique_ptr<Loop>> made = Loop::make(std::move(options));
    if (!made) GTEST_SKIP() << made.error().message();
    loop = *std::move(made);
  }

  ServerOptions options() {
    ServerOptions chosen;
    chosen.on_start = [this](const Session&) { ++started; };
    chosen.on_end = [this](const Session&, const SessionEnd& end) { ends.push_back(end); };
    chosen.on_pause = [this](bool resumed, std::string_view reason) {
      pauses.push_back((resumed ? "resumed: " : "paused: ") + std::string(reason));
    };
    return chosen;
  }

  // Runs the server and one client side by side, drains, and gives what the client made of it.
  template <class Client>
  Result<> with_client(Server& server, Client client) {
    return test::with_client(*loop, server, std::move(client));
  }

  std::unique_ptr<Loop> loop;
  std::size_t started = 0;
  std::vector<SessionEnd> ends;
  std::vector<std::string> pauses;
};

std::string choice_name(const testing::TestParamInfo<BackendChoice>& info) {
  switch (info.param) {
    case BackendChoice::uring: return "uring";
    case BackendChoice::uring_floor: return "uring_floor";
    case BackendChoice::epoll: return "epoll";
    case BackendChoice::iocp: return "iocp";
    default: return "automatic";
  }
}
INSTANTIATE_TEST_SUITE_P(Backends, ServerTest, testing::ValuesIn(test::system_choices()), choice_name);

TEST_P(ServerTest, echoes_and_tells_how_the_session_ended) {
  Server server(*loop, echo, options());
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto client = [&]() -> Task<> {
    Stream stream = co_await connect(address.to_string());
    co_await stream.write("hello");
    co_await stream.finish();
    Chunk reply = co_await stream.read_exactly(5);
    EXPECT_EQ(reply.text(), "hello");
    Chunk end = co_await stream.read();
    EXPECT_TRUE(end.empty());
  };
  ASSERT_TRUE(with_client(server, client));
  EXPECT_EQ(started, 1u);
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].how, SessionEnd::How::finished);
  EXPECT_EQ(ends[0].bytes_received, 5u);
  EXPECT_EQ(ends[0].bytes_sent, 5u);
  EXPECT_TRUE(ends[0].peer_finished);
}

TEST_P(ServerTest, an_exception_ends_its_own_session_only) {
  auto handler = [](Stream peer) -> Task<> {
    Chunk data = co_await peer.read();
    if (data.text() == "throw") throw std::runtime_error("a bug in the handler");
    co_await peer.write(std::move(data));
  };
  Server server(*loop, handler, options());
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto client = [&]() -> Task<> {
    Stream quiet = co_await connect(address.to_string());
    Stream loud = co_await connect(address.to_string());
    co_await loud.write("throw");
    Result<Chunk> end = co_await as_result(loud.read());
    if (test::missing(test::Need::resets).empty()) EXPECT_EQ(end.error(), Errc::connection_reset);
    co_await quiet.write("still here");
    Chunk reply = co_await quiet.read();
    EXPECT_EQ(reply.text(), "still here");
  };
  ASSERT_TRUE(with_client(server, client));
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0].how, SessionEnd::How::failed);
  EXPECT_EQ(ends[0].exception, "exception: a bug in the handler");
  EXPECT_EQ(ends[1].how, SessionEnd::How::finished);
}

TEST_P(ServerTest, a_reset_is_the_peer_gone_and_not_a_failure) {
  Server server(*loop, echo, options());
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto client = [&]() -> Task<> {
    Stream stream = co_await connect(address.to_string());
    co_await stream.write("x");
    Chunk reply = co_await stream.read();
    EXPECT_EQ(reply.text(), "x");
    stream.abort();
    while (ends.empty()) co_await sleep_for(1ms);
  };
  ASSERT_TRUE(with_client(server, client));
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].how, SessionEnd::How::peer_gone);
}

TEST_P(ServerTest, at_the_limit_it_pauses_and_everybody_is_served_in_the_end) {
  std::vector<std::string> told;
  loop->observe([&told](const Event& event) {
    if (event.what == Event::What::paused || event.what == Event::What::resumed)
      told.push_back(std::string(name(event.what)) + ": " + std::string(event.note));
  });
  ServerOptions limited = options();
  limited.max_sessions = 2;
  std::size_t most = 0;
  Server* served = nullptr;
  auto handler = [&](Stream peer) -> Task<> {
    most = std::max(most, served->sessions());
    while (Chunk data = co_await peer.read()) co_await peer.write(std::move(data));
  };
  Server server(*loop, handler, std::move(limited));
  served = &server;
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto client = [&]() -> Task<> {
    auto body = [&](Scope& scope) -> Task<> {
      auto one = [&]() -> Task<> {
        Stream stream = co_await connect(address.to_string());
        co_await stream.write("ping");
        Chunk reply = co_await stream.read_exactly(4);
        EXPECT_EQ(reply.text(), "ping");
      };
      for (int i = 0; i < 20; ++i) scope.spawn(one);
      co_return;
    };
    co_await scoped(body);
  };
  ASSERT_TRUE(with_client(server, client));
  EXPECT_EQ(started, 20u);
  EXPECT_LE(most, 2u);
  // One line when an episode begins, and one when it is over; observers are told the same.
  ASSERT_FALSE(pauses.empty());
  for (std::size_t i = 0; i < pauses.size(); ++i)
    EXPECT_EQ(pauses[i],
              std::string(i % 2 == 0 ? "paused" : "resumed") + ": as many sessions as may be: 2, until one ends");
  EXPECT_EQ(told, pauses);
  loop->observe({});
}

TEST_P(ServerTest, at_the_rate_it_pauses_and_everybody_is_served_in_the_end) {
  ServerOptions few = options();
  few.max_rate = 2;
  Server server(*loop, echo, std::move(few));
  const Address address = server.listen("127.0.0.1:0").value().front();
  const Time begin = loop->now();
  auto client = [&]() -> Task<> {
    for (int i = 0; i < 3; ++i) {
      Stream stream = co_await connect(address.to_string());
      co_await stream.write("x");
      Chunk reply = co_await stream.read();
      EXPECT_EQ(reply.text(), "x");
    }
  };
  ASSERT_TRUE(with_client(server, client));
  EXPECT_GE(loop->now() - begin, 1s);
  EXPECT_EQ(started, 3u);
  const std::string reason = "as many new sessions in a second as may be: 2, until the second is over";
  EXPECT_EQ(pauses, (std::vector<std::string>{"paused: " + reason, "resumed: " + reason}));
}

TEST_P(ServerTest, two_listeners_do_not_take_one_more_than_may_be) {
  std::size_t now_open = 0, most = 0;
  ServerOptions one = options();
  one.max_sessions = 1;
  one.on_start = [&](const Session&) { most = std::max(most, ++now_open); };
  one.on_end = [&](const Session&, const SessionEnd&) { --now_open; };
  Server server(*loop, echo, std::move(one));
  const Address first = server.listen("127.0.0.1:0").value().front();
  const Address second = server.listen("127.0.0.1:0").value().front();
  auto client = [&]() -> Task<> {
    Stream a = co_await connect(first.to_string());
    Stream b = co_await connect(second.to_string());
    co_await a.finish();
    co_await b.finish();
    Chunk end = co_await a.read();
    EXPECT_TRUE(end.empty());
    Chunk other_end = co_await b.read();
    EXPECT_TRUE(other_end.empty());
  };
  ASSERT_TRUE(with_client(server, client));
  EXPECT_EQ(most, 1u);
}

TEST_P(ServerTest, who_moves_too_little_is_ended) {
  ServerOptions strict = options();
  strict.timeouts = {.window = 100ms, .least_bytes = 1000};
  Server server(*loop, echo, std::move(strict));
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto client = [&]() -> Task<> {
    Stream stream = co_await connect(address.to_string());
    while (ends.empty()) {  // an idle timeout would never end it
      co_await ignore_error(stream.write("x"));
      co_await sleep_for(5ms);
    }
  };
  ASSERT_TRUE(with_client(server, client));
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].how, SessionEnd::How::too_slow);
}

// Three sessions, all of which wait for their peers: one owes an answer, one is to go on without more input, one is idle.
TEST_P(ServerTest, a_drain_asks_what_a_session_that_waits_is_about) {
  Channel<int> go({.capacity = 1});
  auto handler = [&](Stream peer, Session& session) -> Task<> {
    Chunk data = co_await peer.read();
    const bool owes = data.text() == "owes";
    if (owes) session.at_drain(AtDrain::wait);
    if (data.text() == "goes on") session.at_drain(AtDrain::end_input);
    const bool idle = data.text() == "idle";
    co_await peer.write("ok");
    auto both_ways = [&](Scope& scope) -> Task<> {
      auto listen = [&]() -> Task<> {
        Result<Chunk> more = co_await as_result(peer.read());
        EXPECT_TRUE(!more && more.error() == Errc::canceled);
        if (idle) co_await std::move(more);  // all of it is cancelled, and not only the read
      };
      scope.spawn(listen);
      if (owes) co_await go.receive();
      else
        while (!session.draining()) co_await sleep_for(1ms);
      if (!idle) co_await peer.write("answer");
      if (owes) scope.cancel();
    };
    co_await scoped(both_ways);
  };
  Server server(*loop, handler, options());
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto client = [&]() -> Task<> {
    std::vector<Stream> streams;
    for (const std::string_view word : {"owes", "goes on", "idle"}) {
      Stream stream = co_await connect(address.to_string());
      co_await stream.write(word);
      Chunk ok = co_await stream.read_exactly(2);
      streams.push_back(std::move(stream));
    }
    server.drain();
    Chunk end = co_await streams[2].read();
    EXPECT_TRUE(end.empty());
    Chunk answer = co_await streams[1].read_exactly(6);
    EXPECT_EQ(answer.text(), "answer");
    co_await go.send(1);  // not before the others are over
    Chunk late = co_await streams[0].read_exactly(6);
    EXPECT_EQ(late.text(), "answer");
  };
  ASSERT_TRUE(with_client(server, client));
  EXPECT_EQ(server.drained().idle, 1u);
  EXPECT_EQ(server.drained().finished, 2u);
  EXPECT_EQ(server.drained().cut_off, 0u);
}

TEST_P(ServerTest, waits_before_each_accept_and_a_drain_does_not_wait_for_it) {
  ServerOptions slow = options();
  slow.accept_delay = 20ms;
  Server server(*loop, echo, std::move(slow));
  const Address address = server.listen("127.0.0.1:0").value().front();
  const Time before = loop->now();
  auto client = [&]() -> Task<> {
    Stream one = co_await connect(address.to_string());
    Stream two = co_await connect(address.to_string());
    co_await two.write("x");
    Chunk reply = co_await two.read();
    EXPECT_EQ(reply.text(), "x");
    EXPECT_GE(loop->now() - before, 40ms);
  };
  ASSERT_TRUE(with_client(server, client));

  ServerOptions slower = options();
  slower.accept_delay = 1h;
  Server asleep(*loop, echo, std::move(slower));
  ASSERT_TRUE(asleep.listen("127.0.0.1:0"));
  auto nobody = []() -> Task<> { co_await sleep_for(5ms); };  // it waits before its first accept
  const Time drained = loop->now();
  ASSERT_TRUE(with_client(asleep, nobody));
  EXPECT_LT(loop->now() - drained, patience);
}

TEST_P(ServerTest, an_idle_session_is_ended_and_a_busy_one_is_not) {
  ServerOptions impatient = options();
  impatient.timeouts.idle = 100ms;
  Server server(*loop, echo, std::move(impatient));
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto client = [&]() -> Task<> {
    Stream idle = co_await connect(address.to_string());
    Stream busy = co_await connect(address.to_string());
    while (ends.empty()) {  // talks until the other one has been ended
      co_await busy.write("x");
      Chunk reply = co_await busy.read();
      EXPECT_EQ(reply.text(), "x");
      co_await sleep_for(5ms);
    }
    Chunk end = co_await idle.read();
    EXPECT_TRUE(end.empty());
    co_await busy.write("y");
    Chunk reply = co_await busy.read();
    EXPECT_EQ(reply.text(), "y");
  };
  ASSERT_TRUE(with_client(server, client));
  ASSERT_GE(ends.size(), 1u);
  EXPECT_EQ(ends[0].how, SessionEnd::How::timed_out);
}

TEST_P(ServerTest, a_peer_that_takes_nothing_is_ended) {
  ServerOptions impatient = options();
  impatient.timeouts.stall = 100ms;
  auto flood = [](Stream peer) -> Task<> {
    const std::string much(1 << 20, 'x');
    for (;;) co_await peer.write(much);
  };
  Server server(*loop, flood, std::move(impatient));
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto client = [&]() -> Task<> {
    Stream stream = co_await connect(address.to_string());
    while (ends.empty()) co_await sleep_for(5ms);
  };
  ASSERT_TRUE(with_client(server, client));
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].how, SessionEnd::How::timed_out);
}

// Half of an answer must not look like all of it: RST, whatever made the handler fail. FIN where nothing failed.
TEST_P(ServerTest, a_handler_that_fails_breaks_its_stream_off) {
  if (const std::string missing = test::missing(test::Need::resets); !missing.empty()) GTEST_SKIP() << missing;
  Stream kept;
  auto handler = [&kept](Stream peer) -> Task<> {
    Chunk order = co_await peer.read();
    co_await peer.write("half an answer");
    Chunk go = co_await peer.read();  // so that the half has arrived
    if (order.text() == "throw") throw std::runtime_error("a bug in the handler");
    if (order.text() == "fail") co_await fail(Errc::limit_reached);
    if (order.text() == "late") co_await with_timeout(1ms, sleep_for(1h));
    if (order.text() == "target") co_await fail(Errc::connection_reset);  // of somebody else
    if (order.text() == "keep") {
      kept = std::move(peer);
      co_await fail(Errc::limit_reached);
    }
  };
  Server server(*loop, handler, options());
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto client = [&]() -> Task<> {
    for (const std::string_view order : {"throw", "fail", "late", "target", "return", "keep"}) {
      Stream stream = co_await connect(address.to_string());
      co_await stream.write(order);
      Chunk half = co_await stream.read_exactly(14);
      co_await stream.write("go");
      if (order == "keep") {  // is not the server's any more
        while (ends.size() < 6) co_await sleep_for(1ms);
        co_await kept.write("more");
        Chunk more = co_await stream.read();
        EXPECT_EQ(more.text(), "more");
        kept = Stream();
      }
      Result<Chunk> end = co_await as_result(stream.read());
      if (order == "return" || order == "keep") EXPECT_TRUE(end && end->empty()) << order;
      else EXPECT_EQ(end.error(), Errc::connection_reset) << order;
    }
  };
  ASSERT_TRUE(with_client(server, client));
}

TEST_P(ServerTest, cancelled_it_says_so_also_while_it_drains) {
  for (const bool drains : {false, true}) {
    auto handler = [](Stream peer) -> Task<> {
      Chunk data = co_await peer.read();
      co_await sleep_for(1h);
    };
    Server server(*loop, handler, options());
    const Address address = server.listen("127.0.0.1:0").value().front();
    Result<> served;
    auto program = [&]() -> Task<> {
      Stream stream = co_await connect(address.to_string());
      co_await stream.write("x");
      auto body = [&](Scope& scope) -> Task<> {
        auto serving = [&]() -> Task<> { served = co_await as_result(server.run()); };
        scope.spawn(serving);
        while (server.sessions() == 0) co_await sleep_for(1ms);
        if (drains) server.drain();
        for (int turn = 0; turn < 5; ++turn) co_await sleep_for(1ms);
        EXPECT_EQ(server.sessions(), 1U);
        scope.cancel();
      };
      co_await ignore_error(with_timeout(patience, scoped(body)));
    };
    ASSERT_TRUE(loop->block_on(program));
    EXPECT_EQ(served.error(), Errc::canceled) << drains;
    EXPECT_EQ(server.drained().cut_off, 1U) << drains;
  }
}

TEST_P(ServerTest, draining_ends_idle_sessions_and_lets_busy_ones_finish) {
  std::vector<std::string> told;
  loop->observe([&told](const Event& event) {
    if (event.what == Event::What::drained) told.emplace_back(event.note);
  });
  Channel<int> go({.capacity = 1});
  auto handler = [&](Stream peer) -> Task<> {
    Chunk data = co_await peer.read();
    if (data.text() != "work") co_return;
    co_await peer.write("begun");
    co_await go.receive();  // busy, and not waiting for its peer
    co_await peer.write("done");
  };
  Server server(*loop, handler, options());
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto client = [&]() -> Task<> {
    Stream idle = co_await connect(address.to_string());
    Stream busy = co_await connect(address.to_string());
    co_await busy.write("work");
    Chunk begun = co_await busy.read_exactly(5);
    EXPECT_EQ(begun.text(), "begun");
    while (started < 2) co_await sleep_for(1ms);
    server.drain();
    Chunk end = co_await idle.read();
    EXPECT_TRUE(end.empty());
    co_await go.send(1);
    Chunk done = co_await busy.read_exactly(4);
    EXPECT_EQ(done.text(), "done");
    idle.close();
    busy.close();
    while (server.sessions() != 0) co_await sleep_for(1ms);
  };
  ASSERT_TRUE(with_client(server, client));
  EXPECT_EQ(server.drained().idle, 1u);
  EXPECT_EQ(server.drained().finished, 1u);
  EXPECT_EQ(server.drained().cut_off, 0u);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told.front(), "finished 1, idle 1, cut off 0, dropped bytes 0");
  loop->observe({});
}

TEST_P(ServerTest, what_is_busy_at_the_deadline_is_cut_off) {
  ServerOptions brief = options();
  brief.drain = 50ms;
  auto handler = [](Stream peer) -> Task<> {
    Chunk data = co_await peer.read();
    co_await sleep_for(1h);
  };
  Server server(*loop, handler, std::move(brief));
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto client = [&]() -> Task<> {
    Stream stream = co_await connect(address.to_string());
    co_await stream.write("x");
    while (started < 1) co_await sleep_for(1ms);
    server.drain();
    Result<Chunk> end = co_await as_result(stream.read());
    if (test::missing(test::Need::resets).empty()) EXPECT_EQ(end.error(), Errc::connection_reset);
  };
  ASSERT_TRUE(with_client(server, client));
  EXPECT_EQ(server.drained().cut_off, 1u);
}

TEST_P(ServerTest, who_is_in_the_queue_when_it_drains_is_still_served) {
  ServerOptions limited = options();
  limited.max_sessions = 1;
  Server server(*loop, echo, std::move(limited));
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto client = [&]() -> Task<> {
    Stream first = co_await connect(address.to_string());
    co_await first.write("1");
    Chunk one = co_await first.read();
    EXPECT_EQ(one.text(), "1");
    Stream second = co_await connect(address.to_string());  // in the queue: the house is full
    co_await second.write("2");
    co_await second.finish();
    server.drain();
    Chunk two = co_await second.read();
    EXPECT_EQ(two.text(), "2");
  };
  ASSERT_TRUE(with_client(server, client));
  EXPECT_EQ(started, 2u);
}

TEST_P(ServerTest, nobody_new_is_let_in_while_it_drains) {
  Server server(*loop, echo, options());
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto client = [&]() -> Task<> {
    server.drain();
    while (!server.listeners().empty()) co_await sleep_for(1ms);
    Result<Stream> refused = co_await as_result(connect(address.to_string()));
    EXPECT_EQ(refused.error(), Errc::connection_refused);
  };
  ASSERT_TRUE(with_client(server, client));
}

TEST_P(ServerTest, loopback_means_both_families_on_one_port) {
  Server server(*loop, echo, options());
  const std::vector<Address> addresses = server.listen("0").value();
  ASSERT_FALSE(addresses.empty());
  for (const Address& address : addresses) {
    EXPECT_TRUE(address.is_loopback());
    EXPECT_EQ(address.port(), addresses[0].port());
  }
  auto client = [&]() -> Task<> {
    for (const Address& address : addresses) {
      Stream stream = co_await connect(address.to_string());
      co_await stream.write("x");
      Chunk reply = co_await stream.read();
      EXPECT_EQ(reply.text(), "x");
    }
  };
  ASSERT_TRUE(with_client(server, client));
}

}  // namespace
}  // namespace meari
