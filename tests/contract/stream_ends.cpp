// How a stream over any backend ends: out of time, with a goodbye, broken off, or handed on.
#include "loop_harness.hpp"

namespace meari::test {
namespace {

class StreamEnds : public OnLoop {};
MEARI_EVERY_BACKEND(StreamEnds);

// ---- timeouts

TEST_P(StreamEnds, an_idle_stream_fails_its_reader) {
  auto [client, server] = streams();
  server.set_timeouts({.idle = 30ms});
  auto body = [&]() -> Task<> {
    const Time before = loop().now();
    Result<Chunk> nothing = co_await as_result(server.read());
    EXPECT_EQ(nothing.error(), Errc::timed_out);
    EXPECT_GE(loop().now(), before + 25ms);
  };
  run(body);
}

TEST_P(StreamEnds, a_stream_that_talks_is_not_idle) {
  if (GetParam() != Make::wire) GTEST_SKIP() << "a busy machine may fall silent for longer than any idle timeout";
  auto [client, server] = streams();
  server.set_timeouts({.idle = 50ms});
  auto talk = [&]() -> Task<> {
    for (int i = 0; i < 20; ++i) {
      co_await sleep_for(30ms);
      co_await client.write(".");
    }
    co_await client.finish();
  };
  auto listen = [&]() -> Task<> {
    std::size_t got = 0;
    while (Chunk data = co_await server.read()) got += data.size();
    EXPECT_EQ(got, 20U);
  };
  run(talk, listen);
}

TEST_P(StreamEnds, who_does_not_read_is_not_idle) {
  auto [client, server] = streams();
  server.set_timeouts({.idle = 5ms});
  auto body = [&]() -> Task<> {
    co_await sleep_for(30ms);
    co_await server.write("still there");
    Chunk text = co_await client.read_exactly(11);
    EXPECT_EQ(text.text(), "still there");
  };
  run(body);
}

TEST_P(StreamEnds, an_idle_timeout_counts_from_when_the_read_began) {
  if (GetParam() != Make::wire) GTEST_SKIP() << "a busy machine may be late";
  MEARI_REPORTED("it counts from the last byte");
  auto [client, server] = streams();
  server.set_timeouts({.idle = 20ms});
  auto body = [&]() -> Task<> {
    co_await sleep_for(39ms);
    auto answer = [&]() -> Task<> {
      co_await sleep_for(10ms);
      co_await client.write("in time");
    };
    auto both = [&](Scope& scope) -> Task<> {
      scope.spawn(answer);
      Chunk text = co_await server.read();
      EXPECT_EQ(text.text(), "in time");
    };
    co_await scoped(both);
  };
  run(body);
}

TEST_P(StreamEnds, a_peer_that_takes_nothing_fails_the_writer) {
  auto [client, server] = streams();
  server.set_timeouts({.stall = 30ms});
  const std::string much(24 << 20, 'x');
  auto body = [&]() -> Task<> {
    const Time before = loop().now();  // what timeouts count by: the time of the turn
    Result<> stalled = co_await as_result(server.write(much));
    EXPECT_EQ(stalled.error(), Errc::timed_out);
    EXPECT_GE(loop().now(), before + 28ms);
    Result<> more = co_await as_result(server.write("more"));
    EXPECT_EQ(more.error(), Errc::write_incomplete);
  };
  run(body);
}

TEST_P(StreamEnds, a_stall_limit_counts_for_a_write_that_waits_already) {
  auto [client, server] = streams();
  const std::string much(24 << 20, 'x');
  auto writes = [&]() -> Task<> {
    Result<> stalled = co_await as_result(server.write(much));
    EXPECT_EQ(stalled.error(), Errc::timed_out);
  };
  auto limits = [&]() -> Task<> {
    while (server.facts().sending == nullptr) co_await sleep_for(1ms);
    server.set_timeouts({.stall = 30ms});
  };
  run(writes, limits);
}

// Also where nothing of the write that stalled had left: a FIN after it would make what went before look complete.
TEST_P(StreamEnds, a_stalled_write_breaks_the_stream_although_nothing_of_it_had_left) {
  MEARI_NEEDS(small_pairs);
  auto [client, server] = Stream::pair(loop()).value();
  server.set_timeouts({.stall = 30ms});
  auto body = [&]() -> Task<> {
    Result<> stalled;
    while (stalled) stalled = co_await as_result(server.write("x"));  // a single byte cannot be cut
    EXPECT_EQ(stalled.error(), Errc::timed_out);
    EXPECT_TRUE(server.facts().broken);
    Result<> more = co_await as_result(server.write("more"));
    EXPECT_EQ(more.error(), Errc::write_incomplete);
  };
  run(body);
}

TEST_P(StreamEnds, a_slow_peer_is_not_stalled) {
  if (GetParam() != Make::wire) GTEST_SKIP() << "a busy machine may take nothing for longer than any stall timeout";
  auto [client, server] = streams();
  server.set_timeouts({.stall = 50ms});
  auto talk = [&]() -> Task<> {
    const std::string much(2 << 20, 'x');
    co_await server.write(much);
    co_await server.finish();
  };
  auto listen = [&]() -> Task<> {
    std::size_t got = 0;
    while (Chunk data = co_await client.read()) {
      got += data.size();
      co_await sleep_for(10ms);
    }
    EXPECT_EQ(got, 2U << 20);
  };
  run(talk, listen);
}

TEST_P(StreamEnds, timeouts_may_be_taken_back) {
  auto [client, server] = streams();
  server.set_timeouts({.idle = 5ms});
  server.set_timeouts({});
  auto body = [&]() -> Task<> {
    Result<Chunk> nothing = co_await as_result(with_timeout(30ms, server.read()));
    EXPECT_EQ(nothing.error(), Errc::timed_out);
    co_await client.write("x");
    Chunk data = co_await server.read();
    EXPECT_EQ(data.text(), "x");
  };
  run(body);
}

// ---- ends

TEST_P(StreamEnds, the_last_reply_survives_a_close_with_unread_input) {
  for (int round = 0; round < 10; ++round) {
    auto [client, server] = streams();
    auto body = [&]() -> Task<> {
      const std::string request(40'000, 'q');
      co_await client.write(request);
      Chunk first = co_await server.read_some(10);
      EXPECT_EQ(first.size(), 10U);
      first = Chunk();
      const std::string reply(20'000, 'r');
      co_await server.write(reply);
      server.close();  // 39,990 bytes are unread: a plain close would send RST and destroy the reply
      Chunk all = co_await client.read_exactly(reply.size());
      EXPECT_EQ(all.text(), reply);
      Chunk end = co_await client.read();
      EXPECT_TRUE(end.empty());
    };
    run(body);
  }
}

TEST_P(StreamEnds, a_peer_that_never_stops_is_cut_off) {
  auto [client, server] = streams();
  auto body = [&]() -> Task<> {
    server.close();
    Error error;
    const std::string block(10'000, 'x');
    for (int i = 0; i < 100'000 && !error; ++i) {
      Result<> sent = co_await as_result(client.write(block));
      error = sent.error();
      co_await yield();
    }
    EXPECT_TRUE(error.peer_is_gone()) << error.message();
  };
  run(body);
}

TEST_P(StreamEnds, a_silent_peer_holds_a_close_for_two_seconds_at_most) {
  auto [client, server] = streams();
  const Time before = now();
  server.close();
  EXPECT_EQ(loop().backend().slots_in_use(), 2U) << "says goodbye";
  while (loop().backend().slots_in_use() == 2) loop().turn(now() + 1s);
  EXPECT_GE(now(), before + 1900ms);
  client.close();
}

TEST_P(StreamEnds, an_end_that_was_seen_needs_no_goodbye) {
  auto [client, server] = streams();
  auto body = [&]() -> Task<> {
    co_await client.finish();
    Chunk end = co_await server.read();
    EXPECT_TRUE(end.empty());
    server.close();
    Chunk back = co_await client.read();
    EXPECT_TRUE(back.empty());
  };
  run(body);
}

TEST_P(StreamEnds, an_abort_is_a_reset_for_the_peer) {
  MEARI_NEEDS(resets);
  auto [client, server] = streams();
  auto body = [&]() -> Task<> {
    client.abort();
    Result<Chunk> nothing = co_await as_result(server.read());
    EXPECT_EQ(nothing.error(), Errc::connection_reset);
  };
  run(body);
}

TEST_P(StreamEnds, a_stream_that_goes_while_it_is_read_ends_the_reader) {
  auto [client, server] = streams();
  auto listen = [&]() -> Task<> {
    Result<Chunk> nothing = co_await as_result(server.read());
    EXPECT_EQ(nothing.error(), Errc::canceled);
  };
  auto leave = [&]() -> Task<> {
    co_await sleep_for(1ms);
    server.close();
  };
  run(leave, listen);
}

TEST_P(StreamEnds, a_closed_stream_says_closed) {
  auto [client, server] = streams();
  Stream gone;
  auto body = [&]() -> Task<> {
    Result<Chunk> nothing = co_await as_result(gone.read());
    EXPECT_EQ(nothing.error(), Errc::closed);
    Result<> unsent = co_await as_result(gone.write("x"));
    EXPECT_EQ(unsent.error(), Errc::closed);
    Result<Chunk> message = co_await as_result(gone.read_exactly(2));
    EXPECT_EQ(message.error(), Errc::closed);
    Result<Chunk> line = co_await as_result(gone.read_until("\n"));
    EXPECT_EQ(line.error(), Errc::closed);
    Result<> end = co_await as_result(gone.finish());
    EXPECT_EQ(end.error(), Errc::closed);
    Result<Chunk> piece = Chunk::copy_of(std::as_bytes(std::span("x", 1)));
    gone.unread(*std::move(piece));
  };
  run(body);
  EXPECT_FALSE(gone.is_open());
  EXPECT_EQ(gone.local().error(), Errc::closed);
  EXPECT_EQ(gone.peer().error(), Errc::closed);
  EXPECT_EQ(gone.info().error(), Errc::closed);
  EXPECT_EQ(gone.release().error(), Errc::closed);
  EXPECT_EQ(gone.facts().number, 0U);
  gone.close();
  gone.abort();
}

TEST_P(StreamEnds, a_loop_may_go_while_tasks_read_and_write) {
  auto [client, server] = streams();
  bool ended = false;
  struct Note {
    bool& flag;
    ~Note() { flag = true; }
  };
  auto reader = [&]() -> Task<> {
    Stream mine = std::move(server);
    const Note note{ended};
    co_await mine.read();
  };
  auto writer = [&]() -> Task<> {
    Stream mine = std::move(client);
    const std::string much(24 << 20, 'x');
    co_await mine.write(much);
  };
  loop().spawn(reader);
  loop().spawn(writer);
  for (int i = 0; i < 5; ++i) loop().turn(now() + 1ms);
  loop().cancel();
  loop().run();
  EXPECT_TRUE(ended);
}

TEST_P(StreamEnds, a_pair_talks_inside_the_process) {
  auto body = [&]() -> Task<> {
    std::pair<Stream, Stream> ends = co_await Stream::pair(loop());
    co_await ends.first.write("inside");
    Chunk text = co_await ends.second.read();
    EXPECT_EQ(text.text(), "inside");
    ends.first.close();
    Chunk end = co_await ends.second.read();
    EXPECT_TRUE(end.empty());
  };
  run(body);
}

TEST_P(StreamEnds, a_released_stream_can_be_adopted_again) {
  auto [client, server] = streams();
  auto body = [&]() -> Task<> {
    const Descriptor descriptor = co_await server.release();
    EXPECT_FALSE(server.is_open());
    Stream again = co_await Stream::adopt(loop(), descriptor);
    co_await client.write("moved");
    Chunk text = co_await again.read();
    EXPECT_EQ(text.text(), "moved");
  };
  run(body);
}

TEST_P(StreamEnds, tell_their_addresses_and_totals) {
  auto [client, server] = streams();
  auto body = [&]() -> Task<> {
    co_await client.write("12345");
    Chunk text = co_await server.read_exactly(5);
    EXPECT_EQ(text.size(), 5U);
  };
  run(body);
  EXPECT_EQ(client.local().value(), server.peer().value());
  EXPECT_EQ(server.local().value(), client.peer().value());
  EXPECT_EQ(client.facts().bytes_sent, 5U);
  EXPECT_EQ(server.facts().bytes_received, 5U);
}

TEST_P(StreamEnds, go_over_unix_domain_sockets_and_ipv6_alike) {
  MEARI_NEEDS(abstract_names);
  for (const Family family : {Family::local, Family::ipv6}) {
    if (family == Family::ipv6 && !missing(GetParam(), Need::ipv6).empty()) continue;
    auto [client, server] = streams(family);
    auto body = [&]() -> Task<> {
      co_await client.write("alike");
      co_await client.finish();
      Chunk text = co_await server.read_exactly(5);
      EXPECT_EQ(text.text(), "alike");
      Chunk end = co_await server.read();
      EXPECT_TRUE(end.empty());
    };
    run(body);
  }
}

}  // namespace
}  // namespace meari::test
