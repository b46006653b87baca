// dial(): from an address on the command line to a connection: the name, its addresses, and more attempts where --retry
// asks for them.
#pragma once

#include <cstddef>
#include <cstdint>

#include <meari/loop.hpp>
#include <meari/stream.hpp>
#include <meari/task.hpp>

#include "src/command/flags/options.hpp"
#include "src/command/speech/talk.hpp"

namespace meari::command {

struct Connected {
  Stream stream;
  std::size_t choices = 0;  // addresses that the name stands for; 0: somebody else had connected it
  Duration took{};          // the attempt that succeeded, with the name
};

// --source is an IPv4 address, and what is to be reached has none, or the other way round.
[[nodiscard]] Error no_way_from_source(const ConnectSettings& settings);

// How long to wait before attempt number `next` (2, 3 …): doubled from 100 ms up to 5 s, and of that a part between half
// and all, so that many clients of a server that comes back do not come at once.
[[nodiscard]] Duration pause_before(std::uint64_t next, std::uint64_t chance) noexcept;
// Whether the next attempt may well succeed: somebody is about to listen, or a network to come up.
[[nodiscard]] bool may_pass(const Error& error) noexcept;

// Says in one line why an attempt failed that is followed by another one. The settings and the Talk outlive the Task.
[[nodiscard]] Task<Connected> dial(Loop& loop, const ConnectSettings& settings, const Talk& talk);

}  // namespace meari::command
