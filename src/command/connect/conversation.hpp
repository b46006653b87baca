// Conversation: one run of `meari connect`. Connects, then sends what comes from standard input (or -m) and prints what the
// peer sends, both at once and neither waiting for the other, and says in the end whether all of it arrived.
//
//   input ──► send ──► peer        the end of input: --on-eof
//   output ◄── receive ◄── peer    the peer's FIN ends this direction only, except on a terminal
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <meari/channel.hpp>
#include <meari/scope.hpp>
#include <meari/standard.hpp>
#include <meari/stream.hpp>

#include "carriage_returns.hpp"
#include "echo_check.hpp"
#include "outcome.hpp"
#include "prompt.hpp"
#include "src/command/flags/options.hpp"
#include "src/command/speech/escaper.hpp"
#include "src/command/speech/hexdump.hpp"
#include "src/command/speech/talk.hpp"

namespace meari::command {

class Conversation {
 public:
  Conversation(Loop& loop, const ConnectSettings& settings, const Talk& talk);

  // From connecting to the account at the end. Cancelled, it says how far it came and gives `interrupted`.
  Task<Outcome> converse();
  // A line of ours for standard error, as --explain has them at any time: around the line that is being typed.
  void tell(std::string line);

 private:
  // Why the two directions are over.
  enum class End : std::uint8_t {
    open,           // the peer had not finished
    peer_closed,    // its FIN has come
    reader_gone,    // nobody reads our standard output any more
    check_failed,   // said already
    output_failed,  // said already
  };

  Task<Status> run();
  Task<> open();
  void announce() const;
  Status report_check() const;

  // Both directions, until both are over or one ends all.
  Task<> both_ways();
  Task<> send(Scope& scope);
  Task<> send_message();
  Task<> send_pipe();
  Task<> send_lines();
  Task<> at_end_of_input(Scope& scope);
  Task<> deliver(Chunk data);
  Task<> deliver_as_it_is(Chunk data);
  Task<> receive(Scope& scope);
  Task<> receive_pipe();
  Task<> receive_lines();
  // Notes what has come; says whether it may.
  [[nodiscard]] bool take_in(const Chunk& data);
  Task<> print(std::string text);
  // To the terminal, or to standard error where standard output is the payload's. A dump that nobody reads stops nothing.
  Task<> dump(std::string lines);
  [[nodiscard]] std::string dumped(HexDump::Way way, const Chunk& data);
  [[nodiscard]] bool check_received(const Chunk& data);
  [[nodiscard]] bool input_is_absent() const noexcept;

  // Waits until the peer's system has confirmed all that was sent, or never will.
  Task<> settle();
  // Bytes of ours that the peer's system has; nothing where the system does not tell.
  [[nodiscard]] std::optional<std::uint64_t> acknowledged() const;
  Status verdict(const Result<>& result);
  [[nodiscard]] std::string account(std::string_view how) const;
  [[nodiscard]] std::string how_it_ended(const Error& failure) const;

  Loop& loop_;
  const ConnectSettings& settings_;
  const Talk& talk_;
  Source input_;
  Sink output_;
  bool interactive_ = false;  // a person types, and a person reads
  bool escaped_ = false;      // what is printed goes to a terminal
  bool dumped_here_ = false;  // the dump takes the place of the payload
  Stream server_;
  std::string to_;
  std::string from_;
  std::size_t choices_ = 0;  // addresses that were tried
  Time begin_{};             // connected
  std::optional<Duration> connecting_;
  std::optional<Time> first_sent_;
  std::optional<Time> first_received_;
  std::uint64_t received_ = 0;
  bool input_ended_ = false;      // all of the input has been sent
  std::optional<Prompt> prompt_;  // of a person
  Error send_failure_;
  Error input_failure_;
  End end_ = End::open;
  EchoCheck check_;
  Escaper escaper_;
  CarriageReturns carriage_returns_;
  HexDump hexdump_;
  Sink errors_;  // for the dump
  Channel<bool> replied_{ChannelOptions{.capacity = 1, .when_full = WhenFull::drop_oldest}};
};

}  // namespace meari::command
