#include "steps.hpp"

#include <chrono>

#include <meari/deadline.hpp>

#include "src/os/native.hpp"

namespace meari::command {
namespace {

constexpr std::chrono::milliseconds between_looks{250};
constexpr std::size_t most_watched = 1000;  // more are told, but not looked at

bool is_tcp(const Address& address) noexcept {
  return address.family() == Family::ipv4 || address.family() == Family::ipv6;
}

bool takes_datagrams(Descriptor descriptor) {
  const Result<os::Adopted> found = os::examine(descriptor);
  return found && found->kind == Kind::datagram;
}

// The kernel is asked before a SYN leaves, and shows a connection in TIME_WAIT as closed to who still has its descriptor.
std::string_view state_after(Event::What what, const Track& track, os::TcpState state) noexcept {
  if (state == os::TcpState::unknown) return {};
  if (what == Event::What::connecting) state = os::TcpState::syn_sent;
  const bool we_were_first = track.we_finished && !track.peer_was_first && !track.failed;
  if (state == os::TcpState::closed && we_were_first) state = os::TcpState::time_wait;
  return os::describe(state);
}

}  // namespace

void Steps::see(const Event& event) {
  if (event.connection == 0) return tell(event, Watched{}, Step::Wait::none);  // of the server as a whole
  Watched& watched = sockets_[event.connection];
  Track& track = watched.track;
  if (track.opened == Time{}) {  // it may have been opened by somebody else, who told nobody
    track.opened = event.time;
    track.datagrams = takes_datagrams(event.descriptor);
  }
  watched.last.connection = event.connection;
  watched.last.descriptor = event.descriptor;
  if (event.local.family() != Family::unspecified) watched.last.local = event.local;
  if (event.peer.family() != Family::unspecified) watched.last.peer = event.peer;
  switch (event.what) {
    case Event::What::listening: track.listens = true; break;
    case Event::What::opened: track.port_given = event.local.port() != 0; break;
    case Event::What::connecting: track.attempts = true; break;
    case Event::What::connected: track.attempts = false; break;
    case Event::What::accepted: watched.listener = event.listener; break;
    case Event::What::received: track.received += event.count; break;
    case Event::What::sent: track.sent += event.count; break;
    case Event::What::peer_finished:
      if (track.peer_finished) return;  // it is read again and again
      track.peer_finished = true;
      track.peer_was_first = !track.we_finished;
      break;
    case Event::What::finished: track.we_finished = true; break;
    case Event::What::failed: track.failed = true; break;
    default: break;
  }
  tell(event, watched, Step::Wait::none);
  if (event.what == Event::What::closed) sockets_.erase(event.connection);
}

void Steps::tell(const Event& happened, const Watched& watched, Step::Wait wait) {
  Event event = happened;  // a peer that has gone is not known to the kernel any more
  if (event.peer.family() == Family::unspecified) event.peer = watched.last.peer;
  Step step{.wait = wait, .event = event, .track = watched.track};
  if (event.descriptor != no_descriptor && is_tcp(event.local)) {
    if (const Result<os::TcpInfo> tcp = os::tcp_info(event.descriptor)) {
      step.tcp = state_after(event.what, watched.track, tcp->state);
      if (tcp->state == os::TcpState::listen) {
        step.queue = tcp->queued;
        step.queue_limit = tcp->queue_limit;
      }
    }
  }
  if (event.what == Event::What::accepted) {
    step.on_port = 1;
    for (const auto& [number, other] : sockets_) step.on_port += other.listener == event.listener ? 1 : 0;
    const auto listener = sockets_.find(event.listener);
    if (listener != sockets_.end() && is_tcp(event.local)) {
      if (const Result<os::TcpInfo> tcp = os::tcp_info(listener->second.last.descriptor)) {
        step.queue = tcp->queued;
        step.queue_limit = tcp->queue_limit;
      }
    }
  }
  teller_(step);
}

Task<> Steps::watch() {
  for (;;) {
    co_await sleep_for(between_looks);
    look(Loop::current()->now());
  }
}

void Steps::look(Time now) {
  std::size_t seen = 0;
  for (auto& [number, watched] : sockets_) {
    if (++seen > most_watched) return;
    if (!is_tcp(watched.last.local)) continue;
    if (watched.track.listens) {
      const Result<os::TcpInfo> tcp = os::tcp_info(watched.last.descriptor);
      if (tcp) compare(watched, Step::Wait::accept, tcp->queued, now);
    } else if (is_tcp(watched.last.peer)) {
      const Result<os::QueueLengths> queues = os::queue_lengths(watched.last.descriptor);
      if (!queues) continue;
      if (!watched.track.datagrams) compare(watched, Step::Wait::sending, queues->unsent, now);
      compare(watched, Step::Wait::reading, queues->unread, now);
    }
  }
}

// What waited the last time already, and has not become less, is told once, until it has gone.
void Steps::compare(Watched& watched, Step::Wait wait, std::uint32_t waiting, Time now) {
  const std::size_t place = static_cast<std::size_t>(wait) - 1;
  const std::uint32_t before = std::exchange(watched.waiting[place], waiting);
  if (waiting == 0 || before == 0 || waiting < before) {
    if (waiting == 0) watched.told[place] = false;
    return;
  }
  if (std::exchange(watched.told[place], true)) return;
  Event event = watched.last;
  event.time = now;
  event.count = waiting;
  tell(event, watched, wait);
}

}  // namespace meari::command
