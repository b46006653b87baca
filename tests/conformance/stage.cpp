#include "stage.hpp"

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <span>

#include "src/backend/epoll.hpp"
#include "src/backend/uring.hpp"
#include "src/backend/wire.hpp"

namespace meari::conformance {

void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

// ---- a side

void Side::note(std::string_view what, const Error& error) {
  std::string line = std::string(what) + ": ";
  if (error) {
    if (*error.operation() != '\0') line += std::string("cannot ") + error.operation() + ": ";
    line += describe(error.code());
  } else {
    line += "ok";
  }
  note(std::move(line));
}

void Side::note(std::string_view what, const Result<Address>& address) {
  if (!address) return note(what, address.error());
  std::string line = std::string(what) + ": ";
  switch (address->family()) {
    case Family::unspecified: line += "none"; break;
    case Family::ipv4: line += "IPv4 "; break;
    case Family::ipv6: line += "IPv6 "; break;
    case Family::local:
      line += address->path().empty() ? "unnamed" : address->path().starts_with('@') ? "abstract" : "path";
  }
  if (address->family() == Family::ipv4 || address->family() == Family::ipv6) {
    const Address bare = address->with_port(0);
    const bool is_mapped = address->family() == Family::ipv6 && bare.to_string().find('.') != std::string::npos;
    if (is_mapped) line += "mapped, ";
    line += bare.is_any() ? "wildcard" : "somebody";
    line += address->port() == 0                       ? ", no port"
            : address->port() == meeting_.where.port() ? ", listening"
                                                       : ", some port";
  }
  note(std::move(line));
}

Address Side::path(std::string_view name) const {
  return Address::from_path(meeting_.names + std::string(name)).value();
}
Address Side::abstract(std::string_view name) const {
  return Address::from_path('@' + meeting_.names + std::string(name)).value();
}

// The loops share no event: who waits looks again each millisecond, of his own clock.
Task<> Side::hear(const char* word) {
  while (!meeting_.words.contains(word)) co_await sleep_for(1ms);
}

Task<> Side::listen(Address at, int backlog) {
  ListenOptions options;
  options.backlog = backlog;
  Result<Listener> opened = Listener::open(loop_, at, options);
  if (!opened) {
    note("listen", opened.error());
    co_return;
  }
  listener = std::move(*opened);
  meeting_.where = listener.local().value();
  tell("listening");
}

Task<Stream> Side::accept() {
  Result<Stream> stream = co_await as_result(listener.accept());
  if (stream) co_return std::move(*stream);
  note("accept", stream.error());
  co_return Stream();
}

Task<Stream> Side::dial(Address target) { return dial(std::move(target), Address()); }

Task<Stream> Side::dial(Address target, Address source) {
  std::vector<Address> targets;
  targets.push_back(std::move(target));
  ConnectOptions options;
  options.source = std::move(source);
  Result<Stream> stream = co_await as_result(connect(std::move(targets), options));
  tell("met");
  if (stream) co_return std::move(*stream);
  note("connect", stream.error());
  co_return Stream();
}

Task<Stream> Side::meet() { return meet(home(), -1); }

Task<Stream> Side::meet(Address at, int backlog) {
  // Nobody goes on before both are there: what the server does at once could meet a client that still connects.
  if (!is_server_) {
    co_await hear("listening");
    co_return co_await dial(meeting_.where);
  }
  co_await listen(at, backlog);
  Stream stream = co_await accept();
  co_await hear("met");
  co_return stream;
}

static Task<> written(Stream& stream, std::string_view text) { co_await stream.write(text); }
Task<> Side::write(Stream& stream, std::string_view text) {
  const Result<> result = co_await as_result(written(stream, text));
  note("write", result.error());
}

static Task<> finished(Stream& stream) { co_await stream.finish(); }
Task<> Side::finish(Stream& stream) {
  const Result<> result = co_await as_result(finished(stream));
  note("finish", result.error());
}

void Side::note_text(std::string_view text) {
  constexpr std::size_t most_shown = 100;
  std::string line = "read " + std::to_string(text.size()) + " bytes";
  if (text.size() <= most_shown) {
    line += " \"" + std::string(text) + '"';
  } else {
    std::uint64_t hash = 14'695'981'039'346'656'037U;  // FNV-1a
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U;
    line += " #" + std::to_string(hash);
  }
  note(std::move(line));
}

Task<> Side::read(Stream& stream) {
  Result<Chunk> data = co_await as_result(stream.read());
  if (!data) {
    note("read", data.error());
  } else if (data->empty()) {
    note("read: the end");
  } else {
    note_text(data->text());
  }
}

Task<> Side::read_exactly(Stream& stream, std::size_t n) {
  Result<Chunk> data = co_await as_result(stream.read_exactly(n));
  if (data) {
    note_text(data->text());
  } else {
    note("read exactly", data.error());
  }
}

Task<> Side::read_all(Stream& stream) {
  std::string all;
  for (;;) {
    Result<Chunk> data = co_await as_result(stream.read());
    if (data && !data->empty()) {
      all += data->text();
      continue;
    }
    if (!all.empty()) note_text(all);
    if (data) {
      note("read: the end");
    } else {
      note("read", data.error());
    }
    co_return;
  }
}

Task<> Side::settle(Stream& stream, std::string_view state) {
  const Time end = loop_.now() + patience;
  std::string now;
  for (;;) {
    const Result<SocketInfo> info = stream.info();
    now = info ? info->state : describe(info.error().code());
    if (now == state || !info || loop_.now() > end) break;
    co_await sleep_for(1ms);
  }
  note("is " + now);
}

Task<> Side::has_arrived(Stream& stream, std::size_t bytes) {
  const Time end = loop_.now() + patience;
  std::size_t now = 0;
  for (;;) {
    const Result<SocketInfo> info = stream.info();
    if (!info) break;
    const std::int64_t in_system = info->receive_queue;
    now = stream.facts().unread + static_cast<std::size_t>(std::max<std::int64_t>(in_system, 0));
    if (now >= bytes || loop_.now() > end) break;
    co_await sleep_for(1ms);
  }
  note(now >= bytes ? "the bytes are there" : "the bytes do not come");
}

void Side::abandon(Stream& stream) {
  loop_.backend().close(stream.slot());
  stream.close();
}

static Task<> sent(Datagram& socket, std::string_view text, Address target) {
  co_await socket.send_to(text, std::move(target));
}
Task<> Side::send(Datagram& socket, std::string_view text, Address target) {
  const Result<> result = co_await as_result(sent(socket, text, std::move(target)));
  note("send", result.error());
}

Task<> Side::receive(Datagram& socket) {
  Result<Received> message = co_await as_result(socket.receive());
  if (!message) {
    note("receive", message.error());
    co_return;
  }
  note_text(message->data.text());
  if (message->truncated) note("it was cut");
  note("from", message->from);
}

// ---- grounds

namespace {

struct Ground {
  const char* name;
  Result<std::unique_ptr<Backend>> (*make)();  // over sockets of the system; none: the wire
  bool together = false;                       // on the wire: both on one host
};

constexpr std::size_t pool_bytes = std::size_t{16} << 20;
constexpr Ground grounds[] = {
    {"epoll", [] { return make_epoll(pool_bytes); }},
    {"uring", [] { return make_uring({.pool_bytes = pool_bytes}); }},
    {"uring_floor", [] { return make_uring({.pool_bytes = pool_bytes, .floor = true}); }},
    {"wire_two_hosts", nullptr, false},
    {"wire_one_host", nullptr, true},
};

Task<> act(Body body, Side& side) {
  try {
    const Result<> result = co_await as_result(with_timeout(2 * Side::patience, body(side)));
    if (!result) side.note("THE CASE FAILED: " + result.error().message());
  } catch (const std::exception& exception) {
    side.note(std::string("THE CASE FAILED: ") + exception.what());
  }
  side.over = true;
}

std::vector<std::string> notes_of(const Side& server, const Side& client) {
  std::vector<std::string> all;
  for (const std::string& line : server.notes) all.push_back("server  " + line);
  for (const std::string& line : client.notes) all.push_back("client  " + line);
  return all;
}

std::vector<std::string> observe_on_wire(const Case& one, Meeting& meeting, bool together) {
  Wire wire;
  wire.drive();
  const Address server4("10.0.0.1", 0), client4("10.0.0.2", 0), server6("fd00::1", 0), client6("fd00::2", 0);
  const HostId server_host = wire.add_host({.name = "server", .addresses = {server4, server6}});
  const HostId client_host =
      together ? server_host
               : wire.add_host({.name = "client", .addresses = {client4, client6}, .first_ephemeral = 40'000});
  Loop server_loop(make_wire_backend(wire, server_host)), client_loop(make_wire_backend(wire, client_host));
  Side server(meeting, server_loop, true, server4, server6);
  Side client(meeting, client_loop, false, together ? server4 : client4, together ? server6 : client6);
  server_loop.spawn(act, one.server, std::ref(server));
  client_loop.spawn(act, one.client, std::ref(client));
  do {
    server_loop.turn(never);
    client_loop.turn(never);
  } while (wire.somebody_awake() || (!(server.over && client.over) && wire.step()));
  if (!server.over) server.note("THE CASE WAITS FOR EVER");
  if (!client.over) client.note("THE CASE WAITS FOR EVER");
  wire.drive(false);
  return notes_of(server, client);
}

std::vector<std::string> observe_on_system(const Case& one, Meeting& meeting, const Ground& ground) {
  Loop server_loop(ground.make().value()), client_loop(ground.make().value());
  const Address home4 = Address::loopback(Family::ipv4, 0), home6 = Address::loopback(Family::ipv6, 0);
  Side server(meeting, server_loop, true, home4, home6), client(meeting, client_loop, false, home4, home6);
  server_loop.spawn(act, one.server, std::ref(server));
  client_loop.spawn(act, one.client, std::ref(client));
  while (!(server.over && client.over)) {
    const std::size_t ran = server_loop.turn(Time{}) + client_loop.turn(Time{});
    if (ran == 0) server_loop.turn(server_loop.backend().now() + 200us);  // both have to wait: for so long at most
  }
  return notes_of(server, client);
}

// Why this ground cannot be had on this machine; empty when it can.
std::string missing(const Ground& ground) {
  if (ground.make == nullptr) return {};
  const auto backend = ground.make();
  return backend ? "" : backend.error().message();
}

std::vector<std::string> observe(const Case& one, const Ground& ground) {
  static std::atomic<int> runs{0};
  Meeting meeting;
  meeting.names = "/tmp/meari-conformance-" + std::to_string(::getpid()) + '-' + std::to_string(++runs) + '-';
  return ground.make == nullptr ? observe_on_wire(one, meeting, ground.together)
                                : observe_on_system(one, meeting, ground);
}

std::string listed(const std::vector<std::string>& notes) {
  std::string text;
  for (const std::string& line : notes) text += "  " + line + '\n';
  return text;
}

class Conformance : public testing::TestWithParam<Case> {};

TEST_P(Conformance, every_ground_observes_the_same) {
  const std::vector<std::string> expected = observe(GetParam(), grounds[0]);
  if (std::getenv("MEARI_SHOW") != nullptr) std::cout << listed(expected);
  EXPECT_FALSE(expected.empty());
  for (const std::string& line : expected) EXPECT_EQ(line.find("THE CASE"), std::string::npos) << line;
  for (const Ground& ground : std::span(grounds).subspan(1)) {
    if (!missing(ground).empty()) continue;  // the contract suite says which backends this machine lacks
    const bool is_local = std::string_view(GetParam().name).starts_with("unix_");
    if (is_local && ground.make == nullptr && !ground.together) continue;  // no path leads to another host
    const std::vector<std::string> notes = observe(GetParam(), ground);
    EXPECT_TRUE(notes == expected) << ground.name << " observed\n"
                                   << listed(notes) << "and epoll\n"
                                   << listed(expected);
  }
}

INSTANTIATE_TEST_SUITE_P(, Conformance, testing::ValuesIn(cases()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace meari::conformance
