// What each Errc says and advises (one table), and the counted memory behind an Error that names its operation.
#include <meari/address.hpp>
#include <meari/error.hpp>

#include <cstring>
#include <new>
#include <system_error>

#include "codes.hpp"

namespace meari {
inline namespace v1 {

namespace {

struct Meaning {
  Errc code;
  const char* words;
  const char* advice;
};

constexpr Meaning meanings[] = {
    {Errc::none, "no error", ""},
    {Errc::invalid_argument, "invalid argument", ""},
    {Errc::not_supported, "not supported here", "This system or this kind of socket cannot do it."},
    {Errc::closed, "already closed, or never opened",
     "The socket was used after its end; look for a second close or for a handle that was moved from."},
    {Errc::busy, "busy: it already waits for one",
     "Wait for the first receive before starting a second one on the same stream."},
    {Errc::limit_reached, "limit reached",
     "A bound of this program was reached; raise it if what is being sent is right."},
    {Errc::canceled, "canceled", ""},
    {Errc::timed_out, "timed out",
     "No answer came in time; is the other end running, and does a firewall drop what is sent to it?"},
    {Errc::connection_refused, "connection refused", "Nothing listens there; is the server running, and on this port?"},
    {Errc::connection_reset, "connection reset by the peer",
     "The other program ended, or closed without reading all that was sent to it."},
    {Errc::connection_aborted, "connection aborted",
     "The connection ended before it could be used; the client may simply try again."},
    {Errc::broken_pipe, "the peer has closed",
     "The other end no longer receives; what was sent last may not have arrived."},
    {Errc::not_connected, "not connected", "Connect first; or the peer left before this call."},
    {Errc::unexpected_end, "the stream ended too early",
     "The peer finished sending inside a message; what was received so far is incomplete."},
    {Errc::write_incomplete, "only a part was written",
     "Close this connection: the peer holds a part of a message that cannot be completed."},
    {Errc::tls_truncated, "the encrypted connection was cut",
     "The connection ended without TLS's goodbye; do not trust that all of the data arrived."},
    {Errc::tls_failed, "encryption failed", "The two ends do not agree on certificates, names or versions of TLS."},
    {Errc::host_unreachable, "host unreachable",
     "No way leads to that address; is the machine on, and is the address right?"},
    {Errc::network_unreachable, "network unreachable",
     "This machine has no route to that network; check its network connection."},
    {Errc::network_down, "the network is down", "Bring the network interface up."},
    {Errc::self_connect, "connected to itself",
     "Nothing listens there: the system chose the very port that was to be reached. Start the server, or use a port "
     "below the ephemeral range."},
    {Errc::message_too_long, "message too long", "A datagram holds at most 65507 bytes over IPv4; send smaller ones."},
    {Errc::address_in_use, "address already in use",
     "Another program listens there; choose another port (0 lets the system choose) or stop it."},
    {Errc::address_not_available, "address not available",
     "The address is not one of this machine's, or all local ports towards that target are in use."},
    {Errc::name_not_found, "name not found", "Check the spelling of the host's name, or use its numeric address."},
    {Errc::name_try_again, "the name cannot be looked up now",
     "The name server did not answer; try again, or check the network connection."},
    {Errc::not_found, "no such file or socket", "Is the server running, and on this path?"},
    {Errc::permission_denied, "permission denied",
     "Check the owner and the mode of the path, or the firewall's rules."},
    {Errc::too_many_descriptors, "too many open descriptors",
     "Raise the limit (`ulimit -n`), or serve fewer connections at a time."},
    {Errc::out_of_memory, "out of memory", "Serve fewer connections at a time, or give the program more memory."},
    {Errc::out_of_buffers, "the system is out of buffers",
     "The system's network memory is used up; send more slowly, or try again later."},
    {Errc::would_block, "would have to wait", ""},
    {Errc::in_progress, "in progress", ""},
    {Errc::interrupted, "interrupted", ""},
    {Errc::system, "system error", ""},
};

constexpr const Meaning& meaning_of(Errc code) noexcept {
  for (const Meaning& meaning : meanings)
    if (meaning.code == code) return meaning;
  return meanings[std::size(meanings) - 1];
}

}  // namespace

const char* describe(Errc code) noexcept { return meaning_of(code).words; }

Errc to_errc(int system_code) noexcept {
  if (system_code == 0) return Errc::none;
  for (const os::SystemCode& known : os::system_codes())
    if (known.number == system_code) return known.code;
  return Errc::system;
}

// The subject's bytes follow the struct in the same piece of memory.
struct Error::Details {
  std::atomic<std::uint32_t> owners{1};
  std::uint32_t subject_size = 0;
  Errc code = Errc::none;
  int system_code = 0;
  const char* operation = "";
  const char* reason = "";
  std::source_location where{};

  [[nodiscard]] char* subject() noexcept { return reinterpret_cast<char*>(this + 1); }

  // Null when memory is short.
  static Details* make(Errc code, int system_code, const char* operation, std::string_view subject) noexcept {
    void* memory = ::operator new(sizeof(Details) + subject.size(), std::nothrow);
    if (memory == nullptr) return nullptr;
    auto* made = new (memory) Details;
    made->code = code;
    made->system_code = system_code;
    made->operation = operation;
    made->subject_size = static_cast<std::uint32_t>(subject.size());
    if (!subject.empty()) std::memcpy(made->subject(), subject.data(), subject.size());
    return made;
  }
};

Error::Error(Errc code, const char* operation, std::string_view subject, int system_code) noexcept : Error(code) {
  if (code == Errc::none) return;
  constexpr std::size_t longest_subject = 4096;
  Details* made =
      Details::make(code, system_code, operation == nullptr ? "" : operation, subject.substr(0, longest_subject));
  if (made != nullptr) bits_ = reinterpret_cast<std::uintptr_t>(made) | 1U;
}

Error::Error(Errc code, const char* operation, const Address& subject, int system_code) noexcept : Error(code) {
  // Writing the address down needs memory, which may be what is missing.
#if defined(__cpp_exceptions)
  try {
    *this = Error(code, operation, std::string_view(subject.to_string()), system_code);
  } catch (const std::bad_alloc&) {
    *this = Error(code, operation, std::string_view(), system_code);
  }
#else
  *this = Error(code, operation, std::string_view(subject.to_string()), system_code);
#endif
}

void Error::retain() const noexcept {
  if (Details* shared = details()) shared->owners.fetch_add(1, std::memory_order_relaxed);
}

void Error::release_details() noexcept {
  Details* shared = details();
  if (shared->owners.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  shared->~Details();
  ::operator delete(shared);
}

Errc Error::code() const noexcept {
  if (const Details* known = details()) return known->code;
  return static_cast<Errc>(bits_ >> 1);
}

const char* Error::operation() const noexcept {
  const Details* known = details();
  return known == nullptr ? "" : known->operation;
}

std::string_view Error::subject() const noexcept {
  Details* known = details();
  return known == nullptr ? std::string_view() : std::string_view(known->subject(), known->subject_size);
}

int Error::system_code() const noexcept {
  const Details* known = details();
  return known == nullptr ? 0 : known->system_code;
}

std::source_location Error::where() const noexcept {
  const Details* known = details();
  return known == nullptr ? std::source_location() : known->where;
}

std::string Error::message() const {
  std::string text = operation();
  if (!subject().empty()) {
    if (!text.empty()) text += ' ';
    text += subject();
  }
  if (!text.empty()) text += ": ";
  const Details* known = details();
  if (known != nullptr && *known->reason != '\0') return text += known->reason;
  text += describe(code());
  if (code() == Errc::system && system_code() != 0) {
    text += ' ' + std::to_string(system_code()) + ": ";
    text += std::system_category().message(system_code());
  }
  return text;
}

const char* Error::advice() const noexcept {
  const bool binding = std::string_view(operation()) == "bind";
  const bool path = subject().starts_with("unix:");
  for (const std::string_view of_files : {"read a file", "write a file", "make a file", "make files in", "start"}) {
    if (operation() != of_files) continue;
    if (code() == Errc::not_found && operation() == std::string_view("start") && !subject().contains('/'))
      return "No directory of PATH has a program of that name.";
    if (code() == Errc::not_found && std::string_view(operation()).starts_with("make"))
      return "Make the directory of this path first.";
    if (code() == Errc::not_found) return "Check the spelling of the path.";
    if (code() == Errc::permission_denied) return "Check the owner and the mode of the path.";
  }
  if (code() == Errc::closed &&
      (operation() == std::string_view("take over") || operation() == std::string_view("announce to")))
    return "Whoever starts this program has to open the descriptor and pass it on.";
  if (code() == Errc::permission_denied && binding && !path)
    return "A port below 1024 needs a privilege; choose a port from 1024 up, or give the program CAP_NET_BIND_SERVICE.";
  if (code() == Errc::address_in_use && path)
    return "Another program listens on this path, or it is no socket; choose another one.";
  if (code() == Errc::connection_refused && path)
    return "Nothing listens on this path any more; start the server again.";
  if (code() == Errc::not_found && binding) return "Make the directory of this path first.";
  if (code() == Errc::address_not_available && binding)
    return "The address is not one of this machine's; use :PORT for all of them.";
  return meaning_of(code()).advice;
}

bool Error::peer_is_gone() const noexcept {
  switch (code()) {
    case Errc::connection_reset:
    case Errc::connection_aborted:
    case Errc::broken_pipe: return true;
    default: return false;
  }
}

Error Error::rewritten(const char* operation, std::string_view subject, const char* reason,
                       const std::source_location& where) const noexcept {
  Error fresh(code(), operation, subject, system_code());
  if (Details* made = fresh.details()) {
    made->reason = reason;
    made->where = where;
  }
  return fresh;
}

Error Error::during(const char* operation, std::string_view subject) const noexcept {
  if (!*this) return *this;
  const Details* known = details();
  const bool named = known != nullptr && *known->operation != '\0';
  const bool has_subject = known != nullptr && known->subject_size != 0;
  if (named && (has_subject || subject.empty())) return *this;
  return rewritten(named ? known->operation : operation, has_subject ? this->subject() : subject,
                   known == nullptr ? "" : known->reason, where());
}

Error Error::during(const char* operation, const Address& subject) const noexcept {
  if (!*this) return *this;
  const Error named(code(), operation, subject);
  return during(operation, named.subject());
}

Error Error::because(const char* reason) const noexcept {
  if (!*this) return *this;
  return rewritten(operation(), subject(), reason, where());
}

void Error::met_at(const std::source_location& where) noexcept {
  Details* known = details();
  if (known == nullptr || known->where.line() != 0) return;
  // Others may be reading Details that are shared, on other threads.
  if (known->owners.load(std::memory_order_acquire) == 1) known->where = where;
  else *this = rewritten(known->operation, subject(), known->reason, where);
}

Error system_error(int system_code, const char* operation, std::string_view subject) noexcept {
  return Error(to_errc(system_code), operation, subject, system_code);
}

Error system_error(int system_code, const char* operation, const Address& subject) noexcept {
  return Error(to_errc(system_code), operation, subject, system_code);
}

}  // namespace v1
}  // namespace meari
