// Datagrams of UDP: whole or not at all, sizes, addresses, and what becomes of those that nobody takes.
#include "stage.hpp"

#include "pattern.hpp"

namespace meari::conformance {
namespace {

using meari::test::pattern;

Datagram open(Side& here, const Address& address) {
  Datagram socket = Datagram::open(here.loop(), address).value();
  here.meet_at(socket.local().value());
  here.tell("there");
  return socket;
}

}  // namespace

MEARI_CONFORMS(a_datagram_and_its_answer)
Task<> a_datagram_and_its_answer::server(Side& here) {
  Datagram socket = open(here, here.home());
  here.note("local", socket.local());
  const Received message = co_await socket.receive();
  here.note(std::string(message.data.text()));
  here.note("from", message.from);
  co_await here.send(socket, "the answer", message.from);
}
Task<> a_datagram_and_its_answer::client(Side& here) {
  co_await here.hear("there");
  Datagram socket = Datagram::open(here.loop(), here.home()).value();
  co_await here.send(socket, "the question", here.where());
  co_await here.receive(socket);
}

MEARI_CONFORMS(datagrams_over_ipv6)
Task<> datagrams_over_ipv6::server(Side& here) {
  Datagram socket = open(here, here.home6());
  co_await here.receive(socket);
}
Task<> datagrams_over_ipv6::client(Side& here) {
  co_await here.hear("there");
  Datagram socket = Datagram::open(here.loop(), here.home6()).value();
  co_await here.send(socket, "six", here.where());
}

MEARI_CONFORMS(datagrams_from_ipv4_to_both_families)
Task<> datagrams_from_ipv4_to_both_families::server(Side& here) {
  Datagram socket = Datagram::open(here.loop(), Address::any(Family::ipv6, 0)).value();
  here.note("local", socket.local());
  here.meet_at(here.home(socket.local().value().port()));
  here.tell("there");
  const Received message = co_await socket.receive();
  here.note("from", message.from);
  co_await here.send(socket, "back", message.from);
}
Task<> datagrams_from_ipv4_to_both_families::client(Side& here) {
  co_await here.hear("there");
  Datagram socket = Datagram::open(here.loop(), Address::any(Family::ipv4, 0)).value();
  here.note("local", socket.local());
  co_await here.send(socket, "four", here.where());
  co_await here.receive(socket);
}

MEARI_CONFORMS(an_empty_datagram_is_one_too)
Task<> an_empty_datagram_is_one_too::server(Side& here) {
  Datagram socket = open(here, here.home());
  co_await here.receive(socket);
  co_await here.receive(socket);
}
Task<> an_empty_datagram_is_one_too::client(Side& here) {
  co_await here.hear("there");
  Datagram socket = Datagram::open(here.loop(), here.home()).value();
  co_await here.send(socket, "", here.where());
  co_await here.send(socket, "after it", here.where());
}

MEARI_CONFORMS(datagrams_keep_their_bounds)
Task<> datagrams_keep_their_bounds::server(Side& here) {
  Datagram socket = open(here, here.home());
  co_await here.hear("sent");
  for (int i = 0; i < 5; ++i) co_await here.receive(socket);
}
Task<> datagrams_keep_their_bounds::client(Side& here) {
  co_await here.hear("there");
  Datagram socket = Datagram::open(here.loop(), here.home()).value();
  for (std::size_t i = 0; i < 5; ++i) {
    const std::string text = pattern(i, 0, i * 1000);
    co_await here.send(socket, text, here.where());
  }
  here.tell("sent");
}

MEARI_CONFORMS(the_longest_datagram)
Task<> the_longest_datagram::server(Side& here) {
  Datagram socket = open(here, here.home());
  co_await here.receive(socket);
  co_await here.receive(socket);
}
Task<> the_longest_datagram::client(Side& here) {
  co_await here.hear("there");
  Datagram socket = Datagram::open(here.loop(), here.home()).value();
  const std::string longest = pattern(1, 0, 65'507), longer = pattern(1, 0, 65'508),
                    far_longer = pattern(1, 0, 100'000);
  co_await here.send(socket, longer, here.where());
  co_await here.send(socket, longest, here.where());
  co_await here.send(socket, far_longer, here.where());
  co_await here.send(socket, "the next", here.where());
}

MEARI_CONFORMS(the_longest_datagram_over_ipv6)
Task<> the_longest_datagram_over_ipv6::server(Side& here) {
  Datagram socket = open(here, here.home6());
  co_await here.receive(socket);
}
Task<> the_longest_datagram_over_ipv6::client(Side& here) {
  co_await here.hear("there");
  Datagram socket = Datagram::open(here.loop(), here.home6()).value();
  const std::string longest = pattern(1, 0, 65'527), longer = pattern(1, 0, 65'528);
  co_await here.send(socket, longer, here.where());
  co_await here.send(socket, longest, here.where());
}

MEARI_CONFORMS(a_datagram_to_nobody_is_sent)
Task<> a_datagram_to_nobody_is_sent::server(Side& here) {
  Datagram gone = Datagram::open(here.loop(), here.home()).value();
  here.meet_at(gone.local().value());
  gone.close();
  here.tell("gone");
  here.note("has gone");
  co_return;
}
Task<> a_datagram_to_nobody_is_sent::client(Side& here) {
  co_await here.hear("gone");
  Datagram socket = Datagram::open(here.loop(), here.home()).value();
  for (int i = 0; i < 3; ++i) co_await here.send(socket, "anybody?", here.where());
  const Result<Received> nothing = co_await as_result(with_timeout(2ms, socket.receive()));
  here.note("receive in time", nothing.error());
}

MEARI_CONFORMS(datagrams_to_where_none_can_go)
Task<> datagrams_to_where_none_can_go::server(Side& here) {
  here.note("nothing to do");
  co_return;
}
Task<> datagrams_to_where_none_can_go::client(Side& here) {
  Datagram four = Datagram::open(here.loop(), here.home()).value();
  co_await here.send(four, "x", here.home(0));
  co_await here.send(four, "x", Address());
  co_await here.send(four, "x", here.home6(9));
  co_await here.send(four, "x", here.abstract("a"));
  Datagram six = Datagram::open(here.loop(), here.home6()).value();
  co_await here.send(six, "x", here.home6(0));
  co_await here.send(six, "x", here.home(9));
  co_await here.send(six, "x", here.abstract("a"));
}

MEARI_CONFORMS(a_datagram_port_in_use)
Task<> a_datagram_port_in_use::server(Side& here) {
  Datagram socket = Datagram::open(here.loop(), here.home()).value();
  const Address address = socket.local().value();
  here.note("again", Datagram::open(here.loop(), address).error());
  here.note("wildcard", Datagram::open(here.loop(), Address::any(Family::ipv4, address.port())).error());
  here.note("both families", Datagram::open(here.loop(), Address::any(Family::ipv6, address.port())).error());
  socket.close();
  here.note("when it is free", Datagram::open(here.loop(), address).error());
  co_return;
}
Task<> a_datagram_port_in_use::client(Side& here) {
  here.note("nothing to do");
  co_return;
}

MEARI_CONFORMS(a_full_datagram_queue_drops)
Task<> a_full_datagram_queue_drops::server(Side& here) {
  Datagram socket = open(here, here.home());
  co_await here.hear("sent");
  int received = 0;
  for (;; ++received) {
    const Result<Received> message = co_await as_result(with_timeout(5ms, socket.receive()));
    if (!message) break;
  }
  // How many fit is a matter of net.core.rmem_default; the simulated tests count them.
  here.note(received > 0 && received < 1000 ? "some were dropped" : "received: " + std::to_string(received));
}
Task<> a_full_datagram_queue_drops::client(Side& here) {
  co_await here.hear("there");
  Datagram socket = Datagram::open(here.loop(), here.home()).value();
  int failed = 0;
  for (int i = 0; i < 1000; ++i) {
    const Result<> result = co_await as_result(socket.send_to("a small one", here.where()));
    if (!result) ++failed;
  }
  here.note("failed: " + std::to_string(failed));
  here.tell("sent");
}

MEARI_CONFORMS(closing_ends_who_waits_for_a_datagram)
Task<> closing_ends_who_waits_for_a_datagram::server(Side& here) {
  Datagram socket = Datagram::open(here.loop(), here.home()).value();
  auto both = [&](Scope& scope) -> Task<> {
    scope.spawn([&]() -> Task<> { co_await here.receive(socket); });
    co_await yield();
    socket.close();
  };
  co_await scoped(both);
}
Task<> closing_ends_who_waits_for_a_datagram::client(Side& here) {
  here.note("nothing to do");
  co_return;
}

MEARI_CONFORMS(who_waits_for_a_datagram_in_vain_loses_none)
Task<> who_waits_for_a_datagram_in_vain_loses_none::server(Side& here) {
  Datagram socket = open(here, here.home());
  const Result<Received> nothing = co_await as_result(with_timeout(2ms, socket.receive()));
  here.note("receive in time", nothing.error());
  here.tell("now");
  co_await here.receive(socket);
}
Task<> who_waits_for_a_datagram_in_vain_loses_none::client(Side& here) {
  co_await here.hear("now");
  Datagram socket = Datagram::open(here.loop(), here.home()).value();
  co_await here.send(socket, "not lost", here.where());
}

}  // namespace meari::conformance
