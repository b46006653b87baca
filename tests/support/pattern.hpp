// Bytes that know their place: what is sent on one stream can be told from what is sent on another, and a byte that is
// lost, repeated or out of order is seen at once. And three who use them for a whole conversation:
//
//   Sender sender(*this, client, {.seed = 1, .total = 8 << 20});
//   Receiver receiver(*this, server, 1);
//   ASSERT_TRUE(until([&] { return receiver.ended(); }));
//   EXPECT_EQ(receiver.received(), 8 << 20);
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <meari/dice.hpp>
#include "backend_harness.hpp"

namespace meari::test {

// The byte that stands at `position` of stream `seed`.
[[nodiscard]] inline std::byte pattern_at(std::uint64_t seed, std::uint64_t position) noexcept {
  return static_cast<std::byte>((seed * 0x9e3779b1 + position * 167 + (position >> 8) * 13 + (position >> 16) * 59) >>
                                3);
}
void fill_pattern(std::uint64_t seed, std::uint64_t position, std::span<std::byte> bytes) noexcept;
[[nodiscard]] std::string pattern(std::uint64_t seed, std::uint64_t position, std::size_t count);
// How many bytes from the front are as they should be: all, if the count of them comes back.
[[nodiscard]] std::size_t match_pattern(std::uint64_t seed, std::uint64_t position,
                                        std::span<const std::byte> bytes) noexcept;

// Sends `total` bytes of a stream in blocks, then finishes.
class Sender {
 public:
  struct Plan {
    std::uint64_t seed = 0;
    std::uint64_t total = 0;
    std::size_t block = 64 << 10;
    bool finish = true;
  };
  Sender(Contract& home, End end, const Plan& plan);
  [[nodiscard]] bool over() const noexcept { return over_; }  // all is sent (and finished), or it failed
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  [[nodiscard]] Errc error() const noexcept { return error_; }

 private:
  void go_on();

  Contract& home_;
  End end_;
  Plan plan_;
  std::uint64_t sent_ = 0;
  bool over_ = false;
  Errc error_ = Errc::none;
  std::vector<std::byte> block_;
  Tracked<Send> send_;
  Tracked<Finish> finish_;
};

// Receives a stream, and compares.
class Receiver {
 public:
  Receiver(Contract& home, End end, std::uint64_t seed, bool paused = false);
  void pause() noexcept { paused_ = true; }  // not before the receive that is under way
  void go_on();
  [[nodiscard]] bool over() const noexcept { return over_; }  // the end, a failure, or a wrong byte
  [[nodiscard]] bool ended() const noexcept { return over_ && error_ == Errc::none && right_; }
  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
  [[nodiscard]] Errc error() const noexcept { return error_; }
  [[nodiscard]] bool right() const noexcept { return right_; }
  std::size_t limit = std::numeric_limits<std::size_t>::max();

 private:
  bool take();  // what a receive has brought; false: that was the last

  Contract& home_;
  End end_;
  std::uint64_t seed_;
  std::uint64_t received_ = 0;
  bool paused_ = false;
  bool over_ = false;
  bool right_ = true;
  Errc error_ = Errc::none;
  Tracked<Receive> receive_;
};

// Sends on what it receives, as it is, and finishes when the other has: an echo where `from` and `to` are the same.
class Forwarder {
 public:
  Forwarder(Contract& home, End from, End to);
  [[nodiscard]] bool over() const noexcept { return over_; }
  [[nodiscard]] Errc error() const noexcept { return error_; }
  [[nodiscard]] bool sending() const noexcept { return !send_.over(); }
  void stop();  // cancels what is under way

 private:
  void go_on();
  bool received();  // false: go on later
  bool fail(const Error& error);

  Contract& home_;
  End from_;
  End to_;
  bool over_ = false;
  Errc error_ = Errc::none;
  Tracked<Receive> receive_;
  Tracked<Send> send_;
  Tracked<Finish> finish_;
};

}  // namespace meari::test
