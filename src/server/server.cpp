#include <meari/server.hpp>

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
#include "src/os/native.hpp"
#include "src/server/sources.hpp"

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

// A session, and what the server keeps of it: one allocation, beside the frame of the handler. As a Ready it is told
// when the handler has ended.
struct Server::Active final : Session, Ready {
  Active(Server& server, const Address& source, Time started) noexcept : Session(server, source, started) {
    run = [](Ready& ready) {
      auto& active = static_cast<Active&>(ready);
      active.server_->session_over(active);
    };
  }
  static void* operator new(std::size_t bytes) noexcept { return allocate_frame(bytes); }
  static void operator delete(void* memory, std::size_t bytes) noexcept { free_frame(memory, bytes); }

  Active* previous = nullptr;
  Active* following = nullptr;
  TaskState* task = nullptr;  // the handler's
  SlotId slot;
  StreamTerms terms;
  std::optional<SessionEnd::How> forced;  // drain() ends it
  Sources::Place place;                   // among the sessions of its source
};

struct Server::Counted {
  explicit Counted(std::size_t most) noexcept : sources(most) {}
  Sources sources;
};

// A session has ended: whoever waits for room looks again.
struct Server::Room {
  struct Left {};
  Channel<Left> left{ChannelOptions{.capacity = 1, .when_full = WhenFull::drop_oldest}};
};

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

bool Session::draining() const noexcept { return server_->draining(); }

Server::Server(Loop& loop, ServerOptions options, Handler handler)
    : loop_(loop),
      options_(std::move(options)),
      handler_(std::move(handler)),
      room_(std::make_unique<Room>()),
      counted_(std::make_unique<Counted>(options_.max_per_source)),
      farewells_(std::make_shared<Farewells>()) {}

Server::~Server() { MEARI_ASSERT(sessions_ == 0); }

// ---- listening

Result<std::vector<Address>> Server::listen(std::string_view where) {
  const Result<Endpoint> endpoint = Endpoint::parse(where);
  if (!endpoint) return endpoint.error();
  return listen(*endpoint);
}

Result<std::vector<Address>> Server::listen(const Endpoint& where) {
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
  for (Listener& listener : opened) listeners_.push_back(std::move(listener));
  return bound;
}

void Server::listen(Listener listener) { listeners_.push_back(std::move(listener)); }

// ---- serving

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
  if (accepting) co_await ignore_error(drain_all());
  cut_off();
  // Whatever happens to us, our sessions are over before we are.
  while (sessions_ != 0) co_await ignore_error(shielded(Deadline::never(), room_->left.receive()));
  tell_drained();
  co_await std::move(accepting);
}

Task<> Server::accept_all(Listener& listener) {
  std::int64_t in_queue = -1;  // while draining: who is in the queue is still served
  for (;;) {
    co_await wait_for_room();
    if (options_.max_rate != 0) co_await wait_for_rate();
    for (const Time next = loop_.now() + options_.accept_delay; loop_.now() < next && !draining_;)
      co_await sleep_for(std::min<Duration>(next - loop_.now(), step_of_waits));
    if (draining_) {
      if (in_queue < 0) {
        const Result<SocketInfo> info = listener.info();
        in_queue = info ? std::max<std::int64_t>(info->receive_queue, 0) : 0;
      }
      if (in_queue-- <= 0 || out_of_time()) co_return;
    }
    Result<Arrival> arrival = co_await as_result(listener.accept_arrival());
    if (arrival) {
      // Another listener may have had the last place meanwhile.
      if (sessions_ >= options_.max_sessions) co_await wait_for_room();
      if (options_.max_rate != 0) co_await wait_for_rate();
      resume();
      ++accepted_;
      if (in_this_second_++ == 0) second_ends_ = loop_.now() + std::chrono::seconds(1);
      begin_session(*std::move(arrival), listener);
    } else if (is_shortage(arrival.error())) {
      pause(arrival.error().message());
      co_await ignore_error(with_timeout(shortage_pause, room_->left.receive()));
    } else if (!(draining_ && arrival.error() == Errc::canceled)) {
      co_await std::move(arrival);
    }
  }
}

Task<> Server::wait_for_room() {
  while (sessions_ >= options_.max_sessions && !out_of_time()) {
    pause("as many sessions as may be: " + std::to_string(options_.max_sessions) + ", until one ends");
    if (draining_) end_idle();
    Result<std::optional<Room::Left>> left = co_await as_result(with_timeout(shortage_pause, room_->left.receive()));
    if (!left && left.error() == Errc::canceled) co_return co_await fail(Errc::canceled);
  }
}

Task<> Server::wait_for_rate() {
  while (!draining_) {
    const Time now = loop_.now();
    if (now >= second_ends_) in_this_second_ = 0;
    if (in_this_second_ < options_.max_rate) co_return;
    pause("as many new sessions in a second as may be: " + std::to_string(options_.max_rate) +
          ", until the second is over");
    co_await sleep_until(std::min(second_ends_, now + step_of_waits));
  }
}

void Server::begin_session(Arrival arrival, const Listener& listener) {
  if (options_.admit && !options_.admit(arrival.from())) return;  // and so it is closed
  Sources::Place place = counted_->sources.enter(arrival.from());
  if (!place) {
    if (options_.on_too_many) options_.on_too_many(arrival.from());
    return;
  }
  auto* active = new Active(*this, arrival.from(), loop_.now());
  if (active == nullptr) return pause("out of memory");
  Result<Stream> stream = arrival.take_in(loop_);
  if (!stream) {
    delete active;
    return pause(stream.error().message());
  }
  active->slot = stream->slot();
  active->place = std::move(place);
  enter(*active, listener);
  const std::exception_ptr exception = caught([&] {
    Task<> task = handler_(*std::move(stream), *active);
    active->task = task.release();
  });
  if (active->task == nullptr) {  // no memory for its frame, or it threw before it was a Task
    stream->close();
    return leave(*active, {exception ? Error() : Error(Errc::out_of_memory), exception});
  }
  active->task->prepare(loop_, *active, false);
  loop_.ready(*active->task);
}

void Server::session_over(Active& active) {
  const TaskFailure failure{active.task->take_error(), active.task->take_exception()};
  active.task->destroy();  // and with it the Stream, which leaves its totals in the terms
  leave(active, failure);
}

void Server::enter(Active& active, const Listener& listener) noexcept {
  const SlotFacts facts = loop_.backend().facts(active.slot);
  active.id_ = facts.number;
  loop_.backend().policy(active.slot)->terms = &active.terms;
  active.terms.farewells = farewells_;
  set_timeouts(loop_, active.slot, options_.timeouts);
  active.following = first_;
  if (first_ != nullptr) first_->previous = &active;
  first_ = &active;
  ++sessions_;
  if (loop_.observed()) {
    Event event = event_of(loop_, active.slot, Event::What::accepted);
    event.peer = active.source_;
    event.listener = listener.number();
    loop_.emit(event);
  }
  if (options_.on_start) options_.on_start(active);
}

void Server::leave(Active& active, const TaskFailure& failure) {
  if (!active.terms.closed) {  // the handler gave its Stream to somebody else, who keeps it
    Backend& backend = loop_.backend();
    if (SlotPolicy* policy = backend.policy(active.slot); policy != nullptr && policy->terms == &active.terms) {
      loop_.unset(policy->timer);
      policy->terms = nullptr;
      const SlotFacts facts = backend.facts(active.slot);
      active.terms.bytes_received = facts.bytes_received;
      active.terms.bytes_sent = facts.bytes_sent;
    }
  }
  SessionEnd end;
  end.bytes_received = active.terms.bytes_received;
  end.bytes_sent = active.terms.bytes_sent;
  end.peer_finished = active.terms.peer_finished;
  end.lasted = loop_.now() - active.started_;
  end.how = judge(active, failure);
  if (end.how != SessionEnd::How::finished) end.error = failure.error;
  if (failure.exception) end.exception = failure.message();
  if (draining_) count_drained(end.how);
  if (options_.on_end) options_.on_end(active, end);

  (active.previous == nullptr ? first_ : active.previous->following) = active.following;
  if (active.following != nullptr) active.following->previous = active.previous;
  delete &active;
  --sessions_;
  static_cast<void>(room_->left.try_send(Room::Left{}));
}

SessionEnd::How Server::judge(const Active& active, const TaskFailure& failure) {
  if (failure.exception) return SessionEnd::How::failed;
  if (active.forced == SessionEnd::How::cut_off) return SessionEnd::How::cut_off;
  if (!failure.error) return SessionEnd::How::finished;
  if (active.forced && failure.error == Errc::canceled) return *active.forced;
  if (failure.error.peer_is_gone()) return SessionEnd::How::peer_gone;
  if (failure.error != Errc::timed_out) return SessionEnd::How::failed;
  return active.terms.too_slow ? SessionEnd::How::too_slow : SessionEnd::How::timed_out;
}

void Server::pause(std::string reason) {
  if (!paused_.empty()) return;
  paused_ = std::move(reason);
  if (options_.on_pause) options_.on_pause(false, paused_);
  tell(Event::What::paused, paused_);
}

void Server::resume() {
  if (paused_.empty()) return;
  const std::string reason = std::exchange(paused_, std::string());
  if (options_.on_pause) options_.on_pause(true, reason);
  tell(Event::What::resumed, reason);
}

// ---- draining

bool Server::out_of_time() const noexcept { return draining_ && loop_.now() >= drain_deadline_; }

void Server::drain() noexcept {
  // A second call is in a hurry.
  drain_deadline_ = draining_ ? loop_.now() : loop_.now() + options_.drain;
  draining_ = true;
  Backend& backend = loop_.backend();
  for (const Listener& listener : listeners_) {
    // Whoever waits at the door looks into the queue once more, and goes.
    if (Operation* accept = backend.facts(listener.slot()).receiving) backend.cancel(*accept);
  }
  static_cast<void>(room_->left.try_send(Room::Left{}));
}

Task<> Server::drain_all() {
  while ((sessions_ != 0 || farewells_->lingering != 0) && !out_of_time()) {
    end_idle();
    const Time next = std::min(drain_deadline_, loop_.now() + drain_step);
    const Result<std::optional<Room::Left>> left = co_await as_result(with_deadline(next, room_->left.receive()));
    if (!left && left.error() == Errc::canceled) co_return;
  }
}

// Ends the sessions that only wait for their peer: nothing unread, nothing unsent, here and in the kernel.
void Server::end_idle() {
  const Backend& backend = loop_.backend();
  for (Active* active = first_; active != nullptr; active = active->following) {
    // After its farewell has begun, what reads on the slot is that.
    if (active->forced || active->terms.closed) continue;
    const SlotFacts facts = backend.facts(active->slot);
    if (facts.receiving == nullptr || facts.receiving->kind != Operation::Kind::receive) continue;
    if (facts.sending != nullptr || facts.unread != 0) continue;
    const Result<SocketInfo> info = backend.info(active->slot);
    if (info && (info->receive_queue > 0 || info->send_queue > 0)) continue;
    if (active->at_drain_ == AtDrain::end_input) loop_.backend().cancel(*facts.receiving);
    if (active->at_drain_ != AtDrain::end) continue;
    active->forced = SessionEnd::How::drained;
    cancel(loop_, active->task->request_cancel());
  }
}

void Server::cut_off() {
  for (Active* active = first_; active != nullptr; active = active->following) {
    active->forced = SessionEnd::How::cut_off;
    cancel(loop_, active->task->request_cancel());
    if (!active->terms.closed) close_at_once(loop_, active->slot, true);
  }
}

void Server::count_drained(SessionEnd::How how) noexcept {
  if (how == SessionEnd::How::drained) {
    ++drained_.idle;
  } else if (how == SessionEnd::How::cut_off) {
    ++drained_.cut_off;
  } else {
    ++drained_.finished;
  }
}

void Server::tell_drained() {
  drained_.dropped_bytes = farewells_->dropped_bytes;
  if (!loop_.observed()) return;
  const std::string note = "finished " + std::to_string(drained_.finished) + ", idle " + std::to_string(drained_.idle) +
                           ", cut off " + std::to_string(drained_.cut_off) + ", dropped bytes " +
                           std::to_string(drained_.dropped_bytes);
  tell(Event::What::drained, note);
}

void Server::tell(Event::What what, std::string_view note) {
  if (!loop_.observed()) return;
  Event event;
  event.what = what;
  event.time = loop_.now();
  event.note = note;
  loop_.emit(event);
}

}  // namespace v1
}  // namespace meari
