#include "repetition.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

#include <meari/deadline.hpp>

#include "src/command/speech/messages.hpp"

namespace meari::command {
namespace {

std::string milliseconds(Duration time) {
  return fmt::format("{:.3f}", std::chrono::duration<double, std::milli>(time).count());
}

void summarise_times(const Talk& talk, const Message<std::string_view, std::string_view, std::string_view>& message,
                     std::vector<Duration> times) {
  if (times.empty()) return;
  std::ranges::sort(times);
  // Of an even number the lower one of the two in the middle: a time that was measured.
  const Duration median = times[(times.size() - 1) / 2];
  talk.say(message, milliseconds(times.front()), milliseconds(median), milliseconds(times.back()));
}

}  // namespace

Task<Status> Repetition::run() {
  Status status = Status::ok;
  Time due = loop_.now();
  for (std::uint64_t number = 1; number <= settings_.repeat; ++number) {
    begun_ = number;
    Conversation conversation(loop_, settings_, talk_);
    const Status outcome = co_await conversation.converse();
    if (outcome == Status::interrupted) {
      --begun_;  // it was stopped by us, so it says nothing about the peer
      status = outcome;
      break;
    }
    if (outcome == Status::ok) ++succeeded_;
    else if (status == Status::ok) status = outcome;
    report(number, conversation);
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

void Repetition::report(std::uint64_t number, const Conversation& conversation) {
  const std::optional<Duration> connected = conversation.connecting();
  if (!connected) return;  // why not has been said
  connecting_.push_back(*connected);
  const std::string& to = conversation.peer_address();
  if (settings_.check) return talk_.say(messages::repeated_check, number, to, milliseconds(*connected));
  const std::optional<Duration> reply = conversation.replying();
  if (!reply) return talk_.say(messages::repeated_silence, number, to, milliseconds(*connected));
  replying_.push_back(*reply);
  talk_.say(messages::repeated, number, to, milliseconds(*connected), milliseconds(*reply));
}

void Repetition::summarise() const {
  talk_.say(messages::repeated_all, succeeded_, begun_);
  summarise_times(talk_, messages::connecting_times, connecting_);
  summarise_times(talk_, messages::reply_times, replying_);
}

}  // namespace meari::command
