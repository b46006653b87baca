#include "faults.hpp"

#include <netdb.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <initializer_list>

namespace meari::torture {

namespace {

using Kind = Fault::Kind;

constexpr Fault one_byte{Kind::counts, 0, true};

constexpr bool is_passing(int error) {
  return error == EINTR || error == EAGAIN || error == EBUSY || error == ENOBUFS || error == ETIME;
}

std::vector<Fault> fails(std::initializer_list<int> errors, std::initializer_list<Fault> more = {}) {
  std::vector<Fault> faults;
  for (const int error : errors) faults.push_back({Kind::fails, error, is_passing(error)});
  faults.insert(faults.end(), more);
  return faults;
}

// Each of these belongs to one connection and takes it out of the queue (accept(2)): they come as often as clients do.
std::vector<Fault> accept_faults(std::initializer_list<int> errors, std::initializer_list<int> of_a_connection) {
  std::vector<Fault> faults = fails(errors);
  for (const int error : of_a_connection) faults.push_back({Kind::fails, error, true});
  return faults;
}

std::vector<Fault> all_after(std::initializer_list<int> errors) {
  std::vector<Fault> faults;
  for (const int error : errors) faults.push_back({Kind::after, error, false});
  return faults;
}

const std::initializer_list<int> receive_errors = {EAGAIN, EBADF,  ECONNREFUSED, ECONNRESET, EFAULT,   EINTR,
                                                   EINVAL, ENOMEM, ENOTCONN,     ENOTSOCK,   ETIMEDOUT};
const std::initializer_list<int> send_errors = {EACCES, EAGAIN,   EALREADY, EBADF,      ECONNRESET, EDESTADDRREQ,
                                                EFAULT, EINTR,    EINVAL,   EISCONN,    EMSGSIZE,   ENOBUFS,
                                                ENOMEM, ENOTCONN, ENOTSOCK, EOPNOTSUPP, EPIPE};
const std::initializer_list<int> read_errors = {EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EIO, EISDIR};
const std::initializer_list<int> write_errors = {EAGAIN, EBADF,  EDESTADDRREQ, EDQUOT, EFAULT, EFBIG,
                                                 EINTR,  EINVAL, EIO,          ENOSPC, EPERM,  EPIPE};

std::vector<Function> table() {
  return {
      {"socket", fails({EACCES, EAFNOSUPPORT, EINVAL, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPROTONOSUPPORT, EPERM})},
      {"socketpair", fails({EAFNOSUPPORT, EFAULT, EMFILE, ENFILE, EOPNOTSUPP, EPROTONOSUPPORT})},
      {"bind", fails({EACCES, EADDRINUSE, EBADF, EINVAL, ENOTSOCK, EADDRNOTAVAIL, EFAULT, ELOOP, ENAMETOOLONG, ENOENT,
                      ENOMEM, ENOTDIR, EROFS})},
      {"listen", fails({EADDRINUSE, EBADF, ENOTSOCK, EOPNOTSUPP})},
      {"accept4", accept_faults({EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOTSOCK,
                                 EOPNOTSUPP, EPERM, ENOSR, ESOCKTNOSUPPORT, EPROTONOSUPPORT},
                                {ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH,
                                 ENETUNREACH, ETIMEDOUT})},
      {"connect", fails({EACCES, EPERM, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, EBADF, ECONNREFUSED, EFAULT,
                         EISCONN, ENETUNREACH, ENOTSOCK, EPROTOTYPE, ETIMEDOUT, EHOSTUNREACH},
                        {{Kind::after, EINTR, true}})},
      {"recv", fails(receive_errors, {one_byte})},
      {"recvmsg", fails(receive_errors)},
      {"send", fails(send_errors, {one_byte})},
      {"sendmsg", fails(send_errors, {one_byte})},
      {"sendto", fails(send_errors)},
      {"shutdown", fails({EBADF, EINVAL, ENOTCONN, ENOTSOCK})},
      {"getsockname", fails({EBADF, EFAULT, EINVAL, ENOBUFS, ENOTSOCK})},
      {"getpeername", fails({EBADF, EFAULT, EINVAL, ENOBUFS, ENOTCONN, ENOTSOCK})},
      {"getsockopt", fails({EBADF, EFAULT, EINVAL, ENOPROTOOPT, ENOTSOCK})},
      {"setsockopt", fails({EBADF, EFAULT, EINVAL, ENOPROTOOPT, ENOTSOCK, ENOMEM, EDOM, EPERM})},
      {"ioctl", fails({EBADF, EFAULT, EINVAL, ENOTTY})},
      {"fcntl", fails({EACCES, EAGAIN, EINVAL, EMFILE, ENOTDIR, EPERM},
                      {{.kind = Kind::fails, .error = EBADF, .strays = true}})},
      {"close", all_after({EBADF, EINTR, EIO, ENOSPC, EDQUOT})},
      {"poll", fails({EFAULT, EINTR, EINVAL, ENOMEM})},
      {"epoll_create1", fails({EINVAL, EMFILE, ENFILE, ENOMEM})},
      {"epoll_ctl", fails({EBADF, EEXIST, EINVAL, ELOOP, ENOENT, ENOMEM, ENOSPC, EPERM})},
      {"epoll_pwait2", fails({EBADF, EFAULT, EINTR, EINVAL, ENOSYS, EPERM})},
      {"epoll_wait", fails({EBADF, EFAULT, EINTR, EINVAL})},
      {"eventfd", fails({EINVAL, EMFILE, ENFILE, ENODEV, ENOMEM})},
      {"timerfd_create", fails({EINVAL, EMFILE, ENFILE, ENODEV, ENOMEM, EPERM})},
      {"timerfd_settime", fails({EBADF, EFAULT, EINVAL, ECANCELED})},
      // eventfd(2). EAGAIN: it is full, and so it is readable.
      {"eventfd_write", fails({EBADF, EFAULT, EINTR, EINVAL, EIO}, {{Kind::after, EAGAIN, true}})},
      {"read", fails(read_errors, {one_byte})},
      {"write", fails(write_errors, {one_byte})},
      {"preadv2", fails(read_errors, {one_byte, {Kind::fails, EOPNOTSUPP}, {Kind::fails, ENOSYS}})},
      {"pwritev2", fails(write_errors, {one_byte, {Kind::fails, EOPNOTSUPP}, {Kind::fails, ENOSYS}})},
      {"lseek", fails({EBADF, EINVAL, EOVERFLOW, ESPIPE})},
      {"open", fails({EACCES, EINTR, EMFILE, ENFILE, ENODEV, ENOENT, ENOMEM, ENXIO, EPERM, ETXTBSY})},
      {"dup3", fails({EBADF, EBUSY, EINTR, EINVAL, EMFILE, ENOMEM})},
      {"fstat", fails({EBADF, EFAULT, ENOMEM, EOVERFLOW})},
      {"getaddrinfo",
       {{Kind::answer, EAI_AGAIN},
        {Kind::answer, EAI_BADFLAGS},
        {Kind::answer, EAI_FAIL},
        {Kind::answer, EAI_FAMILY},
        {Kind::answer, EAI_MEMORY},
        {Kind::answer, EAI_NONAME},
        {Kind::answer, EAI_SERVICE},
        {Kind::answer, EAI_SOCKTYPE},
        {Kind::answer, EAI_SYSTEM}}},
      {"unlink", fails({EACCES, EBUSY, EIO, EISDIR, ELOOP, ENOENT, ENOMEM, ENOTDIR, EPERM, EROFS})},
      {"getrlimit", fails({EFAULT, EINVAL, EPERM})},
      {"setrlimit", fails({EFAULT, EINVAL, EPERM})},
      {"io_uring_setup", fails({EFAULT, EINVAL, EMFILE, ENFILE, ENOMEM, EPERM, ENOSYS})},
      {"io_uring_register",
       fails({EACCES, EBADF, EBADFD, EBUSY, EEXIST, EFAULT, EINVAL, EMFILE, ENOMEM, ENXIO, EOPNOTSUPP, EPERM})},
      // EINTR and ETIME end the wait of a call that has done the rest. EEXIST ends the program: two threads turn one loop.
      {"io_uring_enter", fails({EAGAIN, EBADF, EBADFD, EBADR, EBUSY, EFAULT, EINVAL, EOPNOTSUPP, ENXIO, EPERM},
                               {{Kind::after, EINTR, true}, {Kind::after, ETIME, true}})},
      {"sqe NOP", fails({EINVAL, EPERM, EACCES})},
      {"sqe READ", fails({EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EIO, ECANCELED, ENOMEM})},
      {"sqe RECV", fails({EAGAIN, EBADF, ECONNREFUSED, ECONNRESET, EFAULT, EINTR, EINVAL, ENOBUFS, ENOMEM, ENOTCONN,
                          ENOTSOCK, ETIMEDOUT, EOPNOTSUPP},
                         {one_byte, {Kind::fails, ECANCELED, true}})},
      {"sqe SEND", fails(send_errors, {one_byte, {Kind::fails, ECANCELED, true}})},
      {"sqe SENDMSG", fails(send_errors, {one_byte, {Kind::fails, ECANCELED, true}})},
      {"sqe CONNECT",
       fails({EACCES, EPERM, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, EBADF, ECONNREFUSED, EFAULT, EISCONN,
              ENETUNREACH, ENOTSOCK, EPROTOTYPE, ETIMEDOUT, EHOSTUNREACH, ECANCELED, ENOMEM})},
      {"sqe POLL_ADD", fails({EBADF, EFAULT, EINVAL, ENOMEM, EOPNOTSUPP},
                             {{Kind::fails, ECANCELED, true}, {Kind::fails, EINTR, true}})},
      {"sqe ASYNC_CANCEL", fails({EACCES, EINVAL, EPERM}, {{Kind::late, ENOENT}, {Kind::late, EALREADY}})},
  };
}

}  // namespace

bool may_go_on(std::string_view function, const Fault& fault) noexcept {
  if (!fault.passes || fault.kind == Kind::counts || function == "accept4") return false;
  if (fault.error != EINTR) return true;
  return function == "poll" || function == "epoll_wait" || function == "epoll_pwait2" || function == "io_uring_enter" ||
         function.starts_with("sqe ");
}

std::span<const Function> functions() {
  static const std::vector<Function> all = table();
  return all;
}

int function_index(std::string_view name) noexcept {
  const std::span<const Function> all = functions();
  const auto found = std::ranges::find(all, name, &Function::name);
  return found == all.end() ? -1 : static_cast<int>(found - all.begin());
}

std::string name(const Fault& fault) {
  if (fault.kind == Kind::counts) return "short";
  if (fault.kind == Kind::answer) return "EAI" + std::to_string(fault.error);
  const char* known = ::strerrorname_np(fault.error);
  return known == nullptr ? std::to_string(fault.error) : known;
}

}  // namespace meari::torture
