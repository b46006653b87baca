#include "src/net/hand_over.hpp"

#include <chrono>

#include <meari/scope.hpp>

namespace meari {
inline namespace v1 {

HandOver::HandOver(Loop& loop, Descriptor descriptor, os::Direction direction, os::Ownership ownership) noexcept
    : loop_(loop), io_(descriptor, direction, ownership) {
  notice_.run = [](Ready& ready) { arrive(ready); };
  notice_.drop = [](Posted& posted) { const auto last = std::move(static_cast<Notice&>(posted).keeper); };
}

Error HandOver::prepare() noexcept {
  if (prepared_) return {};
  Error error = io_.prepare();
  prepared_ = !error;
  return error;
}

Error HandOver::start() noexcept {
  if (started_) return {};
  const bool failed = caught([this] {
                        thread_ = std::thread([self = shared_from_this()] {
                          self->io_.enter();
                          std::unique_lock lock(self->mutex_);
                          self->work(lock);
                          self->over_ = true;
                          self->changed_.notify_all();
                        });
                      }) != nullptr;
  if (failed) return Error(Errc::out_of_memory, "start a helper thread");
  started_ = true;
  return {};
}

bool HandOver::end() noexcept {
  if (!started_) {
    stopping_ = true;
    return true;
  }
  using namespace std::chrono_literals;
  constexpr auto patience = 500ms;
  constexpr auto again = 10ms;
  const auto until = std::chrono::steady_clock::now() + patience;
  std::unique_lock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
  while (!over_ && std::chrono::steady_clock::now() < until) {
    io_.interrupt();
    changed_.wait_for(lock, again, [this] { return over_; });
  }
  const bool over = over_;
  lock.unlock();
  if (over) thread_.join();
  else thread_.detach();
  return over;
}

void HandOver::tell() noexcept {
  if (notice_.keeper != nullptr || stopping_) return;
  notice_.keeper = shared_from_this();
  loop_.post(notice_);  // with the lock: after end() the loop may be gone
}

void HandOver::arrive(Ready& ready) noexcept {
  HandOver& self = *static_cast<Notice&>(static_cast<Posted&>(ready)).keeper;
  std::shared_ptr<HandOver> keeper;  // until we are done
  bool over = false;
  {
    const std::lock_guard lock(self.mutex_);
    keeper = std::move(self.notice_.keeper);
    over = self.stopping_;
  }
  if (!over) self.news();
}

}  // namespace v1
}  // namespace meari
