#include <windows.h>

#include <atomic>

#include "signals.hpp"

namespace meari::os {

namespace {

std::atomic<bool> in_use{false};
std::atomic<HANDLE> wake_event{nullptr};
std::atomic<int> pending[signal_count];

// Called on a thread of the system's own. When the window is closed, the program ends as soon as this returns.
BOOL WINAPI on_console_event(DWORD event) {
  const bool interrupted = event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT;
  pending[static_cast<int>(interrupted ? Signal::interrupt : Signal::terminate)].fetch_add(1);
  ::SetEvent(wake_event.load());
  if (!interrupted) ::Sleep(INFINITE);  // gives the loop the seconds that the system grants for a tidy end
  return TRUE;
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
  if (in_use.exchange(true)) return Error(Errc::busy, "install a console handler");
  for (auto& count : pending) count = 0;
  wake_event = ::CreateEventW(nullptr, TRUE, FALSE, nullptr);
  if (wake_event.load() == nullptr || ::SetConsoleCtrlHandler(on_console_event, TRUE) == 0) {
    const int code = static_cast<int>(::GetLastError());
    if (wake_event.load() != nullptr) ::CloseHandle(wake_event.exchange(nullptr));
    in_use = false;
    return system_error(code, "install a console handler");
  }
  return Signals();
}

Signals::~Signals() {
  if (!installed_) return;
  ::SetConsoleCtrlHandler(on_console_event, FALSE);
  ::CloseHandle(wake_event.exchange(nullptr));
  in_use = false;
}

Descriptor Signals::readable() const noexcept { return reinterpret_cast<Descriptor>(wake_event.load()); }

std::optional<Signal> Signals::take() noexcept {
  if (const auto signal = next()) return signal;
  ::ResetEvent(wake_event.load());
  return next();  // one may have come before the reset
}

}  // namespace meari::os
