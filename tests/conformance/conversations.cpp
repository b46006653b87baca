// What is sent comes, whole and in order, and what is read in whichever way.
#include "stage.hpp"

#include "pattern.hpp"

namespace meari::conformance {
namespace {
using meari::test::pattern;
constexpr std::size_t much = std::size_t{3} << 20;
}  // namespace

MEARI_CONFORMS(a_few_bytes_and_the_end)
Task<> a_few_bytes_and_the_end::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.read_all(peer);
}
Task<> a_few_bytes_and_the_end::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.write(peer, "hello");
}

MEARI_CONFORMS(three_megabytes_one_way)
Task<> three_megabytes_one_way::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.read_all(peer);
}
Task<> three_megabytes_one_way::client(Side& here) {
  Stream peer = co_await here.meet();
  const std::string all = pattern(1, 0, much);
  co_await here.write(peer, all);
}

MEARI_CONFORMS(three_megabytes_both_ways_at_once)
Task<> three_megabytes_both_ways_at_once::server(Side& here) {
  Stream peer = co_await here.meet();
  std::size_t total = 0;
  while (Chunk data = co_await peer.read()) {
    total += data.size();
    co_await peer.write(std::move(data));
  }
  here.note("echoed " + std::to_string(total));
}
Task<> three_megabytes_both_ways_at_once::client(Side& here) {
  Stream peer = co_await here.meet();
  const std::string all = pattern(2, 0, much);
  auto send = [&]() -> Task<> {
    co_await peer.write(all);
    co_await peer.finish();
  };
  auto both = [&](Scope& scope) -> Task<> {
    scope.spawn([&send] { return send(); });
    co_await here.read_all(peer);
  };
  co_await scoped(both);
}

MEARI_CONFORMS(a_thousand_small_writes_are_one_stream)
Task<> a_thousand_small_writes_are_one_stream::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.read_all(peer);
}
Task<> a_thousand_small_writes_are_one_stream::client(Side& here) {
  Stream peer = co_await here.meet();
  for (int i = 0; i < 1000; ++i) {
    const std::string line = std::to_string(i) + '\n';
    co_await peer.write(line);
  }
}

MEARI_CONFORMS(lines_and_a_last_one_without_its_end)
Task<> lines_and_a_last_one_without_its_end::server(Side& here) {
  Stream peer = co_await here.meet();
  while (Chunk line = co_await peer.read_until("\r\n")) here.note("line of " + std::to_string(line.size()));
  co_await here.read(peer);
}
Task<> lines_and_a_last_one_without_its_end::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.write(peer, "one\r");
  co_await here.write(peer, "\ntwo\r\n\r\nrest\r");
}

MEARI_CONFORMS(a_line_that_is_too_long_is_not_lost)
Task<> a_line_that_is_too_long_is_not_lost::server(Side& here) {
  Stream peer = co_await here.meet();
  const Result<Chunk> line = co_await as_result(peer.read_until("\n", 8));
  here.note("read until", line.error());
  co_await here.read_all(peer);
}
Task<> a_line_that_is_too_long_is_not_lost::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.write(peer, "far too long for it\n");
}

MEARI_CONFORMS(an_end_inside_of_what_is_read_whole)
Task<> an_end_inside_of_what_is_read_whole::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.read_exactly(peer, 3);
  co_await here.read_exactly(peer, 10);
  co_await here.read_all(peer);
}
Task<> an_end_inside_of_what_is_read_whole::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.write(peer, "abcdef");
}

MEARI_CONFORMS(a_reset_inside_of_what_is_read_whole)
Task<> a_reset_inside_of_what_is_read_whole::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.has_arrived(peer, 6);
  here.tell("arrived");
  co_await here.read_exactly(peer, 10);
  co_await here.read_all(peer);
}
Task<> a_reset_inside_of_what_is_read_whole::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.write(peer, "abcdef");
  co_await here.hear("arrived");
  peer.abort();
}

MEARI_CONFORMS(byte_by_byte)
Task<> byte_by_byte::server(Side& here) {
  Stream peer = co_await here.meet();
  std::string all;
  for (;;) {
    Chunk data = co_await peer.read_some(1);
    if (data.size() > 1) here.note("more than was asked for");
    if (data.empty()) break;
    all += data.text();
  }
  here.note(all);
}
Task<> byte_by_byte::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.write(peer, "one at a time");
}

MEARI_CONFORMS(an_empty_write_is_nothing)
Task<> an_empty_write_is_nothing::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.read_exactly(peer, 1);
  co_await here.read_all(peer);
}
Task<> an_empty_write_is_nothing::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.write(peer, "");
  co_await here.write(peer, "x");
  co_await here.write(peer, "");
}

MEARI_CONFORMS(pieces_go_out_as_one)
Task<> pieces_go_out_as_one::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.read_all(peer);
}
Task<> pieces_go_out_as_one::client(Side& here) {
  Stream peer = co_await here.meet();
  const std::string first = pattern(1, 0, 70'000), last = pattern(2, 0, 5);
  std::vector<std::span<const std::byte>> pieces;
  pieces.push_back(std::as_bytes(std::span(first)));
  pieces.emplace_back();
  pieces.push_back(std::as_bytes(std::span(last)));
  co_await peer.write(std::span<const std::span<const std::byte>>(pieces));
}

MEARI_CONFORMS(what_is_put_back_comes_first)
Task<> what_is_put_back_comes_first::server(Side& here) {
  Stream peer = co_await here.meet();
  Chunk data = co_await peer.read_exactly(5);
  const Chunk first = data.split(2);
  peer.unread(std::move(data));
  co_await here.read_all(peer);
}
Task<> what_is_put_back_comes_first::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.write(peer, "12345678");
}

MEARI_CONFORMS(several_writers_queue_in_order)
Task<> several_writers_queue_in_order::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.hear("all wait");
  co_await here.read_all(peer);
}
Task<> several_writers_queue_in_order::client(Side& here) {
  Stream peer = co_await here.meet();
  const std::string big = pattern(3, 0, std::size_t{16} << 20);
  auto all = [&](Scope& scope) -> Task<> {
    scope.spawn([&]() -> Task<> { co_await peer.write(big); });
    co_await yield();
    scope.spawn([&]() -> Task<> { co_await peer.write("second"); });
    co_await yield();
    scope.spawn([&]() -> Task<> { co_await peer.write("third"); });
    co_await yield();
    here.note("waiting: " + std::to_string(peer.facts().sending != nullptr ? 1 : 0));
    here.tell("all wait");
  };
  co_await scoped(all);
}

MEARI_CONFORMS(a_second_read_is_busy)
Task<> a_second_read_is_busy::server(Side& here) {
  Stream peer = co_await here.meet();
  auto both = [&](Scope& scope) -> Task<> {
    scope.spawn([&]() -> Task<> { co_await here.read(peer); });
    co_await yield();
    co_await here.read(peer);
    here.tell("was busy");
  };
  co_await scoped(both);
}
Task<> a_second_read_is_busy::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.hear("was busy");
  co_await here.write(peer, "for the first");
}

MEARI_CONFORMS(a_read_that_is_out_of_time_loses_nothing)
Task<> a_read_that_is_out_of_time_loses_nothing::server(Side& here) {
  Stream peer = co_await here.meet();
  for (int i = 0; i < 3; ++i) {
    const Result<Chunk> nothing = co_await as_result(with_timeout(2ms, peer.read()));
    here.note("read in time", nothing.error());
  }
  here.tell("now");
  co_await here.read_all(peer);
}
Task<> a_read_that_is_out_of_time_loses_nothing::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.hear("now");
  co_await here.write(peer, "here it is");
}

MEARI_CONFORMS(a_read_that_is_cancelled_by_the_first_of_two_loses_nothing)
Task<> a_read_that_is_cancelled_by_the_first_of_two_loses_nothing::server(Side& here) {
  Stream peer = co_await here.meet();
  auto [data, tick] = co_await first_of(peer.read(), sleep_for(1ms));
  here.note(data ? "data" : "no data");
  here.note(tick ? "tick" : "no tick");
  here.tell("now");
  co_await here.read_all(peer);
}
Task<> a_read_that_is_cancelled_by_the_first_of_two_loses_nothing::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.hear("now");
  co_await here.write(peer, "all of it");
}

MEARI_CONFORMS(who_does_not_read_stops_the_writer)
Task<> who_does_not_read_stops_the_writer::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.hear("stalled");
  co_await here.settle(peer, "CLOSED");
}
Task<> who_does_not_read_stops_the_writer::client(Side& here) {
  Stream peer = co_await here.meet();
  peer.set_timeouts({.stall = 20ms});
  const std::string big = pattern(4, 0, std::size_t{32} << 20);
  co_await here.write(peer, big);
  here.note(peer.facts().broken ? "broken" : "whole");
  co_await here.write(peer, "more");
  co_await here.finish(peer);
  peer.abort();
  here.tell("stalled");
}

MEARI_CONFORMS(a_write_cancelled_behind_another_leaves_the_stream_whole)
Task<> a_write_cancelled_behind_another_leaves_the_stream_whole::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.hear("cancelled");
  co_await here.read_all(peer);
}
Task<> a_write_cancelled_behind_another_leaves_the_stream_whole::client(Side& here) {
  Stream peer = co_await here.meet();
  const std::string big = pattern(5, 0, std::size_t{16} << 20);
  auto all = [&](Scope& scope) -> Task<> {
    scope.spawn([&]() -> Task<> { co_await here.write(peer, big); });
    co_await yield();
    const Result<> result = co_await as_result(with_timeout(2ms, peer.write("never sent")));
    here.note("write behind it", result.error());
    here.tell("cancelled");
  };
  co_await scoped(all);
  co_await here.write(peer, "the last");
}

MEARI_CONFORMS(a_write_cut_in_the_middle_is_never_followed_by_another)
Task<> a_write_cut_in_the_middle_is_never_followed_by_another::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.hear("cut");
}
Task<> a_write_cut_in_the_middle_is_never_followed_by_another::client(Side& here) {
  Stream peer = co_await here.meet();
  const std::string big = pattern(6, 0, std::size_t{32} << 20);
  const Result<> result = co_await as_result(with_timeout(2ms, peer.write(big)));
  here.note("write in time", result.error());
  co_await here.write(peer, "another");
  co_await here.finish(peer);
  here.tell("cut");
}

MEARI_CONFORMS(an_idle_timeout)
Task<> an_idle_timeout::server(Side& here) {
  Stream peer = co_await here.meet();
  peer.set_timeouts({.idle = 5ms});
  co_await here.read(peer);
  co_await here.write(peer, "still there");
}
Task<> an_idle_timeout::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.read_all(peer);
}

MEARI_CONFORMS(closing_ends_our_own_read)
Task<> closing_ends_our_own_read::server(Side& here) {
  Stream peer = co_await here.meet();
  auto both = [&](Scope& scope) -> Task<> {
    scope.spawn([&]() -> Task<> {
      const Result<Chunk> data = co_await as_result(peer.read());
      here.note("read", data.error());
    });
    co_await yield();
    peer.close();
  };
  co_await scoped(both);
  here.note("is open: " + std::to_string(peer.is_open() ? 1 : 0));
}
Task<> closing_ends_our_own_read::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.read_all(peer);
}

MEARI_CONFORMS(aborting_ends_our_own_read_and_write)
Task<> aborting_ends_our_own_read_and_write::server(Side& here) {
  Stream peer = co_await here.meet();
  const std::string big = pattern(7, 0, std::size_t{32} << 20);
  auto all = [&](Scope& scope) -> Task<> {
    scope.spawn([&]() -> Task<> {
      const Result<Chunk> data = co_await as_result(peer.read());
      here.note("read", data.error());
    });
    co_await yield();
    scope.spawn([&]() -> Task<> { co_await here.write(peer, big); });
    co_await yield();
    peer.abort();
  };
  co_await scoped(all);
  here.tell("aborted");
}
Task<> aborting_ends_our_own_read_and_write::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.hear("aborted");
  co_await here.settle(peer, "CLOSED");
}

}  // namespace meari::conformance
