// Sources: how many sessions each source has, and whether it may have one more. A source is an IPv4 address, or the first 64
// bits of an IPv6 address, which is what one customer gets. Unix-domain clients are not counted.
//
//   Sources::Place place = sources.enter(address);     // counted until it is destroyed, however the session ends
//   if (!place) …                                      // over the limit
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

#include <meari/address.hpp>

namespace meari {

class Sources {
  struct Count {
    std::size_t sessions = 0;
    Sources* of = nullptr;
  };
  using Key = std::array<std::uint8_t, 9>;
  using Counts = std::map<Key, Count>;

 public:
  // 0: no limit. Not less than it takes to begin with: who is over it stays.
  explicit Sources(std::size_t most = 0) noexcept : most_(most) {}

  class Place {
   public:
    Place() noexcept = default;  // not admitted
    Place(Place&& other) noexcept : at_(std::exchange(other.at_, nullptr)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(at_, other.at_);
      return *this;
    }
    ~Place() {
      if (at_ != nullptr && at_ != &uncounted && --at_->second.sessions == 0) at_->second.of->counts_.erase(at_->first);
    }
    explicit operator bool() const noexcept { return at_ != nullptr; }

   private:
    friend class Sources;
    explicit Place(Counts::value_type& at) noexcept : at_(&at) {}
    Counts::value_type* at_ = nullptr;
  };

  [[nodiscard]] Place enter(const Address& source);
  [[nodiscard]] std::size_t sessions_of(const Address& source) const;
  [[nodiscard]] std::size_t size() const noexcept { return counts_.size(); }  // sources that have a session

 private:
  static Key key_of(const Address& source) noexcept;
  static bool is_counted(const Address& source) noexcept;

  static Counts::value_type uncounted;  // admitted, and nobody counts

  std::size_t most_;
  Counts counts_;
};

}  // namespace meari
