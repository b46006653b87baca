// What WSAGetLastError() and GetLastError() tell, and what it means here.
#include <winsock2.h>
// winsock2.h has to come before windows.h
#include <windows.h>

#include "codes.hpp"

namespace meari::os {

namespace {

constexpr SystemCode table[] = {
    {WSAEINVAL, Errc::invalid_argument},
    {WSAEFAULT, Errc::invalid_argument},
    {WSAENAMETOOLONG, Errc::invalid_argument},
    {WSAEDESTADDRREQ, Errc::invalid_argument},
    {WSAEISCONN, Errc::invalid_argument},
    {WSAEPROTOTYPE, Errc::invalid_argument},
    {ERROR_INVALID_PARAMETER, Errc::invalid_argument},
    {WSAEAFNOSUPPORT, Errc::not_supported},
    {WSAEPFNOSUPPORT, Errc::not_supported},
    {WSAEPROTONOSUPPORT, Errc::not_supported},
    {WSAESOCKTNOSUPPORT, Errc::not_supported},
    {WSAENOPROTOOPT, Errc::not_supported},
    {WSAEOPNOTSUPP, Errc::not_supported},
    {WSASYSNOTREADY, Errc::not_supported},
    {WSAVERNOTSUPPORTED, Errc::not_supported},
    {WSAENOTSOCK, Errc::closed},
    {WSAEBADF, Errc::closed},
    {ERROR_INVALID_HANDLE, Errc::closed},
    {WSAECANCELLED, Errc::canceled},
    {ERROR_OPERATION_ABORTED, Errc::canceled},
    {WSAETIMEDOUT, Errc::timed_out},
    {ERROR_SEM_TIMEOUT, Errc::timed_out},  // ConnectEx that nobody answered
    {WSAECONNREFUSED, Errc::connection_refused},
    {ERROR_CONNECTION_REFUSED, Errc::connection_refused},
    {WSAECONNRESET, Errc::connection_reset},
    {WSAENETRESET, Errc::connection_reset},
    {ERROR_NETNAME_DELETED, Errc::connection_reset},  // an overlapped receive that met a reset
    {WSAECONNABORTED, Errc::connection_aborted},
    {ERROR_CONNECTION_ABORTED, Errc::connection_aborted},
    {WSAESHUTDOWN, Errc::broken_pipe},
    {ERROR_BROKEN_PIPE, Errc::broken_pipe},
    {ERROR_NO_DATA, Errc::broken_pipe},             // who read from the pipe is leaving
    {ERROR_PIPE_NOT_CONNECTED, Errc::broken_pipe},  // or has left
    {WSAENOTCONN, Errc::not_connected},
    {WSAEHOSTUNREACH, Errc::host_unreachable},
    {WSAEHOSTDOWN, Errc::host_unreachable},
    {ERROR_HOST_UNREACHABLE, Errc::host_unreachable},
    {WSAENETUNREACH, Errc::network_unreachable},
    {ERROR_NETWORK_UNREACHABLE, Errc::network_unreachable},
    {WSAENETDOWN, Errc::network_down},
    {WSAEMSGSIZE, Errc::message_too_long},
    {WSAEADDRINUSE, Errc::address_in_use},
    {WSAEADDRNOTAVAIL, Errc::address_not_available},
    {ERROR_FILE_NOT_FOUND, Errc::not_found},
    {ERROR_PATH_NOT_FOUND, Errc::not_found},
    {WSAEACCES, Errc::permission_denied},
    {ERROR_ACCESS_DENIED, Errc::permission_denied},
    {WSAEMFILE, Errc::too_many_descriptors},
    {ERROR_TOO_MANY_OPEN_FILES, Errc::too_many_descriptors},
    {WSA_NOT_ENOUGH_MEMORY, Errc::out_of_memory},
    {ERROR_OUTOFMEMORY, Errc::out_of_memory},
    {WSAENOBUFS, Errc::out_of_buffers},
    {ERROR_NO_SYSTEM_RESOURCES, Errc::out_of_buffers},
    {WSAEWOULDBLOCK, Errc::would_block},
    {WSAEINPROGRESS, Errc::in_progress},
    {WSAEALREADY, Errc::in_progress},
    {WSA_IO_PENDING, Errc::in_progress},
    {WSAEINTR, Errc::interrupted},
};

}  // namespace

std::span<const SystemCode> system_codes() noexcept { return table; }

}  // namespace meari::os
