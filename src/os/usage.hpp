// What processes and the system have used: processor time, memory, events of the network.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace meari::os {

// Of the calling thread, user and system.
[[nodiscard]] std::chrono::nanoseconds thread_cpu_time() noexcept;
// Of a whole process, all its threads. Nothing when there is no such process or the system does not tell.
[[nodiscard]] std::optional<std::chrono::nanoseconds> process_cpu_time(long process) noexcept;
// Memory of a process that is in RAM, in bytes.
[[nodiscard]] std::optional<std::uint64_t> resident_memory(long process) noexcept;
// Connections that found a listen queue full (TcpExt ListenOverflows, whole machine), since it was started.
[[nodiscard]] std::optional<std::uint64_t> listen_overflows() noexcept;

}  // namespace meari::os
