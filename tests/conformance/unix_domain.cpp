// Unix-domain sockets: paths and abstract names, and where their ends differ from those of TCP.
#include "stage.hpp"

#include "pattern.hpp"

namespace meari::conformance {
namespace {
using meari::test::pattern;
}  // namespace

MEARI_CONFORMS(unix_by_path)
Task<> unix_by_path::server(Side& here) {
  Stream peer = co_await here.meet(here.path("a"), -1);
  here.note("local", peer.local());
  here.note("peer", peer.peer());
  co_await here.read_all(peer);
  co_await here.write(peer, "and back");
}
Task<> unix_by_path::client(Side& here) {
  Stream peer = co_await here.meet();
  here.note("local", peer.local());
  here.note("peer", peer.peer());
  co_await here.write(peer, "over a path");
  co_await here.finish(peer);
  co_await here.read_all(peer);
}

MEARI_CONFORMS(unix_by_abstract_name)
Task<> unix_by_abstract_name::server(Side& here) {
  Stream peer = co_await here.meet(here.abstract("a"), -1);
  here.note("local", peer.local());
  co_await here.read_all(peer);
}
Task<> unix_by_abstract_name::client(Side& here) {
  Stream peer = co_await here.meet();
  here.note("peer", peer.peer());
  co_await here.write(peer, "over a name");
}

MEARI_CONFORMS(unix_nobody_there)
Task<> unix_nobody_there::server(Side& here) {
  const Stream path = co_await here.dial(here.path("missing"));
  const Stream name = co_await here.dial(here.abstract("missing"));
}
Task<> unix_nobody_there::client(Side& here) {
  here.note("nothing to do");
  co_return;
}

MEARI_CONFORMS(unix_path_in_use_and_free_again)
Task<> unix_path_in_use_and_free_again::server(Side& here) {
  Listener first = Listener::open(here.loop(), here.path("a")).value();
  here.note("again", Listener::open(here.loop(), here.path("a")).error());
  first.close();
  const Stream nobody = co_await here.dial(here.path("a"));
  Result<Listener> next = Listener::open(here.loop(), here.path("a"));
  here.note("when it is free", next.error());
  Listener name = Listener::open(here.loop(), here.abstract("b")).value();
  here.note("a name again", Listener::open(here.loop(), here.abstract("b")).error());
  name.close();
  const Stream nobody_either = co_await here.dial(here.abstract("b"));
}
Task<> unix_path_in_use_and_free_again::client(Side& here) {
  here.note("nothing to do");
  co_return;
}

MEARI_CONFORMS(unix_three_megabytes)
Task<> unix_three_megabytes::server(Side& here) {
  Stream peer = co_await here.meet(here.abstract("a"), -1);
  co_await here.read_all(peer);
}
Task<> unix_three_megabytes::client(Side& here) {
  Stream peer = co_await here.meet();
  const std::string all = pattern(1, 0, std::size_t{3} << 20);
  co_await here.write(peer, all);
}

MEARI_CONFORMS(unix_half_closed)
Task<> unix_half_closed::server(Side& here) {
  Stream peer = co_await here.meet(here.abstract("a"), -1);
  co_await here.read_all(peer);
  co_await here.write(peer, "answer");
  co_await here.finish(peer);
  co_await here.finish(peer);
  co_await here.write(peer, "too late");
}
Task<> unix_half_closed::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.write(peer, "question");
  co_await here.finish(peer);
  co_await here.write(peer, "too late");
  co_await here.read_all(peer);
}

MEARI_CONFORMS(unix_closing_with_bytes_that_nobody_read)
Task<> unix_closing_with_bytes_that_nobody_read::server(Side& here) {
  Stream peer = co_await here.meet(here.abstract("a"), -1);
  co_await here.write(peer, "an answer");
  co_await here.has_arrived(peer, 7);
  here.abandon(peer);
  here.tell("closed");
}
Task<> unix_closing_with_bytes_that_nobody_read::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.write(peer, "ignored");
  co_await here.hear("closed");
  co_await here.has_arrived(peer, 9);
  co_await here.read_all(peer);
  co_await here.read(peer);
  co_await here.write(peer, "x");
}

MEARI_CONFORMS(unix_closing_with_everything_read)
Task<> unix_closing_with_everything_read::server(Side& here) {
  Stream peer = co_await here.meet(here.abstract("a"), -1);
  co_await here.read_exactly(peer, 1);
  co_await here.write(peer, "an answer");
  here.abandon(peer);
  here.tell("closed");
}
Task<> unix_closing_with_everything_read::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.write(peer, "x");
  co_await here.hear("closed");
  co_await here.read_all(peer);
  co_await here.write(peer, "y");
  co_await here.write(peer, "z");
  co_await here.read(peer);
  here.note("peer", peer.peer());
}

MEARI_CONFORMS(unix_abort)
Task<> unix_abort::server(Side& here) {
  Stream peer = co_await here.meet(here.abstract("a"), -1);
  co_await here.write(peer, "before");
  peer.abort();
}
Task<> unix_abort::client(Side& here) {
  Stream peer = co_await here.meet();
  co_await here.read_all(peer);
  co_await here.write(peer, "x");
}

MEARI_CONFORMS(unix_writer_that_waits_when_the_peer_closes)
Task<> unix_writer_that_waits_when_the_peer_closes::server(Side& here) {
  Stream peer = co_await here.meet(here.abstract("a"), -1);
  co_await here.hear("stalled");
  here.abandon(peer);
}
Task<> unix_writer_that_waits_when_the_peer_closes::client(Side& here) {
  Stream peer = co_await here.meet();
  const std::string big = pattern(1, 0, std::size_t{8} << 20);
  auto both = [&](Scope& scope) -> Task<> {
    scope.spawn([&]() -> Task<> { co_await here.write(peer, big); });
    co_await yield();
    here.tell("stalled");
  };
  co_await scoped(both);
}

MEARI_CONFORMS(unix_listener_closes_with_somebody_in_its_queue)
Task<> unix_listener_closes_with_somebody_in_its_queue::server(Side& here) {
  co_await here.listen(here.abstract("a"));
  co_await here.hear("connected");
  here.listener.close();
  here.tell("closed");
  here.note("closed");
}
Task<> unix_listener_closes_with_somebody_in_its_queue::client(Side& here) {
  Stream peer = co_await here.meet();
  here.tell("connected");
  co_await here.hear("closed");
  co_await here.read(peer);
  co_await here.write(peer, "x");
}

MEARI_CONFORMS(unix_pair)
Task<> unix_pair::server(Side& here) {
  auto [one, two] = Stream::pair(here.loop()).value();
  here.note("local", one.local());
  here.note("peer", two.peer());
  co_await here.write(one, "to the other");
  co_await here.finish(one);
  co_await here.read_all(two);
  co_await here.write(two, "and back");
  two.close();
  co_await here.read_all(one);
}
Task<> unix_pair::client(Side& here) {
  here.note("nothing to do");
  co_return;
}

MEARI_CONFORMS(unix_wrong_kind_of_socket)
Task<> unix_wrong_kind_of_socket::server(Side& here) {
  Datagram letters = Datagram::open(here.loop(), here.abstract("d")).value();
  const Stream peer = co_await here.dial(here.abstract("d"));
  Listener streams = Listener::open(here.loop(), here.abstract("s")).value();
  co_await here.send(letters, "x", here.abstract("s"));
  Listener path = Listener::open(here.loop(), here.path("s")).value();
  co_await here.send(letters, "x", here.path("s"));
}
Task<> unix_wrong_kind_of_socket::client(Side& here) {
  here.note("nothing to do");
  co_return;
}

MEARI_CONFORMS(unix_datagrams)
Task<> unix_datagrams::server(Side& here) {
  Datagram socket = Datagram::open(here.loop(), here.abstract("to")).value();
  here.tell("there");
  here.note("local", socket.local());
  here.meet_at(socket.local().value());
  co_await here.receive(socket);
  co_await here.receive(socket);
}
Task<> unix_datagrams::client(Side& here) {
  co_await here.hear("there");
  Datagram socket = Datagram::open(here.loop(), here.abstract("from")).value();
  co_await here.send(socket, "hello", here.where());
  co_await here.send(socket, "", here.where());
  co_await here.send(socket, "x", here.path("missing"));
  co_await here.send(socket, "x", here.abstract("missing"));
  co_await here.send(socket, "x", here.home(9));
}

MEARI_CONFORMS(unix_datagrams_that_are_too_long_are_cut)
Task<> unix_datagrams_that_are_too_long_are_cut::server(Side& here) {
  Datagram socket = Datagram::open(here.loop(), here.abstract("to")).value();
  here.meet_at(socket.local().value());
  here.tell("there");
  co_await here.receive(socket);
  co_await here.receive(socket);
}
Task<> unix_datagrams_that_are_too_long_are_cut::client(Side& here) {
  co_await here.hear("there");
  Datagram socket = Datagram::open(here.loop(), here.abstract("from")).value();
  const std::string longest = pattern(1, 0, 65'535), longer = pattern(2, 0, 100'000);
  co_await here.send(socket, longest, here.where());
  co_await here.send(socket, longer, here.where());
  const std::string too_long = pattern(3, 0, 300'000);
  co_await here.send(socket, too_long, here.where());
}

MEARI_CONFORMS(unix_datagrams_wait_for_room)
Task<> unix_datagrams_wait_for_room::server(Side& here) {
  Datagram socket = Datagram::open(here.loop(), here.abstract("to")).value();
  here.meet_at(socket.local().value());
  here.tell("there");
  co_await here.hear("full");
  co_await here.receive(socket);
  here.tell("room");
  co_await here.hear("sent");
  for (int i = 0; i < 11; ++i) {
    const Received message = co_await socket.receive();
    here.note(std::string(message.data.text()));
  }
}
Task<> unix_datagrams_wait_for_room::client(Side& here) {
  co_await here.hear("there");
  Datagram socket = Datagram::open(here.loop(), here.abstract("from")).value();
  int sent = 0;
  for (;; ++sent) {
    const std::string text = "letter " + std::to_string(sent);
    const Result<> result = co_await as_result(with_timeout(5ms, socket.send_to(text, here.where())));
    if (result) continue;
    here.note("send", result.error());
    break;
  }
  here.note("fit: " + std::to_string(sent));
  here.tell("full");
  co_await here.hear("room");
  co_await here.send(socket, "the last", here.where());
  here.tell("sent");
}

MEARI_CONFORMS(unix_datagram_names_in_use)
Task<> unix_datagram_names_in_use::server(Side& here) {
  Datagram name = Datagram::open(here.loop(), here.abstract("a")).value();
  here.note("again", Datagram::open(here.loop(), here.abstract("a")).error());
  here.note("a listener there", Listener::open(here.loop(), here.abstract("a")).error());
  name.close();
  here.note("when it is free", Datagram::open(here.loop(), here.abstract("a")).error());
  co_return;
}
Task<> unix_datagram_names_in_use::client(Side& here) {
  here.note("nothing to do");
  co_return;
}

}  // namespace meari::conformance
