// Waiting for time, and not waiting too long. All of it counts the time of the loop, which a simulation makes up.
//
//   co_await sleep_for(1s);
//   Chunk data = co_await with_timeout(5s, peer.read());      // no frame, no allocation, no system timer
//   co_await with_timeout(30s, handshake(peer));              // a Task: cancelled, waited for, then timed_out
//   co_await shielded(2s, goodbye(peer));                     // runs although we were cancelled, but not for ever
//
// A timeout asks the work to end; the outcome is the truth: what succeeds while it is asked is a success. The Error is
// timed_out only when the clock came first and the work then ended as cancelled.
#pragma once

#include <chrono>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include <meari/activity.hpp>
#include <meari/loop.hpp>
#include <meari/operation.hpp>
#include <meari/result.hpp>
#include <meari/task.hpp>

namespace meari {
inline namespace v1 {

// A point in time, or so long from when the wait begins.
class Deadline {
 public:
  Deadline() noexcept = default;           // never
  Deadline(Time at) noexcept : at_(at) {}  // NOLINT: a Time is a Deadline
  template <class Rep, class Period>
  Deadline(std::chrono::duration<Rep, Period> span) noexcept  // NOLINT: so is a duration
      : at_(Time(saturated(span))), from_now_(true) {}
  static Deadline never() noexcept { return {}; }

  [[nodiscard]] bool is_never() const noexcept { return at_ == meari::never; }
  [[nodiscard]] Time from(Time now) const noexcept {
    if (!from_now_ || is_never()) return at_;
    const Duration span = at_.time_since_epoch();
    return span > meari::never - now ? meari::never : now + span;
  }

 private:
  // Durations of any unit and size; what does not fit in nanoseconds (292 years) is never.
  template <class Rep, class Period>
  static Duration saturated(std::chrono::duration<Rep, Period> span) noexcept {
    using Seconds = std::chrono::duration<double>;
    if (span <= span.zero()) return Duration::zero();
    if (std::chrono::duration_cast<Seconds>(span) >= Seconds(9.2e9)) return Duration::max();
    return std::chrono::duration_cast<Duration>(span);
  }
  Time at_ = meari::never;
  bool from_now_ = false;
};

class SleepActivity;
// What sleep_for(), sleep_until() and yield() give.
class [[nodiscard]] Sleep {
 public:
  using Activity = SleepActivity;
  explicit Sleep(Deadline given) noexcept : until(given) {}
  Deadline until;
};

class MEARI_EXPORT SleepActivity : public Activity, private Timer {
 public:
  using Value = void;
  explicit SleepActivity(Sleep&& description) noexcept : until_(description.until) {}
  bool start(Loop& loop, bool canceled) noexcept;
  Activity* request_cancel(Loop& loop) noexcept override;
  [[nodiscard]] Fate fate() noexcept { return canceled_ ? Fate::error : Fate::value; }
  void take_value() noexcept {}
  Error take_error() noexcept { return Error(Errc::canceled); }
  std::exception_ptr take_exception() noexcept { return nullptr; }
  const Activity* describe(Dump& dump) const override;

 private:
  Deadline until_;
  bool asleep_ = false;
  bool canceled_ = false;
};

// Wakes up at the given time or a little later. Fails with canceled only.
[[nodiscard]] inline Sleep sleep_until(Time at) noexcept { return Sleep(Deadline(at)); }
template <class Rep, class Period>
[[nodiscard]] Sleep sleep_for(std::chrono::duration<Rep, Period> span) noexcept {
  return Sleep(Deadline(span));
}
// Lets everybody else who is ready go first.
[[nodiscard]] inline Sleep yield() noexcept { return Sleep(Deadline(Duration::zero())); }

template <class X, bool shield>
class LimitedActivity;
// What with_timeout(), with_deadline() and shielded() give.
template <class X, bool shield>
class [[nodiscard]] Limited {
 public:
  using Activity = LimitedActivity<X, shield>;
  Limited(Deadline given, X&& inner) noexcept(std::is_nothrow_move_constructible_v<X>)
      : deadline(given), x(std::move(inner)) {}
  Deadline deadline;
  X x;
};

template <class X, bool shield>
class LimitedActivity : public Activity {
  using Inner = ActivityOf<X>;

 public:
  using Value = typename Inner::Value;
  static constexpr bool takes_turns = [] {
    if constexpr (requires { Inner::takes_turns; }) return Inner::takes_turns;
    return false;
  }();
  explicit LimitedActivity(Limited<X, shield>&& description)
      : deadline_(description.deadline), inner_(std::move(description.x)) {}

  bool start(Loop& loop, bool canceled) noexcept {
    clock_.loop = &loop;
    clock_.limited = this;
    over_.limited = this;
    inner_.tell(over_);
    if (inner_.start(loop, canceled && !shield)) return true;
    const Time at = deadline_.from(loop.now());
    if (at != never && (shield || !canceled)) loop.set(clock_, at);
    return false;
  }
  Activity* request_cancel(Loop&) noexcept override { return shield ? nullptr : &inner_; }
  [[nodiscard]] Fate fate() noexcept { return inner_.fate(); }
  Value take_value() { return inner_.take_value(); }
  Error take_error() noexcept {
    Error error = inner_.take_error();
    if (!clock_.fired || error != Errc::canceled) return error;
    const bool says_what = *error.operation() != '\0';
    return says_what ? Error(Errc::timed_out, error.operation(), error.subject()) : Error(Errc::timed_out);
  }
  std::exception_ptr take_exception() noexcept { return inner_.take_exception(); }
  const Activity* describe(Dump& dump) const override {
    dump.line(shield ? "shielded" : "with_timeout");
    return &inner_;
  }

 private:
  struct Over : Ready {
    Over() noexcept {
      run = [](Ready& ready) {
        LimitedActivity& self = *static_cast<Over&>(ready).limited;
        self.clock_.loop->unset(self.clock_);
        self.finish();
      };
    }
    LimitedActivity* limited = nullptr;
  };
  struct Alarm : Timer {
    Alarm() noexcept {
      run = [](Ready& ready) {
        Alarm& alarm = static_cast<Alarm&>(static_cast<Timer&>(ready));
        alarm.fired = true;
        cancel(*alarm.loop, &alarm.limited->inner_);
      };
    }
    bool fired = false;
    Loop* loop = nullptr;
    LimitedActivity* limited = nullptr;
  };

  Deadline deadline_;
  Over over_;
  Alarm clock_;
  Inner inner_;
};

// Asks `x` to end when the time is up; counted from when the wait begins.
template <class Rep, class Period, class X>
[[nodiscard]] auto with_timeout(std::chrono::duration<Rep, Period> span, X&& x) {
  MEARI_CHECK_AWAITABLE(X);
  return Limited<std::remove_cvref_t<X>, false>(Deadline(span), std::move(x));
}
template <class X>
[[nodiscard]] auto with_deadline(Deadline deadline, X&& x) {
  MEARI_CHECK_AWAITABLE(X);
  return Limited<std::remove_cvref_t<X>, false>(deadline, std::move(x));
}
// Keeps cancels from outside away from `x`, for clean-up; only the clock can end it.
template <class X>
[[nodiscard]] auto shielded(Deadline deadline, X&& x) {
  MEARI_CHECK_AWAITABLE(X);
  return Limited<std::remove_cvref_t<X>, true>(deadline, std::move(x));
}

}  // namespace v1
}  // namespace meari
