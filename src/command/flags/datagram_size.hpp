// How much one datagram carries.
#pragma once

#include <cstddef>

namespace meari::command {

inline constexpr std::size_t most_in_datagram = 65'507;  // over IPv4: 65,535 less its header and that of UDP

}  // namespace meari::command
