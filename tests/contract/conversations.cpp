// Anything that may be done with streams, in an order drawn from a seed, on 24 connections at once, against a model
// that knows which byte comes next. MEARI_SEED=n repeats one.
#include <cstdlib>
#include <deque>

#include "pattern.hpp"

namespace meari::test {
namespace {

class Conversations : public Contract {};
MEARI_EVERY_BACKEND(Conversations);

// One direction of one connection: who sends, who receives, and what must be true of them.
class Direction {
 public:
  Direction(Contract& home, Dice& dice, End from, End to, std::uint64_t seed)
      : home_(home), dice_(dice), from_(from), to_(to), seed_(seed) {
    receive_.then = [this] { received(); };
    finish_.then = [this] { finish_ended(); };
  }

  void send() {
    if (finishing_ || broken_ || cancelling_ || sends_.size() >= 4) return;
    const std::size_t size = dice_.below(10) == 0 ? dice_.below(400'000) : dice_.below(3000);
    Sending& sending = sends_.emplace_back();
    sending.text = pattern(seed_, submitted_, size);
    submitted_ += size;
    if (dice_.below(2) == 0) {
      sending.op.chunk = Chunk::view(std::as_bytes(std::span(sending.text)));
    } else {
      sending.cut(dice_);
    }
    sending.op.then = [this] { sends_over(); };
    if (home_.start(from_, sending.op) == Submitted::done) sends_over();
  }

  void cancel_send() {
    // The newest, and only where nothing is behind it: the model then knows what comes next.
    if (sends_.empty() || sends_.back().op.over() || finishing_) return;
    cancelling_ = true;
    from_.backend->cancel(sends_.back().op);
  }

  // Says whether something was there at once.
  bool receive() {
    if (over_ || !receive_.over()) return false;
    receive_.limit = dice_.below(3) == 0 ? 1 + dice_.below(2000) : std::numeric_limits<std::size_t>::max();
    if (home_.start(to_, receive_) == Submitted::pending) return false;
    received();
    return true;
  }
  // Until it has to wait.
  void receive_all() {
    while (receive()) {}
  }

  void cancel_receive() {
    if (!receive_.over()) to_.backend->cancel(receive_);
  }

  void finish() {
    if (finishing_ || broken_ || cancelling_) return;
    finishing_ = true;
    if (home_.start(from_, finish_) == Submitted::done) finish_ended();
  }

  [[nodiscard]] bool over() const { return over_; }
  [[nodiscard]] bool quiet() const {
    return receive_.over() && finish_.over() && (sends_.empty() || sends_.back().op.over());
  }
  [[nodiscard]] bool broken() const { return broken_; }
  [[nodiscard]] bool right() const { return right_; }
  // Every byte that was said to have left has come, and no other.
  void check_totals() const { EXPECT_EQ(got_, left_) << "stream " << seed_; }

 private:
  struct Sending {
    std::string text;
    std::vector<std::span<const std::byte>> pieces;
    Tracked<SendPieces> op;
    bool counted = false;

    void cut(Dice& dice) {
      const auto bytes = std::as_bytes(std::span(text));
      for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t size = std::min(bytes.size() - at, dice.below(bytes.size() / 3 + 2));
        pieces.push_back(bytes.subspan(at, size));
        at += size;
      }
      if (pieces.empty()) pieces.emplace_back();
      op.carry(pieces);
    }
  };

  void sends_over() {
    for (Sending& sending : sends_) {
      if (!sending.op.over() || sending.counted) continue;
      if (sending.op.state != Operation::State::completed) continue;
      sending.counted = true;
      left_ += sending.op.sent;
      const Errc error = sending.op.error.code();
      if (error == Errc::none) {
        EXPECT_EQ(sending.op.sent, sending.text.size());
      } else if (error == Errc::canceled) {
        EXPECT_EQ(sending.op.sent, 0U);
        submitted_ -= sending.text.size();  // it was the newest
      } else {
        EXPECT_EQ(error, Errc::write_incomplete);
        broken_ = true;
      }
    }
    if (sends_.empty() || sends_.back().counted) cancelling_ = false;
    while (!sends_.empty() && sends_.front().counted && &sends_.front() != &sends_.back()) sends_.pop_front();
  }

  void finish_ended() {
    if (finish_.error) {
      EXPECT_EQ(finish_.error.code(), Errc::write_incomplete);
      broken_ = true;
    }
  }

  void received() {
    if (receive_.error) {
      EXPECT_EQ(receive_.error.code(), Errc::canceled);
      EXPECT_TRUE(receive_.chunk.empty());
      return;
    }
    if (receive_.chunk.empty()) {
      over_ = true;
      return;
    }
    EXPECT_LE(receive_.chunk.size(), receive_.limit);
    const std::size_t right = match_pattern(seed_, got_, receive_.chunk.bytes());
    if (right != receive_.chunk.size()) {
      right_ = false;
      over_ = true;
      ADD_FAILURE() << "stream " << seed_ << " has a wrong byte at " << got_ + right;
    }
    got_ += receive_.chunk.size();
    if (dice_.below(8) == 0) {  // takes a part, puts the rest back
      receive_.chunk.drop(dice_.below(receive_.chunk.size()));
      got_ -= receive_.chunk.size();
      to_.backend->unread(to_.slot, std::move(receive_.chunk));
    }
    receive_.chunk = Chunk();
  }

  Contract& home_;
  Dice& dice_;
  End from_;
  End to_;
  std::uint64_t seed_;
  std::uint64_t submitted_ = 0;
  std::uint64_t left_ = 0;  // bytes that completed sends say have left
  std::uint64_t got_ = 0;
  bool finishing_ = false;
  bool cancelling_ = false;  // until it is known whether the newest send has gone, nothing may follow it
  bool broken_ = false;
  bool over_ = false;
  bool right_ = true;
  std::deque<Sending> sends_;
  Tracked<Receive> receive_;
  Tracked<Finish> finish_;
};

void converse(Contract& home, std::uint64_t seed, bool across) {
  SCOPED_TRACE("MEARI_SEED=" + std::to_string(seed));
  Dice dice(seed);
  std::vector<std::pair<End, End>> ends;
  for (std::size_t i = 0; i < 24; ++i) {
    ends.push_back(across && i % 3 == 0 ? home.connected_to_sibling() : i % 4 == 1 ? home.pair() : home.connected());
    if (i % 2 == 0) home.narrow(ends.back().first);
  }
  std::deque<Direction> all;
  for (std::size_t i = 0; i < ends.size(); ++i) {
    all.emplace_back(home, dice, ends[i].first, ends[i].second, 2 * i);
    all.emplace_back(home, dice, ends[i].second, ends[i].first, 2 * i + 1);
  }
  for (int step = 0; step < 3000; ++step) {
    Direction& one = all[dice.below(all.size())];
    const std::size_t what = dice.below(100);
    if (what < 30) one.send();
    else if (what < 75) one.receive();
    else if (what < 80) one.cancel_receive();
    else if (what < 82) one.cancel_send();
    else if (what < 83) one.finish();
    else home.turn(home.backend().now() + 20us);
  }
  // A broken direction cannot be finished: closing its sender's slot ends it. That is left to the guard of the case.
  ASSERT_TRUE(home.until([&] {
    bool over = true;
    for (Direction& one : all) {
      one.finish();
      one.receive_all();
      over = over && (one.over() || one.broken());
    }
    return over;
  }));
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].over()) home.close(i % 2 == 0 ? ends[i / 2].first : ends[i / 2].second);
  }
  ASSERT_TRUE(home.until([&] {
    bool over = true;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const bool receiver_closed = i % 2 == 0 ? !all[i + 1].over() : !all[i - 1].over();
      if (!receiver_closed) all[i].receive_all();
      over = over && all[i].quiet() && (all[i].over() || receiver_closed);
    }
    return over;
  }));
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].over() && all[i].right()) all[i].check_totals();
  }
  for (const auto& [one, other] : ends) {
    home.close(one);
    home.close(other);
  }
}

TEST_P(Conversations, keep_every_byte_in_its_place) {
  if (const char* seed = std::getenv("MEARI_SEED")) return converse(*this, std::strtoull(seed, nullptr, 10), false);
  const std::uint64_t seeds = missing(GetParam(), Need::quick_system).empty() ? 12 : 3;
  for (std::uint64_t seed = 1; seed <= seeds && !HasFatalFailure(); ++seed) converse(*this, seed, false);
}

TEST_P(Conversations, keep_every_byte_in_its_place_between_siblings) {
  if (const char* seed = std::getenv("MEARI_SEED")) return converse(*this, std::strtoull(seed, nullptr, 10), true);
  for (std::uint64_t seed = 101; seed <= 104 && !HasFatalFailure(); ++seed) converse(*this, seed, true);
}

TEST_P(Conversations, keep_every_byte_in_its_place_with_two_slabs) {
  with_pool(std::size_t{512} << 10);
  if (const char* seed = std::getenv("MEARI_SEED")) return converse(*this, std::strtoull(seed, nullptr, 10), false);
  const std::uint64_t last = missing(GetParam(), Need::quick_system).empty() ? 206 : 201;
  for (std::uint64_t seed = 201; seed <= last && !HasFatalFailure(); ++seed) converse(*this, seed, false);
}

}  // namespace
}  // namespace meari::test
