#include <meari/task.hpp>

#include <string>

#include <meari/deadline.hpp>
#include <meari/scope.hpp>

namespace meari {
inline namespace v1 {

// Failures

TaskFailure failure_of(std::exception_ptr exception) noexcept {
#if defined(__cpp_exceptions)
  if (exception) {
    try {
      std::rethrow_exception(exception);
    } catch (const std::bad_alloc&) {
    } catch (...) {
      return {Error(), std::move(exception)};
    }
  }
#endif
  return {Error(Errc::out_of_memory), nullptr};
}

// Dumps

void Dump::line(std::string_view what) {
  text.append(2 * static_cast<std::size_t>(depth), ' ').append(what).push_back('\n');
}

void describe_all(Dump& dump, const Activity* activity) {
  const int depth = dump.depth;
  for (; activity != nullptr; ++dump.depth) activity = activity->describe(dump);
  dump.depth = depth;
}

const Activity* TaskState::describe(Dump& dump) const {
  if (where_.line() == 0) {
    dump.line(phase_ == Phase::running ? "a task that begins" : "a task");
    return awaiting_;
  }
  std::string text = where_.function_name();
  text.append(" at ").append(where_.file_name()).append(":").append(std::to_string(where_.line()));
  if (canceled_) text.append(", cancelled");
  if (awaiting_ == nullptr) text.append(", ready");
  dump.line(text);
  return awaiting_;
}

// Scope

Scope::~Scope() {
  if (size_ != 0) broken("a Scope was destroyed while Tasks run in it");
}

void Scope::enter(Child& child) noexcept {
  child.following = first_;
  if (first_ != nullptr) first_->previous = &child;
  first_ = &child;
  ++size_;
  child.task->prepare(*loop_, child, canceled_);
  loop_->ready(*child.task);
}

TaskFailure Scope::leave(Child& child) noexcept {
  TaskFailure failure{child.task->take_error(), child.task->take_exception()};
  child.task->destroy();
  (child.previous == nullptr ? first_ : child.previous->following) = child.following;
  if (child.following != nullptr) child.following->previous = child.previous;
  --size_;
  return failure;
}

void Scope::child_over(TaskFailure failure) noexcept {
  if (failure.error || failure.exception) {
    if (!handler_) fail(std::move(failure));
    else if (!(canceled_ && failure.error == Errc::canceled)) call_back(handler_, failure);
  }
  finish_if_over();
}

void Scope::body_over() noexcept {
  TaskState& body = *std::exchange(body_, nullptr);
  body_over_ = true;
  if (body.fate() != Fate::value) fail({body.take_error(), body.take_exception()});
  finish_if_over();
}

void Scope::fail(TaskFailure failure) noexcept {
  if (failure.error == Errc::canceled && canceled_ && !from_outside_) return;  // we asked for it
  if (failure.exception) {
    if (!failure_.exception) failure_.exception = std::move(failure.exception);
  } else if (!failure_.error) {
    failure_.error = std::move(failure.error);
  }
  cancel_all();
}

void Scope::cancel() noexcept { cancel_all(); }

void Scope::cancel_all() noexcept {
  canceled_ = true;
  if (body_ != nullptr) meari::cancel(*loop_, body_->request_cancel());
  for (Child* child = first_; child != nullptr; child = child->following)
    meari::cancel(*loop_, child->task->request_cancel());
}

void Scope::finish_if_over() noexcept {
  if (done_ != nullptr && body_over_ && size_ == 0) loop_->next(*done_);
}

void Scope::describe(Dump& dump) const {
  const bool named = done_ != nullptr;  // the loop's own needs no line
  if (named) {
    dump.line("scoped, with " + std::to_string(size_) + (size_ == 1 ? " child" : " children"));
    ++dump.depth;
  }
  if (body_ != nullptr) {
    const Activity* below = body_->describe(dump);
    ++dump.depth;
    describe_all(dump, below);
    --dump.depth;
  }
  for (const Child* child = first_; child != nullptr; child = child->following) {
    const Activity* below = child->task->describe(dump);
    ++dump.depth;
    describe_all(dump, below);
    --dump.depth;
  }
  if (named) --dump.depth;
}

// Time

bool SleepActivity::start(Loop& loop, bool canceled) noexcept {
  run = [](Ready& ready) {
    SleepActivity& self = static_cast<SleepActivity&>(static_cast<Timer&>(ready));
    self.asleep_ = false;
    self.finish();
  };
  const Time wake = until_.from(loop.now());
  canceled_ = canceled;
  asleep_ = !canceled && wake > loop.now();
  if (!asleep_) loop.ready(*done_);
  else if (wake != never) loop.set(*this, wake);
  return false;
}

Activity* SleepActivity::request_cancel(Loop& loop) noexcept {
  if (!std::exchange(asleep_, false)) return nullptr;
  loop.unset(*this);
  canceled_ = true;
  loop.ready(*done_);
  return nullptr;
}

const Activity* SleepActivity::describe(Dump& dump) const {
  dump.line("sleep");
  return nullptr;
}

}  // namespace v1
}  // namespace meari
