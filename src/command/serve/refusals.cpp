#include "refusals.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "src/command/speech/messages.hpp"

namespace meari::command {
namespace {

// In a second, whatever else was told in it. Strangers come as they like; a source in an episode has sessions that it pays for.
constexpr std::size_t most_strangers = 1;
constexpr std::size_t most_sources = 10;

}  // namespace

std::string name_of_source(const Address& address) {
  const Address plain = address.unmapped();
  if (plain.family() == Family::ipv4) {
    const std::string text = plain.to_string();
    return text.substr(0, text.rfind(':'));
  }
  if (plain.family() != Family::ipv6) return plain.to_string();
  std::array<std::uint8_t, 16> network = plain.ip();
  std::fill(network.begin() + 8, network.end(), std::uint8_t{0});
  const std::string text = Address::from_ipv6(network, 0).to_string();  // "[2001:db8::]:0"
  return text.substr(1, text.rfind(']') - 1) + "/64";
}

bool Refusals::may_tell(Time now, std::size_t most) {
  constexpr std::chrono::seconds second{1};
  if (second_ == Time::min() || now - second_ >= second) {
    second_ = now;
    told_ = 0;
  }
  if (told_ >= most) {
    ++untold_;
    return false;
  }
  ++told_;
  return true;
}

void Refusals::not_admitted(const Address& from, Time now) {
  if (may_tell(now, most_strangers)) log_.turned_away(from, messages::not_admitted, std::exchange(untold_, 0));
}

void Refusals::too_many(const Address& from, Time now) {
  std::string source = name_of_source(from);
  if (full_.contains(source)) {
    ++untold_;
  } else if (may_tell(now, most_sources)) {  // else it is named by the next of its connections
    const auto at = full_.insert(std::move(source)).first;
    log_.source_full(*at, max_per_source_, std::exchange(untold_, 0));
  }
}

void Refusals::has_room(const Address& from) {
  if (!full_.empty()) full_.erase(name_of_source(from));
}

}  // namespace meari::command
