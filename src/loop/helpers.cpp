#include "src/loop/helpers.hpp"

#include <algorithm>

#include <meari/scope.hpp>

namespace meari {
inline namespace v1 {

Error Helpers::give(Job& job, unsigned most) noexcept {
  std::unique_lock lock(mutex_);
  if (waiting_ >= idle_ && threads_.size() < std::max(most, 1U)) {
    const bool failed = caught([this] { threads_.emplace_back([this] { work(); }); }) != nullptr;
    if (failed && threads_.empty()) return Error(Errc::out_of_memory, "start a helper thread");
  }
  jobs_.push(job);
  ++waiting_;
  lock.unlock();
  work_or_end_.notify_one();
  return {};
}

bool Helpers::take_back(Job& job) noexcept {
  const std::lock_guard lock(mutex_);
  const bool there = jobs_.remove(job);
  if (there) --waiting_;
  return there;
}

unsigned Helpers::busy() noexcept {
  const std::lock_guard lock(mutex_);
  return busy_;
}

void Helpers::work() noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    work_or_end_.wait(lock, [this] { return waiting_ != 0 || ending_; });
    --idle_;
    if (ending_) return;
    Job& job = static_cast<Job&>(*jobs_.pop());
    --waiting_;
    ++busy_;
    lock.unlock();
    job.work(job);
    job.loop->post(job);
    lock.lock();
    --busy_;
  }
}

void Helpers::join() noexcept {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  work_or_end_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  while (Ready* ready = jobs_.pop()) {
    Job& job = static_cast<Job&>(*ready);
    if (job.drop != nullptr) job.drop(job);
  }
}

}  // namespace v1
}  // namespace meari
