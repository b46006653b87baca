#include "bench.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>

#include <meari/connect.hpp>
#include <meari/deadline.hpp>
#include <meari/scope.hpp>
#include <meari/signals.hpp>

#include "bench_report.hpp"
#include "load.hpp"
#include "src/command/speech/library_text.hpp"
#include "src/command/speech/messages.hpp"
#include "src/os/native.hpp"
#include "src/os/terminal.hpp"
#include "src/os/usage.hpp"

namespace meari::command {
namespace {

class Bench {
 public:
  Bench(Loop& loop, const BenchSettings& settings, const Talk& talk)
      : loop_(loop), settings_(settings), talk_(talk), live_(os::is_terminal(os::Standard::error) && !talk.quiet()) {}

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
    auto body = [&](Scope& scope) -> Task<> {
      auto server = [this, &load] { return watch_server(load); };
      scope.spawn(server);
      co_await load.measure([this](const Glance& glance) { show(glance); });
      scope.cancel();
    };
    co_await scoped(body);
    load_ = nullptr;
    if (live_) std::fputs("\r\x1b[K", stderr);
    Report report{.settings = &settings_,
                  .target = target->to_string(),
                  .backend = std::string(loop_.backend().name()),
                  .tally = &load.tally(),
                  .measured = load.measured_to() - load.measured_from(),
                  .opening = load.opening()};
    if (server_before_ && server_after_) report.server_cpu = *server_after_ - *server_before_;
    if (settings_.hold && memory && full && *full > *memory) report.server_memory = *full - *memory;
    report.overflows = os::listen_overflows().value_or(overflows) - overflows;
    co_return tell(report);
  }

  // The address that answers first is the one that is measured.
  Task<Address> find_target() {
    ConnectOptions options;
    options.timeout = settings_.timeout;
    Stream stream = co_await connect(settings_.where, options);
    Address peer = co_await stream.peer();
    stream.close();
    co_return peer;
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
    std::fputs(("\r\x1b[K" + line).c_str(), stderr);
  }

  Status tell(const Report& report) const {
    const std::string json = report.json().dump() + '\n';
    const std::string text = settings_.json ? json : report.text(talk_);
    const bool printed = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
    if (settings_.save) {
      std::ofstream file(*settings_.save, std::ios::trunc);
      file << json << std::flush;
      if (!file) {
        talk_.complain(messages::bench_not_saved, *settings_.save);
        return Status::network;
      }
    }
    if (report.tally->wrong != 0) return Status::check_failed;
    if (!printed || (report.tally->failed() != 0 && report.tally->response.total() == 0)) return Status::network;
    return Status::ok;
  }

  Loop& loop_;
  const BenchSettings& settings_;
  const Talk& talk_;
  bool live_;
  bool interrupted_ = false;
  Load* load_ = nullptr;
  std::optional<std::chrono::nanoseconds> server_before_;
  std::optional<std::chrono::nanoseconds> server_after_;
};

}  // namespace

Status bench(const BenchSettings& settings, Talk& talk) {
  static_cast<void>(os::raise_descriptor_limit());
  LoopOptions options;
  options.backend.choice = settings.backend;
  Result<std::unique_ptr<Loop>> loop = Loop::make(std::move(options));
  if (!loop) {
    talk.complain(loop.error());
    return status_of(loop.error());
  }
  Bench bench(**loop, settings, talk);
  const Result<Status> status = (*loop)->block_on([&bench] { return bench.run(); });
  if (status) return *status;
  talk.complain(status.error());
  return status_of(status.error());
}

}  // namespace meari::command
