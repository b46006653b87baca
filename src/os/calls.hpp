// The blocking calls of Socket where Linux and Windows differ: posix.cpp and windows.cpp hold one of each.
// All are restarted when a signal interrupts them.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include <meari/socket.hpp>

namespace meari::os {

Result<Accepted> accept(Descriptor descriptor);
Result<> connect(Descriptor descriptor, const Address& address);
// What was taken or received; an Error without operation and subject.
Result<std::size_t> send(Descriptor descriptor, std::span<const std::byte> bytes);
Result<std::size_t> receive(Descriptor descriptor, std::span<std::byte> buffer);
Result<ReceivedFrom> receive_from(Descriptor descriptor, std::span<std::byte> buffer);
Result<std::size_t> send_to(Descriptor descriptor, std::span<const std::byte> bytes, const Address& target);
Result<> close(Descriptor descriptor);
Result<std::pair<Descriptor, Descriptor>> socket_pair();
[[nodiscard]] int native_direction(Socket::Direction direction) noexcept;

}  // namespace meari::os
