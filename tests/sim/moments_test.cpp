// When things end, to the millisecond of virtual time: goodbyes, stalls; and what can be seen of them meanwhile.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <meari/meari.hpp>
#include <meari/sim.hpp>

#include "serving.hpp"

namespace meari {
namespace {

using namespace std::chrono_literals;
using test::since_start;

Task<> serve(ServerOptions options, Task<> (*handler)(Stream)) {
  Server server(*Loop::current(), handler, std::move(options));
  const std::vector<Address> where = co_await server.listen(":9000");
  co_await server.run();
}

// Answers what was asked, and goes.
Task<> answer(Stream peer) {
  Chunk question = co_await peer.read();
  co_await peer.write("answer");
}

// What a client still says while it is said goodbye to would be answered with RST, and that would take the answer away.
TEST(Goodbye, hears_a_client_out_that_says_more_than_was_read) {
  std::string heard;
  bool ended = false;
  SimNetwork net;
  net.host("server").run([] { return serve({}, answer); });
  auto client = [&]() -> Task<> {
    Stream peer = co_await connect("server:9000");
    co_await peer.write("question");
    for (int i = 0; i < 4; ++i) {
      co_await sleep_for(100ms);
      co_await peer.write("and another thing");
    }
    co_await peer.finish();
    while (Chunk data = co_await peer.read()) heard += data.text();
    ended = true;
  };
  net.run_for(1ms);
  net.host("client").run(client);
  net.run_for(5s);
  EXPECT_EQ(heard, "answer");
  EXPECT_TRUE(ended);
}

TEST(Goodbye, takes_two_seconds_for_a_client_that_never_goes) {
  SimNetwork net;
  net.host("server").run([] { return serve({}, answer); });
  auto client = []() -> Task<> {
    Stream peer = co_await connect("server:9000");
    co_await peer.write("question");
    co_await sleep_for(1h);
  };
  net.run_for(1ms);
  net.host("client").run(client);
  const auto slots = [&net] { return net.host("server").loop().backend().slots_in_use(); };
  net.run_for(1990ms);
  EXPECT_EQ(slots(), 2U);  // the listener, and who is said goodbye to
  net.run_for(30ms);
  EXPECT_EQ(slots(), 1U);
}

// The limit counts from the last byte that moved, also where the timer was set before it did.
TEST(Stall, ends_a_write_when_nothing_has_moved_for_so_long) {
  static constexpr std::size_t much = 16 << 20, enough = 5 << 20;  // so that the send buffer takes more
  std::optional<Duration> ended;
  SimNetwork net;
  ServerOptions options;
  options.timeouts = {.idle = 30s, .stall = 1s};
  options.on_end = [&ended](const Session&, const SessionEnd& end) {
    EXPECT_EQ(end.how, SessionEnd::How::timed_out);
    ended = since_start();
  };
  auto pour = [](Stream peer) -> Task<> {
    const std::string text(much, 'x');
    co_await peer.write(text);
  };
  net.host("server").run([&] { return serve(options, pour); });
  auto client = []() -> Task<> {
    Stream peer = co_await connect("server:9000");
    co_await sleep_for(600ms);
    for (std::size_t count = 0; count < enough;) {
      Chunk some = co_await peer.read();
      count += some.size();
    }
    co_await sleep_for(1h);
  };
  net.run_for(1ms);
  net.host("client").run(client);
  net.run_for(10s);
  ASSERT_TRUE(ended);
  EXPECT_GE(*ended, 1600ms);
  EXPECT_LT(*ended, 1700ms);
}

TEST(Moments, events_tell_the_time_of_their_loop_and_a_dump_who_is_connecting) {
  std::vector<Duration> told;
  SimNetwork net;
  SimHost& client = net.host("client");
  const SimGuard cut = net.partition(client, net.host("server"));
  auto dial = [&told]() -> Task<> {
    co_await sleep_for(2s);
    Loop::current()->observe([&told](const Event& event) { told.push_back(event.time.time_since_epoch()); });
    Stream peer = co_await connect("server:9000");
  };
  client.run(dial);
  net.run_for(2500ms);
  ASSERT_FALSE(told.empty());
  for (const Duration time : told) EXPECT_EQ(time, 2s);
  EXPECT_NE(client.loop().dump().find("connect\n"), std::string::npos) << client.loop().dump();
  net.run_for(1h);
}

}  // namespace
}  // namespace meari
