// Scenarios on blocking Sockets. One thread plays both ends: the kernel's queues hold what is under way, and every
// receive has a time limit, so that a peer who failed keeps nobody waiting.
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>

#include <meari/socket.hpp>

#include "engine.hpp"
#include "src/os/activation.hpp"
#include "src/os/child.hpp"
#include "src/os/fresh_file.hpp"
#include "src/os/native.hpp"
#include "src/os/terminal.hpp"

namespace {
bool in_front = false;  // as if every terminal were ours
}  // namespace

// tcgetpgrp(3). To be in the foreground of a terminal this program would have to lead a session, for good.
extern "C" pid_t tcgetpgrp(int terminal) noexcept {
  if (in_front) return ::getpgrp();
  pid_t group = -1;
  return ::ioctl(terminal, TIOCGPGRP, &group) == 0 ? group : -1;
}

namespace meari::torture {

namespace {

std::chrono::milliseconds patience() { return 25ms * slack(); }

// Memory of the scenario, not of the library.
std::string zeros(std::size_t size) {
  const Exempt mine;
  return std::string(size, '\0');
}

std::string pattern(std::size_t size) {
  const Exempt mine;
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return text;
}

struct Ends {
  Socket listener, client, server;
};

Result<Ends> meet(Family family, const Address& where) {
  Ends ends;
  Result<Socket> opened = Socket::open(family, Kind::stream);
  if (!opened) return opened.error();
  ends.listener = *std::move(opened);
  if (Result<> done = ends.listener.set_receive_timeout(patience()); !done) return done.error();
  if (Result<> done = ends.listener.bind(where); !done) return done.error();
  if (Result<> done = ends.listener.listen(); !done) return done.error();
  const Result<Address> here = ends.listener.local();
  if (!here) return here.error();
  Result<Socket> client = Socket::open(family, Kind::stream);
  if (!client) return client.error();
  ends.client = *std::move(client);
  if (Result<> done = ends.client.set_receive_timeout(patience()); !done) return done.error();
  if (Result<> done = ends.client.connect(*here); !done) return done.error();
  Result<Accepted> accepted = ends.listener.accept();
  if (!accepted) return accepted.error();
  ends.server = std::move(accepted->socket);
  if (Result<> done = ends.server.set_receive_timeout(patience()); !done) return done.error();
  return ends;
}

// `size` bytes there and back, then both finish.
Result<> echo(Ends& ends, std::size_t size) {
  const std::string sent = pattern(size);
  std::string got = zeros(size);
  const auto hop = [&](Socket& from, Socket& to) -> Result<> {
    if (Result<> done = from.send_all(sent); !done) return done;
    got.assign(size, '\0');
    if (Result<> done = to.recv_exactly(std::as_writable_bytes(std::span(got))); !done) return done;
    if (got != sent) wrong("other bytes came than were sent");
    return {};
  };
  if (Result<> done = hop(ends.client, ends.server); !done) return done;
  if (Result<> done = hop(ends.server, ends.client); !done) return done;
  for (auto [from, to] : {std::pair(&ends.client, &ends.server), std::pair(&ends.server, &ends.client)}) {
    if (Result<> done = from->shutdown(Socket::Direction::send); !done) return done;
    std::array<char, 8> rest{};
    const Result<std::size_t> end = to->recv(rest);
    if (!end) return end.error();
    if (*end != 0) wrong("bytes came after the end");
  }
  if (Result<> done = ends.client.close(); !done) return done;
  return ends.server.close();
}

Result<> over_ipv4() {
  Result<Ends> ends = meet(Family::ipv4, Address::loopback(Family::ipv4, 0));
  if (!ends) return ends.error();
  return echo(*ends, 3000);
}

Result<> over_ipv6() {
  Result<Ends> ends = meet(Family::ipv6, Address::loopback(Family::ipv6, 0));
  if (!ends) return ends.error();
  return echo(*ends, 100);
}

// A path that a server left behind is taken over, by a socket that listens there again.
struct Folder {
  Folder() {
    std::snprintf(path, sizeof path, "/tmp/meari_torture_XXXXXX");
    if (::mkdtemp(path) == nullptr) std::abort();
    const Exempt mine;
    socket = std::string(path) + "/s";
  }
  ~Folder() {
    ::unlink(socket.c_str());
    ::rmdir(path);
  }
  char path[40];
  std::string socket;
};

Result<> over_a_path() {
  const Folder folder;
  const Result<Address> where = Address::from_path(folder.socket);
  if (!where) return where.error();
  {
    Result<Socket> before = Socket::open(Family::local, Kind::stream);
    if (!before) return before.error();
    if (Result<> done = before->bind(*where); !done) return done;
  }
  Result<Ends> ends = meet(Family::local, *where);
  if (!ends) return ends.error();
  return echo(*ends, 3000);
}

Result<> as_a_pair() {
  Result<std::pair<Socket, Socket>> pair = Socket::pair();
  if (!pair) return pair.error();
  Ends ends;
  ends.client = std::move(pair->first);
  ends.server = std::move(pair->second);
  if (Result<> done = ends.client.set_receive_timeout(patience()); !done) return done;
  if (Result<> done = ends.server.set_receive_timeout(patience()); !done) return done;
  return echo(ends, 3000);
}

Result<> datagrams() {
  std::array<Socket, 2> ends;
  std::array<Address, 2> where;
  for (std::size_t i = 0; i < 2; ++i) {
    Result<Socket> opened = Socket::open(Family::ipv4, Kind::datagram);
    if (!opened) return opened.error();
    ends[i] = *std::move(opened);
    if (Result<> done = ends[i].set_receive_timeout(patience()); !done) return done;
    if (Result<> done = ends[i].bind(Address::loopback(Family::ipv4, 0)); !done) return done;
    Result<Address> local = ends[i].local();
    if (!local) return local.error();
    where[i] = *std::move(local);
  }
  for (const std::size_t size : {std::size_t{1}, std::size_t{1200}}) {
    const std::string sent = pattern(size);
    const Result<std::size_t> gone = ends[0].send_to(std::as_bytes(std::span(sent)), where[1]);
    if (!gone) return gone.error();
    std::string got = zeros(2000);
    const Result<ReceivedFrom> came = ends[1].recv_from(std::as_writable_bytes(std::span(got)));
    if (!came) return came.error();
    if (std::string_view(got).substr(0, came->size) != sent || came->truncated) wrong("another datagram came");
    if (came->from != where[0]) wrong("it came from somebody else");
  }
  return {};
}

Result<> options() {
  Result<Socket> opened = Socket::open(Family::ipv6, Kind::stream);
  if (!opened) return opened.error();
  Socket& socket = *opened;
  if (Result<> done = socket.set_no_delay(true); !done) return done;
  if (Result<> done = socket.set_keep_alive(true); !done) return done;
  if (Result<> done = socket.set_reuse_port(true); !done) return done;
  if (Result<> done = socket.set_v6_only(true); !done) return done;
  if (Result<> done = socket.set_send_buffer(1 << 16); !done) return done;
  if (Result<> done = socket.set_receive_buffer(1 << 16); !done) return done;
  if (Result<> done = socket.set_linger(0); !done) return done;
  if (Result<> done = socket.set_non_blocking(true); !done) return done;
  if (Result<> done = socket.bind(Address::loopback(Family::ipv6, 0)); !done) return done;
  if (Result<> done = socket.listen(4); !done) return done;
  const Result<Accepted> nobody = socket.accept();
  if (nobody) wrong("a connection came from nowhere");
  return socket.close();
}

// A socket that the kernel connects to itself is refused.
Result<> to_itself() {
  Result<Socket> opened = Socket::open(Family::ipv4, Kind::stream);
  if (!opened) return opened.error();
  if (Result<> done = opened->bind(Address::loopback(Family::ipv4, 0)); !done) return done;
  const Result<Address> here = opened->local();
  if (!here) return here.error();
  const Result<> connected = opened->connect(*here);
  if (connected) return saw("the kernel does not tell who is connected to whom");
  if (connected.error() == Errc::self_connect) return {};
  return connected;
}

// What can be asked about a socket and about this process.
Result<> questions() {
  struct Limit {
    Limit() noexcept {
      ::getrlimit(RLIMIT_NOFILE, &before);
      rlimit lower = before;
      lower.rlim_cur = before.rlim_max - 1;
      ::setrlimit(RLIMIT_NOFILE, &lower);
    }
    ~Limit() { ::setrlimit(RLIMIT_NOFILE, &before); }
    rlimit before{};
  } limited;
  if (Result<os::DescriptorLimit> limit = os::raise_descriptor_limit(); !limit) return limit.error();
  Result<Ends> ends = meet(Family::ipv4, Address::loopback(Family::ipv4, 0));
  if (!ends) return ends.error();
  if (Result<> done = ends->client.send_all("four"); !done) return done;
  const Result<os::TcpInfo> info = os::tcp_info(ends->client.descriptor());
  if (!info) return info.error();
  if (info->state != os::TcpState::established) wrong("a connection that is none");
  const Result<os::QueueLengths> queues = os::queue_lengths(ends->server.descriptor());
  if (!queues) return queues.error();
  if (queues->unread != 4) wrong("not four bytes wait");
  const Result<os::Adopted> found = os::examine(ends->listener.descriptor());
  if (!found) return found.error();
  if (found->kind != Kind::stream) wrong("a listener that is none");
  const Result<Address> peer = ends->client.peer();
  if (!peer) return peer.error();
  const Result<Address> local = ends->server.local();
  if (!local) return local.error();
  if (*peer != *local) wrong("peer and local differ");
  return {};
}

// The peer has gone with unread bytes: what comes then is an Error and never a signal.
Result<> to_one_who_has_gone() {
  Result<Ends> ends = meet(Family::ipv4, Address::loopback(Family::ipv4, 0));
  if (!ends) return ends.error();
  if (Result<> done = ends->client.send_all("unread"); !done) return done;
  if (Result<> done = ends->server.close(); !done) return done;
  std::array<char, 8> buffer{};
  const Result<std::size_t> came = ends->client.recv(buffer);
  if (came && *came != 0) wrong("bytes came from one who sent none");
  const Result<std::size_t> sent = ends->client.send("more");
  if (came && sent) wrong("neither end of the stream nor reset was told");
  return {};
}

// A program, what it is told and what it says.
Result<> child() {
  const auto what = [] {
    const Exempt mine;
    constexpr std::array<std::string_view, 1> names{"PATH"};
    return os::Program{"/bin/cat", {"cat"}, os::environment(names)};
  };
  const os::Program program = what();
  Result<os::Child> started = os::Child::start(program);
  if (!started) return started.error();
  os::Child& cat = *started;
  if (::send(sys::plain(cat.input.get()), "meow", 4, MSG_NOSIGNAL) != 4) return saw("the child does not listen");
  cat.input = os::Owned();
  std::string said;
  for (int round = 0; round != 100; ++round) {
    pollfd entry{.fd = sys::plain(cat.output.get()), .events = POLLIN, .revents = 0};
    if (::poll(&entry, 1, 1000) <= 0) return saw("the child says nothing");
    std::array<char, 16> buffer{};
    const Result<std::optional<std::size_t>> read = os::read_some(cat.output.get(), buffer.data(), buffer.size());
    if (!read) return read.error();
    const std::optional<std::size_t> count = *read;
    if (!count) continue;
    said.append(buffer.data(), *count);
    if (*count == 0) break;
  }
  if (!std::string_view("meow").starts_with(said)) wrong("the child said something else");
  if (said != "meow") wrong("an end came before all was said");
  return {};
}

// What a supervisor is told arrives whole, or an Error says that it did not.
Result<> announcement() {
  constexpr std::string_view text = "127.0.0.1:9000\n";
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) std::abort();
  Result<> told = os::check_open(ends[1]);
  if (told) told = os::announce(ends[1], text);
  else ::close(ends[1]);
  std::array<char, 64> got{};
  const ssize_t count = ::read(ends[0], got.data(), got.size());
  ::close(ends[0]);
  if (told && std::string_view(got.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))) != text)
    wrong("the supervisor was told something else");
  return told;
}

// A file made anew has all that was written, or an Error says that it has not.
Result<> fresh_file() {
  static const std::string folder = [] {
    std::string path = "/tmp/meari-torture-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) std::abort();
    return path;
  }();
  struct Gone {
    ~Gone() {
      ::unlink(path.c_str());
      ::rmdir(folder.c_str());
    }
    const std::string& path;
  };
  static const std::string path = folder + "/file";
  ::mkdir(folder.c_str(), 0700);  // again, where a run before this one has taken it away
  const Gone gone{path};
  const auto name = [] {
    const Exempt mine;
    return std::string(path);
  };
  Result<os::FreshFile> file = os::FreshFile::create(name());
  if (!file) return file.error();
  for (const std::string_view text : {"what the peer said", " and what it said then"})
    if (Result<> written = file->write(std::as_bytes(std::span(text.data(), text.size()))); !written) return written;
  if (Result<> closed = file->close(); !closed) return closed;
  std::array<char, 64> got{};
  const int again = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const ssize_t size = ::read(again, got.data(), got.size());
  ::close(again);
  if (std::string_view(got.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))) !=
      "what the peer said and what it said then")
    wrong("something else is in the file");
  return {};
}

// Somebody types on a terminal, stops this program and lets it go on. That is told once; where the system has nothing to
// tell it with, all else goes on.
Result<> going_on() {
  const auto is_told = [](const os::KeptModes& modes) {
    pollfd entry{.fd = sys::plain(modes.gone_on()), .events = POLLIN, .revents = 0};
    return ::poll(&entry, 1, 0) == 1;
  };
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0) std::abort();
  const int slave = ::open(::ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  const int input = ::fcntl(0, F_DUPFD_CLOEXEC, 100);
  ::dup2(slave, 0);
  in_front = true;
  {
    const os::KeptModes modes;
    ::raise(SIGCONT);
    if (faults() == 0 && !is_told(modes)) wrong("nobody was told that it goes on");
    if (modes.gone_on() != no_descriptor) modes.taken();
    if (faults() == 0 && is_told(modes)) wrong("it was told twice");
  }
  in_front = false;
  if (input >= 0) ::dup2(input, 0);
  else ::close(0);
  for (const int one : {input, slave, master})
    if (one >= 0) ::close(one);
  return {};
}

}  // namespace

Scenarios blocking_scenarios() {
  return {
      {"blocking_ipv4", over_ipv4},
      {"blocking_ipv6", over_ipv6},
      {"blocking_path", over_a_path},
      {"blocking_pair", as_a_pair},
      {"blocking_datagrams", datagrams},
      {"blocking_options", options},
      {"blocking_to_itself", to_itself},
      {"blocking_questions", questions},
      {"blocking_gone", to_one_who_has_gone},
      {"blocking_child", child},
      {"blocking_announcement", announcement},
      {"blocking_fresh_file", fresh_file},
      {"blocking_going_on", going_on},
  };
}

}  // namespace meari::torture
