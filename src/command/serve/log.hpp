// Log: what a server tells about itself while it serves, a line an event: for people in their language, or as JSON, which is
// always in English and keeps its names. All of it goes where Talk's lines go, to standard error.
//
//   echo: listening on [::1]:9000, 127.0.0.1:9000           {"event":"listening","handler":"echo","addresses":[…],…}
//   #1 127.0.0.1:53422 connected                            {"event":"session_start","session":1,"peer":"127.0.0.1:53422"}
//   #1 127.0.0.1:53422 received 6, sent 6, 0.812 s: finished {"event":"session_end","session":1,…,"how":"finished"}
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <meari/server.hpp>

#include "src/command/flags/flags.hpp"
#include "src/command/speech/hexdump.hpp"
#include "src/command/speech/talk.hpp"

namespace meari::command {

// An address for people. A client of a Unix-domain socket has none.
[[nodiscard]] std::string shown(const Talk& talk, const Address& address, Kind kind = Kind::stream);

struct DatagramCounts {
  std::uint64_t received = 0;
  std::uint64_t answered = 0;
  std::uint64_t left_alone = 0;
};

struct Totals {
  std::uint64_t sessions = 0;
  std::uint64_t received = 0;  // bytes
  std::uint64_t sent = 0;
};

class Log {
 public:
  // `charted`: sessions are told step by step, by a Chart; their lines for people are left out here.
  Log(const Talk& talk, bool json, bool charted) : talk_(talk), json_(json), charted_(charted) {}

  [[nodiscard]] Language language() const noexcept { return talk_.language(); }
  [[nodiscard]] const Talk& talk() const noexcept { return talk_; }
  // The first line. Always written.
  void listening(std::string_view handler, const std::vector<std::string>& addresses, std::string_view backend) const;
  void backend_refused(std::string_view reason) const;
  void open_to_all(const Address& address) const;
  // `number` counts the sessions of this server from 1.
  void started(std::uint64_t number, const Session& session) const;
  // `timeouts`: those of the server, one of which may have ended it.
  void ended(std::uint64_t number, const Session& session, const SessionEnd& end, const Timeouts& timeouts) const;
  // `others`: how many more since the last such line, which nobody was told of.
  void turned_away(const Address& source, const Text& reason, std::uint64_t others) const;
  // --max-per-source. `source`: what is counted.
  void source_full(std::string_view source, std::uint64_t limit, std::uint64_t others) const;
  // --limit-rate; from any thread. Way::in: what the client sends.
  void slowed_down(std::uint64_t session, HexDump::Way way, std::uint64_t bytes_per_second) const;
  void lists_read(const Result<>& result) const;
  void paused(std::string_view reason) const;
  void resumed(std::uint64_t pauses) const;  // how many there were
  void datagram_left_alone(const Address& from, const Text& reason) const;
  void named(std::uint64_t session, std::string_view name) const;  // a member of a chat
  // A line of a program's standard error, and how it ended where that was not status 0.
  void program_said(std::uint64_t session, std::string_view line) const;
  void program_ended(std::uint64_t session, std::uint32_t status, int signal) const;
  // From any thread. People find the files by the number in their names.
  void recording(std::uint64_t session, const std::vector<std::string>& files) const;
  void recorded_no_further(std::uint64_t session, const Error& error) const;
  void input_failed(const Error& error) const;   // standard input
  void output_failed(const Error& error) const;  // standard output
  void stopping(std::size_t sessions, Duration longest) const;
  // Without totals: it had no sessions to count, only datagrams.
  void stopped(const std::optional<Totals>& counted, const Drained& drained) const;
  void datagrams_over(const Address& local, const DatagramCounts& counts) const;

 private:
  const Talk& talk_;
  bool json_;
  bool charted_;
};

}  // namespace meari::command
