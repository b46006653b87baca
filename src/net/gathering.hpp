// Reading more than a piece: what read_exactly() and read_until() are, of a Stream and of a Source.
//
// From is where pieces come from: read(limit) gives what to await, unread(chunk) puts bytes back in front.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include <meari/chunk.hpp>
#include <meari/scope.hpp>
#include <meari/task.hpp>

namespace meari {
inline namespace v1 {

// Pieces that become one. Whatever is in it when it is destroyed goes back to where it came from, so that a Task that
// fails in the middle of a message loses nothing.
template <class From>
class Gathering {
 public:
  explicit Gathering(From from) noexcept : from_(std::move(from)) {}
  Gathering(const Gathering&) = delete;
  Gathering& operator=(const Gathering&) = delete;
  ~Gathering() {
    if (!chunk_.empty()) from_.unread(std::move(chunk_));
  }

  [[nodiscard]] auto read(std::size_t limit) noexcept { return from_.read(limit); }
  [[nodiscard]] std::size_t size() const noexcept { return chunk_.size(); }
  [[nodiscard]] std::string_view text() const noexcept { return chunk_.text(); }
  [[nodiscard]] Chunk take(std::size_t count) noexcept { return chunk_.split(count); }
  [[nodiscard]] Chunk take_all() noexcept { return std::exchange(chunk_, Chunk()); }

  // Adds a piece. `most`: how much there can ever be. On failure the piece is put back as well.
  [[nodiscard]] Error add(Chunk piece, std::size_t most) {
    if (chunk_.empty()) {
      chunk_ = std::move(piece);
      return {};
    }
    if (chunk_.join(piece)) return {};
    if (Error error = make_room(piece.size(), most)) {
      from_.unread(std::move(piece));
      return error;
    }
    std::memcpy(chunk_.data() + chunk_.size(), piece.data(), piece.size());
    chunk_ = own(chunk_.size() + piece.size());
    return {};
  }

  // Waiting for more: what is here must not keep the pool from others.
  void settle() noexcept {
    if (chunk_.on_loan() && chunk_.size() * 4 < chunk_.pins()) static_cast<void>(make_room(0, chunk_.size()));
  }

 private:
  // The bytes stand in memory of our own, with room for `more` behind them.
  Error make_room(std::size_t more, std::size_t most) {
    const std::size_t needed = chunk_.size() + more;
    if (slab_ != nullptr && !chunk_.on_loan() && chunk_.data() + needed <= slab_->memory + slab_->capacity) return {};
    Slab* slab = allocate_slab(std::min(std::max(needed * 2, std::size_t{256}), std::max(most, needed)));
    if (slab == nullptr) return Errc::out_of_memory;
    if (!chunk_.empty()) std::memcpy(slab->memory, chunk_.data(), chunk_.size());
    chunk_ = Chunk(slab, slab->memory, chunk_.size());
    slab_ = slab;
    return {};
  }
  Chunk own(std::size_t size) noexcept {
    ++slab_->references;
    return Chunk(slab_, slab_->memory, size);
  }

  From from_;
  Chunk chunk_;
  Slab* slab_ = nullptr;  // of chunk_, once it is our own
};

template <class From>
Task<Chunk> gather_exactly(From from, std::size_t count) {
  Gathering<From> message(std::move(from));
  while (message.size() < count) {
    message.settle();
    Chunk piece = co_await message.read(count - message.size());
    if (piece.empty()) co_return fail(Errc::unexpected_end, "read");
    Error error = message.add(std::move(piece), count);
    if (error) co_return std::move(error);
  }
  co_return message.take_all();
}

template <class From>
Task<Chunk> gather_until(From from, std::string delimiter, std::size_t limit) {
  Gathering<From> line(std::move(from));
  const std::size_t most =
      std::min(limit, std::numeric_limits<std::size_t>::max() - delimiter.size()) + delimiter.size();
  std::size_t searched = 0;
  for (;;) {
    line.settle();
    Chunk piece = co_await line.read(most - line.size());
    if (piece.empty()) co_return line.take_all();
    Error error = line.add(std::move(piece), most);
    if (error) co_return std::move(error);
    const std::size_t at = line.text().find(delimiter, searched);
    if (at != std::string_view::npos) co_return line.take(at + delimiter.size());
    if (line.size() >= limit) co_return fail(Errc::limit_reached, "read a line");
    searched = line.size() - std::min(line.size(), delimiter.size() - 1);
  }
}

// read_until(). Without memory for a long delimiter it is an empty Task, which fails with out_of_memory.
template <class From>
Task<Chunk> until(From from, std::string_view delimiter, std::size_t limit) {
  MEARI_ASSERT(!delimiter.empty());
  Task<Chunk> reading;
  static_cast<void>(caught([&] { reading = gather_until(std::move(from), std::string(delimiter), limit); }));
  return reading;
}

}  // namespace v1
}  // namespace meari
