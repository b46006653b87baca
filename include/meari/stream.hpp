// Stream: one connection, from either end. TCP, Unix-domain, simulated: the same class, because what it runs over is
// a matter of data, not of types.
//
//   Task<> echo(Stream peer) {
//     while (Chunk data = co_await peer.read())      // an empty Chunk: the peer has finished sending
//       co_await peer.write(std::move(data));        // all of it; the very same memory goes out
//   }                                                // the Stream closes itself: finish, drain a little, close
//
// Not reading is the backpressure: at most 64 KiB wait here, then the peer has to. A Stream is two words, move-only,
// and belongs to its Loop: use it on that thread only, and let it go before the Loop.
//
// One read and one write may overlap. A second read fails with busy; several writers queue and go out in order.
// A cancelled read loses no byte. A cancelled write leaves the Stream whole when nothing of it had left; else this
// direction is broken, as it is after a write that stalled, and every later write fails with write_incomplete.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include <meari/bytes.hpp>
#include <meari/chunk.hpp>
#include <meari/deadline.hpp>
#include <meari/loop.hpp>
#include <meari/task.hpp>
#include <meari/version.hpp>

namespace meari {
inline namespace v1 {

// ---- what the calls below give; `co_await` it in the same expression

class [[nodiscard]] Read {
 public:
  using Operation = Receive;
  using Value = Chunk;
  using Activity = OperationActivity<Read>;
  static constexpr bool takes_turns = true;  // after much that was received at once, others come first
  Read(SlotId slot, std::size_t limit) noexcept : slot_(slot), limit_(limit) { MEARI_ASSERT(limit > 0); }
  void prepare(Receive& receive) noexcept {
    receive.slot = slot_;
    receive.limit = limit_;
  }
  static Chunk take(Receive& receive) {
    if (Loop::any_observed()) [[unlikely]]
      report(receive);
    return std::move(receive.chunk);
  }
  MEARI_EXPORT static Error fail(Receive& receive);

 private:
  MEARI_EXPORT static void report(const Receive& receive);
  SlotId slot_;
  std::size_t limit_;
};

template <class Description>
class WriteActivity;

class [[nodiscard]] Write {
 public:
  using Operation = Send;
  using Value = void;
  using Activity = WriteActivity<Write>;
  Write(SlotId slot, Chunk&& chunk) noexcept : slot_(slot), chunk_(std::move(chunk)) {}
  void prepare(Send& send) noexcept {
    send.slot = slot_;
    send.chunk = std::move(chunk_);
  }
  static void take(Send& send) {
    if (Loop::any_observed()) [[unlikely]]
      report(send);
  }
  MEARI_EXPORT static Error fail(Send& send);

 private:
  MEARI_EXPORT static void report(const Send& send);
  SlotId slot_;
  Chunk chunk_;
};

class [[nodiscard]] WriteBytes {
 public:
  struct Operation : Send {
    Bytes bytes;  // keeps what is sent
  };
  using Value = void;
  using Activity = WriteActivity<WriteBytes>;
  WriteBytes(SlotId slot, Bytes&& bytes) noexcept : slot_(slot), bytes_(std::move(bytes)) {}
  void prepare(Operation& send) noexcept {
    send.slot = slot_;
    send.bytes = std::move(bytes_);
    send.chunk = Chunk::view(send.bytes.bytes());
  }
  static void take(Operation& send) { Write::take(send); }
  static Error fail(Operation& send) { return Write::fail(send); }

 private:
  SlotId slot_;
  Bytes bytes_;
};

class [[nodiscard]] WritePieces {
 public:
  using Operation = SendPieces;
  using Value = void;
  using Activity = WriteActivity<WritePieces>;
  WritePieces(SlotId slot, std::span<const std::span<const std::byte>> pieces) noexcept
      : slot_(slot), pieces_(pieces) {}
  void prepare(SendPieces& send) noexcept {
    send.slot = slot_;
    send.carry(pieces_);
  }
  static void take(Send& send) { Write::take(send); }
  static Error fail(Send& send) { return Write::fail(send); }

 private:
  SlotId slot_;
  std::span<const std::span<const std::byte>> pieces_;
};

class [[nodiscard]] FinishSending {
 public:
  using Operation = Finish;
  using Value = void;
  using Activity = WriteActivity<FinishSending>;
  explicit FinishSending(SlotId slot) noexcept : slot_(slot) {}
  void prepare(Finish& finish) noexcept { finish.slot = slot_; }
  MEARI_EXPORT static void take(Finish& finish);
  static Error fail(Finish& finish) { return Write::fail(finish); }

 private:
  SlotId slot_;
};

// A write that has to wait starts the clock of the stall timeout.
MEARI_EXPORT void watch_stall(Loop& loop, SlotId slot) noexcept;
// What Stream::set_timeouts() does, for a slot.
MEARI_EXPORT bool set_timeouts(Loop& loop, SlotId slot, Timeouts timeouts) noexcept;
template <class Description>
class WriteActivity : public OperationActivity<Description> {
 public:
  explicit WriteActivity(Description&& description) noexcept : OperationActivity<Description>(std::move(description)) {}
  [[gnu::always_inline]] bool start(Loop& loop, bool canceled) noexcept {
    const Submitted submitted = this->begin(loop, canceled);
    if (submitted == Submitted::unwatched) [[unlikely]]
      watch_stall(loop, this->slot());
    return submitted == Submitted::done;
  }
};

// ---- the stream

class MEARI_EXPORT Stream {
 public:
  static constexpr std::size_t default_line_limit = std::size_t{64} << 10;

  Stream() noexcept = default;  // closed
  // Takes over a slot of the loop's backend.
  Stream(Loop& loop, SlotId slot) noexcept : loop_(&loop), slot_(slot) {}
  Stream(Stream&& other) noexcept
      : loop_(std::exchange(other.loop_, nullptr)), slot_(std::exchange(other.slot_, SlotId{})) {}
  Stream& operator=(Stream&& other) noexcept {
    std::swap(loop_, other.loop_);
    std::swap(slot_, other.slot_);
    return *this;
  }
  ~Stream() {
    if (loop_ != nullptr) close();
  }

  // Reads at least one byte: an ordered piece of what the peer sent, on loan from the loop's pool.
  // An empty Chunk means that the peer has finished sending; that is not an error, and later reads say so again.
  // Fails with timed_out (idle), canceled, connection_reset, busy, or out_of_memory: then nothing is lost, and the next
  // read tries again.
  Read read() noexcept { return Read(slot_, std::numeric_limits<std::size_t>::max()); }
  // At most `limit` bytes; at least 1.
  Read read_some(std::size_t limit) noexcept { return Read(slot_, limit); }
  // By then, or timed_out; nothing is lost.
  auto read(Deadline deadline) noexcept { return with_deadline(deadline, read()); }
  // Exactly `count` bytes in one piece; unexpected_end when the peer finishes before. What had come by then, or until
  // a cancel or a timeout, stays with the Stream and is read again. Memory grows with what comes, not with `count`.
  [[nodiscard]] Task<Chunk> read_exactly(std::size_t count);
  // Up to and with the delimiter; at the end of the stream what is left without one, and then an empty Chunk.
  // Fails with limit_reached when `limit` bytes hold no delimiter. Nothing is lost then, as above.
  //   while (Chunk line = co_await peer.read_until("\n"))
  [[nodiscard]] Task<Chunk> read_until(std::string_view delimiter, std::size_t limit = default_line_limit);

  // Writes all of it. Done means: the kernel has it. Text and spans are borrowed until then; a Chunk is moved on
  // without a copy. Fails with broken_pipe or connection_reset when the peer has gone, timed_out (stalled), canceled,
  // write_incomplete.
  Write write(std::string_view text) noexcept { return write(std::as_bytes(std::span(text.data(), text.size()))); }
  Write write(std::span<const std::byte> bytes) noexcept { return Write(slot_, Chunk::view(bytes)); }
  Write write(Chunk chunk) noexcept { return Write(slot_, std::move(chunk)); }
  WriteBytes write(Bytes bytes) noexcept { return WriteBytes(slot_, std::move(bytes)); }
  // Several pieces as one, in order. The array of spans is borrowed as well.
  WritePieces write(std::span<const std::span<const std::byte>> pieces) noexcept { return WritePieces(slot_, pieces); }

  // "I have finished sending" (FIN), after all that was written before. Reading goes on.
  FinishSending finish() noexcept { return FinishSending(slot_); }
  // Lets go, as the destructor does: what was written is sent, then our FIN; what the peer still sends is drained, up
  // to 64 KiB or 2 s, so that no RST destroys the last reply. After a failure as abort(). Does not wait.
  void close() noexcept;
  // Ends it at once, with RST: the peer sees connection_reset.
  void abort() noexcept;

  // Puts bytes back: the next read gives them first. Without memory for it every later read fails with out_of_memory.
  void unread(Chunk chunk) {
    if (loop_ != nullptr) loop_->backend().unread(slot_, std::move(chunk));
  }
  // Server sessions begin with idle 5 min and stall 30 s; others without. Zero: never. False: there is no memory to keep
  // them, and so there are none; only the first call asks for some.
  bool set_timeouts(Timeouts timeouts) noexcept {
    return loop_ == nullptr || v1::set_timeouts(*loop_, slot_, timeouts);
  }

  [[nodiscard]] Result<Address> local() const;
  [[nodiscard]] Result<Address> peer() const;
  [[nodiscard]] Result<SocketInfo> info() const;  // asks the system: TCP_INFO and the queues
  [[nodiscard]] SlotFacts facts() const;          // asks the backend: bytes in and out, what waits
  [[nodiscard]] bool is_open() const noexcept { return loop_ != nullptr; }
  [[nodiscard]] Loop* loop() const noexcept { return loop_; }
  [[nodiscard]] SlotId slot() const noexcept { return slot_; }

  // A connected stream socket that somebody else opened. On failure it stays with the caller.
  static Result<Stream> adopt(Descriptor descriptor);
  static Result<Stream> adopt(Loop& loop, Descriptor descriptor);
  // Gives the descriptor away, in blocking mode. Fails with busy while something waits or is unread.
  [[nodiscard]] Result<Descriptor> release();
  // Two ends of one conversation, inside this process.
  static Result<std::pair<Stream, Stream>> pair();
  static Result<std::pair<Stream, Stream>> pair(Loop& loop);

 private:
  Loop* loop_ = nullptr;
  SlotId slot_;
};
static_assert(sizeof(Stream) == 16);

}  // namespace v1
}  // namespace meari
