// A server whose sessions run on several loops, each with a thread: dealt evenly, limited, counted and drained as one.
#include <meari/server.hpp>

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <meari/connect.hpp>
#include <meari/deadline.hpp>
#include <meari/scope.hpp>

#include "allocations.hpp"
#include "serving.hpp"

namespace meari {
namespace {

using namespace std::chrono_literals;
using test::echo, test::patience;

class OnWorkers : public testing::Test {
 protected:
  ServerOptions options() {
    ServerOptions chosen;
    chosen.on_start = [this](const Session& session) {
      here();
      EXPECT_NE(session.id(), 0U);
      ++begun;
    };
    chosen.on_end = [this](const Session&, const SessionEnd& end) {
      here();
      ends.push_back(end);
    };
    return chosen;
  }
  // Nobody is told anything on another thread.
  void here() const { EXPECT_EQ(std::this_thread::get_id(), thread); }

  void deal(Server& server) {
    for (Loop* worker : workers.loops()) ASSERT_TRUE(server.deal_to(*worker));
  }
  template <class Client>
  Result<> with_client(Server& server, Client client) {
    return test::with_client(*loop, server, std::move(client));
  }
  // Echoes, and remembers on which loop.
  Server::Handler remembering() {
    return [this](Stream peer, Session&) -> Task<> {
      {
        const std::lock_guard lock(mutex);
        ran_on.push_back(Loop::current());
      }
      return echo(std::move(peer));
    };
  }
  // A client that is served, and stays.
  static Task<Stream> is_served(Address where) {
    Stream stream = co_await connect(where.to_string());
    co_await stream.write("x");
    Chunk reply = co_await stream.read();
    EXPECT_EQ(reply.text(), "x");
    co_return std::move(stream);
  }
  [[nodiscard]] std::size_t count(SessionEnd::How how) const {
    return static_cast<std::size_t>(std::ranges::count(ends, how, &SessionEnd::how));
  }

  std::thread::id thread = std::this_thread::get_id();
  std::unique_ptr<Loop> loop = Loop::make().value();
  Workers workers = Workers::beside(*loop, 2).value();
  std::mutex mutex;
  std::vector<Loop*> ran_on;  // of remembering()
  std::vector<SessionEnd> ends;
  std::size_t begun = 0;
};

}  // namespace

// And what the loop of a thread did not get is not closed either, such as standard input.
TEST(Workers, are_refused_where_their_loops_have_no_descriptors) {
  for (const BackendChoice choice : {BackendChoice::epoll, BackendChoice::automatic}) {
    LoopOptions options;
    options.backend.choice = choice;
    const std::unique_ptr<Loop> loop = Loop::make(std::move(options)).value();
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit none = before;
    none.rlim_cur = 0;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    const Result<Workers> refused = Workers::beside(*loop, 1);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_EQ(refused.error(), Errc::too_many_descriptors) << refused.error().message();
    EXPECT_GE(::fcntl(0, F_GETFD), 0);
  }
}

TEST_F(OnWorkers, sessions_are_dealt_evenly_and_drained_together) {
  std::mutex mutex;
  std::map<Loop*, int> on;
  auto handler = [&](Stream peer) -> Task<> {
    {
      const std::lock_guard lock(mutex);
      ++on[Loop::current()];
    }
    return echo(std::move(peer));
  };
  Server server(*loop, handler, options());
  deal(server);
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto clients = [&]() -> Task<> {
    std::vector<Stream> all;
    for (int i = 0; i < 31; ++i) {
      Stream client = co_await is_served(address);
      all.push_back(std::move(client));
    }
    EXPECT_EQ(server.sessions(), 31U);
    server.drain();
    // Their ends come while all of them still listen.
    for (Stream& client : all) {
      Chunk end = co_await client.read();
      EXPECT_TRUE(end.empty());
    }
  };
  const Result<> done = with_client(server, clients);
  ASSERT_TRUE(done) << done.error().message();
  ASSERT_EQ(on.size(), 3U);
  for (const auto& [where, sessions] : on) EXPECT_TRUE(sessions == 10 || sessions == 11) << sessions;
  EXPECT_EQ(begun, 31U);
  EXPECT_EQ(ends.size(), 31U);
  EXPECT_EQ(server.drained().idle, 31U);
  EXPECT_EQ(count(SessionEnd::How::drained), 31U);
  for (const SessionEnd& end : ends) {
    EXPECT_EQ(end.bytes_received, 1U);
    EXPECT_EQ(end.bytes_sent, 1U);
  }
}

TEST_F(OnWorkers, who_has_the_fewest_gets_the_next) {
  Server server(*loop, remembering(), options());
  deal(server);
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto clients = [&]() -> Task<> {
    std::vector<Stream> all;
    for (std::size_t i = 0; i < 3; ++i) {
      Stream client = co_await is_served(address);
      all.push_back(std::move(client));
    }
    // Whichever of the three has gone: its loop is the one.
    for (std::size_t i = 0; i < 6; ++i) {
      const std::size_t gone = (i + 1) % 3;
      const std::size_t ended = ends.size();
      co_await all[gone].finish();
      Chunk end = co_await all[gone].read();
      EXPECT_TRUE(end.empty());
      while (ends.size() == ended) co_await yield();
      Stream client = co_await is_served(address);
      all[gone] = std::move(client);
      const std::lock_guard lock(mutex);
      EXPECT_EQ(ran_on.back(), ran_on[gone]) << i;
    }
  };
  const Result<> done = with_client(server, clients);
  ASSERT_TRUE(done) << done.error().message();
}

// On another loop memory may be short where it is not here. Nobody is told of a session, since there was none; its place is
// free again.
TEST_F(OnWorkers, a_connection_that_a_loop_cannot_take_in_is_closed_and_the_next_is_served) {
  if (!support::counts_allocations()) GTEST_SKIP() << "a sanitizer owns operator new";
  std::vector<std::string> pauses;
  ServerOptions chosen = options();
  chosen.on_pause = [&](bool resumed, std::string_view reason) {
    here();
    pauses.push_back((resumed ? "resumed: " : "paused: ") + std::string(reason));
  };
  Loop* worker = workers.loops().front();
  struct Shortage : Posted {
    std::optional<support::NoMemory> none;
    bool begins = true;
    std::binary_semaphore done{0};
  };
  Shortage shortage;
  shortage.run = [](Ready& ready) {
    auto& self = static_cast<Shortage&>(static_cast<Posted&>(ready));
    if (std::exchange(self.begins, false)) self.none.emplace();
    else self.none.reset();
    self.done.release();
  };
  const auto on_the_worker = [&] {
    worker->post(shortage);
    shortage.done.acquire();
  };
  Server server(*loop, remembering(), std::move(chosen));
  ASSERT_TRUE(server.deal_to(*worker));
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto clients = [&]() -> Task<> {
    Stream ours = co_await is_served(address);
    on_the_worker();
    Stream refused = co_await connect(address.to_string());
    Result<Chunk> end = co_await as_result(refused.read());
    EXPECT_TRUE(end ? end->empty() : end.error().peer_is_gone());
    on_the_worker();
    EXPECT_EQ(server.sessions(), 1U);
    Stream theirs = co_await is_served(address);
    EXPECT_EQ(server.sessions(), 2U);
  };
  const Result<> done = with_client(server, clients);
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(ran_on, (std::vector<Loop*>{loop.get(), worker}));
  EXPECT_EQ(begun, 2U);
  EXPECT_EQ(ends.size(), 2U);
  EXPECT_EQ(server.accepted(), 3U);
  ASSERT_EQ(pauses.size(), 2U);
  EXPECT_NE(pauses[0].find("out of memory"), std::string::npos) << pauses[0];
  EXPECT_EQ(pauses[1], "resumed: " + pauses[0].substr(std::string("paused: ").size()));
}

TEST_F(OnWorkers, sessions_run_where_nobody_wants_to_be_told) {
  Server server(*loop, echo, {});
  deal(server);
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto clients = [&]() -> Task<> {
    std::vector<Stream> all;
    for (int i = 0; i < 3; ++i) {
      Stream client = co_await is_served(address);
      all.push_back(std::move(client));
    }
  };
  const Result<> done = with_client(server, clients);
  ASSERT_TRUE(done) << done.error().message();
}

// What it has told them is on its way until they have looked: a Server that went before would be told of there.
TEST_F(OnWorkers, a_server_is_not_over_before_each_of_them_has_said_goodbye) {
  struct Busy : Posted {
    std::binary_semaphore begun{0}, may_end{0};
  };
  for (Loop* worker : workers.loops()) {
    Busy busy;
    busy.run = [](Ready& ready) {
      auto& self = static_cast<Busy&>(static_cast<Posted&>(ready));
      self.begun.release();
      self.may_end.acquire();
    };
    Server server(*loop, echo, options());
    deal(server);
    bool over = false;
    auto body = [&](Scope& scope) -> Task<> {
      auto serving = [&]() -> Task<> {
        co_await server.run();
        over = true;
      };
      scope.spawn(serving);
      worker->post(busy);
      busy.begun.acquire();
      server.drain();
      co_await sleep_for(20ms);
      EXPECT_FALSE(over);
      busy.may_end.release();
    };
    auto program = [&]() -> Task<> { co_await scoped(body); };
    EXPECT_TRUE(loop->block_on(program));
    EXPECT_TRUE(over);
  }
}

TEST_F(OnWorkers, limits_are_those_of_the_whole_server) {
  std::atomic<int> now = 0, most = 0;
  auto handler = [&](Stream peer) -> Task<> {
    const int sessions = ++now;
    for (int seen = most; seen < sessions && !most.compare_exchange_weak(seen, sessions);) {}
    Result<> over = co_await as_result(echo(std::move(peer)));
    --now;
    co_await std::move(over);
  };
  ServerOptions chosen = options();
  chosen.max_sessions = 4;
  Server server(*loop, handler, std::move(chosen));
  deal(server);
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto clients = [&]() -> Task<> {
    auto body = [&](Scope& scope) -> Task<> {
      auto come_and_go = [&]() -> Task<> {
        for (int i = 0; i < 10; ++i) {
          Stream client = co_await is_served(address);
          co_await client.finish();
          Chunk end = co_await client.read();
          EXPECT_TRUE(end.empty());
        }
      };
      for (int i = 0; i < 12; ++i) scope.spawn(come_and_go);
      co_return;
    };
    co_await scoped(body);
  };
  const Result<> done = with_client(server, clients);
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_LE(most, 4);
  EXPECT_GE(most, 2);
  EXPECT_EQ(server.accepted(), 120U);
  EXPECT_EQ(count(SessionEnd::How::finished), 120U);
}

TEST_F(OnWorkers, a_source_has_no_more_than_its_share) {
  int too_many = 0;
  ServerOptions chosen = options();
  chosen.max_per_source = 3;
  chosen.on_too_many = [&](const Address&) { ++too_many; };
  Server server(*loop, echo, std::move(chosen));
  deal(server);
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto clients = [&]() -> Task<> {
    std::vector<Stream> all;
    for (int i = 0; i < 3; ++i) {
      Stream client = co_await is_served(address);
      all.push_back(std::move(client));
    }
    Stream fourth = co_await connect(address.to_string());
    Result<Chunk> end = co_await as_result(fourth.read());
    EXPECT_TRUE(end ? end->empty() : end.error().peer_is_gone());
    // When one has gone there is room again.
    co_await all.back().finish();
    Chunk last = co_await all.back().read();
    EXPECT_TRUE(last.empty());
    while (ends.empty()) co_await yield();
    Stream again = co_await is_served(address);
  };
  const Result<> done = with_client(server, clients);
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(too_many, 1);
}

TEST_F(OnWorkers, who_throws_or_does_not_listen_harms_nobody_else) {
  auto handler = [](Stream peer) -> Task<> {
    Chunk what = co_await peer.read();
    if (what.text() == "throw") throw std::runtime_error("on purpose");
    co_await peer.write(std::move(what));
  };
  ServerOptions chosen = options();
  chosen.drain = 100ms;
  Server server(*loop, handler, std::move(chosen));
  deal(server);
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto clients = [&]() -> Task<> {
    for (int i = 0; i < 6; ++i) {
      Stream client = co_await connect(address.to_string());
      const std::string_view word = i % 2 == 0 ? "throw" : "x";
      co_await client.write(word);
      Result<Chunk> reply = co_await as_result(client.read());
      if (i % 2 != 0) {
        EXPECT_TRUE(reply);
        EXPECT_EQ(reply ? reply->text() : "", "x");
      }
    }
  };
  const Result<> done = with_client(server, clients);
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(count(SessionEnd::How::failed), 3U);
  EXPECT_EQ(count(SessionEnd::How::finished), 3U);
  for (const SessionEnd& end : ends) {
    if (end.how != SessionEnd::How::failed) continue;
    EXPECT_NE(end.exception.find("on purpose"), std::string::npos);
  }
}

TEST_F(OnWorkers, who_is_busy_at_the_deadline_is_cut_off) {
  auto handler = [](Stream peer) -> Task<> {
    for (;;) co_await peer.write("more and more\n");
  };
  ServerOptions chosen = options();
  chosen.drain = 50ms;
  Server server(*loop, handler, std::move(chosen));
  deal(server);
  const Address address = server.listen("127.0.0.1:0").value().front();
  auto clients = [&]() -> Task<> {
    std::vector<Stream> all;
    for (int i = 0; i < 6; ++i) {
      Stream client = co_await connect(address.to_string());
      Chunk some = co_await client.read();
      EXPECT_FALSE(some.empty());
      all.push_back(std::move(client));
    }
    server.drain();
    // They have to be held until the server has given up.
    while (ends.size() != 6) co_await sleep_for(1ms);
  };
  const Result<> done = with_client(server, clients);
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(server.drained().cut_off, 6U);
}

TEST_F(OnWorkers, a_loop_of_another_make_is_refused) {
  LoopOptions other;
  other.backend.choice = loop->backend().name() == "epoll" ? BackendChoice::uring : BackendChoice::epoll;
  Result<std::unique_ptr<Loop>> worker = Loop::make(std::move(other));
  if (!worker) GTEST_SKIP() << "there is only one make here: " << worker.error().message();
  Server server(*loop, echo);
  const Result<> dealt = server.deal_to(**worker);
  ASSERT_FALSE(dealt);
  EXPECT_EQ(dealt.error(), Errc::invalid_argument);
}

}  // namespace meari
