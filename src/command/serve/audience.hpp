// Audience: everybody who is to hear the same. What is said is copied once and shared; each member has a queue with a
// limit, and who does not keep up is cut off, so that the others need not wait.
//
//   Audience room;
//   Audience::Member me(room, peer);                 // as long as this object exists
//   room.say(Bytes::copy_of("hello\n"), &me);        // to all but me
//   co_await me.hear();                              // writes to the peer what others say, until somebody closes
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include <meari/bytes.hpp>
#include <meari/channel.hpp>
#include <meari/loop.hpp>
#include <meari/stream.hpp>
#include <meari/task.hpp>

#include "client.hpp"

namespace meari::command {

class Audience {
 public:
  static constexpr std::size_t most_unheard = 256;  // pieces, of a few KiB at the most

  class Member {
   public:
    Member(Audience& audience, Client& peer);
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;
    ~Member();

    // Until close(), and until all that was said before is written.
    Task<> hear();
    void close() noexcept { unheard_.close(); }
    // The outcome of its session: that it was cut off, or else `over`.
    [[nodiscard]] Result<> outcome(Result<> over) const;

   private:
    friend class Audience;
    Audience& audience_;
    Client& peer_;
    Channel<Bytes> unheard_{ChannelOptions{.capacity = most_unheard, .when_full = WhenFull::refuse}};
    Time behind_since_ = never;
    bool too_slow_ = false;
  };

  // Never waits. A member whose queue is full is cut off.
  void say(const Bytes& words, const Member* speaker = nullptr);
  // How many pieces the slowest has not heard.
  [[nodiscard]] std::size_t longest_queue() const noexcept;
  // Waits until there is room in every queue. A member who has been behind for longer than `patience` is cut off.
  Task<> wait_for_the_slow(Duration patience);
  void close() noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return members_.size(); }
  // Until somebody has come or gone.
  Task<> changed();

 private:
  static void cut_off(Member& member) noexcept;

  std::vector<Member*> members_;  // one loop, one thread: no lock
  Channel<bool> changed_{ChannelOptions{.capacity = 1, .when_full = WhenFull::drop_oldest}};
};

}  // namespace meari::command
