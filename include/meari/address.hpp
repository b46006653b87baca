// Address: where one end of a conversation is. Endpoint: what a person writes to mean one or more Addresses.
//
//   Address here = {"127.0.0.1", 9000};
//   Result<Endpoint> place = Endpoint::parse(":9000");          // all addresses of this machine, IPv4 and IPv6
//   Result<std::vector<Address>> all = resolve(*place);         // asks the system for names; may take seconds
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <meari/result.hpp>

namespace meari {
namespace os {
struct NativeAddress;  // the system's own form of an Address: src/os/native.hpp
}
inline namespace v1 {

enum class Family : std::uint8_t { unspecified, ipv4, ipv6, local };  // AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX
enum class Kind : std::uint8_t { stream, datagram };                  // SOCK_STREAM, SOCK_DGRAM

// A value of 24 bytes. Ports are in the host's byte order, 0 to 65535.
class MEARI_EXPORT Address {
 public:
  Address() noexcept : ip_{} {}  // no address; family() is unspecified
  Address(const Address& other) noexcept { take(other); }
  Address(Address&& other) noexcept { take(std::move(other)); }
  Address& operator=(const Address& other) noexcept {
    if (this != &other) {
      forget_path();
      take(other);
    }
    return *this;
  }
  Address& operator=(Address&& other) noexcept {
    if (this != &other) {
      forget_path();
      take(std::move(other));
    }
    return *this;
  }
  ~Address() { forget_path(); }
  // A numeric IPv4 or IPv6 address ("0.0.0.0", "::1", "fe80::1%2"). Anything else makes an Address without a
  // family, which every call refuses with invalid_argument; use parse() for text from outside.
  Address(std::string_view ip, std::uint16_t port) noexcept;
  static Address from_ipv4(const std::array<std::uint8_t, 4>& bytes, std::uint16_t port) noexcept;
  static Address from_ipv6(const std::array<std::uint8_t, 16>& bytes, std::uint16_t port,
                           std::uint32_t scope = 0) noexcept;
  static Address loopback(Family family, std::uint16_t port) noexcept;
  static Address any(Family family, std::uint16_t port) noexcept;
  // A Unix-domain path of at most 107 bytes; a leading '@' means the abstract namespace of Linux (unix(7)).
  static Result<Address> from_path(std::string_view path);
  // "127.0.0.1:9000", "[::1]:9000", "unix:/run/x.sock", "unix:@name". No names: those need resolve().
  static Result<Address> parse(std::string_view text);

  [[nodiscard]] Family family() const noexcept { return family_; }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] Address with_port(std::uint16_t port) const noexcept;
  // IPv4: the first four. Neither: zeros. Valid until this Address changes.
  [[nodiscard]] const std::array<std::uint8_t, 16>& ip() const noexcept { return is_local() ? no_ip : ip_; }
  [[nodiscard]] std::uint32_t scope() const noexcept { return scope_; }
  // Unix-domain: the path; '@…' for abstract names; "" for an unnamed socket, as most clients have.
  [[nodiscard]] std::string_view path() const noexcept;
  [[nodiscard]] bool is_loopback() const noexcept;  // 127.0.0.0/8, ::1, Unix-domain
  [[nodiscard]] bool is_any() const noexcept;       // 0.0.0.0, ::
  // An IPv4 client of a socket that takes both has an IPv6 address (::ffff:127.0.0.1): this is the IPv4 address in it.
  // Every other Address as it is.
  [[nodiscard]] Address unmapped() const noexcept;
  // "127.0.0.1:9000", "[::1]:9000", "unix:/run/x.sock"; an IPv4 address mapped into IPv6 is shown as IPv4.
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const Address& a, const Address& b) noexcept { return (a <=> b) == 0; }
  friend std::strong_ordering operator<=>(const Address& a, const Address& b) noexcept { return a.compare(b); }

 private:
  friend struct os::NativeAddress;
  [[nodiscard]] std::strong_ordering compare(const Address& other) const noexcept;

  [[nodiscard]] bool is_local() const noexcept { return family_ == Family::local; }
  // A Unix-domain address; nullptr: of an unnamed socket. Of one that is no such address yet.
  void be_local(std::shared_ptr<const std::string> path) noexcept {
    std::construct_at(&path_, std::move(path));
    family_ = Family::local;
  }
  template <class Other>
  void take(Other&& other) noexcept {
    if (other.is_local()) [[unlikely]]
      std::construct_at(&path_, std::forward<Other>(other).path_);
    else ip_ = other.ip_;
    scope_ = other.scope_;
    port_ = other.port_;
    family_ = other.family_;
  }
  void forget_path() noexcept {
    if (is_local()) [[unlikely]]
      std::destroy_at(&path_);
  }

  static constexpr std::array<std::uint8_t, 16> no_ip{};
  union {
    std::array<std::uint8_t, 16> ip_;          // of IPv4 and IPv6, and where there is no address
    std::shared_ptr<const std::string> path_;  // of a Unix-domain socket
  };
  std::uint32_t scope_ = 0;
  std::uint16_t port_ = 0;
  Family family_ = Family::unspecified;
};
static_assert(sizeof(Address) <= 24);

// What is written on a command line:
//   9000            loopback, IPv4 and IPv6          localhost:9000   a name, resolved
//   :9000           all addresses, IPv4 and IPv6     unix:/run/x.sock, unix:@abstract
//   127.0.0.1:9000  [::1]:9000                       fd:3             a socket that somebody else opened
//   udp:9000 …      datagrams instead of a stream, before any of the forms above but fd:
struct MEARI_EXPORT Endpoint {
  enum class Form : std::uint8_t { loopback, any, name, address, descriptor };

  Form form = Form::loopback;
  Kind kind = Kind::stream;
  std::uint16_t port = 0;
  int descriptor = -1;
  std::string host;  // Form::name
  Address address;   // Form::address

  // Fails with invalid_argument; the message names the text, what is wrong with it and the accepted forms.
  static Result<Endpoint> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
};

// The Addresses that an Endpoint stands for, in the order to try them (RFC 6724). At least one on success.
// Blocks while the system looks a name up: in a Task use offload(). `any` gives "::" before "0.0.0.0".
// Fails with name_not_found, name_try_again, invalid_argument.
[[nodiscard]] MEARI_EXPORT Result<std::vector<Address>> resolve(const Endpoint& endpoint);

}  // namespace v1
}  // namespace meari
