// The system calls of Linux: included by system.hpp only.
#pragma once

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#include <cerrno>
#include <cstdint>
#include <ctime>

namespace meari::sys {

inline int last_error() noexcept { return errno; }
inline void set_last_error(int code) noexcept { errno = code; }

inline int plain(Descriptor descriptor) noexcept { return static_cast<int>(descriptor); }

// Nanoseconds of a clock that never goes back: std::chrono::steady_clock without the detour through the C++ library, since every
// turn of a loop asks.
inline std::int64_t monotonic_ns() noexcept {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

// What clip leaves of a list of pieces: some of the first.
struct Less {
  iovec piece;
  msghdr message;
};
inline const iovec* clipped([[maybe_unused]] const char* name, const iovec* pieces,
                            [[maybe_unused]] Less& less) noexcept {
#if defined(MEARI_TORTURE)
  const std::size_t size = clipped(name, pieces->iov_len);
  if (size == pieces->iov_len) return pieces;
  less.piece = {pieces->iov_base, size};
  return &less.piece;
#else
  return pieces;
#endif
}
inline const msghdr* clipped([[maybe_unused]] const char* name, const msghdr* message,
                             [[maybe_unused]] Less& less) noexcept {
#if defined(MEARI_TORTURE)
  const iovec* first = message->msg_iovlen == 0 ? nullptr : clipped(name, message->msg_iov, less);
  if (first == nullptr || first == message->msg_iov) return message;
  less.message = *message;
  less.message.msg_iov = &less.piece;
  less.message.msg_iovlen = 1;
  return &less.message;
#else
  return message;
#endif
}

#if defined(MEARI_TORTURE)
// Told what epoll watches: whoever makes a call fail with EAGAIN has to see to it that an edge follows.
inline void (*watched)(int epoll, int operation, int descriptor, const epoll_event* event) noexcept = nullptr;
#endif

MEARI_WRAPPER inline Descriptor socket(int family, int type, int protocol) noexcept {
  return call("socket", [&] { return Descriptor{::socket(family, type, protocol)}; });
}
MEARI_WRAPPER inline int socketpair(int family, int type, int protocol, int* pair) noexcept {
  return call("socketpair", [&] { return ::socketpair(family, type, protocol, pair); });
}
MEARI_WRAPPER inline int bind(Descriptor s, const sockaddr* address, socklen_t size) noexcept {
  return call("bind", [&] { return ::bind(plain(s), address, size); });
}
MEARI_WRAPPER inline int listen(Descriptor s, int backlog) noexcept {
  return call("listen", [&] { return ::listen(plain(s), backlog); });
}
MEARI_WRAPPER inline Descriptor accept4(Descriptor s, sockaddr* address, socklen_t* size, int flags) noexcept {
  return call("accept4", [&] { return Descriptor{::accept4(plain(s), address, size, flags)}; });
}
MEARI_WRAPPER inline int connect(Descriptor s, const sockaddr* address, socklen_t size) noexcept {
  return call("connect", [&] { return ::connect(plain(s), address, size); });
}
MEARI_WRAPPER inline std::ptrdiff_t recv(Descriptor s, void* data, std::size_t size, int flags) noexcept {
  return call("recv", [&] { return ::recv(plain(s), data, clipped("recv", size), flags); });
}
MEARI_WRAPPER inline std::ptrdiff_t send(Descriptor s, const void* data, std::size_t size, int flags) noexcept {
  return call("send", [&] { return ::send(plain(s), data, clipped("send", size), flags); });
}
MEARI_WRAPPER inline std::ptrdiff_t recvmsg(Descriptor s, msghdr* message, int flags) noexcept {
  return call("recvmsg", [&] { return ::recvmsg(plain(s), message, flags); });
}
MEARI_WRAPPER inline std::ptrdiff_t sendmsg(Descriptor s, const msghdr* message, int flags) noexcept {
  Less less;
  return call("sendmsg", [&] { return ::sendmsg(plain(s), clipped("sendmsg", message, less), flags); });
}
MEARI_WRAPPER inline std::ptrdiff_t sendto(Descriptor s, const void* data, std::size_t size, int flags,
                                           const sockaddr* to, socklen_t to_size) noexcept {
  return call("sendto", [&] { return ::sendto(plain(s), data, size, flags, to, to_size); });
}
MEARI_WRAPPER inline int shutdown(Descriptor s, int how) noexcept {
  return call("shutdown", [&] { return ::shutdown(plain(s), how); });
}
MEARI_WRAPPER inline int getsockname(Descriptor s, sockaddr* address, socklen_t* size) noexcept {
  return call("getsockname", [&] { return ::getsockname(plain(s), address, size); });
}
MEARI_WRAPPER inline int getpeername(Descriptor s, sockaddr* address, socklen_t* size) noexcept {
  return call("getpeername", [&] { return ::getpeername(plain(s), address, size); });
}
MEARI_WRAPPER inline int getsockopt(Descriptor s, int level, int name, void* value, socklen_t* size) noexcept {
  return call("getsockopt", [&] { return ::getsockopt(plain(s), level, name, value, size); });
}
MEARI_WRAPPER inline int setsockopt(Descriptor s, int level, int name, const void* value, socklen_t size) noexcept {
  return call("setsockopt", [&] { return ::setsockopt(plain(s), level, name, value, size); });
}
MEARI_WRAPPER inline int ioctl(Descriptor s, unsigned long request, int* value) noexcept {
  return call("ioctl", [&] { return ::ioctl(plain(s), request, value); });
}
MEARI_WRAPPER inline int fcntl(Descriptor s, int command, int value) noexcept {
  return call("fcntl", [&] { return ::fcntl(plain(s), command, value); });
}
MEARI_WRAPPER inline int close(Descriptor s) noexcept {
  return call_always("close", [&] { return ::close(plain(s)); });
}
MEARI_WRAPPER inline int poll(pollfd* entries, nfds_t count, int milliseconds) noexcept {
  return call("poll", [&] { return ::poll(entries, count, milliseconds); });
}
MEARI_WRAPPER inline int epoll_create1(int flags) noexcept {
  return call("epoll_create1", [&] { return ::epoll_create1(flags); });
}
MEARI_WRAPPER inline int epoll_ctl(int epoll, int operation, Descriptor s, epoll_event* event) noexcept {
#if defined(MEARI_TORTURE)
  if (watched != nullptr) watched(epoll, operation, plain(s), event);
#endif
  return call("epoll_ctl", [&] { return ::epoll_ctl(epoll, operation, plain(s), event); });
}
MEARI_WRAPPER inline int epoll_pwait2(int epoll, epoll_event* events, int count, const timespec* time) noexcept {
  return call("epoll_pwait2", [&] { return ::epoll_pwait2(epoll, events, count, time, nullptr); });
}
MEARI_WRAPPER inline int epoll_wait(int epoll, epoll_event* events, int count, int milliseconds) noexcept {
  return call("epoll_wait", [&] { return ::epoll_wait(epoll, events, count, milliseconds); });
}
MEARI_WRAPPER inline int eventfd(unsigned initial, int flags) noexcept {
  return call("eventfd", [&] { return ::eventfd(initial, flags); });
}
// Adds one, so that it is readable.
MEARI_WRAPPER inline std::ptrdiff_t eventfd_write(Descriptor s) noexcept {
  return call("eventfd_write", [&] {
    const std::uint64_t one = 1;
    return ::write(plain(s), &one, sizeof one);
  });
}
MEARI_WRAPPER inline Descriptor timerfd_create(int clock, int flags) noexcept {
  return call("timerfd_create", [&] { return Descriptor{::timerfd_create(clock, flags)}; });
}
MEARI_WRAPPER inline int timerfd_settime(Descriptor s, int flags, const itimerspec* when) noexcept {
  return call("timerfd_settime", [&] { return ::timerfd_settime(plain(s), flags, when, nullptr); });
}
MEARI_WRAPPER inline std::ptrdiff_t read(Descriptor s, void* data, std::size_t size) noexcept {
  return call("read", [&] { return ::read(plain(s), data, clipped("read", size)); });
}
MEARI_WRAPPER inline std::ptrdiff_t write(Descriptor s, const void* data, std::size_t size) noexcept {
  return call("write", [&] { return ::write(plain(s), data, clipped("write", size)); });
}
// From and to where the descriptor stands, with flags for this call alone.
MEARI_WRAPPER inline std::ptrdiff_t preadv2(Descriptor s, const iovec* piece, int count, int flags) noexcept {
  Less less;
  return call("preadv2", [&] { return ::preadv2(plain(s), clipped("preadv2", piece, less), count, -1, flags); });
}
MEARI_WRAPPER inline std::ptrdiff_t pwritev2(Descriptor s, const iovec* piece, int count, int flags) noexcept {
  Less less;
  return call("pwritev2", [&] { return ::pwritev2(plain(s), clipped("pwritev2", piece, less), count, -1, flags); });
}
MEARI_WRAPPER inline off_t lseek(Descriptor s, off_t offset, int whence) noexcept {
  return call("lseek", [&] { return ::lseek(plain(s), offset, whence); });
}
MEARI_WRAPPER inline Descriptor open(const char* path, int flags, mode_t mode = 0) noexcept {
  return call("open", [&] { return Descriptor{::open(path, flags, mode)}; });
}
MEARI_WRAPPER inline int dup3(Descriptor from, Descriptor to, int flags) noexcept {
  return call("dup3", [&] { return ::dup3(plain(from), plain(to), flags); });
}
MEARI_WRAPPER inline int fstat(Descriptor s, struct stat* facts) noexcept {
  return call("fstat", [&] { return ::fstat(plain(s), facts); });
}
MEARI_WRAPPER inline int getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                                     addrinfo** found) noexcept {
  return call("getaddrinfo", [&] { return ::getaddrinfo(host, service, hints, found); });
}
MEARI_WRAPPER inline int unlink(const char* path) noexcept {
  return call("unlink", [&] { return ::unlink(path); });
}
MEARI_WRAPPER inline int getrlimit(int which, rlimit* limit) noexcept {
  return call("getrlimit", [&] { return ::getrlimit(static_cast<__rlimit_resource_t>(which), limit); });
}
MEARI_WRAPPER inline int setrlimit(int which, const rlimit* limit) noexcept {
  return call("setrlimit", [&] { return ::setrlimit(static_cast<__rlimit_resource_t>(which), limit); });
}

}  // namespace meari::sys
