// What a command line means: settings with types, or why they make no sense.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <meari/address.hpp>
#include <meari/backend.hpp>
#include <meari/operation.hpp>

#include "flags.hpp"
#include "gates.hpp"
#include "parse.hpp"
#include "sizes.hpp"
#include "src/command/explain/view.hpp"

namespace meari::command {

enum class OnEof : std::uint8_t { half_close, close, keep, wait };

struct ServeSettings {
  Handler handler = Handler::echo;
  std::string greeting;              // Handler::greet
  Endpoint target;                   // Handler::forward
  std::vector<std::string> program;  // Handler::exec: the name, and its arguments
  OnEof on_eof = OnEof::half_close;  // Handler::stdio: this, and raw
  Duration wait{};                   // OnEof::wait
  bool on_eof_given = false;         // then it holds for an absent input, too
  bool raw = false;
  std::vector<Endpoint> where;  // at least one
  BackendChoice backend = BackendChoice::automatic;
  std::optional<Duration> idle;  // the library's default where there is none
  std::optional<Duration> drain;
  std::size_t max_per_source = 0;  // 0: no limit
  std::size_t max_rate = 0;        // sessions a second; 0: no limit
  std::uint64_t limit_rate = 0;    // bytes a second, of each session in each direction; 0: no limit
  Duration progress_window{};      // zero: no least_progress is asked for
  std::uint64_t least_progress = 0;
  std::string allow;  // as typed; see Access
  std::string deny;
  std::optional<int> ready_fd;
  std::size_t max_sessions = 0;  // 0: as many as descriptors allow
  int backlog = -1;
  std::size_t workers = 1;
  bool reuse_port = false;
  bool once = false;
  bool json = false;
  Duration accept_delay{};
  bool hexdump = false;
  std::string record;  // a folder; empty: none
  [[nodiscard]] bool is_tapped() const noexcept { return hexdump || !record.empty(); }
  ViewSettings view;
};

struct ConnectSettings {
  Endpoint where;
  std::optional<std::string> message;
  OnEof on_eof = OnEof::half_close;
  Duration wait{};            // OnEof::wait
  bool on_eof_given = false;  // then it holds for an absent input, too
  bool expect_echo = false;
  bool check = false;
  bool raw = false;
  bool crlf = false;
  bool hexdump = false;
  std::uint64_t retry = 0;   // further attempts
  std::uint64_t repeat = 0;  // 0: once, and without the times
  Duration interval = std::chrono::seconds(1);
  Duration timeout = std::chrono::seconds(10);
  Duration idle{};
  Address source;
  ViewSettings view;
  BackendChoice backend = BackendChoice::automatic;
};

struct BenchSettings {
  Endpoint where;
  unsigned connections = 64;
  SizeRange size;  // of a message
  unsigned depth = 1;
  unsigned threads = 1;
  Duration duration = std::chrono::seconds(10);
  Duration warmup = std::chrono::seconds(1);
  Duration timeout = std::chrono::seconds(10);  // to connect; of a datagram: until its reply counts as lost
  double rate = 0;                              // messages a second, of all connections together; 0: a closed loop
  bool churn = false;                           // a connection for every message
  bool hold = false;                            // connections say nothing until the end
  std::optional<std::string> send;              // instead of noise
  std::optional<std::string> expect;            // as the reply, instead of what was sent
  std::optional<long> server_pid;
  std::optional<std::string> save;
  std::optional<std::string> percentiles;
  std::optional<std::string> plot;
  std::optional<std::string> compare;
  std::vector<Gate> gates;
  bool json = false;
  BackendChoice backend = BackendChoice::automatic;
};

[[nodiscard]] std::variant<ServeSettings, Refused> serve_settings(const Typed& typed);
[[nodiscard]] std::variant<ConnectSettings, Refused> connect_settings(const Typed& typed);
[[nodiscard]] std::variant<BenchSettings, Refused> bench_settings(const Typed& typed);

}  // namespace meari::command
