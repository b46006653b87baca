// Streams over every backend: what Tasks read and write, and what stays when they are cut short.
#include <array>
#include <limits>

#include "loop_harness.hpp"

namespace meari::test {
namespace {

class Streams : public OnLoop {};
MEARI_EVERY_BACKEND(Streams);

// ---- reading

TEST_P(Streams, carry_bytes_both_ways_and_end) {
  auto [client, server] = streams();
  auto body = [&]() -> Task<> {
    co_await client.write("ping");
    Chunk ping = co_await server.read();
    EXPECT_EQ(ping.text(), "ping");
    co_await server.write(std::move(ping));
    co_await server.finish();
    Chunk pong = co_await client.read_exactly(4);
    EXPECT_EQ(pong.text(), "ping");
    Chunk end = co_await client.read();
    EXPECT_TRUE(end.empty());
  };
  run(body);
}

TEST_P(Streams, read_exactly_joins_what_came_in_pieces) {
  auto [client, server] = streams();
  auto talk = [&]() -> Task<> {
    for (std::uint64_t at = 0; at < 1000; at += 10) {
      const std::string piece = pattern(1, at, 10);
      co_await client.write(piece);
      co_await yield();
    }
  };
  auto listen = [&]() -> Task<> {
    Chunk one = co_await server.read_exactly(1);
    EXPECT_EQ(one.text(), pattern(1, 0, 1));
    Chunk most = co_await server.read_exactly(998);
    EXPECT_EQ(most.text(), pattern(1, 1, 998));
    Chunk last = co_await server.read_exactly(1);
    EXPECT_EQ(last.text(), pattern(1, 999, 1));
  };
  run(talk, listen);
}

TEST_P(Streams, read_exactly_of_three_mebibytes_is_one_piece) {
  auto [client, server] = streams();
  const std::string text = pattern(1, 0, 3 << 20);
  auto talk = [&]() -> Task<> { co_await client.write(text); };
  auto listen = [&]() -> Task<> {
    Chunk all = co_await server.read_exactly(text.size());
    EXPECT_EQ(match_pattern(1, 0, all.bytes()), text.size());
  };
  run(talk, listen);
}

TEST_P(Streams, read_exactly_fails_at_an_early_end_and_keeps_what_came) {
  auto [client, server] = streams();
  auto body = [&]() -> Task<> {
    co_await client.write("half");
    co_await client.finish();
    Result<Chunk> whole = co_await as_result(server.read_exactly(8));
    EXPECT_EQ(whole.error(), Errc::unexpected_end);
    Chunk half = co_await server.read();
    EXPECT_EQ(half.text(), "half");
    Chunk end = co_await server.read();
    EXPECT_TRUE(end.empty());
  };
  run(body);
}

TEST_P(Streams, read_exactly_out_of_time_keeps_what_came) {
  auto [client, server] = streams();
  auto body = [&]() -> Task<> {
    co_await client.write("123");
    Result<Chunk> whole = co_await as_result(with_timeout(20ms, server.read_exactly(6)));
    EXPECT_EQ(whole.error(), Errc::timed_out);
    co_await client.write("456");
    Chunk all = co_await server.read_exactly(6);
    EXPECT_EQ(all.text(), "123456");
  };
  run(body);
}

TEST_P(Streams, read_until_gives_line_by_line) {
  auto [client, server] = streams();
  auto body = [&]() -> Task<> {
    co_await client.write("one\ntwo\n\nthr");
    co_await client.write("ee\nrest");
    co_await client.finish();
    std::string lines;
    while (Chunk line = co_await server.read_until("\n")) lines += "[" + std::string(line.text()) + "]";
    EXPECT_EQ(lines, "[one\n][two\n][\n][three\n][rest]");
  };
  run(body);
}

TEST_P(Streams, read_until_without_a_limit_is_not_one_of_nothing) {
  auto [client, server] = streams();
  auto body = [&]() -> Task<> {
    co_await client.write("one\r\ntwo\r\n");
    for (const std::string_view text : {"one\r\n", "two\r\n"}) {
      Chunk line = co_await server.read_until("\r\n", std::numeric_limits<std::size_t>::max());
      EXPECT_EQ(line.text(), text);
    }
  };
  run(body);
}

TEST_P(Streams, read_until_finds_a_delimiter_that_came_in_two_pieces) {
  auto [client, server] = streams();
  auto talk = [&]() -> Task<> {
    for (const char letter : std::string_view("a\r\r\n\r\nb\r\n")) {
      co_await client.write(std::string_view(&letter, 1));
      co_await sleep_for(100us);
    }
  };
  auto listen = [&]() -> Task<> {
    Chunk first = co_await server.read_until("\r\n");
    EXPECT_EQ(first.text(), "a\r\r\n");
    Chunk second = co_await server.read_until("\r\n");
    EXPECT_EQ(second.text(), "\r\n");
    Chunk third = co_await server.read_until("\r\n");
    EXPECT_EQ(third.text(), "b\r\n");
  };
  run(talk, listen);
}

TEST_P(Streams, read_until_refuses_a_line_without_an_end_and_loses_nothing) {
  auto [client, server] = streams();
  auto body = [&]() -> Task<> {
    const std::string text(300, 'x');
    co_await client.write(text);
    Result<Chunk> line = co_await as_result(server.read_until("\n", 100));
    EXPECT_EQ(line.error(), Errc::limit_reached);
    Chunk all = co_await server.read_exactly(300);
    EXPECT_EQ(all.text(), text);
  };
  run(body);
}

TEST_P(Streams, read_until_out_of_time_keeps_half_a_line) {
  auto [client, server] = streams();
  auto body = [&]() -> Task<> {
    co_await client.write("half a");
    Result<Chunk> line = co_await as_result(with_timeout(20ms, server.read_until("\n")));
    EXPECT_EQ(line.error(), Errc::timed_out);
    co_await client.write(" line\n");
    Chunk whole = co_await server.read_until("\n");
    EXPECT_EQ(whole.text(), "half a line\n");
  };
  run(body);
}

TEST_P(Streams, a_read_that_is_out_of_time_loses_nothing) {
  auto [client, server] = streams();
  auto body = [&]() -> Task<> {
    const Time before = loop().now();
    Result<Chunk> nothing = co_await as_result(server.read(Deadline(20ms)));
    EXPECT_EQ(nothing.error(), Errc::timed_out);
    EXPECT_GE(loop().now(), before + 20ms);
    co_await client.write("later");
    Chunk later = co_await server.read();
    EXPECT_EQ(later.text(), "later");
  };
  run(body);
}

TEST_P(Streams, reads_that_race_with_a_clock_lose_nothing) {
  auto [client, server] = streams();
  auto talk = [&]() -> Task<> {
    for (std::uint64_t at = 0; at < 20'000; at += 100) {
      const std::string piece = pattern(1, at, 100);
      co_await client.write(piece);
      if (at % 1000 == 0) co_await sleep_for(100us);
    }
    co_await client.finish();
  };
  auto listen = [&]() -> Task<> {
    std::uint64_t got = 0;
    for (;;) {
      Result<Chunk> piece = co_await as_result(with_timeout(50us, server.read()));
      if (!piece) {
        EXPECT_EQ(piece.error(), Errc::timed_out);
        continue;
      }
      if (piece->empty()) break;
      EXPECT_EQ(match_pattern(1, got, piece->bytes()), piece->size());
      got += piece->size();
    }
    EXPECT_EQ(got, 20'000U);
  };
  run(talk, listen);
}

TEST_P(Streams, a_second_read_at_the_same_time_is_busy) {
  auto [client, server] = streams();
  auto first = [&]() -> Task<> {
    Chunk text = co_await server.read();
    EXPECT_EQ(text.text(), "for the first");
  };
  auto second = [&]() -> Task<> {
    co_await sleep_for(1ms);
    Result<Chunk> refused = co_await as_result(server.read());
    EXPECT_EQ(refused.error(), Errc::busy);
    co_await client.write("for the first");
  };
  run(first, second);
}

TEST_P(Streams, put_back_bytes_and_read_them_again) {
  auto [client, server] = streams();
  auto body = [&]() -> Task<> {
    co_await client.write("header body");
    Chunk all = co_await server.read_exactly(11);
    Chunk header = all.split(7);
    EXPECT_EQ(header.text(), "header ");
    server.unread(std::move(all));
    Chunk rest = co_await server.read_exactly(4);
    EXPECT_EQ(rest.text(), "body");
  };
  run(body);
}

// ---- writing

TEST_P(Streams, write_text_bytes_chunks_and_pieces) {
  auto [client, server] = streams();
  auto body = [&]() -> Task<> {
    co_await client.write("text ");
    const Bytes shared = Bytes::copy_of("bytes ");
    co_await client.write(shared);
    Chunk chunk = co_await Chunk::copy_of(std::as_bytes(std::span("chunk ", 6)));
    co_await client.write(std::move(chunk));
    const std::array<std::span<const std::byte>, 2> pieces = {std::as_bytes(std::span("pie", 3)),
                                                              std::as_bytes(std::span("ces", 3))};
    co_await client.write(pieces);
    Chunk all = co_await server.read_exactly(23);
    EXPECT_EQ(all.text(), "text bytes chunk pieces");
  };
  run(body);
}

TEST_P(Streams, writers_of_several_tasks_do_not_mix) {
  auto [client, server] = streams();
  const std::string large(300'000, 'a');
  auto talk = [&]() -> Task<> {
    auto body = [&](Scope& scope) -> Task<> {
      for (char letter = 'a'; letter < 'i'; ++letter) {
        auto writer = [&, letter]() -> Task<> {
          const std::string text(300'000, letter);
          co_await client.write(text);
        };
        scope.spawn(writer);
      }
      co_return;
    };
    co_await scoped(body);
  };
  auto listen = [&]() -> Task<> {
    std::string seen;
    for (int i = 0; i < 8; ++i) {
      Chunk part = co_await server.read_exactly(large.size());
      EXPECT_EQ(part.text().find_first_not_of(part.text()[0]), std::string_view::npos);
      seen += part.text()[0];
    }
    EXPECT_EQ(seen, "abcdefgh");
  };
  run(talk, listen);
}

TEST_P(Streams, echo_eight_mebibytes) {
  auto [client, server] = streams();
  auto echo = [&]() -> Task<> {
    while (Chunk data = co_await server.read()) co_await server.write(std::move(data));
    co_await server.finish();
  };
  auto talk = [&]() -> Task<> {
    auto body = [&](Scope& scope) -> Task<> {
      auto send = [&]() -> Task<> {
        const std::string text = pattern(1, 0, 8 << 20);
        co_await client.write(text);
        co_await client.finish();
      };
      scope.spawn(send);
      std::uint64_t got = 0;
      while (Chunk data = co_await client.read()) {
        EXPECT_EQ(match_pattern(1, got, data.bytes()), data.size());
        got += data.size();
      }
      EXPECT_EQ(got, 8U << 20);
    };
    co_await scoped(body);
  };
  run(echo, talk);
}

TEST_P(Streams, a_write_that_is_cut_short_breaks_its_direction_alone) {
  auto [client, server] = streams();
  auto body = [&]() -> Task<> {
    const std::string much(24 << 20, 'x');
    Result<> cut = co_await as_result(with_timeout(30ms, client.write(much)));
    EXPECT_FALSE(cut.has_value());
    Result<> more = co_await as_result(client.write("more"));
    EXPECT_EQ(more.error(), Errc::write_incomplete);
    co_await server.write("other direction");
    Chunk text = co_await client.read();
    EXPECT_EQ(text.text(), "other direction");
  };
  run(body);
  client.abort();
}

// Somebody always has something to do, so no turn ever waits for news; it is heard all the same.
TEST_P(Streams, what_comes_is_heard_while_others_never_wait) {
  MEARI_NEEDS(system_sockets);
  auto [mine, theirs] = Socket::pair().value();
  Stream stream = Stream::adopt(loop(), mine.release()).value();
  bool heard = false;
  auto body = [&, &from = stream, &to = theirs](Scope& scope) -> Task<> {
    scope.spawn([&]() -> Task<> {
      const Chunk text = co_await from.read();
      EXPECT_EQ(text.text(), "news");
      heard = true;
    });
    auto nothing = []() -> Task<> { co_return; };
    const Time until = now() + patience;
    for (int i = 0; !heard && now() < until; ++i) {
      co_await nothing();
      if (i == 100'000) EXPECT_TRUE(to.send_all(std::string_view("news")).has_value());
    }
    scope.cancel();
  };
  auto whole = [&]() -> Task<> { co_await scoped(body); };
  run(whole);
  EXPECT_TRUE(heard);
}

}  // namespace
}  // namespace meari::test
