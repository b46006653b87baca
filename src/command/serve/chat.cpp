#include "chat.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <meari/deadline.hpp>
#include <meari/quote.hpp>
#include <meari/scope.hpp>
#include <meari/standard.hpp>

#include "audience.hpp"
#include "src/command/speech/messages.hpp"

namespace meari::command {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t longest_name = 64;  // bytes, as typed
constexpr std::size_t longest_line = 4096;
constexpr std::chrono::minutes time_for_a_name{1};
constexpr milliseconds breath{10};

// What was typed, without the end of the line and without anything that could command the terminals of others.
std::string words_of(const Chunk& line) {
  std::string_view text = line.text();
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  return quote(text, {.keep_quotes = true});
}

class Room {
 public:
  explicit Room(Premises& premises) : premises_(premises), language_(premises.log.language()) {}

  Task<> serve(Client& peer, const Session& session) {
    co_await peer.write(messages::your_name.in(language_));
    Chunk typed = co_await with_timeout(time_for_a_name, peer.read_until("\n", longest_name));
    const Name me(names_, words_of(typed), premises_.number_of(session));
    typed = Chunk();
    premises_.log.named(premises_.number_of(session), *me);
    Audience::Member member(audience_, peer);
    announce(messages::came_in.in(language_, *me, audience_.size()), member);
    auto both_ways = [&](Scope& scope) -> Task<> {
      auto listen = [&] { return listen_to_others(member, scope); };
      scope.spawn(listen);
      co_await speak(peer, member, *me);
      member.close();  // what it has not heard yet is still told
    };
    Result<> over = co_await as_result(scoped(both_ways));
    announce(messages::left.in(language_, *me, audience_.size() - 1), member);
    co_await member.outcome(std::move(over));
  }

 private:
  // A name that nobody else has, as long as this object exists.
  class Name {
   public:
    Name(std::set<std::string>& names, std::string wanted, std::uint64_t number) : names_(names) {
      if (wanted.empty() || names.contains(wanted)) wanted += '#' + std::to_string(number);
      place_ = names.insert(std::move(wanted)).first;
    }
    Name(const Name&) = delete;
    Name& operator=(const Name&) = delete;
    ~Name() { names_.erase(place_); }
    const std::string& operator*() const noexcept { return *place_; }

   private:
    std::set<std::string>& names_;
    std::set<std::string>::iterator place_;
  };

  static Task<> listen_to_others(Audience::Member& member, Scope& scope) {
    co_await member.hear();
    scope.cancel();
  }

  // Who speaks without a pause lets the others listen: with nobody behind it costs a turn of the loop, else a moment.
  Task<> speak(Client& peer, const Audience::Member& member, const std::string& name) {
    while (Chunk line = co_await peer.read_until("\n", longest_line)) {
      audience_.say(Bytes::copy_of(name + ": " + words_of(line) + '\n'), &member);
      if (audience_.longest_queue() > Audience::most_unheard / 2) co_await sleep_for(breath);
      else co_await yield();
    }
  }

  void announce(const std::string& words, const Audience::Member& about) {
    audience_.say(Bytes::copy_of("* " + words + '\n'), &about);
  }

  Premises& premises_;
  Language language_;
  std::set<std::string> names_;
  Audience audience_;
};

class Broadcast {
 public:
  explicit Broadcast(Premises& premises) : premises_(premises), input_(Source::standard_input(premises.loop)) {}

  Task<> serve(Client& peer) {
    Audience::Member member(audience_, peer);
    if (over_) member.close();
    auto both_ways = [&](Scope& scope) -> Task<> {
      auto ignore = [&] { return drop_all(peer); };
      scope.spawn(ignore);
      co_await member.hear();
      scope.cancel();
    };
    Result<> over = co_await as_result(scoped(both_ways));
    co_await member.outcome(std::move(over));
  }

  // Reads only while somebody listens, so that the first one hears the beginning. At the end of the input, when all have
  // heard everything, the server has done its work. Without any input it has nothing to say, and does not end.
  Task<> speak() {
    if (input_.medium() == Medium::none || input_.medium() == Medium::null_device) co_return;
    for (;;) {
      while (audience_.size() == 0) co_await audience_.changed();
      Result<Chunk> data = co_await as_result(input_.read_some(piece_bytes));
      if (!data) {
        if (data.error() == Errc::canceled) co_await std::move(data);
        premises_.log.input_failed(data.error());
        premises_.cut_short = true;
        break;
      }
      if (data->empty()) break;
      co_await audience_.wait_for_the_slow(patience);
      audience_.say(Bytes::copy_of(data->bytes()));
    }
    over_ = true;
    audience_.close();
    while (audience_.size() != 0) co_await audience_.changed();
    premises_.stop();
  }

 private:
  static constexpr std::size_t piece_bytes = std::size_t{16}
                                             << 10;  // times most_unheard: what a slow listener may cost
  static constexpr std::chrono::seconds patience{1};

  static Task<> drop_all(Client& peer) {
    while (Chunk data = co_await peer.read()) data.drop(data.size());
  }

  Premises& premises_;
  Source input_;
  Audience audience_;
  bool over_ = false;
};

}  // namespace

Handling handling_of_chat(Premises& premises) {
  auto room = std::make_shared<Room>(premises);
  return {.handle = [room](Client& peer, Session& session) { return room->serve(peer, session); },
          .ready = {},
          .alongside = {}};
}

Handling handling_of_broadcast(Premises& premises) {
  auto broadcast = std::make_shared<Broadcast>(premises);
  return {.handle = [broadcast](Client& peer, Session&) { return broadcast->serve(peer); },
          .ready = {},
          .alongside = [broadcast] { return broadcast->speak(); }};
}

}  // namespace meari::command
