// How connections end: half-closed, closed, reset, and in every order of the two ends.
#include "stage.hpp"

#include "pattern.hpp"

namespace meari::conformance {
namespace {
using meari::test::pattern;
}  // namespace

MEARI_CONFORMS(the_end_comes_again_and_again)
Task<> the_end_comes_again_and_again::server(Side& here) {
  Stream peer = co_await here.meet();
  for (int i = 0; i < 3; ++i) co_await here.read(peer);
}
Task<> the_end_comes_again_and_again::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.finish(peer);
  co_await here.read_all(peer);
}

MEARI_CONFORMS(half_closed_by_the_client)
Task<> half_closed_by_the_client::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.read_all(peer);
  co_await here.settle(peer, "CLOSE_WAIT");
  co_await here.hear("waiting");
  co_await here.write(peer, "the answer");
  co_await here.finish(peer);
  here.tell("answered");
  co_await here.settle(peer, "CLOSED");
}
Task<> half_closed_by_the_client::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.write(peer, "the question");
  co_await here.finish(peer);
  co_await here.settle(peer, "FIN_WAIT_2");
  here.tell("waiting");
  co_await here.read_all(peer);
}

MEARI_CONFORMS(half_closed_by_the_server)
Task<> half_closed_by_the_server::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.finish(peer);
  co_await here.read_all(peer);
}
Task<> half_closed_by_the_server::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.read(peer);
  co_await here.write(peer, "goes on");
  co_await here.write(peer, ", and on");
}

MEARI_CONFORMS(finishing_twice)
Task<> finishing_twice::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.read_all(peer);
}
Task<> finishing_twice::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.finish(peer);
  co_await here.finish(peer);
  co_await here.read_all(peer);
}

MEARI_CONFORMS(finishing_when_both_have)
Task<> finishing_when_both_have::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.finish(peer);
  co_await here.read(peer);
  co_await here.settle(peer, "CLOSED");
  co_await here.finish(peer);
  co_await here.write(peer, "x");
  co_await here.read(peer);
}
Task<> finishing_when_both_have::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.read(peer);
  co_await here.finish(peer);
  co_await here.settle(peer, "CLOSED");
  co_await here.finish(peer);
  co_await here.write(peer, "x");
  co_await here.read(peer);
}

MEARI_CONFORMS(writing_after_finishing)
Task<> writing_after_finishing::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.read_all(peer);
}
Task<> writing_after_finishing::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.finish(peer);
  co_await here.write(peer, "too late");
  co_await here.write(peer, "again");
  co_await here.read_all(peer);
}

MEARI_CONFORMS(finishing_waits_behind_what_is_unsent)
Task<> finishing_waits_behind_what_is_unsent::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.hear("finishing");
  co_await here.read_all(peer);
}
Task<> finishing_waits_behind_what_is_unsent::client(Side& here) {
  Stream peer = co_await here.meet();
  const std::string big = pattern(1, 0, std::size_t{16} << 20);
  auto all = [&](Scope& scope) -> Task<> {
    scope.spawn([&]() -> Task<> { co_await here.write(peer, big); });
    co_await yield();
    scope.spawn([&]() -> Task<> { co_await here.finish(peer); });
    co_await yield();
    scope.spawn([&]() -> Task<> { co_await here.write(peer, "behind the finish"); });
    co_await yield();
    here.tell("finishing");
  };
  co_await scoped(all);
  co_await here.read_all(peer);
}

MEARI_CONFORMS(closing_at_once_after_writing_loses_nothing)
Task<> closing_at_once_after_writing_loses_nothing::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.hear("closed");
  co_await here.read_all(peer);
  co_await here.read(peer);
}
Task<> closing_at_once_after_writing_loses_nothing::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.write(peer, "the last words");
  peer.close();
  here.tell("closed");
}

MEARI_CONFORMS(a_goodbye_drains_a_little)
Task<> a_goodbye_drains_a_little::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.has_arrived(peer, 1000);
  co_await here.write(peer, "an answer to nothing");
  peer.close();
  here.tell("closed");
}
Task<> a_goodbye_drains_a_little::client(Side& here) {
  Stream peer = co_await here.meet();
  const std::string some(1000, 'x');
  co_await here.write(peer, some);
  co_await here.hear("closed");
  co_await here.read_all(peer);
  co_await here.write(peer, "a little more");
}

MEARI_CONFORMS(closing_with_bytes_that_nobody_read_resets)
Task<> closing_with_bytes_that_nobody_read_resets::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.has_arrived(peer, 7);
  here.abandon(peer);
  here.tell("closed");
}
Task<> closing_with_bytes_that_nobody_read_resets::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.write(peer, "ignored");
  co_await here.hear("closed");
  co_await here.settle(peer, "CLOSED");
  co_await here.read(peer);
  co_await here.read(peer);
}

MEARI_CONFORMS(a_reset_leaves_what_came_before_it)
Task<> a_reset_leaves_what_came_before_it::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.write(peer, "an answer");
  co_await here.has_arrived(peer, 7);
  co_await here.hear("answered");
  here.abandon(peer);
  here.tell("closed");
}
Task<> a_reset_leaves_what_came_before_it::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.write(peer, "ignored");
  co_await here.has_arrived(peer, 9);
  here.tell("answered");
  co_await here.hear("closed");
  co_await here.settle(peer, "CLOSED");
  co_await here.read_all(peer);
}

MEARI_CONFORMS(closing_with_everything_read_does_not_reset)
Task<> closing_with_everything_read_does_not_reset::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.read_exactly(peer, 4);
  here.abandon(peer);
  here.tell("closed");
}
Task<> closing_with_everything_read_does_not_reset::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.write(peer, "read");
  co_await here.hear("closed");
  co_await here.settle(peer, "CLOSE_WAIT");
  co_await here.read_all(peer);
}

MEARI_CONFORMS(writing_to_who_has_closed_and_then_reading)
Task<> writing_to_who_has_closed_and_then_reading::server(Side& here) {
  Stream peer = co_await here.meet();
  here.abandon(peer);
  here.tell("closed");
}
Task<> writing_to_who_has_closed_and_then_reading::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.hear("closed");
  co_await here.settle(peer, "CLOSE_WAIT");
  co_await here.write(peer, "to nobody");
  co_await here.settle(peer, "CLOSED");
  co_await here.read(peer);
  co_await here.read(peer);
  co_await here.write(peer, "again");
  co_await here.write(peer, "and again");
}

MEARI_CONFORMS(writing_to_who_has_closed_and_writing_again)
Task<> writing_to_who_has_closed_and_writing_again::server(Side& here) {
  Stream peer = co_await here.meet();
  here.abandon(peer);
  here.tell("closed");
}
Task<> writing_to_who_has_closed_and_writing_again::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.hear("closed");
  co_await here.settle(peer, "CLOSE_WAIT");
  co_await here.write(peer, "to nobody");
  co_await here.settle(peer, "CLOSED");
  co_await here.write(peer, "again");
  co_await here.write(peer, "and again");
  co_await here.read(peer);
  co_await here.finish(peer);
}

MEARI_CONFORMS(writing_to_who_has_closed_after_the_end_was_read)
Task<> writing_to_who_has_closed_after_the_end_was_read::server(Side& here) {
  Stream peer = co_await here.meet();
  here.abandon(peer);
  here.tell("closed");
}
Task<> writing_to_who_has_closed_after_the_end_was_read::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.hear("closed");
  co_await here.read(peer);
  co_await here.write(peer, "to nobody");
  co_await here.settle(peer, "CLOSED");
  co_await here.read(peer);
  co_await here.write(peer, "again");
  co_await here.read(peer);
}

MEARI_CONFORMS(an_abort_is_seen_by_who_waits)
Task<> an_abort_is_seen_by_who_waits::server(Side& here) {
  Stream peer = co_await here.meet();
  auto both = [&](Scope& scope) -> Task<> {
    scope.spawn([&]() -> Task<> { co_await here.read(peer); });
    co_await yield();
    here.tell("waiting");
  };
  co_await scoped(both);
  co_await here.read(peer);
  co_await here.write(peer, "x");
  here.note(peer.facts().failed ? "has failed" : "has not failed");
}
Task<> an_abort_is_seen_by_who_waits::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.hear("waiting");
  peer.abort();
}

MEARI_CONFORMS(an_abort_is_seen_by_who_reads_later)
Task<> an_abort_is_seen_by_who_reads_later::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.settle(peer, "CLOSED");
  co_await here.read(peer);
  co_await here.read(peer);
  co_await here.write(peer, "x");
  co_await here.finish(peer);
}
Task<> an_abort_is_seen_by_who_reads_later::client(Side& here) {
  Stream peer = co_await here.meet();
  peer.abort();
}

MEARI_CONFORMS(an_abort_is_seen_by_who_writes_later)
Task<> an_abort_is_seen_by_who_writes_later::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.settle(peer, "CLOSED");
  co_await here.write(peer, "x");
  co_await here.write(peer, "y");
  co_await here.read(peer);
  co_await here.read(peer);
}
Task<> an_abort_is_seen_by_who_writes_later::client(Side& here) {
  Stream peer = co_await here.meet();
  peer.abort();
}

MEARI_CONFORMS(an_abort_is_seen_by_who_finishes_later)
Task<> an_abort_is_seen_by_who_finishes_later::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.settle(peer, "CLOSED");
  co_await here.finish(peer);
  co_await here.read(peer);
}
Task<> an_abort_is_seen_by_who_finishes_later::client(Side& here) {
  Stream peer = co_await here.meet();
  peer.abort();
}

MEARI_CONFORMS(an_abort_after_bytes)
Task<> an_abort_after_bytes::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.has_arrived(peer, 5);
  here.tell("arrived");
  co_await here.settle(peer, "CLOSED");
  co_await here.read_all(peer);
  co_await here.read(peer);
}
Task<> an_abort_after_bytes::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.write(peer, "bytes");
  co_await here.hear("arrived");
  peer.abort();
}

MEARI_CONFORMS(an_abort_after_the_end_that_was_read)
Task<> an_abort_after_the_end_that_was_read::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.read(peer);
  here.tell("seen");
  co_await here.settle(peer, "CLOSED");
  co_await here.read(peer);
  co_await here.write(peer, "x");
  co_await here.write(peer, "y");
}
Task<> an_abort_after_the_end_that_was_read::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.finish(peer);
  co_await here.hear("seen");
  peer.abort();
}

MEARI_CONFORMS(an_abort_after_the_end_that_nobody_read)
Task<> an_abort_after_the_end_that_nobody_read::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.settle(peer, "CLOSE_WAIT");
  here.tell("there");
  co_await here.settle(peer, "CLOSED");
  co_await here.read(peer);
  co_await here.read(peer);
  co_await here.write(peer, "x");
}
Task<> an_abort_after_the_end_that_nobody_read::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.finish(peer);
  co_await here.hear("there");
  peer.abort();
}

MEARI_CONFORMS(an_abort_after_both_have_finished)
Task<> an_abort_after_both_have_finished::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.finish(peer);
  co_await here.hear("finished");
  co_await here.settle(peer, "CLOSED");
  co_await here.read(peer);
  here.tell("over");
}
Task<> an_abort_after_both_have_finished::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.read(peer);
  co_await here.finish(peer);
  here.tell("finished");
  co_await here.hear("over");
  peer.abort();
}

MEARI_CONFORMS(an_abort_ends_a_writer_who_waits)
Task<> an_abort_ends_a_writer_who_waits::server(Side& here) {
  Stream peer = co_await here.meet();
  const std::string big = pattern(1, 0, std::size_t{32} << 20);
  auto both = [&](Scope& scope) -> Task<> {
    scope.spawn([&]() -> Task<> { co_await here.write(peer, big); });
    co_await yield();
    here.tell("stalled");
  };
  co_await scoped(both);
  co_await here.write(peer, "more");
  co_await here.read(peer);
}
Task<> an_abort_ends_a_writer_who_waits::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.hear("stalled");
  peer.abort();
}

MEARI_CONFORMS(closing_ends_a_writer_who_waits)
Task<> closing_ends_a_writer_who_waits::server(Side& here) {
  Stream peer = co_await here.meet();
  const std::string big = pattern(1, 0, std::size_t{32} << 20);
  auto both = [&](Scope& scope) -> Task<> {
    scope.spawn([&]() -> Task<> { co_await here.write(peer, big); });
    co_await yield();
    here.tell("stalled");
  };
  co_await scoped(both);
  co_await here.read(peer);
}
Task<> closing_ends_a_writer_who_waits::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.hear("stalled");
  co_await here.has_arrived(peer, 1);
  here.abandon(peer);
}

MEARI_CONFORMS(bytes_for_who_has_closed_after_finishing)
Task<> bytes_for_who_has_closed_after_finishing::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.finish(peer);
  here.abandon(peer);
  here.tell("closed");
}
Task<> bytes_for_who_has_closed_after_finishing::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.read(peer);
  co_await here.hear("closed");
  co_await here.write(peer, "x");
  co_await here.settle(peer, "CLOSED");
  co_await here.write(peer, "y");
}

MEARI_CONFORMS(addresses_after_each_kind_of_end)
Task<> addresses_after_each_kind_of_end::server(Side& here) {
  Stream first = co_await here.meet();
  co_await here.read(first);
  here.note("local after the end", first.local());
  here.note("peer after the end", first.peer());
  co_await here.finish(first);
  co_await here.settle(first, "CLOSED");
  here.note("local after both", first.local());
  here.note("peer after both", first.peer());
  Stream second = co_await here.accept();
  co_await here.settle(second, "CLOSED");
  here.note("local after a reset", second.local());
  here.note("peer after a reset", second.peer());
}
Task<> addresses_after_each_kind_of_end::client(Side& here) {
  Stream first = co_await here.meet();
  co_await here.finish(first);
  co_await here.read(first);
  Stream second = co_await here.dial(here.where());
  second.abort();
}

MEARI_CONFORMS(what_the_system_counts)
Task<> what_the_system_counts::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.has_arrived(peer, 5);
  const SocketInfo before = peer.info().value();
  here.note("unread " + std::to_string(before.receive_queue) + ", received " + std::to_string(before.bytes_received));
  co_await here.read_exactly(peer, 5);
  here.tell("read");
  co_await here.hear("counted");
  co_await here.read(peer);
  const SocketInfo after = peer.info().value();
  here.note(after.state + ", unread " + std::to_string(after.receive_queue) + ", received " +
            std::to_string(after.bytes_received));
}
Task<> what_the_system_counts::client(Side& here) {
  Stream peer = co_await here.meet();
  const SocketInfo before = peer.info().value();
  here.note(before.state + ", unsent " + std::to_string(before.send_queue) + ", retransmits " +
            std::to_string(before.retransmits));
  co_await here.write(peer, "12345");
  co_await here.hear("read");
  co_await here.finish(peer);
  co_await here.settle(peer, "FIN_WAIT_2");
  const SocketInfo after = peer.info().value();
  here.note("unacknowledged " + std::to_string(after.send_queue));
  here.tell("counted");
}

}  // namespace meari::conformance
