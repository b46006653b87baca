// The kernel serves a backend no more: here because another file stands in the place of its own. Everybody is told, once, and
// the rest of the program goes on.
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "backend_harness.hpp"

namespace meari::test {
namespace {

class Losing : public Contract {
 protected:
  // What epoll_wait(2) or io_uring_enter(2) is called with is a file that knows nothing of either. All of this process:
  // there is one backend. Returns the rings.
  static std::vector<int> lose_kernel() {
    std::vector<int> lost;
    DIR* folder = ::opendir("/proc/self/fd");
    while (const dirent* entry = ::readdir(folder)) {
      std::array<char, 64> target{};
      if (::readlinkat(::dirfd(folder), entry->d_name, target.data(), target.size() - 1) <= 0) continue;
      const std::string_view name = target.data();
      if (name != "anon_inode:[eventpoll]" && name != "anon_inode:[io_uring]") continue;
      const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
      ::dup3(nothing, std::atoi(entry->d_name), O_CLOEXEC);
      ::close(nothing);
      if (name == "anon_inode:[io_uring]") lost.push_back(std::atoi(entry->d_name));
    }
    ::closedir(folder);
    return lost;
  }
};
MEARI_EVERY_BACKEND(Losing);

TEST_P(Losing, everybody_is_told_and_what_was_closed_is_closed) {
  MEARI_NEEDS(system_sockets);
  auto [client, server] = connected();
  auto [second_client, second_server] = connected();
  Tracked<Receive> first, second, given_up;
  start(server, first);
  start(second_server, second);
  start(client, given_up);
  let_pass(1ms);
  const std::size_t slots = backend().slots_in_use();
  close(client);  // io_uring has to take back what waits there before it can close it
  const std::vector<int> rings = lose_kernel();
  const Errc told = outcome(first);
  EXPECT_NE(told, Errc::none);
  EXPECT_NE(told, Errc::canceled);
  EXPECT_EQ(outcome(second), told);
  EXPECT_EQ(outcome(given_up), Errc::canceled);
  EXPECT_EQ(send_error(second_client, "later"), told);
  EXPECT_EQ(backend().slots_in_use(), slots - 1);
  // A ring that still worked would write to memory that is somebody else's by now.
  for (const int ring : rings) EXPECT_EQ(::fcntl(ring, F_GETFD), -1);
}

TEST_P(Losing, whoever_waits_for_a_time_sleeps_and_can_be_woken) {
  MEARI_NEEDS(system_sockets);
  auto [client, server] = connected();
  Tracked<Receive> receive;
  start(server, receive);
  let_pass(1ms);
  static_cast<void>(lose_kernel());
  EXPECT_NE(outcome(receive), Errc::none);
  const Time before = backend().now();
  backend().wait(before + 20ms);
  EXPECT_GE(backend().now() - before, 19ms);
  backend().wake();
  backend().wait(never);
}

}  // namespace
}  // namespace meari::test
