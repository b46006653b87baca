// What Windows tells about sockets and limits. It tells less than Linux: what is missing stays empty.
#include "native.hpp"

namespace meari::os {

Result<QueueLengths> queue_lengths(Descriptor descriptor) {
  u_long unread = 0;
  if (sys::ioctl(descriptor, FIONREAD, &unread) != 0) return system_error(sys::last_error(), "ask for queue lengths");
  return QueueLengths{.unread = static_cast<std::uint32_t>(unread), .unsent = 0};
}

Result<TcpInfo> tcp_info(Descriptor) { return Error(Errc::not_supported, "ask for TCP_INFO"); }

int listen_queue_limit() noexcept { return SOMAXCONN; }  // "as long as is reasonable", decided by the system

Result<DescriptorLimit> descriptor_limit() noexcept {
  constexpr std::uint64_t handles_of_a_process = 16'777'216;
  return DescriptorLimit{.soft = handles_of_a_process, .hard = handles_of_a_process};
}

Result<DescriptorLimit> raise_descriptor_limit() noexcept { return descriptor_limit(); }

std::optional<std::size_t> open_descriptors() noexcept {
  DWORD count = 0;
  if (::GetProcessHandleCount(::GetCurrentProcess(), &count) == 0) return {};
  return count;
}

std::optional<Owner> owner_of(const Address&, Kind) { return {}; }

}  // namespace meari::os
