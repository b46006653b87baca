#include "sources.hpp"

#include <algorithm>

namespace meari {

bool Sources::enter(const Address& source) {
  if (!counts(source)) return true;
  std::size_t& sessions = counts_[key_of(source)];
  if (sessions >= most_) return false;
  ++sessions;
  return true;
}

void Sources::leave(const Address& source) noexcept {
  if (!counts(source)) return;
  const auto found = counts_.find(key_of(source));
  if (found != counts_.end() && --found->second == 0) counts_.erase(found);
}

std::size_t Sources::sessions_of(const Address& source) const {
  const auto found = counts_.find(key_of(source));
  return found == counts_.end() ? 0 : found->second;
}

bool Sources::counts(const Address& source) const noexcept {
  return most_ != 0 && (source.family() == Family::ipv4 || source.family() == Family::ipv6);
}

Sources::Key Sources::key_of(const Address& source) noexcept {
  const Address plain = source.unmapped();
  const std::size_t bytes = plain.family() == Family::ipv4 ? 4 : 8;
  Key key{static_cast<std::uint8_t>(bytes)};
  std::copy_n(plain.ip().begin(), bytes, key.begin() + 1);
  return key;
}

}  // namespace meari
