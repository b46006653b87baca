// Activity: something under way that a Task, a Scope or another Activity waits for.
//
// You need this page to make something awaitable; to write Tasks, task.hpp is enough.
//
// What a function like Stream::read() returns is a small movable *description*. It names its Activity, which
// `co_await` builds from it inside the coroutine's frame, where it stays until it is over. So nothing is allocated,
// and everything nests: with_timeout(5s, first_of(peer.read(), sleep_for(1s))).
//
// For an Operation of a backend the Activity is written already. This is all of Stream::read():
//
//   struct [[nodiscard]] Read {
//     using Operation = Receive;                            // what is submitted; may be a struct derived from it
//     using Value = Chunk;                                  // what co_await gives
//     using Activity = OperationActivity<Read>;
//     explicit Read(SlotId from) : slot(from) {}            // a constructor: no aggregates in a co_await (g++ 12)
//     void prepare(Receive& receive) { receive.slot = slot; }
//     static Value take(Receive& receive) { return std::move(receive.chunk); }
//     SlotId slot;
//   };
//   Read Stream::read() { return Read(slot_); }
//
// prepare() is called once, when the await begins; it may refuse by setting `error`, and then nothing is submitted.
// Optional: `static Error fail(Operation&)` to say more about a failure than the backend did.
// The description is gone afterwards: what take() needs has to stand in the operation.
//
// An Activity of your own is not final and has the functions below; they are noexcept, except take_value():
//
//   using Value = …;
//   explicit MyActivity(Description&&);
//   bool start(Loop&, bool canceled)     begins. True: over at once (only ever said here), and done_ is left alone.
//                                        `canceled`: the waiting Task was cancelled before; end as canceled, soon.
//   Activity* request_cancel(Loop&)      asks it to end soon; it may be asked several times. Returns what to ask next.
//   Fate fate()                          once it is over: which of the following three may be called, once
//   Value take_value()   Error take_error()   std::exception_ptr take_exception()
//   const Activity* describe(Dump&)      a line for dump(); returns what is below
//
// It tells that it is over with finish(), from the loop only, or by giving *done_ to loop.ready() or loop.next().
#pragma once

#include <concepts>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <meari/loop.hpp>
#include <meari/operation.hpp>
#include <meari/result.hpp>
#include <meari/version.hpp>

namespace meari {
inline namespace v1 {

enum class Fate : std::uint8_t { value, error, exception };

// The text of Loop::dump() while it is written.
struct MEARI_EXPORT Dump {
  std::string text;
  int depth = 0;
  void line(std::string_view what);
};

class MEARI_EXPORT Activity {
 public:
  Activity(const Activity&) = delete;
  Activity& operator=(const Activity&) = delete;

  // Who is told. Set before start().
  void tell(Ready& done) noexcept { done_ = &done; }
  [[nodiscard]] Ready& done() const noexcept { return *done_; }

  virtual Activity* request_cancel(Loop& loop) noexcept = 0;
  virtual const Activity* describe(Dump& dump) const = 0;

 protected:
  Activity() noexcept = default;
  virtual ~Activity() = default;
  void finish() { done_->run(*done_); }

  Ready* done_ = nullptr;
};

// Asks `activity` and all below it to end. Chains are walked in a loop: a hundred thousand nested Tasks are no matter.
inline void cancel(Loop& loop, Activity* activity) noexcept {
  while (activity != nullptr) activity = activity->request_cancel(loop);
}
void describe_all(Dump& dump, const Activity* activity);

template <class Description>
class OperationActivity : public Activity, private Description::Operation {
 public:
  using Value = typename Description::Value;
  using Request = typename Description::Operation;
  static constexpr bool takes_turns = requires { Description::takes_turns; };
  static constexpr bool done_is_success = true;  // a failure is always pending (rule 1 of operation.hpp)

  explicit OperationActivity(Description&& description) { std::move(description).prepare(request()); }

  [[gnu::always_inline]] bool start(Loop& loop, bool canceled) noexcept {
    return begin(loop, canceled) == Submitted::done;
  }
  Activity* request_cancel(Loop& loop) noexcept override {
    if (request().state == Operation::State::pending) loop.backend().cancel(request());
    return nullptr;
  }
  [[nodiscard]] Fate fate() noexcept { return request().error ? Fate::error : Fate::value; }
  Value take_value() { return Description::take(request()); }
  Error take_error() noexcept {
    if constexpr (requires { Description::fail(request()); }) {
      return Description::fail(request());
    } else {
      return std::move(request().error);
    }
  }
  std::exception_ptr take_exception() noexcept { return nullptr; }
  const Activity* describe(Dump& dump) const override {
    static constexpr std::string_view names[] = {"receive", "send",         "finish",  "accept",
                                                 "connect", "receive_from", "send_to", "readiness"};
    dump.line(names[static_cast<int>(static_cast<const Request&>(*this).kind)]);
    return nullptr;
  }

  [[nodiscard]] SlotId slot() const noexcept { return static_cast<const Request&>(*this).slot; }

 protected:
  // What start() does, and what the backend said.
  [[gnu::always_inline]] Submitted begin(Loop& loop, bool canceled) noexcept {
    Request& request = this->request();
    request.run = &completed;
    if (canceled || request.error) [[unlikely]]
      return refuse(loop, canceled);
    return loop.backend().submit(request);
  }

 private:
  [[gnu::noinline]] Submitted refuse(Loop& loop, bool canceled) noexcept {
    Request& request = this->request();
    if (canceled) request.error = Errc::canceled;
    request.state = Operation::State::completed;
    loop.ready(request);
    return Submitted::pending;
  }
  Request& request() noexcept { return *this; }
  static void completed(Ready& ready) { static_cast<OperationActivity&>(static_cast<Request&>(ready)).finish(); }
};

// An Activity that is over before it begins: what `co_await` makes of a Result or an Error.
template <class T>
class ResultActivity : public Activity {
 public:
  using Value = T;
  static constexpr bool instant = true;  // costs nothing, so nobody has to queue for it

  explicit ResultActivity(Result<T>&& result) noexcept(std::is_nothrow_move_constructible_v<Result<T>>)
      : result_(std::move(result)) {}
  bool start(Loop&, bool) noexcept { return true; }
  Activity* request_cancel(Loop&) noexcept override { return nullptr; }
  [[nodiscard]] Fate fate() noexcept { return result_ ? Fate::value : Fate::error; }
  Value take_value() {
    if constexpr (!std::is_void_v<T>) return *std::move(result_);
  }
  Error take_error() noexcept { return result_.error(); }
  std::exception_ptr take_exception() noexcept { return nullptr; }
  const Activity* describe(Dump&) const override { return nullptr; }

 private:
  Result<T> result_;
};

// Which Activity a description has.
template <class X>
struct ActivityFor {};
template <class X>
  requires requires { typename X::Activity; }
struct ActivityFor<X> {
  using type = typename X::Activity;
};
template <class T>
struct ActivityFor<Result<T>> {
  using type = ResultActivity<T>;
};
template <>
struct ActivityFor<Error> {
  using type = ResultActivity<void>;
};
template <class X>
using ActivityOf = typename ActivityFor<X>::type;

// What a Task can wait for.
template <class X>
concept Awaitable = requires { typename ActivityFor<std::remove_cvref_t<X>>::type; };
template <class X>
using ValueOf = typename ActivityOf<std::remove_cvref_t<X>>::Value;

// The sentence for those who write `co_await task`.
template <class X>
inline constexpr bool is_temporary = !std::is_lvalue_reference_v<X> && !std::is_const_v<std::remove_reference_t<X>>;

#define MEARI_CHECK_AWAITABLE(X)                                                                                   \
  static_assert(::meari::Awaitable<X>,                                                                             \
                "a Task waits for what meari gives: Task, Result, fail(), read(), sleep_for(), with_timeout() …"); \
  static_assert(                                                                                                   \
      ::meari::is_temporary<X>,                                                                                    \
      "this is awaited once and then gone: write `co_await std::move(it)`, or make it in the same expression")

template <class X, bool keep>
class LookedAtActivity;

// A description whose failure does not end the Task. Made by as_result() and ignore_error().
template <class X, bool keep>
class [[nodiscard]] LookedAt {
 public:
  using Activity = LookedAtActivity<X, keep>;
  explicit LookedAt(X&& given) noexcept(std::is_nothrow_move_constructible_v<X>) : x(std::move(given)) {}
  X x;
};

template <class X, bool keep>
class LookedAtActivity : public ActivityOf<X> {
  using Inner = ActivityOf<X>;
  using InnerValue = typename Inner::Value;

 public:
  using Value = std::conditional_t<keep, Result<InnerValue>, void>;
  explicit LookedAtActivity(LookedAt<X, keep>&& description) : Inner(std::move(description.x)) {}
  [[nodiscard]] Fate fate() noexcept { return Inner::fate() == Fate::exception ? Fate::exception : Fate::value; }
  Value take_value() {
    if (Inner::fate() == Fate::error) return Value(Inner::take_error());
    if constexpr (!keep || std::is_void_v<InnerValue>) {
      static_cast<void>(Inner::take_value());
      return Value();
    } else {
      return Value(Inner::take_value());
    }
  }
};

//   Result<Chunk> r = co_await as_result(peer.read());
// A failure does not end the Task but is the value. Exceptions still pass.
template <class X>
LookedAt<std::remove_cvref_t<X>, true> as_result(X&& x) {
  MEARI_CHECK_AWAITABLE(X);
  return LookedAt<std::remove_cvref_t<X>, true>(std::move(x));
}
//   co_await ignore_error(peer.finish());
// For clean-up whose failure changes nothing. Exceptions still pass.
template <class X>
LookedAt<std::remove_cvref_t<X>, false> ignore_error(X&& x) {
  MEARI_CHECK_AWAITABLE(X);
  return LookedAt<std::remove_cvref_t<X>, false>(std::move(x));
}

}  // namespace v1
}  // namespace meari
