// The clients of a world: each tries its jobs until they are done, and looks at every byte that comes back.
#include <algorithm>
#include <numeric>

#include "world.hpp"

namespace meari::worlds {

Task<> World::work(std::deque<Job*> list) {
  for (Job* job : list) {
    while (!job->done) {
      ++job->attempts;
      const Result<> result = co_await as_result(attempt(*job));
      if (result) job->done = true;
      else if (result.error() == Errc::canceled) co_return;
      // Who has failed often waits longer. At a constant pace the queue of a slow server is filled with connections that have been
      // given up faster than it finds that out, for ever. Not much longer: some succeed once in hundreds of attempts.
      const int doubled = std::min(job->attempts / 16, 3);
      co_await sleep_for(Duration(static_cast<Duration::rep>(job->dice.below(500'000'000) << doubled)));
    }
  }
}

Task<> World::attempt(Job& job) {
  if (job.service->protocol == Protocol::datagrams) co_return co_await datagram_job(job);
  Stream peer = co_await connect(job.where);
  if (job.timeout == Duration::zero()) co_return co_await talk(job, peer);
  job.timeout = std::min<Duration>(2 * job.timeout, 1h);  // so that some attempt will do
  co_await with_timeout(job.timeout, talk(job, peer));
}

Task<> World::talk(Job& job, Stream& peer) {
  switch (job.service->protocol) {
    case Protocol::echo: return echo_job(job, peer);
    case Protocol::count: return count_job(job, peer);
    case Protocol::greet: return greet_job(job, peer);
    case Protocol::room: return room_job(job, peer);
    default: return trade_job(job, peer);
  }
}

// A cancelled read loses no byte, and what is put back is read again.
Task<Chunk> World::read_patiently(Job& job, Stream& peer) {
  for (;;) {
    if (!job.dice.one_in(3)) {
      Chunk data = co_await peer.read();
      if (data.size() < 2 || !job.dice.one_in(4)) co_return std::move(data);
      Chunk front = data.split(job.dice.between(1, data.size() - 1));
      peer.unread(std::move(data));
      co_return std::move(front);
    }
    const Duration patience(static_cast<Duration::rep>(job.dice.below(3) * 1'000'000));
    const std::size_t most = job.dice.between(1, 200);
    Result<Chunk> data = co_await as_result(with_timeout(patience, peer.read_some(most)));
    if (data || data.error() != Errc::timed_out) co_return std::move(data);
  }
}

// A write that was cancelled before anything left can be done again. In every form that a write has.
Task<> World::write_patiently(Job& job, Stream& peer, std::string text) {
  while (job.dice.one_in(3)) {
    const Duration patience(static_cast<Duration::rep>(job.dice.below(3) * 1'000'000));
    const Result<> written = co_await as_result(with_timeout(patience, peer.write(text)));
    if (written) co_return;
    if (written.error() != Errc::timed_out) co_return co_await Error(written.error());
  }
  const std::span<const std::byte> all = std::as_bytes(std::span(text));
  const std::size_t third = all.size() / 3;
  switch (job.dice.below(4)) {
    case 0: co_await peer.write(text); break;
    case 1: co_await peer.write(Bytes::copy_of(text)); break;
    case 2: {
      Result<Chunk> copy = Chunk::copy_of(all);
      co_await peer.write(std::move(*copy));
      break;
    }
    default: {
      const std::span<const std::byte> pieces[] = {
          all.first(third), all.subspan(third, third), {}, all.subspan(2 * third)};
      const std::span<const std::span<const std::byte>> in_order = pieces;
      co_await peer.write(in_order);
    }
  }
}

Task<> World::write_all_of_it(Job& job, Stream& peer) {
  std::size_t place = 0;
  for (const std::size_t size : job.messages) {
    std::string text = stretch(job.key, place, size);
    place += size;
    co_await write_patiently(job, peer, std::move(text));
  }
  co_await peer.finish();
}

// Writes while it reads; whoever fails first ends both.
Task<> World::echo_job(Job& job, Stream& peer) {
  const std::size_t total = std::accumulate(job.messages.begin(), job.messages.end(), std::size_t{0});
  auto both = [this, &job, &peer, total](Scope& scope) -> Task<> {
    auto writing = [this, &job, &peer] { return write_all_of_it(job, peer); };
    scope.spawn(writing);
    std::size_t place = 0;
    while (Chunk data = co_await read_patiently(job, peer)) {
      check(data.text(), job.key, place, "echo client");
      place += data.size();
    }
    if (place > total) net.fail("an echo is longer than what was said");
    if (place < total) co_await fail(Errc::unexpected_end);  // drained, or timed out
  };
  co_await scoped(std::move(both));
}

Task<> World::count_job(Job& job, Stream& peer) {
  std::string head;
  for (int shift = 56; shift >= 0; shift -= 8) head += static_cast<char>(job.key >> shift);
  co_await peer.write(head);
  co_await write_all_of_it(job, peer);
  Chunk line = co_await peer.read_until("\n");
  if (line.empty()) co_return co_await fail(Errc::unexpected_end);
  const std::size_t total = std::accumulate(job.messages.begin(), job.messages.end(), std::size_t{0});
  net.expect(line.text() == std::to_string(total) + '\n', "count client: acknowledged " + std::string(line.text()));
}

Task<> World::greet_job(Job& job, Stream& peer) {
  if (job.dice.one_in(2)) co_await peer.write("words that nobody reads");
  std::size_t place = 0;
  while (Chunk data = co_await read_patiently(job, peer)) {
    check(data.text(), 42, place, "greet client");
    place += data.size();
  }
  net.expect(place == job.service->greeting, "greet client: a FIN after " + std::to_string(place) + " bytes of " +
                                                 std::to_string(job.service->greeting));
}

Task<> World::send_orders(Job& job, Stream& peer) {
  for (std::size_t i = 0; i < job.messages.size(); ++i) {
    if (job.answered[i]) continue;
    const std::uint64_t order = job.key + i;
    std::string text = std::to_string(order) + ' ' + std::to_string(job.messages[i]) + '\n';
    text += stretch(order, 0, job.messages[i]);
    co_await write_patiently(job, peer, std::move(text));
  }
}

Task<> World::trade_job(Job& job, Stream& peer) {
  auto both = [this, &job, &peer](Scope& scope) -> Task<> {
    auto writing = [this, &job, &peer] { return send_orders(job, peer); };
    scope.spawn(writing);
    while (std::ranges::count(job.answered, false) != 0) {
      Chunk line = co_await peer.read_until("\n", 100);
      if (line.empty()) co_await fail(Errc::unexpected_end);
      const std::string text(line.text());
      std::size_t after = 0;
      const std::uint64_t order = std::stoull(text, &after), value = std::stoull(text.substr(after));
      const std::uint64_t place = order - job.key;
      if (place >= job.messages.size()) {
        net.fail("trade client: an answer to somebody else's order");
        continue;
      }
      const auto at = ledger_.find(order);
      net.expect(at != ledger_.end() && at->second == value, "trade client: acknowledged, and not in the ledger");
      net.expect(value == sum(stretch(order, 0, job.messages[place])), "trade client: other goods arrived");
      job.answered[place] = true;
    }
  };
  co_await scoped(std::move(both));
}

// Says its lines, and hears all of them, in order, among those of others, in order as well.
Task<> World::room_job(Job& job, Stream& peer) {
  const std::string name = std::to_string(job.key + static_cast<std::uint64_t>(job.attempts));
  const std::string introduction = name + '\n';
  co_await peer.write(introduction);
  auto both = [this, &job, &peer, &name](Scope& scope) -> Task<> {
    auto saying = [this, &job, &peer] { return say_lines(job, peer); };
    scope.spawn(saying);
    std::map<std::string, std::size_t> next;  // of each speaker
    while (next[name] != job.messages.size()) {
      Chunk line = co_await peer.read_until("\n", 200);
      if (line.empty()) co_await fail(Errc::unexpected_end);
      const std::string text(line.text());
      const std::string speaker = text.substr(0, text.find(' '));
      const std::size_t number = std::stoull(text.substr(speaker.size() + 1));
      const auto [at, is_new] = next.emplace(speaker, number);
      net.expect(at->second == number, "room client: a line of " + speaker + " is not the next one");
      at->second = number + 1;
    }
  };
  co_await scoped(std::move(both));
}
Task<> World::say_lines(Job& job, Stream& peer) {
  for (std::size_t i = 0; i < job.messages.size(); ++i) {
    co_await write_patiently(job, peer, std::to_string(i) + '\n');
    if (job.dice.one_in(2)) co_await sleep_for(Duration(static_cast<Duration::rep>(job.dice.below(5'000'000))));
  }
}

Task<> World::datagram_job(Job& job) {
  const Address target = job.service->host->address().with_port(9000);
  Datagram socket = co_await Datagram::open(Address::any(target.family(), 0));
  for (std::size_t i = 0; i < job.messages.size(); ++i) {
    while (!job.answered[i]) {
      const std::string text = std::to_string(i) + ' ' + stretch(job.key + i, 0, job.messages[i]);
      co_await socket.send_to(text, target);
      Result<Received> reply = co_await as_result(with_timeout(200ms, socket.receive()));
      if (!reply && reply.error() == Errc::timed_out) continue;
      if (!reply) co_return co_await Error(reply.error());
      const std::string came(reply->data.text());
      std::size_t after = 0;
      const std::size_t which = std::stoull(came, &after);
      if (which >= job.messages.size()) {
        net.fail("datagram client: an answer that nobody asked for");
        continue;
      }
      net.expect(came.substr(after + 1) == stretch(job.key + which, 0, job.messages[which]) && reply->from == target,
                 "datagram client: an answer that is not an echo");
      job.answered[which] = true;
    }
  }
}

}  // namespace meari::worlds
