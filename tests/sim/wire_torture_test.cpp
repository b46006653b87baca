// Anything, in any order: random operations, cancels, closes and aborts on a few hosts under random weather. Whatever
// happens, every operation is completed exactly once, what is received is what was sent, and nothing is left at the end.
#include <algorithm>
#include <memory>
#include <vector>

#include <meari/dice.hpp>
#include "wire_bench.hpp"

namespace meari {
namespace {

// An operation on the heap that counts its completions and says what it brought.
template <class Kind>
struct Counted : Kind {
  Counted() {
    this->run = [](Ready& ready) { ++static_cast<Counted&>(ready).completed; };
  }
  int completed = 0;
  bool seen = false;
};

// One end of a stream. The n-th byte that goes from end to end is known, so that the receiver can check it.
struct End {
  Backend* backend = nullptr;
  SlotId slot;
  std::uint64_t key = 0;  // what this end receives; the other one sends it
  std::uint64_t out_key = 0;
  std::size_t received = 0;
  std::size_t sent = 0;
  bool open = false;
  Counted<Receive> receive;
  Counted<Finish> finish;
  std::vector<std::unique_ptr<Counted<Send>>> sends;
  std::vector<std::unique_ptr<std::string>> texts;
};

char nth_byte(std::uint64_t key, std::size_t place) { return static_cast<char>(mixed(key + place)); }

class Torture : Bench {
 public:
  explicit Torture(std::uint64_t seed) : dice_(seed, "actions"), storm_(seed, "weather") {
    add({.addresses = {{"10.0.0.1", 0}}, .descriptors = 40, .send_buffer = 3000, .window = 5000});
    add({.addresses = {{"10.0.0.2", 0}}, .descriptors = 40, .send_buffer = 1, .window = 1});
    sibling(0);
    for (Backend* host : {backends[0].get(), backends[1].get()})
      listeners_.push_back(listen(*host, {"0.0.0.0", 80}, 2));
    const std::uint64_t loss = storm_.between(3, 20);
    const std::uint64_t call = storm_.between(2, 10);
    wire.set_weather({.passage = [this, loss](const Segment&) { return this->passage(loss); },
                      .call = [this, call](const WireCall&) { return this->verdict(call); }});
  }

  std::uint64_t run() {
    for (int step = 0; step < 300; ++step) {
      act();
      const Time end = wire.now() + Duration(dice_.below(3'000'000));
      until([] { return false; }, end);
      look();
    }
    do {  // what is accepted or connected at the last moment has to go, too
      for (const auto& end : ends_)
        if (end->open) close(*end, dice_.one_in(2));
      for (auto& accept : accepts_) accept.backend->cancel(*accept.accept);
      rest();
      look();
    } while (std::ranges::any_of(ends_, [](const auto& end) { return end->open; }));
    EXPECT_TRUE(accepts_.empty() && connects_.empty());
    for (const auto& end : ends_) check_completed(*end);
    for (std::size_t i = 0; i < listeners_.size(); ++i) backends[i]->close(listeners_[i]);
    rest();
    EXPECT_EQ(wire.sockets(), 0U) << wire.dump();
    EXPECT_EQ(wire.descriptors(0) + wire.descriptors(1), 0U);
    for (const auto& backend : backends) {
      EXPECT_EQ(backend->slots_in_use(), 0U);
      EXPECT_EQ(backend->bytes_on_loan(), 0U);
    }
    return wire.hash();
  }

 private:
  struct Accepting {
    Backend* backend;
    std::unique_ptr<Counted<Accept>> accept;
  };
  struct Connecting {
    Backend* backend;
    SlotId slot;
    std::unique_ptr<Counted<Connect>> connect;
  };

  Passage passage(std::uint64_t loss) {
    Passage passage;
    passage.latency = Duration(1 + storm_.below(1'000'000));
    passage.lost = storm_.one_in(loss);
    if (storm_.one_in(4)) passage.most = storm_.between(1, 500);
    return passage;
  }
  Verdict verdict(std::uint64_t call) {
    Verdict verdict;
    if (storm_.one_in(call)) verdict.error = Errc::would_block;
    if (storm_.one_in(3)) verdict.most = storm_.between(1, 100);
    return verdict;
  }

  void act() {
    const std::uint64_t action = dice_.below(20);
    if (action < 2) return start_connect();
    if (action < 4) return start_accept();
    if (action < 5) return make_pair();
    if (ends_.empty()) return;
    End& end = *ends_[dice_.below(ends_.size())];
    if (!end.open) return;
    if (action < 10) return start_send(end);
    if (action < 15) return start_receive(end);
    if (action < 16) return start_finish(end);
    if (action < 18) return cancel_something(end);
    if (action < 19) return;
    close(end, dice_.one_in(2));
  }

  template <class Kind>
  void submit(Backend& backend, SlotId slot, Counted<Kind>& operation) {
    operation.slot = slot;
    operation.completed = 0;
    operation.seen = false;
    if (backend.submit(operation) == Submitted::done) operation.completed = 1;
  }

  void start_connect() {
    Backend& backend = *backends[dice_.below(backends.size())];
    const Result<SlotId> slot = backend.open({});
    if (!slot) return;
    connects_.push_back({&backend, *slot, std::make_unique<Counted<Connect>>()});
    Counted<Connect>& connect = *connects_.back().connect;
    connect.target = Address(dice_.one_in(2) ? "10.0.0.1" : "10.0.0.2", dice_.one_in(8) ? 81 : 80);
    submit(backend, *slot, connect);
    if (dice_.one_in(8)) backend.cancel(connect);
  }

  void start_accept() {
    const std::uint64_t place = dice_.below(listeners_.size());
    accepts_.push_back({backends[place].get(), std::make_unique<Counted<Accept>>()});
    submit(*accepts_.back().backend, listeners_[place], *accepts_.back().accept);
    if (dice_.one_in(8)) accepts_.back().backend->cancel(*accepts_.back().accept);
  }

  // Both ends of a connection know each other by the address of the client.
  static std::uint64_t key_of(const Address& client, bool to_server) {
    std::uint64_t key = mixed(client.port() * 2U + (to_server ? 1U : 0U));
    for (const std::uint8_t byte : client.ip()) key = mixed(key ^ byte);
    return key;
  }

  End& add_end(Backend& backend, SlotId slot, std::uint64_t key, std::uint64_t out_key) {
    ends_.push_back(std::make_unique<End>());
    End& end = *ends_.back();
    end.backend = &backend;
    end.slot = slot;
    end.key = key;
    end.out_key = out_key;
    end.open = true;
    return end;
  }

  void make_pair() {
    Backend& backend = *backends[dice_.below(backends.size())];
    const Result<std::pair<SlotId, SlotId>> pair = backend.pair();
    if (!pair) return;
    const std::uint64_t key = ends_.size();
    add_end(backend, pair->first, key, key + 1'000'000);
    add_end(backend, pair->second, key + 1'000'000, key);
  }

  void start_send(End& end) {
    if (end.finish.slot) return;
    std::string text(dice_.below(4000), '\0');
    for (char& letter : text) letter = nth_byte(end.out_key, end.sent++);
    end.texts.push_back(std::make_unique<std::string>(std::move(text)));
    end.sends.push_back(std::make_unique<Counted<Send>>());
    end.sends.back()->chunk = Chunk::view(bytes_of(*end.texts.back()));
    submit(*end.backend, end.slot, *end.sends.back());
  }
  void start_receive(End& end) {
    if (end.receive.state == Operation::State::pending || (end.receive.slot && !end.receive.seen)) return;
    end.receive.limit = dice_.one_in(3) ? dice_.between(1, 100) : std::numeric_limits<std::size_t>::max();
    submit(*end.backend, end.slot, end.receive);
  }
  void start_finish(End& end) {
    if (!end.finish.slot) submit(*end.backend, end.slot, end.finish);
  }
  void cancel_something(End& end) {
    if (dice_.one_in(2)) return end.backend->cancel(end.receive);
    // Only the last of the sends, so that the numbering of the bytes stays right.
    if (end.sends.empty() || end.finish.slot) return;
    Counted<Send>& send = *end.sends.back();
    const bool pending = send.state == Operation::State::pending;
    end.backend->cancel(send);
    if (pending && send.error && send.sent == 0) end.sent -= end.texts.back()->size();
  }
  void close(End& end, bool abort) {
    end.open = false;
    end.backend->close(end.slot, abort);
  }

  void look() {
    for (const auto& end : ends_) look_at(*end);
    for (auto at = accepts_.begin(); at != accepts_.end();) {
      Counted<Accept>& accept = *at->accept;
      EXPECT_LE(accept.completed, 1);
      if (accept.completed == 0) {
        ++at;
        continue;
      }
      if (!accept.error) {
        Backend& backend = at->backend == backends[0].get() && dice_.one_in(2) ? *backends[2] : *at->backend;
        const SlotId slot = backend.adopt_accepted(accept.accepted, accept.from).value();
        add_end(backend, slot, key_of(accept.from, true), key_of(accept.from, false));
      }
      at = accepts_.erase(at);
    }
    for (auto at = connects_.begin(); at != connects_.end();) {
      Counted<Connect>& connect = *at->connect;
      EXPECT_LE(connect.completed, 1);
      if (connect.completed == 0) {
        ++at;
        continue;
      }
      if (connect.error) {
        at->backend->close(at->slot);
      } else {
        const Address here = at->backend->local(at->slot).value();
        add_end(*at->backend, at->slot, key_of(here, false), key_of(here, true));
      }
      at = connects_.erase(at);
    }
  }

  void look_at(End& end) {
    Counted<Receive>& receive = end.receive;
    if (receive.completed == 0 || receive.seen) return;
    receive.seen = true;
    if (receive.error) return;
    for (const char letter : receive.chunk.text()) ASSERT_EQ(letter, nth_byte(end.key, end.received++));
    receive.chunk = Chunk();
  }

  void check_completed(End& end) {
    for (const auto& send : end.sends) EXPECT_EQ(send->completed, 1);
    if (end.receive.slot) EXPECT_EQ(end.receive.completed, 1);
    if (end.finish.slot) EXPECT_EQ(end.finish.completed, 1);
  }

  Dice dice_;
  Dice storm_;
  std::vector<SlotId> listeners_;
  std::vector<std::unique_ptr<End>> ends_;
  std::vector<Accepting> accepts_;
  std::vector<Connecting> connects_;
};

TEST(WireTorture, whatever_happens_completes_once_arrives_in_order_and_leaves_nothing) {
  sweep(500, [](std::uint64_t seed) { Torture(seed).run(); });
}

TEST(WireTorture, the_same_seed_gives_the_same_events) {
  EXPECT_EQ(Torture(3).run(), Torture(3).run());
  EXPECT_NE(Torture(3).run(), Torture(4).run());
}

}  // namespace
}  // namespace meari
