#include "src/net/linger.hpp"

#include <chrono>
#include <memory>
#include <new>
#include <utility>

#include <meari/task.hpp>
#include "src/net/report.hpp"

namespace meari {
inline namespace v1 {
namespace {

constexpr std::size_t most_drained = std::size_t{64} << 10;
constexpr std::chrono::seconds longest{2};

class Linger final : public Guest {
 public:
  Linger(Loop& loop, SlotId slot, std::shared_ptr<Farewells> farewells) noexcept
      : loop_(loop), slot_(slot), farewells_(std::move(farewells)) {
    if (farewells_ != nullptr) ++farewells_->lingering;
    leave = [](Guest& guest) { static_cast<Linger&>(guest).end(true); };
    alarm_.run = [](Ready& ready) { owner<Alarm>(ready).end(false); };
    finish_.run = [](Ready& ready) { owner<Finishing>(ready).finished(); };
    receive_.run = [](Ready& ready) { owner<Draining>(ready).received(); };
    alarm_.linger = finish_.linger = receive_.linger = this;
    finish_.slot = receive_.slot = slot;
  }

  static void* operator new(std::size_t bytes) noexcept { return allocate_frame(bytes); }
  static void operator delete(void* memory, std::size_t bytes) noexcept { free_frame(memory, bytes); }

  void begin() noexcept {
    loop_.attend(*this);
    loop_.set(alarm_, loop_.now() + longest);
    if (submit(finish_)) drain();
  }

 private:
  struct Alarm : Timer {
    Linger* linger = nullptr;
  };
  struct Finishing : Finish {
    Linger* linger = nullptr;
  };
  struct Draining : Receive {
    Linger* linger = nullptr;
  };
  template <class Part>
  static Linger& owner(Ready& ready) noexcept {
    return *static_cast<Part&>(ready).linger;
  }

  // True: done at once.
  bool submit(Operation& operation) noexcept {
    if (loop_.backend().submit(operation) == Submitted::done) return true;
    ++awaited_;
    return false;
  }

  void finished() noexcept {
    --awaited_;
    if (closed_) return be_gone();
    if (finish_.error) return end(true);
    drain();
  }

  void received() noexcept {
    --awaited_;
    if (closed_) return be_gone();
    if (receive_.error) return end(true);
    if (take()) drain();
  }

  // Takes what has come. False: it is over, and so is this object.
  bool take() noexcept {
    const std::size_t count = receive_.chunk.size();
    receive_.chunk = Chunk();
    drained_ += count;
    if (farewells_ != nullptr) farewells_->dropped_bytes += count;
    if (count != 0 && drained_ <= most_drained) return true;
    end(false);
    return false;
  }

  void drain() noexcept {
    while (submit(receive_)) {
      if (!take()) return;
    }
  }

  void end(bool abort) noexcept {
    if (closed_) return;
    closed_ = true;
    loop_.unset(alarm_);
    loop_.backend().close(slot_, abort);  // what is pending comes back, canceled
    be_gone();
  }

  void be_gone() noexcept {
    if (awaited_ != 0) return;
    if (farewells_ != nullptr) --farewells_->lingering;
    loop_.dismiss(*this);
    delete this;
  }

  Loop& loop_;
  SlotId slot_;
  std::shared_ptr<Farewells> farewells_;
  Alarm alarm_;
  Finishing finish_;
  Draining receive_;
  std::size_t drained_ = 0;
  unsigned awaited_ = 0;  // operations that have yet to come back
  bool closed_ = false;
};

}  // namespace

// The owner has gone: no timeouts any more, and the totals are final. Returns where the rest is to be counted.
static std::shared_ptr<Farewells> settle_terms(Loop& loop, SlotPolicy& policy, const SlotFacts& facts) noexcept {
  loop.unset(policy.timer);
  const std::unique_ptr<StreamTerms> owned(policy.terms != nullptr && policy.terms->owned ? policy.terms : nullptr);
  StreamTerms* terms = std::exchange(policy.terms, nullptr);
  if (terms == nullptr) return nullptr;
  terms->close(facts.bytes_received, facts.bytes_sent);
  terms->peer_finished = facts.ended;
  return terms->farewells == nullptr ? nullptr : terms->farewells->shared_from_this();
}

void close_at_once(Loop& loop, SlotId slot, bool abort) noexcept {
  Backend& backend = loop.backend();
  SlotPolicy* policy = backend.policy(slot);
  if (policy == nullptr) return;
  if (loop.observed()) {
    Event event = event_of(loop, slot, Event::What::closed);
    if (abort) event.note = "reset";
    loop.emit(event);
  }
  settle_terms(loop, *policy, backend.facts(slot));
  backend.close(slot, abort);
}

void let_go(Loop& loop, SlotId slot) noexcept {
  const SlotFacts facts = loop.backend().facts(slot);
  if (facts.number == 0) return;
  const SlotPolicy* policy = loop.backend().policy(slot);
  const bool break_off = policy != nullptr && policy->terms != nullptr && policy->terms->break_off;
  if (facts.failed || facts.broken || break_off) return close_at_once(loop, slot, true);
  // Somebody still waits on it: the owner wants it gone all the same.
  const bool in_use = facts.receiving != nullptr || facts.sending != nullptr;
  if (!facts.connected || facts.ended || in_use) return close_at_once(loop, slot, false);
  if (loop.observed()) loop.emit(event_of(loop, slot, Event::What::closed));
  // Not as an argument: where there is no memory for the object, nobody would ask for its arguments.
  std::shared_ptr<Farewells> farewells = settle_terms(loop, *loop.backend().policy(slot), facts);
  auto* linger = new Linger(loop, slot, std::move(farewells));
  // The kernel has all that was written, and sends it with the FIN; only who still sends to us may meet RST.
  if (linger == nullptr) return loop.backend().close(slot, false);
  linger->begin();
}

}  // namespace v1
}  // namespace meari
