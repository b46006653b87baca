// Scenarios on a loop, each on epoll and on both rungs of io_uring: what a program does with streams, listeners, datagrams,
// descriptors, signals and threads.
#include "loops.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <thread>

#include <meari/datagram.hpp>
#include <meari/offload.hpp>
#include <meari/readiness.hpp>
#include <meari/server.hpp>
#include <meari/signals.hpp>
#include <meari/standard.hpp>

#include "src/backend/uring_probe.hpp"
#include "src/backend/uring_ring.hpp"

namespace meari::torture {

Task<Met> meet(Family family) {
  Listener listener = co_await Listener::open(Address::loopback(family, 0));
  std::vector<Address> where;
  where.push_back(co_await listener.local());
  Met met;
  met.client = co_await connect(where);
  met.server = co_await listener.accept();
  co_return std::move(met);
}

Task<> expect(Stream& from, std::string_view text) {
  Chunk got = co_await from.read_exactly(text.size());
  if (got.text() != text) wrong("other bytes came than were sent");
}

Task<> expect_end(Stream& from) {
  Chunk got = co_await from.read();
  if (!got.empty()) wrong("bytes came after the end");
}

Task<> send_back(Stream& peer) {
  while (Chunk data = co_await peer.read()) co_await peer.write(std::move(data));
  co_await peer.finish();
}

namespace {

// A child that sends back what comes, beside a client that talks to it.
template <class Talk>
Task<> beside_echo(Met& met, Talk& talk) {
  auto both = [&met, &talk](Scope& scope) -> Task<> {
    auto serve = [&met] { return send_back(met.server); };
    scope.spawn(serve);
    co_await talk(met.client);
  };
  co_await scoped(both);
}

Task<> echo() {
  Met met = co_await meet(Family::ipv4);
  const std::string large = pattern(150'000);
  auto talk = [&large](Stream& client) -> Task<> {
    for (const std::size_t size : {std::size_t{1}, std::size_t{3000}}) {
      const std::string_view text = std::string_view(large).substr(0, size);
      co_await client.write(text);
      co_await expect(client, text);
    }
    auto many = [&client, &large](Scope& scope) -> Task<> {
      auto send = [&client, &large]() -> Task<> {
        co_await client.write(large);
        co_await client.finish();
      };
      scope.spawn(send);
      co_await expect(client, large);
    };
    co_await scoped(many);
    co_await expect_end(client);
  };
  co_await beside_echo(met, talk);
}

// Over a path of the file system; several pieces in one write, lines, bytes that are put back.
Task<> lines_over_a_path() {
  std::array<char, 40> folder{};
  std::snprintf(folder.data(), folder.size(), "/tmp/meari_torture_XXXXXX");
  if (::mkdtemp(folder.data()) == nullptr) std::abort();
  struct Remove {
    const char* folder;
    ~Remove() {
      std::array<char, 48> path{};  // a string might get no memory
      std::snprintf(path.data(), path.size(), "%s/s", folder);
      ::unlink(path.data());
      ::rmdir(folder);
    }
  } remove{folder.data()};
  const std::string path = std::string(folder.data()) + "/s";
  Address where = co_await Address::from_path(path);
  Listener listener = co_await Listener::open(where);
  std::vector<Address> addresses;
  addresses.push_back(where);
  Stream client = co_await connect(addresses);
  Stream server = co_await listener.accept();
  const std::string_view one = "one\n", two = "two\nthr", three = "ee\n";
  const std::array<std::span<const std::byte>, 3> pieces = {
      std::as_bytes(std::span(one)), std::as_bytes(std::span(two)), std::as_bytes(std::span(three))};
  const std::span<const std::span<const std::byte>> all(pieces);
  co_await client.write(all);
  co_await client.finish();
  for (const std::string_view expected : {"one\n", "two\n", "three\n"}) {
    Chunk line = co_await server.read_until("\n");
    if (line.text() != expected) wrong("another line came");
    if (expected == "two\n") {
      server.unread(std::move(line));
      Chunk again = co_await server.read_until("\n");
      if (again.text() != expected) wrong("what was put back did not come back");
    }
  }
  Chunk end = co_await server.read_until("\n");
  if (!end.empty()) wrong("a line came after the end");
  co_await server.write("bye");
  co_await server.finish();
  co_await expect(client, "bye");
  co_await expect_end(client);
}

// A pair: half-close in both directions, and many writers.
Task<> pair_of_streams() {
  std::pair<Stream, Stream> ends = co_await Stream::pair();
  auto body = [&ends](Scope& scope) -> Task<> {
    static constexpr std::string_view words[] = {"aa", "bb", "cc"};
    for (const std::string_view word : words) {
      auto write = [&ends, word]() -> Task<> { co_await ends.first.write(word); };
      scope.spawn(std::move(write));
    }
    co_await expect(ends.second, "aabbcc");
  };
  co_await scoped(body);
  co_await ends.first.finish();
  co_await expect_end(ends.second);
  co_await ends.second.write("and back");
  co_await ends.second.finish();
  co_await expect(ends.first, "and back");
  co_await expect_end(ends.first);
}

// Reads that are given up, a peer that does not read, timeouts; what came meanwhile is not lost.
Task<> giving_up() {
  Met met = co_await meet(Family::ipv4);
  Result<Chunk> nothing = co_await as_result(with_timeout(1ms, met.server.read()));
  if (nothing) wrong("bytes came that nobody sent");
  if (!(nothing.error() == Errc::timed_out)) co_await std::move(nothing);
  co_await met.client.write("late");
  co_await expect(met.server, "late");
  Timeouts impatient;
  impatient.idle = 2ms;
  if (!met.server.set_timeouts(impatient)) co_await fail(Errc::out_of_memory, "set timeouts");
  Result<Chunk> idle = co_await as_result(met.server.read());
  if (idle) wrong("bytes came that nobody sent");
  if (!(idle.error() == Errc::timed_out)) co_await std::move(idle);
  met.server.set_timeouts({});
  static const std::string flood = pattern(8'000'000);
  auto overflow = [&met]() -> Task<> { co_await met.client.write(flood); };
  Result<> stalled = co_await as_result(with_timeout(3ms, overflow()));
  if (stalled) wrong("a peer who reads nothing took all of it");
  met.client.abort();
  for (;;) {
    const Result<Chunk> rest = co_await as_result(met.server.read());
    if (!rest) break;
    if (!rest->empty()) continue;
    // There are two ways to send RST, and both have to fail.
    if (faults() < 2) wrong("an aborted stream ended as if it were whole");
    co_await fail(Errc::unexpected_end, "abort");
  }
}

// A client that leaves at once: what it sent is read by whoever is let go, and its end is seen.
Task<> letting_go() {
  Met met = co_await meet(Family::ipv6);
  co_await met.client.write("last words");
  met.client.close();
  co_await expect(met.server, "last words");
  co_await expect_end(met.server);
  met.server.close();
  Loop& loop = *Loop::current();
  while (loop.backend().slots_in_use() != 0) co_await sleep_for(1ms);
}

// The first address refuses, the second one answers.
Task<> several_addresses() {
  std::vector<Address> where;
  {
    Listener gone = co_await Listener::open(Address::loopback(Family::ipv4, 0));
    where.push_back(co_await gone.local());
  }
  Listener listener = co_await Listener::open(Address::loopback(Family::ipv6, 0));
  where.push_back(co_await listener.local());
  ConnectOptions options;
  options.stagger = 1ms;
  Stream client = co_await connect(where, options);
  Stream server = co_await listener.accept();
  Address peer = co_await client.peer();
  if (peer != where[1]) wrong("connected with somebody else");
  co_await client.write("here");
  co_await expect(server, "here");
}

Task<> datagrams() {
  Datagram one = co_await Datagram::open(Address::loopback(Family::ipv4, 0));
  Datagram two = co_await Datagram::open(Address::loopback(Family::ipv4, 0));
  const Address here = co_await one.local();
  const Address there = co_await two.local();
  const std::string text = pattern(1200);
  co_await one.send_to(text, there);
  Received got = co_await two.receive();
  if (got.data.text() != text || got.from != here || got.truncated) wrong("another datagram came");
  auto body = [&](Scope& scope) -> Task<> {
    auto wait = [&]() -> Task<> {
      Received reply = co_await one.receive();
      if (reply.data.text() != "reply") wrong("another reply came");
    };
    scope.spawn(wait);
    co_await sleep_for(1ms);
    co_await two.send_to("reply", here);
  };
  co_await scoped(body);
}

// Descriptors come and go; one that belongs to somebody else is watched.
Task<> coming_and_going() {
  std::array<int, 2> both{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both.data()) != 0) std::abort();
  Socket first = Socket::adopt(both[0]), second = Socket::adopt(both[1]);
  {
    Watched watched = co_await Watched::watch(second.descriptor());
    co_await watched.writable();
    auto body = [&](Scope& scope) -> Task<> {
      auto send = [&]() -> Task<> {
        co_await sleep_for(1ms);
        static_cast<void>(::write(both[0], "x", 1));
      };
      scope.spawn(send);
      co_await watched.readable();
    };
    co_await scoped(body);
  }
  Stream stream = co_await Stream::adopt(second.descriptor());
  static_cast<void>(second.release());
  co_await expect(stream, "x");
  const Result<Chunk> nothing = co_await as_result(with_timeout(1ms, stream.read()));
  if (nothing) wrong("bytes came that nobody sent");
  const Result<Descriptor> released = stream.release();
  if (!released) co_await fail(Errc::busy, "release");
  second = Socket::adopt(*released);
  std::array<char, 8> buffer{};
  static_cast<void>(::send(both[1], "plain", 5, MSG_NOSIGNAL));
  const ssize_t size = ::recv(both[0], buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size != 5 || std::string_view(buffer.data(), 5) != "plain") wrong("what was given back is not the socket it was");
}

// Names in a helper thread; posts and a stop from another one.
Task<> threads() {
  Endpoint where;
  where.form = Endpoint::Form::name;
  where.host = "127.1";  // a name for meari, a number for the system: no name server is asked
  where.port = 9;
  const std::vector<Address> found = co_await look_up(where);
  if (found.empty() || found.front() != Address::loopback(Family::ipv4, 9)) wrong("another address was found");
  Loop& loop = *Loop::current();
  for (int round = 0; round < 3; ++round) {
    struct Told {
      bool yes = false;
      std::atomic<bool> never = false;  // post() got no memory
    };
    auto told = std::make_shared<Told>();
    std::jthread other([&loop, told] {
      auto tell = [told] { told->yes = true; };
      if (caught([&] { loop.post(tell); })) told->never = true;
    });
    while (!told->yes && !told->never) co_await sleep_for(1ms);
    if (told->never) co_await fail(Errc::out_of_memory, "post");
  }
}

// A post alone ends the wait: no timer helps.
Result<> woken(BackendChoice choice) {
  LoopOptions options;
  options.backend.choice = choice;
  options.on_failure = [](const TaskFailure&) {};
  Result<std::unique_ptr<Loop>> made = Loop::make(std::move(options));
  if (!made) return made.error();
  Loop& loop = **made;
  std::atomic<int> told{0};
  struct Post : Posted {
    std::atomic<int>* told = nullptr;
  } post;  // needs no memory
  post.told = &told;
  post.run = [](Ready& ready) { ++*static_cast<Post&>(ready).told; };
  std::optional<Exempt> of_the_thread(std::in_place);
  std::thread other([&loop, &told, &post] {
    for (int round = 0; round < 3; ++round) {
      if (caught([&] { loop.post([&told] { ++told; }); })) loop.post(static_cast<Posted&>(post));
      while (told == round) std::this_thread::yield();
    }
  });
  of_the_thread.reset();
  const Time start = loop.backend().now();
  bool late = false;
  while (told < 3) {
    const Time before = loop.backend().now();
    loop.turn(before + 100ms * slack());
    if (loop.backend().now() - before > 90ms * slack()) late = true;
    if (loop.backend().now() - start > 1s) break;
  }
  while (told < 3) loop.turn(loop.backend().now() + 1ms);
  other.join();
  if (late) return saw("a post did not wake the loop");
  return {};
}

Task<> signals() {
  SignalEvents events = co_await SignalEvents::install();
  for (const StopSignal expected : {StopSignal::hangup, StopSignal::terminate}) {
    ::raise(expected == StopSignal::hangup ? SIGHUP : SIGTERM);
    const StopSignal came = co_await events.next();
    if (came != expected) wrong("another signal came");
  }
  auto body = [&events](Scope& scope) -> Task<> {
    auto wait = [&events]() -> Task<> {
      const StopSignal came = co_await events.next();
      if (came != StopSignal::interrupt) wrong("another signal came");
    };
    scope.spawn(wait);
    co_await sleep_for(1ms);
    ::raise(SIGINT);
  };
  co_await scoped(body);
}

struct Pipe {
  Pipe() {
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
  }
  ~Pipe() {
    for (const int end : ends)
      if (end >= 0) ::close(end);
  }
  std::array<int, 2> ends{};
};

// Through a pipe: written by a Sink, read by a Source, each with its helper thread.
Task<> pipes() {
  Pipe pipe;
  Source source = Source::of(pipe.ends[0]);
  Sink sink = Sink::of(std::exchange(pipe.ends[1], -1), Ownership::owned);
  const std::string text = pattern(100'000);
  auto body = [&](Scope& scope) -> Task<> {
    auto write = [&]() -> Task<> {
      co_await sink.write("line\n");
      co_await sink.write(text);
      co_await sink.finish();
    };
    scope.spawn(write);
    Chunk line = co_await source.read_until("\n");
    if (line.text() != "line\n") wrong("another line came");
    Chunk rest = co_await source.read_exactly(text.size());
    if (rest.text() != text) wrong("other bytes came");
    Chunk end = co_await source.read();
    if (!end.empty()) wrong("bytes came after the end");
  };
  co_await scoped(body);
}

// To a file and back; what a Source read ahead is given back.
Task<> files() {
  const int file = ::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file < 0) std::abort();
  const Socket closer = Socket::adopt(file);
  {
    Sink sink = Sink::of(file);
    co_await sink.write("first\nsecond\n");
    co_await sink.flush();
  }
  ::lseek(file, 0, SEEK_SET);
  {
    Source source = Source::of(file);
    Chunk line = co_await source.read_until("\n");
    if (line.text() != "first\n") wrong("another line came");
  }
  std::array<char, 32> buffer{};
  // Whoever reads next goes on where the Source was, or has nothing more when giving back failed.
  const ssize_t size = ::read(file, buffer.data(), buffer.size());
  if (size > 0 && std::string_view(buffer.data(), static_cast<std::size_t>(size)) != "second\n") wrong("other bytes");
}

// A terminal is opened once more for ourselves, or used with care; its echo is not ours.
Task<> terminals() {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0) std::abort();
  const Socket first = Socket::adopt(master);
  const int slave = ::open(::ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) std::abort();
  const Socket second = Socket::adopt(slave);
  {
    Sink sink = Sink::of(slave);
    co_await sink.write("to the screen\n");
    co_await sink.flush();
  }
  std::array<char, 64> screen{};
  const ssize_t shown = ::read(master, screen.data(), screen.size());
  if (shown <= 0 ||
      !std::string_view("to the screen\r\n").starts_with({screen.data(), static_cast<std::size_t>(shown)}))
    wrong("something else is on the screen");
  Source source = Source::of(slave);
  static_cast<void>(::write(master, "typed\n", 6));
  Chunk line = co_await source.read_until("\n");
  if (line.empty()) co_await fail(Errc::unexpected_end, "the terminal has hung up");  // that is what EIO means there
  if (line.text() != "typed\n") wrong("another line came");
}

// Standard output, finished for the whole program, and a standard input that was closed.
Task<> standard_streams() {
  struct Keep {
    Keep() noexcept : input(::fcntl(0, F_DUPFD_CLOEXEC, 100)), output(::fcntl(1, F_DUPFD_CLOEXEC, 100)) {}
    ~Keep() {
      ::dup2(input, 0);
      ::dup2(output, 1);
      ::close(input);
      ::close(output);
    }
    int input, output;
  };
  Pipe pipe;
  std::array<char, 16> buffer{};
  {
    Keep keep;
    ::dup2(pipe.ends[1], 1);
    ::close(std::exchange(pipe.ends[1], -1));
    ::close(0);
    occupy_standard_descriptors();
    Sink sink = Sink::standard_output();
    co_await sink.write("out\n");
    co_await sink.finish();
    ::fcntl(pipe.ends[0], F_SETFL, O_NONBLOCK);
    if (::read(pipe.ends[0], buffer.data(), buffer.size()) != 4) wrong("other bytes came");
    if (::read(pipe.ends[0], buffer.data(), buffer.size()) > 0) wrong("bytes came after the end");
  }
}

// Sessions, a limit that makes it pause, a drain.
Task<> serving() {
  Loop& loop = *Loop::current();
  ServerOptions options;
  options.max_sessions = 2;
  options.drain = 20ms;
  auto handler = [](Stream peer) -> Task<> { co_await send_back(peer); };
  Server server(loop, handler, options);
  Result<std::vector<Address>> bound = server.listen("127.0.0.1:0");
  if (!bound) co_await std::move(bound);
  const std::vector<Address> where = *bound;
  auto body = [&](Scope& scope) -> Task<> {
    auto run = [&server] { return server.run(); };
    scope.spawn(run);
    auto visits = [&]() -> Task<> {
      auto all = [&](Scope& visitors) -> Task<> {
        auto visit = [&]() -> Task<> {
          Stream client = co_await connect(where);
          co_await client.write("hello");
          co_await expect(client, "hello");
          co_await client.finish();
          co_await expect_end(client);
        };
        for (int i = 0; i < 3; ++i) visitors.spawn(visit);
        co_return;
      };
      co_await scoped(all);
    };
    Result<> visited = co_await as_result(visits());
    server.drain();
    co_await std::move(visited);
  };
  co_await scoped(body);
}

// The trial of what this kernel can do.
Result<> probing() {
  const uring::Abilities found = uring::probe_now();
  return found.refused;
}

// More than both queues of a ring hold: each submission is completed once, or the ring says why it is lost.
Result<> full_ring() {
  uring::Ring ring;
  if (Error failed = ring.open({.submissions = 16, .completions = 16})) return failed;
  if (Error failed = ring.enable()) return failed;
  constexpr std::uint64_t count = 100;
  std::array<int, count> seen{};
  for (std::uint64_t tag = 0; tag != count; ++tag) {
    uring::Submission& entry = ring.next();
    entry.opcode = IORING_OP_NOP;
    entry.user_data = tag;
  }
  std::uint64_t all = 0;
  Result<> outcome;
  for (int round = 0; round != 200 && all != count && !ring.failure(); ++round) {
    ring.enter({.least = 1, .limit = 1ms});
    ring.reap([&](const uring::Completion& completion) {
      if (++seen.at(completion.tag) != 1) wrong("a submission was completed twice");
      if (completion.result < 0) outcome = system_error(-completion.result, "io_uring_enter");
      ++all;
    });
  }
  if (ring.failure()) return ring.failure();
  if (all != count) return saw("a submission was never completed");
  return outcome;
}

}  // namespace

Scenarios loop_scenarios() {
  struct Make {
    const char* name;
    BackendChoice choice;
  };
  struct Kind {
    const char* name;
    Task<> (*body)();
    Duration limit = patience;
    bool needs_wakes = false;
  };
  static constexpr Kind kinds[] = {
      {"echo", echo, 100ms},
      {"path", lines_over_a_path},
      {"pair", pair_of_streams},
      {"giving_up", giving_up, 100ms},
      {"letting_go", letting_go},
      {"addresses", several_addresses},
      {"datagrams", datagrams},
      {"coming_and_going", coming_and_going},
      {"threads", threads},
      {"signals", signals, 200ms},
      {"pipes", pipes, 200ms},
      {"files", files, 200ms},
      {"terminals", terminals, 200ms, true},  // a thread waits for its screen, which only a wake-up ends
      {"standard", standard_streams, 200ms},
      {"serving", serving, 300ms},
  };
  Scenarios all;
  for (const Make make : {Make{"epoll", BackendChoice::epoll}, Make{"uring", BackendChoice::uring},
                          Make{"floor", BackendChoice::uring_floor}}) {
    for (const Kind& kind : kinds) {
      const std::string name = std::string(make.name) + '_' + kind.name;
      auto run = [make, &kind] { return on_loop(make.choice, kind.body, kind.limit); };
      all.push_back({name, run, 1500ms, true, true, kind.needs_wakes});
    }
    all.push_back({std::string(make.name) + "_woken", [make] { return woken(make.choice); }, 1500ms, true, true, true});
  }
  all.push_back({"automatic", [] { return on_loop(BackendChoice::automatic, pair_of_streams); }});
  all.push_back({"probing", probing, 1500ms, false});
  all.push_back({"full_ring", full_ring, 1500ms, true, true});
  return all;
}

}  // namespace meari::torture
