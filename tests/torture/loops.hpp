// What the scenarios on a loop have in common: a loop of the wanted backend that does not outlive its patience, and ends
// that have met.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <meari/connect.hpp>
#include <meari/deadline.hpp>
#include <meari/listener.hpp>
#include <meari/loop.hpp>
#include <meari/scope.hpp>
#include <meari/stream.hpp>

#include "engine.hpp"

namespace meari::torture {

// A scenario that waits for something that never comes ends after so long, with timed_out.
inline constexpr auto patience = 60ms;
inline constexpr auto endless_patience = 15ms;

[[nodiscard]] inline std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return text;
}

// Runs the body on a loop of its own. What is still said goodbye to when the body is over is ended with the loop.
template <class F>
Result<> on_loop(BackendChoice choice, F body, Duration limit = patience) {
  LoopOptions options;
  options.backend.choice = choice;
  options.backend.pool_bytes = std::size_t{4} << 20;
  options.on_failure = [](const TaskFailure&) {};
  Result<std::unique_ptr<Loop>> loop = Loop::make(std::move(options));
  if (!loop) return loop.error();
  const Duration allowed = (is_endless() ? endless_patience : limit) * slack();
  auto bounded = [&body, allowed]() -> Task<> { co_await with_timeout(allowed, body()); };
  return (*loop)->block_on(bounded);
}

struct Met {
  Stream client, server;
};
Task<Met> meet(Family family);

// What is written by one is read by the other, and after it the end.
Task<> expect(Stream& from, std::string_view text);
Task<> expect_end(Stream& from);
Task<> send_back(Stream& peer);

}  // namespace meari::torture
