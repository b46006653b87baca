// Ring: one io_uring, as this project uses it. Submissions go in, completions come out; nothing else is known here.
//
//   Ring ring;
//   if (Error failed = ring.open({.submissions = 256, .completions = 4096})) return failed;
//   ring.enable();                                      // on the thread that will turn it, and no other
//   Submission& entry = ring.next();                    // zeroed; goes to the kernel with the next enter()
//   entry.opcode = IORING_OP_NOP;
//   ring.enter({.least = 1, .limit = never_ends});
//   ring.reap([](const Completion& completion) { … });
//
// DEFER_TASKRUN: the kernel works for this ring inside enter() only, on the thread that calls it. Between two calls
// nothing changes in the rings or in the buffers; uring_buffers.hpp makes use of that.
#pragma once

#include <liburing.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <meari/operation.hpp>

#include "src/os/system.hpp"

namespace meari {
inline namespace v1 {
namespace uring {

// What newer kernels know and liburing 2.3 does not. Each is tried out before it is relied on (uring_probe.cpp).
inline constexpr unsigned buffers_incremental = 2;       // IOU_PBUF_RING_INC, in io_uring_buf_reg's `pad`; 6.12
inline constexpr unsigned buffer_goes_on = 1U << 4;      // IORING_CQE_F_BUF_MORE
inline constexpr unsigned enter_no_iowait = 1U << 7;     // IORING_ENTER_NO_IOWAIT, 6.15: an idle ring is idle in top(1)
inline constexpr unsigned feature_no_iowait = 1U << 17;  // IORING_FEAT_NO_IOWAIT

using Submission = io_uring_sqe;

struct Completion {
  std::uint64_t tag = 0;
  std::int32_t result = 0;
  std::uint32_t flags = 0;

  [[nodiscard]] bool goes_on() const noexcept { return (flags & IORING_CQE_F_MORE) != 0; }
  [[nodiscard]] bool has_buffer() const noexcept { return (flags & IORING_CQE_F_BUFFER) != 0; }
  [[nodiscard]] std::uint16_t buffer() const noexcept {
    return static_cast<std::uint16_t>(flags >> IORING_CQE_BUFFER_SHIFT);
  }
};

// One of liburing's calls, which return -errno: so does this.
template <class Call>
MEARI_WRAPPER int call(const char* name, Call&& make) noexcept {
  const int result = sys::call(name, [&] {
    const int plain = make();
    if (plain >= 0) return plain;
    sys::set_last_error(-plain);
    return -1;
  });
  return result >= 0 ? result : -sys::last_error();
}

#if defined(MEARI_TORTURE)
// What the kernel will do and what it has done may be changed on the way: each submission once, before the kernel can see
// it, and each completion before anybody here does.
inline void (*on_submission)(Submission& entry, int ring) noexcept = nullptr;
inline void (*on_completion)(Completion& completion) noexcept = nullptr;
inline Duration longest_refusal = std::chrono::seconds(5);
#else
// A kernel that has said "again" (EAGAIN, EBUSY) for so long, and nothing else, will not serve this ring any more.
inline constexpr Duration longest_refusal = std::chrono::seconds(5);
#endif
inline Completion seen(const io_uring_cqe& entry) noexcept {
  Completion completion{entry.user_data, entry.res, entry.flags};
#if defined(MEARI_TORTURE)
  if (on_completion != nullptr) on_completion(completion);
#endif
  return completion;
}

class Ring {
 public:
  struct Sizes {
    unsigned submissions = 256;
    unsigned completions = 4096;  // multishot receives overflow the usual two to one
  };
  // How long enter() waits: for `least` completions, but not longer than `limit`. For none it does not wait.
  struct Wait {
    unsigned least = 0;
    Duration limit = Duration::max();
  };

  Ring() noexcept = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() { close(); }

  // Smaller than asked for where RLIMIT_MEMLOCK leaves no room. The system's error otherwise.
  [[nodiscard]] Error open(const Sizes& sizes) noexcept;
  void close() noexcept;
  // From here on the ring belongs to the calling thread.
  [[nodiscard]] Error enable() noexcept;

  // The kernel refuses to work for this ring, and will go on refusing: from here on nothing happens any more, every call
  // below returns at once, and no completion comes.
  [[nodiscard]] const Error& failure() const noexcept { return failure_; }
  void fail(Error error) noexcept {
    if (!failure_) failure_ = std::move(error);
    room_until_ = tail_;
    is_special_ = true;
  }

  // The next free submission. When there is none, those that wait go to the kernel first.
  [[nodiscard]] Submission& next() noexcept {
    if (tail_ == room_until_) [[unlikely]]
      return next_after_flush();
    Submission& entry = queues_.submissions[tail_ & queues_.submissions_mask];
    ++tail_;
    entry = {};
    return entry;
  }
  // Is one free without asking the kernel? Never before the first.
  [[nodiscard]] bool has_room() const noexcept { return tail_ != room_until_; }
  [[nodiscard]] unsigned queued() const noexcept { return tail_ - load(queues_.submissions_head); }
  // Hands over all that is queued, and nothing more.
  void flush() noexcept;
  // Hands over what is queued, lets the kernel do its work for this ring, and waits as told.
  [[gnu::always_inline]] void enter(const Wait& wait) noexcept {
    if (is_special_ || (wait.limit != Duration::max() && wait.least != 0)) return enter_otherwise(wait);
    static_cast<void>(enter_with(wait.least, enter_flags_, nullptr));  // no limit for the kernel to fetch
  }
  // Nothing that the kernel did is still to be seen.
  [[nodiscard]] bool all_seen() const noexcept {
    return !is_special_ && *queues_.completions_head == load(queues_.completions_tail) &&
           (load(queues_.flags) & IORING_SQ_CQ_OVERFLOW) == 0;
  }

  // What comes after the completion that is shown.
  class Following {
   public:
    explicit Following(bool more_aside) noexcept : head_(more_aside ? 1 : 0) {}
    Following(const io_uring_cqe* completions, unsigned mask, unsigned head, unsigned tail) noexcept
        : completions_(completions), mask_(mask), head_(head), tail_(tail) {}
    // Is the next one for the same? Before anything was queued. Of those that were put aside: perhaps, which does no harm.
    [[nodiscard]] bool is_for(std::uint64_t tag) const noexcept {
      return head_ != tail_ && (completions_ == nullptr || completions_[head_ & mask_].user_data == tag);
    }

   private:
    const io_uring_cqe* completions_ = nullptr;
    unsigned mask_ = 0;
    unsigned head_;
    unsigned tail_ = 0;  // the same: nothing more was there
  };

  // Shows the completions that are there, oldest first. `plain(completion, following)` takes those that concern nothing of
  // this ring, and says false to the others. These go to `other(completion, following)`, which may queue submissions, and
  // says whether there may be more now.
  template <class Plain, class Other>
  void reap(Plain&& plain, Other&& other) noexcept {
    for (bool more = true; more;) {
      if (is_special_) [[unlikely]] {
        if (!aside_.empty()) {  // what was put aside meanwhile has its turn first
          const Completion completion = pop_aside();
          const Following following(!aside_.empty());
          if (!plain(completion, following)) more = other(completion, following);
          continue;
        }
        if (failure_) return;
      }
      const io_uring_cqe* const completions = queues_.completions;
      const unsigned mask = queues_.completions_mask;
      unsigned head = *queues_.completions_head;
      const unsigned tail = load(queues_.completions_tail);
      if (head == tail) return;
      for (;;) {
        const Completion completion = seen(completions[head & mask]);
        const Following following(completions, mask, ++head, tail);
        if (!plain(completion, following)) {
          store(queues_.completions_head, head);
          more = other(completion, following);
          break;
        }
        if (head != tail) continue;
        store(queues_.completions_head, head);
        return;  // the kernel was asked for nothing meanwhile, so there is no more
      }
    }
  }
  // Shows every one of them to `shown(completion)`, which queues nothing.
  template <class Shown>
  void reap(Shown&& shown) noexcept {
    reap([&](const Completion& completion, const Following&) { return shown(completion), true; },
         [](const Completion&, const Following&) { return true; });
  }

  [[nodiscard]] int descriptor() const noexcept { return ring_.ring_fd; }
  [[nodiscard]] bool is_open() const noexcept { return ring_.ring_fd >= 0; }
  [[nodiscard]] std::uint64_t enters() const noexcept { return enters_; }  // system calls, for measuring

 private:
  static unsigned load(const unsigned* at) noexcept { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }
  static void store(unsigned* at, unsigned value) noexcept { __atomic_store_n(at, value, __ATOMIC_RELEASE); }

  Submission& next_after_flush() noexcept;
  Completion pop_aside() noexcept;
  void put_aside() noexcept;
  void enter_otherwise(const Wait& wait) noexcept;
  // How many submissions the kernel took, or a negative error.
  [[gnu::always_inline]] int enter_with(unsigned least, unsigned flags, io_uring_getevents_arg* argument) noexcept {
    show_submissions();
    store(queues_.submissions_tail, tail_);
    ++enters_;
    const int result = call("io_uring_enter", [&] {
      return io_uring_enter2(static_cast<unsigned>(queues_.descriptor), queued(), least, flags,
                             reinterpret_cast<sigset_t*>(argument), argument == nullptr ? 0 : sizeof *argument);
    });
    if (result < 0 || is_refused_) [[unlikely]]
      entered(result);
    return result;
  }
  void entered(int result) noexcept;
  void refused(int code) noexcept;
  void show_submissions() noexcept {
#if defined(MEARI_TORTURE)
    for (; shown_ != tail_; ++shown_)
      if (on_submission != nullptr)
        on_submission(queues_.submissions[shown_ & queues_.submissions_mask], queues_.descriptor);
#endif
  }

  // Where the two queues are: what every turn needs of ring_, side by side. It shares its lines of the cache with the rest of
  // what stands first, so a turn after a sleep has few of them to fetch.
  struct Queues {
    unsigned* completions_head = nullptr;
    unsigned* completions_tail = nullptr;
    const io_uring_cqe* completions = nullptr;
    unsigned* submissions_head = nullptr;
    unsigned* submissions_tail = nullptr;
    unsigned* flags = nullptr;
    Submission* submissions = nullptr;
    unsigned completions_mask = 0;
    unsigned submissions_mask = 0;
    int descriptor = -1;
  };
  Queues queues_;
  unsigned enter_flags_ = 0;
  unsigned tail_ = 0;        // submissions that were ever queued
  unsigned room_until_ = 0;  // what tail_ may become before the kernel is asked how much it has taken
  std::uint64_t enters_ = 0;
  bool is_special_ = false;  // it has failed, or something is put aside
  bool is_refused_ = false;  // by every call since
  Error failure_;
  std::vector<Completion> aside_;  // taken out of a full completion queue, still to be shown
  std::size_t aside_shown_ = 0;
  unsigned shown_ = 0;  // submissions that on_submission() has seen
  std::chrono::steady_clock::time_point refused_since_;
  io_uring ring_ = closed();
  alignas(Submission) std::byte nowhere_[sizeof(Submission)];  // where submissions go when the ring has failed

  static io_uring closed() noexcept {
    io_uring ring{};
    ring.ring_fd = -1;
    return ring;
  }
};

}  // namespace uring
}  // namespace v1
}  // namespace meari
