// From what a person wrote to the addresses it stands for. Names are the system's business (getaddrinfo sorts by RFC 6724);
// localhost is ours.
#include <meari/address.hpp>

#include <algorithm>
#include <memory>

#include "memory.hpp"
#include "native.hpp"

namespace meari {
inline namespace v1 {

namespace {

struct FreeList {
  void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};
using List = std::unique_ptr<addrinfo, FreeList>;

// "localhost", "LOCALHOST.", "db.localhost": RFC 6761 section 6.3 wants loopback for all, whatever files and servers say.
bool is_localhost(std::string_view name) {
  std::string lower(name);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (lower.ends_with('.')) lower.pop_back();
  return lower == "localhost" || lower.ends_with(".localhost");
}

std::vector<Address> both(Address (*make)(Family, std::uint16_t) noexcept, std::uint16_t port) {
  return {make(Family::ipv6, port), make(Family::ipv4, port)};
}

Error lookup_error(int code, const std::string& host) {
  static constexpr char looking_up[] = "look up";
  switch (code) {
    case EAI_AGAIN: return Error(Errc::name_try_again, looking_up, host);
    case EAI_MEMORY: return Error(Errc::out_of_memory, looking_up, host);
#if defined(EAI_SYSTEM)
    case EAI_SYSTEM: return system_error(sys::last_error(), looking_up, host);
#endif
    default: return Error(Errc::name_not_found, looking_up, host);
  }
}

Result<std::vector<Address>> ask_system(const Endpoint& endpoint) {
  if (Result<> started = os::start_network(); !started) return started.error();
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = os::native_type(endpoint.kind);
  hints.ai_flags = AI_ADDRCONFIG;  // no IPv6 addresses where this machine has no IPv6
  addrinfo* found = nullptr;
  int code = sys::getaddrinfo(endpoint.host.c_str(), nullptr, &hints, &found);
  if (code != 0 && code != EAI_AGAIN) {
    // AI_ADDRCONFIG does not count loopback: without any network it hides even what the hosts file says.
    hints.ai_flags = 0;
    code = sys::getaddrinfo(endpoint.host.c_str(), nullptr, &hints, &found);
  }
  if (code != 0) return lookup_error(code, endpoint.host);
  const List list(found);
  std::vector<Address> addresses;
  for (const addrinfo* entry = list.get(); entry != nullptr; entry = entry->ai_next) {
    os::NativeAddress native;
    if (entry->ai_addrlen > sizeof native.storage) continue;
    native.size = static_cast<socklen_t>(entry->ai_addrlen);
    std::copy_n(reinterpret_cast<const char*>(entry->ai_addr), entry->ai_addrlen,
                reinterpret_cast<char*>(&native.storage));
    const Address address = native.address().with_port(endpoint.port);
    if (address.family() != Family::unspecified && std::ranges::find(addresses, address) == addresses.end())
      addresses.push_back(address);
  }
  if (addresses.empty()) return Error(Errc::name_not_found, "look up", endpoint.host);
  return addresses;
}

}  // namespace

static Result<std::vector<Address>> all_of(const Endpoint& endpoint) {
  switch (endpoint.form) {
    case Endpoint::Form::loopback: return both(&Address::loopback, endpoint.port);
    case Endpoint::Form::any: return both(&Address::any, endpoint.port);
    case Endpoint::Form::address: return std::vector<Address>{endpoint.address};
    case Endpoint::Form::name:
      if (is_localhost(endpoint.host)) return both(&Address::loopback, endpoint.port);
      return ask_system(endpoint);
    case Endpoint::Form::descriptor: break;
  }
  return Error(Errc::invalid_argument, "look up", endpoint.to_string())
      .because("a descriptor is open already and has no addresses to look up");
}

Result<std::vector<Address>> resolve(const Endpoint& endpoint) {
  return os::in_memory([&] { return all_of(endpoint); });
}

}  // namespace v1
}  // namespace meari
