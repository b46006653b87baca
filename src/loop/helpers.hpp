// Helpers: the few threads that do what would make the loop wait (names, files, terminals).
// Started when there is work and nobody idle, up to a limit; further work queues in order. They end with the loop.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include <meari/loop.hpp>

namespace meari {
inline namespace v1 {

class Helpers {
 public:
  Helpers() = default;
  Helpers(const Helpers&) = delete;
  Helpers& operator=(const Helpers&) = delete;
  ~Helpers() { join(); }

  // Queues the job. Fails when there is no helper and none can be started.
  Error give(Job& job, unsigned most) noexcept;
  // Takes a job back that nobody has begun.
  bool take_back(Job& job) noexcept;
  // How many are in the middle of a job.
  [[nodiscard]] unsigned busy() noexcept;
  // Waits for work that has begun; drops what has not.
  void join() noexcept;

 private:
  void work() noexcept;

  std::mutex mutex_;
  std::condition_variable work_or_end_;
  ReadyList jobs_;
  std::vector<std::thread> threads_;
  unsigned idle_ = 0;
  unsigned busy_ = 0;
  unsigned waiting_ = 0;  // jobs that nobody has begun
  bool ending_ = false;
};

}  // namespace v1
}  // namespace meari
