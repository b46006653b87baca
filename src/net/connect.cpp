#include <meari/connect.hpp>

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include <meari/offload.hpp>
#include "src/net/linger.hpp"
#include "src/net/report.hpp"

namespace meari {
inline namespace v1 {
namespace {

// IPv6 and IPv4 take turns, beginning with the family of the first (RFC 8305, section 4).
std::vector<Address> interleaved(const std::vector<Address>& addresses) {
  std::vector<Address> order;
  order.reserve(addresses.size());
  const auto next_of = [&](std::size_t from, bool same) {
    while (from < addresses.size() && (addresses[from].family() == addresses.front().family()) != same) ++from;
    return from;
  };
  std::size_t first = next_of(0, true);
  std::size_t other = next_of(0, false);
  while (first < addresses.size() || other < addresses.size()) {
    if (first < addresses.size()) order.push_back(addresses[std::exchange(first, next_of(first + 1, true))]);
    if (other < addresses.size()) order.push_back(addresses[std::exchange(other, next_of(other + 1, false))]);
  }
  return order;
}

class RaceActivity;

// Several addresses, one winner.
class [[nodiscard]] Race {
 public:
  using Activity = RaceActivity;
  Race(std::vector<Address> given, const ConnectOptions& chosen) : addresses(std::move(given)), options(chosen) {}
  std::vector<Address> addresses;
  ConnectOptions options;
};

class RaceActivity final : public Activity {
 public:
  using Value = Stream;

  explicit RaceActivity(Race&& race)
      : addresses_(std::move(race.addresses)),
        options_(std::move(race.options)),
        attempts_(std::make_unique<Attempt[]>(addresses_.size())) {
    stagger_.race = this;
    stagger_.run = [](Ready& ready) {
      RaceActivity& race = *static_cast<Stagger&>(static_cast<Timer&>(ready)).race;
      race.begin_next();
      race.finish_if_over();
    };
  }

  bool start(Loop& loop, bool canceled) noexcept {
    loop_ = &loop;
    if (canceled) error_ = Errc::canceled;
    stopped_ = canceled;
    if (!canceled) begin_next();
    return is_over();
  }

  Activity* request_cancel(Loop&) noexcept override {
    stop();
    error_ = Errc::canceled;
    return nullptr;
  }

  [[nodiscard]] Fate fate() noexcept { return winner_.is_open() ? Fate::value : Fate::error; }
  Stream take_value() noexcept { return std::move(winner_); }
  Error take_error() noexcept { return std::move(error_); }
  std::exception_ptr take_exception() noexcept { return nullptr; }
  const Activity* describe(Dump& dump) const override {
    dump.line("connect");
    return nullptr;
  }

 private:
  struct Attempt : Connect {
    RaceActivity* race = nullptr;
  };
  struct Stagger : Timer {
    RaceActivity* race = nullptr;
  };

  // Begins the next attempt, and more of them while they fail at once.
  void begin_next() noexcept {
    loop_->unset(stagger_);
    while (!stopped_ && next_ < addresses_.size()) {
      const Address& address = addresses_[next_++];
      if (!begin(address)) continue;
      if (!stopped_ && next_ < addresses_.size()) loop_->set(stagger_, loop_->now() + options_.stagger);
      return;
    }
  }

  bool begin(const Address& address) noexcept {
    Opening opening;
    opening.family = address.family();
    if (options_.source.family() == address.family()) opening.local = options_.source;
    Backend& backend = loop_->backend();
    const Result<SlotId> slot = backend.open(opening);
    if (!slot) {
      error_ = slot.error().during("connect to", address);
      return false;
    }
    Attempt& attempt = attempts_[begun_++];
    attempt.race = this;
    attempt.slot = *slot;
    attempt.target = address;
    attempt.run = [](Ready& ready) {
      auto& done = static_cast<Attempt&>(ready);
      RaceActivity& race = *done.race;
      --race.pending_;
      race.ended(done);
      race.finish_if_over();
    };
    note(Event::What::opened, *slot, address);
    note(Event::What::connecting, *slot, address);
    if (backend.submit(attempt) == Submitted::done) {
      ended(attempt);
      return true;
    }
    ++pending_;
    return true;
  }

  void ended(Attempt& attempt) noexcept {
    if (!attempt.error && !winner_.is_open()) {  // also when we were asked to stop: a success is a success
      winner_ = Stream(*loop_, attempt.slot);
      note(Event::What::connected, attempt.slot, attempt.target);
      return stop();
    }
    if (attempt.error && !stopped_) {
      error_ = attempt.error.during("connect to", attempt.target);
      if (loop_->observed()) {
        Event event = event_of(*loop_, attempt.slot, Event::What::failed);
        event.peer = attempt.target;
        event.error = error_;
        loop_->emit(event);
      }
    }
    close_at_once(*loop_, attempt.slot, false);
    if (!stopped_) begin_next();
  }

  // No more attempts; those under way come back soon.
  void stop() noexcept {
    stopped_ = true;
    loop_->unset(stagger_);
    for (Attempt& attempt : std::span(attempts_.get(), begun_)) {
      if (attempt.state == Operation::State::pending) loop_->backend().cancel(attempt);
    }
  }

  [[nodiscard]] bool is_over() const noexcept {
    return pending_ == 0 && (stopped_ || (next_ == addresses_.size() && !stagger_.is_set()));
  }
  void finish_if_over() {
    if (is_over()) finish();
  }

  void note(Event::What what, SlotId slot, const Address& peer) const {
    if (!loop_->observed()) return;
    Event event = event_of(*loop_, slot, what);
    event.peer = peer;
    loop_->emit(event);
  }

  std::vector<Address> addresses_;
  ConnectOptions options_;
  Loop* loop_ = nullptr;
  std::unique_ptr<Attempt[]> attempts_;  // one for each address
  std::size_t begun_ = 0;                // of the attempts
  std::size_t next_ = 0;                 // of the addresses
  std::size_t pending_ = 0;
  Stagger stagger_;
  Stream winner_;
  Error error_;
  bool stopped_ = false;
};

Task<Stream> race(std::vector<Address> addresses, ConnectOptions options) {
  if (addresses.empty()) co_return fail(Errc::invalid_argument, "connect to", "no address");
  addresses = interleaved(addresses);
  Stream stream = co_await Race(std::move(addresses), options);
  if (!stream.set_timeouts(options.timeouts)) co_return fail(Errc::out_of_memory, "connect to");
  co_return std::move(stream);
}

Task<Stream> find_and_race(Endpoint where, ConnectOptions options) {
  std::vector<Address> addresses = co_await look_up(std::move(where));
  co_return co_await race(std::move(addresses), std::move(options));
}

// A timeout that says what it was that took so long.
Task<Stream> in_time(Task<Stream> connecting, Duration timeout, std::string what) {
  Result<Stream> stream = co_await as_result(with_timeout(timeout, std::move(connecting)));
  if (stream) co_return std::move(*stream);
  co_return stream.error().during("connect to", what);
}

}  // namespace

Task<std::vector<Address>> look_up(Endpoint where) {
  if (where.kind == Kind::datagram || where.form == Endpoint::Form::descriptor)
    co_return fail(Errc::invalid_argument, "connect to", where.to_string());
  if (auto known = Loop::current()->backend().resolve(where)) co_return co_await std::move(*known);
  if (where.form != Endpoint::Form::name) co_return co_await resolve(where);
  auto asking = [where] { return resolve(where); };
  Result<std::vector<Address>> found = co_await offload(std::move(asking));
  co_return co_await std::move(found);
}

// To write an address down needs memory. An empty Task fails with out_of_memory.

Task<Stream> connect(std::vector<Address> addresses, ConnectOptions options) {
  const Duration timeout = options.timeout;
  Task<Stream> connecting;
  static_cast<void>(caught([&] {
    std::string what = addresses.size() == 1 ? addresses.front().to_string() : std::string();
    connecting = in_time(race(std::move(addresses), std::move(options)), timeout, std::move(what));
  }));
  return connecting;
}

Task<Stream> connect(Endpoint where, ConnectOptions options) {
  const Duration timeout = options.timeout;
  Task<Stream> connecting;
  static_cast<void>(caught([&] {
    std::string what = where.to_string();
    connecting = in_time(find_and_race(std::move(where), std::move(options)), timeout, std::move(what));
  }));
  return connecting;
}

Task<Stream> connect(std::string where, ConnectOptions options) {
  Result<Endpoint> endpoint = Endpoint::parse(where);
  if (!endpoint) {
    Error error = endpoint.error();
    return [](Error why) -> Task<Stream> { co_return std::move(why); }(std::move(error));
  }
  return connect(*std::move(endpoint), std::move(options));
}

}  // namespace v1
}  // namespace meari
