#include "dial.hpp"

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>
#include <vector>

#include <meari/connect.hpp>
#include <meari/deadline.hpp>

#include <meari/dice.hpp>
#include "src/command/speech/library_text.hpp"
#include "src/command/speech/messages.hpp"

namespace meari::command {
namespace {

using std::chrono::milliseconds;

Task<Connected> attempt(Loop& loop, const ConnectSettings& settings) {
  Connected connected;
  if (settings.where.form == Endpoint::Form::descriptor) {
    connected.stream = co_await Stream::adopt(loop, settings.where.descriptor);
    co_return connected;
  }
  const Time begin = loop.now();
  const Time deadline = settings.timeout == Duration::zero() ? never : begin + settings.timeout;
  Result<std::vector<Address>> found = co_await as_result(with_deadline(deadline, look_up(settings.where)));
  if (!found) co_return found.error().during("look up", settings.where.host);
  std::vector<Address> addresses = *std::move(found);
  if (settings.source.family() != Family::unspecified) {
    std::erase_if(addresses, [&](const Address& to) { return to.family() != settings.source.family(); });
    if (addresses.empty()) co_return no_way_from_source(settings);
  }
  connected.choices = addresses.size();
  ConnectOptions options;
  options.timeout = deadline == never ? Duration(std::chrono::hours(24 * 365)) : deadline - loop.now();
  options.source = settings.source;
  options.timeouts.idle = settings.idle;
  connected.stream = co_await meari::connect(std::move(addresses), std::move(options));
  connected.took = loop.now() - begin;
  co_return connected;
}

}  // namespace

Error no_way_from_source(const ConnectSettings& settings) {
  const Error error(Errc::invalid_argument, "connect to", settings.where.to_string());
  return error.because("none of its addresses is of the family of --source");
}

Duration pause_before(std::uint64_t next, std::uint64_t chance) noexcept {
  constexpr std::chrono::microseconds shortest = milliseconds(100);
  constexpr std::chrono::microseconds longest = std::chrono::seconds(5);
  constexpr std::uint64_t most_doublings = 6;  // beyond the longest
  const auto doubled = shortest * (1 << std::min(next < 2 ? 0 : next - 2, most_doublings));
  const std::chrono::microseconds whole = std::min(doubled, longest);
  return whole / 2 + std::chrono::microseconds(chance % static_cast<std::uint64_t>(whole.count() / 2 + 1));
}

bool may_pass(const Error& error) noexcept {
  switch (error.code()) {
    case Errc::connection_refused:
    case Errc::connection_reset:
    case Errc::connection_aborted:
    case Errc::timed_out:
    case Errc::name_try_again:
    case Errc::host_unreachable:
    case Errc::network_unreachable:
    case Errc::network_down:
    case Errc::not_found:  // the path of a Unix-domain socket, before its server has made it
    case Errc::self_connect: return true;
    default: return false;
  }
}

Task<Connected> dial(Loop& loop, const ConnectSettings& settings, const Talk& talk) {
  Dice dice(std::random_device{}(), "retry");
  const std::uint64_t attempts = settings.retry + 1;
  for (std::uint64_t next = 2;; ++next) {
    Result<Connected> connected = co_await as_result(attempt(loop, settings));
    if (connected || next > attempts || !may_pass(connected.error())) co_return std::move(connected);
    const Duration pause = pause_before(next, dice.next());
    const std::string why = message_of(talk.language(), connected.error());
    talk.say(messages::dialling_again, why, next, attempts, seconds(pause.count()));
    co_await sleep_for(pause);
  }
}

}  // namespace meari::command
