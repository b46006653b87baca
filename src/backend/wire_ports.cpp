// Addresses on the wire: ports, paths, ways from host to host, datagrams. What a rule says of Linux was measured on 6.18.
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <utility>

#include "src/backend/wire_backend.hpp"
#include "src/backend/wire_socket.hpp"
#include "src/os/native.hpp"

namespace meari {
inline namespace v1 {

namespace {

constexpr Duration arp_gives_up = std::chrono::seconds(3);  // nobody has the address
constexpr std::size_t datagram_overhead = 832;              // what one in memory of pages costs beside its bytes
constexpr std::size_t most_letters = 10;                    // net.unix.max_dgram_qlen; one more fits (measured)
constexpr std::array<std::uint8_t, 12> mapped_prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

std::size_t kind_of(Role role) noexcept { return role == Role::datagram ? 1 : 0; }

// The address of a Unix-domain socket that nobody has bound.
Address unnamed() {
  os::NativeAddress native;
  native.storage.ss_family = AF_UNIX;
  native.size = offsetof(sockaddr_un, sun_path);
  return native.address();
}

bool is_abstract(std::string_view path) noexcept { return path.starts_with('@'); }

// What a datagram costs of its receiver's queue: with its headers it lies in memory of the next power of two (measured).
// So 197 bytes cost 832 and 198 cost 1,280.
std::size_t cost_of(const Wire::Letter& letter) {
  const std::size_t in_all = letter.bytes.size() + (letter.from.family() == Family::ipv6 ? 392 : 379);
  if (in_all <= 576) return 832;
  if (in_all > 16'384) return letter.bytes.size() + datagram_overhead;
  return std::bit_ceil(std::max<std::size_t>(in_all, 1024)) + 256;
}

// Abstract names of datagram sockets and of streams are strangers to each other (measured); paths are not.
std::string key_of(Role role, std::string_view path) {
  std::string key(path);
  if (role == Role::datagram && is_abstract(path)) key.front() = '\0';
  return key;
}

// "::" of a socket that takes IPv4 as well.
bool is_dual(const WireSocket& socket) {
  return socket.local.family() == Family::ipv6 && socket.local.is_any() && !socket.v6_only;
}

bool overlap(const WireSocket& one, const WireSocket& two) {
  if (is_dual(one) || is_dual(two)) return true;
  const Address a = unmapped(one.local), b = unmapped(two.local);
  return a.family() == b.family() && (a.is_any() || b.is_any() || a.with_port(0) == b.with_port(0));
}

}  // namespace

Address unmapped(const Address& address) noexcept {
  const auto& ip = address.ip();
  if (address.family() != Family::ipv6 || !std::ranges::equal(mapped_prefix, std::span(ip).first(12))) return address;
  return Address::from_ipv4({ip[12], ip[13], ip[14], ip[15]}, address.port());
}

Address seen_by(Family family, const Address& address) noexcept {
  if (family != Family::ipv6 || address.family() != Family::ipv4) return address;
  std::array<std::uint8_t, 16> ip{};
  std::ranges::copy(mapped_prefix, ip.begin());
  std::ranges::copy(std::span(address.ip()).first(4), ip.begin() + 12);
  return Address::from_ipv6(ip, address.port());
}

// ---- opening

Result<Descriptor> Wire::open(HostId host, const Opening& opening) {
  if (opening.role == Role::foreign || opening.family == Family::unspecified)
    return Error(Errc::invalid_argument, "open a socket");
  if (!hosts_[host].up) return Error(Errc::network_down, "open a socket");
  if (!has_descriptor(host)) return Error(Errc::too_many_descriptors, "open a socket");
  WireSocket& socket = make(host, opening.role, opening.family);
  std::size_t most = Passage::whole;
  Result<> opened;
  if (const Errc refused = judge(WireCall::What::open, socket, most); refused != Errc::none) {
    opened = Error(refused, "open a socket");
  } else {
    opened = bind(socket, opening);
  }
  if (!opened) {
    socket.phase = TcpPhase::closed;
    bury(socket);
    return opened.error();
  }
  give_descriptor(socket);
  return socket.id;
}

Result<std::pair<Descriptor, Descriptor>> Wire::pair(HostId host) {
  if (!hosts_[host].up) return Error(Errc::network_down, "open a socket pair");
  if (hosts_[host].open + 2 > hosts_[host].setup.descriptors)
    return Error(Errc::too_many_descriptors, "open a socket pair");
  WireSocket& one = make(host, Role::stream, Family::local);
  WireSocket& two = make(host, Role::stream, Family::local);
  std::size_t most = Passage::whole;
  if (const Errc refused = judge(WireCall::What::open, one, most); refused != Errc::none) {
    bury(one);
    bury(two);
    return Error(refused, "open a socket pair");
  }
  for (WireSocket* end : {&one, &two}) {
    end->phase = TcpPhase::established;
    end->was_connected = true;
    end->other = end == &one ? two.id : one.id;
    end->other_host = host;
    end->local = end->peer = end->from = end->to = unnamed();
    end->edge = end->told_edge = hosts_[host].setup.window;
    give_descriptor(*end);
  }
  return std::pair(one.id, two.id);
}

Result<> Wire::bind(WireSocket& socket, const Opening& opening) {
  const bool listens = opening.role == Role::listener;
  const std::uint32_t limit = hosts_[socket.host].setup.backlog;
  socket.v6_only = opening.v6_only;
  socket.reuse_port = opening.reuse_port;
  socket.reuse_address = opening.role != Role::datagram;
  if (socket.is_local()) socket.local = unnamed();
  if (listens) {
    socket.phase = TcpPhase::listen;
    socket.backlog = opening.backlog < 0 ? limit : std::min(limit, static_cast<std::uint32_t>(opening.backlog));
  }
  if (opening.local.family() != Family::unspecified)
    return socket.is_local() ? bind_path(socket, opening.local) : bind_ip(socket, opening.local);
  if (!listens) return {};
  return Error(Errc::invalid_argument, "listen on");
}

Result<> Wire::bind_ip(WireSocket& socket, const Address& address) {
  if (address.family() != socket.family)
    return Error(socket.family == Family::ipv4 ? Errc::not_supported : Errc::invalid_argument, "bind", address);
  const Address plain = unmapped(address).with_port(0);
  if (!plain.is_any() && !has_address(socket.host, plain)) return Error(Errc::address_not_available, "bind", address);
  socket.local = address;
  if (address.port() == 0) {
    if (!bind_ephemeral(socket, 0)) return Error(Errc::address_in_use, "bind", address);
    return {};
  }
  if (is_taken(socket)) return Error(Errc::address_in_use, "bind", address);
  enter(socket);
  return {};
}

// The next free port, in turn; not `besides`, so that nobody connects to himself.
bool Wire::bind_ephemeral(WireSocket& socket, std::uint16_t besides) {
  Host& host = hosts_[socket.host];
  std::uint16_t& next = host.next_port[kind_of(socket.role)];
  for (std::uint32_t left = host.setup.last_ephemeral - host.setup.first_ephemeral + 1U; left > 0; --left) {
    const std::uint16_t port = next;
    next = port == host.setup.last_ephemeral ? host.setup.first_ephemeral : static_cast<std::uint16_t>(port + 1);
    if (port == besides) continue;
    socket.local = socket.local.with_port(port);
    if (is_taken(socket)) continue;
    enter(socket);
    return true;
  }
  socket.local = socket.local.with_port(0);
  return false;
}

// Streams may share an address with one another and with a listener that comes after them: SO_REUSEADDR, which every
// bound stream has, and those that connect without bind() have not. Nobody comes after a listener. Accepted connections do
// not stand in the way of a new one.
bool Wire::is_taken(const WireSocket& socket) const {
  const auto& ports = hosts_[socket.host].ports[kind_of(socket.role)];
  const auto at = ports.find(socket.local.port());
  if (at == ports.end()) return false;
  return std::ranges::any_of(at->second, [&](Descriptor id) {
    const WireSocket& one = *find(id);
    if (!overlap(one, socket) || (one.reuse_port && socket.reuse_port)) return false;
    return !(one.reuse_address && socket.reuse_address && one.phase != TcpPhase::listen);
  });
}

void Wire::enter(WireSocket& socket) {
  hosts_[socket.host].ports[kind_of(socket.role)][socket.local.port()].push_back(socket.id);
  socket.bound = true;
}

// A path where nobody listens is taken over, as src/os does it after a server was killed.
Result<> Wire::bind_path(WireSocket& socket, const Address& address) {
  if (address.family() != Family::local || address.path().empty())
    return Error(Errc::invalid_argument, "bind", address);
  const WireSocket* holder = bound_path(socket.host, socket.role, address.path());
  if (holder != nullptr && (holder->role != Role::stream || is_abstract(address.path())))
    return Error(Errc::address_in_use, "bind", address);
  hosts_[socket.host].names.insert_or_assign(key_of(socket.role, address.path()), socket.id);
  socket.local = address;
  socket.bound = true;
  return {};
}

void Wire::unbind(WireSocket& socket) {
  if (!std::exchange(socket.bound, false)) return;
  Host& host = hosts_[socket.host];
  if (socket.is_local()) {
    const auto at = host.names.find(key_of(socket.role, socket.local.path()));
    if (at == host.names.end() || at->second != socket.id) return;
    at->second = no_descriptor;  // the file stays
    // As src/backend/kernel.cpp does it: the path of a listener goes with it.
    if (is_abstract(socket.local.path()) || socket.role == Role::listener) host.names.erase(at);
    return;
  }
  auto& ports = host.ports[kind_of(socket.role)];
  const auto at = ports.find(socket.local.port());
  std::erase(at->second, socket.id);
  if (at->second.empty()) ports.erase(at);
}

// ---- finding each other

bool Wire::has_address(HostId host, const Address& address) const {
  if (address.is_loopback()) return true;
  const auto at = homes_.find(address);
  return at != homes_.end() && at->second == host;
}

Address Wire::own_address(HostId host, Family family) const {
  for (const Address& address : hosts_[host].setup.addresses)
    if (address.family() == family) return address;
  return {};
}

Result<Wire::Route> Wire::route(const WireSocket& socket, const Address& target) const {
  Route route{.host = socket.host, .exists = true, .from = {}, .to = unmapped(target).with_port(0)};
  if (socket.v6_only && route.to.family() == Family::ipv4) return Errc::network_unreachable;
  if (route.to.is_any()) route.to = Address::loopback(route.to.family(), 0);  // measured
  const bool here = has_address(socket.host, route.to);
  if (route.to.is_loopback()) {
    route.from = Address::loopback(route.to.family(), 0);  // 127.0.0.1 also where it goes to 127.0.0.2 (measured)
  } else if (here) {
    route.from = route.to;
  } else {
    const auto home = homes_.find(route.to);
    route.exists = home != homes_.end();
    if (route.exists) route.host = home->second;
    route.from = own_address(socket.host, route.to.family());
    if (route.from.family() == Family::unspecified) return Errc::network_unreachable;
  }
  const Address bound = unmapped(socket.local).with_port(0);
  if (bound.family() == Family::unspecified || bound.is_any()) return route;
  if (bound.family() != route.to.family()) return Errc::network_unreachable;
  if (bound.is_loopback() && !here) return Errc::invalid_argument;
  route.from = bound;
  return route;
}

// Who takes what comes for this address: an exact one before a wildcard, one of IPv4 before one that takes both. Those that
// share a port are chosen by the port of the sender.
WireSocket* Wire::bound_at(HostId host, Role role, const Address& address, const Address& from) {
  if (address.family() == Family::local) {
    WireSocket* holder = bound_path(host, role, address.path());
    return holder != nullptr && holder->role == role ? holder : nullptr;
  }
  const auto& ports = hosts_[host].ports[kind_of(role)];
  const auto at = ports.find(address.port());
  if (at == ports.end()) return nullptr;
  int best = 0;
  std::vector<WireSocket*> found;
  for (const Descriptor id : at->second) {
    WireSocket& one = *find(id);
    if (one.role != role) continue;
    const Address local = unmapped(one.local);
    int score = 0;
    if (local == address) score = 3;
    else if (local.is_any() && local.family() == address.family()) score = 2;
    else if (is_dual(one)) score = 1;
    if (score == 0 || score < best) continue;
    if (score > best) found.clear();
    best = score;
    found.push_back(&one);
  }
  return found.empty() ? nullptr : found[from.port() % found.size()];
}

WireSocket* Wire::bound_path(HostId host, Role role, std::string_view path) const {
  const auto at = hosts_[host].names.find(key_of(role, path));
  return at == hosts_[host].names.end() ? nullptr : find(at->second);
}

// ---- connecting

// The same two addresses cannot be connected twice.
bool Wire::is_connected_already(const WireSocket& socket) const {
  const auto& ports = hosts_[socket.host].ports[kind_of(Role::stream)];
  return std::ranges::any_of(ports.at(socket.from.port()), [&](Descriptor id) {
    const WireSocket& one = *find(id);
    return &one != &socket && one.phase != TcpPhase::closed && one.from == socket.from && one.to == socket.to;
  });
}

Error Wire::connect(Descriptor descriptor, const Address& target) {
  WireSocket* socket = find(descriptor);
  if (socket == nullptr) return Errc::closed;
  const Error error = begin_connect(*socket, target);
  if (error == Errc::in_progress) return error;
  return {error.code(), "connect to", target};
}

Error Wire::begin_connect(WireSocket& socket, const Address& target) {
  if (socket.phase != TcpPhase::closed || socket.was_connected) return Errc::busy;
  if (socket.is_local()) return begin_connect_path(socket, target);
  if (target.family() == Family::unspecified) return Errc::invalid_argument;
  if (target.family() != socket.family)
    return socket.family == Family::ipv4 ? Errc::not_supported : Errc::invalid_argument;
  std::size_t most = Passage::whole;
  if (const Errc refused = judge(WireCall::What::connect, socket, most); refused != Errc::none) return refused;
  const Result<Route> route = this->route(socket, target);
  if (!route) return route.error();
  socket.local = seen_by(socket.family, route->from.with_port(socket.local.port()));
  if (!socket.bound) {
    socket.reuse_address = false;
    if (!bind_ephemeral(socket, target.port())) return Errc::address_not_available;
  }
  socket.from = unmapped(socket.local);
  socket.to = route->to.with_port(target.port());
  if (socket.from == socket.to) return Errc::self_connect;
  if (is_connected_already(socket)) return Errc::address_not_available;
  socket.peer = seen_by(socket.family, socket.to);
  socket.other_host = route->host;
  socket.phase = TcpPhase::syn_sent;
  socket.syn_time = now_;
  if (route->exists) {
    post(socket, Segment::Kind::syn);
  } else {
    schedule(now_ + arp_gives_up, Due::What::unreachable, socket.id);
  }
  return Errc::in_progress;
}

// What is wrong with a path is known at once.
Error Wire::begin_connect_path(WireSocket& socket, const Address& target) {
  if (target.family() != Family::local || target.path().empty()) return Errc::invalid_argument;
  const auto& names = hosts_[socket.host].names;
  const auto at = names.find(key_of(socket.role, target.path()));
  if (at == names.end()) return is_abstract(target.path()) ? Errc::connection_refused : Errc::not_found;
  const WireSocket* listener = find(at->second);
  if (listener == nullptr || listener->role == Role::stream) return Errc::connection_refused;
  if (listener->role == Role::datagram) return Errc::invalid_argument;
  std::size_t most = Passage::whole;
  if (const Errc refused = judge(WireCall::What::connect, socket, most); refused != Errc::none) return refused;
  socket.from = socket.local;
  socket.to = socket.peer = target;
  socket.other_host = socket.host;
  socket.phase = TcpPhase::syn_sent;
  socket.syn_time = now_;
  post(socket, Segment::Kind::syn);
  return Errc::in_progress;
}

// ---- datagrams

Result<> Wire::send_to(Descriptor descriptor, std::span<const std::byte> bytes, const Address& target) {
  WireSocket* socket = find(descriptor);
  if (socket == nullptr) return Errc::closed;
  std::size_t most = Passage::whole;
  if (const Errc refused = judge(WireCall::What::send_to, *socket, most); refused != Errc::none) return refused;
  if (socket->is_local()) return send_to_path(*socket, bytes, target);
  if (target.family() == Family::unspecified) return Errc::invalid_argument;
  if (socket->family == Family::ipv4 && target.family() != Family::ipv4) return Errc::not_supported;
  if (target.family() == Family::local || target.port() == 0) return Errc::invalid_argument;
  const Address to = unmapped(target);
  const std::size_t header = to.family() == Family::ipv4 ? 28 : 8;  // IPv4's length counts its own header
  if (bytes.size() > 65'535 - header) return Errc::message_too_long;
  const Result<Route> route = this->route(*socket, target);
  if (!route) return route.error();
  if (!socket->bound) {
    socket->local = Address::any(socket->family, 0);
    if (!bind_ephemeral(*socket, 0)) return Errc::would_block;
  }
  Result<Bytes> copy = Bytes::try_copy_of(bytes);
  if (!copy) return copy.error();
  Post post{.sender = descriptor,
            .bytes = std::move(*copy),
            .host = route->host,
            .from = route->from.with_port(socket->local.port()),
            .to = route->to.with_port(target.port())};
  if (!route->exists) return {};
  const Passage passage = this->passage({.kind = Segment::Kind::datagram,
                                         .from_host = socket->host,
                                         .to_host = post.host,
                                         .socket = descriptor,
                                         .from = &post.from,
                                         .to = &post.to,
                                         .size = bytes.size(),
                                         .bytes = bytes,
                                         .time = now_});
  record(passage.lost ? WireEvent::What::lost : WireEvent::What::departed, *socket, Segment::Kind::datagram,
         bytes.size(), bytes);
  for (std::uint32_t copies = passage.lost ? 0 : passage.copies; copies > 0; --copies)
    posts_.emplace(schedule(now_ + passage.latency, Due::What::post, descriptor), post);
  return {};
}

// A full queue makes the sender wait, other than with UDP.
Result<> Wire::send_to_path(WireSocket& socket, std::span<const std::byte> bytes, const Address& target) {
  if (target.family() != Family::local || target.path().empty()) return Errc::invalid_argument;
  const auto& names = hosts_[socket.host].names;
  const auto at = names.find(key_of(socket.role, target.path()));
  if (at == names.end()) return is_abstract(target.path()) ? Errc::connection_refused : Errc::not_found;
  WireSocket* holder = find(at->second);
  if (holder == nullptr) return Errc::connection_refused;
  if (holder->role != Role::datagram) return Errc::invalid_argument;
  if (bytes.size() > hosts_[socket.host].setup.datagram_queue - datagram_overhead) return Errc::message_too_long;
  if (holder->letters.size() + holder->letters_coming > most_letters) {
    holder->writers.push_back(socket.id);
    return Errc::would_block;
  }
  Result<Bytes> copy = Bytes::try_copy_of(bytes);
  if (!copy) return copy.error();
  ++holder->letters_coming;
  Post post{.sender = socket.id, .bytes = std::move(*copy), .host = socket.host, .from = socket.local, .to = target};
  const Passage passage = this->passage({.kind = Segment::Kind::datagram,
                                         .from_host = socket.host,
                                         .to_host = socket.host,
                                         .socket = socket.id,
                                         .from = &post.from,
                                         .to = &post.to,
                                         .size = bytes.size(),
                                         .bytes = bytes,
                                         .time = now_});
  record(WireEvent::What::departed, socket, Segment::Kind::datagram, bytes.size());
  posts_.emplace(schedule(now_ + passage.latency, Due::What::post, socket.id), std::move(post));
  return {};
}

// Where nobody is bound, and where the queue is full, it vanishes. (Linux tells an unconnected socket nothing of it.)
void Wire::deliver_post(Post post) {
  WireSocket* socket = bound_at(post.host, Role::datagram, post.to, post.from);
  if (socket == nullptr) return;
  Letter letter{post.bytes, post.from};
  const std::size_t cost = cost_of(letter);
  if (socket->is_local()) {
    if (socket->letters_coming > 0) --socket->letters_coming;
  } else if (socket->letter_bytes + cost > hosts_[socket->host].setup.datagram_queue) {
    return record(WireEvent::What::dropped, *socket, Segment::Kind::datagram, post.bytes.size());
  }
  record(WireEvent::What::arrived, *socket, Segment::Kind::datagram, post.bytes.size(), post.bytes.bytes());
  socket->letter_bytes += cost;
  letter.from = seen_by(socket->family, post.from);
  letter.cost = cost;
  socket->letters.push_back(std::move(letter));
  stir(*socket);
}

Result<Wire::Letter> Wire::receive_from(Descriptor descriptor) {
  WireSocket* socket = find(descriptor);
  if (socket == nullptr) return Errc::closed;
  if (socket->letters.empty()) return Errc::would_block;
  std::size_t most = Passage::whole;
  if (const Errc refused = judge(WireCall::What::receive_from, *socket, most); refused != Errc::none) return refused;
  Letter letter = std::move(socket->letters.front());
  socket->letters.pop_front();
  socket->letter_bytes -= letter.cost;
  for (const Descriptor writer : std::exchange(socket->writers, {}))
    if (WireSocket* waiting = find(writer)) stir(*waiting);
  return letter;
}

// ---- questions

Result<Address> Wire::local(Descriptor descriptor) const {
  const WireSocket* socket = find(descriptor);
  if (socket == nullptr) return Errc::closed;
  if (socket->local.family() != Family::unspecified) return socket->local;
  return Address::any(socket->family, 0);
}

// As getpeername(2): who is gone has no address any more.
Result<Address> Wire::peer(Descriptor descriptor) const {
  const WireSocket* socket = find(descriptor);
  if (socket == nullptr) return Errc::closed;
  const bool known = socket->is_local() ? socket->was_connected : socket->is_connected();
  if (!known) return Error(Errc::not_connected, "ask for the peer's address");
  return socket->peer;
}

Result<SocketInfo> Wire::info(Descriptor descriptor) const {
  const WireSocket* socket = find(descriptor);
  if (socket == nullptr) return Errc::closed;
  SocketInfo info;
  if (socket->role == Role::datagram || socket->is_local()) {
    if (socket->role == Role::listener) return info;
    info.receive_queue = static_cast<std::int64_t>(socket->role == Role::datagram && !socket->letters.empty()
                                                       ? socket->letters.front().bytes.size()
                                                       : socket->unread_bytes);
    info.send_queue = static_cast<std::int64_t>(socket->unacknowledged());
    return info;
  }
  info.state = name(socket->phase);
  if (socket->role == Role::listener) {
    info.receive_queue = static_cast<std::int64_t>(socket->queue.size());
    info.send_queue = socket->backlog;
    return info;
  }
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(socket->round_trip).count();
  info.rtt_us = socket->was_connected ? us : 0;
  info.retransmits = static_cast<std::int64_t>(socket->retransmits);
  const bool fin_acknowledged = socket->fin_sent && socket->acknowledged == socket->sent;
  info.bytes_acknowledged = static_cast<std::int64_t>(socket->acknowledged - (fin_acknowledged ? 1 : 0));
  info.bytes_received = static_cast<std::int64_t>(socket->received);  // Linux counts the FIN as a byte
  info.receive_queue = static_cast<std::int64_t>(socket->unread_bytes);
  info.send_queue = static_cast<std::int64_t>(socket->unacknowledged());
  return info;
}

}  // namespace v1
}  // namespace meari
