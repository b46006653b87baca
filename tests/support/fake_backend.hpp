// A backend for tests of the loop: virtual time, lines on which a test says what arrives, and cancels that are
// answered as the test wants. Nothing happens by itself, so every order of events can be made.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>

#include <meari/activity.hpp>
#include <meari/backend.hpp>
#include <meari/loop.hpp>

namespace fake {

using namespace meari;

enum class Cancels {
  at_once,      // the completion is there when cancel() returns
  later,        // one second later
  not_in_time,  // one second later, but as a success
};

class Backend final : public meari::Backend {
 public:
  struct Line {
    std::deque<std::string> arrived;
    bool ended = false;
    Errc receive_error = Errc::none;
    Errc send_error = Errc::none;
    bool hold_sends = false;  // sends wait for release_sends()
    std::string sent;
    Receive* receiving = nullptr;
    std::deque<Send*> sending;
    unsigned receives_submitted = 0;
  };

  Cancels cancels = Cancels::at_once;
  unsigned waits = 0;

  // What the test does.
  SlotId line() {
    lines_.emplace_back();
    return {static_cast<std::uint32_t>(lines_.size() - 1), 1};
  }
  Line& operator[](SlotId slot) { return lines_[slot.index]; }
  void feed(SlotId slot, std::string text) {
    (*this)[slot].arrived.push_back(std::move(text));
    deliver(slot);
  }
  void end(SlotId slot) {
    (*this)[slot].ended = true;
    deliver(slot);
  }
  void fail_receive(SlotId slot, Errc code) {
    (*this)[slot].receive_error = code;
    deliver(slot);
  }
  void release_sends(SlotId slot) {
    Line& line = (*this)[slot];
    line.hold_sends = false;
    while (!line.sending.empty()) {
      Send& send = *line.sending.front();
      line.sending.pop_front();
      take(line, send);
      complete(send, line.send_error);
    }
  }
  void at(Time time, std::function<void()> what) { events_.emplace(time, std::move(what)); }
  void in(Duration span, std::function<void()> what) { at(now_ + span, std::move(what)); }

  // Backend
  std::string_view name() const noexcept override { return "fake"; }
  using meari::Backend::submit;
  Submitted submit(Operation& operation) override {
    operation.state = Operation::State::pending;
    Line& line = (*this)[operation.slot];
    if (operation.kind == Operation::Kind::receive) {
      Receive& receive = static_cast<Receive&>(operation);
      ++line.receives_submitted;
      if (line.receiving != nullptr) return complete(receive, Errc::busy), Submitted::pending;
      if (line.receive_error == Errc::none && take(line, receive)) return finished(receive);
      line.receiving = &receive;
      if (line.receive_error != Errc::none) deliver(operation.slot);
      return Submitted::pending;
    }
    Send& send = static_cast<Send&>(operation);
    if (line.hold_sends) {
      line.sending.push_back(&send);
      return Submitted::pending;
    }
    if (line.send_error != Errc::none) return complete(send, line.send_error), Submitted::pending;
    take(line, send);
    return finished(send);
  }
  void cancel(Operation& operation, Errc reason) override {
    MEARI_ASSERT(operation.state == Operation::State::pending);
    if (std::exchange(operation.cancel_requested, true)) return;
    const auto answer = [this, &operation, reason] {
      if (operation.state != Operation::State::pending) return;
      Line& line = (*this)[operation.slot];
      if (operation.kind == Operation::Kind::receive) line.receiving = nullptr;
      else std::erase(line.sending, &static_cast<Send&>(operation));
      complete(operation, reason);
    };
    if (cancels == Cancels::at_once) return answer();
    const SlotId slot = operation.slot;
    if (cancels == Cancels::later) return in(std::chrono::seconds(1), answer);
    in(std::chrono::seconds(1), [this, slot] {
      feed(slot, "late");
      release_sends(slot);
    });
  }
  Time wait(Time until) override {
    pass(until);
    return now_;
  }
  void pass(Time until) {
    ++waits;
    if (!ready().empty() || take_wake()) return;
    const Time next = events_.empty() ? never : events_.begin()->first;
    if (next <= until && next != never) {
      now_ = std::max(now_, next);
      const auto what = std::move(events_.begin()->second);
      events_.erase(events_.begin());
      return what();
    }
    if (until != never) {
      now_ = std::max(now_, until);
      return;
    }
    // Only another thread can help now.
    std::unique_lock lock(mutex_);
    const bool came = woken_.wait_for(lock, std::chrono::seconds(20), [this] { return wake_; });
    if (!came) broken("the fake backend waits for something that never happens");
    wake_ = false;
  }
  void wake() noexcept override {
    {
      const std::lock_guard lock(mutex_);
      wake_ = true;
    }
    woken_.notify_one();
  }
  Time now() const noexcept override { return now_; }

  // Not of use here.
  Result<SlotId> open(const Opening&) override { return Errc::not_supported; }
  Result<SlotId> adopt(Descriptor, Role) override { return Errc::not_supported; }
  Result<Descriptor> release(SlotId) override { return Errc::not_supported; }
  Result<std::pair<SlotId, SlotId>> pair() override { return Errc::not_supported; }
  void close(SlotId, bool) override {}
  SlotFacts facts(SlotId) const override { return {}; }
  SlotPolicy* policy(SlotId) noexcept override { return nullptr; }
  Result<Address> local(SlotId) const override { return Errc::not_supported; }
  Result<Address> peer(SlotId) const override { return Errc::not_supported; }
  Result<SocketInfo> info(SlotId) const override { return Errc::not_supported; }
  void unread(SlotId, Chunk) override {}
  std::size_t slots_in_use() const noexcept override { return lines_.size(); }
  std::size_t bytes_on_loan() const noexcept override { return 0; }

 private:
  bool take_wake() {
    const std::lock_guard lock(mutex_);
    return std::exchange(wake_, false);
  }
  // A success that is there at once.
  static Submitted finished(Operation& operation) {
    operation.state = Operation::State::completed;
    return Submitted::done;
  }
  void complete(Operation& operation, Errc code) {
    MEARI_ASSERT(operation.state == Operation::State::pending);
    operation.state = Operation::State::completed;
    operation.error = code;
    ready().push(operation);
  }
  // The bytes stay with the line for ever, so that taking them allocates nothing.
  bool take(Line& line, Receive& receive) {
    if (!line.arrived.empty()) {
      taken_.splice_front(line.arrived);
      receive.chunk = Chunk::view(std::as_bytes(std::span(taken_.last())));
      return true;
    }
    return line.ended;
  }
  void take(Line& line, Send& send) {
    if (line.send_error == Errc::none) line.sent += send.chunk.text();
  }
  void deliver(SlotId slot) {
    Line& line = (*this)[slot];
    if (line.receiving == nullptr) return;
    Receive& receive = *line.receiving;
    const bool failed = line.receive_error != Errc::none;
    if (!failed && !take(line, receive)) return;
    line.receiving = nullptr;
    complete(receive, line.receive_error);
  }

  // Texts that were handed out; Chunks look at them.
  class Taken {
   public:
    void splice_front(std::deque<std::string>& from) {
      texts_.push_back(std::make_unique<std::string>(std::move(from.front())));
      from.pop_front();
    }
    const std::string& last() const { return *texts_.back(); }

   private:
    std::deque<std::unique_ptr<std::string>> texts_;
  };

  Time now_{};
  std::deque<Line> lines_;
  std::multimap<Time, std::function<void()>> events_;
  Taken taken_;
  std::mutex mutex_;
  std::condition_variable woken_;
  bool wake_ = false;
};

// What a Stream would be: made of the sample in <meari/activity.hpp>.
class Stream {
 public:
  struct [[nodiscard]] Read {
    using Operation = Receive;
    using Value = Chunk;
    using Activity = OperationActivity<Read>;
    explicit Read(SlotId from) : slot(from) {}
    void prepare(Receive& receive) { receive.slot = slot; }
    static Value take(Receive& receive) { return std::move(receive.chunk); }
    static Error fail(Receive& receive) { return receive.error.during("read"); }
    SlotId slot;
  };
  struct [[nodiscard]] Write {
    using Operation = Send;
    using Value = void;
    using Activity = OperationActivity<Write>;
    Write(SlotId to, Chunk given) : slot(to), chunk(std::move(given)) {}
    void prepare(Send& send) {
      send.slot = slot;
      send.chunk = std::move(chunk);
    }
    static void take(Send&) {}
    SlotId slot;
    Chunk chunk;
  };

  explicit Stream(Backend& backend) : backend_(&backend), slot_(backend.line()) {}
  Read read() { return Read(slot_); }
  Write write(Chunk chunk) { return Write(slot_, std::move(chunk)); }
  Write write(std::string_view text) { return Write(slot_, Chunk::view(std::as_bytes(std::span(text)))); }
  Backend::Line& line() { return (*backend_)[slot_]; }
  SlotId slot() const { return slot_; }
  void feed(std::string text) { backend_->feed(slot_, std::move(text)); }
  void end() { backend_->end(slot_); }

 private:
  Backend* backend_;
  SlotId slot_;
};

// A loop on a fake backend. The backend is reachable as long as the loop.
struct World {
  World() : World(LoopOptions{}) {}
  explicit World(LoopOptions options) : World(std::make_unique<Backend>(), std::move(options)) {}
  World(std::unique_ptr<Backend> made, LoopOptions options)
      : backend(*made), loop(std::move(made), std::move(options)) {}
  Backend& backend;
  Loop loop;
};

}  // namespace fake
