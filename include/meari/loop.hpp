// Loop: one thread, one Backend, and everything that runs on them.
//
//   std::unique_ptr<Loop> loop = Loop::make().value();
//   loop->spawn(serve_forever, std::move(listener));   // a Task that belongs to the loop
//   loop->run();                                       // until every Task has ended, or stop()
//
// Only the loop resumes Tasks: an operation that completes, a timer that fires and a Task that ends leave a Ready
// for it, and a turn runs them one after the other. So there is no recursion, and one place to bound the work.
//
// A Loop belongs to the thread that turns it. From other threads: post(), stop() and nothing else.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <meari/backend.hpp>
#include <meari/observer.hpp>
#include <meari/operation.hpp>
#include <meari/result.hpp>
#include <meari/version.hpp>

namespace meari {
inline namespace v1 {

class Activity;
class Loop;
class Scope;

// How a spawned Task failed: with an Error, or with an exception of the user's code.
struct MEARI_EXPORT TaskFailure {
  Error error;
  std::exception_ptr exception;
  [[nodiscard]] std::string message() const;  // the Error's message, or the exception's what()
};
using FailureHandler = std::function<void(const TaskFailure&)>;
// What became of a call that gave no Task, or no value: out_of_memory for std::bad_alloc, and for nothing at all.
[[nodiscard]] MEARI_EXPORT TaskFailure failure_of(std::exception_ptr exception) noexcept;

// Calls what somebody else has given us to be told. The rest of the program must not suffer from its want of memory:
// std::bad_alloc ends here.
template <class F, class... Args>
void call_back(F& told, Args&&... args) {
#if defined(__cpp_exceptions)
  try {
    told(std::forward<Args>(args)...);
  } catch (const std::bad_alloc&) {}
#else
  told(std::forward<Args>(args)...);
#endif
}

struct LoopOptions {
  BackendOptions backend;
  // Told when a Task that was spawned on the loop itself fails; nobody else is harmed by it. Without a handler the
  // message goes to standard error, except for a peer that has gone.
  FailureHandler on_failure;
  // How many Ready may run before the backend is asked for news again; one less for each 2 KiB that they receive or send
  // at once. One of those that let the others go first comes on top.
  unsigned steps_per_turn = 256;
  unsigned helper_threads = 4;  // the most that offload() starts
};

// Something that lives on behind a Task's back and must be over before the loop is: a connection that lingers.
// Intrusive; whoever attends must stay where it is until dismissed.
struct Guest {
  void (*leave)(Guest&) =
      nullptr;  // the loop ends: be gone soon. Called once; dismiss() follows, now or some turns later
  Guest* previous = nullptr;
  Guest* next = nullptr;
};

// What other threads hand to the loop. It runs once, unless the loop ends before: then drop() is called instead.
struct Posted : Ready {
  void (*drop)(Posted&) = nullptr;
};

// Work for a helper thread; afterwards it is posted to the loop, where run() follows. See offload().
struct Job : Posted {
  void (*work)(Job&) = nullptr;  // on the helper thread
  Loop* loop = nullptr;
};

class MEARI_EXPORT Loop {
 public:
  // Chooses a backend; fails as choose_backend() does.
  static Result<std::unique_ptr<Loop>> make(LoopOptions options = {});
  explicit Loop(std::unique_ptr<Backend> backend, LoopOptions options = {});
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  // Cancels all Tasks and turns until they have ended; a Task that refuses to end aborts the program, with dump().
  ~Loop();

  // Starts a Task in the next turn: callable and arguments by value, like std::thread. A failure goes to on_failure.
  // (This and block_on() are defined in <meari/scope.hpp>.)
  template <class F, class... Args>
  void spawn(F callable, Args... args);
  // Runs one Task to its end, and whatever else is there meanwhile, and gives its Result; exceptions are rethrown.
  // stop() cancels that Task.
  template <class F, class... Args>
  [[nodiscard]] auto block_on(F callable, Args... args);

  // Turns until every Task has ended (and every Guest has left), or until stop().
  void run();
  // Makes run() return after the turn it is in; it may be called again. From any thread, and from signal handlers.
  void stop() noexcept;
  // Asks every Task that was spawned here to end.
  void cancel() noexcept;
  // The primitive: waits at most until `until` for something to do, then runs what there is, a bounded number of
  // steps. Returns how many things ran.
  std::size_t turn(Time until);

  // Runs `callable` in a turn soon. From any thread; in order for each thread. Throws std::bad_alloc.
  template <class F>
    requires std::is_invocable_v<F&>
  void post(F callable);
  // The same without an allocation: `posted` must stay where it is until it has run or was dropped.
  void post(Posted& posted) noexcept;

  // The time of this turn: one system call serves everybody in it.
  [[nodiscard]] Time now() const noexcept { return now_; }
  // Fires once at `timer.at`. Set again: moved. Timers of the same time fire in the order in which they were set. A timer
  // is never lost: where the heap of timers can get no more memory, it waits in a list beside it.
  void set(Timer& timer, Time at) noexcept;
  void unset(Timer& timer) noexcept;
  [[nodiscard]] Time next_timer() const noexcept {
    return beside_ == nullptr ? first_timer_ : std::min(first_timer_, next_beside()->at);
  }

  // Runs after all that is ready by now.
  void ready(Ready& ready) noexcept { ready_->push(ready); }
  // Runs as soon as the present step is over: how a Task starts its child and how it tells its waiter.
  void next(Ready& ready) noexcept {
    if (next_ != nullptr || (streak_ += step_cost) >= streak_limit) return ready_->push(ready);
    next_ = &ready;
  }
  // Something was done at once; may the Task go on without queueing behind the others? 16 times in a row.
  [[nodiscard]] bool may_go_on() noexcept { return (streak_ += done_cost) < streak_limit; }

  // Has this step received so much that the others come first now?
  [[nodiscard]] bool is_enough() const noexcept { return ready_->is_enough(); }
  // Runs when nobody else has anything to do, but one of these runs in every turn. So who has little to move does not wait
  // behind those who have much, however many they are.
  void after_others(Ready& ready) noexcept { sated_.push(ready); }

  // The loop whose turn it is on this thread, or nullptr.
  [[nodiscard]] static Loop* current() noexcept;
  [[nodiscard]] Backend& backend() noexcept { return *backend_; }
  [[nodiscard]] const std::string& refused_backend() const noexcept { return refused_; }  // why not a faster one; or ""

  // One observer; an empty one turns it off.
  void observe(Observer observer);  // not from inside an observer
  [[nodiscard]] bool observed() const noexcept { return static_cast<bool>(observer_); }
  // Is any loop of this process? Quicker than to find out which loop this is, and mostly the answer is no.
  [[nodiscard]] static bool any_observed() noexcept { return observed_loops_.load(std::memory_order_relaxed) != 0; }
  // What an observer cannot take in for want of memory (std::bad_alloc) it is not told again.
  void emit(const Event& event) const {
    if (observer_) call_back(observer_, event);
  }

  // How many Tasks were spawned here and have not ended.
  [[nodiscard]] std::size_t tasks() const noexcept;
  // What every Task waits for, one line for each level, with the user's source lines.
  [[nodiscard]] std::string dump() const;

  void attend(Guest& guest) noexcept;
  void dismiss(Guest& guest) noexcept;
  // Has a helper thread do the work; job.run() follows in a turn. For offload(). Fails when no thread can be had.
  [[nodiscard]] Error help(Job& job) noexcept;
  // Helper threads that are in the middle of a job; ~Loop waits for them. A name server that does not answer keeps one
  // for many seconds, and nobody can call it off: a program that has nothing else to do may end with std::_Exit().
  [[nodiscard]] unsigned busy_helpers() const noexcept;
  // Takes a job back that no helper has begun; says whether it did.
  bool take_back(Job& job) noexcept;

 private:
  struct Remote;  // what other threads may touch
  struct TimerPlace {
    Time at;  // beside those that it is compared with, so that they need not be looked up
    Timer* timer;
    [[nodiscard]] bool before(const TimerPlace& other) const noexcept {
      return at != other.at ? at < other.at : timer->was_set_before(*other.timer);
    }
  };
  static constexpr std::uint8_t call_posted = 1;  // something is posted: a turn without it takes no lock
  static constexpr std::uint8_t call_stop = 2;
  static constexpr unsigned step_cost = 1;
  static constexpr unsigned done_cost = 4;
  static constexpr unsigned streak_limit = 65;  // 16 operations done at once, or 64 steps, or a mixture

  std::size_t run_posted() noexcept;
  void see_guests_off();
  std::size_t fire_timers();
  std::size_t run_ready();
  void place(TimerPlace entry, std::size_t at) noexcept;
  void remove_timer(std::size_t at) noexcept;
  void note_first_timer() noexcept { first_timer_ = timers_.empty() ? never : timers_.front().at; }
  [[nodiscard]] bool make_room_for_a_timer() noexcept;
  [[nodiscard]] Timer* next_beside() const noexcept;
  void remove_beside(Timer& timer) noexcept;
  void bring_in() noexcept;
  void put(Timer& timer) noexcept;
  void put_beside(Timer& timer) noexcept;
  [[nodiscard]] bool stop_requested() noexcept;  // takes the request
  void turn_until_over(const bool& over, Activity& activity);

  std::unique_ptr<Backend> backend_;
  ReadyList* ready_;
  ReadyList sated_;  // those who let the others go first
  Ready* next_ = nullptr;
  unsigned streak_ = 0;
  bool turning_ = false;
  std::atomic<std::uint8_t> calls_ = 0;  // what other threads want of this one
  Time now_{};
  Time first_timer_ = never;        // of those in the heap
  std::vector<TimerPlace> timers_;  // a heap of four children
  Timer* beside_ = nullptr;         // those that it has no room for, linked by Ready::next, oldest first
  std::uint32_t timers_set_ = 0;    // modulo 2^32
  static std::atomic<std::uint32_t> observed_loops_;
  Observer observer_;
  LoopOptions options_;
  std::string refused_;
  Guest* guests_ = nullptr;
  Activity* foreground_ = nullptr;  // of block_on()
  std::unique_ptr<Scope> tasks_;
  std::unique_ptr<Remote> remote_;
};

template <class F>
  requires std::is_invocable_v<F&>
void Loop::post(F callable) {
  struct Call final : Posted {
    explicit Call(F&& given) : callable(std::move(given)) {
      run = [](Ready& ready) {
        const std::unique_ptr<Call> self(static_cast<Call*>(&ready));
        static_cast<void>(self->callable());
      };
      drop = [](Posted& posted) { delete static_cast<Call*>(&posted); };
    }
    F callable;
  };
  post(static_cast<Posted&>(*new Call(std::move(callable))));
}

}  // namespace v1
}  // namespace meari
