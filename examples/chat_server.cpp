// A room to talk in: what one member says, all others read.
// 대화방: 한 사람이 말하면 나머지 모두가 읽습니다.
//
//   chat_server                    all addresses, port 9000     모든 주소, 포트 9000
//   nc localhost 9000              in two other terminals       다른 터미널 두 개에서
//
// A line is copied once, into Bytes, and shared by all who still have to read it. Each member has a queue with a limit:
// who does not keep up is cut off, and the room goes on. 따라오지 못하는 사람만 내보내고, 대화방은 계속됩니다.
#include <meari/meari.hpp>

#include <chrono>
#include <string>
#include <vector>

using namespace meari;
using namespace std::chrono_literals;

struct Member {
  std::string name;
  Channel<Bytes> unheard{ChannelOptions{.capacity = 256, .when_full = WhenFull::close}};
};

std::vector<Member*> room;  // one loop, one thread: no lock

void tell_all_but(const Member& speaker, const std::string& line) {
  const Bytes bytes = Bytes::copy_of(line + "\n");
  for (Member* member : room)
    if (member != &speaker) static_cast<void>(member->unheard.try_send(bytes));  // full: that member's queue is closed
}

// Comes in when it is made, leaves when it is destroyed, however that comes about.
struct Visit {
  explicit Visit(Member& who) : member(who) {
    tell_all_but(member, "* " + member.name + " came in");
    room.push_back(&member);
  }
  ~Visit() {
    std::erase(room, &member);
    tell_all_but(member, "* " + member.name + " left");
  }
  Member& member;
};

// What was typed, without the end of the line and without anything that could command the terminals of others.
std::string words(const Chunk& line) {
  std::string_view text = line.text();
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  return quote(text, {.keep_quotes = true});
}

Task<> hear(Stream& peer, Member& me) {
  while (Chunk line = co_await peer.read_until("\n", 1024)) tell_all_but(me, me.name + ": " + words(line));
}

Task<> deliver(Stream& peer, Member& me) {
  while (std::optional<Bytes> line = co_await me.unheard.receive())
    co_await with_timeout(5s, peer.write(std::move(*line)));  // who takes nothing for so long has stopped reading
}

Task<> chat(Stream peer) {
  co_await peer.write("Your name? 이름이 무엇입니까? ");
  Chunk answer = co_await with_timeout(1min, peer.read_until("\n", 40));
  Member me;
  me.name = words(answer);
  if (me.name.empty()) co_return;
  Visit visit(me);
  co_await first_of(hear(peer, me), deliver(peer, me));  // whichever ends first ends the other
}

int main(int count, char** arguments) { return serve(count > 1 ? arguments[1] : ":9000", chat); }
