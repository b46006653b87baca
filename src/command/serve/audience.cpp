#include "audience.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include <meari/deadline.hpp>

namespace meari::command {

Audience::Member::Member(Audience& audience, Client& peer) : audience_(audience), peer_(peer) {
  audience_.members_.push_back(this);
  static_cast<void>(audience_.changed_.try_send(true));
}

Audience::Member::~Member() {
  std::erase(audience_.members_, this);
  static_cast<void>(audience_.changed_.try_send(true));
}

Task<> Audience::Member::hear() {
  while (std::optional<Bytes> words = co_await unheard_.receive()) co_await peer_.write(*std::move(words));
}

Result<> Audience::Member::outcome(Result<> over) const {
  if (too_slow_) return Error(Errc::limit_reached).because("it did not read what was sent to it");
  return over;
}

void Audience::say(const Bytes& words, const Member* speaker) {
  for (Member* member : members_)
    if (member != speaker && !member->unheard_.closed() && !member->unheard_.try_send(words)) cut_off(*member);
}

std::size_t Audience::longest_queue() const noexcept {
  std::size_t longest = 0;
  for (const Member* member : members_)
    if (!member->too_slow_) longest = std::max(longest, member->unheard_.size());
  return longest;
}

Task<> Audience::wait_for_the_slow(Duration patience) {
  constexpr std::chrono::milliseconds step{5};
  while (longest_queue() == most_unheard) {
    for (Member* member : members_) {
      const std::size_t unheard = member->unheard_.size();
      if (unheard <= most_unheard / 2) member->behind_since_ = never;
      else if (unheard == most_unheard && member->behind_since_ == never)
        member->behind_since_ = Loop::current()->now();
      if (unheard == most_unheard && Loop::current()->now() - member->behind_since_ > patience) cut_off(*member);
    }
    co_await sleep_for(step);
  }
}

void Audience::close() noexcept {
  for (Member* member : members_) member->close();
}

Task<> Audience::changed() { static_cast<void>(co_await changed_.receive()); }

// Its session finds its stream closed, and says why.
void Audience::cut_off(Member& member) noexcept {
  if (std::exchange(member.too_slow_, true)) return;
  member.unheard_.close();
  member.peer_.abort();
}

}  // namespace meari::command
