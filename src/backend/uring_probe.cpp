#include "src/backend/uring_probe.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <new>
#include <string_view>

#include "src/backend/uring_ring.hpp"
#include "src/os/system.hpp"

namespace meari {
inline namespace v1 {
namespace uring {

namespace {

constexpr unsigned entries = 2;
constexpr std::uint32_t buffer_bytes = 4096;

// One ring, one pair of sockets and two buffers; each question is a step that answers yes or no.
class Trial {
 public:
  ~Trial() {
    ring_.close();
    for (const int end : ends_)
      if (end >= 0) sys::close(end);
    if (memory_ != nullptr) ::operator delete(memory_, page);
  }

  Error open() noexcept {
    if (Error error = ring_.open({.submissions = 16, .completions = 64})) return error;
    if (Error error = ring_.enable()) return error;
    if (sys::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_.data()) != 0)
      return system_error(sys::last_error(), "socketpair");
    memory_ = static_cast<std::byte*>(::operator new(page_bytes + entries * buffer_bytes, page, std::nothrow));
    if (memory_ == nullptr) return Errc::out_of_memory;
    return {};
  }

  // Does an operation go through at all? A filter may allow the calls and forbid what they do.
  Error nothing() noexcept {
    ring_.next().opcode = IORING_OP_NOP;
    const Completion done = one();
    return done.result == 0 ? Error() : system_error(-done.result, "io_uring_enter");
  }

  Error add_buffers(bool incremental) noexcept {
    std::memset(memory_, 0, page_bytes);
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory_);
    registration.ring_entries = entries;
    registration.pad = incremental ? buffers_incremental : 0;
    const int result = call("io_uring_register", [&] {
      return io_uring_register(static_cast<unsigned>(ring_.descriptor()), IORING_REGISTER_PBUF_RING, &registration, 1);
    });
    if (result < 0) return system_error(-result, "io_uring_register");
    for (unsigned i = 0; i < entries; ++i) {
      entry(i).addr = reinterpret_cast<std::uintptr_t>(buffer(i));
      entry(i).len = buffer_bytes;
      entry(i).bid = static_cast<std::uint16_t>(i);
    }
    __atomic_store_n(&buffers()->tail, static_cast<std::uint16_t>(entries), __ATOMIC_RELEASE);
    return {};
  }
  void remove_buffers() noexcept {
    io_uring_buf_reg registration{};
    static_cast<void>(call("io_uring_register", [&] {
      return io_uring_register(static_cast<unsigned>(ring_.descriptor()), IORING_UNREGISTER_PBUF_RING, &registration,
                               1);
    }));
  }

  // A receive that lets the kernel choose the buffer, once. And: does it go by an entry that was changed later?
  Error floor(bool& rewinds) noexcept {
    if (Error error = add_buffers(false)) return error;
    say("floor");
    arm(IORING_RECVSEND_POLL_FIRST, {});
    const Completion first = one();
    const bool good =
        first.result == 5 && first.has_buffer() && !first.goes_on() && first.buffer() == 0 && holds(0, "floor");
    if (!good) return system_error(first.result < 0 ? -first.result : EINVAL, "io_uring_enter");
    entry(1).addr = reinterpret_cast<std::uintptr_t>(buffer(0) + 64);
    entry(1).len = 5;
    say("moved");
    arm(IORING_RECVSEND_POLL_FIRST, {});
    rewinds = one().result == 5 && holds(64, "moved");
    remove_buffers();
    return {};
  }

  // Twelve bytes: five, five more in the same buffer, and then the receive ends by itself, because its credit is used up.
  bool current() noexcept {
    if (add_buffers(true)) return false;
    say("first, secon");
    arm(IORING_RECV_MULTISHOT, {.each = 5, .all = 6});
    const Completion first = one();
    if (first.result != 5 || !first.goes_on() || !first.has_buffer() || first.buffer() != 0) return false;
    if ((first.flags & buffer_goes_on) == 0 || !holds(0, "first")) return false;
    const Completion second = one();
    if (second.result != 5 || second.goes_on() || !second.has_buffer() || second.buffer() != 0) return false;
    return (second.flags & buffer_goes_on) != 0 && holds(5, ", sec");
  }

  // After current(): is a changed entry what the kernel goes by, and may it be moved back?
  bool current_rewinds() noexcept {
    entry(0).addr = reinterpret_cast<std::uintptr_t>(buffer(0));
    entry(0).len = 3;
    arm(IORING_RECV_MULTISHOT, {.each = 100, .all = 7});
    const Completion first = one();  // what current() left
    if (first.result != 2 || first.buffer() != 0 || (first.flags & buffer_goes_on) == 0 || !holds(0, "on"))
      return false;
    say("again");
    const Completion second = one();
    if (second.result != 1 || second.buffer() != 0 || (second.flags & buffer_goes_on) != 0 || !holds(2, "a"))
      return false;
    const Completion third = one();
    return third.result == 4 && third.buffer() == 1 && std::memcmp(buffer(1), "gain", 4) == 0;
  }

 private:
  static constexpr std::size_t page_bytes = 4096;
  static constexpr std::align_val_t page{page_bytes};

  io_uring_buf_ring* buffers() noexcept { return reinterpret_cast<io_uring_buf_ring*>(memory_); }
  io_uring_buf& entry(unsigned i) noexcept { return buffers()->bufs[i]; }
  std::byte* buffer(unsigned i) noexcept { return memory_ + page_bytes + i * buffer_bytes; }
  bool holds(std::size_t at, std::string_view text) noexcept {
    return std::memcmp(buffer(0) + at, text.data(), text.size()) == 0;
  }

  void say(std::string_view text) noexcept {
    while (!text.empty() && !mute_) {
      const std::ptrdiff_t sent = sys::send(ends_[1], text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent >= 0) text.remove_prefix(static_cast<std::size_t>(sent));
      else mute_ = sys::last_error() != EINTR;
    }
  }

  struct Credit {
    unsigned each = 0;
    unsigned all = 0;
  };
  void arm(unsigned how, Credit credit) noexcept {
    Submission& receive = ring_.next();
    receive.opcode = IORING_OP_RECV;
    receive.fd = ends_[0];
    receive.flags = IOSQE_BUFFER_SELECT;
    receive.ioprio = static_cast<std::uint16_t>(how);
    receive.len = credit.each;
    receive.file_index = credit.all;  // `optlen`
  }

  // The next completion; ETIME when there is none within a second.
  Completion one() noexcept {
    Completion found{0, -ETIME, 0};
    bool any = seen_ < kept_count_;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    while (!any && !mute_ && !ring_.failure() && std::chrono::steady_clock::now() < end) {
      ring_.enter({.least = 1, .limit = std::chrono::milliseconds(100)});
      kept_count_ = seen_ = 0;
      ring_.reap([&](const Completion& completion) {
        if (kept_count_ < kept_.size()) kept_[kept_count_++] = completion;
      });
      any = kept_count_ != 0;
    }
    if (any) found = kept_[seen_++];
    return found;
  }

  Ring ring_;
  bool mute_ = false;  // nothing could be sent, so there is nothing to wait for
  std::array<int, 2> ends_{-1, -1};
  std::byte* memory_ = nullptr;
  std::array<Completion, 8> kept_{};
  std::size_t kept_count_ = 0;
  std::size_t seen_ = 0;
};

}  // namespace

Abilities probe_now() noexcept {
  Abilities found;
  Trial trial;
  if (found.refused = trial.open(); found.refused) return found;
  if (found.refused = trial.nothing(); found.refused) return found;
  if (found.refused = trial.floor(found.floor_rewinds); found.refused) return found;
  found.current = trial.current();
  found.current_rewinds = found.current && trial.current_rewinds();
  return found;
}

Abilities probe() {
  static std::mutex mutex;
  static Abilities kept;
  static bool known = false;
  const std::lock_guard lock(mutex);
  if (known) return kept;
  kept = probe_now();
  // A shortage passes, and so does what was only interrupted: the next one who asks tries again.
  const int code = kept.refused.system_code();
  known = !kept.refused || code == EPERM || code == ENOSYS || code == EINVAL;
  return kept;
}

}  // namespace uring
}  // namespace v1
}  // namespace meari
