// The one table of what can be typed: verbs, handlers, flags. Parsing, --help, `help VERB`, the man pages and the completions
// are made from it. A flag that is added here is parsed, explained in every language and checked for conflicts;
// what it means is read from Typed in options.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "src/command/speech/language.hpp"

namespace meari::command {

enum class Verb : std::uint8_t { serve, connect, bench, help };
enum class Handler : std::uint8_t {
  echo,
  greet,
  discard,
  chargen,
  daytime,
  time,
  stdio,
  forward,
  exec,
  chat,
  broadcast
};
enum class Flag : std::uint8_t {
  // serve
  once,
  max_sessions,
  max_per_source,
  max_rate,
  limit_rate,
  min_progress,
  allow,
  deny,
  ready_fd,
  drain,
  backlog,
  log,
  workers,
  reuse_port,
  accept_delay,
  record,
  // connect
  message,
  expect_echo,
  check,
  timeout,
  source,
  retry,
  repeat,
  interval,
  crlf,
  // bench
  connections,
  size,
  depth,
  duration,
  warmup,
  rate,
  threads,
  churn,
  hold,
  send,
  expect,
  server_pid,
  save,
  percentiles,
  plot,
  compare,
  fail_on,
  json,
  // both
  on_eof,
  raw,
  hexdump,
  idle,
  explain,
  events,
  backend,
  quiet,
  // everywhere
  lang,
  help,
  version,
};

enum class Value : std::uint8_t { none, text, duration, count, choice, address, policy };

constexpr unsigned in_serve = 1U << static_cast<unsigned>(Verb::serve);
constexpr unsigned in_connect = 1U << static_cast<unsigned>(Verb::connect);
constexpr unsigned in_bench = 1U << static_cast<unsigned>(Verb::bench);
constexpr unsigned in_help = 1U << static_cast<unsigned>(Verb::help);
constexpr unsigned everywhere = in_serve | in_connect | in_bench | in_help;  // and without a verb

struct FlagInfo {
  Flag flag;
  std::string_view name;  // without the dashes
  char letter;            // '\0': has none
  unsigned verbs;
  Value value;
  std::string_view choices;     // Value::choice: "text|json"; else what the value is called: "TIME"
  Text help;                    // one line
  Text more;                    // for `help VERB` and the man page; full sentences
  std::uint64_t conflicts = 0;  // bits of Flags that exclude this one
  std::uint64_t needs = 0;      // bits of Flags of which one has to be there, too
};
[[nodiscard]] constexpr std::uint64_t bit(Flag flag) noexcept {
  return std::uint64_t{1} << static_cast<unsigned>(flag);
}

struct HandlerInfo {
  Handler handler;
  std::string_view name;
  std::string_view argument;  // "TEXT", or nothing
  bool datagrams;             // serves udp: as well
  Text help;
  std::string_view example = "";  // of one with an argument
};

struct Example {
  std::string_view command;
  Text help;
};

struct VerbInfo {
  Verb verb;
  std::string_view name;
  std::string_view operands;
  Text summary;
  Text more;
  std::span<const Example> examples;
};

[[nodiscard]] std::span<const FlagInfo> flags() noexcept;
[[nodiscard]] std::span<const HandlerInfo> handlers() noexcept;
[[nodiscard]] std::span<const VerbInfo> verbs() noexcept;
[[nodiscard]] const FlagInfo& info(Flag flag) noexcept;
[[nodiscard]] const HandlerInfo& info(Handler handler) noexcept;
[[nodiscard]] const VerbInfo& info(Verb verb) noexcept;
// Whether the verb takes it; without a verb: whether all of them do.
[[nodiscard]] constexpr bool belongs_to(const FlagInfo& flag, std::optional<Verb> verb) noexcept {
  return verb ? (flag.verbs & 1U << static_cast<unsigned>(*verb)) != 0 : flag.verbs == everywhere;
}
[[nodiscard]] const HandlerInfo* find_handler(std::string_view name) noexcept;
[[nodiscard]] const VerbInfo* find_verb(std::string_view name) noexcept;

struct StatusInfo {
  int status;
  Text help;
};
[[nodiscard]] std::span<const StatusInfo> statuses() noexcept;
struct AddressInfo {
  std::string_view form;
  unsigned verbs;
  Text help;
};
[[nodiscard]] std::span<const AddressInfo> addresses() noexcept;
// Of the environment.
struct VariableInfo {
  std::string_view name;
  unsigned verbs;
  Text help;
};
[[nodiscard]] std::span<const VariableInfo> variables() noexcept;

}  // namespace meari::command
