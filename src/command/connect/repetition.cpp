#include "repetition.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

#include <meari/deadline.hpp>

#include "src/command/speech/messages.hpp"

namespace meari::command {
namespace {

std::string in_milliseconds(Duration time) {
  return fmt::format("{:.3f}", std::chrono::duration<double, std::milli>(time).count());
}

void summarise_times(const Talk& talk, const Message<std::string_view, std::string_view, std::string_view>& message,
                     std::vector<Duration> times) {
  if (times.empty()) return;
  std::ranges::sort(times);
  // Of an even number the lower one of the two in the middle: a time that was measured.
  const Duration median = times[(times.size() - 1) / 2];
  talk.say(message, in_milliseconds(times.front()), in_milliseconds(median), in_milliseconds(times.back()));
}

}  // namespace

Task<Status> Repetition::run() {
  Status status = Status::ok;
  Time due = loop_.now();
  for (std::uint64_t number = 1; number <= settings_.repeat; ++number) {
    begun_ = number;
    const Outcome outcome = co_await converse_();
    if (outcome.status == Status::interrupted) {
      --begun_;  // it was stopped by us, so it says nothing about the peer
      status = outcome.status;
      break;
    }
    if (outcome.status == Status::ok) ++succeeded_;
    else if (status == Status::ok) status = outcome.status;
    report(number, outcome);
    if (number == settings_.repeat) break;
    due = std::max(due + settings_.interval, loop_.now());  // after a slow one no burst to catch up
    const Result<> slept = co_await as_result(sleep_until(due));
    if (slept) continue;
    status = Status::interrupted;
    break;
  }
  summarise();
  co_return status;
}

void Repetition::report(std::uint64_t number, const Outcome& outcome) {
  const std::string& to = outcome.to;
  const std::optional<Duration>& connected = outcome.connecting;
  const std::optional<Duration>& reply = outcome.replying;
  if (connected) connecting_.push_back(*connected);
  if (reply) replying_.push_back(*reply);
  if (settings_.where.kind == Kind::datagram) {
    if (reply) talk_.say(messages::repeated_datagram, number, to, in_milliseconds(*reply));
    else if (!to.empty()) talk_.say(messages::repeated_datagram_silence, number, to);
    return;
  }
  if (!connected) return;  // why not has been said
  if (settings_.check) return talk_.say(messages::repeated_check, number, to, in_milliseconds(*connected));
  if (!reply) return talk_.say(messages::repeated_silence, number, to, in_milliseconds(*connected));
  talk_.say(messages::repeated, number, to, in_milliseconds(*connected), in_milliseconds(*reply));
}

void Repetition::summarise() const {
  talk_.say(messages::repeated_all, succeeded_, begun_);
  summarise_times(talk_, messages::connecting_times, connecting_);
  summarise_times(talk_, messages::reply_times, replying_);
}

}  // namespace meari::command
