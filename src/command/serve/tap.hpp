// Tap: sees what one session receives before its handler does, and what it sends before its peer does. --hexdump prints
// it, --record writes it into two files of the session's own. Whoever reads or writes through it waits until it is done:
// so nothing is left out, and nothing piles up.
//
//   Tap tap(premises, session, number);
//   co_await tap.open();
//   co_await tap.received(chunk);                   // an empty one: the peer has finished
//   co_await tap.sent(bytes);
//   co_await tap.close();
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <meari/chunk.hpp>
#include <meari/server.hpp>
#include <meari/task.hpp>

#include "src/command/speech/hexdump.hpp"

namespace meari::os {
class FreshFile;
}

namespace meari::command {

struct Premises;

class Tap {
 public:
  // `number`: of the session, as the log counts.
  Tap(Premises& premises, const Session& session, std::uint64_t number);

  // None of these fails because of a file: the session matters more than its record. That is told, once.
  Task<> open();
  Task<> received(const Chunk& data);
  Task<> sent(std::span<const std::byte> data);
  Task<> finished_sending();
  Task<> close();

 private:
  using Way = HexDump::Way;
  using File = std::shared_ptr<os::FreshFile>;  // a helper that writes into it may outlive the session

  [[nodiscard]] Duration since() const;
  Task<> write(Way way, std::span<const std::byte> data);
  void record_no_further(const Error& error);

  Premises& premises_;
  const Session& session_;
  std::uint64_t number_;
  std::optional<HexDump> dump_;
  File files_[2];
};

// "20261121T185135.123456Z-000012-192.0.2.1.53422": what a session's files are called, less their ends. Nothing in it means
// anything to a shell or to another system's files.
[[nodiscard]] std::string name_of_record(std::chrono::system_clock::time_point begin, std::uint64_t number,
                                         const Address& peer);

}  // namespace meari::command
