// Reading and writing addresses: the numeric forms of IPv4 and IPv6 (RFC 4291, RFC 5952, RFC 6874's scope) and Unix-domain
// paths, without locale and without asking the system for anything but the number of an interface.
#include <meari/address.hpp>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "memory.hpp"
#include "native.hpp"

namespace meari {
inline namespace v1 {

namespace {

constexpr char reading[] = "address";  // the operation that failures here name

// What somebody may have meant follows every refusal.
#define MEARI_FORMS                                                                                                   \
  "; write 9000, :9000, localhost:9000, 127.0.0.1:9000, [::1]:9000, unix:/run/x.sock, unix:@name or fd:3, with udp: " \
  "in front for datagrams"

Error refused(std::string_view text, const char* reason) noexcept {
  // The text is what somebody typed; a page of it helps nobody.
  constexpr std::size_t shown = 200;
  if (text.size() > shown) {
    std::array<char, shown + sizeof "…"> start;
    text.copy(start.data(), shown);
    std::memcpy(start.data() + shown, "…", sizeof "…");
    return Error(Errc::invalid_argument, reading, start.data()).because(reason);
  }
  if (text.empty()) return Error(Errc::invalid_argument, reading, "(empty)").because(reason);
  return Error(Errc::invalid_argument, reading, text).because(reason);
}

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool all_digits(std::string_view text) noexcept { return !text.empty() && std::ranges::all_of(text, is_digit); }

// A decimal number, digits only.
std::optional<std::uint32_t> number(std::string_view text) noexcept {
  std::uint32_t value = 0;
  if (!all_digits(text)) return {};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

using Ipv4 = std::array<std::uint8_t, 4>;
using Ipv6 = std::array<std::uint8_t, 16>;

// Exactly four decimal numbers. No leading zeros: some systems read 010 as eight.
std::optional<Ipv4> read_ipv4(std::string_view text) noexcept {
  Ipv4 bytes{};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t dot = i < 3 ? text.find('.') : text.size();
    if (dot == std::string_view::npos || dot > 3) return {};
    const std::string_view part = text.substr(0, dot);
    const auto value = number(part);
    if (!value || *value > 255 || (part.size() > 1 && part[0] == '0')) return {};
    bytes[i] = static_cast<std::uint8_t>(*value);
    text.remove_prefix(i < 3 ? dot + 1 : dot);
  }
  return bytes;
}

std::optional<std::uint16_t> read_group(std::string_view text) noexcept {
  std::uint16_t value = 0;
  if (text.empty() || text.size() > 4 || text[0] == '-') return {};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (problem != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

// Groups of 16 bits between colons, the last two perhaps as an IPv4 address. Tells how many bytes, at most 16.
std::optional<std::size_t> read_groups(std::string_view text, std::uint8_t* out) noexcept {
  std::size_t size = 0;
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const std::string_view part = text.substr(0, colon);
    if (colon == std::string_view::npos && part.contains('.')) {
      const auto tail = read_ipv4(part);
      if (!tail || size > 12) return {};
      std::ranges::copy(*tail, out + size);
      return size + 4;
    }
    const auto group = read_group(part);
    if (!group || size > 14) return {};
    out[size++] = static_cast<std::uint8_t>(*group >> 8);
    out[size++] = static_cast<std::uint8_t>(*group & 0xFF);
    if (colon == std::string_view::npos) break;
    text.remove_prefix(colon + 1);
    if (text.empty()) return {};  // ends with a single colon
  }
  return size;
}

std::optional<Ipv6> read_ipv6(std::string_view text) noexcept {
  Ipv6 bytes{};
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    const auto size = read_groups(text, bytes.data());
    if (!size || *size != 16) return {};
    return bytes;
  }
  Ipv6 head{}, tail{};
  const std::string_view before = text.substr(0, gap);
  if (before.contains('.')) return {};
  const auto head_size = read_groups(before, head.data());
  const auto tail_size = read_groups(text.substr(gap + 2), tail.data());
  if (!head_size || !tail_size || *head_size + *tail_size > 14) return {};  // "::" stands for one group at least
  std::copy_n(head.begin(), *head_size, bytes.begin());
  std::copy_n(tail.begin(), *tail_size, bytes.end() - static_cast<std::ptrdiff_t>(*tail_size));
  return bytes;
}

// "2" or, where the system knows one of that name, "eth0".
std::optional<std::uint32_t> read_scope(std::string_view text) noexcept {
  if (text.empty()) return {};
  if (all_digits(text)) return number(text);
  return os::interface_index(text);
}

struct Numeric {
  Family family = Family::unspecified;
  Ipv6 ip{};
  std::uint32_t scope = 0;
};

std::optional<Numeric> read_numeric(std::string_view text) noexcept {
  Numeric numeric;
  if (const auto ipv4 = read_ipv4(text)) {
    numeric.family = Family::ipv4;
    std::ranges::copy(*ipv4, numeric.ip.begin());
    return numeric;
  }
  const std::size_t percent = text.find('%');
  const auto ipv6 = read_ipv6(text.substr(0, percent));
  if (!ipv6) return {};
  if (percent != std::string_view::npos) {
    const auto scope = read_scope(text.substr(percent + 1));
    if (!scope) return {};
    numeric.scope = *scope;
  }
  numeric.family = Family::ipv6;
  numeric.ip = *ipv6;
  return numeric;
}

// What is wrong with a port, or nothing.
const char* read_port(std::string_view text, std::uint16_t& port) noexcept {
  if (text.empty()) return "the port is missing" MEARI_FORMS;
  if (!all_digits(text)) return "the port is not a number" MEARI_FORMS;
  const auto value = number(text);
  if (!value || *value > 65535) return "a port is at most 65535" MEARI_FORMS;
  port = static_cast<std::uint16_t>(*value);
  return nullptr;
}

// What is wrong with a host's name, or nothing. Names are looked up elsewhere; here only what can never be one is refused.
const char* check_name(std::string_view host) noexcept {
  if (host == "*") return "for all addresses write nothing before the colon" MEARI_FORMS;
  if (host.size() > 253) return "a host's name has at most 253 bytes" MEARI_FORMS;
  if (std::ranges::all_of(host, [](char c) { return is_digit(c) || c == '.'; }))
    return "an IPv4 address is four numbers from 0 to 255 with dots between them and no leading zeros" MEARI_FORMS;
  const bool plain = std::ranges::all_of(host, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_' ||
           byte >= 0x80;
  });
  if (!plain) return "a host's name holds letters, digits, dots and hyphens only" MEARI_FORMS;
  return nullptr;
}

// What is wrong with a Unix-domain path, or nothing.
const char* check_path(std::string_view path) noexcept {
  if (path.empty() || path == "@") return "the path is missing" MEARI_FORMS;
  if (path.contains('\0')) return "a path cannot hold a NUL byte" MEARI_FORMS;
  if (path.size() > 107) return "the path of a Unix-domain socket has at most 107 bytes" MEARI_FORMS;
  return nullptr;
}

// Cuts "HOST:PORT" or "[IPV6]:PORT". What is wrong with it, or nothing.
struct HostAndPort {
  std::string_view host;
  std::uint16_t port = 0;
  bool brackets = false;
};
const char* cut(std::string_view text, HostAndPort& parts) noexcept {
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return "the closing bracket is missing" MEARI_FORMS;
    parts.brackets = true;
    parts.host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (port.empty()) return "the port is missing" MEARI_FORMS;
    if (port[0] != ':') return "after the closing bracket comes a colon and the port" MEARI_FORMS;
    port.remove_prefix(1);
  } else {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return "the port is missing" MEARI_FORMS;
    if (text.find(':', colon + 1) != std::string_view::npos)
      return "there is more than one colon; an IPv6 address needs brackets" MEARI_FORMS;
    parts.host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  return read_port(port, parts.port);
}

}  // namespace

Address::Address(std::string_view ip, std::uint16_t port) noexcept : Address() {
  const auto numeric = read_numeric(ip);
  if (!numeric) return;
  family_ = numeric->family;
  ip_ = numeric->ip;
  scope_ = numeric->scope;
  port_ = port;
}

Address Address::from_ipv4(const std::array<std::uint8_t, 4>& bytes, std::uint16_t port) noexcept {
  Address made;
  made.family_ = Family::ipv4;
  std::ranges::copy(bytes, made.ip_.begin());
  made.port_ = port;
  return made;
}

Address Address::from_ipv6(const std::array<std::uint8_t, 16>& bytes, std::uint16_t port,
                           std::uint32_t scope) noexcept {
  Address made;
  made.family_ = Family::ipv6;
  made.ip_ = bytes;
  made.port_ = port;
  made.scope_ = scope;
  return made;
}

Address Address::loopback(Family family, std::uint16_t port) noexcept {
  switch (family) {
    case Family::ipv4: return from_ipv4({127, 0, 0, 1}, port);
    case Family::ipv6: return from_ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, port);
    default: return {};
  }
}

Address Address::any(Family family, std::uint16_t port) noexcept {
  switch (family) {
    case Family::ipv4: return from_ipv4({}, port);
    case Family::ipv6: return from_ipv6({}, port);
    default: return {};
  }
}

Result<Address> Address::from_path(std::string_view path) {
  return os::in_memory([&]() -> Result<Address> {
    if (const char* wrong = check_path(path)) return refused("unix:" + std::string(path), wrong);
    Address made;
    made.be_local(std::make_shared<const std::string>(path));
    return made;
  });
}

Result<Address> Address::parse(std::string_view text) {
  if (text.starts_with("unix:")) {
    const std::string_view path = text.substr(5);
    if (const char* wrong = check_path(path)) return refused(text, wrong);
    return from_path(path);
  }
  HostAndPort parts;
  if (const char* wrong = cut(text, parts)) return refused(text, wrong);
  const Address made(parts.host, parts.port);
  if (parts.brackets != (made.family() == Family::ipv6) || made.family() == Family::unspecified)
    return refused(text,
                   "this is not a numeric address; write 127.0.0.1:9000, [::1]:9000, unix:/run/x.sock or unix:@name");
  return made;
}

Address Address::with_port(std::uint16_t port) const noexcept {
  Address changed = *this;
  if (family_ == Family::ipv4 || family_ == Family::ipv6) changed.port_ = port;
  return changed;
}

std::string_view Address::path() const noexcept {
  return is_local() && path_ != nullptr ? std::string_view(*path_) : std::string_view();
}

namespace {

// ::ffff:0:0/96, RFC 4291 section 2.5.5.2
bool is_mapped(const Ipv6& ip) noexcept {
  constexpr Ipv6 prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  return std::equal(prefix.begin(), prefix.begin() + 12, ip.begin());
}

std::string ipv4_text(const std::uint8_t* ip) {
  return std::to_string(ip[0]) + '.' + std::to_string(ip[1]) + '.' + std::to_string(ip[2]) + '.' +
         std::to_string(ip[3]);
}

// RFC 5952: lower case, no leading zeros, the first of the longest runs of two or more zero groups as "::".
std::string ipv6_text(const Ipv6& ip) {
  const auto group = [&](std::size_t i) { return static_cast<unsigned>(ip[2 * i] << 8 | ip[2 * i + 1]); };
  std::size_t gap = 8, gap_size = 1;
  for (std::size_t i = 0; i < 8; ++i) {
    std::size_t size = 0;
    while (i + size < 8 && group(i + size) == 0) ++size;
    if (size > gap_size) gap = i, gap_size = size;
    i += size;
  }
  std::string text;
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == gap) {
      text += "::";
      i += gap_size - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    char digits[4];
    const auto written = std::to_chars(digits, digits + 4, group(i), 16);
    text.append(digits, written.ptr);
  }
  return text;
}

}  // namespace

bool Address::is_loopback() const noexcept {
  switch (family_) {
    case Family::ipv4: return ip_[0] == 127;
    case Family::ipv6: return ip_ == loopback(Family::ipv6, 0).ip_ || (is_mapped(ip_) && ip_[12] == 127);
    case Family::local: return true;
    default: return false;
  }
}

bool Address::is_any() const noexcept { return (family_ == Family::ipv4 || family_ == Family::ipv6) && ip_ == Ipv6{}; }

Address Address::unmapped() const noexcept {
  if (family_ != Family::ipv6 || !is_mapped(ip_)) return *this;
  return from_ipv4({ip_[12], ip_[13], ip_[14], ip_[15]}, port_);
}

std::string Address::to_string() const {
  const std::string port = ':' + std::to_string(port_);
  switch (family_) {
    case Family::ipv4: return ipv4_text(ip_.data()) + port;
    case Family::ipv6:
      if (is_mapped(ip_)) return ipv4_text(ip_.data() + 12) + port;
      return '[' + ipv6_text(ip_) + (scope_ == 0 ? "" : '%' + std::to_string(scope_)) + ']' + port;
    case Family::local: return "unix:" + std::string(path());
    default: return "(no address)";
  }
}

std::strong_ordering Address::compare(const Address& other) const noexcept {
  if (const auto order = family_ <=> other.family_; order != 0) return order;
  if (const auto order = ip() <=> other.ip(); order != 0) return order;
  if (const auto order = scope_ <=> other.scope_; order != 0) return order;
  if (const auto order = port_ <=> other.port_; order != 0) return order;
  return path() <=> other.path();
}

static Result<Endpoint> read_endpoint(std::string_view text) {
  using Form = Endpoint::Form;
  Endpoint endpoint;
  std::string_view rest = text;
  if (text.empty()) return refused(text, "there is no address" MEARI_FORMS);
  if (text.contains('\0')) return refused(text.substr(0, text.find('\0')), "the address holds a NUL byte" MEARI_FORMS);
  if (rest.starts_with("udp:")) {
    endpoint.kind = Kind::datagram;
    rest.remove_prefix(4);
    if (rest.starts_with("fd:")) return refused(text, "a descriptor knows its own kind; leave udp: out" MEARI_FORMS);
    if (rest.starts_with("udp:")) return refused(text, "udp: stands there twice" MEARI_FORMS);
  }

  if (rest.starts_with("unix:")) {
    endpoint.form = Form::address;
    if (const char* wrong = check_path(rest.substr(5))) return refused(text, wrong);
    Result<Address> path = Address::from_path(rest.substr(5));
    if (!path) return path.error();
    endpoint.address = *path;
    return endpoint;
  }
  if (rest.starts_with("fd:")) {
    const auto descriptor = number(rest.substr(3));
    if (!descriptor || *descriptor > 0x7FFFFFFF)
      return refused(text, "after fd: comes the number of an open descriptor" MEARI_FORMS);
    endpoint.form = Form::descriptor;
    endpoint.descriptor = static_cast<int>(*descriptor);
    return endpoint;
  }
  if (rest.empty() || all_digits(rest)) {
    if (const char* wrong = read_port(rest, endpoint.port)) return refused(text, wrong);
    endpoint.form = Form::loopback;
    return endpoint;
  }

  HostAndPort parts;
  if (const char* wrong = cut(rest, parts)) return refused(text, wrong);
  endpoint.port = parts.port;
  if (parts.host.empty() && !parts.brackets) {
    endpoint.form = Form::any;
    return endpoint;
  }
  const Address numeric(parts.host, parts.port);
  if (parts.brackets && numeric.family() != Family::ipv6)
    return refused(text, "what stands between the brackets is not an IPv6 address" MEARI_FORMS);
  if (numeric.family() != Family::unspecified) {
    endpoint.form = Form::address;
    endpoint.address = numeric;
    return endpoint;
  }
  if (const char* wrong = check_name(parts.host)) return refused(text, wrong);
  endpoint.form = Form::name;
  endpoint.host = parts.host;
  return endpoint;
}

Result<Endpoint> Endpoint::parse(std::string_view text) {
  return os::in_memory([&] { return read_endpoint(text); });
}

std::string Endpoint::to_string() const {
  const std::string prefix = kind == Kind::datagram ? "udp:" : "";
  switch (form) {
    case Form::loopback: return prefix + std::to_string(port);
    case Form::any: return prefix + ':' + std::to_string(port);
    case Form::name: return prefix + host + ':' + std::to_string(port);
    case Form::address: return prefix + address.to_string();
    case Form::descriptor: return "fd:" + std::to_string(descriptor);
  }
  return {};
}

}  // namespace v1
}  // namespace meari
