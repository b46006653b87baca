// Scope: Tasks that run side by side and end together.
//
//   co_await scoped([&](Scope& scope) -> Task<> {
//     for (;;) {
//       Stream peer = co_await listener.accept();
//       scope.spawn(session, std::move(peer));        // callable and arguments by value, like std::thread
//     }
//   });
//
// scoped() is over when the body AND all its children have ended, whichever fails. What the body returns is its value.
//  - The first failure, of the body or of a child, cancels all the others; when they have ended, it passes up.
//    An exception wins over Errors and is rethrown to whoever waits.
//  - scope.cancel() is a normal end: the `canceled` that it causes is dropped. One from outside passes up.
//  - scope.on_failure(handler): a child that fails is reported and nobody is cancelled. So are the sessions of a server.
//    The Loop itself is the outermost Scope, of this kind.
//  - Children may refer to what lives outside of scoped(). Values of the body are passed as arguments: when the body
//    returns, its locals are gone and children still run.
//  - g++ 12: a lambda that captures more than references must be named and moved: scoped(std::move(body)).
//
// first_of: several things at once; the first that is over decides, and the others are cancelled.
//
//   auto [data, tick] = co_await first_of(peer.read(), sleep_for(1s));     // optionals
//   if (data) …                                                           // a loser that succeeded is there too
//   if (tick) …
//
// The failure of the first is the failure of all; as_result() around a branch makes it a value instead.
#pragma once

#include <array>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include <meari/activity.hpp>
#include <meari/loop.hpp>
#include <meari/result.hpp>
#include <meari/task.hpp>
#include <meari/version.hpp>

namespace meari {
inline namespace v1 {

// Calls `make`, and gives what it throws (nothing where exceptions are off).
template <class F>
std::exception_ptr caught(F&& make) noexcept {
#if defined(__cpp_exceptions)
  try {
    std::forward<F>(make)();
  } catch (...) {
    return std::current_exception();
  }
#else
  std::forward<F>(make)();
#endif
  return nullptr;
}

class MEARI_EXPORT Scope {
 public:
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  ~Scope();

  // Starts callable(arguments…), which gives a Task; it begins in a step of its own. Callable and arguments live as
  // long as that Task, so they may be taken by reference. Never a Task: its lambda might be gone. Without memory it is a
  // child that has failed with out_of_memory.
  template <class F, class... Args>
  void spawn(F callable, Args... args);
  // Asks the body and all children to end.
  void cancel() noexcept;
  // From now on children that fail are reported here instead of ending the Scope.
  void on_failure(FailureHandler handler) { handler_ = std::move(handler); }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }  // children that have not ended
  [[nodiscard]] bool canceled() const noexcept { return canceled_; }
  [[nodiscard]] Loop& loop() const noexcept { return *loop_; }

 private:
  friend class Loop;
  template <class>
  friend class ScopedActivity;

  // A child, and what it needs to run: allocated like a frame. It is the waiter of its Task.
  struct Child : Ready {
    Child* previous = nullptr;
    Child* following = nullptr;
    Scope* scope = nullptr;
    TaskState* task = nullptr;

    static void* operator new(std::size_t bytes) noexcept { return allocate_frame(bytes); }
    static void operator delete(void* memory, std::size_t bytes) noexcept { free_frame(memory, bytes); }
  };
  template <class F, class... Args>
  struct Spawned;

  Scope() noexcept = default;
  void enter(Child& child) noexcept;
  // The Task has ended: destroys it and takes the child off the list.
  TaskFailure leave(Child& child) noexcept;
  void child_over(TaskFailure failure) noexcept;
  void body_over() noexcept;
  void fail(TaskFailure failure) noexcept;
  void cancel_all() noexcept;
  void finish_if_over() noexcept;
  void describe(Dump& dump) const;

  Loop* loop_ = nullptr;
  TaskState* body_ = nullptr;
  Ready* done_ = nullptr;  // told when body and children are over
  Child* first_ = nullptr;
  std::size_t size_ = 0;
  TaskFailure failure_;  // the first; an exception before an Error
  FailureHandler handler_;
  bool canceled_ = false;
  bool from_outside_ = false;  // cancelled by whoever waits for us
  bool body_over_ = false;
};

template <class F, class... Args>
struct Scope::Spawned final : Scope::Child {
  Spawned(F&& given, Args&&... values) : callable(std::move(given)), arguments(std::move(values)...) {}
  static void over(Ready& ready) {
    auto* self = static_cast<Spawned*>(static_cast<Child*>(&ready));
    Scope& scope = *self->scope;
    TaskFailure failure = scope.leave(*self);
    delete self;
    scope.child_over(std::move(failure));
  }
  F callable;
  std::tuple<Args...> arguments;
};

template <class F, class... Args>
void Scope::spawn(F callable, Args... args) {
  using Given = std::invoke_result_t<F&, Args...>;
  static_assert(
      requires { typename Given::promise_type; },
      "spawn takes something that gives a Task when it is called with these arguments");
  auto* child = new Spawned<F, Args...>(std::move(callable), std::move(args)...);
  if (child == nullptr) return child_over({Error(Errc::out_of_memory, "spawn"), nullptr});
  child->run = &Spawned<F, Args...>::over;
  child->scope = this;
  std::exception_ptr exception = caught([child] {
    Given task =
        std::apply([child](Args&... values) -> Given { return std::invoke(child->callable, std::move(values)...); },
                   child->arguments);
    child->task = task.release();
  });
  if (child->task != nullptr) return enter(*child);
  delete child;
  child_over(failure_of(std::move(exception)));
}

// What scoped() gives.
template <class F>
class ScopedActivity;
template <class F>
class [[nodiscard]] Scoped {
 public:
  using Activity = ScopedActivity<F>;
  explicit Scoped(F&& given) noexcept(std::is_nothrow_move_constructible_v<F>) : body(std::move(given)) {}
  F body;
};

template <class F>
class ScopedActivity : public Activity, private Ready {  // the Ready: the body has ended
  using Given = std::invoke_result_t<F&, Scope&>;

 public:
  using Value = typename Given::Value;
  explicit ScopedActivity(Scoped<F>&& description) : callable_(std::move(description.body)) {}

  bool start(Loop& loop, bool canceled) noexcept {
    scope_.loop_ = &loop;
    scope_.done_ = done_;
    scope_.canceled_ = scope_.from_outside_ = canceled;
    std::exception_ptr exception = caught([this] { body_ = std::invoke(callable_, scope_); });
    if (body_.promise() != nullptr) {
      this->run = [](Ready& ready) { static_cast<ScopedActivity&>(ready).scope_.body_over(); };
      scope_.body_ = body_.promise();
      body_.promise()->begin(loop, *this, canceled);
      return false;
    }
    scope_.fail(failure_of(std::move(exception)));
    scope_.body_over_ = true;
    return scope_.size_ == 0;
  }
  Activity* request_cancel(Loop&) noexcept override {
    scope_.from_outside_ = true;
    scope_.cancel_all();
    return nullptr;
  }
  [[nodiscard]] Fate fate() noexcept {
    if (scope_.failure_.exception) return Fate::exception;
    if (scope_.failure_.error) return Fate::error;
    // The body ended because of a cancel() of its own: a normal end, if there need not be a value.
    if constexpr (!std::is_void_v<Value>) {
      if (body_.promise()->fate() != Fate::value) return Fate::error;
    }
    return Fate::value;
  }
  Value take_value() {
    if constexpr (std::is_void_v<Value>) {
      body_.reset();
    } else {
      Value value = std::move(body_.promise()->value());
      body_.reset();
      return value;
    }
  }
  Error take_error() noexcept {
    body_.reset();
    return scope_.failure_.error ? std::move(scope_.failure_.error) : Error(Errc::canceled);
  }
  std::exception_ptr take_exception() noexcept {
    body_.reset();
    return std::move(scope_.failure_.exception);
  }
  const Activity* describe(Dump& dump) const override {
    scope_.describe(dump);
    return nullptr;
  }

 private:
  F callable_;
  Scope scope_;
  Given body_;  // destroyed before the Scope and the callable that it refers to
};

template <class F>
Scoped<std::remove_cvref_t<F>> scoped(F&& body) {
  static_assert(std::is_invocable_v<std::remove_cvref_t<F>&, Scope&>, "scoped takes [&](Scope& scope) -> Task<> {…}");
  return Scoped<std::remove_cvref_t<F>>(std::remove_cvref_t<F>(std::forward<F>(body)));
}

template <class T>
using ValueOrUnit = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class... X>
class FirstOfActivity;
template <class... X>
class [[nodiscard]] FirstOf {
 public:
  using Activity = FirstOfActivity<X...>;
  explicit FirstOf(X&&... given) : branches(std::move(given)...) {}
  std::tuple<X...> branches;
};

template <class... X>
class FirstOfActivity : public Activity {
  static constexpr std::size_t none = sizeof...(X);
  template <class A>
  struct Branch : Ready {
    template <class Description>
    explicit Branch(Description&& description) : activity(std::move(description)) {}
    FirstOfActivity* all = nullptr;
    std::size_t index = 0;
    bool under_way = false;
    bool over = false;
    A activity;
  };

 public:
  using Value = std::tuple<std::optional<ValueOrUnit<ValueOf<X>>>...>;
  explicit FirstOfActivity(FirstOf<X...>&& description) : branches_(std::move(description.branches)) {}

  bool start(Loop& loop, bool canceled) noexcept {
    loop_ = &loop;
    std::size_t index = 0;
    each([&](auto& branch) {
      const std::size_t mine = index++;
      if (first_ != none) return;  // somebody was first already: the others need not begin
      branch.all = this;
      branch.index = mine;
      branch.run = &settled<std::remove_reference_t<decltype(branch)>>;
      branch.activity.tell(branch);
      if (branch.activity.start(loop, canceled)) {
        branch.over = true;
        first_ = mine;
      } else {
        branch.under_way = true;
        ++pending_;
      }
    });
    if (first_ == none) return false;
    cancel_rest();
    return pending_ == 0;
  }
  Activity* request_cancel(Loop&) noexcept override {
    cancel_rest();
    return nullptr;
  }
  [[nodiscard]] Fate fate() noexcept {
    Fate fate = Fate::value;
    each([&](auto& branch) {
      if (!branch.over) return;
      const Fate its = branch.activity.fate();
      if (its == Fate::exception) fate = its;
      if (its == Fate::error && branch.index == first_ && fate == Fate::value) fate = its;
    });
    return fate;
  }
  Value take_value() {
    Value values;
    take(values, std::index_sequence_for<X...>());
    return values;
  }
  Error take_error() noexcept {
    Error error;
    each([&](auto& branch) {
      if (branch.over && branch.index == first_) error = branch.activity.take_error();
    });
    return error;
  }
  std::exception_ptr take_exception() noexcept {
    std::exception_ptr exception;
    each([&](auto& branch) {
      if (branch.over && !exception && branch.activity.fate() == Fate::exception)
        exception = branch.activity.take_exception();
    });
    return exception;
  }
  const Activity* describe(Dump& dump) const override {
    dump.line("first_of");
    ++dump.depth;
    std::apply(
        [&](const auto&... branch) {
          (static_cast<void>(branch.under_way ? describe_all(dump, &branch.activity) : void()), ...);
        },
        branches_);
    --dump.depth;
    return nullptr;
  }

 private:
  template <class F>
  void each(F&& visit) {
    std::apply([&](auto&... branch) { (visit(branch), ...); }, branches_);
  }
  template <class B>
  static void settled(Ready& ready) {
    B& branch = static_cast<B&>(ready);
    FirstOfActivity& all = *branch.all;
    branch.under_way = false;
    branch.over = true;
    --all.pending_;
    if (all.first_ == none) {
      all.first_ = branch.index;
      all.cancel_rest();
    }
    if (all.pending_ == 0) all.finish();
  }
  void cancel_rest() noexcept {
    each([&](auto& branch) {
      if (branch.under_way) cancel(*loop_, &branch.activity);
    });
  }
  template <std::size_t... I>
  void take(Value& values, std::index_sequence<I...>) {
    (take_one(std::get<I>(values), std::get<I>(branches_)), ...);
  }
  template <class V, class B>
  void take_one(V& value, B& branch) {
    if (!branch.over) return;
    if (branch.activity.fate() == Fate::error) return static_cast<void>(branch.activity.take_error());
    if constexpr (std::is_void_v<decltype(branch.activity.take_value())>) {
      branch.activity.take_value();
      value.emplace();
    } else {
      value.emplace(branch.activity.take_value());
    }
  }

  Loop* loop_ = nullptr;
  std::size_t pending_ = 0;
  std::size_t first_ = none;
  std::tuple<Branch<ActivityOf<X>>...> branches_;
};

template <class... X>
FirstOf<std::remove_cvref_t<X>...> first_of(X&&... x) {
  static_assert(sizeof...(X) > 0);
  static_assert((Awaitable<X> && ...), "first_of takes what a Task can wait for");
  static_assert((is_temporary<X> && ...), "what first_of waits for is gone afterwards: write std::move(it)");
  return FirstOf<std::remove_cvref_t<X>...>(std::move(x)...);
}

template <class F, class... Args>
void Loop::spawn(F callable, Args... args) {
  tasks_->spawn(std::move(callable), std::move(args)...);
}

template <class F, class... Args>
auto Loop::block_on(F callable, Args... args) {
  using Given = std::invoke_result_t<F&, Args...>;
  using T = typename Given::Value;
  struct Over : Ready {
    bool yes = false;
  } over;
  over.run = [](Ready& ready) { static_cast<Over&>(ready).yes = true; };
  LookedAtActivity<Given, true> activity(as_result(std::invoke(callable, std::move(args)...)));
  activity.tell(over);
  if (!activity.start(*this, false)) turn_until_over(over.yes, activity);
  if (activity.fate() == Fate::exception) std::rethrow_exception(activity.take_exception());
  return Result<T>(activity.take_value());
}

}  // namespace v1
}  // namespace meari
