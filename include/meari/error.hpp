// Error: why something did not work, in one word of memory.
//
//   connect to 127.0.0.1:9000: connection refused
//   ^operation ^subject        ^code
//
// A success costs nothing, a bare code costs nothing more, and only an Error that names its operation and
// its address owns memory (shared, counted atomically). Where memory is short the bare code is what remains.
#pragma once

#include <atomic>
#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

#include <meari/version.hpp>

namespace meari {
inline namespace v1 {

// What went wrong, the same on every system. Numbers are stable: scripts and logs may keep them.
enum class Errc : std::uint16_t {
  none = 0,
  // the caller
  invalid_argument = 1,  // malformed address, flag or value
  not_supported = 2,     // this system or backend cannot do it
  closed = 3,            // the handle was closed, or never opened
  busy = 4,              // a second receive on a stream that already waits for one
  limit_reached = 5,     // a bound of our own: a line too long, a queue full
  // time and will
  canceled = 10,   // somebody asked for it
  timed_out = 11,  // a deadline of ours, or the kernel's (ETIMEDOUT)
  // the peer
  connection_refused = 20,
  connection_reset = 21,
  connection_aborted = 22,
  broken_pipe = 23,  // writing after the peer has gone
  not_connected = 24,
  unexpected_end = 25,    // the stream ended inside what had to be read whole
  write_incomplete = 26,  // a write was cut short after a part of it had left: this direction is of no use any more
  tls_truncated = 27,     // the connection ended without TLS's own goodbye
  tls_failed = 28,
  // the network
  host_unreachable = 40,
  network_unreachable = 41,
  network_down = 42,
  self_connect = 43,  // the kernel connected the socket to itself
  message_too_long = 44,
  // addresses and names
  address_in_use = 50,
  address_not_available = 51,
  name_not_found = 52,
  name_try_again = 53,
  not_found = 54,  // no such file, no such Unix-domain socket
  // the machine
  permission_denied = 60,
  too_many_descriptors = 61,  // EMFILE, ENFILE
  out_of_memory = 62,
  out_of_buffers = 63,  // ENOBUFS
  would_block = 64,
  in_progress = 65,
  interrupted = 66,
  system = 99,  // any other; system_code() tells
};

// A few English words, without a full stop: "connection refused".
[[nodiscard]] MEARI_EXPORT const char* describe(Errc code) noexcept;

class Address;

class [[nodiscard]] MEARI_EXPORT Error {
 public:
  Error() noexcept = default;  // no error
  Error(Errc code) noexcept    // NOLINT: a bare code is an Error
      : bits_(static_cast<std::uintptr_t>(code) << 1) {}

  // `operation` must be a string that lives for ever (a literal): "connect to", "bind", "read".
  // `subject` is what it was done to: an address, a name, a file.
  Error(Errc code, const char* operation, std::string_view subject = {}, int system_code = 0) noexcept;
  Error(Errc code, const char* operation, const Address& subject, int system_code = 0) noexcept;

  Error(const Error& other) noexcept : bits_(other.bits_) { retain(); }
  Error(Error&& other) noexcept : bits_(std::exchange(other.bits_, 0)) {}
  Error& operator=(const Error& other) noexcept {
    Error copy(other);
    std::swap(bits_, copy.bits_);
    return *this;
  }
  Error& operator=(Error&& other) noexcept {
    std::swap(bits_, other.bits_);
    return *this;
  }
  ~Error() { release(); }

  // Is there an error at all?
  explicit operator bool() const noexcept { return bits_ != 0; }

  [[nodiscard]] Errc code() const noexcept;
  [[nodiscard]] const char* operation() const noexcept;       // "" when not known
  [[nodiscard]] std::string_view subject() const noexcept;    // valid as long as this Error
  [[nodiscard]] int system_code() const noexcept;             // errno or WSAGetLastError(); 0 when there was none
  [[nodiscard]] std::source_location where() const noexcept;  // where a Task first met it; line 0 when it did not

  // "connect to 127.0.0.1:9000: connection refused", one line, not escaped: pass it through quote() to print it.
  [[nodiscard]] std::string message() const;
  // What a person can do about it, one English sentence; "" when there is nothing to say.
  [[nodiscard]] const char* advice() const noexcept;

  // The peer or the way to it has gone (reset, aborted, broken pipe): an ordinary event for a server.
  [[nodiscard]] bool peer_is_gone() const noexcept;

  // The same Error with what was done, and to whom, if it did not say so already.
  [[nodiscard]] Error during(const char* operation, std::string_view subject = {}) const noexcept;
  [[nodiscard]] Error during(const char* operation, const Address& subject) const noexcept;
  // The same Error with words that are more exact than its code's own: a literal, without a full stop. message() says them.
  [[nodiscard]] Error because(const char* reason) const noexcept;
  // The same Error with the place where it was met, if it did not have one. Bare codes stay bare.
  void met_at(const std::source_location& where) noexcept;

  friend bool operator==(const Error& error, Errc code) noexcept { return error.code() == code; }

 private:
  struct Details;
  [[nodiscard]] Details* details() const noexcept {
    return (bits_ & 1U) == 0 ? nullptr : reinterpret_cast<Details*>(bits_ - 1);
  }
  void retain() const noexcept;
  void release() noexcept {
    if ((bits_ & 1U) != 0) [[unlikely]]
      release_details();
  }
  void release_details() noexcept;
  // A copy of this Error that owns Details with these; the bare code where memory is short.
  [[nodiscard]] Error rewritten(const char* operation, std::string_view subject, const char* reason,
                                const std::source_location& where) const noexcept;

  std::uintptr_t bits_ = 0;  // 0: no error; even: a bare code, doubled; odd: a pointer to Details, and 1
};

// The Error of a system call that failed: errno, or on Windows WSAGetLastError().
[[nodiscard]] MEARI_EXPORT Error system_error(int system_code, const char* operation,
                                              std::string_view subject = {}) noexcept;
[[nodiscard]] MEARI_EXPORT Error system_error(int system_code, const char* operation, const Address& subject) noexcept;
[[nodiscard]] MEARI_EXPORT Errc to_errc(int system_code) noexcept;

}  // namespace v1
}  // namespace meari
