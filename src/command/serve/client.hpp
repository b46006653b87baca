// Client: the connection that a handler serves, no faster than --limit-rate in either direction. The words are Stream's.
//
//   Client client(std::move(peer), settings.limit_rate);
//   while (Chunk data = co_await client.read()) co_await client.write(std::move(data));
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include <meari/pace.hpp>
#include <meari/stream.hpp>
#include <meari/task.hpp>

namespace meari::command {

class Client {
 public:
  // 0: as fast as it goes.
  Client(Stream stream, std::uint64_t bytes_per_second)
      : stream_(std::move(stream)), in_(bytes_per_second), out_(bytes_per_second) {}

  // What comes is given at once, and the next read waits until it is paid for; so does the peer, who is not read meanwhile.
  Task<Chunk> read() {
    if (in_.limited()) co_await sleep_until(next_read_);
    Chunk data = co_await stream_.read_some(in_.piece());
    paid(data.size());
    co_return data;
  }
  Task<Chunk> read_until(std::string_view delimiter, std::size_t limit) {
    if (in_.limited()) co_await sleep_until(next_read_);
    Chunk line = co_await stream_.read_until(delimiter, limit);
    paid(line.size());
    co_return line;
  }
  // All of it, piece by piece.
  Task<> write(Chunk data) {
    while (out_.limited() && data.size() > out_.piece()) {
      Chunk front = data.split(out_.piece());
      co_await out_.spend(front.size());
      co_await stream_.write(std::move(front));
    }
    if (out_.limited()) co_await out_.spend(data.size());
    co_await stream_.write(std::move(data));
  }
  // Borrowed until it is done.
  Task<> write(std::string_view text) { return write(Chunk::view(std::as_bytes(std::span(text.data(), text.size())))); }
  Task<> write(Bytes bytes) { co_await write(Chunk::view(bytes.bytes())); }
  FinishSending finish() noexcept { return stream_.finish(); }
  void abort() noexcept { stream_.abort(); }

  // How much to have ready for write() at a time.
  [[nodiscard]] std::size_t piece() const noexcept { return out_.piece(); }
  [[nodiscard]] Stream& stream() noexcept { return stream_; }

 private:
  void paid(std::size_t bytes) noexcept {
    if (in_.limited()) next_read_ = in_.due(Loop::current()->now(), bytes);
  }

  Stream stream_;
  Pace in_;
  Pace out_;
  Time next_read_{};
};

}  // namespace meari::command
