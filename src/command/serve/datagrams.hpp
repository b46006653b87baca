// The handlers that serve datagrams, without helping anybody to harm others. A datagram's sender is easily forged, so an
// answer may reach somebody who never asked. Therefore:
//  - one datagram for one, and never more bytes than came in: so the character generator answers an empty datagram with an
//    empty one. Daytime and time are asked with empty datagrams; their 26 and 4 bytes make the smallest frame of an
//    Ethernet hardly larger
//  - what seems to come from a service is left alone: a port below 1024 (echo 7, chargen 19 …) or a known amplifier's, an
//    address of this server, a port that this server serves itself. Two echoes would talk to each other for ever.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <meari/datagram.hpp>
#include <meari/task.hpp>

#include "access.hpp"
#include "handlers.hpp"
#include "log.hpp"
#include "src/command/flags/options.hpp"
#include "src/command/speech/hexdump.hpp"

namespace meari::command {

class DatagramService {
 public:
  DatagramService(const Premises& premises, const Access& access)
      : premises_(premises), settings_(premises.settings), log_(premises.log), access_(access) {}

  // Opens the sockets that `where` stands for, and says on which addresses.
  Result<std::vector<Address>> open(Loop& loop, const Endpoint& where);
  [[nodiscard]] std::size_t size() const noexcept { return sockets_.size(); }
  // Serves one of the sockets until stop().
  Task<> serve(std::size_t index);
  void stop() noexcept;
  void report() const;

  // Why nobody who sends from here is answered; nothing for everybody else.
  [[nodiscard]] std::optional<Text> reason_not_to_answer(const Address& from) const;

 private:
  struct Served {
    Datagram socket;
    Address local;
    DatagramCounts counts;
    bool told = false;  // that somebody was left alone: one line is enough
  };
  void add(Datagram socket, std::vector<Address>& bound);
  // Refers to `received`, or to `text`.
  [[nodiscard]] std::span<const std::byte> answer_to(const Chunk& received, std::string& text) const;

  // --hexdump: a datagram is whole by itself, so the offsets of each begin at 0.
  Task<> dump(HexDump::Way way, std::span<const std::byte> data, const Address& peer) const;

  const Premises& premises_;
  const ServeSettings& settings_;
  const Log& log_;
  const Access& access_;
  std::vector<Served> sockets_;
  Time begin_{};
};

}  // namespace meari::command
