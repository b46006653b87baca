#include <meari/signals.hpp>

#include <new>
#include <optional>
#include <utility>

#include <meari/deadline.hpp>
#include <meari/readiness.hpp>

#include "src/os/signals.hpp"

namespace meari {
inline namespace v1 {

struct SignalEvents::Installed {
  explicit Installed(os::Signals given) noexcept : signals(std::move(given)) {}
  os::Signals signals;
  std::optional<Watched> watched;  // where the backend cannot watch, we look from time to time
};

SignalEvents::SignalEvents(std::unique_ptr<Installed> installed) noexcept : installed_(std::move(installed)) {}
SignalEvents::SignalEvents(SignalEvents&& other) noexcept = default;
SignalEvents& SignalEvents::operator=(SignalEvents&& other) noexcept = default;
SignalEvents::~SignalEvents() = default;

Result<SignalEvents> SignalEvents::install(Loop& loop) {
  Result<os::Signals> signals = os::Signals::install();
  if (!signals) return signals.error();
  std::unique_ptr<Installed> installed(new (std::nothrow) Installed(std::move(*signals)));
  if (installed == nullptr) return Error(Errc::out_of_memory, "install signal handlers");
  if (auto watched = Watched::watch(installed->signals.readable(), loop))
    installed->watched.emplace(std::move(*watched));
  return SignalEvents(std::move(installed));
}

Task<StopSignal> SignalEvents::next() {
  Installed& installed = *installed_;
  constexpr auto interval = std::chrono::milliseconds(50);
  for (;;) {
    if (const std::optional<os::Signal> signal = installed.signals.take())
      co_return static_cast<StopSignal>(static_cast<int>(*signal));
    if (installed.watched) co_await installed.watched->readable();
    else co_await sleep_for(interval);
  }
}

static_assert(static_cast<int>(os::Signal::hangup) == static_cast<int>(StopSignal::hangup) &&
              static_cast<int>(os::Signal::terminate) == static_cast<int>(StopSignal::terminate));

}  // namespace v1
}  // namespace meari
