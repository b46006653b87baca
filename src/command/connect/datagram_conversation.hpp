// DatagramConversation: one run of `meari connect udp:…`. Each line that is typed, each piece that is read from standard
// input, or -m, is a datagram, and what comes back is printed as it comes. Nobody says that anything has arrived, and nobody
// says that nothing more will come; so after the end of the input --on-eof decides how long to wait for replies:
//
//   half-close    until none has come for a second       wait:TIME    for TIME
//   close         not at all                             keep         for ever
//
// The socket is connected to its peer (connect(2)), so nobody else's datagrams are taken for replies, and a system where
// nobody has the port can say so (ICMP port unreachable).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <meari/channel.hpp>
#include <meari/datagram.hpp>
#include <meari/observer.hpp>
#include <meari/scope.hpp>
#include <meari/standard.hpp>

#include "carriage_returns.hpp"
#include "datagram_check.hpp"
#include "outcome.hpp"
#include "prompt.hpp"
#include "src/command/flags/options.hpp"
#include "src/command/speech/escaper.hpp"
#include "src/command/speech/hexdump.hpp"
#include "src/command/speech/talk.hpp"

namespace meari::command {

class DatagramConversation {
 public:
  DatagramConversation(Loop& loop, const ConnectSettings& settings, const Talk& talk);

  // Cancelled, it says how far it came and gives `interrupted`.
  Task<Outcome> converse();
  // A line of ours for standard error, at any time: around the line that is being typed.
  void tell(std::string line);

 private:
  enum class End : std::uint8_t {
    open,
    quiet,          // no reply for long enough after the end of the input
    time_up,        // --on-eof wait:TIME
    not_waited,     // --on-eof close
    answered,       // all that was awaited has come
    idle,           // --idle
    reader_gone,    // nobody reads our standard output any more
    check_failed,   // said already
    input_failed,   // said already
    output_failed,  // said already
    cut_off,        // a reply that was longer than what could be received of it; said already
  };
  struct Count {
    std::uint64_t datagrams = 0;
    std::uint64_t bytes = 0;
  };

  Task<> open();
  Result<> take_over(Descriptor descriptor);
  void speak_with(Datagram socket, const Address& peer);
  // A socket that speaks with this address alone.
  Result<> open_towards(const Address& to);
  void announce() const;
  void tell_event(Event::What what, const Error& error = {}) const;

  Task<> both_ways();
  Task<> send(Scope& scope);
  Task<> send_message();
  Task<> send_pipe();
  Task<> send_lines();
  // As one datagram; or as several, where a pipe or a file has given more than one carries.
  Task<> deliver(std::span<const std::byte> bytes);
  Task<> deliver_one(std::span<const std::byte> bytes);
  Task<> at_end_of_input(Scope& scope);
  Task<> receive(Scope& scope);
  Task<> take_in(Chunk data);
  // Until something comes; fails with timed_out when --idle is over.
  Task<Received> next_reply();
  [[nodiscard]] bool is_over() const noexcept { return end_ != End::open; }
  // The first reason counts: both directions may come to an end in the same turn.
  void end_as(End how) noexcept {
    if (!is_over()) end_ = how;
  }
  [[nodiscard]] bool has_all_it_waits_for() const noexcept;
  [[nodiscard]] bool input_is_absent() const noexcept;

  [[nodiscard]] std::string escaped(const Chunk& data);
  Task<> print(std::string text);
  // On a terminal the shell's prompt is to begin a line of its own.
  Task<> end_last_line();
  Task<> dump(HexDump::Way way, std::span<const std::byte> data);
  [[nodiscard]] std::string dumped(HexDump::Way way, std::span<const std::byte> data) const;

  Status verdict(const Result<>& result);
  [[nodiscard]] std::string account(std::string_view how) const;
  [[nodiscard]] std::string how_it_ended() const;

  Loop& loop_;
  const ConnectSettings& settings_;
  const Talk& talk_;
  Source input_;
  Sink output_;
  Sink errors_;               // for the dump
  bool interactive_ = false;  // a person types, and a person reads
  bool escaped_ = false;      // what is printed goes to a terminal
  bool dumped_here_ = false;  // the dump takes the place of the payload
  std::optional<Prompt> prompt_;
  Datagram socket_;
  Address peer_;
  std::string to_;
  std::string from_;
  std::vector<Address> choices_;  // what the name stands for
  Time begin_{};
  Time last_moved_{};  // a datagram came or went
  std::optional<Time> first_sent_;
  std::optional<Time> first_received_;
  Count sent_;
  Count received_;
  bool input_ended_ = false;
  bool taking_in_ = false;  // a reply is being printed, which whoever reads it may hold up
  Error failure_;           // of the socket
  End end_ = End::open;
  End end_behind_this_ = End::open;  // what it will be when the reply has been printed
  DatagramCheck check_;
  Escaper escaper_;
  CarriageReturns carriage_returns_;
  Channel<bool> replied_{ChannelOptions{.capacity = 1, .when_full = WhenFull::drop_oldest}};
};

}  // namespace meari::command
