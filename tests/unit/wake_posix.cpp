// What wakes a loop: a wake-up is never emptied away with the one before it.
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <fstream>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "src/backend/kernel.hpp"

namespace meari {
namespace {

// The state of a thread of ours in /proc/PID/task/TID/stat: 'S' when it waits.
char state_of(pid_t thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string line;
  std::getline(file, line);
  return line.substr(line.rfind(')') + 2, 1).front();
}

// A pipe stands for the eventfd, because reading from it takes as long as we like.
TEST(Wake, a_wake_up_is_taken_back_after_it_was_emptied) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  std::atomic<bool> awake = true;
  std::atomic<pid_t> thread = 0;
  std::thread noticing([&] {
    thread = ::gettid();
    kernel::woken(Descriptor{ends[0]}, awake);
  });
  while (thread == 0) std::this_thread::yield();
  while (state_of(thread) != 'S') std::this_thread::yield();
  EXPECT_TRUE(awake) << "who posts now writes a wake-up that is about to be emptied";
  const std::uint64_t one = 1;
  EXPECT_EQ(::write(ends[1], &one, sizeof one), 8);
  noticing.join();
  EXPECT_FALSE(awake);
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace meari
