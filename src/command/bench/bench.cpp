#include "bench.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fmt/chrono.h>

#include <meari/connect.hpp>
#include <meari/datagram.hpp>
#include <meari/deadline.hpp>
#include <meari/scope.hpp>
#include <meari/signals.hpp>

#include "bench_report.hpp"
#include "compare.hpp"
#include "load.hpp"
#include "measurement.hpp"
#include "plot.hpp"
#include "src/command/speech/library_text.hpp"
#include "src/command/speech/messages.hpp"
#include "src/os/console.hpp"
#include "src/os/native.hpp"
#include "src/os/terminal.hpp"
#include "src/os/usage.hpp"

namespace meari::command {
namespace {

std::string date_now() {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return fmt::format("{:%FT%TZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(now)));
}

std::string line_of(const nlohmann::ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

class Bench {
 public:
  // `before`: what to compare with.
  Bench(Loop& loop, const BenchSettings& settings, const Talk& talk, const std::optional<Measurement>& before)
      : loop_(loop),
        settings_(settings),
        talk_(talk),
        before_(before),
        live_(os::is_terminal(os::Standard::error) && !talk.quiet()) {}

  Task<Status> run() {
    SignalEvents signals = co_await SignalEvents::install();
    Status status = Status::ok;
    auto body = [&](Scope& scope) -> Task<> {
      auto watch = [&] { return stop_at_signal(signals); };
      scope.spawn(watch);
      status = co_await measure();
      scope.cancel();
    };
    co_await scoped(body);
    if (interrupted_ && status == Status::ok) status = Status::interrupted;
    co_return status;
  }

 private:
  Task<> stop_at_signal(SignalEvents& signals) {
    for (;;) {
      co_await signals.next();
      interrupted_ = true;
      if (load_ != nullptr) load_->stop();
    }
  }

  Task<Status> measure() {
    const Result<Address> target = co_await as_result(find_target());
    if (!target && settings_.where.kind == Kind::datagram && target.error() == Errc::timed_out) {
      talk_.complain(messages::no_datagram_reply, settings_.where.to_string(),
                     shown_time(static_cast<std::uint64_t>(settings_.timeout.count())));
      co_return Status::network;
    }
    if (!target) {
      talk_.complain(target.error());
      co_return status_of(target.error());
    }
    const std::uint64_t overflows = os::listen_overflows().value_or(0);
    const std::optional<std::uint64_t> memory = memory_of_server();
    Load load(loop_, settings_, *target);
    load_ = &load;
    co_await load.open();
    if (!settings_.churn && load.opened() == 0) {
      const Error error = load.first_failure();
      co_await load.abandon();
      load_ = nullptr;
      talk_.complain(error);
      co_return status_of(error);
    }
    const std::optional<std::uint64_t> full = memory_of_server();
    const std::uint64_t descriptors = os::open_descriptors().value_or(0);
    const std::string date = date_now();
    auto body = [&](Scope& scope) -> Task<> {
      auto server = [this, &load] { return watch_server(load); };
      scope.spawn(server);
      co_await load.measure([this](const Glance& glance) { show(glance); });
      scope.cancel();
    };
    co_await scoped(body);
    load_ = nullptr;
    if (live_) os::print(os::Standard::error, "\r\x1b[K");
    Report report{.settings = &settings_,
                  .target = (settings_.where.kind == Kind::datagram ? "udp:" : "") + target->to_string(),
                  .backend = std::string(loop_.backend().name()),
                  .tally = &load.tally(),
                  .measured = load.measured_to() - load.measured_from(),
                  .opening = load.opening(),
                  .slice_length = load.slice_length(),
                  .date = date};
    report.descriptors = descriptors;
    if (const Result<os::DescriptorLimit> limit = os::descriptor_limit()) report.descriptor_limit = limit->soft;
    if (server_before_ && server_after_) report.server_cpu = *server_after_ - *server_before_;
    if (settings_.hold && memory && full && *full > *memory) report.server_memory = *full - *memory;
    report.overflows = os::listen_overflows().value_or(overflows) - overflows;
    co_return tell(report);
  }

  // The address that answers first is the one that is measured.
  Task<Address> find_target() {
    if (settings_.where.kind == Kind::datagram) co_return co_await find_datagram_target();
    ConnectOptions options;
    options.timeout = settings_.timeout;
    Stream stream = co_await connect(settings_.where, options);
    Address peer = co_await stream.peer();
    stream.close();
    co_return peer;
  }

  // The first of its addresses that answers one. Where some get lost, three are tried.
  Task<Address> find_datagram_target() {
    Endpoint where = settings_.where;
    where.kind = Kind::stream;  // names are looked up for streams only, and mean the same
    const std::vector<Address> addresses = co_await look_up(std::move(where));
    constexpr int attempts = 3;
    for (const Address& address : addresses) {
      const Result<Address> local = address_for_datagrams(address, precise_now(loop_), 0);
      if (!local) continue;
      Result<Datagram> socket = Datagram::open(*local);
      if (!socket) continue;
      const std::string probe = settings_.send ? *settings_.send : std::string(settings_.size.least, '\0');
      for (int i = 0; i < attempts && !interrupted_; ++i) {
        static_cast<void>(co_await as_result(socket->send_to(std::string_view(probe), address)));
        const Result<Received> reply = co_await as_result(with_timeout(settings_.timeout, socket->receive()));
        if (reply) co_return address;
      }
    }
    co_return fail(Errc::timed_out, "receive");
  }

  [[nodiscard]] std::optional<std::uint64_t> memory_of_server() const {
    return settings_.server_pid ? os::resident_memory(*settings_.server_pid) : std::nullopt;
  }

  Task<> watch_server(const Load& load) {
    if (!settings_.server_pid) co_return;
    co_await sleep_until(load.measured_from());
    server_before_ = os::process_cpu_time(*settings_.server_pid);
    for (;;) {  // until it is cancelled: the last look counts, and none comes after the end
      const Time end = load.measured_from() + settings_.duration;
      if (loop_.now() > end) co_return;
      server_after_ = os::process_cpu_time(*settings_.server_pid);
      co_await sleep_until(std::min(end, loop_.now() + std::chrono::milliseconds(200)));
      if (loop_.now() >= end) {
        server_after_ = os::process_cpu_time(*settings_.server_pid);
        co_return;
      }
    }
  }

  void show(const Glance& glance) const {
    if (!live_) return;
    const std::string line =
        talk_.text(messages::bench_live, grouped(glance.response.total()), shown_time(glance.response.percentile(0.5)),
                   shown_time(glance.response.percentile(0.99)), glance.failed);
    os::print(os::Standard::error, "\r\x1b[K" + line);
  }

  Status tell(const Report& report) const {
    nlohmann::ordered_json json = report.json();
    // All that is asked of the figures from here on is asked of what is saved.
    const std::optional<Measurement> now = measurement_of(json);
    MEARI_ASSERT(now.has_value());
    std::optional<Comparison> comparison;
    if (before_) comparison = compare(*before_, *now, settings_.gates);
    if (comparison) json["comparison"] = comparison->json(*settings_.compare);
    std::string text = settings_.json ? line_of(json) : report.text(talk_);
    if (comparison && !settings_.json) text += comparison->text(talk_, *settings_.compare, *before_);
    const bool printed = os::print(os::Standard::output, text);
    bool saved = !settings_.save || write(*settings_.save, line_of(json));
    if (settings_.percentiles) saved &= write(*settings_.percentiles, percentile_distribution(now->response));
    if (settings_.plot) {
      const std::string name = before_ ? std::filesystem::path(*settings_.compare).filename().string() : "";
      saved &=
          write(*settings_.plot, plot(*now, {.run = before_ ? &*before_ : nullptr, .name = name}, talk_.language()));
    }
    if (!saved) return Status::network;
    if (report.tally->wrong != 0 || (comparison && comparison->failed())) return Status::check_failed;
    const bool nothing = report.tally->response.total() == 0;
    if (!printed || (nothing && report.tally->failed() + report.tally->lost != 0)) return Status::network;
    return Status::ok;
  }

  [[nodiscard]] bool write(const std::string& path, const std::string& text) const {
    std::ofstream file(path, std::ios::trunc | std::ios::binary);
    file << text << std::flush;
    if (!file) talk_.complain(messages::bench_not_saved, path);
    return static_cast<bool>(file);
  }

  Loop& loop_;
  const BenchSettings& settings_;
  const Talk& talk_;
  const std::optional<Measurement>& before_;
  bool live_;
  bool interrupted_ = false;
  Load* load_ = nullptr;
  std::optional<std::chrono::nanoseconds> server_before_;
  std::optional<std::chrono::nanoseconds> server_after_;
};

// Before anything is measured: who mistypes a name should not have to wait for it.
Status read_before(const std::string& path, Talk& talk, std::optional<Measurement>& before) {
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file.is_open() || file.bad()) {
    talk.complain(messages::compare_unreadable, path);
    return Status::network;
  }
  before = measurement_of(nlohmann::ordered_json::parse(text, nullptr, false));
  if (before) return Status::ok;
  talk.complain(messages::compare_no_result, path);
  return Status::usage;
}

}  // namespace

Status bench(const BenchSettings& settings, Talk& talk) {
  std::optional<Measurement> before;
  if (settings.compare)
    if (const Status status = read_before(*settings.compare, talk, before); status != Status::ok) return status;
  static_cast<void>(os::raise_descriptor_limit());
  LoopOptions options;
  options.backend.choice = settings.backend;
  Result<std::unique_ptr<Loop>> loop = Loop::make(std::move(options));
  if (!loop) {
    talk.complain(loop.error());
    return status_of(loop.error());
  }
  Bench bench(**loop, settings, talk, before);
  const Result<Status> status = (*loop)->block_on([&bench] { return bench.run(); });
  if (status) return *status;
  talk.complain(status.error());
  return status_of(status.error());
}

}  // namespace meari::command
