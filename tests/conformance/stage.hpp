// Conformance: the simulated wire does what the kernel does. A case is two Tasks, a server and a client, written once
// over Loop, Listener, Stream, connect and Datagram. They run on every ground: over sockets of the system, with each
// backend, and over the wire, with a host each and on one host together. What they observe they note, line by line; the
// notes of every ground must be those of epoll.
//
//   MEARI_CONFORMS(the_end_comes_after_the_bytes)
//   Task<> the_end_comes_after_the_bytes::server(Side& here) {
//     Stream peer = co_await here.meet();
//     co_await here.read_all(peer);                // notes "read 5 bytes "hello"" and "read: the end"
//   }
//   Task<> the_end_comes_after_the_bytes::client(Side& here) { … }
//
// Both loops turn on one thread. A case never sleeps to let something arrive: it waits for a word of the other side
// (tell, hear), or for what the system says of its socket (settle, has_arrived).
#pragma once

#include <chrono>
#include <iosfwd>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <meari/connect.hpp>
#include <meari/datagram.hpp>
#include <meari/deadline.hpp>
#include <meari/listener.hpp>
#include <meari/loop.hpp>
#include <meari/scope.hpp>
#include <meari/stream.hpp>

namespace meari::conformance {

using namespace std::chrono_literals;

// What both sides share.
struct Meeting {
  Address where;                // of the server's listener or datagram socket
  std::set<std::string> words;  // that somebody has told
  std::string names;            // paths of this run begin with this
};

class Side {
 public:
  static constexpr Duration patience = 5s;

  Side(Meeting& meeting, Loop& loop, bool is_server, Address ipv4, Address ipv6)
      : meeting_(meeting), loop_(loop), is_server_(is_server), ipv4_(std::move(ipv4)), ipv6_(std::move(ipv6)) {}

  std::vector<std::string> notes;
  bool over = false;
  Listener listener;  // the server's, once it has met somebody
  [[nodiscard]] Loop& loop() noexcept { return loop_; }

  void note(std::string line) { notes.push_back(std::move(line)); }
  void note(std::string_view what, const Error& error);  // "what: ok", or the operation that failed and why
  // Whether this is an address as it is called here: "ours", "theirs", "wildcard" …, with "listening" or "some port".
  void note(std::string_view what, const Result<Address>& address);

  // ---- where things are
  [[nodiscard]] Address home(std::uint16_t port = 0) const { return ipv4_.with_port(port); }
  [[nodiscard]] Address home6(std::uint16_t port = 0) const { return ipv6_.with_port(port); }
  [[nodiscard]] Address path(std::string_view name) const;      // in the file system
  [[nodiscard]] Address abstract(std::string_view name) const;  // not in it
  [[nodiscard]] const Address& where() const noexcept { return meeting_.where; }
  void meet_at(Address where) { meeting_.where = std::move(where); }

  // ---- each other
  void tell(const char* word) { meeting_.words.insert(word); }
  Task<> hear(const char* word);

  // ---- streams. What fails is noted, and the Task goes on
  Task<Stream> meet();                         // the server listens at home and accepts one, the client connects
  Task<Stream> meet(Address at, int backlog);  // where the server is to listen
  Task<> listen(Address at, int backlog = -1);
  Task<Stream> dial(Address target);  // noted when it fails; then the stream is closed
  Task<Stream> dial(Address target, Address source);
  Task<Stream> accept();
  Task<> write(Stream& stream, std::string_view text);
  Task<> finish(Stream& stream);
  Task<> read(Stream& stream);                         // once
  Task<> read_exactly(Stream& stream, std::size_t n);  // so that pieces do not matter
  Task<> read_all(Stream& stream);                     // up to the end or a failure
  // Until the system says that the connection is in this state: "CLOSE_WAIT" …
  Task<> settle(Stream& stream, std::string_view state);
  // Until so many bytes wait here to be read.
  Task<> has_arrived(Stream& stream, std::size_t bytes);
  void abandon(Stream& stream);  // close(2) and nothing else: no goodbye, no drain

  // ---- datagrams
  Task<> send(Datagram& socket, std::string_view text, Address target);
  Task<> receive(Datagram& socket);

 private:
  void note_text(std::string_view text);

  Meeting& meeting_;
  Loop& loop_;
  bool is_server_;
  Address ipv4_;
  Address ipv6_;
};

using Body = Task<> (*)(Side&);
struct Case {
  const char* name;
  Body server;
  Body client;
};
void PrintTo(const Case& one, std::ostream* out);
[[nodiscard]] std::vector<Case>& cases();
struct Enlisted {
  Enlisted(const char* name, Body server, Body client) { cases().push_back({name, server, client}); }
};

#define MEARI_CONFORMS(name)                                         \
  namespace {                                                        \
  struct name {                                                      \
    static Task<> server(Side& here);                                \
    static Task<> client(Side& here);                                \
  };                                                                 \
  const Enlisted enlisted_##name(#name, name::server, name::client); \
  }

}  // namespace meari::conformance
