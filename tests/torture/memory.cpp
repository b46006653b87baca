// Scenarios for want of memory: what asks for more of it than an ordinary conversation does. Many timers, children, slots;
// observers, callbacks and helper threads that need some of their own.
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>

#include <meari/bytes.hpp>
#include <meari/channel.hpp>
#include <meari/offload.hpp>
#include <meari/server.hpp>

#include "loops.hpp"

namespace meari::torture {

namespace {

// More than a loop has room for from the start; every second one is taken back. Whoever sleeps wakes in its order.
Task<> many_timers() {
  static constexpr int count = 100;
  int awake = 0;
  auto body = [&awake](Scope& scope) -> Task<> {
    for (int i = 0; i < count; ++i) {
      auto doze = [&awake, i]() -> Task<> {
        if (i % 2 != 0) {
          Result<> never_over = co_await as_result(with_timeout(1ms, sleep_for(1h)));
          if (never_over) wrong("a sleep of an hour was over");
          if (never_over.error() == Errc::timed_out) co_return;
          co_await std::move(never_over);
        }
        co_await sleep_for(2ms + std::chrono::microseconds(i));
        if (awake != i / 2) wrong("one who sleeps longer woke earlier");
        ++awake;
      };
      scope.spawn(std::move(doze));
    }
    co_return;
  };
  co_await scoped(body);
  if (awake != count / 2) wrong("not everybody woke");
}

// Streams beyond the first page of slots.
Task<> many_streams() {
  std::vector<std::pair<Stream, Stream>> pairs;
  for (int i = 0; i < 130; ++i) pairs.push_back(co_await Stream::pair());
  co_await pairs.back().first.write("x");
  co_await expect(pairs.back().second, "x");
}

// An observer that needs memory of its own; bytes that are shared.
Task<> observed() {
  std::string seen;
  Loop::current()->observe([&seen](const Event& event) {
    seen += std::string("what happened was that something was ") + name(event.what) + ' ' + event.peer.to_string();
  });
  struct Off {
    ~Off() { Loop::current()->observe({}); }
  } off;
  Met met = co_await meet(Family::ipv4);
  const Bytes shared = co_await Bytes::try_copy_of(std::as_bytes(std::span(std::string_view("shared by both"))));
  co_await met.client.write(shared);
  co_await met.server.write(shared);
  co_await expect(met.client, shared.text());
  co_await expect(met.server, shared.text());
  co_await met.client.finish();
  Chunk end = co_await met.server.read_until("a delimiter that does not fit into a small string");
  if (!end.empty()) wrong("bytes came after the end");
}

// Between two Tasks, and out of helper threads; some of it is called off.
Task<> handing_over() {
  Channel<std::string> lines({.capacity = 2});
  auto body = [&lines](Scope& scope) -> Task<> {
    auto send = [&lines]() -> Task<> {
      for (int i = 0; i < 5; ++i)
        co_await lines.send("a line that does not fit into a small string " + std::to_string(i));
      lines.close();
    };
    scope.spawn(send);
    int came = 0;
    while (std::optional<std::string> line = co_await lines.receive())
      if (!line->ends_with(' ' + std::to_string(came++))) wrong("another line came");
    if (came != 5) wrong("a line is missing");
  };
  co_await scoped(body);
  auto make = [] { return std::string(1000, 'x'); };
  const std::string made = co_await offload(make);
  if (made.size() != 1000) wrong("something else was made");
  auto give_up = [] { return std::string(1000, 'y'); };
  Result<std::string> perhaps = co_await as_result(with_timeout(0ms, offload(give_up)));
  if (perhaps && perhaps->size() != 1000) wrong("something else was made");
  if (!perhaps && perhaps.error() != Errc::timed_out) co_await std::move(perhaps);
}

// A handler for failures that needs memory, and Tasks that go on while the loop is destroyed.
Result<> a_loop_that_ends(BackendChoice choice) {
  std::string said;
  LoopOptions options;
  options.backend.choice = choice;
  options.on_failure = [&said](const TaskFailure& failure) {
    said += "a failure that has to be told: " + failure.message();
  };
  Result<std::unique_ptr<Loop>> loop = Loop::make(std::move(options));
  if (!loop) return loop.error();
  auto fails = []() -> Task<> {
    co_await sleep_for(0ms);
    co_await fail(Errc::busy, "something", "and a subject that does not fit into a small string");
  };
  auto waits = []() -> Task<> {
    std::pair<Stream, Stream> ends = co_await Stream::pair();
    co_await ends.first.write("unread");
    Chunk data = co_await ends.first.read();
  };
  for (int i = 0; i < 3; ++i) {
    (*loop)->spawn(fails);
    (*loop)->spawn(waits);
  }
  for (int i = 0; i < 3; ++i) (*loop)->turn((*loop)->backend().now());
  return {};
}

// A client whose socket has a name of its own is accepted all the same.
Task<> named_clients() {
  struct Folder {
    Folder() {
      std::snprintf(path.data(), path.size(), "/tmp/meari_torture_XXXXXX");
      if (::mkdtemp(path.data()) == nullptr) std::abort();
      std::snprintf(listener.data(), listener.size(), "%s/listener_with_a_long_name", path.data());
      std::snprintf(client.data(), client.size(), "%s/client_with_a_long_name", path.data());
    }
    ~Folder() {
      ::unlink(listener.data());
      ::unlink(client.data());
      ::rmdir(path.data());
    }
    std::array<char, 64> path{}, listener{}, client{};
  } folder;
  Address where = co_await Address::from_path(folder.listener.data());
  Listener listener = co_await Listener::open(where);
  Address mine = co_await Address::from_path(folder.client.data());
  Socket socket = co_await Socket::open(Family::local, Kind::stream);
  co_await socket.bind(mine);
  co_await socket.connect(where);
  Stream client = co_await Stream::adopt(socket.descriptor());
  static_cast<void>(socket.release());
  Arrival arrival = co_await AcceptArrival(*Loop::current(), listener.slot());
  if (!arrival.from().path().empty() && arrival.from() != mine) wrong("somebody else has come");
  Stream server = co_await arrival.take_in(*Loop::current());
  Address peer = co_await server.peer();
  if (peer != mine) wrong("the peer has another name");
  co_await client.write("here");
  co_await expect(server, "here");
}

// A server with callbacks that need memory, a limit for each source, a handler that throws, and one session that goes on
// whatever happens to the others.
Task<> serving_with_callbacks() {
  Loop& loop = *Loop::current();
  std::string log;
  const auto note = [&log](std::string_view what) {
    log += "a line for the log, which is long enough: " + std::string(what);
  };
  loop.observe([&note](const Event& event) { note(name(event.what)); });
  struct Off {
    ~Off() { Loop::current()->observe({}); }
  } off;
  ServerOptions options;
  options.max_per_source = 3;
  options.drain = 5ms;
  options.admit = [&note](const Address& source) { return note(source.to_string()), true; };
  options.on_start = [&note](const Session&) { note("start"); };
  options.on_end = [&note](const Session&, const SessionEnd& end) { note(end.exception); };
  options.on_too_many = [&note](const Address&) { note("too many"); };
  options.on_pause = [&note](bool, std::string_view reason) { note(reason); };
  auto handler = [](Stream peer) -> Task<> {
    Chunk word = co_await peer.read();
    if (word.text() == "throw") throw std::runtime_error("a handler that throws what does not fit into a small string");
    co_await peer.write(std::move(word));
    co_await send_back(peer);
  };
  Server server(loop, handler, options);
  const std::vector<Address> where = co_await server.listen("127.0.0.1:0");
  auto body = [&](Scope& scope) -> Task<> {
    auto run = [&server] { return server.run(); };
    scope.spawn(run);
    auto visits = [&]() -> Task<> {
      Stream lasting = co_await connect(where);
      co_await lasting.write("lasting");
      co_await expect(lasting, "lasting");
      {
        Stream thrown_at = co_await connect(where);
        co_await thrown_at.write("throw");
        const Result<Chunk> end = co_await as_result(thrown_at.read());
        if (end && !end->empty()) wrong("a handler that throws has answered");
      }
      for (int i = 0; i < 3; ++i) {  // the last one, or more, is one too many
        const Result<Stream> more = co_await as_result(connect(where));
        if (!more) break;
      }
      co_await lasting.write("still there");
      co_await expect(lasting, "still there");
    };
    Result<> visited = co_await as_result(visits());
    server.drain();
    co_await std::move(visited);
  };
  co_await scoped(body);
}

}  // namespace

Scenarios memory_scenarios() {
  struct Kind {
    const char* name;
    Task<> (*body)();
    Duration limit = 200ms;
  };
  static constexpr Kind kinds[] = {
      {"many_timers", many_timers},   {"many_streams", many_streams},   {"observed", observed},
      {"handing_over", handing_over}, {"named_clients", named_clients}, {"callbacks", serving_with_callbacks, 500ms},
  };
  struct Make {
    const char* name;
    BackendChoice choice;
  };
  Scenarios all;
  for (const Make make : {Make{"epoll", BackendChoice::epoll}, Make{"uring", BackendChoice::uring},
                          Make{"floor", BackendChoice::uring_floor}}) {
    for (const Kind& kind : kinds) {
      const std::string name = std::string(make.name) + '_' + kind.name;
      all.push_back({name, [make, &kind] { return on_loop(make.choice, kind.body, kind.limit); }});
    }
    all.push_back({std::string(make.name) + "_ending", [make] { return a_loop_that_ends(make.choice); }});
  }
  return all;
}

}  // namespace meari::torture
