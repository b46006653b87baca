#include "pattern.hpp"

#include <algorithm>

namespace meari::test {

void fill_pattern(std::uint64_t seed, std::uint64_t position, std::span<std::byte> bytes) noexcept {
  for (std::byte& byte : bytes) byte = pattern_at(seed, position++);
}

std::string pattern(std::uint64_t seed, std::uint64_t position, std::size_t count) {
  std::string text(count, '\0');
  fill_pattern(seed, position, std::as_writable_bytes(std::span(text)));
  return text;
}

std::size_t match_pattern(std::uint64_t seed, std::uint64_t position, std::span<const std::byte> bytes) noexcept {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != pattern_at(seed, position + i)) return i;
  }
  return bytes.size();
}

// ---- Sender

Sender::Sender(Contract& home, End end, const Plan& plan) : home_(home), end_(end), plan_(plan), block_(plan.block) {
  send_.then = [this] {
    sent_ += send_.sent;
    error_ = send_.error.code();
    if (send_.error) {
      over_ = true;
    } else {
      go_on();
    }
  };
  finish_.then = [this] {
    error_ = finish_.error.code();
    over_ = true;
  };
  go_on();
}

void Sender::go_on() {
  while (sent_ < plan_.total) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(block_.size(), plan_.total - sent_));
    const std::span<std::byte> bytes = std::span(block_).first(count);
    fill_pattern(plan_.seed, sent_, bytes);
    send_.chunk = Chunk::view(bytes);
    if (home_.start(end_, send_) == Submitted::pending) return;
    sent_ += send_.sent;
  }
  if (!plan_.finish || home_.start(end_, finish_) == Submitted::done) over_ = true;
}

// ---- Receiver

Receiver::Receiver(Contract& home, End end, std::uint64_t seed, bool paused)
    : home_(home), end_(end), seed_(seed), paused_(true) {
  receive_.then = [this] {
    if (take() && !paused_) go_on();
  };
  if (!paused) go_on();
}

void Receiver::go_on() {
  paused_ = false;
  if (over_ || !receive_.over()) return;
  do {
    receive_.limit = limit;
    if (home_.start(end_, receive_) == Submitted::pending) return;
  } while (take() && !paused_);
}

bool Receiver::take() {
  error_ = receive_.error.code();
  const std::size_t right = match_pattern(seed_, received_, receive_.chunk.bytes());
  if (right != receive_.chunk.size()) {
    right_ = false;
    ADD_FAILURE() << "stream " << seed_ << " has a wrong byte at " << received_ + right;
  }
  received_ += receive_.chunk.size();
  over_ = receive_.error || receive_.chunk.empty() || !right_;
  receive_.chunk = Chunk();
  return !over_;
}

// ---- Forwarder

Forwarder::Forwarder(Contract& home, End from, End to) : home_(home), from_(from), to_(to) {
  receive_.then = [this] {
    if (received()) go_on();
  };
  send_.then = [this] {
    if (!fail(send_.error)) go_on();
  };
  finish_.then = [this] {
    fail(finish_.error);
    over_ = true;
  };
  go_on();
}

void Forwarder::go_on() {
  do {
    if (home_.start(from_, receive_) == Submitted::pending) return;
  } while (received());
}

bool Forwarder::received() {
  if (fail(receive_.error)) return false;
  if (receive_.chunk.empty()) {
    if (home_.start(to_, finish_) == Submitted::done) over_ = true;
    return false;
  }
  send_.chunk = std::move(receive_.chunk);
  receive_.chunk = Chunk();
  return home_.start(to_, send_) == Submitted::done;
}

bool Forwarder::fail(const Error& error) {
  if (!error) return false;
  error_ = error.code();
  return over_ = true;
}

void Forwarder::stop() {
  if (!receive_.over()) from_.backend->cancel(receive_);
  if (!send_.over()) to_.backend->cancel(send_);
  if (!finish_.over()) to_.backend->cancel(finish_);
}

}  // namespace meari::test
