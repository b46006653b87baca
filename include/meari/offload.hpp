// offload: has a helper thread do what would make the loop wait, such as looking up a name or reading a file.
//
//   auto look_up = [endpoint] { return resolve(endpoint); };      // named and moved: g++ 12
//   auto addresses = co_await offload(std::move(look_up));        // a Result is taken apart
//
// The callable is moved to the helper; it must not touch what belongs to the loop. What it returns comes back to the
// Task; what it throws is rethrown there. When the Task is cancelled a callable that has begun runs to its end and its
// result is dropped, so give it values, or references to what lives longer than the loop.
// At most LoopOptions::helper_threads run at a time; more wait in order.
#pragma once

#include <exception>
#include <functional>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include <meari/activity.hpp>
#include <meari/loop.hpp>
#include <meari/result.hpp>
#include <meari/scope.hpp>

namespace meari {
inline namespace v1 {

template <class F>
class OffloadActivity;
// What offload() gives.
template <class F>
class [[nodiscard]] Offload {
 public:
  using Activity = OffloadActivity<F>;
  explicit Offload(F&& given) noexcept(std::is_nothrow_move_constructible_v<F>) : callable(std::move(given)) {}
  F callable;
};

template <class T>
struct ResultIn {
  using type = T;
};
template <class T>
struct ResultIn<Result<T>> {
  using type = T;
};

template <class F>
class OffloadActivity : public Activity, private Ready {  // the Ready: cancelled
  using Returned = std::invoke_result_t<F&>;

 public:
  using Value = typename ResultIn<Returned>::type;

  explicit OffloadActivity(Offload<F>&& description) : work_(new(std::nothrow) Work(std::move(description.callable))) {}
  ~OffloadActivity() {
    MEARI_ASSERT(work_ == nullptr || !work_->given);
    delete work_;
  }

  bool start(Loop& loop, bool canceled) noexcept {
    this->run = [](Ready& ready) { static_cast<OffloadActivity&>(ready).finish(); };
    if (canceled) error_ = Errc::canceled;
    else if (work_ == nullptr) error_ = Errc::out_of_memory;
    else error_ = loop.help(*work_);
    if (error_) {
      loop.ready(*this);
      return false;
    }
    work_->given = true;
    work_->waiter = this;
    return false;
  }
  Activity* request_cancel(Loop& loop) noexcept override {
    if (work_ == nullptr || !work_->given || work_->waiter == nullptr) return nullptr;
    work_->waiter = nullptr;
    error_ = Errc::canceled;
    if (loop.take_back(*work_)) work_->given = false;
    else work_ = nullptr;  // its own owner now
    loop.ready(*this);
    return nullptr;
  }
  [[nodiscard]] Fate fate() noexcept {
    if (error_ || work_->failure.error) return Fate::error;
    if (work_->failure.exception) return Fate::exception;
    if constexpr (!std::is_same_v<Returned, Value>) {
      if (!*work_->returned) return Fate::error;
    }
    return Fate::value;
  }
  Value take_value() {
    if constexpr (!std::is_void_v<Value>) {
      if constexpr (std::is_same_v<Returned, Value>) return *std::move(work_->returned);
      else return **std::move(work_->returned);
    }
  }
  Error take_error() noexcept {
    if (error_) return std::move(error_);
    if constexpr (!std::is_same_v<Returned, Value>) {
      if (!work_->failure.error) return work_->returned->error();
    }
    return std::move(work_->failure.error);
  }
  std::exception_ptr take_exception() noexcept { return std::move(work_->failure.exception); }
  const Activity* describe(Dump& dump) const override {
    dump.line("offload");
    return nullptr;
  }

 private:
  struct Work final : Job {
    explicit Work(F&& given_callable) : callable(std::move(given_callable)) {
      this->work = [](Job& job) {
        Work& self = static_cast<Work&>(job);
        std::exception_ptr exception = caught([&self] {
          if constexpr (std::is_void_v<Returned>) {
            std::invoke(self.callable);
            self.returned.emplace();
          } else {
            self.returned.emplace(std::invoke(self.callable));
          }
        });
        if (exception) self.failure = failure_of(std::move(exception));
      };
      this->run = [](Ready& ready) {
        Work& self = static_cast<Work&>(ready);
        self.given = false;
        if (self.waiter == nullptr) delete &self;
        else self.waiter->finish();
      };
      this->drop = [](Posted& posted) { delete static_cast<Work*>(&posted); };
    }
    F callable;
    std::optional<ValueOrUnit<Returned>> returned;
    TaskFailure failure;
    OffloadActivity* waiter = nullptr;  // the loop's thread only
    bool given = false;                 // a helper, or the way back, has it
  };

  Work* work_;
  Error error_;
};

template <class F>
Offload<std::remove_cvref_t<F>> offload(F&& callable) {
  static_assert(std::is_invocable_v<std::remove_cvref_t<F>&>, "offload takes something to call without arguments");
  return Offload<std::remove_cvref_t<F>>(std::remove_cvref_t<F>(std::forward<F>(callable)));
}

}  // namespace v1
}  // namespace meari
