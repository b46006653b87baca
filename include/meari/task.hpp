// Task: a coroutine with one owner. It begins when somebody waits for it.
//
//   Task<> echo(Stream peer) {
//     while (Chunk data = co_await peer.read())
//       co_await peer.write(std::move(data));
//   }
//
// Two sentences to learn:
//   1. A failed `co_await` ends this Task: its locals are destroyed in order, and whoever waits for it fails likewise.
//   2. `catch` sees exceptions, never Errors.
//
//   const Address a = co_await Address::parse(text);            // a Result is taken apart without suspending
//   if (a.port() == 0) co_await fail(Errc::invalid_argument, "port");   // in a Task<T> that ends here: co_return fail(…)
//   Result<Chunk> r = co_await as_result(peer.read());          // a failure to look at
//
// Clean-up that has to wait (a destructor and a catch block cannot):
//   Result<> r = co_await as_result(body(peer));
//   co_await ignore_error(peer.finish());
//   co_await std::move(r);                                      // pass the failure on
//
// What to know:
//  - An exception that leaves a Task is rethrown where it is awaited; as_result() does not catch it. Only std::bad_alloc
//    is no exception any more: such a Task fails with out_of_memory, as one does that gets no memory for its frame.
//  - Cancelling is sticky: what is under way may still succeed, and every later co_await fails with `canceled`. So
//    leave on `canceled`; clean-up that must still wait goes into shielded().
//  - Guards that look at std::uncaught_exceptions() take an Error for a success. RAII that always undoes is fine.
//  - Task<> t = [x]() -> Task<> {…}(); co_await std::move(t);   dangles: the lambda is gone. In one expression it is fine.
//  - A destructor that throws while a failed Task is destroyed terminates the program.
#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <source_location>
#include <string_view>
#include <type_traits>
#include <utility>

#include <meari/activity.hpp>
#include <meari/loop.hpp>
#include <meari/result.hpp>
#include <meari/version.hpp>

namespace meari {
inline namespace v1 {

template <class T = void>
class Task;
template <class T>
class TaskActivity;

// Memory of coroutine frames, and of what a Scope keeps for each of its Tasks: from lists of this thread, by size.
// nullptr without memory.
[[nodiscard]] MEARI_EXPORT void* allocate_frame(std::size_t bytes) noexcept;
MEARI_EXPORT void free_frame(void* frame, std::size_t bytes) noexcept;

// An Error to `co_await` or to `co_return`.
[[nodiscard]] inline Error fail(Errc code) noexcept { return Error(code); }
[[nodiscard]] inline Error fail(Errc code, const char* operation, std::string_view subject = {}) noexcept {
  return Error(code, operation, subject);
}

// What every Task has in its frame. As the Ready of its Task it stands for "go on", and it is what the thing that
// the Task waits for gives back to the loop.
class MEARI_EXPORT TaskState : public Ready {
 public:
  TaskState(const TaskState&) = delete;
  TaskState& operator=(const TaskState&) = delete;

  // Begins in a step of its own. `waiter` runs when the Task has ended.
  void begin(Loop& loop, Ready& waiter, bool canceled) noexcept {
    prepare(loop, waiter, canceled);
    loop.next(*this);
  }
  void prepare(Loop& loop, Ready& waiter, bool canceled) noexcept {
    MEARI_ASSERT(phase_ == Phase::created);
    loop_ = &loop;
    waiter_ = &waiter;
    canceled_ = canceled_ || canceled;
    phase_ = Phase::running;
    run = [](Ready& ready) { static_cast<TaskState&>(ready).frame().resume(); };
  }
  // Marks the Task as cancelled, for good; returns what it waits for, to be asked next.
  Activity* request_cancel() noexcept {
    canceled_ = true;
    return awaiting_;
  }
  [[nodiscard]] bool canceled() const noexcept { return canceled_; }
  [[nodiscard]] bool running() const noexcept { return phase_ == Phase::running; }
  [[nodiscard]] bool ended() const noexcept { return phase_ == Phase::ended; }
  [[nodiscard]] Fate fate() const noexcept { return fate_; }
  [[nodiscard]] Error take_error() noexcept { return fate_ == Fate::error ? std::move(error_) : Error(); }
  [[nodiscard]] std::exception_ptr take_exception() noexcept {
    return fate_ == Fate::exception ? std::move(exception_) : nullptr;
  }
  // Destroys the coroutine, and this with it.
  void destroy() noexcept {
    if (phase_ == Phase::running)
      broken("a Task was destroyed while it runs: wait for it, or cancel its Scope and wait");
    frame().destroy();
  }
  const Activity* describe(Dump& dump) const;

  // The rest is for the compiler and for Awaiting.

  static void* operator new(std::size_t bytes) noexcept { return allocate_frame(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { free_frame(frame, bytes); }

  std::suspend_always initial_suspend() noexcept { return {}; }
  struct End {
    End() noexcept {}
    bool await_ready() noexcept { return false; }
    template <class P>
    void await_suspend(std::coroutine_handle<P> handle) noexcept {
      TaskState& state = handle.promise();
      state.phase_ = Phase::ended;
      state.loop_->next(*state.waiter_);
    }
    void await_resume() noexcept {}
  };
  End final_suspend() noexcept { return {}; }
  void unhandled_exception() noexcept {
    // A destructor threw while the frame of a failed Task was destroyed: nobody is left to hear of it.
    if (phase_ == Phase::ended) std::terminate();
    TaskFailure failure = failure_of(std::current_exception());
    if (!failure.exception) return set_error(std::move(failure.error));
    forget_outcome();
    std::construct_at(&exception_, std::move(failure.exception));
    fate_ = Fate::exception;
  }

 protected:
  TaskState() noexcept {}
  ~TaskState() { forget_outcome(); }

  // The Task is suspended at a co_await that failed, and stays so: it has ended.
  void end_failed(Error error) noexcept {
    error.met_at(where_);
    set_error(std::move(error));
    phase_ = Phase::ended;
    loop_->next(*waiter_);
  }
  void set_error(Error error) noexcept {
    forget_outcome();
    std::construct_at(&error_, std::move(error));
    fate_ = Fate::error;
  }
  void forget_outcome() noexcept {
    if (fate_ == Fate::error) std::destroy_at(&error_);
    if (fate_ == Fate::exception) std::destroy_at(&exception_);
    fate_ = Fate::value;
  }

 private:
  template <class>
  friend class Awaiting;
  enum class Phase : std::uint8_t { created, running, ended };

  // Every promise begins with its TaskState and is aligned to two words at the most (asserted in Promise), so that the
  // frame is found from here, and no word is spent on its address.
  [[nodiscard]] std::coroutine_handle<TaskState> frame() noexcept {
    return std::coroutine_handle<TaskState>::from_promise(*this);
  }

  Activity* awaiting_ = nullptr;  // while suspended
  Loop* loop_ = nullptr;
  Ready* waiter_ = nullptr;
  std::source_location where_{};  // of the last co_await
  union {
    Error error_;
    std::exception_ptr exception_;
  };
  Fate fate_ = Fate::value;
  Phase phase_ = Phase::created;
  bool canceled_ = false;

 protected:
  bool holds_value_ = false;  // of Promise<T>
};

// `co_await x` inside a Task: x's Activity, in the frame.
template <class A>
class [[nodiscard]] Awaiting {
 public:
  template <class X>
  Awaiting(TaskState& task, X&& description,
           const std::source_location& where) noexcept(std::is_nothrow_constructible_v<A, X>)
      : activity_(std::move(description)) {
    activity_.tell(task);
    task.where_ = where;
  }
  Awaiting(const Awaiting&) = delete;
  Awaiting& operator=(const Awaiting&) = delete;
  // In the coroutine itself it would keep a moved-from value in the frame, across every later co_await: clang 19 merges the way
  // on and the way of destroying a suspended Task behind it. A call lets it see them apart, and an idle echo is 24 bytes smaller.
  [[gnu::noinline]] ~Awaiting()
    requires(!std::is_void_v<typename A::Value>)
  {}
  ~Awaiting()
    requires std::is_void_v<typename A::Value>
  = default;

  // Begins. It does not matter that the coroutine is not suspended yet: whatever begins only leaves work for the loop.
  [[gnu::always_inline]] bool await_ready() noexcept {
    TaskState& task = this->task();
    if constexpr (requires { A::instant; }) {
      if (activity_.fate() != Fate::error) return true;
      task.awaiting_ = &activity_;
      task.run = &step;
      task.loop_->next(task);
      return false;
    } else {
      task.awaiting_ = &activity_;
      if constexpr (takes_turns()) {
        // What was received before has been used by now, and is gone: so this is the moment to let others go first.
        if (task.loop_->is_enough()) [[unlikely]] {
          task.run = &begin;
          task.loop_->after_others(task);
          return false;
        }
      }
      task.run = &step;
      if (!activity_.start(*task.loop_, task.canceled_)) return false;
      if constexpr (!requires { A::done_is_success; }) {
        if (activity_.fate() == Fate::error) {
          task.loop_->next(task);
          return false;
        }
      }
      if (!task.loop_->may_go_on()) {
        task.loop_->ready(task);
        return false;
      }
      task.awaiting_ = nullptr;
      return true;
    }
  }
  void await_suspend(std::coroutine_handle<>) noexcept {}
  typename A::Value await_resume() {
    if (activity_.fate() == Fate::exception) rethrow();
    return activity_.take_value();
  }

 private:
  [[nodiscard]] TaskState& task() const noexcept { return static_cast<TaskState&>(activity_.done()); }
  [[noreturn]] void rethrow() { std::rethrow_exception(activity_.take_exception()); }
  static consteval bool takes_turns() {
    if constexpr (requires { A::takes_turns; }) return A::takes_turns;
    return false;
  }
  // The others have been first: it starts now, and the Task may go on at once.
  static void begin(Ready& ready) {
    TaskState& task = static_cast<TaskState&>(ready);
    task.run = &step;
    if (static_cast<A*>(task.awaiting_)->start(*task.loop_, task.canceled_)) step(ready);
  }
  // What the Task waited for is over. This is the one place where a Task goes on or fails.
  static void step(Ready& ready) {
    TaskState& task = static_cast<TaskState&>(ready);
    A& activity = *static_cast<A*>(std::exchange(task.awaiting_, nullptr));
    if (activity.fate() == Fate::error) [[unlikely]]
      return fail(task, activity);
    task.frame().resume();
  }
  // Apart, so that going on needs no room for an Error.
  [[gnu::noinline]] static void fail(TaskState& task, A& activity) { task.end_failed(activity.take_error()); }

  A activity_;
};

template <class T>
class PromiseOf : public TaskState {
  static_assert(std::is_object_v<T> && !std::is_const_v<T>, "a Task gives an object by value, or nothing");
  static_assert(alignof(T) <= 2 * sizeof(void*), "the value of a Task must not be over-aligned: give a pointer to it");

 public:
  ~PromiseOf() { forget_value(); }
  template <class U = T>
    requires std::convertible_to<U, T>
  void return_value(U&& value) noexcept(std::is_nothrow_constructible_v<T, U>) {
    std::construct_at(std::addressof(value_), std::forward<U>(value));
    holds_value_ = true;
  }
  // co_return fail(…)
  template <class E>
    requires(std::same_as<std::remove_cvref_t<E>, Error> && !std::convertible_to<E, T>)
  void return_value(E&& error) noexcept {
    MEARI_ASSERT(error);
    this->set_error(std::forward<E>(error));
  }
  // co_return some_result;
  template <class R>
    requires(std::same_as<std::remove_cvref_t<R>, Result<T>> && !std::convertible_to<R, T>)
  void return_value(R&& result) {
    if (!result) return this->set_error(result.error());
    return_value(*std::forward<R>(result));
  }
  void unhandled_exception() noexcept {
    forget_value();
    TaskState::unhandled_exception();
  }
  [[nodiscard]] T& value() noexcept { return value_; }

 protected:
  PromiseOf() noexcept {}

 private:
  void forget_value() noexcept {
    if (std::exchange(holds_value_, false)) std::destroy_at(std::addressof(value_));
  }
  union {
    T value_;
  };
};

template <>
class PromiseOf<void> : public TaskState {
 public:
  void return_void() noexcept {}

 protected:
  PromiseOf() noexcept = default;
};

template <class T>
class Promise final : public PromiseOf<T> {
 public:
  Promise() noexcept = default;
  Task<T> get_return_object() noexcept { return Task<T>(*this); }
  // Without memory for the frame there is an empty Task, which fails with out_of_memory.
  static Task<T> get_return_object_on_allocation_failure() noexcept { return Task<T>(); }

  template <class X>
  auto await_transform(X&& x, std::source_location where = std::source_location::current()) {
    MEARI_CHECK_AWAITABLE(X);
    return Awaiting<ActivityOf<std::remove_cvref_t<X>>>(*this, std::move(x), where);
  }
};

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = Promise<T>;
  using Value = T;
  using Activity = TaskActivity<T>;

  Task() noexcept = default;  // of use only to be assigned to
  Task(Task&& other) noexcept : promise_(std::exchange(other.promise_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    Task(std::move(other)).swap(*this);
    return *this;
  }
  // One that has not begun is simply gone; one that runs is a mistake, and aborts.
  ~Task() { reset(); }

  void swap(Task& other) noexcept { std::swap(promise_, other.promise_); }
  void reset() noexcept {
    if (promise_ != nullptr) std::exchange(promise_, nullptr)->destroy();
  }
  [[nodiscard]] promise_type* promise() const noexcept { return promise_; }
  // Who calls it answers for the Task from here on.
  [[nodiscard]] promise_type* release() noexcept { return std::exchange(promise_, nullptr); }

 private:
  friend promise_type;
  explicit Task(promise_type& promise) noexcept : promise_(&promise) {}
  promise_type* promise_ = nullptr;
};

// A Task that another one waits for.
template <class T>
class TaskActivity : public Activity {
 public:
  using Value = T;
  explicit TaskActivity(Task<T>&& task) noexcept : task_(std::move(task)) {}

  bool start(Loop& loop, bool canceled) noexcept {
    if (task_.promise() == nullptr) return true;
    task_.promise()->begin(loop, *done_, canceled);
    return false;
  }
  Activity* request_cancel(Loop&) noexcept override {
    return task_.promise() == nullptr ? nullptr : task_.promise()->request_cancel();
  }
  [[nodiscard]] Fate fate() noexcept { return task_.promise() == nullptr ? Fate::error : task_.promise()->fate(); }
  Value take_value() {
    if constexpr (std::is_void_v<T>) {
      task_.reset();
    } else {
      T value = std::move(task_.promise()->value());
      task_.reset();
      return value;
    }
  }
  // Destroys the failed Task: so a failure unwinds innermost first, one level a step.
  Error take_error() noexcept {
    if (task_.promise() == nullptr) return Error(Errc::out_of_memory);
    Error error = task_.promise()->take_error();
    task_.reset();
    return error;
  }
  std::exception_ptr take_exception() noexcept {
    std::exception_ptr exception = task_.promise()->take_exception();
    task_.reset();
    return exception;
  }
  const Activity* describe(Dump& dump) const override {
    return task_.promise() == nullptr ? nullptr : task_.promise()->describe(dump);
  }

 private:
  Task<T> task_;
};

}  // namespace v1
}  // namespace meari
