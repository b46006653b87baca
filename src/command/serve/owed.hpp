// Owed: the answer that a session has to get from elsewhere, from a target or a program, when its server stops. Nobody says
// when an answer is over: it is when nothing more of it has come for a while. Until then the session is not idle.
//
//   Owed owed(session);
//   owed.asked();                                            // the client has sent something
//   Chunk piece = co_await owed.read(target, most);          // a piece of the answer, or of what comes unasked
//   owed.over();                                             // nothing more will come
#pragma once

#include <chrono>
#include <cstddef>

#include <meari/chunk.hpp>
#include <meari/deadline.hpp>
#include <meari/server.hpp>
#include <meari/task.hpp>

namespace meari::command {

class Owed {
 public:
  explicit Owed(Session& session) noexcept : session_(session) {}

  void asked() noexcept { becomes(State::asked); }
  void over() noexcept { becomes(State::nothing); }

  // From a Stream or a Source.
  template <class From>
  Task<Chunk> read(From& from, std::size_t most) {
    for (;;) {
      if (state_ != State::coming) break;
      Result<Chunk> data = co_await as_result(with_timeout(longest_pause, from.read_some(most)));
      if (data || data.error() != Errc::timed_out) co_return co_await std::move(data);
      if (state_ == State::coming) becomes(State::nothing);  // and nobody has asked again meanwhile
    }
    Chunk data = co_await from.read_some(most);
    becomes(State::coming);
    co_return data;
  }

 private:
  enum class State : std::uint8_t { nothing, asked, coming };
  static constexpr std::chrono::seconds longest_pause{1};  // within an answer

  void becomes(State state) noexcept {
    state_ = state;
    session_.at_drain(state == State::nothing ? AtDrain::end : AtDrain::wait);
  }

  Session& session_;
  State state_ = State::nothing;
};

}  // namespace meari::command
