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

#include "echo_check.hpp"
#include "escaper.hpp"
#include "options.hpp"
#include "status.hpp"
#include "talk.hpp"

namespace meari::command {

class Conversation {
 public:
  Conversation(Loop& loop, const ConnectSettings& settings, const Talk& talk);

  Task<Status> run();

 private:
  // Why the two directions are over.
  enum class End : std::uint8_t {
    open,           // the peer had not finished
    peer_closed,    // its FIN has come
    reader_gone,    // nobody reads our standard output any more
    check_failed,   // said already
    output_failed,  // said already
  };

  Task<Status> converse();
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
  Task<> receive(Scope& scope);
  Task<> receive_pipe();
  Task<> receive_lines();
  Task<> print(std::string text);
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
  Stream server_;
  std::size_t choices_ = 0;  // addresses that were tried
  Duration took_{};          // connecting
  std::uint64_t received_ = 0;
  bool input_ended_ = false;  // all of the input has been sent
  bool at_prompt_ = false;
  Error send_failure_;
  Error input_failure_;
  End end_ = End::open;
  EchoCheck check_;
  Escaper escaper_;
  Channel<bool> replied_{ChannelOptions{.capacity = 1, .when_full = WhenFull::drop_oldest}};
};

}  // namespace meari::command
