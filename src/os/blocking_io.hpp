// BlockingIo: one direction of a descriptor that no loop can wait for, used by a thread that can be called back.
//
//   os::BlockingIo input(descriptor, os::Direction::read, os::Ownership::borrowed);
//   helper thread:  input.enter();  for (;;) … = input.read(buffer);
//   elsewhere:      input.interrupt();                   // read() returns Errc::interrupted
//
// Why not simply make it non-blocking: O_NONBLOCK belongs to the open file, which standard input and output share with
// the shell and with whatever else was started there. They would find their terminal changed, and stay with it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include <meari/result.hpp>
#include <meari/socket.hpp>

#include "terminal.hpp"

namespace meari::os {

enum class Direction : std::uint8_t { read, write };
enum class Ownership : std::uint8_t { borrowed, owned };
// What is behind a descriptor. `none`: it is not open in this direction.
enum class Medium : std::uint8_t { none, null_device, file, directory, pipe, socket, terminal, device };

[[nodiscard]] Descriptor standard_descriptor(Standard stream) noexcept;
[[nodiscard]] Medium medium_of(Descriptor descriptor, Direction direction) noexcept;
// Puts something into the place of each standard descriptor that is closed, so that no socket gets its number; it still
// fails as a closed one does. Said once, before anything is opened.
void occupy_standard_descriptors() noexcept;

class BlockingIo {
 public:
  BlockingIo(Descriptor descriptor, Direction direction, Ownership ownership) noexcept;
  BlockingIo(const BlockingIo&) = delete;
  BlockingIo& operator=(const BlockingIo&) = delete;
  ~BlockingIo();  // closes what is owned

  // Before the thread starts.
  [[nodiscard]] Error prepare() noexcept;

  // On the helper thread. enter() comes first: signals that end or interrupt programs go to other threads.
  void enter() noexcept;
  // At least one byte; 0 at the end. Fails with interrupted, or as the system says.
  Result<std::size_t> read(std::span<std::byte> buffer) noexcept;
  // At least one byte of at least one. After interrupted nothing was written.
  Result<std::size_t> write(std::span<const std::byte> bytes) noexcept;
  // No more of this: what is owned is closed; standard output makes place for the null device, so that who reads from it
  // sees the end. Fails as close(2) does: some systems tell of a full disk only then.
  Error finish() noexcept;

  // On any thread, while no other writes: as much as can be written without waiting at all, and without a signal. 0 where
  // that is nothing, or not known, or a failure: then write() will tell.
  [[nodiscard]] std::size_t write_at_once(std::span<const std::byte> bytes) noexcept;

  // From any thread: the call that waits, or else the next one, fails with interrupted.
  void interrupt() noexcept;

  // Not while the thread runs: the last `count` bytes of a file were not used, and somebody else may read them.
  void give_back(std::size_t count) noexcept;

  [[nodiscard]] Medium medium() const noexcept { return medium_; }

 private:
  // How to call without being held up.
  enum class Way : std::uint8_t {
    at_once,          // files: they are always ready, and only the disk takes its time
    nowait,           // pipes, sockets, most devices: RWF_NOWAIT, which is O_NONBLOCK for a single call
    private_opening,  // terminals: opened once more for ourselves, non-blocking
    careful,          // none of these can be had: look first, then take or give a little
  };
  Result<std::size_t> read_console(std::span<std::byte> buffer) noexcept;
  Error wait() noexcept;                              // until it is ready, or interrupted
  Error disappointed(int& times, int code) noexcept;  // a call has failed with `code`; empty: try again
  bool open_privately() noexcept;
  Error let_go() noexcept;  // closes what is ours

  Descriptor descriptor_;
  Descriptor private_ = no_descriptor;
  std::atomic<Descriptor> wake_ = no_descriptor;  // POSIX: an eventfd. Windows: a HANDLE of the helper thread
  std::atomic<bool> interrupted_ = false;
  char16_t half_ = 0;  // Windows, consoles: what belongs to the next character
  const Direction direction_;
  const Ownership ownership_;
  const Medium medium_;
  Way way_ = Way::at_once;
};

}  // namespace meari::os
