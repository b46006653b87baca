// What a supervisor and a server tell each other: sockets that were opened before the server started, as systemd does it
// (sd_listen_fds(3)), and a descriptor that says when it is ready.
#pragma once

#include <cstddef>
#include <string_view>

#include <meari/result.hpp>
#include <meari/socket.hpp>

namespace meari::os {

inline constexpr int first_passed_descriptor = 3;
// How many descriptors were passed to this very process (LISTEN_FDS, LISTEN_PID). What was meant for another is not counted.
[[nodiscard]] std::size_t passed_descriptors() noexcept;

// Fails with closed where nobody has opened it. To be asked before this program opens something that gets its number.
Result<> check_open(Descriptor descriptor);
// Writes all of it and closes the descriptor.
Result<> announce(Descriptor descriptor, std::string_view text);

}  // namespace meari::os
