// Source and Sink: standard input and output, files, pipes and terminals, with the words of a Stream.
//
//   Source input = Source::standard_input();
//   Sink output = Sink::standard_output();
//   while (Chunk data = co_await input.read())      // an empty Chunk: the end
//     co_await output.write(std::move(data));       // all of it; done when the system has it
//   co_await output.finish();
//
// A loop cannot wait for these: epoll refuses files, and making standard input non-blocking would change the terminal of
// the shell that started us. So each has a helper thread of its own, started when it is first needed: a write to a pipe
// or a terminal with room for it is done on the spot. The thread never waits where it cannot be called back: a Source at
// which nobody types and a Sink that nobody reads end at once when they are told to.
//
// Standard input may be absent, and that is not the same as ended: after `<&-` and under nohup a read fails with closed.
// From /dev/null comes an ordinary end. medium() tells before the first read.
//
// Both are move-only and belong to their loop: use them on its thread only, and let them go before the loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include <meari/activity.hpp>
#include <meari/bytes.hpp>
#include <meari/chunk.hpp>
#include <meari/loop.hpp>
#include <meari/result.hpp>
#include <meari/socket.hpp>
#include <meari/task.hpp>
#include <meari/version.hpp>

namespace meari {
inline namespace v1 {

class SourceState;
class SinkState;

// Who closes a descriptor.
enum class Ownership : std::uint8_t { borrowed, owned };

// What is behind a descriptor. `none`: it is not open in this direction.
enum class Medium : std::uint8_t { none, null_device, file, directory, pipe, socket, terminal, device };

// Standard input, output and error that are closed get a placeholder, which still fails as closed. Otherwise the next
// socket that is opened would get the number, and be taken for standard output. For the first line of main().
MEARI_EXPORT void occupy_standard_descriptors() noexcept;

// ---- what the calls below give; `co_await` it in the same expression

class SourceReadActivity;
class [[nodiscard]] SourceRead {
 public:
  using Activity = SourceReadActivity;
  SourceRead(SourceState* from, std::size_t most) noexcept : state(from), limit(most) {}
  SourceState* state;
  std::size_t limit;
};

class MEARI_EXPORT SourceReadActivity : public Activity {
 public:
  using Value = Chunk;
  explicit SourceReadActivity(SourceRead&& description) noexcept
      : state_(description.state), limit_(description.limit) {}
  bool start(Loop& loop, bool canceled) noexcept;
  Activity* request_cancel(Loop& loop) noexcept override;
  [[nodiscard]] Fate fate() noexcept { return error_ ? Fate::error : Fate::value; }
  Chunk take_value() noexcept { return std::move(chunk_); }
  Error take_error() noexcept;
  std::exception_ptr take_exception() noexcept { return nullptr; }
  const Activity* describe(Dump& dump) const override;

 private:
  friend class SourceState;
  SourceState* state_;
  std::size_t limit_;
  Chunk chunk_;
  Error error_;
};

class SinkWriteActivity;
class [[nodiscard]] SinkWrite {
 public:
  using Activity = SinkWriteActivity;
  SinkWrite(SinkState* to, Chunk&& given) noexcept : state(to), chunk(std::move(given)) {}
  SinkWrite(SinkState* to, Bytes&& given) noexcept
      : state(to), chunk(Chunk::view(given.bytes())), bytes(std::move(given)) {}
  SinkWrite(SinkState* to, bool last) noexcept : state(to), finish(last) {}
  SinkState* state;
  Chunk chunk;
  Bytes bytes;  // keeps what is written
  bool finish = false;
};

class MEARI_EXPORT SinkWriteActivity : public Activity {
 public:
  using Value = void;
  explicit SinkWriteActivity(SinkWrite&& description) noexcept
      : state_(description.state),
        chunk_(std::move(description.chunk)),
        bytes_(std::move(description.bytes)),
        finish_(description.finish) {}
  bool start(Loop& loop, bool canceled) noexcept;
  Activity* request_cancel(Loop& loop) noexcept override;
  [[nodiscard]] Fate fate() noexcept { return error_ ? Fate::error : Fate::value; }
  void take_value() noexcept {}
  Error take_error() noexcept;
  std::exception_ptr take_exception() noexcept { return nullptr; }
  const Activity* describe(Dump& dump) const override;

 private:
  friend class SinkState;
  SinkState* state_;
  SinkWriteActivity* following_ = nullptr;  // in the queue of those that wait, or of those that are over
  Chunk chunk_;
  Bytes bytes_;
  std::size_t written_ = 0;
  bool finish_;
  bool canceled_ = false;
  Error error_;
};

// ---- the two ends

class MEARI_EXPORT Source {
 public:
  static constexpr std::size_t default_line_limit = std::size_t{64} << 10;

  Source() noexcept = default;  // closed
  // On the current loop, or on the one that is named. One at a time: what a Source has read ahead (up to 128 KiB) is gone
  // with it, except from a file, where whoever reads next finds it again.
  static Source standard_input() { return standard_input(*Loop::current()); }
  static Source standard_input(Loop& loop);
  // Any file, pipe, socket or terminal; on Windows a HANDLE. A borrowed one must stay open as long as the Source. Throws
  // std::bad_alloc; an owned one is closed then.
  static Source of(Descriptor descriptor, Ownership ownership = Ownership::borrowed) {
    return of(*Loop::current(), descriptor, ownership);
  }
  static Source of(Loop& loop, Descriptor descriptor, Ownership ownership = Ownership::borrowed);

  Source(Source&& other) noexcept = default;
  Source& operator=(Source&& other) noexcept;
  ~Source() { close(); }

  // At least one byte; an empty Chunk at the end, and again whenever it is asked. Cancelled, it loses no byte: the next
  // read gets what comes meanwhile. Fails with canceled, busy (somebody reads already), closed (there is no input), or as
  // the system says (a directory).
  SourceRead read() noexcept { return SourceRead(state_.get(), std::numeric_limits<std::size_t>::max()); }
  // At most `limit` bytes; at least 1.
  SourceRead read_some(std::size_t limit) noexcept { return SourceRead(state_.get(), limit); }
  // As of a Stream: exactly so many bytes, or unexpected_end; up to and with the delimiter, or what is left at the end, or
  // limit_reached. Whatever fails, nothing is lost.
  [[nodiscard]] Task<Chunk> read_exactly(std::size_t count);
  [[nodiscard]] Task<Chunk> read_until(std::string_view delimiter, std::size_t limit = default_line_limit);
  // Puts bytes back: the next read gives them first.
  void unread(Chunk chunk);
  // Ends a read that waits, as cancelled, and the helper thread.
  void close() noexcept;

  [[nodiscard]] Medium medium() const noexcept;
  [[nodiscard]] bool is_open() const noexcept { return state_ != nullptr; }

 private:
  explicit Source(std::shared_ptr<SourceState> state) noexcept;
  std::shared_ptr<SourceState> state_;
};

class MEARI_EXPORT Sink {
 public:
  Sink() noexcept = default;  // closed
  // As for Source.
  static Sink standard_output() { return standard_output(*Loop::current()); }
  static Sink standard_output(Loop& loop);
  static Sink of(Descriptor descriptor, Ownership ownership = Ownership::borrowed) {
    return of(*Loop::current(), descriptor, ownership);
  }
  static Sink of(Loop& loop, Descriptor descriptor, Ownership ownership = Ownership::borrowed);

  Sink(Sink&& other) noexcept = default;
  Sink& operator=(Sink&& other) noexcept;
  ~Sink() { close(); }

  // Writes all of it. Done means: the system has it, so nothing waits here afterwards. Text and spans are borrowed until
  // then. Several writers queue, each whole and in order; how many there are is up to them.
  // Fails with broken_pipe when nobody reads any more (no SIGPIPE comes), closed, or as the system says (a full disk).
  // After a part of it was written, by a failure or a cancel, every later write fails with write_incomplete.
  SinkWrite write(std::string_view text) noexcept { return write(std::as_bytes(std::span(text.data(), text.size()))); }
  SinkWrite write(std::span<const std::byte> bytes) noexcept { return SinkWrite(state_.get(), Chunk::view(bytes)); }
  SinkWrite write(Chunk chunk) noexcept { return SinkWrite(state_.get(), std::move(chunk)); }
  SinkWrite write(Bytes bytes) noexcept { return SinkWrite(state_.get(), std::move(bytes)); }
  // Waits until everything that was written before is with the system.
  SinkWrite flush() noexcept { return SinkWrite(state_.get(), false); }
  // The end, after all that was written before: whoever reads sees it, also on standard output, which is closed for the
  // whole program. Another borrowed descriptor stays open. Later writes fail with closed.
  SinkWrite finish() noexcept { return SinkWrite(state_.get(), true); }
  // Ends writes that wait, as cancelled, and the helper thread. Does not wait for a reader.
  void close() noexcept;

  [[nodiscard]] Medium medium() const noexcept;
  [[nodiscard]] bool is_open() const noexcept { return state_ != nullptr; }

 private:
  explicit Sink(std::shared_ptr<SinkState> state) noexcept;
  std::shared_ptr<SinkState> state_;
};

}  // namespace v1
}  // namespace meari
