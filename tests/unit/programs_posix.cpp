// serve() and run(): whole programs, each in a process of its own. What they print, and the exit status.
#include <meari/server.hpp>

#include <array>
#include <csignal>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include <meari/connect.hpp>
#include <meari/deadline.hpp>
#include <meari/socket.hpp>

namespace meari {
namespace {

using namespace std::chrono_literals;
using testing::ExitedWithCode;

// A listener with a client in its queue, so that whoever serves it has somebody to serve at once.
struct Door {
  Socket listener = Socket::open(Family::ipv4, Kind::stream).value();
  Socket client = Socket::open(Family::ipv4, Kind::stream).value();

  explicit Door(std::string_view said) {
    listener.bind(Address::parse("127.0.0.1:0").value()).value();
    listener.listen().value();
    client.connect(listener.local().value()).value();
    client.send_all(said).value();
  }
  [[nodiscard]] std::string name() const { return "fd:" + std::to_string(listener.descriptor()); }
};

TEST(ServeDeathTest, says_where_it_listens_and_ends_well_at_a_signal) {
  const auto program = [] {
    Door door("x");
    const auto handler = [](Stream peer) -> Task<> {
      Chunk data = co_await peer.read();
      std::raise(SIGTERM);
      co_await peer.write(std::move(data));
    };
    const int status = serve(door.name(), handler);
    std::array<char, 4> reply{};
    // The session that had begun was not cut off by the signal.
    if (door.client.recv(reply).value() != 1) std::exit(7);
    std::exit(status);
  };
  EXPECT_EXIT(program(), ExitedWithCode(0), "listening on 127\\.0\\.0\\.1:[0-9]+\n");
}

TEST(NumbersDeathTest, of_connections_begin_with_1) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a process that has had none
  const auto program = [] {
    const std::unique_ptr<Loop> loop = Loop::make().value();
    const auto [one, other] = loop->backend().pair().value();
    std::exit(loop->backend().facts(one).number == 1 && loop->backend().facts(other).number == 2 ? 0 : 7);
  };
  EXPECT_EXIT(program(), ExitedWithCode(0), "");
}

TEST(ServeDeathTest, a_second_signal_does_not_wait_for_who_is_busy) {
  const auto program = [] {
    Door door("x");
    const auto handler = [](Stream peer, Session& session) -> Task<> {
      Chunk data = co_await peer.read();
      std::raise(SIGINT);
      while (!session.draining()) co_await sleep_for(1ms);
      std::raise(SIGINT);
      co_await sleep_for(1h);
    };
    std::exit(serve(door.name(), handler, {.drain = 1h}));
  };
  EXPECT_EXIT(program(), ExitedWithCode(0), "listening on");
}

TEST(ServeDeathTest, what_is_no_address_is_said_and_is_a_failure) {
  const auto program = [] { std::exit(serve("nowhere:at:all", [](Stream) -> Task<> { co_return; })); };
  EXPECT_EXIT(program(), ExitedWithCode(1), "nowhere:at:all");
}

TEST(RunDeathTest, a_program_that_ends_well) {
  EXPECT_EXIT(std::exit(run([]() -> Task<> { co_return; })), ExitedWithCode(0), "^$");
}

TEST(RunDeathTest, a_failure_is_said_with_what_can_be_done) {
  const auto program = [] {
    Socket closed = Socket::open(Family::ipv4, Kind::stream).value();  // bound, and nobody listens
    closed.bind(Address::parse("127.0.0.1:0").value()).value();
    const std::string where = closed.local().value().to_string();
    const auto client = [&where]() -> Task<> { Stream stream = co_await connect(where); };
    std::exit(run(client));
  };
  EXPECT_EXIT(program(), ExitedWithCode(1), "connect to 127\\.0\\.0\\.1:[0-9]+: connection refused\n.+\n");
}

TEST(RunDeathTest, a_signal_cancels_it) {
  const auto program = [] {
    const auto sleeper = []() -> Task<> {
      std::raise(SIGINT);
      co_await sleep_for(1h);
    };
    std::exit(run(sleeper));
  };
  EXPECT_EXIT(program(), ExitedWithCode(130), "^$");
}

}  // namespace
}  // namespace meari
