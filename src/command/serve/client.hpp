// Client: the connection that a handler serves, no faster than --limit-rate in either direction, and seen by a Tap where
// there is one. The words are Stream's.
//
//   Client client(std::move(peer), settings.limit_rate, &slowdown);
//   while (Chunk data = co_await client.read()) co_await client.write(std::move(data));
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include <meari/pace.hpp>
#include <meari/stream.hpp>
#include <meari/task.hpp>

#include "slowdown.hpp"
#include "tap.hpp"

namespace meari::command {

class Client {
 public:
  // 0: as fast as it goes, and nobody is told. Both that are pointed to outlive it.
  Client(Stream stream, std::uint64_t bytes_per_second, Slowdown* slowdown, Tap* tap = nullptr)
      : stream_(std::move(stream)), in_(bytes_per_second), out_(bytes_per_second), slowdown_(slowdown), tap_(tap) {}

  // What comes is given at once, and the next read waits until it is paid for; so does the peer, who is not read meanwhile.
  Task<Chunk> read() {
    if (in_.limited()) co_await in_time(HexDump::Way::in, next_read_);
    Chunk data = co_await stream_.read_some(in_.piece());
    const bool news = has_come(data);
    if (tap_ != nullptr && news) co_await tap_->received(data);
    co_return data;
  }
  Task<Chunk> read_until(std::string_view delimiter, std::size_t limit) {
    if (in_.limited()) co_await in_time(HexDump::Way::in, next_read_);
    Chunk line = co_await stream_.read_until(delimiter, limit);
    const bool news = has_come(line);
    if (tap_ != nullptr && news) co_await tap_->received(line);
    co_return line;
  }
  // All of it, piece by piece.
  Task<> write(Chunk data) {
    while (out_.limited() && data.size() > out_.piece()) {
      Chunk front = data.split(out_.piece());
      co_await write_piece(std::move(front));
    }
    co_await write_piece(std::move(data));
  }
  // Borrowed until it is done.
  Task<> write(std::string_view text) { return write(Chunk::view(std::as_bytes(std::span(text.data(), text.size())))); }
  Task<> write(Bytes bytes) { co_await write(Chunk::view(bytes.bytes())); }
  Task<> finish() {
    co_await stream_.finish();
    if (tap_ != nullptr && !std::exchange(finished_, true)) co_await tap_->finished_sending();
  }
  void abort() noexcept { stream_.abort(); }
  [[nodiscard]] Result<Address> local() const { return stream_.local(); }

  // How much to have ready for write() at a time.
  [[nodiscard]] std::size_t piece() const noexcept { return out_.piece(); }
  [[nodiscard]] Stream& stream() noexcept { return stream_; }
  // The peer has finished, and a handler has read it.
  [[nodiscard]] bool at_end() const noexcept { return at_end_; }

 private:
  Sleep in_time(HexDump::Way way, Time due) {
    const Time now = Loop::current()->now();
    if (slowdown_ != nullptr && due > now) slowdown_->waits(way, now, due);
    return sleep_until(due);
  }
  // False: the end, again.
  bool has_come(const Chunk& data) noexcept {
    if (in_.limited()) next_read_ = in_.due(Loop::current()->now(), data.size());
    return !data.empty() || !std::exchange(at_end_, true);
  }
  Task<> write_piece(Chunk data) {
    if (out_.limited()) co_await in_time(HexDump::Way::out, out_.due(Loop::current()->now(), data.size()));
    if (tap_ != nullptr) co_await tap_->sent(data.bytes());
    co_await stream_.write(std::move(data));
  }

  Stream stream_;
  Pace in_;
  Pace out_;
  Slowdown* slowdown_;
  Tap* tap_;
  Time next_read_{};
  bool at_end_ = false;
  bool finished_ = false;
};

}  // namespace meari::command
