// A chat server with a mistake in it, and the simulated network that finds it.
// 실수가 하나 숨어 있는 대화 서버와, 그것을 찾아내는 모의 네트워크입니다.
//
//   simulated_chat hasty       until a seed finds the mistake        실수가 드러나는 시드를 찾을 때까지
//   simulated_chat             the same, mended: every seed passes   고친 것. 모든 시드를 통과합니다
//   MEARI_SIM_SEED=… simulated_chat hasty                            that seed again  그 시드를 다시
//
// docs/simulation.md tells the story. 이야기는 docs/simulation.ko.md에 있습니다.
#include <meari/meari.hpp>
#include <meari/sim.hpp>

#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

using namespace meari;
using namespace std::chrono_literals;

// Who comes in late is told the last lines, then hears what is said.
constexpr std::size_t remembered = 20;

// ---- the server, in a hurry

struct Visitor {
  Stream stream;
};

struct Hall {
  std::vector<std::shared_ptr<Visitor>> visitors;
  std::vector<Bytes> last_lines;
};

Task<> deliver(std::shared_ptr<Visitor> visitor, Bytes line) { co_await ignore_error(visitor->stream.write(line)); }

Task<> chat_hastily(Hall& hall, Stream peer) {
  auto me = std::make_shared<Visitor>(std::move(peer));
  struct Visit {
    Visit(Hall& where, std::shared_ptr<Visitor> who) : hall(where), me(std::move(who)) { hall.visitors.push_back(me); }
    ~Visit() { std::erase(hall.visitors, me); }
    Hall& hall;
    std::shared_ptr<Visitor> me;
  } visit(hall, me);
  const std::vector<Bytes> before = hall.last_lines;
  for (const Bytes& line : before) co_await me->stream.write(line);
  while (Chunk line = co_await me->stream.read_until("\n")) {
    const Bytes bytes = Bytes::copy_of(line.text());
    hall.last_lines.push_back(bytes);
    if (hall.last_lines.size() > remembered) hall.last_lines.erase(hall.last_lines.begin());
    for (const auto& visitor : hall.visitors) Loop::current()->spawn(deliver, visitor, bytes);
  }
}

// ---- the server, mended: every member has a queue, and one Task that empties it

struct Member {
  Channel<Bytes> unheard{ChannelOptions{.capacity = 100, .when_full = WhenFull::close}};
};

struct Room {
  std::vector<Member*> members;
  std::vector<Bytes> last_lines;
};

Task<> hear(Room& room, Stream& peer) {
  while (Chunk line = co_await peer.read_until("\n")) {
    const Bytes bytes = Bytes::copy_of(line.text());
    room.last_lines.push_back(bytes);
    if (room.last_lines.size() > remembered) room.last_lines.erase(room.last_lines.begin());
    for (Member* member : room.members) static_cast<void>(member->unheard.try_send(bytes));
  }
}

Task<> tell(Member& me, Stream& peer) {
  while (std::optional<Bytes> line = co_await me.unheard.receive()) co_await peer.write(std::move(*line));
}

Task<> chat(Room& room, Stream peer) {
  Member me;
  for (const Bytes& line : room.last_lines) static_cast<void>(me.unheard.try_send(line));
  struct Visit {
    Visit(Room& where, Member& who) : room(where), me(who) { room.members.push_back(&me); }
    ~Visit() { std::erase(room.members, &me); }
    Room& room;
    Member& me;
  } visit(room, me);
  co_await first_of(hear(room, peer), tell(me, peer));
}

// ---- the world: a server, three who talk and listen, whatever weather the seed brings

template <class Place, Task<> (*handler)(Place&, Stream)>
Task<> serve_chat() {
  Place place;
  auto session = [&place](Stream peer) { return handler(place, std::move(peer)); };
  Server server(*Loop::current(), session);
  std::vector<Address> where = co_await server.listen(":9000");
  co_await server.run();
}

Task<> say(const std::string& name, Stream& peer) {
  for (int i = 0; i < 40; ++i) {
    const std::string line = name + ' ' + std::to_string(i) + ' ' + std::string(200, '.') + '\n';
    co_await peer.write(line);
    co_await sleep_for(20ms);
  }
  co_await sleep_for(10s);
  co_await peer.finish();
}

// Of each speaker the lines must come in order, whatever happens.
Task<> listen(SimNetwork& net, const std::string& name, Stream& peer) {
  std::map<std::string, int> next;
  while (Chunk line = co_await peer.read_until("\n")) {
    const std::string text(line.text());
    const std::string speaker = text.substr(0, text.find(' '));
    const int number = std::stoi(text.substr(speaker.size()));
    const auto [at, is_first] = next.emplace(speaker, number);
    net.expect(at->second == number, name + " hears line " + std::to_string(number) + " of " + speaker + ", and not " +
                                         std::to_string(at->second));
    at->second = number + 1;
  }
}

Task<> talk(SimNetwork& net, std::string name, Duration late) {
  co_await sleep_for(late);
  Stream peer = co_await connect("server:9000");
  auto both = [&](Scope& scope) -> Task<> {
    auto saying = [&] { return say(name, peer); };
    scope.spawn(saying);
    co_await listen(net, name, peer);
  };
  co_await scoped(std::move(both));
}

int main(int count, char** arguments) {
  const bool hasty = count > 1 && std::string_view(arguments[1]) == "hasty";
  SimSweep sweep;
  sweep.seeds = 1000;
  sweep.repeat = std::string("MEARI_SIM_SEED={} simulated_chat") + (hasty ? " hasty" : "");
  const SimReport report = simulate(sweep, [hasty](const SimOptions& options) {
    SimNetwork net(options);
    net.host("server").start(hasty ? serve_chat<Hall, chat_hastily> : serve_chat<Room, chat>);
    net.host("ann").run([&net] { return talk(net, "ann", 0ms); });
    net.host("bob").run([&net] { return talk(net, "bob", 300ms); });
    net.host("cho").run([&net] { return talk(net, "cho", 500ms); });
    net.run_for(30s);
    net.heal();
    const auto everybody_has_gone = [&] {
      for (const char* name : {"ann", "bob", "cho"})
        if (net.host(name).loop().tasks() != 0) return false;
      return true;
    };
    net.expect(net.run_until(everybody_has_gone), "everybody goes home");
  });
  std::cout << report.text();
  return report ? 0 : 1;
}
