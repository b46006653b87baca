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
  tail_ = shown_ = room_until_ = *ring_.sq.ktail;
  enter_flags_ = IORING_ENTER_GETEVENTS;
  if ((parameters.features & feature_no_iowait) != 0) enter_flags_ |= enter_no_iowait;
  return {};
}

void Ring::close() noexcept {
  if (ring_.ring_fd < 0) return;
  io_uring_queue_exit(&ring_);
  ring_ = closed();
  aside_.clear();
  aside_shown_ = 0;
}

Error Ring::enable() noexcept {
  const int result = call("io_uring_register", [&] {
    return io_uring_register(static_cast<unsigned>(ring_.ring_fd), IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  });
  if (result < 0) fail(system_error(-result, "io_uring_register"));
  return failure_;
}

Submission& Ring::next_after_flush() noexcept {
  const auto look = [this] { room_until_ = load(ring_.sq.khead) + ring_.sq.ring_entries; };
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
    put_aside();
    static_cast<void>(enter_with(0, enter_flags_, nullptr));
    if (attempt > 2) sched_yield();
  }
}

void Ring::enter(const Wait& wait) noexcept {
  if (!aside_.empty()) return static_cast<void>(enter_with(0, enter_flags_, nullptr));  // there is something to look at
  if (wait.limit == Duration::max() || wait.least == 0) {  // no limit for the kernel to fetch
    static_cast<void>(enter_with(wait.least, enter_flags_, nullptr));
    return;
  }
  const auto left = std::max(wait.limit, Duration::zero());
  __kernel_timespec limit{};
  limit.tv_sec = left / std::chrono::seconds(1);
  limit.tv_nsec = (left % std::chrono::seconds(1)).count();
  static_cast<void>(enter_with(wait.least, enter_flags_ | IORING_ENTER_EXT_ARG, &limit));
}

// How many submissions the kernel took, or a negative error.
int Ring::enter_with(unsigned least, unsigned flags, const __kernel_timespec* limit) noexcept {
  if (failure_) return -failure_.system_code();
  show_submissions();
  store(ring_.sq.ktail, tail_);
  io_uring_getevents_arg argument{};
  argument.ts = reinterpret_cast<std::uintptr_t>(limit);
  ++enters_;
  const bool extended = limit != nullptr;
  const int result = call("io_uring_enter", [&] {
    return io_uring_enter2(static_cast<unsigned>(ring_.ring_fd), queued(), least, flags,
                           extended ? reinterpret_cast<sigset_t*>(&argument) : nullptr, extended ? sizeof argument : 0);
  });
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
    case ENOSYS: fail(system_error(-result, "io_uring_enter")); return result;
    case EAGAIN:
    case EBUSY: refused(-result); return result;
    default:
      is_refused_ = false;
      return result;  // also EINTR, ETIME: whoever waits looks at what is there and comes again
  }
}

// No memory, or completions in the way: that passes, and whoever waits comes again. Unless it does not.
void Ring::refused(int code) noexcept {
  const auto now = std::chrono::steady_clock::now();
  if (!std::exchange(is_refused_, true)) refused_since_ = now;
  if (now - refused_since_ >= longest_refusal) fail(system_error(code, "io_uring_enter"));
}

void Ring::show_submissions() noexcept {
#if defined(MEARI_TORTURE)
  for (; shown_ != tail_; ++shown_)
    if (on_submission != nullptr) on_submission(ring_.sq.sqes[shown_ & ring_.sq.ring_mask], ring_.ring_fd);
#endif
}

Completion Ring::pop_aside() noexcept {
  const Completion completion = aside_[aside_shown_++];
  if (aside_shown_ == aside_.size()) {
    aside_.clear();
    aside_shown_ = 0;
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
}

}  // namespace uring
}  // namespace v1
}  // namespace meari
