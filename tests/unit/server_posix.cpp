// The server's rarer promises: limits that it finds out by itself, who is not let in, what it cannot listen on, handlers
// that end before they have begun, streams that outlive their session, and being cancelled in the middle of everything.
#include <meari/server.hpp>

#include <sys/resource.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <meari/channel.hpp>
#include <meari/connect.hpp>
#include <meari/deadline.hpp>
#include <meari/scope.hpp>
#include <meari/socket.hpp>

#include "allocations.hpp"
#include "serving.hpp"

namespace meari {
namespace {

using namespace std::chrono_literals;
using test::echo, test::patience;

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count - 1;  // the folder itself
}

class Serves : public testing::Test {
 protected:
  ServerOptions options() {
    ServerOptions chosen;
    chosen.on_end = [this](const Session&, const SessionEnd& end) { ends.push_back(end); };
    chosen.on_pause = [this](bool resumed, std::string_view reason) {
      pauses.push_back((resumed ? "resumed: " : "paused: ") + std::string(reason));
    };
    return chosen;
  }
  template <class Client>
  Result<> with_client(Server& server, Client client) {
    return test::with_client(*loop, server, std::move(client));
  }
  // A client that says "x" and wants to hear it again.
  static Task<> is_served(Address where) {
    Stream stream = co_await connect(where.to_string());
    co_await stream.write("x");
    Chunk reply = co_await stream.read();
    EXPECT_EQ(reply.text(), "x");
  }
  // One that is closed without a word.
  static Task<> is_turned_away(Address where) {
    Stream stream = co_await connect(where.to_string());
    Result<Chunk> end = co_await as_result(stream.read());
    EXPECT_TRUE(end ? end->empty() : end.error().peer_is_gone());
  }

  std::unique_ptr<Loop> loop = Loop::make().value();
  Address where;
  std::vector<SessionEnd> ends;
  std::vector<std::string> pauses;
};

// ---- limits

TEST_F(Serves, as_many_sessions_as_the_process_may_have_descriptors_for) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  ServerOptions chosen = options();
  chosen.descriptors_per_session = 2;
  Server server(*loop, echo, std::move(chosen));
  const Address address = server.listen("127.0.0.1:0").value().front();
  // What is open, a reserve of 16, and five more: two sessions of two descriptors each.
  rlimit few = before;
  few.rlim_cur = open_descriptors() + 16 + 5;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  auto clients = [&]() -> Task<> {
    auto body = [&](Scope& scope) -> Task<> {
      for (int i = 0; i < 5; ++i) scope.spawn([&address] { return is_served(address); });
      co_return;
    };
    co_await scoped(body);
  };
  const Result<> done = with_client(server, clients);
  ::setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(server.accepted(), 5U);
  ASSERT_FALSE(pauses.empty());
  EXPECT_EQ(pauses.front(), "paused: as many sessions as may be: 2, until one ends");
}

TEST_F(Serves, nobody_who_is_not_admitted) {
  bool admits = false;
  std::vector<Address> asked;
  ServerOptions chosen = options();
  chosen.admit = [&](const Address& source) {
    asked.push_back(source);
    return admits;
  };
  Server server(*loop, echo, std::move(chosen));
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto client = [&]() -> Task<> {
    co_await is_turned_away(address);
    admits = true;
    co_await is_served(address);
  };
  ASSERT_TRUE(with_client(server, client));
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_TRUE(asked[0].is_loopback());
  EXPECT_EQ(ends.size(), 1U);
}

TEST_F(Serves, so_many_of_one_source_and_again_when_one_has_gone) {
  std::vector<Address> too_many;
  ServerOptions chosen = options();
  chosen.max_per_source = 1;
  chosen.on_too_many = [&](const Address& source) { too_many.push_back(source); };
  Server server(*loop, echo, std::move(chosen));
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto client = [&]() -> Task<> {
    {
      Stream first = co_await connect(address.to_string());
      co_await first.write("1");
      Chunk reply = co_await first.read();
      EXPECT_EQ(reply.text(), "1");
      co_await is_turned_away(address);
    }
    while (ends.empty()) co_await sleep_for(1ms);
    co_await is_served(address);
  };
  ASSERT_TRUE(with_client(server, client));
  ASSERT_EQ(too_many.size(), 1U);
  EXPECT_TRUE(too_many[0].is_loopback());
  EXPECT_EQ(server.accepted(), 3U);
}

// ---- listening

TEST_F(Serves, on_no_port_that_is_taken_and_on_nothing_that_is_no_stream) {
  Server first(*loop, echo), second(*loop, echo);
  const Address address = first.listen("127.0.0.1:0").value().front();
  EXPECT_EQ(second.listen(address.to_string()).error(), Errc::address_in_use);
  // Not on the other family alone either: who asks for both on one port would find half of it somewhere else.
  EXPECT_EQ(second.listen(std::to_string(address.port())).error(), Errc::address_in_use);
  EXPECT_EQ(second.listen("udp:127.0.0.1:0").error(), Errc::invalid_argument);
  EXPECT_FALSE(second.listen("[nowhere"));
  EXPECT_EQ(second.listen("fd:987654").error(), Errc::closed);
  EXPECT_TRUE(second.listeners().empty());
  EXPECT_EQ(first.listeners().size(), 1U);
}

TEST_F(Serves, every_family_on_one_socket_where_all_addresses_are_meant) {
  Server server(*loop, echo);
  const std::vector<Address> bound = server.listen(":0").value();
  ASSERT_EQ(bound.size(), 1U);
  const Address four("127.0.0.1", bound.front().port());
  auto client = [&] { return is_served(four); };
  EXPECT_TRUE(with_client(server, client));
}

TEST_F(Serves, a_listener_that_somebody_else_has_opened) {
  Socket theirs = Socket::open(Family::ipv4, Kind::stream).value();
  ASSERT_TRUE(theirs.bind(Address::loopback(Family::ipv4, 0)));
  ASSERT_TRUE(theirs.listen());
  const Address address = theirs.local().value();
  Server server(*loop, echo);
  EXPECT_EQ(server.listen("fd:" + std::to_string(theirs.release())).value(), std::vector<Address>(1, address));
  auto client = [&] { return is_served(address); };
  EXPECT_TRUE(with_client(server, client));
}

// ---- sessions

TEST_F(Serves, on_when_a_handler_throws_before_it_is_a_task) {
  bool throws = true;
  auto handler = [&](Stream peer) -> Task<> {
    if (std::exchange(throws, false)) throw std::runtime_error("not even begun");
    return echo(std::move(peer));
  };
  Server server(*loop, handler, options());
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto client = [&]() -> Task<> {
    co_await is_turned_away(address);
    co_await is_served(address);
  };
  ASSERT_TRUE(with_client(server, client));
  ASSERT_EQ(ends.size(), 2U);
  EXPECT_EQ(ends[0].how, SessionEnd::How::failed);
  EXPECT_EQ(ends[0].exception, "exception: not even begun");
  EXPECT_NE(ends[1].how, SessionEnd::How::failed);
}

TEST_F(Serves, a_stream_that_outlives_its_session_and_its_timeouts) {
  std::optional<Stream> kept;
  auto handler = [&](Stream peer) -> Task<> {
    Chunk data = co_await peer.read();
    co_await peer.write(std::move(data));
    kept = std::move(peer);
  };
  ServerOptions chosen = options();
  chosen.timeouts.idle = 30ms;
  Server server(*loop, handler, std::move(chosen));
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto client = [&]() -> Task<> {
    Stream stream = co_await connect(address.to_string());
    co_await stream.write("three");
    Chunk reply = co_await stream.read_exactly(5);
    EXPECT_EQ(reply.text(), "three");
    while (ends.empty()) co_await sleep_for(1ms);
    EXPECT_EQ(ends[0].bytes_received, 5U);
    EXPECT_EQ(ends[0].bytes_sent, 5U);
    EXPECT_FALSE(ends[0].peer_finished);
    // Longer than its idle timeout would be.
    Result<Chunk> nothing = co_await as_result(with_timeout(60ms, kept->read()));
    EXPECT_EQ(nothing.error(), Errc::timed_out);
    co_await kept->write("still");
    Chunk more = co_await stream.read_exactly(5);
    EXPECT_EQ(more.text(), "still");
    kept.reset();
  };
  ASSERT_TRUE(with_client(server, client));
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(ends[0].how, SessionEnd::How::finished);
}

TEST_F(Serves, who_is_at_work_or_has_not_taken_everything_is_not_idle) {
  const std::string much(1 << 20, 'x');
  bool at_work = false;
  Channel<int> go({.capacity = 1});
  auto handler = [&](Stream peer) -> Task<> {
    Chunk wish = co_await peer.read();
    if (wish.text() == "work") {
      at_work = true;
      co_await go.receive();
      co_await peer.write("done");
    } else {
      co_await peer.write(much);
      co_await peer.read();
    }
  };
  Server server(*loop, handler, options());
  const Address address = server.listen("127.0.0.1:0").value().front();
  // A small window: most of what the handler has written stays in the queue of the kernel.
  Socket slow = Socket::open(Family::ipv4, Kind::stream).value();
  ASSERT_TRUE(slow.set_receive_buffer(4096));
  ASSERT_TRUE(slow.connect(address));
  ASSERT_TRUE(slow.send_all("much"));
  auto client = [&]() -> Task<> {
    Stream busy = co_await connect(address.to_string());
    co_await busy.write("work");
    while (!at_work || server.sessions() < 2) co_await sleep_for(1ms);
    co_await sleep_for(10ms);
    server.drain();
    co_await sleep_for(120ms);  // looked at twice, and left alone
    EXPECT_EQ(server.sessions(), 2U);
    co_await go.send(1);
    Chunk done = co_await busy.read_exactly(4);
    EXPECT_EQ(done.text(), "done");
    const Result<SlotId> slot = loop->backend().adopt(slow.release(), Role::stream);
    Stream reader(*loop, *slot);
    Chunk all = co_await reader.read_exactly(much.size());
    Chunk end = co_await reader.read();
    EXPECT_TRUE(end.empty());
  };
  const Result<> done = with_client(server, client);
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(server.drained().finished, 1U);
  EXPECT_EQ(server.drained().idle, 1U);
}

// ---- ends

TEST_F(Serves, a_cancelled_run_cuts_off_its_sessions_and_ends) {
  ServerOptions full = options();
  full.max_sessions = 1;  // the acceptor waits for room when the cancel comes
  Server server(*loop, echo, std::move(full));
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto client = [&]() -> Task<> {
    Stream stream = co_await connect(address.to_string());
    co_await stream.write("x");
    Chunk reply = co_await stream.read();
    EXPECT_EQ(reply.text(), "x");
    while (pauses.empty()) co_await sleep_for(1ms);
    loop->stop();  // cancels what block_on() waits for
    Result<Chunk> end = co_await as_result(shielded(patience, stream.read()));
    EXPECT_EQ(end.error(), Errc::connection_reset);
  };
  auto program = [&]() -> Task<> {
    auto body = [&](Scope& scope) -> Task<> {
      scope.spawn(client);
      co_await server.run();
    };
    co_await scoped(body);
  };
  EXPECT_EQ(loop->block_on(program).error(), Errc::canceled);
  EXPECT_EQ(server.sessions(), 0U);
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(ends[0].how, SessionEnd::How::cut_off);
}

TEST_F(Serves, a_handler_that_has_closed_its_stream_and_works_on_is_not_idle) {
  std::size_t closed = 0;
  loop->observe(
      [&](const Event& event) { closed += event.what == Event::What::closed && event.local == where ? 1 : 0; });
  Channel<int> go({.capacity = 1});
  auto handler = [&](Stream peer) -> Task<> {
    Chunk wish = co_await peer.read();
    peer.close();  // its farewell reads what the peer still says, which is nothing that the session waits for
    if (wish.text() == "work") co_await go.receive();
    else co_await sleep_for(1h);
  };
  ServerOptions brief = options();
  brief.drain = 300ms;
  Server server(*loop, handler, std::move(brief));
  where = server.listen("127.0.0.1:0").value().front();
  auto client = [&]() -> Task<> {
    Stream one = co_await connect(where.to_string());
    co_await one.write("work");
    Stream other = co_await connect(where.to_string());
    co_await other.write("sleep");
    Chunk end = co_await other.read();
    EXPECT_TRUE(end.empty());
    end = co_await one.read();
    EXPECT_TRUE(end.empty());
    server.drain();
    co_await sleep_for(60ms);  // looked at at least once, and left alone
    EXPECT_EQ(server.sessions(), 2U);
    co_await go.send(1);
    while (server.sessions() != 0) co_await sleep_for(1ms);
  };
  ASSERT_TRUE(with_client(server, client));
  EXPECT_EQ(server.drained().finished, 1U);
  EXPECT_EQ(server.drained().idle, 0U);
  EXPECT_EQ(server.drained().cut_off, 1U);
  EXPECT_EQ(closed, 3U) << "two sessions and a listener, once each";
  loop->observe({});
}

// It is this one connection that is not served: one that nobody watches might stay for ever.
TEST_F(Serves, nobody_for_whose_timeouts_there_is_no_memory) {
  if (!support::counts_allocations()) GTEST_SKIP() << "a sanitizer owns operator new";
  ServerOptions chosen = options();
  chosen.timeouts = {.window = 1min, .least_bytes = 1};
  int came = 0;
  std::optional<support::NoMemory> none;
  chosen.admit = [&](const Address&) {
    if (++came == 2) none.emplace();
    return true;
  };
  chosen.on_start = [&](const Session&) { none.reset(); };
  Server server(*loop, echo, std::move(chosen));
  where = server.listen("127.0.0.1:0").value().front();
  const auto client = [&]() -> Task<> {
    co_await is_served(where);
    while (ends.empty()) co_await yield();  // from now on there is a place for a session
    co_await is_turned_away(where);
    co_await is_served(where);
    while (ends.size() < 3) co_await yield();
  };
  const Result<> done = with_client(server, client);
  ASSERT_TRUE(done) << done.error().message();
  ASSERT_EQ(ends.size(), 3U);
  EXPECT_EQ(ends[0].how, SessionEnd::How::finished);
  EXPECT_EQ(ends[1].how, SessionEnd::How::failed);
  EXPECT_EQ(ends[1].error, Errc::out_of_memory);
  EXPECT_EQ(ends[2].how, SessionEnd::How::finished);
}

// It was idle and is asked to end, but what its handler says of it is that something is wrong.
TEST_F(Serves, a_session_that_fails_while_it_is_drained_has_failed) {
  auto handler = [](Stream peer) -> Task<> {
    Chunk word = co_await peer.read();
    co_await peer.write(std::move(word));
    Result<Chunk> next = co_await as_result(peer.read());
    if (next.error() == Errc::canceled) co_await fail(Errc::not_found);
  };
  Server server(*loop, handler, options());
  where = server.listen("127.0.0.1:0").value().front();
  const auto client = [&]() -> Task<> {
    Stream stream = co_await connect(where.to_string());
    co_await stream.write("x");
    Chunk reply = co_await stream.read();
    server.drain();
    Result<Chunk> end = co_await as_result(stream.read());
    EXPECT_TRUE(end ? end->empty() : end.error().peer_is_gone());
  };
  const Result<> done = with_client(server, client);
  ASSERT_TRUE(done) << done.error().message();
  ASSERT_EQ(ends.size(), 1U);
  EXPECT_EQ(ends[0].how, SessionEnd::How::failed);
  EXPECT_EQ(ends[0].error, Errc::not_found);
}

TEST_F(Serves, every_end_has_a_name) {
  std::string names;
  for (const auto how :
       {SessionEnd::How::finished, SessionEnd::How::peer_gone, SessionEnd::How::timed_out, SessionEnd::How::too_slow,
        SessionEnd::How::failed, SessionEnd::How::drained, SessionEnd::How::cut_off})
    names += std::string(name(how)) + ' ';
  EXPECT_EQ(names, "finished peer_gone timed_out too_slow failed drained cut_off ");
}

}  // namespace
}  // namespace meari
