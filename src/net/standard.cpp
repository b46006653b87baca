#include <meari/standard.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "src/net/gathering.hpp"
#include "src/net/hand_over.hpp"

namespace meari {
inline namespace v1 {

namespace {

constexpr os::Ownership of(Ownership ownership) noexcept { return static_cast<os::Ownership>(ownership); }
constexpr Medium of(os::Medium medium) noexcept { return static_cast<Medium>(medium); }
static_assert(of(Ownership::owned) == os::Ownership::owned && of(os::Medium::device) == Medium::device);

// What is owned is closed where there is no memory for a Source or Sink that would do it.
template <class State>
std::shared_ptr<State> made(Loop& loop, Descriptor descriptor, os::Direction direction, os::Ownership ownership) {
  std::shared_ptr<State> state;
  const auto make = [&] { state = std::make_shared<State>(loop, descriptor, ownership); };
  if (std::exception_ptr failed = caught(make)) {
    const os::BlockingIo closes_it(descriptor, direction, ownership);
    std::rethrow_exception(std::move(failed));
  }
  return state;
}

// Without an owner, or not fit for any use any more: the outcome of a read or write that was not even begun.
Error refusal(bool open, bool canceled) noexcept {
  if (canceled) return Errc::canceled;
  return open ? Error() : Error(Errc::closed);
}

}  // namespace

void occupy_standard_descriptors() noexcept { os::occupy_standard_descriptors(); }

// ---- Source

// Slabs go round: the thread fills them, the loop gives them to whoever reads, and when the last Chunk in one has gone the
// loop hands it back to the thread. Two are with the thread (one being filled, one full), so that it reads ahead while
// the loop does something else, and a third is in use. Little pieces are copied: who keeps a line does not keep a slab.
class SourceState final : public HandOver {
 public:
  SourceState(Loop& loop, Descriptor descriptor, os::Ownership ownership)
      : HandOver(loop, descriptor, os::Direction::read, ownership) {
    constexpr std::size_t put_back_at_a_time = 4;
    unread_.reserve(put_back_at_a_time);
  }
  ~SourceState() override {
    for (std::size_t i = 0; i != empty_; ++i) release(*empties_[i]);
    for (std::size_t i = 0; i != full_; ++i) release(*fulls_[i].slab);
  }

  bool start_read(SourceReadActivity& reader) noexcept {
    if (stopping_) {
      reader.error_ = Errc::closed;
      return true;
    }
    if (reader_ != nullptr) {
      reader.error_ = Errc::busy;
      return true;
    }
    if (lost_) {
      reader.error_ = lost_;
      return true;
    }
    if (!unread_.empty()) {
      Chunk& first = unread_.back();
      reader.chunk_ = first.split(std::min(first.size(), reader.limit_));
      if (first.empty()) unread_.pop_back();
      return true;
    }
    Error error = prepare();
    std::unique_lock lock(mutex_);
    if (take(reader, lock)) return true;
    if (!error) error = supply();
    if (error) {
      reader.error_ = std::move(error);
      return true;
    }
    reader_ = &reader;
    wanted_ = true;
    lock.unlock();
    error = start();
    if (!error) return false;
    stop_waiting(std::move(error));
    return true;
  }

  // The read that waits ends with `error`, which somebody else is going to tell it.
  void stop_waiting(Error error) noexcept {
    const std::lock_guard lock(mutex_);
    wanted_ = false;
    std::exchange(reader_, nullptr)->error_ = std::move(error);
  }
  [[nodiscard]] bool waits(const SourceReadActivity& reader) const noexcept { return reader_ == &reader; }

  // Where there is no memory for it bytes are lost, so nothing is read after them.
  void unread(Chunk chunk) noexcept {
    if (chunk.empty() || !caught([&] { unread_.push_back(std::move(chunk)); })) return;
    lost_ = Errc::out_of_memory;
  }

  void close() noexcept {
    if (reader_ != nullptr) {
      SourceReadActivity& reader = *reader_;
      stop_waiting(Errc::canceled);
      reader.state_ = nullptr;
      loop_.ready(reader.done());
    }
    if (end()) {
      std::size_t unused = 0;
      for (const Chunk& chunk : unread_) unused += chunk.size();
      for (std::size_t i = 0; i != full_; ++i) unused += fulls_[i].size;
      io_.give_back(unused);
    }
    unread_.clear();
    for (Slab*& slab : out_)
      if (slab != nullptr) release(*std::exchange(slab, nullptr));
  }

 private:
  static constexpr std::size_t slab_bytes = std::size_t{64} << 10;
  static constexpr std::size_t depth = 2;

  static void release(Slab& slab) noexcept { const Chunk last(&slab, slab.memory, 0); }

  void work(std::unique_lock<std::mutex>& lock) override {
    while (!stopping_ && !error_ && !ended_) {
      if (empty_ == 0) {
        changed_.wait(lock);
        continue;
      }
      Slab& slab = *empties_[--empty_];
      ++filling_;
      lock.unlock();
      Result<std::size_t> size = io_.read({slab.memory, slab_bytes});
      lock.lock();
      --filling_;
      if (size && *size != 0) {
        fulls_[full_++] = {&slab, *size};
      } else {
        empties_[empty_++] = &slab;
        if (size) ended_ = true;
        else if (size.error() != Errc::interrupted) error_ = std::move(size).error();
        else continue;
      }
      if (std::exchange(wanted_, false)) tell();
    }
  }

  void news() noexcept override {
    if (reader_ == nullptr) return;
    std::unique_lock lock(mutex_);
    if (!take(*reader_, lock)) {
      wanted_ = true;
      return;
    }
    if (lock.owns_lock()) lock.unlock();
    SourceReadActivity& reader = *std::exchange(reader_, nullptr);
    reader.state_ = nullptr;
    loop_.next(reader.done());
  }

  // With the lock: what there is, if anything.
  bool take(SourceReadActivity& reader, std::unique_lock<std::mutex>& lock) noexcept {
    if (full_ == 0) {
      if (error_) reader.error_ = error_;
      return ended_ || error_;
    }
    const Full first = fulls_[0];
    fulls_[0] = fulls_[1];
    --full_;
    bool copied = false;
    if (first.size * 4 < slab_bytes) {
      Result<Chunk> copy = Chunk::copy_of({first.slab->memory, first.size});
      copied = copy.has_value();
      if (copied) {
        reader.chunk_ = *std::move(copy);
        empties_[empty_++] = first.slab;
      }
    }
    if (!copied) {
      reader.chunk_ = Chunk(first.slab, first.slab->memory, first.size);
      for (Slab*& slab : out_) {
        if (slab != nullptr) continue;
        slab = first.slab;
        ++slab->references;
        break;
      }
    }
    static_cast<void>(supply());
    lock.unlock();
    changed_.notify_one();
    if (reader.limit_ < reader.chunk_.size()) {
      Chunk rest = std::exchange(reader.chunk_, Chunk());
      reader.chunk_ = rest.split(reader.limit_);
      unread(std::move(rest));
    }
    return true;
  }

  // With the lock: gives the thread what it may fill.
  Error supply() noexcept {
    if (ended_ || error_) return {};
    while (empty_ + filling_ + full_ < depth) {
      Slab* slab = nullptr;
      for (Slab*& used : out_) {
        if (used == nullptr || used->references != 1) continue;
        slab = std::exchange(used, nullptr);
        break;
      }
      if (slab == nullptr) slab = allocate_slab(slab_bytes);
      if (slab == nullptr) return empty_ + filling_ + full_ == 0 ? Error(Errc::out_of_memory) : Error();
      empties_[empty_++] = slab;
    }
    changed_.notify_one();
    return {};
  }

  // Of the loop.
  SourceReadActivity* reader_ = nullptr;
  std::vector<Chunk> unread_;   // the last comes first
  Error lost_;                  // what could not be put back
  std::array<Slab*, 2> out_{};  // with whoever reads; a reference is ours
  // Of both, with the lock.
  struct Full {
    Slab* slab;
    std::size_t size;
  };
  std::array<Slab*, depth> empties_{};
  std::array<Full, depth> fulls_{};
  std::size_t empty_ = 0, filling_ = 0, full_ = 0;
  bool wanted_ = false;  // somebody waits for news
  bool ended_ = false;
  Error error_;
};

bool SourceReadActivity::start(Loop&, bool canceled) noexcept {
  error_ = refusal(state_ != nullptr, canceled);
  return error_ ? true : state_->start_read(*this);
}

Activity* SourceReadActivity::request_cancel(Loop& loop) noexcept {
  if (state_ == nullptr || !state_->waits(*this)) return nullptr;
  std::exchange(state_, nullptr)->stop_waiting(Errc::canceled);
  loop.ready(*done_);
  return nullptr;
}

Error SourceReadActivity::take_error() noexcept { return error_.during("read"); }

const Activity* SourceReadActivity::describe(Dump& dump) const {
  dump.line("read of a source");
  return nullptr;
}

Source::Source(std::shared_ptr<SourceState> state) noexcept : state_(std::move(state)) {}

Source Source::standard_input(Loop& loop) { return of(loop, os::standard_descriptor(os::Standard::input)); }

Source Source::of(Loop& loop, Descriptor descriptor, Ownership ownership) {
  return Source(made<SourceState>(loop, descriptor, os::Direction::read, v1::of(ownership)));
}

Source& Source::operator=(Source&& other) noexcept {
  state_.swap(other.state_);
  return *this;
}

namespace {

// Keeps the state, so that a Task in the middle of a line can put it back though the Source has gone.
struct FromSource {
  std::shared_ptr<SourceState> state;
  [[nodiscard]] SourceRead read(std::size_t limit) const noexcept { return SourceRead(state.get(), limit); }
  void unread(Chunk chunk) const { state->unread(std::move(chunk)); }
};

}  // namespace

Task<Chunk> Source::read_exactly(std::size_t count) { return gather_exactly(FromSource{state_}, count); }

Task<Chunk> Source::read_until(std::string_view delimiter, std::size_t limit) {
  return until(FromSource{state_}, delimiter, limit);
}

void Source::unread(Chunk chunk) {
  MEARI_ASSERT(state_ != nullptr);
  state_->unread(std::move(chunk));
}

void Source::close() noexcept {
  if (state_ != nullptr) std::exchange(state_, nullptr)->close();
}

Medium Source::medium() const noexcept { return state_ == nullptr ? Medium::none : v1::of(state_->medium()); }

// ---- Sink

// Writers form a queue, and the thread works on its first. Those that are over form another one until the loop tells them.
class SinkState final : public HandOver {
 public:
  SinkState(Loop& loop, Descriptor descriptor, os::Ownership ownership) noexcept
      : HandOver(loop, descriptor, os::Direction::write, ownership) {}

  bool start_write(SinkWriteActivity& writer) noexcept {
    Error error = prepare();
    std::unique_lock lock(mutex_);
    if (!error && waiting_.empty() && !writer.finish_) {
      // A hand-over costs more than what most writes do, and nobody else writes now.
      if (!verdict_) writer.written_ = write_at_once(writer.chunk_);
      error = verdict_;
      if (writer.written_ == writer.chunk_.size()) {
        writer.error_ = std::move(error);
        return true;
      }
    }
    if (error) {
      writer.error_ = std::move(error);
      return true;
    }
    // What waits behind another writer must not keep the pool from those who receive.
    if (!waiting_.empty() && writer.chunk_.on_loan() && writer.chunk_.size() * 4 < writer.chunk_.pins())
      if (Result<Chunk> copy = Chunk::copy_of(writer.chunk_.bytes())) writer.chunk_ = *std::move(copy);
    waiting_.push(writer);
    lock.unlock();
    changed_.notify_one();
    error = start();
    if (!error) return false;
    lock.lock();
    waiting_.remove(writer);
    if (writer.written_ != 0) verdict_ = Errc::write_incomplete;
    writer.error_ = std::move(error);
    return true;
  }

  void request_cancel(SinkWriteActivity& writer) noexcept {
    {
      const std::lock_guard lock(mutex_);
      if (writer.canceled_ || !waiting_.has(writer)) return;  // it is over, and about to be told
      writer.canceled_ = true;
      if (waiting_.first == &writer) {
        io_.interrupt();  // the thread is to let go of it
        return;
      }
      waiting_.remove(writer);
      writer.error_ = Errc::canceled;
    }
    over(writer);
  }

  void close() noexcept {
    const bool thread_is_over = end();
    // With the thread gone, or called off for ever: nobody else looks at these.
    while (SinkWriteActivity* writer = over_.pop()) over(*writer);
    if (thread_is_over && !waiting_.empty()) waiting_.first->written_ += last_written_;
    while (SinkWriteActivity* writer = waiting_.pop()) {
      if (writer->written_ == 0 || writer->written_ != writer->chunk_.size()) writer->error_ = cut(*writer);
      over(*writer);
    }
  }

 private:
  struct Queue {
    SinkWriteActivity* first = nullptr;
    SinkWriteActivity* last = nullptr;
    [[nodiscard]] bool empty() const noexcept { return first == nullptr; }
    void push(SinkWriteActivity& writer) noexcept {
      writer.following_ = nullptr;
      (last == nullptr ? first : last->following_) = &writer;
      last = &writer;
    }
    SinkWriteActivity* pop() noexcept {
      SinkWriteActivity* writer = first;
      if (writer != nullptr) remove(*writer);
      return writer;
    }
    [[nodiscard]] bool has(const SinkWriteActivity& writer) const noexcept {
      const SinkWriteActivity* at = first;
      while (at != nullptr && at != &writer) at = at->following_;
      return at != nullptr;
    }
    void remove(SinkWriteActivity& writer) noexcept {
      SinkWriteActivity* before = nullptr;
      for (SinkWriteActivity* at = first; at != &writer; at = at->following_) before = at;
      (before == nullptr ? first : before->following_) = writer.following_;
      if (last == &writer) last = before;
    }
  };

  std::size_t write_at_once(const Chunk& chunk) noexcept {
    std::size_t written = 0;
    while (written != chunk.size()) {
      const std::size_t more = io_.write_at_once(chunk.bytes().subspan(written));
      written += more;
      if (more == 0) break;
    }
    return written;
  }
  static Error cut(const SinkWriteActivity& writer) noexcept {
    return writer.written_ == 0 ? Errc::canceled : Errc::write_incomplete;
  }
  void over(SinkWriteActivity& writer) noexcept {
    writer.state_ = nullptr;
    loop_.ready(writer.done());
  }

  void work(std::unique_lock<std::mutex>& lock) override {
    while (!stopping_) {
      if (waiting_.empty()) {
        changed_.wait(lock);
        continue;
      }
      SinkWriteActivity& writer = *waiting_.first;
      write_all(writer, lock);
      if (stopping_) return;  // the writer may have gone
      if (!verdict_ && writer.written_ != 0 && writer.error_) verdict_ = Errc::write_incomplete;
      waiting_.remove(writer);
      over_.push(writer);
      tell();
    }
  }

  void write_all(SinkWriteActivity& writer, std::unique_lock<std::mutex>& lock) noexcept {
    if (verdict_) {
      writer.error_ = verdict_;
    } else if (writer.canceled_) {
      writer.error_ = cut(writer);  // some may have been written at once
    } else if (writer.finish_) {
      verdict_ = Errc::closed;
      lock.unlock();
      Error error = io_.finish();
      lock.lock();
      if (!stopping_) writer.error_ = std::move(error);
      return;
    }
    while (!writer.error_ && writer.written_ != writer.chunk_.size()) {
      if (writer.canceled_) {
        writer.error_ = cut(writer);
        return;
      }
      const std::span<const std::byte> rest = std::as_const(writer.chunk_).bytes().subspan(writer.written_);
      lock.unlock();
      Result<std::size_t> size = io_.write(rest);
      lock.lock();
      if (stopping_) {  // the writer may have gone
        if (size) last_written_ = *size;
        return;
      }
      if (size) writer.written_ += *size;
      else if (size.error() != Errc::interrupted) writer.error_ = std::move(size).error();
    }
  }

  void news() noexcept override {
    Queue told;
    {
      const std::lock_guard lock(mutex_);
      told = std::exchange(over_, Queue());
    }
    while (SinkWriteActivity* writer = told.pop()) over(*writer);
  }

  Queue waiting_;
  Queue over_;
  std::size_t last_written_ = 0;  // of the first that waits, while the Sink closed
  Error verdict_;                 // what every later write fails with
};

bool SinkWriteActivity::start(Loop&, bool canceled) noexcept {
  error_ = refusal(state_ != nullptr, canceled);
  return error_ ? true : state_->start_write(*this);
}

Activity* SinkWriteActivity::request_cancel(Loop&) noexcept {
  if (state_ != nullptr) state_->request_cancel(*this);
  return nullptr;
}

Error SinkWriteActivity::take_error() noexcept { return error_.during(finish_ ? "finish" : "write"); }

const Activity* SinkWriteActivity::describe(Dump& dump) const {
  dump.line(finish_ ? "finish of a sink" : "write to a sink");
  return nullptr;
}

Sink::Sink(std::shared_ptr<SinkState> state) noexcept : state_(std::move(state)) {}

Sink Sink::standard_output(Loop& loop) { return of(loop, os::standard_descriptor(os::Standard::output)); }

Sink Sink::of(Loop& loop, Descriptor descriptor, Ownership ownership) {
  return Sink(made<SinkState>(loop, descriptor, os::Direction::write, v1::of(ownership)));
}

Sink& Sink::operator=(Sink&& other) noexcept {
  state_.swap(other.state_);
  return *this;
}

void Sink::close() noexcept {
  if (state_ != nullptr) std::exchange(state_, nullptr)->close();
}

Medium Sink::medium() const noexcept { return state_ == nullptr ? Medium::none : v1::of(state_->medium()); }

}  // namespace v1
}  // namespace meari
