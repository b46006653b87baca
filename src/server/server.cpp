#include "src/server/house.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>

#include <meari/channel.hpp>
#include <meari/deadline.hpp>
#include <meari/scope.hpp>
#include "src/net/linger.hpp"
#include "src/net/report.hpp"
#include "src/os/memory.hpp"
#include "src/os/native.hpp"

namespace meari {
inline namespace v1 {
namespace {

using std::chrono::milliseconds;

// Descriptors that sessions leave to the rest of the program: the backend's own, files, names being looked up.
constexpr std::size_t reserved_descriptors = 16;
// Without descriptors or memory: how long before the next try when no session ends meanwhile.
constexpr milliseconds shortage_pause{100};
// While draining: how often busy sessions are looked at.
constexpr milliseconds drain_step{50};
constexpr milliseconds step_of_waits{50};  // how late a drain may be noticed

std::size_t most_sessions(const Backend& backend) {
  if (const std::optional<std::size_t> most = backend.most_descriptors())
    return *most > reserved_descriptors ? *most - reserved_descriptors : 1;
  const Result<os::DescriptorLimit> limit = os::descriptor_limit();
  if (!limit) return 1024;
  const std::size_t open = os::open_descriptors().value_or(0);
  const auto all = static_cast<std::size_t>(std::min<std::uint64_t>(limit->soft, std::size_t{1} << 30));
  return all > open + reserved_descriptors ? all - open - reserved_descriptors : 1;
}

bool is_shortage(const Error& error) noexcept {
  switch (error.code()) {
    case Errc::too_many_descriptors:
    case Errc::out_of_memory:
    case Errc::out_of_buffers: return true;
    default: return false;
  }
}

}  // namespace

const char* name(SessionEnd::How how) noexcept {
  switch (how) {
    case SessionEnd::How::finished: return "finished";
    case SessionEnd::How::peer_gone: return "peer_gone";
    case SessionEnd::How::timed_out: return "timed_out";
    case SessionEnd::How::too_slow: return "too_slow";
    case SessionEnd::How::failed: return "failed";
    case SessionEnd::How::drained: return "drained";
    case SessionEnd::How::cut_off: return "cut_off";
  }
  return "";
}

bool Session::draining() const noexcept { return house_->server.draining(); }

Server::Server(Loop& loop, ServerOptions options, Handler handler)
    : loop_(loop),
      options_(std::move(options)),
      room_(std::make_unique<Room>()),
      counted_(std::make_unique<Counted>(options_.max_per_source)) {
  houses_.push_back(std::make_unique<House>(*this, loop_, std::move(handler)));
}

Server::~Server() { MEARI_ASSERT(sessions_ == 0); }

Result<> Server::deal_to(Loop& worker) {
  if (worker.backend().name() != loop_.backend().name()) return Error(Errc::invalid_argument, "deal to a loop");
  return os::in_memory([&]() -> Result<> {
    houses_.push_back(std::make_unique<House>(*this, worker, houses_.front()->handler));
    return {};
  });
}

// ---- listening

Result<std::vector<Address>> Server::listen(std::string_view where) {
  const Result<Endpoint> endpoint = Endpoint::parse(where);
  if (!endpoint) return endpoint.error();
  return listen(*endpoint);
}

Result<std::vector<Address>> Server::listen(const Endpoint& where) {
  return os::in_memory([&] { return open_listeners(where); });
}

Result<std::vector<Address>> Server::open_listeners(const Endpoint& where) {
  if (where.kind != Kind::stream) return Error(Errc::invalid_argument, "listen on", where.to_string());
  std::vector<Address> bound;
  if (where.form == Endpoint::Form::descriptor) {
    Result<Listener> listener = Listener::adopt(loop_, where.descriptor);
    if (!listener) return listener.error();
    if (Result<Address> local = listener->local()) bound.push_back(*std::move(local));
    listeners_.push_back(*std::move(listener));
    return bound;
  }
  std::optional<Result<std::vector<Address>>> known = loop_.backend().resolve(where);
  const Result<std::vector<Address>> addresses = known ? *std::move(known) : resolve(where);
  if (!addresses) return addresses.error();
  std::vector<Listener> opened;
  Error refused;
  std::uint16_t port = where.port;
  for (const Address& address : *addresses) {
    // One "::" takes IPv4 clients as well.
    if (where.form == Endpoint::Form::any && !opened.empty()) break;
    Result<Listener> listener =
        Listener::open(loop_, address.family() == Family::local ? address : address.with_port(port), options_.listen);
    if (!listener) {
      // A machine without IPv6 is no failure as long as there is another address; a port that is taken is one.
      if (listener.error() == Errc::address_in_use || listener.error() == Errc::permission_denied)
        return listener.error();
      refused = listener.error();
      continue;
    }
    Result<Address> local = listener->local();
    if (!local) return local.error();
    port = local->port();  // port 0: both families get the same one
    bound.push_back(*std::move(local));
    opened.push_back(*std::move(listener));
  }
  if (opened.empty()) return refused;
  listeners_.reserve(listeners_.size() + opened.size());
  for (Listener& listener : opened) listeners_.push_back(std::move(listener));
  return bound;
}

void Server::listen(Listener listener) { listeners_.push_back(std::move(listener)); }

// ---- pauses

template <std::invocable Reason>
void Server::pause(Reason reason) {
  if (!paused_.empty()) return;
  if (caught([&] { paused_ = reason(); })) paused_ = "out of memory";  // so short that it needs none
  if (options_.on_pause) call_back(options_.on_pause, false, std::string_view(paused_));
  tell(Event::What::paused, paused_);
}

void Server::pause(const Error& shortage) {
  // Without the address of the client who met it: the shortage is everybody's, and one episode has one reason.
  pause([&shortage] {
    return Error(shortage.code(), shortage.operation(), std::string_view(), shortage.system_code()).message();
  });
}

// ---- serving

// Whatever has to be waited for while it serves and drains is waited for in the frames that it begins with: so none of it
// can fail for want of memory.
Task<> Server::run() {
  if (options_.max_sessions == 0)
    options_.max_sessions = std::max<std::size_t>(
        most_sessions(loop_.backend()) / std::max<std::size_t>(options_.descriptors_per_session, 1), 1);
  auto acceptors = [this](Scope& scope) -> Task<> {
    for (Listener& listener : listeners_) {
      auto accept = [this, &listener] { return accept_all(listener); };
      scope.spawn(accept);
    }
    co_return;
  };
  Result<> accepting = co_await as_result(scoped(acceptors));
  listeners_.clear();
  drain_deadline_ = std::min(drain_deadline_, loop_.now() + options_.drain);
  draining_ = true;
  bool canceled = false;
  while (accepting && (sessions_ != 0 || anybody_lingers()) && !out_of_time()) {
    end_idle();
    const Time next = std::min(drain_deadline_, loop_.now() + drain_step);
    const Result<std::optional<Room::Left>> left = co_await as_result(with_deadline(next, room_->left.receive()));
    canceled = !left && left.error() == Errc::canceled;
    if (canceled) break;
  }
  cut_off();
  // Whatever happens to us, our sessions are over before we are.
  while (sessions_ != 0) co_await ignore_error(shielded(Deadline::never(), room_->left.receive()));
  for (std::size_t i = 1; i < houses_.size(); ++i) {
    House& house = *houses_[i];
    house.loop.post(static_cast<Posted&>(house.goodbye));
    while (!house.is_left) co_await ignore_error(shielded(Deadline::never(), room_->left.receive()));
  }
  tell_drained();
  co_await std::move(accepting);
  if (canceled) co_await fail(Errc::canceled);
}

Task<> Server::accept_all(Listener& listener) {
  std::int64_t in_queue = -1;  // while draining: who is in the queue is still served
  for (;;) {
    bool waited = false;
    while (const std::optional<Time> again = has_to_wait()) {
      waited = true;
      Result<std::optional<Room::Left>> left = co_await as_result(with_deadline(*again, room_->left.receive()));
      if (!left && left.error() == Errc::canceled) co_await fail(Errc::canceled);
    }
    if (waited && !draining()) resume();  // whether or not somebody is in the queue
    for (const Time next = loop_.now() + options_.accept_delay; loop_.now() < next && !draining();)
      co_await sleep_for(std::min<Duration>(next - loop_.now(), step_of_waits));
    if (draining()) {
      if (in_queue < 0) {
        const Result<SocketInfo> info = listener.info();
        in_queue = info ? std::max<std::int64_t>(info->receive_queue, 0) : 0;
      }
      if (in_queue-- <= 0 || out_of_time()) co_return;
    }
    Result<Arrival> arrival = co_await as_result(listener.accept_arrival());
    if (arrival) {
      // Another listener may have had the last place meanwhile.
      while (const std::optional<Time> again = has_to_wait()) {
        Result<std::optional<Room::Left>> left = co_await as_result(with_deadline(*again, room_->left.receive()));
        if (!left && left.error() == Errc::canceled) co_await fail(Errc::canceled);
      }
      resume();
      ++accepted_;
      if (in_this_second_++ == 0) second_ends_ = loop_.now() + std::chrono::seconds(1);
      begin_session(*std::move(arrival), listener);
    } else if (is_shortage(arrival.error())) {
      pause(arrival.error());
      co_await ignore_error(with_timeout(shortage_pause, room_->left.receive()));
    } else if (!(draining() && arrival.error() == Errc::canceled)) {
      co_await std::move(arrival);
    }
  }
}

std::optional<Time> Server::has_to_wait() {
  const Time now = loop_.now();
  if (sessions_ >= options_.max_sessions && !out_of_time()) {
    pause(
        [this] { return "as many sessions as may be: " + std::to_string(options_.max_sessions) + ", until one ends"; });
    if (draining()) end_idle();
    return now + shortage_pause;
  }
  if (options_.max_rate == 0 || draining()) return {};
  if (now >= second_ends_) in_this_second_ = 0;
  if (in_this_second_ < options_.max_rate) return {};
  pause([this] {
    return "as many new sessions in a second as may be: " + std::to_string(options_.max_rate) +
           ", until the second is over";
  });
  return std::min(second_ends_, now + step_of_waits);
}

// Those that have equally many take turns.
ServerHouse& Server::least_busy() noexcept {
  House* least = nullptr;
  for (std::size_t i = 0; i < houses_.size(); ++i) {
    House& house = *houses_[(next_house_ + i) % houses_.size()];
    if (least == nullptr || house.sessions < least->sessions) least = &house;
  }
  next_house_ = (next_house_ + 1) % houses_.size();
  return *least;
}

// Without memory it is this one connection that is not served, and the next one has to wait a little.
void Server::begin_session(Arrival arrival, const Listener& listener) {
  const Result<> admitted = os::in_memory([&]() -> Result<> {
    admit(std::move(arrival), listener);
    return {};
  });
  if (!admitted) pause(admitted.error());
}

void Server::admit(Arrival arrival, const Listener& listener) {
  if (options_.admit && !options_.admit(arrival.from())) return;  // and so it is closed
  if (!counted_->sources.enter(arrival.from())) {
    if (options_.on_too_many) options_.on_too_many(arrival.from());
    return;
  }
  House& house = least_busy();
  const bool is_ours = &house == houses_.front().get();
  auto* dealt = is_ours ? nullptr : new Dealt(house, std::move(arrival), loop_.now(), listener.number());
  Active* active = dealt;
  if (is_ours) active = new Active(house, arrival.from(), loop_.now());
  if (active == nullptr) {
    counted_->sources.leave(arrival.from());
    return pause(Errc::out_of_memory);
  }
  ++sessions_;
  ++house.sessions;
  if (!is_ours) return house.loop.post(static_cast<Posted&>(dealt->begin));
  Result<Stream> stream = arrival.take_in(loop_);
  if (!stream) {
    make_room(*active);
    delete active;
    return pause(stream.error());
  }
  const bool entered = enter(*active, stream->slot(), listener.number());
  if (options_.on_start) call_back(options_.on_start, *active);
  start(*active, *std::move(stream), entered);
}

void Server::arrive(Dealt& dealt) {
  Result<Stream> stream = dealt.arrival.take_in(dealt.house_->loop);
  if (!stream) {
    dealt.refused = stream.error();
    return loop_.post(static_cast<Posted&>(dealt.over));
  }
  const bool entered = enter(dealt, stream->slot(), dealt.listener);
  if (options_.on_start) loop_.post(static_cast<Posted&>(dealt.begun));
  start(dealt, *std::move(stream), entered);
}

bool Server::enter(Active& active, SlotId slot, std::uint64_t listener) noexcept {
  House& house = *active.house_;
  Loop& loop = house.loop;
  active.slot = slot;
  active.id_ = static_cast<std::uint32_t>(loop.backend().facts(slot).number);
  loop.backend().policy(slot)->terms = &active.terms_;
  active.terms_.farewells = house.farewells.get();
  const bool in_time = set_timeouts(loop, slot, options_.timeouts);
  active.following = house.first;
  if (house.first != nullptr) house.first->previous = &active;
  house.first = &active;
  if (loop.observed()) {
    Event event = event_of(loop, slot, Event::What::accepted);
    event.peer = active.source_;
    event.listener = listener;
    loop.emit(event);
  }
  return in_time;
}

void Server::start(Active& active, Stream stream, bool entered) {
  if (!entered) {
    stream.close();
    return leave(active, {Errc::out_of_memory, nullptr});
  }
  const std::exception_ptr exception = caught([&] {
    Task<> task = active.house_->handler(std::move(stream), active);
    active.task = task.release();
  });
  if (active.task == nullptr) {  // no memory for its frame, or it threw before it was a Task
    stream.close();
    return leave(active, failure_of(exception));
  }
  active.task->prepare(active.house_->loop, active, false);
  active.house_->loop.ready(*active.task);
}

void Server::handler_ended(Active& active) {
  const TaskFailure failure{active.task->take_error(), active.task->take_exception()};
  if (!active.terms_.closed) active.terms_.break_off = breaks_off(active, failure);
  active.task->destroy();  // and with it the Stream, which leaves its totals in the terms
  active.terms_.break_off = false;
  leave(active, failure);
}

void Server::leave(Active& active, const TaskFailure& failure) {
  SessionEnd end = conclude(active, failure);
  if (active.house_ != houses_.front().get()) {
    auto& dealt = static_cast<Dealt&>(active);
    dealt.end = std::move(end);
    return loop_.post(static_cast<Posted&>(dealt.over));
  }
  session_is_over(active, end);
  delete &active;
}

SessionEnd Server::conclude(Active& active, const TaskFailure& failure) {
  House& house = *active.house_;
  if (!active.terms_.closed) {  // the handler gave its Stream to somebody else, who keeps it
    Backend& backend = house.loop.backend();
    if (SlotPolicy* policy = backend.policy(active.slot); policy != nullptr && policy->terms == &active.terms_) {
      house.loop.unset(policy->timer);
      policy->terms = nullptr;
      const SlotFacts facts = backend.facts(active.slot);
      active.terms_.close(facts.bytes_received, facts.bytes_sent);
    }
  }
  SessionEnd end;
  if (active.terms_.closed) {
    end.bytes_received = active.terms_.totals.received;
    end.bytes_sent = active.terms_.totals.sent;
  }
  end.peer_finished = active.terms_.peer_finished;
  end.lasted = house.loop.now() - active.started_;
  end.how = judge(active, failure);
  if (end.how != SessionEnd::How::finished) end.error = failure.error;
  if (failure.exception) static_cast<void>(caught([&] { end.exception = failure.message(); }));
  (active.previous == nullptr ? house.first : active.previous->following) = active.following;
  if (active.following != nullptr) active.following->previous = active.previous;
  return end;
}

void Server::session_is_over(Active& active, const SessionEnd& end) {
  if (draining()) count_drained(end.how);
  if (options_.on_end) call_back(options_.on_end, active, end);
  make_room(active);
}

void Server::make_room(const Active& active) noexcept {
  counted_->sources.leave(active.source_);
  --active.house_->sessions;
  --sessions_;
  static_cast<void>(room_->left.try_send(Room::Left{}));
}

SessionEnd::How Server::judge(const Active& active, const TaskFailure& failure) {
  if (failure.exception) return SessionEnd::How::failed;
  if (active.forced_ == SessionEnd::How::cut_off) return SessionEnd::How::cut_off;
  if (!failure.error) return SessionEnd::How::finished;
  if (active.is_forced() && failure.error == Errc::canceled) return active.forced_;
  if (failure.error.peer_is_gone()) return SessionEnd::How::peer_gone;
  if (failure.error != Errc::timed_out) return SessionEnd::How::failed;
  return active.terms_.too_slow ? SessionEnd::How::too_slow : SessionEnd::How::timed_out;
}

// What was sent so far may be half an answer, and after a FIN it would look like all of it. Nobody is misled where the peer
// itself was silent for too long, or where a drain found it waiting.
bool Server::breaks_off(const Active& active, const TaskFailure& failure) {
  switch (judge(active, failure)) {
    case SessionEnd::How::finished:
    case SessionEnd::How::drained: return false;
    case SessionEnd::How::timed_out: return !active.terms_.timed_out;
    case SessionEnd::How::too_slow: return false;
    default: return true;
  }
}

void Server::resume() {
  if (paused_.empty()) return;
  const std::string reason = std::exchange(paused_, std::string());
  if (options_.on_pause) call_back(options_.on_pause, true, std::string_view(reason));
  tell(Event::What::resumed, reason);
}

}  // namespace v1
}  // namespace meari
