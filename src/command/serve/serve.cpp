#include "serve.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <meari/channel.hpp>
#include <meari/scope.hpp>
#include <meari/server.hpp>
#include <meari/signals.hpp>

#include "access.hpp"
#include "datagrams.hpp"
#include "handlers.hpp"
#include "log.hpp"
#include "pauses.hpp"
#include "refusals.hpp"
#include "src/command/speech/line_writer.hpp"
#include "src/command/speech/messages.hpp"
#include "src/os/activation.hpp"
#include "src/os/fresh_file.hpp"
#include "src/os/native.hpp"

namespace meari::command {
namespace {

// Who has the address that is in use, as far as the system tells.
std::optional<os::Owner> owner_of(const Error& in_use, Kind kind) {
  const Result<Address> address = Address::parse(in_use.subject());
  return address ? os::owner_of(*address, kind) : std::nullopt;
}

class Service {
 public:
  Service(Loop& loop, SignalEvents signals, const ServeSettings& settings, const Log& log, LineWriter& lines)
      : loop_(loop),
        stop_signals_(std::move(signals)),
        settings_(settings),
        log_(log),
        premises_{.loop = loop, .settings = settings, .log = log, .lines = lines, .stop = [this] { stop(); }},
        handling_(handling_for(premises_)),
        refusals_(log, settings.max_per_source),
        pauses_(loop, log),
        datagrams_(premises_, access_),
        server_(loop, handler(), options()) {}

  Result<> deal_to(const Workers& workers) {
    for (Loop* worker : workers.loops())
      if (Result<> dealt = server_.deal_to(*worker); !dealt) return dealt;
    return {};
  }
  // Opens everything or fails with the first that does not work. Announces it.
  Result<> open();
  // Serves until a signal, or with --once until a session has ended.
  Task<> run();
  [[nodiscard]] Status status() const noexcept;
  // Of the socket that open() opened last, or tried to.
  [[nodiscard]] Kind last_kind() const noexcept { return last_kind_; }

 private:
  Result<std::vector<Address>> open(const Endpoint& where);
  Server::Handler handler();
  ServerOptions options();
  void ended(const Session& session, const SessionEnd& end);
  void stop();
  Task<> watch_signals();
  // --allow and --deny. What makes no sense leaves things as they were.
  Result<> read_lists();

  Loop& loop_;
  SignalEvents stop_signals_;
  const ServeSettings& settings_;
  const Log& log_;
  Totals totals_;
  Timeouts timeouts_;
  Premises premises_;
  Handling handling_;
  Access access_;
  Refusals refusals_;
  Pauses pauses_;
  DatagramService datagrams_;
  Server server_;
  Channel<bool> stopped_{ChannelOptions{.capacity = 1, .when_full = WhenFull::drop_oldest}};
  std::uint64_t only_session_ = 0;  // --once: this one
  SessionEnd::How how_it_ended_ = SessionEnd::How::finished;
  int signals_ = 0;
  bool only_datagrams_ = false;
  Kind last_kind_ = Kind::stream;
};

Server::Handler Service::handler() {
  Server::Handler handle = session_handler(premises_, handling_);
  if (!settings_.once) return handle;
  return [this, handle](Stream peer, Session& session) -> Task<> {
    if (session.id() == only_session_) return handle(std::move(peer), session);
    peer.abort();  // somebody who came too late
    return [](Stream) -> Task<> { co_return; }(Stream());
  };
}

ServerOptions Service::options() {
  ServerOptions options;
  options.listen.backlog = settings_.backlog;
  options.listen.reuse_port = settings_.reuse_port;
  options.max_sessions = settings_.once || settings_.handler == Handler::stdio ? 1 : settings_.max_sessions;
  constexpr std::size_t most_programs = 100;  // where nobody says how many: a process is dearer than a connection
  if (settings_.handler == Handler::exec && options.max_sessions == 0) options.max_sessions = most_programs;
  if (settings_.handler == Handler::forward) options.descriptors_per_session = 2;
  if (!settings_.record.empty()) options.descriptors_per_session += 2;
  if (settings_.handler == Handler::chat || settings_.handler == Handler::broadcast)
    options.timeouts.idle = std::chrono::hours(1);  // who only listens is not idle
  if (settings_.idle) options.timeouts.idle = *settings_.idle;
  if (settings_.drain) options.drain = *settings_.drain;
  options.accept_delay = settings_.accept_delay;
  options.max_per_source = settings_.max_per_source;
  options.max_rate = settings_.max_rate;
  options.timeouts.window = settings_.progress_window;
  options.timeouts.least_bytes = settings_.least_progress;
  options.admit = [this](const Address& source) {
    const bool admitted = access_.admits(source);
    if (!admitted) refusals_.not_admitted(source, loop_.now());
    return admitted;
  };
  options.on_too_many = [this](const Address& source) { refusals_.too_many(source, loop_.now()); };
  options.on_start = [this](const Session& session) {
    premises_.numbers.emplace(session.id(), ++totals_.sessions);
    if (settings_.once && only_session_ == 0) only_session_ = session.id();
    if (!settings_.once || session.id() == only_session_) log_.started(totals_.sessions, session);
  };
  options.on_end = [this](const Session& session, const SessionEnd& end) { ended(session, end); };
  timeouts_ = options.timeouts;
  options.on_pause = [this](bool resumed, std::string_view reason) {
    if (!settings_.once) pauses_.told(resumed, reason);
  };
  return options;
}

Result<> Service::open() {
  if (Result<> read = read_lists(); !read) return read;
  if (!settings_.record.empty()) {
    os::fail_at_size_limit();
    if (Result<> folder = os::provide_folder(settings_.record); !folder) return folder;
  }
  std::vector<std::string> shown;
  std::vector<Address> open_to_all;
  for (const Endpoint& where : settings_.where) {
    last_kind_ = where.kind;
    if (where.form == Endpoint::Form::descriptor) {
      if (const Result<os::Adopted> found = os::examine(where.descriptor)) last_kind_ = found->kind;
    }
    Result<std::vector<Address>> bound = open(where);
    if (!bound) return bound.error();
    for (const Address& address : *bound) {
      if (address.is_any()) open_to_all.push_back(address);
      if (last_kind_ == Kind::stream) premises_.addresses.push_back(address);
      shown.push_back((last_kind_ == Kind::datagram ? "udp:" : "") + address.to_string());
    }
  }
  if (handling_.ready) {
    if (Result<> ready = handling_.ready(); !ready) return ready;
  }
  log_.listening(info(settings_.handler).name, shown, loop_.backend().name());
  if (!loop_.refused_backend().empty()) log_.backend_refused(loop_.refused_backend());
  if (settings_.ready_fd) {
    std::string lines;
    for (const std::string& address : shown) lines += address + '\n';
    if (Result<> told = os::announce(*settings_.ready_fd, lines); !told) return told;
  }
  if (!open_to_all.empty() && access_.admits_all()) log_.open_to_all(open_to_all.front());
  return {};
}

// Who was killed with an io_uring leaves its sockets to the kernel, which closes them a moment after the process has gone.
// So an address that nobody has, and that is in use all the same, is asked for again.
Result<std::vector<Address>> Service::open(const Endpoint& where) {
  constexpr int attempts = 50;
  constexpr auto pause = std::chrono::milliseconds(20);
  for (int attempt = 1;; ++attempt) {
    Result<std::vector<Address>> bound =
        last_kind_ == Kind::stream ? server_.listen(where) : datagrams_.open(loop_, where);
    if (bound || bound.error() != Errc::address_in_use || attempt == attempts) return bound;
    if (owner_of(bound.error(), last_kind_)) return bound;
    std::this_thread::sleep_for(pause);
  }
}

Task<> Service::run() {
  auto body = [&](Scope& scope) -> Task<> {
    auto watch = [&] { return watch_signals(); };
    scope.spawn(watch);
    auto watch_pauses = [&] { return pauses_.watch(); };
    scope.spawn(watch_pauses);
    for (std::size_t i = 0; i < datagrams_.size(); ++i) {
      auto serve_datagrams = [this, i] { return datagrams_.serve(i); };
      scope.spawn(serve_datagrams);
    }
    if (handling_.alongside) scope.spawn(handling_.alongside);
    only_datagrams_ = server_.listeners().empty();
    if (only_datagrams_) static_cast<void>(co_await stopped_.receive());
    else co_await server_.run();
    datagrams_.stop();
    scope.cancel();
  };
  co_await scoped(body);
  if (settings_.once) totals_.sessions = std::min<std::uint64_t>(totals_.sessions, 1);
  log_.stopped(only_datagrams_ ? std::nullopt : std::optional(totals_), settings_.once ? Drained{} : server_.drained());
  datagrams_.report();
}

Task<> Service::watch_signals() {
  for (;;) {
    const StopSignal signal = co_await stop_signals_.next();
    if (signal == StopSignal::hangup && !(settings_.allow.empty() && settings_.deny.empty())) {
      log_.lists_read(read_lists());
      continue;
    }
    if (++signals_ == 1 && server_.sessions() != 0) log_.stopping(server_.sessions(), options().drain);
    stop();
  }
}

Result<> Service::read_lists() {
  Result<Access> read = Access::read(settings_.allow, settings_.deny);
  if (!read) return read.error();
  access_ = *std::move(read);
  return {};
}

void Service::stop() {
  server_.drain();
  datagrams_.stop();
  static_cast<void>(stopped_.try_send(true));
}

void Service::ended(const Session& session, const SessionEnd& end) {
  const std::uint64_t number = premises_.numbers.extract(session.id()).mapped();
  refusals_.has_room(session.source());
  if (settings_.once && session.id() != only_session_) return;
  totals_.received += end.bytes_received;
  totals_.sent += end.bytes_sent;
  log_.ended(number, session, end, timeouts_);
  if (!settings_.once) return;
  how_it_ended_ = end.how;
  if (!server_.draining()) stop();
}

Status Service::status() const noexcept {
  if (signals_ > 1) return Status::interrupted;
  if (server_.drained().cut_off != 0 || premises_.cut_short) return Status::cut_short;
  const bool well = how_it_ended_ == SessionEnd::How::finished || how_it_ended_ == SessionEnd::How::drained;
  return well ? Status::ok : Status::cut_short;
}

// The failure, and who has the address where that is what failed.
Status refuse(const Talk& talk, const Error& error, Kind kind = Kind::stream) {
  talk.complain(error);
  if (error == Errc::address_in_use) {
    if (const std::optional<os::Owner> owner = owner_of(error, kind))
      talk.advise(talk.text(messages::owner, static_cast<std::uint64_t>(owner->process), owner->name));
  }
  return status_of(error);
}

Task<> tell_all(LineWriter& writer) { co_await writer.finish(); }

}  // namespace

Status serve(const ServeSettings& settings, Talk& talk) {
  // Before anything is opened: its number might be one that was meant.
  for (const Endpoint& where : settings.where) {
    if (where.form != Endpoint::Form::descriptor) continue;
    if (const Result<os::Adopted> found = os::examine(where.descriptor); !found) return refuse(talk, found.error());
  }
  if (settings.ready_fd) {
    if (const Result<> open = os::check_open(*settings.ready_fd); !open) return refuse(talk, open.error());
  }
  static_cast<void>(os::raise_descriptor_limit());
  LineWriter writer(talk);  // outlives the loop, whose last step may be to end its Task
  View view(talk, settings.view);
  LoopOptions loop_options;
  loop_options.backend.choice = settings.backend;
  Result<std::unique_ptr<Loop>> made = Loop::make(std::move(loop_options));
  if (!made) return refuse(talk, made.error());
  Loop& loop = **made;

  view.attach(loop);
  const Log log(talk, settings.json, settings.view.explain);
  // Before the first line is printed: who reads it may send a signal at once.
  Result<SignalEvents> signals = SignalEvents::install(loop);
  if (!signals) return refuse(talk, signals.error());
  Result<Workers> workers = Workers::beside(loop, settings.workers - 1);
  if (!workers) return refuse(talk, workers.error());
  Service service(loop, *std::move(signals), settings, log, writer);
  if (const Result<> dealt = service.deal_to(*workers); !dealt) return refuse(talk, dealt.error());
  if (const Result<> opened = service.open(); !opened) return refuse(talk, opened.error(), service.last_kind());
  loop.spawn([&writer] { return writer.run(); });
  talk.set_writer([&writer](std::string line) { writer.add(std::move(line)); });
  const Result<> served = loop.block_on([&service] { return service.run(); });
  const Result<> told = loop.block_on([&writer] { return tell_all(writer); });
  static_cast<void>(told);
  talk.set_writer({});
  if (!served) return refuse(talk, served.error());
  return service.status();
}

}  // namespace meari::command
