// A worker that sends datagrams. Each begins with its number, so that a reply says what it replies to: they get lost, overtake
// each other, come twice. A reply that does not come within the time limit is lost; when it comes after all, it was late.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include <meari/deadline.hpp>

#include "worker.hpp"

namespace meari::command {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t number_bytes = 8;
constexpr std::size_t most_remembered = 100'000;  // lost ones

std::uint64_t number_of(std::span<const std::byte> message) noexcept {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < number_bytes; ++i) number |= static_cast<std::uint64_t>(message[i]) << (8 * i);
  return number;
}

}  // namespace

// Datagrams to a path are answered to a path: it gets an abstract one, which leaves no file behind.
Result<Address> address_for_datagrams(const Address& target, Time now, unsigned index) {
  if (target.family() != Family::local) return Address::any(target.family(), 0);
  return Address::from_path("@meari-bench-" + std::to_string(now.time_since_epoch().count()) + '-' +
                            std::to_string(index));
}

Result<> Worker::open_mail(Talk& talk) {
  const Result<Address> local = address_for_datagrams(load_.target_, precise(), talk.index);
  if (!local) return local.error();
  Result<Datagram> socket = Datagram::open(*loop_, *local);
  if (!socket) return socket.error();
  if (talk.mail == nullptr) talk.mail = std::make_unique<Mail>();
  talk.mail->socket = *std::move(socket);
  return {};
}

Task<> Worker::mail(Talk& talk) {
  if (settings_.rate == 0) co_await mail_closed(talk);
  else co_await mail_open(talk);
}

Task<> Worker::mail_closed(Talk& talk) {
  for (;;) {
    while (talk.mail->awaited < settings_.depth && !stopping()) co_await post_one(talk, precise());
    if (talk.mail->awaited == 0) break;
    const std::uint64_t gone = talk.mail->gone;
    co_await fetch_one(talk);
    // Text carries no number: a late reply must find nobody who could take it for that to the next message.
    if (settings_.send && talk.mail->gone != gone) {
      Result<> opened = open_mail(talk);
      co_await std::move(opened);
    }
  }
}

Task<> Worker::mail_open(Talk& talk) {
  auto body = [this, &talk](Scope& scope) -> Task<> {
    auto fetching = [this, &talk] { return fetch_all(talk); };
    scope.spawn(fetching);
    co_await post_open(talk);
    talk.writing = false;
    while (talk.mail->awaited != 0) co_await sleep_for(milliseconds(1));
    scope.cancel();
  };
  co_await scoped(body);
}

// The n-th datagram of all is due at begin + n / rate; sockets take turns.
Task<> Worker::post_open(Talk& talk) {
  for (std::uint64_t n = talk.index;; n += settings_.connections) {
    const auto after = Duration(static_cast<Duration::rep>(static_cast<double>(n) / settings_.rate * 1e9));
    const Time due = begin_ + after;
    if (due >= end_) break;
    while (precise() < due && !stopped_) co_await sleep_until(std::min(due, precise() + milliseconds(100)));
    if (stopped_) break;
    if (talk.under_way.size() >= most_under_way) co_await fail(Errc::limit_reached, "send to");
    co_await post_one(talk, due);
  }
}

Task<> Worker::fetch_all(Talk& talk) {
  for (;;) co_await fetch_one(talk);
}

Task<> Worker::post_one(Talk& talk, Time due) {
  Mail& mail = *talk.mail;
  const std::uint64_t number = mail.next++;
  if (talk.under_way.empty()) mail.first = number;
  ++mail.awaited;
  if (settings_.send) {
    mail.message = *settings_.send;
  } else {
    mail.message.resize(talk.dice.between(settings_.size.least, settings_.size.most));
    for (std::size_t i = 0; i < number_bytes; ++i) mail.message[i] = static_cast<char>(number >> (8 * i));
    const std::span<const std::byte> rest = out_.at(number, mail.message.size() - number_bytes);
    if (!rest.empty()) std::memcpy(mail.message.data() + number_bytes, rest.data(), rest.size());
  }
  talk.under_way.push_back(
      {.due = due, .sent = precise(), .end = settings_.expect ? settings_.expect->size() : mail.message.size()});
  tally_.bytes_sent += mail.message.size();
  co_await mail.socket.send_to(std::string_view(mail.message), load_.target_);
}

// One datagram, or the end of the patience for the oldest that is under way.
Task<> Worker::fetch_one(Talk& talk) {
  const Duration patience = settings_.timeout > Duration::zero() ? settings_.timeout : Duration::max() / 2;
  // With nothing under way only late ones can come; look again soon.
  const Time until = talk.under_way.empty() ? precise() + milliseconds(10)
                                            : std::min(talk.under_way.front().sent + patience, precise() + patience);
  Result<Received> received = co_await as_result(with_deadline(until, talk.mail->socket.receive()));
  if (received) take(talk, *received);
  else if (received.error() != Errc::timed_out) {
    Result<> failure = received.error();
    co_await std::move(failure);
  }
  give_up(talk, precise() - patience);
}

void Worker::give_up(Talk& talk, Time sent_before) {
  Mail& mail = *talk.mail;
  while (!talk.under_way.empty() && (talk.under_way.front().answered || talk.under_way.front().sent <= sent_before)) {
    const Sent& oldest = talk.under_way.front();
    if (!oldest.answered) {
      --mail.awaited;
      ++mail.gone;
      const bool counts = measured(settings_.rate == 0 ? oldest.sent : oldest.due);
      if (counts) ++tally_.lost;
      if (mail.lost.size() >= most_remembered) mail.lost.clear();
      mail.lost.emplace(mail.first, counts);
    }
    talk.under_way.pop_front();
    ++mail.first;
  }
}

void Worker::take(Talk& talk, const Received& received) {
  Mail& mail = *talk.mail;
  const std::span<const std::byte> bytes = received.data.bytes();
  tally_.bytes_received += bytes.size();
  const auto wrong = [&] {
    ++tally_.wrong;
    if (tally_.difference.empty()) tally_.difference = std::to_string(bytes.size());
  };
  std::uint64_t number = mail.first;
  if (settings_.send) {
    const std::string& expected = settings_.expect ? *settings_.expect : *settings_.send;
    if (!std::ranges::equal(bytes, std::as_bytes(std::span(expected)))) return wrong();
  } else {
    if (received.truncated || bytes.size() < number_bytes) return wrong();
    number = number_of(bytes);
    if (number >= mail.next) return wrong();
    const std::span<const std::byte> rest = bytes.subspan(number_bytes);
    if (in_.match(number, rest) != rest.size()) return wrong();
  }
  if (number < mail.first || number - mail.first >= talk.under_way.size()) {
    const auto lost = mail.lost.find(number);
    if (lost == mail.lost.end()) {
      if (precise() >= from_) ++tally_.twice;
      return;
    }
    if (lost->second) ++tally_.late;
    mail.lost.erase(lost);
    return;
  }
  Sent& sent = talk.under_way[number - mail.first];
  if (sent.answered) {
    if (precise() >= from_) ++tally_.twice;
    return;
  }
  sent.answered = true;  // give_up() takes it away
  --mail.awaited;
  if (!settings_.send && bytes.size() != sent.end) return wrong();
  if (number + 1 < mail.newest && precise() >= from_) ++tally_.reordered;
  mail.newest = std::max(mail.newest, number + 1);
  record(sent, precise());
}

}  // namespace meari::command
