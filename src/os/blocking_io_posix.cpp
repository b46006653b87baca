#include "blocking_io.hpp"

#include <sys/stat.h>
#include <algorithm>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "native.hpp"
#include "system.hpp"

namespace meari::os {

namespace {

// A call moves at most this much, so that whoever interrupts a thread that writes a file waits for no more.
constexpr std::size_t most_bytes = std::size_t{64} << 10;
// A pipe that is writable takes so much without waiting (pipe(7)); a terminal says "writable" with little room left.
constexpr std::size_t careful_pipe_bytes = PIPE_BUF;
constexpr std::size_t careful_bytes = 256;

}  // namespace

Descriptor standard_descriptor(Standard stream) noexcept { return static_cast<int>(stream); }

Medium medium_of(Descriptor descriptor, Direction direction) noexcept {
  const int flags = sys::fcntl(descriptor, F_GETFL, 0);
  if (flags < 0) return Medium::none;
  // nohup gives its child a standard input that is open for writing only.
  const int mode = flags & O_ACCMODE;
  if (mode != O_RDWR && mode != (direction == Direction::read ? O_RDONLY : O_WRONLY)) return Medium::none;
  struct stat facts{};
  if (sys::fstat(descriptor, &facts) != 0) return Medium::none;
  if (S_ISREG(facts.st_mode) || S_ISBLK(facts.st_mode)) return Medium::file;
  if (S_ISDIR(facts.st_mode)) return Medium::directory;
  if (S_ISFIFO(facts.st_mode)) return Medium::pipe;
  if (S_ISSOCK(facts.st_mode)) return Medium::socket;
  if (::isatty(sys::plain(descriptor)) != 0) return Medium::terminal;
  struct stat null{};
  if (::stat("/dev/null", &null) == 0 && facts.st_rdev == null.st_rdev) return Medium::null_device;
  return Medium::device;
}

void occupy_standard_descriptors() noexcept {
  // open(2) gives the lowest free number, and that is the one that we look at.
  for (int number = 0; number <= 2; ++number)
    if (sys::fcntl(number, F_GETFD, 0) < 0 && sys::last_error() == EBADF)
      static_cast<void>(sys::open("/dev/null", number == 0 ? O_WRONLY : O_RDONLY));
}

BlockingIo::BlockingIo(Descriptor descriptor, Direction direction, Ownership ownership) noexcept
    // A number that is not in use now will soon be somebody else's. (Any other failure is no reason not to close it.)
    : descriptor_(sys::fcntl(descriptor, F_GETFD, 0) < 0 && sys::last_error() == EBADF ? no_descriptor : descriptor),
      direction_(direction),
      ownership_(ownership),
      medium_(medium_of(descriptor, direction)) {}

BlockingIo::~BlockingIo() {
  static_cast<void>(let_go());
  if (wake_ != no_descriptor) sys::close(wake_);
}

Error BlockingIo::prepare() noexcept {
  wake_ = sys::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_ < 0) return system_error(sys::last_error(), "start a helper thread");
  if (medium_ == Medium::pipe || medium_ == Medium::socket || medium_ == Medium::device ||
      medium_ == Medium::null_device)
    way_ = Way::nowait;
  if (medium_ == Medium::terminal) way_ = open_privately() ? Way::private_opening : Way::careful;
  return {};
}

// The link in /proc leads to the very same terminal, also where its name is not reachable. It is refused when the terminal
// belongs to somebody else (after su).
bool BlockingIo::open_privately() noexcept {
  char path[48];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", sys::plain(descriptor_));
  const int mode = direction_ == Direction::read ? O_RDONLY : O_WRONLY;
  private_ = sys::open(path, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  return private_ >= 0;
}

void BlockingIo::enter() noexcept {
  // All but those that a thread causes itself, and those with which a shell stops a job that wants its terminal.
  // SIGPIPE and SIGXFSZ are among the blocked ones: write(2) then says EPIPE or EFBIG, and that is all.
  sigset_t blocked;
  sigfillset(&blocked);
  for (const int number :
       {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF, SIGTTIN, SIGTTOU, SIGTSTP})
    sigdelset(&blocked, number);
  pthread_sigmask(SIG_SETMASK, &blocked, nullptr);
}

Error BlockingIo::wait() noexcept {
  pollfd entries[2] = {};
  entries[0].fd = sys::plain(private_ >= 0 ? private_ : descriptor_);
  entries[0].events = direction_ == Direction::read ? POLLIN : POLLOUT;
  entries[1].fd = sys::plain(wake_);
  entries[1].events = POLLIN;
  while (sys::poll(entries, 2, -1) < 0) {
    if (sys::last_error() != EINTR) return system_error(sys::last_error(), "wait");
    if (interrupted_.load(std::memory_order_relaxed)) break;  // also while signals keep interrupting it
    entries[0].revents = entries[1].revents = 0;
  }
  if (entries[1].revents == 0 && !interrupted_.load(std::memory_order_relaxed)) return {};
  std::uint64_t count = 0;
  static_cast<void>(sys::read(wake_, &count, sizeof count));
  interrupted_.store(false, std::memory_order_relaxed);
  return Errc::interrupted;
}

Error BlockingIo::disappointed(int& times, int code) noexcept {
  if (code == EINTR) return {};
  if (code == EAGAIN || code == EWOULDBLOCK) {
    // Something that is always called ready and never is must not keep a processor busy.
    constexpr int patience = 4;
    if (++times > patience) {
      pollfd entry{.fd = sys::plain(wake_), .events = POLLIN, .revents = 0};
      static_cast<void>(sys::poll(&entry, 1, 10));
    }
    return wait();
  }
  if (way_ == Way::nowait && (code == EOPNOTSUPP || code == ENOSYS || code == EINVAL)) {
    way_ = medium_ == Medium::pipe && open_privately() ? Way::private_opening : Way::careful;
    return {};
  }
  return system_error(code, "");
}

Result<std::size_t> BlockingIo::read(std::span<std::byte> buffer) noexcept {
  if (medium_ == Medium::none) return Errc::closed;
  const std::size_t size = std::min(buffer.size(), most_bytes);
  for (int times = 0;;) {
    if (interrupted_.load(std::memory_order_relaxed) || way_ == Way::careful)
      if (Error error = wait()) return error;
    std::ptrdiff_t taken = 0;
    if (way_ == Way::nowait) {
      iovec piece{buffer.data(), size};
      taken = sys::preadv2(descriptor_, &piece, 1, RWF_NOWAIT);
    } else {
      taken = sys::read(private_ >= 0 ? private_ : descriptor_, buffer.data(), size);
    }
    if (taken >= 0) return static_cast<std::size_t>(taken);
    const int code = sys::last_error();
    if (code == EIO && medium_ == Medium::terminal) return std::size_t{0};  // it has hung up
    if (Error error = disappointed(times, code)) return error;
  }
}

Result<std::size_t> BlockingIo::write(std::span<const std::byte> bytes) noexcept {
  if (medium_ == Medium::none) return Errc::closed;
  std::size_t size = std::min(bytes.size(), most_bytes);
  for (int times = 0;;) {
    if (interrupted_.load(std::memory_order_relaxed) || way_ == Way::careful)
      if (Error error = wait()) return error;
    std::ptrdiff_t given = 0;
    if (way_ == Way::nowait) {
      iovec piece{const_cast<std::byte*>(bytes.data()), size};
      given = sys::pwritev2(descriptor_, &piece, 1, RWF_NOWAIT);
    } else if (way_ == Way::careful) {
      // From memory of our own: should this call not return in time, nobody has to wait for it.
      std::byte little[careful_pipe_bytes];
      size = std::min(size, medium_ == Medium::pipe ? careful_pipe_bytes : careful_bytes);
      std::memcpy(little, bytes.data(), size);
      given = sys::write(descriptor_, little, size);
    } else {
      given = sys::write(private_ >= 0 ? private_ : descriptor_, bytes.data(), size);
    }
    if (given >= 0) return static_cast<std::size_t>(given);
    if (Error error = disappointed(times, sys::last_error())) return error;
  }
}

std::size_t BlockingIo::write_at_once(std::span<const std::byte> bytes) noexcept {
  if (way_ != Way::nowait && way_ != Way::private_opening) return 0;
  // SIGPIPE goes to the thread that writes, at once: held back, taken out when it came, and let in again. One that waited
  // before stays as it was.
  sigset_t pipe, before, pending;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, &before);
  sigpending(&pending);
  iovec piece{const_cast<std::byte*>(bytes.data()), std::min(bytes.size(), most_bytes)};
  const std::ptrdiff_t given = way_ == Way::nowait ? sys::pwritev2(descriptor_, &piece, 1, RWF_NOWAIT)
                                                   : sys::write(private_, piece.iov_base, piece.iov_len);
  if (given < 0 && sys::last_error() == EPIPE && sigismember(&pending, SIGPIPE) == 0) {
    const timespec no_time{};
    while (sigtimedwait(&pipe, nullptr, &no_time) < 0 && errno == EINTR) {}
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return given < 0 ? 0 : static_cast<std::size_t>(given);
}

Error BlockingIo::finish() noexcept {
  const Descriptor descriptor = descriptor_;
  const bool standard = medium_ != Medium::none && ownership_ == Ownership::borrowed &&
                        (descriptor == STDOUT_FILENO || descriptor == STDERR_FILENO);
  if (!standard) return let_go();
  // Its number stays taken, and writing to it fails. The last close is ours, because it may have an error to tell.
  const Descriptor last = sys::fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
  const Descriptor nothing = sys::open("/dev/null", O_RDONLY | O_CLOEXEC);
  const bool replaced = nothing >= 0 && sys::dup3(nothing, descriptor, 0) >= 0;
  Error error = replaced ? Error() : system_error(sys::last_error(), "close");
  if (nothing >= 0) sys::close(nothing);
  if (last >= 0 && sys::close(last) != 0 && !error && sys::last_error() != EINTR)
    error = system_error(sys::last_error(), "close");
  static_cast<void>(let_go());
  return error;
}

Error BlockingIo::let_go() noexcept {
  if (private_ != no_descriptor) sys::close(std::exchange(private_, no_descriptor));
  const Descriptor descriptor = std::exchange(descriptor_, no_descriptor);
  if (descriptor == no_descriptor || ownership_ == Ownership::borrowed) return {};
  if (sys::close(descriptor) == 0 || sys::last_error() == EINTR) return {};
  return system_error(sys::last_error(), "close");
}

void BlockingIo::interrupt() noexcept {
  interrupted_.store(true, std::memory_order_relaxed);
  static_cast<void>(notify(wake_));
}

void BlockingIo::give_back(std::size_t count) noexcept {
  if (medium_ == Medium::file && count != 0)
    static_cast<void>(sys::lseek(descriptor_, -static_cast<off_t>(count), SEEK_CUR));
}

}  // namespace meari::os
