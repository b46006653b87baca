// Channel: a queue with a limit between Tasks. They may be on different loops and threads.
//
//   Channel<Bytes> lines({.capacity = 64, .when_full = WhenFull::drop_oldest});
//   lines.try_send(line);                                          // never waits
//   while (std::optional<Bytes> line = co_await lines.receive())   // empty: closed, and nothing is left
//     co_await peer.write(*line);
//
// Each value goes to one receiver, in the order of sending. The limit is a promise about memory, so somebody has to
// decide what happens when it is reached: see WhenFull. A Channel must outlive the Tasks that wait for it. All its memory
// is taken by the constructor, which throws std::bad_alloc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include <meari/activity.hpp>
#include <meari/loop.hpp>
#include <meari/result.hpp>
#include <meari/version.hpp>

namespace meari {
inline namespace v1 {

enum class WhenFull : std::uint8_t {
  wait,         // send() waits; try_send() fails with limit_reached
  drop_oldest,  // the oldest value makes room; dropped() counts
  refuse,       // send() fails with limit_reached
  close,        // so it does, and the channel is closed: whoever cannot keep up is cut off
};

struct ChannelOptions {
  std::size_t capacity = 16;  // values; at least 1
  WhenFull when_full = WhenFull::wait;
};

// Somebody who waits at a Channel. It is told on its own loop's thread.
struct MEARI_EXPORT ChannelWaiter : Posted {
  Loop* loop = nullptr;
  Error error;
  bool waiting = false;
  void tell_its_loop() noexcept;
};

template <class T>
class Channel {
  static_assert(std::is_nothrow_move_constructible_v<T>,
                "a value must not get lost on its way: its move may not throw");

 public:
  explicit Channel(ChannelOptions options = {})
      : options_(options), places_(std::make_unique<std::optional<T>[]>(options.capacity)) {
    MEARI_ASSERT(options.capacity != 0);
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel() {
    if (!senders_.empty() || !receivers_.empty()) broken("a Channel was destroyed while a Task waits for it");
  }

  class SendActivity;
  class ReceiveActivity;
  class [[nodiscard]] Send {
   public:
    using Activity = SendActivity;
    Send(Channel& to, T&& given) noexcept : channel(&to), value(std::move(given)) {}
    Channel* channel;
    T value;
  };
  class [[nodiscard]] Receive {
   public:
    using Activity = ReceiveActivity;
    explicit Receive(Channel& from) noexcept : channel(&from) {}
    Channel* channel;
  };

  // Fails with closed; with limit_reached, see WhenFull; when cancelled the value was not sent, and is destroyed.
  Send send(T value) noexcept { return Send(*this, std::move(value)); }
  // The next value; an empty optional when the channel is closed and empty: an ordinary end. Fails with canceled only,
  // and then no value is lost.
  Receive receive() noexcept { return Receive(*this); }

  // From any thread. On failure `value` is still there.
  Result<> try_send(T&& value) noexcept {
    const std::lock_guard lock(mutex_);
    const Errc code = put(value);
    if (code == Errc::would_block) return Errc::limit_reached;
    return code;
  }
  Result<> try_send(const T& value) {
    T copy(value);
    return try_send(std::move(copy));
  }
  std::optional<T> try_receive() noexcept {
    const std::lock_guard lock(mutex_);
    return get();
  }
  // No more values. What is in the channel can still be received; senders that wait fail with closed.
  void close() noexcept {
    const std::lock_guard lock(mutex_);
    close_locked();
  }

  [[nodiscard]] bool closed() const noexcept {
    const std::lock_guard lock(mutex_);
    return closed_;
  }
  [[nodiscard]] std::size_t size() const noexcept {
    const std::lock_guard lock(mutex_);
    return size_;
  }
  [[nodiscard]] std::uint64_t dropped() const noexcept {
    const std::lock_guard lock(mutex_);
    return dropped_;
  }

  // What send() and receive() have in common while they wait.
  template <class Self, class V>
  class Waiting : public Activity, protected ChannelWaiter {
   public:
    using Value = V;
    bool start(Loop& its_loop, bool canceled) noexcept {
      this->loop = &its_loop;
      this->run = [](Ready& ready) { static_cast<Waiting&>(static_cast<ChannelWaiter&>(ready)).finish(); };
      if (canceled) {
        this->error = Errc::canceled;
      } else {
        const std::lock_guard lock(channel_->mutex_);
        if (static_cast<Self&>(*this).try_now()) return true;
        if (!this->error) return this->waiting = true, static_cast<Self&>(*this).line_up(), false;
      }
      its_loop.ready(*this);
      return false;
    }
    Activity* request_cancel(Loop& its_loop) noexcept override {
      const std::lock_guard lock(channel_->mutex_);
      if (!this->waiting) return nullptr;  // a success, or an end, is on its way
      this->waiting = false;
      static_cast<Self&>(*this).step_out();
      this->error = Errc::canceled;
      its_loop.ready(*this);
      return nullptr;
    }
    [[nodiscard]] Fate fate() noexcept { return this->error ? Fate::error : Fate::value; }
    Error take_error() noexcept { return std::move(this->error); }
    std::exception_ptr take_exception() noexcept { return nullptr; }

   protected:
    explicit Waiting(Channel& channel) noexcept : channel_(&channel) {}
    friend class Channel;
    Channel* channel_;
  };

  class SendActivity : public Waiting<SendActivity, void> {
   public:
    explicit SendActivity(Send&& description) noexcept
        : Waiting<SendActivity, void>(*description.channel), value_(std::move(description.value)) {}
    void take_value() noexcept {}
    const Activity* describe(Dump& dump) const override {
      dump.line("send to a channel");
      return nullptr;
    }

   private:
    friend class Channel;
    bool try_now() noexcept {
      const Errc code = this->channel_->put(value_);
      if (code != Errc::would_block) this->error = code;
      return code == Errc::none;
    }
    void line_up() noexcept { this->channel_->senders_.push(*this); }
    void step_out() noexcept { this->channel_->senders_.remove(*this); }
    T value_;
  };

  class ReceiveActivity : public Waiting<ReceiveActivity, std::optional<T>> {
   public:
    explicit ReceiveActivity(Receive&& description) noexcept
        : Waiting<ReceiveActivity, std::optional<T>>(*description.channel) {}
    std::optional<T> take_value() noexcept { return std::move(value_); }
    const Activity* describe(Dump& dump) const override {
      dump.line("receive from a channel");
      return nullptr;
    }

   private:
    friend class Channel;
    bool try_now() noexcept {
      value_ = this->channel_->get();
      return value_.has_value() || this->channel_->closed_;
    }
    void line_up() noexcept { this->channel_->receivers_.push(*this); }
    void step_out() noexcept { this->channel_->receivers_.remove(*this); }
    std::optional<T> value_;
  };

 private:
  // All of these with the mutex held. Somebody waits to receive only while the channel is empty, and to send only
  // while it is full.
  Errc put(T& value) noexcept {
    if (closed_) return Errc::closed;
    if (Ready* ready = receivers_.pop()) {
      auto& receiver = static_cast<ReceiveActivity&>(static_cast<ChannelWaiter&>(*ready));
      receiver.value_.emplace(std::move(value));
      released(receiver);
      return Errc::none;
    }
    if (size_ == options_.capacity) {
      if (options_.when_full == WhenFull::wait) return Errc::would_block;
      if (options_.when_full == WhenFull::close) close_locked();
      if (options_.when_full != WhenFull::drop_oldest) return Errc::limit_reached;
      static_cast<void>(front());
      ++dropped_;
    }
    back(value);
    return Errc::none;
  }
  std::optional<T> get() noexcept {
    if (size_ == 0) return std::nullopt;
    std::optional<T> value = front();
    if (Ready* ready = senders_.pop()) {
      auto& sender = static_cast<SendActivity&>(static_cast<ChannelWaiter&>(*ready));
      back(sender.value_);
      released(sender);
    }
    return value;
  }
  void close_locked() noexcept {
    closed_ = true;
    while (Ready* ready = receivers_.pop()) released(static_cast<ChannelWaiter&>(*ready));
    while (Ready* ready = senders_.pop()) {
      auto& sender = static_cast<ChannelWaiter&>(*ready);
      sender.error = Errc::closed;
      released(sender);
    }
  }
  static void released(ChannelWaiter& waiter) noexcept {
    waiter.waiting = false;
    waiter.tell_its_loop();
  }
  std::optional<T> front() noexcept {
    std::optional<T>& place = places_[first_];
    std::optional<T> value = std::move(place);
    place.reset();
    first_ = (first_ + 1) % options_.capacity;
    --size_;
    return value;
  }
  void back(T& value) noexcept {
    places_[(first_ + size_) % options_.capacity].emplace(std::move(value));
    ++size_;
  }

  const ChannelOptions options_;
  mutable std::mutex mutex_;
  std::unique_ptr<std::optional<T>[]> places_;  // a ring
  std::size_t first_ = 0;
  std::size_t size_ = 0;
  bool closed_ = false;
  std::uint64_t dropped_ = 0;
  ReadyList receivers_;
  ReadyList senders_;
};

}  // namespace v1
}  // namespace meari
