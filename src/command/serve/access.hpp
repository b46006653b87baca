// Access: who is served. Lists of networks, as typed or from files, which can be read again while the server runs.
//
//   Result<Access> access = Access::read({.allow = "192.0.2.0/24,./friends", .deny = "192.0.2.66"});
//   if (!access->admits(address)) …
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <meari/address.hpp>
#include <meari/result.hpp>

namespace meari::command {

// "192.0.2.0/24", "2001:db8::/32", or an address alone.
struct Network {
  Address base;
  unsigned bits = 0;
  static Result<Network> parse(std::string_view text);
  [[nodiscard]] bool has(const Address& address) const noexcept;
};

class Access {
 public:
  // Words with commas between them: networks, and files, which have a slash or a dot in front. Fails with the first word or
  // line that makes no sense; a file that cannot be read is one.
  static Result<Access> read(std::string_view allow, std::string_view deny);
  // Denied is denied; else allowed is whoever is on the list, and everybody where there is none.
  [[nodiscard]] bool admits(const Address& address) const noexcept;
  [[nodiscard]] bool admits_all() const noexcept { return !restricted_ && deny_.empty(); }

 private:
  std::vector<Network> allow_;
  std::vector<Network> deny_;
  bool restricted_ = false;  // there is a list of the allowed, if an empty one
};

}  // namespace meari::command
