#include <meari/loop.hpp>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <mutex>

#include <meari/activity.hpp>
#include <meari/scope.hpp>

#include "src/loop/helpers.hpp"

namespace meari {
inline namespace v1 {

namespace {

thread_local Loop* current_loop = nullptr;

void print_failure(const TaskFailure& failure) {
  if (failure.error.peer_is_gone() || failure.error == Errc::canceled) return;
  const char* otherwise = failure.exception ? "exception" : describe(failure.error.code());
  if (caught([&] { std::fprintf(stderr, "meari: a task failed: %s\n", failure.message().c_str()); }))
    std::fprintf(stderr, "meari: a task failed: %s\n", otherwise);
}

}  // namespace

struct Loop::Remote {
  std::mutex mutex;
  ReadyList posted;
  Helpers helpers;
};

std::string TaskFailure::message() const {
  if (!exception) return error.message();
#if defined(__cpp_exceptions)
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& thrown) {
    return std::string("exception: ") + thrown.what();
  } catch (...) {}
#endif
  return "exception of an unknown type";
}

Loop::Loop(std::unique_ptr<Backend> backend, LoopOptions options)
    : backend_(std::move(backend)),
      ready_(&backend_->ready()),
      now_(backend_->now()),
      options_(std::move(options)),
      tasks_(new Scope),
      remote_(std::make_unique<Remote>()) {
  timers_.reserve(64);
  tasks_->loop_ = this;
  tasks_->on_failure(options_.on_failure ? options_.on_failure : print_failure);
}

Loop::~Loop() {
  MEARI_ASSERT(!turning_);  // a loop cannot be destroyed by one of its own Tasks
  // A Task may need some turns to end, and helpers and kernels some time to answer. Who is still here after so many
  // does not listen: a handler that goes on after `canceled`, or a shield without an end.
  constexpr int patience = 100'000;
  for (int turns = 0; tasks_->size() != 0 || guests_ != nullptr; ++turns) {
    if (turns == patience) {
      std::fputs(dump().c_str(), stderr);
      broken("a Loop was destroyed, and these Tasks do not end although they were cancelled");
    }
    tasks_->cancel();
    if (tasks_->size() == 0) see_guests_off();
    turn(backend_->now() + std::chrono::milliseconds(100));
  }
  remote_->helpers.join();
  observe({});
  const std::lock_guard last_post(remote_->mutex);
  while (Ready* ready = remote_->posted.pop()) {
    Posted& posted = static_cast<Posted&>(*ready);
    if (posted.drop != nullptr) posted.drop(posted);
  }
  for (const TimerPlace& entry : timers_) entry.timer->place = Timer::unset;
  while (beside_ != nullptr) remove_beside(*beside_);
}

std::atomic<std::uint32_t> Loop::observed_loops_{0};

// Counted before the old one goes, whose destructor may have this called once more.
void Loop::observe(Observer observer) {
  observer_.swap(observer);
  if (observer_ && !observer) observed_loops_.fetch_add(1, std::memory_order_relaxed);
  if (!observer_ && observer) observed_loops_.fetch_sub(1, std::memory_order_relaxed);
}

void Loop::see_guests_off() {
  for (Guest* guest = guests_; guest != nullptr;) {
    Guest& leaving = *std::exchange(guest, guest->next);
    if (auto* leave = std::exchange(leaving.leave, nullptr)) leave(leaving);
  }
}

void Loop::run() {
  while (!stop_requested() && (tasks_->size() != 0 || guests_ != nullptr)) turn(never);
}

void Loop::stop() noexcept {
  calls_.fetch_or(call_stop, std::memory_order_release);
  backend_->wake();
}

bool Loop::stop_requested() noexcept {
  constexpr auto all_but_stop = static_cast<std::uint8_t>(~call_stop);
  return (calls_.load(std::memory_order_relaxed) & call_stop) != 0 &&
         (calls_.fetch_and(all_but_stop, std::memory_order_acquire) & call_stop) != 0;
}

void Loop::cancel() noexcept { tasks_->cancel(); }

void Loop::turn_until_over(const bool& over, Activity& activity) {
  foreground_ = &activity;
  while (!over) {
    if (stop_requested()) meari::cancel(*this, &activity);
    turn(never);
  }
  foreground_ = nullptr;
}

std::size_t Loop::turn(Time until) {
  if (turning_) broken("a turn of a Loop inside a turn of the same Loop: a Task waits with co_await, not with run()");
  struct Turning {
    explicit Turning(Loop& loop) : inner(loop), outer(std::exchange(current_loop, &loop)) { inner.turning_ = true; }
    ~Turning() {
      current_loop = outer;
      inner.turning_ = false;
    }
    Loop& inner;
    Loop* outer;
  } turning(*this);

  if (next_ != nullptr) ready_->push(*std::exchange(next_, nullptr));
  const bool busy = !ready_->empty() || !sated_.empty() || calls_.load(std::memory_order_acquire) != 0;
  if (const Time next = next_timer(); next < until) until = next;
  now_ = backend_->wait(busy ? now_ : until);
  ready_->begin_turn(options_.steps_per_turn);
  std::size_t ran = 0;
  if ((calls_.load(std::memory_order_acquire) & call_posted) != 0) ran += run_posted();
  if (beside_ != nullptr || first_timer_ <= now_) ran += fire_timers();
  ran += run_ready();
  return ran;
}

std::size_t Loop::run_ready() {
  std::size_t ran = 0;
  bool one_is_due = !sated_.empty();  // and not one that gets there in this very turn
  for (;; ++ran) {
    Ready* ready = next_;
    if (ready != nullptr) {
      next_ = nullptr;
    } else {
      ready = ready_->take_step_of_first();
      if (ready == nullptr) {
        if (sated_.empty() || (!ready_->take_step() && !one_is_due)) break;
        ready = sated_.pop();
        one_is_due = false;
      }
      streak_ = 0;
    }
    ready->run(*ready);
  }
  return ran;
}

// What other threads hand over

void Loop::post(Posted& posted) noexcept {
  // The wake-up belongs inside: as soon as the mutex is free, what was posted may let the loop come to its end.
  const std::lock_guard lock(remote_->mutex);
  const bool first = remote_->posted.empty();
  remote_->posted.push(posted);
  calls_.fetch_or(call_posted, std::memory_order_release);
  // Only the first of a batch wakes the loop; one that posts to itself looks here before it sleeps.
  if (first && current_loop != this) backend_->wake();
}

std::size_t Loop::run_posted() noexcept {
  ReadyList posted;
  {
    const std::lock_guard lock(remote_->mutex);
    posted.append(remote_->posted);
    calls_.fetch_and(static_cast<std::uint8_t>(~call_posted), std::memory_order_relaxed);
  }
  std::size_t ran = 0;
  for (; Ready* ready = posted.pop(); ++ran) {
    streak_ = 0;
    ready_->begin_step();
    if (std::exception_ptr exception = caught([ready] { ready->run(*ready); }))
      call_back(tasks_->handler_, failure_of(std::move(exception)));
  }
  return ran;
}

Error Loop::help(Job& job) noexcept {
  job.loop = this;
  return remote_->helpers.give(job, options_.helper_threads);
}

unsigned Loop::busy_helpers() const noexcept { return remote_->helpers.busy(); }

bool Loop::take_back(Job& job) noexcept { return remote_->helpers.take_back(job); }

// Timers: a heap in which every node has four children, so that it is half as deep as with two, and the four that
// are compared with each other share a cache line or two.

void Loop::set(Timer& timer, Time at) noexcept {
  unset(timer);
  timer.at = at;
  if (beside_ != nullptr || !make_room_for_a_timer()) [[unlikely]]
    return put_beside(timer);
  put(timer);
}

void Loop::put(Timer& timer) noexcept {
  timers_.push_back({});
  timer.order = timers_set_++;
  place({timer.at, &timer}, timers_.size() - 1);
  note_first_timer();
}

void Loop::unset(Timer& timer) noexcept {
  if (!timer.is_set()) return;
  if (timer.place == Timer::beside) [[unlikely]]
    return remove_beside(timer);
  remove_timer(timer.place);
}

bool Loop::make_room_for_a_timer() noexcept {
  if (timers_.size() != timers_.capacity()) return true;
  return caught([this] { timers_.reserve(timers_.capacity() * 2); }) == nullptr;
}

// Without memory for the heap: slower, and nobody has to hear of it.

Timer* Loop::next_beside() const noexcept {
  Timer* next = beside_;
  for (Timer* timer = beside_; timer != nullptr; timer = static_cast<Timer*>(timer->next))
    if (timer->at < next->at) next = timer;
  return next;
}

void Loop::remove_beside(Timer& timer) noexcept {
  Timer* before = nullptr;
  for (Timer* at = beside_; at != &timer; at = static_cast<Timer*>(at->next)) before = at;
  auto* after = static_cast<Timer*>(std::exchange(timer.next, nullptr));
  if (before == nullptr) beside_ = after;
  else before->next = after;
  timer.place = Timer::unset;
}

// As many as there is room for again, the oldest first.
void Loop::bring_in() noexcept {
  while (beside_ != nullptr && make_room_for_a_timer()) {
    Timer& timer = *beside_;
    remove_beside(timer);
    put(timer);
  }
}

// Behind all that wait there, so that each of them was set later than any in the heap.
void Loop::put_beside(Timer& timer) noexcept {
  bring_in();
  if (beside_ == nullptr && make_room_for_a_timer()) return put(timer);
  timer.place = Timer::beside;
  timer.next = nullptr;
  if (beside_ == nullptr) {
    beside_ = &timer;
  } else {
    Ready* last = beside_;
    while (last->next != nullptr) last = last->next;
    last->next = &timer;
  }
}

void Loop::remove_timer(std::size_t at) noexcept {
  timers_[at].timer->place = Timer::unset;
  const TimerPlace last = timers_.back();
  timers_.pop_back();
  if (at != timers_.size()) place(last, at);
  note_first_timer();
}

// Puts `entry` into the gap `at`, or above it or below it, where it belongs.
void Loop::place(TimerPlace entry, std::size_t at) noexcept {
  const auto put = [this](const TimerPlace& moved, std::size_t to) {
    timers_[to] = moved;
    moved.timer->place = static_cast<std::uint32_t>(to);
  };
  for (std::size_t parent; at != 0 && entry.before(timers_[parent = (at - 1) / 4]); at = parent)
    put(timers_[parent], at);
  for (;;) {
    const std::size_t first = 4 * at + 1;
    const std::size_t end = std::min(first + 4, timers_.size());
    std::size_t least = first;
    for (std::size_t child = first + 1; child < end; ++child)
      if (timers_[child].before(timers_[least])) least = child;
    if (first >= end || !timers_[least].before(entry)) break;
    put(timers_[least], at);
    at = least;
  }
  put(entry, at);
}

std::size_t Loop::fire_timers() {
  if (beside_ != nullptr) [[unlikely]]
    bring_in();
  // As many as there are now: a timer that is set again for a time that has passed waits for the next turn.
  std::size_t left = timers_.size();
  for (const Ready* timer = beside_; timer != nullptr; timer = timer->next) ++left;
  std::size_t fired = 0;
  for (; left != 0 && next_timer() <= now_; --left, ++fired) {
    Timer* timer = next_beside();
    if (timer == nullptr || (!timers_.empty() && timers_.front().at <= timer->at)) timer = timers_.front().timer;
    unset(*timer);
    streak_ = 0;
    ready_->begin_step();
    timer->run(*timer);
  }
  return fired;
}

// Guests

void Loop::attend(Guest& guest) noexcept {
  guest.previous = nullptr;
  guest.next = guests_;
  if (guests_ != nullptr) guests_->previous = &guest;
  guests_ = &guest;
}

void Loop::dismiss(Guest& guest) noexcept {
  (guest.previous == nullptr ? guests_ : guest.previous->next) = guest.next;
  if (guest.next != nullptr) guest.next->previous = guest.previous;
  guest.previous = guest.next = nullptr;
}

// What can be seen

Loop* Loop::current() noexcept { return current_loop; }

std::size_t Loop::tasks() const noexcept { return tasks_->size() + (foreground_ != nullptr ? 1 : 0); }

std::string Loop::dump() const {
  Dump dump;
  if (foreground_ != nullptr) describe_all(dump, foreground_);
  tasks_->describe(dump);
  return std::move(dump.text);
}

}  // namespace v1
}  // namespace meari
