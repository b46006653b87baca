// The servers of a world: four protocols, one that passes on what others say, and datagrams.
#include "world.hpp"

namespace meari::worlds {

void World::observe(Loop& loop) {
  loop.observe([this](const Event& event) {
    switch (event.what) {
      case Event::What::opened:
      case Event::What::accepted:
        net.expect(connections_.insert(event.connection).second, "observer: a connection that is open has been opened");
        break;
      case Event::What::closed:
        net.expect(connections_.erase(event.connection) == 1,
                   "observer: a connection that is not open has been closed");
        break;
      default: break;
    }
  });
}

Task<> World::session(Service& service, Stream peer, Session& session) {
  Open open(*this);
  if (service.target != nullptr) co_return co_await pass_on(service, peer);
  switch (service.protocol) {
    case Protocol::echo: co_await echo_session(service, peer); break;
    case Protocol::room: co_await room_session(service, peer); break;
    case Protocol::count: co_await count_session(peer); break;
    case Protocol::greet: {
      const std::string text = stretch(42, 0, service.greeting);
      co_await peer.write(text);
      break;
    }
    default: co_await trade_session(peer, session); break;
  }
}

Task<> World::echo_session(Service& service, Stream& peer) {
  while (Chunk data = co_await peer.read()) {
    if (service.pause != Duration::zero()) co_await sleep_for(service.pause);  // with a loan in its hands
    co_await peer.write(std::move(data));
  }
}

// Passes both directions on. One that failed must not look as if it had ended well.
Task<> World::pass_on(Service& service, Stream& peer) {
  Result<Stream> connected = co_await as_result(connect(service.target->host->name() + ":9000"));
  if (!connected) {
    peer.abort();
    co_return co_await Error(connected.error());
  }
  Stream inner = std::move(*connected);
  auto both = [this, &peer, &inner](Scope& scope) -> Task<> {
    auto back = [this, &peer, &inner] { return pump(inner, peer); };
    scope.spawn(back);
    co_await pump(peer, inner);
  };
  Result<> passed = co_await as_result(scoped(std::move(both)));
  if (passed) co_return;
  peer.abort();
  inner.abort();
  co_await std::move(passed);
}
Task<> World::pump(Stream& from, Stream& to) {
  while (Chunk data = co_await from.read()) co_await to.write(std::move(data));
  co_await to.finish();
}

// A name, then lines; all of them go to everybody in the room, with the name in front.
Task<> World::room_session(Service& service, Stream& peer) {
  Chunk line = co_await peer.read_until("\n", 100);
  if (line.empty()) co_return;
  std::string name(line.text());
  line = Chunk();
  name.pop_back();
  Room& room = *service.room;
  Member member(service.patience);
  struct Visit {
    Visit(Room& where, Member& who) : room(where), member(who) { room.push_back(&member); }
    ~Visit() { std::erase(room, &member); }
    Room& room;
    Member& member;
  } visit(room, member);
  co_await first_of(hear(room, peer, std::move(name)), tell(member, peer));
}
Task<> World::hear(Room& room, Stream& peer, std::string name) {
  while (Chunk line = co_await peer.read_until("\n", 100)) {
    const Bytes bytes = Bytes::copy_of(name + ' ' + std::string(line.text()));
    for (Member* member : room) static_cast<void>(member->unheard.try_send(bytes));
  }
}
Task<> World::tell(Member& member, Stream& peer) {
  while (std::optional<Bytes> line = co_await member.unheard.receive()) co_await peer.write(std::move(*line));
}

// Eight bytes that say which stream it is, then the stream; at its end, how much has come.
Task<> World::count_session(Stream& peer) {
  Chunk head = co_await peer.read_exactly(8);
  std::uint64_t key = 0;
  for (const char letter : head.text()) key = key << 8 | static_cast<unsigned char>(letter);
  std::size_t place = 0;
  while (Chunk data = co_await peer.read()) {
    check(data.text(), key, place, "count server");
    place += data.size();
  }
  const std::string answer = std::to_string(place) + '\n';
  co_await peer.write(answer);
}

// "order size\n" and so many bytes; the answer is "order sum\n", once it is in the ledger.
Task<> World::trade_session(Stream& peer, Session& session) {
  while (Chunk line = co_await peer.read_until("\n", 60)) {
    const std::string text(line.text());
    std::size_t after = 0;
    const std::uint64_t order = std::stoull(text, &after);
    const std::size_t size = std::stoull(text.substr(after));
    Chunk goods = co_await peer.read_exactly(size);
    const std::uint64_t value = sum(goods.text());
    const auto [at, is_new] = ledger_.emplace(order, value);
    net.expect(at->second == value, "trade server: the same order with other goods");
    goods = Chunk();
    const std::string answer = std::to_string(order) + ' ' + std::to_string(value) + '\n';
    co_await peer.write(answer);
    if (session.draining()) break;
  }
}

Task<> World::serve_again_and_again(Service& service) {
  while (!over_) {
    auto handler = [this, &service](Stream peer, Session& session) {
      return this->session(service, std::move(peer), session);
    };
    Server server(*Loop::current(), handler, service.options);
    struct Known {
      ~Known() { service.server = nullptr; }
      Service& service;
    } known{service};
    Result<std::vector<Address>> where = server.listen(":9000");
    if (!where) co_return co_await Error(where.error());  // it has crashed
    Room room;
    service.room = &room;
    service.server = &server;
    const Result<> served = co_await as_result(server.run());
    if (!served && served.error() != Errc::canceled) net.fail("a server ended: " + served.error().message());
    if (!served) co_return;
    if (server.sessions() != 0) net.fail("a server has ended, and its sessions have not");
  }
}

Task<> World::serve_datagrams() {
  const Address all("::", 9000);
  for (;;) {
    Result<Datagram> socket = Datagram::open(all);
    if (socket) {
      for (;;) {
        Received message = co_await socket->receive();
        co_await socket->send_to(message.data.bytes(), message.from);
      }
    }
    co_await sleep_for(10ms);
  }
}

}  // namespace meari::worlds
