// wake() from a signal handler, and waiting where the newest of the calls is not known.
#include <signal.h>

#include <cerrno>
#include <thread>

#include "backend_harness.hpp"
#include "refusal_posix.hpp"
#include "src/backend/epoll.hpp"
#include "src/backend/uring.hpp"

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

// Filters of containers may be older than epoll_pwait2(2). They are told of a thread: the others of this process have none.
TEST(WaitingUnderAFilter, is_done_with_the_older_call) {
  std::thread([] {
    ASSERT_TRUE(support::refuse({SYS_epoll_pwait2}, ENOSYS));
    const std::unique_ptr<Backend> epoll = make_epoll(1 << 20).value();
    const Time before = epoll->now();
    epoll->wait(before + 5ms);
    EXPECT_GE(epoll->now() - before, 5ms);
    EXPECT_LT(epoll->now() - before, 20s);
    epoll->wake();
    epoll->wait(never);
  }).join();
}

// Nor need they know timerfd_create(2): every wait has its own limit then.
TEST(WaitingUnderAFilter, is_done_without_an_alarm) {
  std::thread([] {
    ASSERT_TRUE(support::refuse({SYS_timerfd_create}, EPERM));
    std::vector<std::unique_ptr<Backend>> backends;
    backends.push_back(make_epoll(1 << 20).value());
    if (Result<std::unique_ptr<Backend>> uring = make_uring({})) backends.push_back(*std::move(uring));
    for (const std::unique_ptr<Backend>& backend : backends) {
      const Time before = backend->now();
      while (backend->now() - before < 20ms) backend->wait(before + 20ms);
      EXPECT_LT(backend->now() - before, 20s);
    }
  }).join();
}

}  // namespace
}  // namespace meari::test
