// errno, and what it means here.
#include "codes.hpp"

#include <cerrno>

namespace meari::os {

namespace {

constexpr SystemCode table[] = {
    {EINVAL, Errc::invalid_argument},
    {ENAMETOOLONG, Errc::invalid_argument},
    {EDESTADDRREQ, Errc::invalid_argument},
    {EISCONN, Errc::invalid_argument},
    {ENOTSOCK, Errc::invalid_argument},
    {EPROTOTYPE, Errc::invalid_argument},
    {EAFNOSUPPORT, Errc::not_supported},
    {EPFNOSUPPORT, Errc::not_supported},
    {EPROTONOSUPPORT, Errc::not_supported},
    {ESOCKTNOSUPPORT, Errc::not_supported},
    {ENOPROTOOPT, Errc::not_supported},
    {EOPNOTSUPP, Errc::not_supported},
    {ENOSYS, Errc::not_supported},
    {EBADF, Errc::closed},
    {EBUSY, Errc::busy},
    {ECANCELED, Errc::canceled},
    {ETIMEDOUT, Errc::timed_out},
    {ECONNREFUSED, Errc::connection_refused},
    {ECONNRESET, Errc::connection_reset},
    {ENETRESET, Errc::connection_reset},
    {ECONNABORTED, Errc::connection_aborted},
    {EPROTO, Errc::connection_aborted},
    {EPIPE, Errc::broken_pipe},
    {ESHUTDOWN, Errc::broken_pipe},
    {ENOTCONN, Errc::not_connected},
    {EHOSTUNREACH, Errc::host_unreachable},
    {EHOSTDOWN, Errc::host_unreachable},
    {ENETUNREACH, Errc::network_unreachable},
    {ENETDOWN, Errc::network_down},
    {EMSGSIZE, Errc::message_too_long},
    {EADDRINUSE, Errc::address_in_use},
    {EADDRNOTAVAIL, Errc::address_not_available},
    {ENOENT, Errc::not_found},
    {ENODEV, Errc::not_found},
    {ENXIO, Errc::not_found},
    {EACCES, Errc::permission_denied},
    {EPERM, Errc::permission_denied},
    {EROFS, Errc::permission_denied},
    {EMFILE, Errc::too_many_descriptors},
    {ENFILE, Errc::too_many_descriptors},
    {ENOMEM, Errc::out_of_memory},
    {ENOBUFS, Errc::out_of_buffers},
    {EAGAIN, Errc::would_block},
    {EWOULDBLOCK, Errc::would_block},  // the same number as EAGAIN on Linux
    {EINPROGRESS, Errc::in_progress},
    {EALREADY, Errc::in_progress},
    {EINTR, Errc::interrupted},
};

}  // namespace

std::span<const SystemCode> system_codes() noexcept { return table; }

}  // namespace meari::os
