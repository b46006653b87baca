// Listening and connecting: queues, refusals, ports in use, and what an address looks like from each end.
#include "stage.hpp"

namespace meari::conformance {

MEARI_CONFORMS(both_ends_agree_on_their_addresses)
Task<> both_ends_agree_on_their_addresses::server(Side& here) {
  Stream peer = co_await here.meet();
  here.note("local", peer.local());
  here.note("peer", peer.peer());
  here.note(peer.local().value() == here.where() ? "local is where it listens" : "local is elsewhere");
  const std::string theirs = peer.peer().value().to_string();
  co_await here.write(peer, theirs);
}
Task<> both_ends_agree_on_their_addresses::client(Side& here) {
  Stream peer = co_await here.meet();
  here.note("local", peer.local());
  here.note("peer", peer.peer());
  const std::string ours = peer.local().value().to_string();
  Chunk seen = co_await peer.read_exactly(ours.size());
  here.note(seen.text() == ours ? "we are who they say" : "we are somebody else");
  here.note(peer.local().value().with_port(0) == here.home() ? "local is home" : "local is not home");
}

MEARI_CONFORMS(both_ends_agree_on_their_addresses_over_ipv6)
Task<> both_ends_agree_on_their_addresses_over_ipv6::server(Side& here) {
  Stream peer = co_await here.meet(here.home6(), -1);
  here.note("local", peer.local());
  here.note("peer", peer.peer());
  co_await here.read_all(peer);
}
Task<> both_ends_agree_on_their_addresses_over_ipv6::client(Side& here) {
  Stream peer = co_await here.meet();
  here.note("local", peer.local());
  here.note("peer", peer.peer());
  co_await here.write(peer, "over IPv6");
}

MEARI_CONFORMS(a_wildcard_listener_knows_where_it_was_reached)
Task<> a_wildcard_listener_knows_where_it_was_reached::server(Side& here) {
  co_await here.listen(Address::any(Family::ipv4, 0));
  here.note("listens", here.listener.local());
  here.meet_at(here.home(here.where().port()));
  here.tell("there");
  Stream peer = co_await here.accept();
  here.note("local", peer.local());
  here.note(peer.local().value() == here.where() ? "where it was reached" : "elsewhere");
}
Task<> a_wildcard_listener_knows_where_it_was_reached::client(Side& here) {
  co_await here.hear("there");
  Stream peer = co_await here.dial(here.where());
  here.note("peer", peer.peer());
  co_await here.read_all(peer);
}

MEARI_CONFORMS(a_listener_for_both_families_sees_ipv4_mapped)
Task<> a_listener_for_both_families_sees_ipv4_mapped::server(Side& here) {
  co_await here.listen(Address::any(Family::ipv6, 0));
  here.note("listens", here.listener.local());
  here.meet_at(here.home(here.where().port()));
  here.tell("there");
  Stream peer = co_await here.accept();
  here.note("local", peer.local());
  here.note("peer", peer.peer());
  co_await here.read_all(peer);
}
Task<> a_listener_for_both_families_sees_ipv4_mapped::client(Side& here) {
  co_await here.hear("there");
  Stream peer = co_await here.dial(here.where());
  here.note("local", peer.local());
  here.note("peer", peer.peer());
  co_await here.write(peer, "x");
}

MEARI_CONFORMS(a_listener_for_ipv6_only_refuses_ipv4)
Task<> a_listener_for_ipv6_only_refuses_ipv4::server(Side& here) {
  ListenOptions options;
  options.v6_only = true;
  // The system chooses a port that is free for IPv6; somebody else on this machine may have the same one for IPv4.
  Listener six;
  for (bool is_free = false; !is_free;) {
    six = Listener::open(here.loop(), Address::any(Family::ipv6, 0), options).value();
    is_free = Listener::open(here.loop(), Address::any(Family::ipv4, six.local().value().port())).has_value();
  }
  here.meet_at(here.home(six.local().value().port()));
  here.tell("there");
  co_await here.hear("refused");
  Result<Listener> four = Listener::open(here.loop(), Address::any(Family::ipv4, here.where().port()));
  here.note("listen on IPv4, too", four.error());
}
Task<> a_listener_for_ipv6_only_refuses_ipv4::client(Side& here) {
  co_await here.hear("there");
  const Stream peer = co_await here.dial(here.where());
  here.tell("refused");
}

MEARI_CONFORMS(a_mapped_address_reaches_an_ipv4_listener)
Task<> a_mapped_address_reaches_an_ipv4_listener::server(Side& here) {
  Stream peer = co_await here.meet();
  here.note("peer", peer.peer());
  co_await here.read_all(peer);
}
Task<> a_mapped_address_reaches_an_ipv4_listener::client(Side& here) {
  co_await here.hear("listening");
  const std::string text = here.where().to_string();
  const std::string mapped = "::ffff:" + text.substr(0, text.rfind(':'));
  Stream peer = co_await here.dial(Address(mapped, here.where().port()));
  here.note("local", peer.local());
  here.note("peer", peer.peer());
  co_await here.write(peer, "mapped");
}

MEARI_CONFORMS(nobody_listens)
Task<> nobody_listens::server(Side& here) {
  Listener gone = Listener::open(here.loop(), here.home()).value();
  here.meet_at(gone.local().value());
  gone.close();
  here.tell("gone");
  here.note("has gone");
  co_return;
}
Task<> nobody_listens::client(Side& here) {
  co_await here.hear("gone");
  const Stream peer = co_await here.dial(here.where());
}

MEARI_CONFORMS(nobody_listens_over_ipv6)
Task<> nobody_listens_over_ipv6::server(Side& here) {
  Listener gone = Listener::open(here.loop(), here.home6()).value();
  here.meet_at(gone.local().value());
  gone.close();
  here.tell("gone");
  here.note("has gone");
  co_return;
}
Task<> nobody_listens_over_ipv6::client(Side& here) {
  co_await here.hear("gone");
  const Stream peer = co_await here.dial(here.where());
}

MEARI_CONFORMS(the_port_of_a_connection_is_no_listener)
Task<> the_port_of_a_connection_is_no_listener::server(Side& here) {
  Stream peer = co_await here.meet();
  const Stream back = co_await here.dial(peer.peer().value());
  here.tell("tried");
}
Task<> the_port_of_a_connection_is_no_listener::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.hear("tried");
}

MEARI_CONFORMS(port_zero_is_nowhere)
Task<> port_zero_is_nowhere::server(Side& here) {
  here.note("nothing to do");
  co_return;
}
Task<> port_zero_is_nowhere::client(Side& here) {
  const Stream peer = co_await here.dial(here.home(0));
  const Stream peer6 = co_await here.dial(here.home6(0));
}

MEARI_CONFORMS(the_wildcard_reaches_ourselves)
Task<> the_wildcard_reaches_ourselves::server(Side& here) {
  co_await here.listen(Address::any(Family::ipv4, 0));
  Stream near = co_await here.dial(Address::any(Family::ipv4, here.where().port()));
  here.note("peer", near.peer());
  here.note(near.peer().value().is_loopback() ? "loopback" : "not loopback");
  here.note(near.local().value().is_loopback() ? "loopback" : "not loopback");
  const Stream far = co_await here.accept();
}
Task<> the_wildcard_reaches_ourselves::client(Side& here) {
  here.note("nothing to do");
  co_return;
}

MEARI_CONFORMS(another_loopback_address_is_ours_as_well)
Task<> another_loopback_address_is_ours_as_well::server(Side& here) {
  co_await here.listen(Address("127.0.0.2", 0));
  Stream near = co_await here.dial(here.where());
  here.note("we are " + near.local().value().with_port(1).to_string());
  Stream far = co_await here.accept();
  here.note("they are " + far.peer().value().with_port(1).to_string());
  const Stream wrong = co_await here.dial(Address("127.0.0.1", here.where().port()));
}
Task<> another_loopback_address_is_ours_as_well::client(Side& here) {
  here.note("nothing to do");
  co_return;
}

MEARI_CONFORMS(an_address_of_somebody_else)
Task<> an_address_of_somebody_else::server(Side& here) {
  here.note("listen", Listener::open(here.loop(), Address("192.0.2.1", 0)).error());
  here.note("listen", Listener::open(here.loop(), Address("2001:db8::1", 0)).error());
  here.note("datagrams", Datagram::open(here.loop(), Address("192.0.2.1", 0)).error());
  co_return;
}
Task<> an_address_of_somebody_else::client(Side& here) {
  const Stream peer = co_await here.dial(here.home(1), Address("192.0.2.1", 0));
}

MEARI_CONFORMS(no_address)
Task<> no_address::server(Side& here) {
  here.note("listen", Listener::open(here.loop(), Address()).error());
  here.note("datagrams", Datagram::open(here.loop(), Address()).error());
  co_return;
}
Task<> no_address::client(Side& here) { const Stream peer = co_await here.dial(Address()); }

MEARI_CONFORMS(connecting_to_oneself_is_refused)
Task<> connecting_to_oneself_is_refused::server(Side& here) {
  here.note("nothing to do");
  co_return;
}
Task<> connecting_to_oneself_is_refused::client(Side& here) {
  Listener probe = Listener::open(here.loop(), here.home()).value();
  const Address self = probe.local().value();
  probe.close();
  const Stream peer = co_await here.dial(self, self);
}

MEARI_CONFORMS(a_source_of_our_choice)
Task<> a_source_of_our_choice::server(Side& here) {
  Stream first = co_await here.meet();
  co_await here.read_all(first);
}
Task<> a_source_of_our_choice::client(Side& here) {
  co_await here.hear("listening");
  Listener probe = Listener::open(here.loop(), here.home()).value();
  const Address source = probe.local().value();
  probe.close();
  Stream first = co_await here.dial(here.where(), source);
  here.note(first.local().value() == source ? "from there" : "from elsewhere");
  const Stream second = co_await here.dial(here.where(), source);
  co_await here.write(first, "the first goes on");
  here.note("listen there", Listener::open(here.loop(), source).error());
}

MEARI_CONFORMS(a_port_that_the_system_chose_for_a_client_is_in_use)
Task<> a_port_that_the_system_chose_for_a_client_is_in_use::server(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.hear("tried");
}
Task<> a_port_that_the_system_chose_for_a_client_is_in_use::client(Side& here) {
  Stream peer = co_await here.meet();
  here.note("listen there", Listener::open(here.loop(), peer.local().value()).error());
  here.tell("tried");
}

MEARI_CONFORMS(a_source_that_listens_is_in_use)
Task<> a_source_that_listens_is_in_use::server(Side& here) {
  co_await here.listen(here.home());
  co_await here.hear("tried");
}
Task<> a_source_that_listens_is_in_use::client(Side& here) {
  co_await here.hear("listening");
  Listener ours = Listener::open(here.loop(), here.home()).value();
  const Stream peer = co_await here.dial(here.where(), ours.local().value());
  here.tell("tried");
}

MEARI_CONFORMS(a_port_in_use)
Task<> a_port_in_use::server(Side& here) {
  Listener first = Listener::open(here.loop(), here.home()).value();
  const Address address = first.local().value();
  here.note("again", Listener::open(here.loop(), address).error());
  here.note("wildcard", Listener::open(here.loop(), Address::any(Family::ipv4, address.port())).error());
  here.note("both families", Listener::open(here.loop(), Address::any(Family::ipv6, address.port())).error());
  here.note("elsewhere", Listener::open(here.loop(), Address("127.0.0.3", address.port())).error());
  here.note("datagrams", Datagram::open(here.loop(), address).error());
  first.close();
  here.note("when it is free", Listener::open(here.loop(), address).error());
  co_return;
}
Task<> a_port_in_use::client(Side& here) {
  here.note("nothing to do");
  co_return;
}

MEARI_CONFORMS(a_port_in_use_on_all_addresses)
Task<> a_port_in_use_on_all_addresses::server(Side& here) {
  Listener both = Listener::open(here.loop(), Address::any(Family::ipv6, 0)).value();
  const std::uint16_t port = both.local().value().port();
  here.note("IPv4", Listener::open(here.loop(), here.home(port)).error());
  here.note("wildcard of IPv4", Listener::open(here.loop(), Address::any(Family::ipv4, port)).error());
  here.note("IPv6", Listener::open(here.loop(), here.home6(port)).error());
  co_return;
}
Task<> a_port_in_use_on_all_addresses::client(Side& here) {
  here.note("nothing to do");
  co_return;
}

MEARI_CONFORMS(a_port_that_is_shared)
Task<> a_port_that_is_shared::server(Side& here) {
  ListenOptions shared;
  shared.reuse_port = true;
  Listener first = Listener::open(here.loop(), here.home(), shared).value();
  const Address address = first.local().value();
  Result<Listener> second = Listener::open(here.loop(), address, shared);
  here.note("second", second.error());
  here.note("one that does not share", Listener::open(here.loop(), address).error());
  co_return;
}
Task<> a_port_that_is_shared::client(Side& here) {
  here.note("nothing to do");
  co_return;
}

MEARI_CONFORMS(connections_outlive_their_listener_and_do_not_keep_its_port)
Task<> connections_outlive_their_listener_and_do_not_keep_its_port::server(Side& here) {
  Stream peer = co_await here.meet();
  here.listener.close();
  Result<Listener> again = Listener::open(here.loop(), here.where());
  here.note("listen again", again.error());
  co_await here.write(peer, "still here");
}
Task<> connections_outlive_their_listener_and_do_not_keep_its_port::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.read_all(peer);
}

MEARI_CONFORMS(a_client_is_connected_before_anybody_accepts)
Task<> a_client_is_connected_before_anybody_accepts::server(Side& here) {
  co_await here.listen(here.home());
  co_await here.hear("written");
  here.note("waiting: " + std::to_string(here.listener.info().value().receive_queue));
  Stream peer = co_await here.accept();
  here.note("waiting: " + std::to_string(here.listener.info().value().receive_queue));
  co_await here.read_all(peer);
  here.note("peer", peer.peer());
}
Task<> a_client_is_connected_before_anybody_accepts::client(Side& here) {
  Stream peer = co_await here.meet();
  here.note("is " + peer.info().value().state);
  co_await here.write(peer, "early bytes");
  here.tell("written");
}

MEARI_CONFORMS(who_closed_in_the_queue_is_accepted_with_what_he_said)
Task<> who_closed_in_the_queue_is_accepted_with_what_he_said::server(Side& here) {
  co_await here.listen(here.home());
  co_await here.hear("closed");
  Stream peer = co_await here.accept();
  here.note("peer", peer.peer());
  co_await here.read_all(peer);
}
Task<> who_closed_in_the_queue_is_accepted_with_what_he_said::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.write(peer, "said before");
  here.abandon(peer);
  here.tell("closed");
}

MEARI_CONFORMS(who_was_reset_in_the_queue_is_accepted_all_the_same)
Task<> who_was_reset_in_the_queue_is_accepted_all_the_same::server(Side& here) {
  co_await here.listen(here.home());
  co_await here.hear("both");
  here.note("waiting: " + std::to_string(here.listener.info().value().receive_queue));
  Stream first = co_await here.accept();
  here.note("local of the first", first.local());
  here.note("peer of the first", first.peer());
  co_await here.read_all(first);
  Stream second = co_await here.accept();
  co_await here.read_all(second);
}
Task<> who_was_reset_in_the_queue_is_accepted_all_the_same::client(Side& here) {
  co_await here.hear("listening");
  Stream first = co_await here.dial(here.where());
  first.abort();
  Stream second = co_await here.dial(here.where());
  co_await here.write(second, "the second");
  here.tell("both");
}

MEARI_CONFORMS(a_full_queue_makes_clients_wait)
Task<> a_full_queue_makes_clients_wait::server(Side& here) {
  co_await here.listen(here.home(), 1);
  here.note("limit: " + std::to_string(here.listener.info().value().send_queue));
  co_await here.hear("full");
  here.note("waiting: " + std::to_string(here.listener.info().value().receive_queue));
  const Stream first = co_await here.accept();
  const Stream second = co_await here.accept();
  here.tell("room");
  const Stream third = co_await here.accept();
  here.note("took three");
}
Task<> a_full_queue_makes_clients_wait::client(Side& here) {
  co_await here.hear("listening");
  const Stream first = co_await here.dial(here.where());
  const Stream second = co_await here.dial(here.where());
  std::vector<Address> where;
  where.push_back(here.where());
  ConnectOptions options;
  options.timeout = 30ms;
  const Result<Stream> third = co_await as_result(connect(where, options));
  here.note("third", third.error());
  here.tell("full");
  co_await here.hear("room");
  const Stream fourth = co_await here.dial(here.where());
  here.note("connected");
}

MEARI_CONFORMS(closing_the_listener_resets_who_waits_in_its_queue)
Task<> closing_the_listener_resets_who_waits_in_its_queue::server(Side& here) {
  co_await here.listen(here.home());
  co_await here.hear("connected");
  here.listener.close();
  here.note("closed");
}
Task<> closing_the_listener_resets_who_waits_in_its_queue::client(Side& here) {
  Stream peer = co_await here.meet();
  here.tell("connected");
  co_await here.settle(peer, "CLOSED");
  co_await here.read(peer);
  co_await here.write(peer, "x");
}

MEARI_CONFORMS(closing_the_listener_ends_who_accepts)
Task<> closing_the_listener_ends_who_accepts::server(Side& here) {
  co_await here.listen(here.home());
  auto both = [&](Scope& scope) -> Task<> {
    scope.spawn([&]() -> Task<> { const Stream nobody = co_await here.accept(); });
    co_await yield();
    here.listener.close();
  };
  co_await scoped(both);
}
Task<> closing_the_listener_ends_who_accepts::client(Side& here) {
  here.note("nothing to do");
  co_return;
}

MEARI_CONFORMS(an_accept_that_is_out_of_time_loses_nobody)
Task<> an_accept_that_is_out_of_time_loses_nobody::server(Side& here) {
  co_await here.listen(here.home());
  const Result<Stream> nobody = co_await as_result(with_timeout(2ms, here.listener.accept()));
  here.note("accept in time", nobody.error());
  here.tell("now");
  Stream peer = co_await here.accept();
  co_await here.read_all(peer);
}
Task<> an_accept_that_is_out_of_time_loses_nobody::client(Side& here) {
  co_await here.hear("now");
  Stream peer = co_await here.meet();
  co_await here.write(peer, "not lost");
}

MEARI_CONFORMS(an_arrival_that_is_turned_away_sees_a_reset)
Task<> an_arrival_that_is_turned_away_sees_a_reset::server(Side& here) {
  co_await here.listen(here.home());
  Arrival arrival = co_await here.listener.accept_arrival();
  here.note("from", arrival.from());
  co_await here.hear("met");
  arrival.turn_away();
}
Task<> an_arrival_that_is_turned_away_sees_a_reset::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.read(peer);
}

MEARI_CONFORMS(the_order_of_the_queue_is_the_order_of_the_clients)
Task<> the_order_of_the_queue_is_the_order_of_the_clients::server(Side& here) {
  co_await here.listen(here.home());
  co_await here.hear("all");
  for (int i = 0; i < 5; ++i) {
    Stream peer = co_await here.accept();
    co_await here.read_all(peer);
  }
}
Task<> the_order_of_the_queue_is_the_order_of_the_clients::client(Side& here) {
  co_await here.hear("listening");
  for (int i = 0; i < 5; ++i) {
    Stream peer = co_await here.dial(here.where());
    const std::string text = "client " + std::to_string(i);
    co_await here.write(peer, text);
  }
  here.tell("all");
}

MEARI_CONFORMS(an_exact_listener_comes_before_a_wildcard)
Task<> an_exact_listener_comes_before_a_wildcard::server(Side& here) {
  ListenOptions shared;
  shared.reuse_port = true;
  Listener wildcard = Listener::open(here.loop(), Address::any(Family::ipv4, 0), shared).value();
  const std::uint16_t port = wildcard.local().value().port();
  Result<Listener> exact = Listener::open(here.loop(), here.home(port), shared);
  here.note("exact", exact.error());
  here.meet_at(here.home(port));
  here.tell("there");
  co_await here.hear("connected");
  here.note("wildcard has " + std::to_string(wildcard.info().value().receive_queue));
  here.note("exact has " + std::to_string(exact->info().value().receive_queue));
}
Task<> an_exact_listener_comes_before_a_wildcard::client(Side& here) {
  co_await here.hear("there");
  const Stream peer = co_await here.dial(here.where());
  here.tell("connected");
}

}  // namespace meari::conformance
