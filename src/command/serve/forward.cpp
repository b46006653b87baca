#include "forward.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <meari/connect.hpp>
#include <meari/deadline.hpp>
#include <meari/scope.hpp>

#include "owed.hpp"

namespace meari::command {
namespace {

using std::chrono::milliseconds;

// A target that is being restarted is back soon.
constexpr int most_attempts = 4;
constexpr milliseconds first_pause{100};  // doubled each time
constexpr char forwarding[] = "forward to";

bool may_be_back_soon(const Error& error) noexcept {
  switch (error.code()) {
    case Errc::connection_refused:
    case Errc::connection_reset:
    case Errc::not_found: return true;
    default: return false;
  }
}

// A connection, from its client's end to its server's. One address alone is no name for it: the system gives the same port to
// connections that go to different places.
using Path = std::pair<Address, Address>;

// A path is in the set as long as this object exists.
class Present {
 public:
  Present(std::multiset<Path>& set, const Path& path) : set_(set) {
    if (path.first.port() != 0) place_ = set.insert(path);
  }
  Present(const Present&) = delete;
  Present& operator=(const Present&) = delete;
  ~Present() {
    if (place_ != set_.end()) set_.erase(place_);
  }

 private:
  std::multiset<Path>& set_;
  std::multiset<Path>::iterator place_ = set_.end();
};

class Forwarder {
 public:
  explicit Forwarder(Premises& premises) : premises_(premises), target_(premises.settings.target.to_string()) {}

  // A target that is written as an address of ours is refused before anybody is served.
  Result<> check() const {
    const Endpoint& target = premises_.settings.target;
    if (target.form == Endpoint::Form::name && target.host != "localhost")
      return {};  // may change: looked at each time
    const Result<std::vector<Address>> addresses = resolve(target);
    if (addresses && std::ranges::any_of(*addresses, [&](const Address& to) { return is_ours(to); })) return loop();
    return {};
  }

  Task<> serve(Client& client, Session& session) {
    const Path path(session.source().unmapped(), client.local().value_or(Address()).unmapped());
    const Present from(clients_, path);
    if (ours_.contains(path)) {  // this client is us
      client.abort();
      co_await Result<>(loop());
    }
    Result<Stream> reached = co_await as_result(reach());
    if (!reached) {
      client.abort();
      co_await Result<>(reached.error().during(forwarding, target_));
    }
    Stream target = *std::move(reached);
    if (!target.set_timeouts(timeouts())) co_await fail(Errc::out_of_memory, forwarding);
    const Path onward(target.local().value_or(Address()).unmapped(), target.peer().value_or(Address()).unmapped());
    const Present to(ours_, onward);
    if (clients_.contains(onward)) {  // the same, when the client side was the quicker one
      target.abort();
      client.abort();
      co_await Result<>(loop());
    }
    Owed owed(session);
    auto both_ways = [&](Scope& scope) -> Task<> {
      auto answers = [&] { return relay_answers(target, client, owed); };
      scope.spawn(answers);
      co_await relay_requests(client, target, owed);
    };
    Result<> over = co_await as_result(scoped(both_ways));
    if (!over && over.error().peer_is_gone()) {
      target.abort();
      client.abort();
    }
    co_await std::move(over);
  }

 private:
  Task<Stream> reach() {
    Duration pause = first_pause;
    for (int attempt = 1;; ++attempt) {
      Result<Stream> reached = co_await as_result(try_once());
      if (reached || attempt == most_attempts || !may_be_back_soon(reached.error()))
        co_return co_await std::move(reached);
      co_await sleep_for(pause);
      pause *= 2;
    }
  }

  Task<Stream> try_once() {
    std::vector<Address> addresses = co_await look_up(premises_.settings.target);
    std::erase_if(addresses, [this](const Address& to) { return is_ours(to); });
    if (addresses.empty()) co_await Result<>(loop());
    co_return co_await connect(std::move(addresses));
  }

  // Who has asked and has no answer is waited for when the server stops; the answer may take its time in the target.
  Task<> relay_requests(Client& client, Stream& target, Owed& owed) {
    while (Chunk data = co_await client.read()) {
      owed.asked();
      const Result<> written = co_await as_result(target.write(std::move(data)));
      if (!written) co_await Result<>(of_target(written.error()));
    }
    owed.asked();  // its end of input asks as well
    const Result<> finished = co_await as_result(target.finish());
    if (!finished) co_await Result<>(of_target(finished.error()));
  }

  Task<> relay_answers(Stream& target, Client& client, Owed& owed) {
    for (;;) {
      Result<Chunk> data = co_await as_result(owed.read(target, client.piece()));
      if (!data) co_await Result<>(of_target(data.error()));
      if (data->empty()) break;
      co_await client.write(*std::move(data));
    }
    owed.over();
    co_await client.finish();
  }

  // An idle target is as idle as a client: with one direction ended, only this one is left to be looked at.
  [[nodiscard]] Timeouts timeouts() const {
    Timeouts timeouts = ServerOptions().timeouts;
    if (premises_.settings.idle) timeouts.idle = *premises_.settings.idle;
    return timeouts;
  }
  [[nodiscard]] Error of_target(const Error& error) const {
    if (error == Errc::canceled) return error;
    return Error(error.code(), forwarding, target_, error.system_code());
  }
  [[nodiscard]] Error loop() const {
    return Error(Errc::self_connect, forwarding, target_).because("that is this server itself");
  }
  [[nodiscard]] bool is_ours(const Address& to) const {
    return std::ranges::any_of(premises_.addresses, [&](const Address& here) {
      return here == to || (here.is_any() && here.port() == to.port() && (to.is_loopback() || to.is_any()));
    });
  }

  Premises& premises_;
  std::string target_;
  std::multiset<Path> clients_;  // of the sessions that are open
  std::multiset<Path> ours_;     // that we opened
};

}  // namespace

Handling handling_of_forwarding(Premises& premises) {
  auto forwarder = std::make_shared<Forwarder>(premises);
  return {.handle = [forwarder](Client& client, Session& session) { return forwarder->serve(client, session); },
          .ready = [forwarder] { return forwarder->check(); }};
}

}  // namespace meari::command
