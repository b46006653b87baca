// What Linux tells about sockets, limits and processes: TCP_INFO, queues, RLIMIT_NOFILE and /proc.
#include "native.hpp"

#include <dirent.h>
#include <linux/sockios.h>
#include <linux/tcp.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>

namespace meari::os {

Result<QueueLengths> queue_lengths(Descriptor descriptor) {
  int unread = 0, unsent = 0;
  if (sys::ioctl(descriptor, SIOCINQ, &unread) != 0 || sys::ioctl(descriptor, SIOCOUTQ, &unsent) != 0)
    return system_error(sys::last_error(), "ask for queue lengths");
  return QueueLengths{.unread = static_cast<std::uint32_t>(unread), .unsent = static_cast<std::uint32_t>(unsent)};
}

Result<TcpInfo> tcp_info(Descriptor descriptor) {
  ::tcp_info raw{};  // an older kernel fills less of it
  socklen_t size = sizeof raw;
  if (sys::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &raw, &size) != 0)
    return system_error(sys::last_error(), "ask for TCP_INFO");
  TcpInfo info;
  info.state =
      raw.tcpi_state <= static_cast<int>(TcpState::closing) ? static_cast<TcpState>(raw.tcpi_state) : TcpState::unknown;
  if (info.state == TcpState::listen) {  // these two fields mean something else there
    info.queued = raw.tcpi_unacked;
    info.queue_limit = raw.tcpi_sacked;
    return info;
  }
  info.rtt_us = raw.tcpi_rtt;
  info.rtt_variance_us = raw.tcpi_rttvar;
  info.unacked_segments = raw.tcpi_unacked;
  info.retransmits = raw.tcpi_total_retrans;
  info.congestion_window = raw.tcpi_snd_cwnd;
  info.bytes_sent = raw.tcpi_bytes_sent;
  info.bytes_acked = raw.tcpi_bytes_acked;
  info.bytes_received = raw.tcpi_bytes_received;
  return info;
}

namespace {

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
struct CloseFolder {
  void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;
using Folder = std::unique_ptr<DIR, CloseFolder>;

File open_file(const std::string& path) { return File(std::fopen(path.c_str(), "re")); }

}  // namespace

int listen_queue_limit() noexcept {
  int limit = 0;
  if (const File file{std::fopen("/proc/sys/net/core/somaxconn", "re")}; file != nullptr)
    if (std::fscanf(file.get(), "%d", &limit) == 1 && limit > 0) return limit;
  return SOMAXCONN;
}

Result<DescriptorLimit> descriptor_limit() noexcept {
  rlimit limit{};
  if (sys::getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return system_error(sys::last_error(), "ask for the descriptor limit");
  return DescriptorLimit{.soft = limit.rlim_cur, .hard = limit.rlim_max};
}

Result<DescriptorLimit> raise_descriptor_limit() noexcept {
  Result<DescriptorLimit> now = descriptor_limit();
  if (!now || now->soft == now->hard) return now;
  const rlimit wanted{.rlim_cur = now->hard, .rlim_max = now->hard};
  if (sys::setrlimit(RLIMIT_NOFILE, &wanted) != 0) return system_error(sys::last_error(), "raise the descriptor limit");
  return descriptor_limit();
}

std::optional<std::size_t> open_descriptors() noexcept {
  const Folder folder{::opendir("/proc/self/fd")};
  if (folder == nullptr) return {};
  std::size_t count = 0;
  while (const dirent* entry = ::readdir(folder.get()))
    if (entry->d_name[0] != '.') ++count;
  return count - 1;  // the folder's own
}

namespace {

// The kernel writes an address as 32-bit words in the machine's byte order.
bool read_ip(std::string_view hex, std::array<std::uint8_t, 16>& ip) noexcept {
  for (std::size_t word = 0; word * 8 < hex.size(); ++word) {
    std::uint32_t value = 0;
    const char* start = hex.data() + word * 8;
    if (std::from_chars(start, start + 8, value, 16).ec != std::errc{}) return false;
    std::memcpy(ip.data() + word * 4, &value, 4);
  }
  return true;
}

// The inode of the socket that keeps others from binding to this address, from /proc/net/tcp and its like (proc(5)).
unsigned long inode_in(const char* table, Family family, const Address& wanted, bool listening_only) {
  const File file = open_file(table);
  if (file == nullptr) return 0;
  char line[512];
  while (std::fgets(line, sizeof line, file.get()) != nullptr) {
    char ip_text[33];
    unsigned port = 0, state = 0;
    unsigned long inode = 0;
    if (std::sscanf(line, " %*u: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %lu", ip_text, &port,
                    &state, &inode) != 4)
      continue;
    constexpr unsigned tcp_listen = 10;
    if (port != wanted.port() || inode == 0 || (listening_only && state != tcp_listen)) continue;
    std::array<std::uint8_t, 16> ip{};
    if (!read_ip(ip_text, ip)) continue;
    const bool bound_to_any = ip == std::array<std::uint8_t, 16>{};
    if (bound_to_any || wanted.is_any() || (family == wanted.family() && ip == wanted.ip())) return inode;
  }
  return 0;
}

unsigned long inode_of_path(const Address& wanted) {
  const File file = open_file("/proc/net/unix");
  if (file == nullptr) return 0;
  char line[512];
  while (std::fgets(line, sizeof line, file.get()) != nullptr) {
    char path[200];
    unsigned long inode = 0;
    if (std::sscanf(line, "%*[^:]: %*x %*x %*x %*x %*x %lu %199[^\n]", &inode, path) == 2 && wanted.path() == path)
      return inode;
  }
  return 0;
}

bool holds(const std::string& folder_path, const std::string& wanted) {
  const Folder folder{::opendir(folder_path.c_str())};
  if (folder == nullptr) return false;  // ended, or another user's
  while (const dirent* entry = ::readdir(folder.get())) {
    char target[64];
    const ssize_t size = ::readlinkat(::dirfd(folder.get()), entry->d_name, target, sizeof target);
    if (size > 0 && std::string_view(target, static_cast<std::size_t>(size)) == wanted) return true;
  }
  return false;
}

std::string process_name(const std::string& process) {
  char name[64] = {};
  if (const File file = open_file("/proc/" + process + "/comm");
      file != nullptr && std::fgets(name, sizeof name, file.get()) != nullptr)
    name[std::strcspn(name, "\n")] = '\0';
  return name;
}

}  // namespace

std::optional<Owner> owner_of(const Address& address, Kind kind) {
  const bool stream = kind == Kind::stream;
  unsigned long inode = 0;
  if (address.family() == Family::local) {
    inode = inode_of_path(address);
  } else {
    inode = inode_in(stream ? "/proc/net/tcp" : "/proc/net/udp", Family::ipv4, address, stream);
    if (inode == 0) inode = inode_in(stream ? "/proc/net/tcp6" : "/proc/net/udp6", Family::ipv6, address, stream);
  }
  if (inode == 0) return {};
  const std::string wanted = "socket:[" + std::to_string(inode) + ']';
  const Folder processes{::opendir("/proc")};
  if (processes == nullptr) return {};
  while (const dirent* entry = ::readdir(processes.get())) {
    const std::string process = entry->d_name;
    if (process[0] < '0' || process[0] > '9' || !holds("/proc/" + process + "/fd", wanted)) continue;
    return Owner{.process = std::stol(process), .name = process_name(process)};
  }
  return {};
}

}  // namespace meari::os
