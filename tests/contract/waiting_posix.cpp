// wake() from a signal handler.
#include <signal.h>

#include <thread>

#include "backend_harness.hpp"

namespace meari::test {
namespace {

class WaitingForSignals : public Contract {};
MEARI_EVERY_BACKEND(WaitingForSignals);

TEST_P(WaitingForSignals, ends_when_a_signal_handler_wakes_it) {
  static Backend* woken = nullptr;
  woken = &backend();
  struct sigaction action{}, before{};
  action.sa_handler = [](int) { woken->wake(); };
  ::sigaction(SIGUSR1, &action, &before);
  const pthread_t self = ::pthread_self();
  std::thread other([self] { ::pthread_kill(self, SIGUSR1); });
  backend().wait(never);
  other.join();
  ::sigaction(SIGUSR1, &before, nullptr);
}

}  // namespace
}  // namespace meari::test
