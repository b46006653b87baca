#include "sources.hpp"

#include <algorithm>

namespace meari {

Sources::Counts::value_type Sources::uncounted;

Sources::Place Sources::enter(const Address& source) {
  if (most_ == 0 || !is_counted(source)) return Place(uncounted);
  Counts::value_type& at = *counts_.try_emplace(key_of(source), Count{0, this}).first;
  if (at.second.sessions >= most_) return {};
  ++at.second.sessions;
  return Place(at);
}

std::size_t Sources::sessions_of(const Address& source) const {
  const auto found = counts_.find(key_of(source));
  return found == counts_.end() ? 0 : found->second.sessions;
}

bool Sources::is_counted(const Address& source) noexcept {
  return source.family() == Family::ipv4 || source.family() == Family::ipv6;
}

Sources::Key Sources::key_of(const Address& source) noexcept {
  const Address plain = source.unmapped();
  const std::size_t bytes = plain.family() == Family::ipv4 ? 4 : 8;
  Key key{static_cast<std::uint8_t>(bytes)};
  std::copy_n(plain.ip().begin(), bytes, key.begin() + 1);
  return key;
}

}  // namespace meari
