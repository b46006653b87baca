#include "src/backend/uring_ring.hpp"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <new>
#include <utility>

#include "src/os/memory.hpp"

namespace meari {
inline namespace v1 {
namespace uring {

namespace {
// SUBMIT_ALL: one bad submission does not hold back those behind it. R_DISABLED: whoever calls enable() is the single
// issuer, not whoever opens. Not TASKRUN_FLAG: for news the kernel would write, on whichever processor it came, to the line
// of memory that both queues have their heads and tails in.
constexpr unsigned setup_flags = IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_SUBMIT_ALL |
                                 IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
constexpr unsigned least_submissions = 16;
constexpr unsigned needed_features = IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE | IORING_FEAT_EXT_ARG;
}  // namespace

Error Ring::open(const Sizes& sizes) noexcept {
  unsigned submissions = std::max(sizes.submissions, least_submissions);
  unsigned completions = std::max(sizes.completions, submissions);
  io_uring_params parameters{};
  int result = 0;
  for (;;) {
    parameters = {};
    parameters.flags = setup_flags;
    parameters.cq_entries = completions;
    result = call("io_uring_setup", [&] { return io_uring_queue_init_params(submissions, &ring_, &parameters); });
    if (result != -ENOMEM || submissions == least_submissions) break;
    submissions = std::max(submissions / 2, least_submissions);  // RLIMIT_MEMLOCK counts these pages
    completions = std::max(completions / 2, submissions);
  }
  if (result < 0) {
    ring_ = closed();
    return system_error(-result, "io_uring_setup");
  }
  if ((parameters.features & needed_features) != needed_features) {
    close();
    return system_error(EINVAL, "io_uring_setup");
  }
  for (unsigned i = 0; i < parameters.sq_entries; ++i) ring_.sq.array[i] = i;  // each place holds its own submission
  queues_ = {.completions_head = ring_.cq.khead,
             .completions_tail = ring_.cq.ktail,
             .completions = ring_.cq.cqes,
             .submissions_head = ring_.sq.khead,
             .submissions_tail = ring_.sq.ktail,
             .flags = ring_.sq.kflags,
             .submissions = ring_.sq.sqes,
             .completions_mask = ring_.cq.ring_mask,
             .submissions_mask = ring_.sq.ring_mask,
             .descriptor = ring_.ring_fd};
  tail_ = shown_ = room_until_ = *ring_.sq.ktail;
  enter_flags_ = IORING_ENTER_GETEVENTS;
  if ((parameters.features & feature_no_iowait) != 0) enter_flags_ |= enter_no_iowait;
  return {};
}

void Ring::close() noexcept {
  if (ring_.ring_fd < 0) return;
  io_uring_queue_exit(&ring_);
  ring_ = closed();
  queues_ = {};
  aside_.clear();
  aside_shown_ = 0;
  is_special_ = static_cast<bool>(failure_);
}

Error Ring::enable() noexcept {
  const int result = call("io_uring_register", [&] {
    return io_uring_register(static_cast<unsigned>(ring_.ring_fd), IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  });
  if (result < 0) fail(system_error(-result, "io_uring_register"));
  return failure_;
}

Submission& Ring::next_after_flush() noexcept {
  const auto look = [this] { room_until_ = load(queues_.submissions_head) + ring_.sq.ring_entries; };
  if (!failure_) look();
  if (!failure_ && tail_ == room_until_) {
    flush();
    if (!failure_) look();
  }
  if (failure_) return *::new (static_cast<void*>(nowhere_)) Submission{};
  return next();
}

// Should the kernel take nothing, then completions are in its way, or memory is short: both pass.
void Ring::flush() noexcept {
  for (int attempt = 0; !failure_ && queued() != 0; ++attempt) {
    if (enter_with(0, 0, nullptr) > 0) continue;
    if (failure_) return;
    put_aside();
    static_cast<void>(enter_with(0, enter_flags_, nullptr));
    if (attempt > 2) sched_yield();
  }
}

// With a limit, or where something is special.
void Ring::enter_otherwise(const Wait& wait) noexcept {
  if (failure_) return;
  if (!aside_.empty() || wait.limit == Duration::max() || wait.least == 0) {
    static_cast<void>(enter_with(aside_.empty() ? wait.least : 0, enter_flags_, nullptr));
    return;
  }
  const auto left = std::max(wait.limit, Duration::zero());
  __kernel_timespec limit{};
  limit.tv_sec = left / std::chrono::seconds(1);
  limit.tv_nsec = (left % std::chrono::seconds(1)).count();
  io_uring_getevents_arg argument{};
  argument.ts = reinterpret_cast<std::uintptr_t>(&limit);
  static_cast<void>(enter_with(wait.least, enter_flags_ | IORING_ENTER_EXT_ARG, &argument));
}

// It did not take all that it might have, or had refused before.
void Ring::entered(int result) noexcept {
  switch (-result) {
    case EEXIST: broken("a loop was turned by a second thread");
    // These do not pass: a filter forbids it, the descriptor is no ring of ours any more, or (EBADR) there was no memory
    // for completions and some are lost, nobody knows which.
    case EBADR:
    case EBADF:
    case EBADFD:
    case EFAULT:
    case EINVAL:
    case EOPNOTSUPP:
    case ENXIO:
    case EPERM:
    case EACCES:
    case ENOSYS: return fail(system_error(-result, "io_uring_enter"));
    case EAGAIN:
    case EBUSY: return refused(-result);
    default: is_refused_ = false;  // also EINTR, ETIME: whoever waits looks at what is there and comes again
  }
}

// No memory, or completions in the way: that passes, and whoever waits comes again. Unless it does not.
void Ring::refused(int code) noexcept {
  const auto now = std::chrono::steady_clock::now();
  if (!std::exchange(is_refused_, true)) refused_since_ = now;
  if (now - refused_since_ >= longest_refusal) fail(system_error(code, "io_uring_enter"));
}

Completion Ring::pop_aside() noexcept {
  const Completion completion = aside_[aside_shown_++];
  if (aside_shown_ == aside_.size()) {
    aside_.clear();
    aside_shown_ = 0;
    is_special_ = static_cast<bool>(failure_);
  }
  return completion;
}

// As many as there is memory for: the others stay where they are, and the kernel keeps what it has no room for.
void Ring::put_aside() noexcept {
  unsigned head = *ring_.cq.khead;
  const unsigned tail = load(ring_.cq.ktail);
  const auto make_room = [this]() -> Result<> {
    aside_.reserve(std::max(2 * aside_.capacity(), std::size_t{ring_.cq.ring_entries}));
    return {};
  };
  for (; head != tail; ++head) {
    if (aside_.size() == aside_.capacity() && !os::in_memory(make_room)) break;
    aside_.push_back(seen(ring_.cq.cqes[head & ring_.cq.ring_mask]));
  }
  store(ring_.cq.khead, head);
  if (!aside_.empty()) is_special_ = true;
}

}  // namespace uring
}  // namespace v1
}  // namespace meari
