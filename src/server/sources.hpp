// Sources: how many sessions each source has, and whether it may have one more. A source is an IPv4 address, or the first 64
// bits of an IPv6 address, which is what one customer gets. Unix-domain clients are not counted.
//
//   if (!sources.enter(address)) …        // over the limit
//   sources.leave(address);               // its session has ended, however it did
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>

#include <meari/address.hpp>

namespace meari {

class Sources {
 public:
  // 0: no limit.
  explicit Sources(std::size_t most = 0) noexcept : most_(most) {}

  // Says whether it may. Whoever was let in has to leave().
  [[nodiscard]] bool enter(const Address& source);
  void leave(const Address& source) noexcept;
  [[nodiscard]] std::size_t sessions_of(const Address& source) const;
  [[nodiscard]] std::size_t size() const noexcept { return counts_.size(); }  // sources that have a session

 private:
  using Key = std::array<std::uint8_t, 9>;
  static Key key_of(const Address& source) noexcept;
  [[nodiscard]] bool counts(const Address& source) const noexcept;

  std::size_t most_;
  std::map<Key, std::size_t> counts_;
};

}  // namespace meari
