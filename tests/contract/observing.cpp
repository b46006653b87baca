// What an observer is told: each step of a conversation, in its order, with whose it is and what it carried.
#include <algorithm>

#include <meari/datagram.hpp>
#include <meari/observer.hpp>

#include "loop_harness.hpp"

namespace meari::test {
namespace {

struct Told {
  Event::What what;
  std::uint64_t connection;
  std::uint64_t listener;
  Address local, peer;
  std::uint64_t count;
  std::string payload;
  Errc error;
  std::string note;
};

class Observing : public OnLoop {
 protected:
  void SetUp() override {
    OnLoop::SetUp();
    if (IsSkipped()) return;
    loop().observe([this](const Event& event) {
      EXPECT_GE(event.time, last_);  // of the loop
      last_ = event.time;
      told.push_back({event.what, event.connection, event.listener, event.local, event.peer, event.count,
                      std::string(reinterpret_cast<const char*>(event.payload.data()), event.payload.size()),
                      event.error.code(), std::string(event.note)});
    });
  }
  // "opened bound listening": what was told of one connection, or of all.
  std::string story(std::uint64_t connection = 0) {
    std::string text;
    for (const Told& one : told)
      if (connection == 0 || one.connection == connection)
        text += (text.empty() ? "" : " ") + std::string(name(one.what));
    return text;
  }
  const Told& last(Event::What what) {
    for (auto at = told.rbegin(); at != told.rend(); ++at)
      if (at->what == what) return *at;
    ADD_FAILURE() << "nobody told " << name(what);
    return told.emplace_back();
  }

  std::vector<Told> told;

 private:
  Time last_{};
};
MEARI_EVERY_BACKEND(Observing);

TEST_P(Observing, a_conversation_from_its_first_socket_to_its_last_byte) {
  std::uint64_t door = 0, caller = 0, called = 0;
  auto body = [&]() -> Task<> {
    Listener listener = co_await Listener::open(loop(), free_address(Family::ipv4));
    door = listener.number();
    Address where = co_await listener.local();
    EXPECT_EQ(story(), "opened bound listening");
    EXPECT_EQ(told.back().connection, door);
    EXPECT_EQ(told.back().local, where);
    const std::vector<Address> there(1, where);
    Stream client = co_await connect(there);
    caller = client.facts().number;
    EXPECT_EQ(story(caller), "opened connecting connected");
    EXPECT_EQ(last(Event::What::connecting).peer, where);
    EXPECT_EQ(last(Event::What::connected).peer, where);
    Stream server = co_await listener.accept();
    called = server.facts().number;
    EXPECT_EQ(story(called), "accepted");
    EXPECT_EQ(told.back().listener, door);
    EXPECT_EQ(told.back().peer, client.local().value());
    EXPECT_EQ(told.back().local, where);

    co_await client.write("hello");
    Chunk greeting = co_await server.read();
    EXPECT_EQ(last(Event::What::sent).count, 5U);
    EXPECT_EQ(last(Event::What::received).count, 5U);
    EXPECT_EQ(last(Event::What::received).payload, "hello");
    co_await client.finish();
    Chunk end = co_await server.read();
    EXPECT_TRUE(end.empty());
    EXPECT_EQ(last(Event::What::peer_finished).count, 0U);
    server.close();
    EXPECT_EQ(told.back().what, Event::What::closed);
    EXPECT_EQ(told.back().note, "");
    client.abort();
    EXPECT_EQ(told.back().what, Event::What::closed);
    EXPECT_EQ(told.back().note, "reset");
    listener.close();
  };
  run(body);
  EXPECT_EQ(story(door), "opened bound listening closed");
  EXPECT_EQ(story(caller), "opened connecting connected sent finished closed");
  EXPECT_EQ(story(called), "accepted received peer_finished closed");
}

TEST_P(Observing, a_failure_and_no_cancel) {
  auto [client, server] = streams();
  const std::uint64_t number = server.facts().number;
  told.clear();
  auto body = [&]() -> Task<> {
    Result<Chunk> nothing = co_await as_result(with_timeout(1ms, server.read()));
    EXPECT_EQ(nothing.error(), Errc::timed_out);
    EXPECT_EQ(story(), "");
    client.abort();
    Result<Chunk> gone = co_await as_result(server.read());
    EXPECT_EQ(gone.error(), Errc::connection_reset);
    EXPECT_EQ(story(number), "failed");
    EXPECT_EQ(last(Event::What::failed).error, Errc::connection_reset);
    Result<> refused = co_await as_result(server.write("x"));
    EXPECT_FALSE(refused);
    EXPECT_EQ(story(number), "failed failed");
  };
  run(body);
}

TEST_P(Observing, whom_a_connect_could_not_reach) {
  Address nobody;
  auto body = [&]() -> Task<> {
    {
      Listener listener = co_await Listener::open(loop(), free_address(Family::ipv4));
      nobody = co_await listener.local();
    }
    told.clear();
    const std::vector<Address> there(1, nobody);
    Result<Stream> refused = co_await as_result(connect(there));
    EXPECT_EQ(refused.error(), Errc::connection_refused);
  };
  run(body);
  EXPECT_EQ(story(), "opened connecting failed closed");
  EXPECT_EQ(last(Event::What::failed).peer, nobody);
  EXPECT_EQ(last(Event::What::failed).error, Errc::connection_refused);
}

TEST_P(Observing, that_a_connect_tries_both_families_in_turns) {
  MEARI_NEEDS(ipv6);
  std::vector<Address> sixes, fours;
  auto body = [&]() -> Task<> {
    {
      std::vector<Listener> closed;  // so that nobody listens at four addresses
      for (const Family family : {Family::ipv6, Family::ipv6, Family::ipv6, Family::ipv4, Family::ipv4}) {
        closed.push_back(co_await Listener::open(loop(), free_address(family)));
        Address at = co_await closed.back().local();
        (family == Family::ipv6 ? sixes : fours).push_back(at);
      }
    }
    told.clear();
    const std::vector<Address> all = {sixes[0], sixes[1], sixes[2], fours[0], fours[1]};
    Result<Stream> refused = co_await as_result(connect(all));
    EXPECT_FALSE(refused);
  };
  run(body);
  std::vector<Address> tried;
  for (const Told& one : told)
    if (one.what == Event::What::connecting) tried.push_back(one.peer);
  EXPECT_EQ(tried, (std::vector<Address>{sixes[0], fours[0], sixes[1], fours[1], sixes[2]}));
}

TEST_P(Observing, datagrams_with_their_bytes_and_the_other_side) {
  auto body = [&]() -> Task<> {
    Datagram one = co_await Datagram::open(loop(), free_address(Family::ipv4));
    Datagram other = co_await Datagram::open(loop(), free_address(Family::ipv4));
    Address from = co_await one.local();
    Address to = co_await other.local();
    co_await one.send_to("message", to);
    Received message = co_await other.receive();
    EXPECT_EQ(message.from, from);
    EXPECT_EQ(last(Event::What::sent).peer, to);
    EXPECT_EQ(last(Event::What::sent).count, 7U);
    EXPECT_EQ(last(Event::What::sent).payload, "message");
    EXPECT_EQ(last(Event::What::received).peer, from);
    EXPECT_EQ(last(Event::What::received).count, 7U);
    EXPECT_EQ(last(Event::What::received).payload, "message");
    const std::uint64_t number = other.facts().number;
    other.close();
    EXPECT_EQ(story(number), "opened bound received closed");
    EXPECT_FALSE(other.is_open());
    EXPECT_EQ(other.local().error(), Errc::closed);
    EXPECT_EQ(other.facts().number, 0U);
  };
  run(body);
}

TEST_P(Observing, every_event_has_a_name_of_its_own) {
  std::vector<std::string> names;
  for (int what = 0; what <= static_cast<int>(Event::What::drained); ++what)
    names.emplace_back(name(static_cast<Event::What>(what)));
  EXPECT_EQ(names.front(), "opened");
  EXPECT_EQ(names.back(), "drained");
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::adjacent_find(names), names.end());
  EXPECT_NE(names.front(), "");
}

}  // namespace
}  // namespace meari::test
