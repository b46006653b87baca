#include "pauses.hpp"

#include <chrono>
#include <optional>
#include <utility>

#include <meari/deadline.hpp>

namespace meari::command {

void Pauses::told(bool resumed, std::string_view reason) {
  paused_ = !resumed;
  last_change_ = loop_.now();
  if (resumed) return static_cast<void>(resumed_.try_send(true));
  ++pauses_;
  if (reasons_.emplace(reason).second) log_.paused(reason);
}

Task<> Pauses::watch() {
  constexpr std::chrono::seconds calm{2};
  while (const std::optional<bool> news = co_await resumed_.receive()) {
    while (!paused_ && loop_.now() < last_change_ + calm) co_await sleep_until(last_change_ + calm);
    if (paused_ || reasons_.empty()) continue;
    reasons_.clear();
    log_.resumed(std::exchange(pauses_, 0));
  }
}

}  // namespace meari::command
