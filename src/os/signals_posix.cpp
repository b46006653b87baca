#include "signals.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>

#include "system.hpp"

namespace meari::os {

namespace {

// A handler has no argument of ours: what it touches has to be static.
std::atomic<bool> in_use{false};
std::atomic<int> wake_descriptor{-1};
std::atomic<int> pending[signal_count];
static_assert(std::atomic<int>::is_always_lock_free);

constexpr int numbers[signal_count] = {SIGINT, SIGTERM, SIGHUP};
struct sigaction before[signal_count];

void on_signal(int number) {
  const int saved = errno;
  for (int i = 0; i < signal_count; ++i)
    if (numbers[i] == number) pending[i].fetch_add(1);
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_descriptor.load(), &one, sizeof one);
  errno = saved;
}

std::optional<Signal> next() noexcept {
  for (int i = 0; i < signal_count; ++i) {
    int count = pending[i].load();
    while (count > 0)
      if (pending[i].compare_exchange_weak(count, count - 1)) return static_cast<Signal>(i);
  }
  return {};
}

}  // namespace

Result<Signals> Signals::install() {
  if (in_use.exchange(true)) return Error(Errc::busy, "install signal handlers");
  const int wake = sys::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake < 0) {
    const int code = sys::last_error();
    in_use = false;
    return system_error(code, "install signal handlers");
  }
  for (auto& count : pending) count = 0;
  wake_descriptor = wake;
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < signal_count; ++i) {
    sigaction(numbers[i], nullptr, &before[i]);
    // nohup asks that a hang-up be ignored: it goes on being ignored.
    if (before[i].sa_handler != SIG_IGN) sigaction(numbers[i], &action, nullptr);
  }
  return Signals();
}

Signals::~Signals() {
  if (!installed_) return;
  for (int i = 0; i < signal_count; ++i) sigaction(numbers[i], &before[i], nullptr);
  sys::close(wake_descriptor.exchange(-1));
  in_use = false;
}

Descriptor Signals::readable() const noexcept { return wake_descriptor; }

std::optional<Signal> Signals::take() noexcept {
  if (const auto signal = next()) return signal;
  std::uint64_t count = 0;
  [[maybe_unused]] const auto size = sys::read(wake_descriptor.load(), &count, sizeof count);
  return next();  // one may have come before the read, which took its wake-up
}

}  // namespace meari::os
