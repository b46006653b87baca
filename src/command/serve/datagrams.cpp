#include "datagrams.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include <meari/deadline.hpp>
#include <meari/quote.hpp>

#include "services.hpp"
#include "src/command/speech/messages.hpp"

namespace meari::command {
namespace {

constexpr std::uint16_t first_ordinary_port = 1024;
// Services on higher ports that answer whatever comes: SSDP, WS-Discovery, mDNS, CoAP, memcached.
constexpr std::array<std::uint16_t, 5> amplifiers{1900, 3702, 5353, 5683, 11211};

}  // namespace

Result<std::vector<Address>> DatagramService::open(Loop& loop, const Endpoint& where) {
  std::vector<Address> bound;
  if (where.form == Endpoint::Form::descriptor) {
    Result<Datagram> socket = Datagram::adopt(loop, where.descriptor);
    if (!socket) return socket.error();
    add(*std::move(socket), bound);
    return bound;
  }
  const Result<std::vector<Address>> addresses = resolve(where);
  if (!addresses) return addresses.error();
  Error refused;
  std::uint16_t port = addresses->front().port();
  for (const Address& address : *addresses) {
    if (where.form == Endpoint::Form::any && !bound.empty()) break;  // one "::" takes IPv4 as well
    Result<Datagram> socket = Datagram::open(loop, address.with_port(port));
    if (!socket) {
      // A machine without IPv6 is no failure as long as there is another address; a port that is taken is one.
      if (socket.error() == Errc::address_in_use || socket.error() == Errc::permission_denied) return socket.error();
      refused = socket.error();
      continue;
    }
    add(*std::move(socket), bound);
    port = bound.back().port();
  }
  if (bound.empty()) return refused;
  return bound;
}

void DatagramService::add(Datagram socket, std::vector<Address>& bound) {
  Served& served = sockets_.emplace_back();
  served.socket = std::move(socket);
  if (Result<Address> local = served.socket.local()) served.local = *std::move(local);
  bound.push_back(served.local);
}

std::optional<Text> DatagramService::reason_not_to_answer(const Address& from) const {
  if (!access_.admits(from)) return messages::not_admitted;
  if (from.family() == Family::local) {
    if (from.path().empty()) return messages::nowhere_to_answer;
    return std::ranges::any_of(sockets_, [&](const Served& served) { return served.local == from; })
               ? std::optional<Text>(messages::own_address)
               : std::nullopt;
  }
  if (from.port() < first_ordinary_port || std::ranges::find(amplifiers, from.port()) != amplifiers.end())
    return messages::port_of_service;
  if (std::ranges::any_of(sockets_, [&](const Served& served) { return served.local.port() == from.port(); }))
    return messages::own_address;
  return std::nullopt;
}

std::span<const std::byte> DatagramService::answer_to(const Chunk& received, std::string& text) const {
  const auto now = std::chrono::system_clock::now();
  switch (settings_.handler) {
    case Handler::chargen:
      text = generated_characters().substr(0, std::min(received.size(), most_generated_at_once));
      break;
    case Handler::daytime: text = daytime(now); break;
    case Handler::time: {
      const std::array<char, 4> seconds = seconds_since_1900(now);
      text.assign(seconds.data(), seconds.size());
      break;
    }
    default: return received.bytes();
  }
  return std::as_bytes(std::span(text));
}

Task<> DatagramService::serve(std::size_t index) {
  constexpr auto pause = std::chrono::milliseconds(100);  // after a failure that may come again at once
  Served& served = sockets_[index];
  if (begin_ == Time{}) begin_ = premises_.loop.now();
  std::string text;
  while (served.socket.is_open()) {
    Result<Received> received = co_await as_result(served.socket.receive());
    if (!received) {
      if (received.error() == Errc::canceled || received.error() == Errc::closed) break;
      co_await sleep_for(pause);
      continue;
    }
    ++served.counts.received;
    if (settings_.hexdump) co_await dump(HexDump::Way::in, received->data.bytes(), received->from);
    if (settings_.handler == Handler::discard) continue;
    if (const std::optional<Text> reason = reason_not_to_answer(received->from)) {
      ++served.counts.left_alone;
      if (!std::exchange(served.told, true)) log_.datagram_left_alone(received->from, *reason);
      continue;
    }
    const std::span<const std::byte> answer = answer_to(received->data, text);
    const Result<> sent = co_await as_result(served.socket.send_to(answer, received->from));
    if (sent && settings_.hexdump) co_await dump(HexDump::Way::out, answer, received->from);
    if (sent) ++served.counts.answered;
    else ++served.counts.left_alone;
  }
}

Task<> DatagramService::dump(HexDump::Way way, std::span<const std::byte> data, const Address& peer) const {
  HexDump dump(log_.talk(), quote(shown(log_.talk(), peer, Kind::datagram)));
  std::string lines = dump.bytes(way, data, premises_.loop.now() - begin_);
  co_await premises_.lines.dump(std::move(lines));
}

void DatagramService::stop() noexcept {
  for (Served& served : sockets_) served.socket.close();
}

void DatagramService::report() const {
  for (const Served& served : sockets_) log_.datagrams_over(served.local, served.counts);
}

}  // namespace meari::command
