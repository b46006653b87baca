// The calls of Winsock: included by system.hpp only. Lengths are int there; a longer piece is cut, as a short send is.
#pragma once

#include <winsock2.h>
// winsock2.h has to come before these
#include <afunix.h>
#include <mstcpip.h>
#include <mswsock.h>
#include <windows.h>
#include <ws2tcpip.h>

#include <algorithm>
#include <chrono>

namespace meari::sys {

inline int last_error() noexcept { return WSAGetLastError(); }
inline void set_last_error(int code) noexcept { WSASetLastError(code); }

// Nanoseconds of a clock that never goes back.
inline std::int64_t monotonic_ns() noexcept {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline SOCKET plain(Descriptor descriptor) noexcept { return static_cast<SOCKET>(descriptor); }
inline HANDLE handle(Descriptor descriptor) noexcept { return reinterpret_cast<HANDLE>(descriptor); }
inline int int_size(std::size_t size) noexcept { return static_cast<int>(std::min<std::size_t>(size, 1 << 30)); }

inline int startup(WORD version, WSADATA* data) noexcept {
  return call("WSAStartup", [&] { return ::WSAStartup(version, data); });
}
inline Descriptor socket(int family, int type, int protocol, DWORD flags) noexcept {
  return call("socket",
              [&] { return static_cast<Descriptor>(::WSASocketW(family, type, protocol, nullptr, 0, flags)); });
}
inline int bind(Descriptor s, const sockaddr* address, socklen_t size) noexcept {
  return call("bind", [&] { return ::bind(plain(s), address, size); });
}
inline int listen(Descriptor s, int backlog) noexcept {
  return call("listen", [&] { return ::listen(plain(s), backlog); });
}
inline Descriptor accept(Descriptor s, sockaddr* address, socklen_t* size) noexcept {
  return call("accept", [&] { return static_cast<Descriptor>(::accept(plain(s), address, size)); });
}
inline int connect(Descriptor s, const sockaddr* address, socklen_t size) noexcept {
  return call("connect", [&] { return ::connect(plain(s), address, size); });
}
inline std::ptrdiff_t recv(Descriptor s, void* data, std::size_t size, int flags) noexcept {
  return call("recv", [&]() -> std::ptrdiff_t {
    return ::recv(plain(s), static_cast<char*>(data), int_size(clipped("recv", size)), flags);
  });
}
inline std::ptrdiff_t send(Descriptor s, const void* data, std::size_t size, int flags) noexcept {
  return call("send", [&]() -> std::ptrdiff_t {
    return ::send(plain(s), static_cast<const char*>(data), int_size(clipped("send", size)), flags);
  });
}
inline std::ptrdiff_t recvfrom(Descriptor s, void* data, std::size_t size, int flags, sockaddr* from,
                               socklen_t* from_size) noexcept {
  return call("recvfrom", [&]() -> std::ptrdiff_t {
    return ::recvfrom(plain(s), static_cast<char*>(data), int_size(size), flags, from, from_size);
  });
}
inline std::ptrdiff_t sendto(Descriptor s, const void* data, std::size_t size, int flags, const sockaddr* to,
                             socklen_t to_size) noexcept {
  return call("sendto", [&]() -> std::ptrdiff_t {
    return ::sendto(plain(s), static_cast<const char*>(data), int_size(size), flags, to, to_size);
  });
}
inline int shutdown(Descriptor s, int how) noexcept {
  return call("shutdown", [&] { return ::shutdown(plain(s), how); });
}
inline int getsockname(Descriptor s, sockaddr* address, socklen_t* size) noexcept {
  return call("getsockname", [&] { return ::getsockname(plain(s), address, size); });
}
inline int getpeername(Descriptor s, sockaddr* address, socklen_t* size) noexcept {
  return call("getpeername", [&] { return ::getpeername(plain(s), address, size); });
}
inline int getsockopt(Descriptor s, int level, int name, void* value, socklen_t* size) noexcept {
  return call("getsockopt", [&] { return ::getsockopt(plain(s), level, name, static_cast<char*>(value), size); });
}
inline int setsockopt(Descriptor s, int level, int name, const void* value, socklen_t size) noexcept {
  return call("setsockopt", [&] { return ::setsockopt(plain(s), level, name, static_cast<const char*>(value), size); });
}
inline int ioctl(Descriptor s, long request, u_long* value) noexcept {
  return call("ioctl", [&] { return ::ioctlsocket(plain(s), request, value); });
}
inline int wsa_ioctl(Descriptor s, DWORD request, void* in, DWORD in_size, void* out, DWORD out_size) noexcept {
  return call("WSAIoctl", [&] {
    DWORD written = 0;
    return ::WSAIoctl(plain(s), request, in, in_size, out, out_size, &written, nullptr, nullptr);
  });
}
inline int poll(WSAPOLLFD* entries, ULONG count, int milliseconds) noexcept {
  return call("poll", [&] { return ::WSAPoll(entries, count, milliseconds); });
}
inline int close(Descriptor s) noexcept {
  return call_always("close", [&] { return ::closesocket(plain(s)); });
}
// Overlapped calls: 0 or SOCKET_ERROR, and then WSA_IO_PENDING says that it has begun. Its end comes through the port.
inline int wsa_recv(Descriptor s, WSABUF* buffer, DWORD flags, OVERLAPPED* overlapped) noexcept {
  return call("WSARecv", [&] { return ::WSARecv(plain(s), buffer, 1, nullptr, &flags, overlapped, nullptr); });
}
inline int wsa_recv_from(Descriptor s, WSABUF* buffer, DWORD flags, sockaddr* from, int* from_size,
                         OVERLAPPED* overlapped) noexcept {
  return call("WSARecvFrom", [&] {
    return ::WSARecvFrom(plain(s), buffer, 1, nullptr, &flags, from, from_size, overlapped, nullptr);
  });
}
inline int wsa_send(Descriptor s, WSABUF* buffer, DWORD flags, OVERLAPPED* overlapped) noexcept {
  return call("WSASend", [&] { return ::WSASend(plain(s), buffer, 1, nullptr, flags, overlapped, nullptr); });
}
inline int wsa_send_to(Descriptor s, WSABUF* buffer, const sockaddr* to, socklen_t to_size,
                       OVERLAPPED* overlapped) noexcept {
  return call("WSASendTo",
              [&] { return ::WSASendTo(plain(s), buffer, 1, nullptr, 0, to, to_size, overlapped, nullptr); });
}
// Several pieces at once, without waiting; how many bytes were taken, or -1.
inline std::ptrdiff_t wsa_send_now(Descriptor s, WSABUF* buffers, DWORD count) noexcept {
  return call("WSASend", [&]() -> std::ptrdiff_t {
    DWORD sent = 0;
    if (::WSASend(plain(s), buffers, count, &sent, 0, nullptr, nullptr) != 0) return -1;
    return static_cast<std::ptrdiff_t>(sent);
  });
}
inline BOOL accept_ex(Descriptor listener, Descriptor into, void* addresses, DWORD size_of_each,
                      OVERLAPPED* overlapped) noexcept {
  return call("AcceptEx", [&] {
    DWORD received = 0;
    return ::AcceptEx(plain(listener), plain(into), addresses, 0, size_of_each, size_of_each, &received, overlapped);
  });
}
inline BOOL connect_ex(LPFN_CONNECTEX function, Descriptor s, const sockaddr* to, socklen_t to_size,
                       OVERLAPPED* overlapped) noexcept {
  return call("ConnectEx", [&] { return function(plain(s), to, to_size, nullptr, 0, nullptr, overlapped); });
}
inline BOOL cancel_io(Descriptor s) noexcept {
  return call("CancelIoEx", [&] { return ::CancelIoEx(handle(s), nullptr); });
}
inline HANDLE create_port(Descriptor s, HANDLE port) noexcept {
  return call("CreateIoCompletionPort", [&] {
    return ::CreateIoCompletionPort(s < 0 ? INVALID_HANDLE_VALUE : reinterpret_cast<HANDLE>(s), port, 0, 1);
  });
}
inline BOOL port_wait(HANDLE port, OVERLAPPED_ENTRY* entries, ULONG most, ULONG* count, DWORD milliseconds) noexcept {
  return call("GetQueuedCompletionStatusEx",
              [&] { return ::GetQueuedCompletionStatusEx(port, entries, most, count, milliseconds, FALSE); });
}
inline BOOL port_post(HANDLE port) noexcept {
  return call("PostQueuedCompletionStatus", [&] { return ::PostQueuedCompletionStatus(port, 0, 0, nullptr); });
}
inline int getaddrinfo(const char* host, const char* service, const addrinfo* hints, addrinfo** found) noexcept {
  return call("getaddrinfo", [&] { return ::getaddrinfo(host, service, hints, found); });
}

}  // namespace meari::sys
