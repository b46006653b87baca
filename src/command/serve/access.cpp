#include "access.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>

namespace meari::command {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

Error wrong_network(std::string_view text) {
  return Error(Errc::invalid_argument, "network", text).because("write 192.0.2.0/24 or 2001:db8::/32");
}

Result<> read_file(const std::string& path, std::vector<Network>& networks) {
  constexpr static char reading[] = "read a file";
  errno = 0;
  std::ifstream file(path);
  if (!file) return Error(errno == 0 ? Errc::not_found : to_errc(errno), reading, path, errno);
  std::size_t number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    const std::string_view text = trimmed(std::string_view(line).substr(0, line.find('#')));
    if (text.empty()) continue;
    Result<Network> network = Network::parse(text);
    if (!network) return wrong_network(std::string(text) + " (" + path + ':' + std::to_string(number) + ')');
    networks.push_back(*std::move(network));
  }
  if (file.bad()) return Error(to_errc(errno), reading, path, errno);
  return {};
}

Result<> read_list(std::string_view list, std::vector<Network>& networks) {
  while (!list.empty()) {
    const std::string_view word = trimmed(list.substr(0, list.find(',')));
    list.remove_prefix(std::min(list.find(','), list.size() - 1) + 1);
    if (word.empty()) continue;
    if (word.front() == '/' || word.front() == '.') {
      if (Result<> read = read_file(std::string(word), networks); !read) return read;
      continue;
    }
    Result<Network> network = Network::parse(word);
    if (!network) return network.error();
    networks.push_back(*std::move(network));
  }
  return {};
}

}  // namespace

Result<Network> Network::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  Network network{.base = Address(text.substr(0, slash), 0).unmapped()};
  const Error wrong = wrong_network(text);
  if (network.base.family() != Family::ipv4 && network.base.family() != Family::ipv6) return wrong;
  const unsigned most = network.base.family() == Family::ipv4 ? 32 : 128;
  network.bits = most;
  if (slash == std::string_view::npos) return network;
  const std::string_view bits = text.substr(slash + 1);
  const auto [end, problem] = std::from_chars(bits.data(), bits.data() + bits.size(), network.bits);
  if (problem != std::errc{} || end != bits.data() + bits.size() || network.bits > most) return wrong;
  return network;
}

bool Network::has(const Address& address) const noexcept {
  const Address plain = address.unmapped();
  if (plain.family() != base.family()) return false;
  const unsigned whole = bits / 8;
  if (!std::equal(plain.ip().begin(), plain.ip().begin() + whole, base.ip().begin())) return false;
  if (bits % 8 == 0) return true;
  const unsigned shift = 8 - bits % 8;
  return plain.ip()[whole] >> shift == base.ip()[whole] >> shift;
}

Result<Access> Access::read(std::string_view allow, std::string_view deny) {
  Access access;
  access.restricted_ = !allow.empty();
  if (Result<> read = read_list(allow, access.allow_); !read) return read.error();
  if (Result<> read = read_list(deny, access.deny_); !read) return read.error();
  return access;
}

bool Access::admits(const Address& address) const noexcept {
  if (address.family() == Family::local) return true;
  const auto has = [&](const Network& network) { return network.has(address); };
  if (std::ranges::any_of(deny_, has)) return false;
  return !restricted_ || std::ranges::any_of(allow_, has);
}

}  // namespace meari::command
