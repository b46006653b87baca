// What things cost in bytes and allocations: printed, and held.
#include <chrono>
#include <iostream>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <meari/connect.hpp>
#include <meari/scope.hpp>
#include <meari/server.hpp>
#include <meari/socket.hpp>

#include "src/backend/slot.hpp"
#include "support/allocations.hpp"
#include "support/backend_harness.hpp"
#include "support/serving.hpp"

namespace meari {
namespace {

using namespace std::chrono_literals;
using test::echo;

class BudgetTest : public testing::TestWithParam<BackendChoice> {
 protected:
  // In a thread of its own: frames that an earlier test freed on this one would be used again, and not counted.
  template <class Body>
  static void with_loop(Body body) {
    if (!support::counts_allocations()) GTEST_SKIP() << "a sanitizer owns operator new";
    std::thread([&body] {
      LoopOptions options;
      options.backend.choice = GetParam();
      Result<std::unique_ptr<Loop>> loop = Loop::make(std::move(options));
      if (!loop) GTEST_SKIP() << loop.error().message();
      body(**loop);
    }).join();
  }
};
INSTANTIATE_TEST_SUITE_P(Backends, BudgetTest, testing::ValuesIn(test::system_choices()));

TEST(Budget, sizes) {
  std::cout << "Operation " << sizeof(Receive) << " (receive), " << sizeof(Send) << " (send); Slot " << sizeof(Slot)
            << "; Stream " << sizeof(Stream) << "; Result<Chunk> " << sizeof(Result<Chunk>) << "; TaskState "
            << sizeof(TaskState) << " bytes\n";
  EXPECT_LE(sizeof(Receive), 80u);
  EXPECT_LE(sizeof(Send), 80u);
  EXPECT_LE(sizeof(Slot), 128u);
  EXPECT_EQ(sizeof(Stream), 16u);
  EXPECT_LE(sizeof(Result<Chunk>), 40u);
}

TEST_P(BudgetTest, an_echoed_message_allocates_nothing) {
  with_loop([](Loop& loop) {
    constexpr int messages = 1000;
    std::size_t before = 0;
    std::size_t after = 0;
    auto talk = [&](Stream mine) -> Task<> {
      for (int i = 0; i < messages + 100; ++i) {
        if (i == 100) before = support::allocations();  // by then everything is warm
        co_await mine.write("a message of no great length");
        Chunk reply = co_await mine.read();
        EXPECT_EQ(reply.size(), 28u);
      }
      after = support::allocations();
    };
    auto program = [&]() -> Task<> {
      auto body = [&](Scope& scope) -> Task<> {
        std::pair<Stream, Stream> ends = co_await Stream::pair();
        scope.spawn(echo, std::move(ends.first));
        scope.spawn(talk, std::move(ends.second));
      };
      co_await scoped(body);
    };
    ASSERT_TRUE(loop.block_on(program));
    EXPECT_EQ(after - before, 0u) << "in " << messages << " messages";
  });
}

// The frames of the handler and of its session, the slot, and what the scope keeps of them.
TEST_P(BudgetTest, an_idle_session_is_small) {
  with_loop([](Loop& loop) {
    constexpr std::size_t sessions = 512;  // whole pages of slots
    ServerOptions options;
    options.max_sessions = 10'000;
    Server server(loop, echo, std::move(options));
    const Address address = server.listen("127.0.0.1:0").value().front();
    std::vector<Socket> clients;
    auto connect_all = [&](std::size_t count) {
      for (std::size_t i = 0; i < count; ++i) {
        Socket client = Socket::open(Family::ipv4, Kind::stream).value();
        client.connect(address).value();
        clients.push_back(std::move(client));
      }
    };
    clients.reserve(2 * sessions);
    std::size_t bytes = 0;
    auto program = [&]() -> Task<> {
      auto body = [&](Scope& scope) -> Task<> {
        auto serving = [&] { return server.run(); };
        scope.spawn(serving);
        connect_all(sessions);
        while (server.sessions() < sessions) co_await sleep_for(1ms);
        const std::size_t before = support::allocated_bytes();
        connect_all(sessions);
        while (server.sessions() < 2 * sessions) co_await sleep_for(1ms);
        bytes = support::allocated_bytes() - before;
        clients.clear();
        server.drain();
      };
      co_await scoped(body);
    };
    ASSERT_TRUE(loop.block_on(program));
    std::cout << loop.backend().name() << ": an idle session " << bytes / sessions << " bytes, of them " << sizeof(Slot)
              << " the slot\n";
    EXPECT_LE(bytes / sessions, 1024u);
  });
}

}  // namespace
}  // namespace meari
