// HandOver: what a loop and the helper thread of one Source or Sink have in common: a lock, a way to wake the other side,
// and an end that does not hang.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include <meari/loop.hpp>

#include "src/os/blocking_io.hpp"

namespace meari {
inline namespace v1 {

// Kept alive by its owner, by the thread, and by news on their way to the loop: whoever comes last finds it there.
class HandOver : public std::enable_shared_from_this<HandOver> {
 public:
  HandOver(const HandOver&) = delete;
  HandOver& operator=(const HandOver&) = delete;

  [[nodiscard]] os::Medium medium() const noexcept { return io_.medium(); }

 protected:
  HandOver(Loop& loop, Descriptor descriptor, os::Direction direction, os::Ownership ownership) noexcept;
  virtual ~HandOver() = default;

  // On the helper thread, with the lock, until `stopping_`. The lock is given back while it reads or writes.
  virtual void work(std::unique_lock<std::mutex>& lock) = 0;
  // On the loop, after tell(); never after end().
  virtual void news() noexcept = 0;

  // On the loop, before io_ is used.
  [[nodiscard]] Error prepare() noexcept;
  // On the loop, after that: starts the thread, once.
  [[nodiscard]] Error start() noexcept;
  // On the loop: after this the thread touches nothing of anybody else. Says whether it has ended; it has not only when a
  // call of the system does not come back (a terminal that we may not open ourselves, a disk that hangs).
  bool end() noexcept;
  // On the helper thread, with the lock: news() follows on the loop.
  void tell() noexcept;

  Loop& loop_;
  os::BlockingIo io_;
  std::mutex mutex_;  // taken before the loop's own, never the other way round
  std::condition_variable changed_;
  bool stopping_ = false;  // set by the loop, with the lock where there is a thread

 private:
  struct Notice : Posted {
    std::shared_ptr<HandOver> keeper;  // while it is on its way
  };
  static void arrive(Ready& ready) noexcept;

  std::thread thread_;
  bool over_ = false;
  bool prepared_ = false;
  bool started_ = false;
  Notice notice_;
};

}  // namespace v1
}  // namespace meari
