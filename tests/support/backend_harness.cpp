#include "backend_harness.hpp"

#include <algorithm>
#include <atomic>

#include <meari/socket.hpp>

#include "src/backend/wire.hpp"
#include "src/os/native.hpp"
#include "this_system.hpp"

namespace meari {
inline namespace v1 {
void PrintTo(Errc code, std::ostream* out) { *out << '"' << describe(code) << '"'; }
void PrintTo(const Address& address, std::ostream* out) { *out << address.to_string(); }
void PrintTo(Submitted submitted, std::ostream* out) { *out << (submitted == Submitted::done ? "done" : "pending"); }
}  // namespace v1
}  // namespace meari

namespace meari::test {

// ---- makes, and what they lack

const char* name(Make make) noexcept {
  switch (make) {
    case Make::epoll: return "epoll";
    case Make::uring: return "uring";
    case Make::uring_floor: return "uring_floor";
    case Make::iocp: return "iocp";
    case Make::wire: return "wire";
  }
  return "?";
}

BackendChoice choice_of(Make make) noexcept {
  switch (make) {
    case Make::epoll: return BackendChoice::epoll;
    case Make::uring: return BackendChoice::uring;
    case Make::uring_floor: return BackendChoice::uring_floor;
    case Make::iocp: return BackendChoice::iocp;
    case Make::wire: break;
  }
  return BackendChoice::automatic;
}

std::vector<BackendChoice> system_choices() {
  std::vector<BackendChoice> choices;
  for (const Make make : makes())
    if (make != Make::wire) choices.push_back(choice_of(make));
  return choices;
}

namespace {

struct Lack {
  Make make;
  Need need;
  const char* why;
};
constexpr Lack lacks[] = {
    {Make::wire, Need::system_sockets, "simulated sockets have descriptors that the system does not know"},
    {Make::iocp, Need::descriptor_limit, "Windows has no limit on handles that a process could set for itself"},
    {Make::iocp, Need::shared_ports, "Windows has no SO_REUSEPORT"},
    {Make::iocp, Need::tcp_info, "Windows tells it in another way, and wine not at all"},
    {Make::iocp, Need::reset_in_queue, "Windows forgets a client that leaves before it is accepted"},
    {Make::iocp, Need::small_pairs,
     "a pair is a connection over loopback there, which takes megabytes of single bytes"},
    {Make::iocp, Need::dissolving, "Windows has no way to take a connection off a socket"},
    {Make::iocp, Need::abstract_names, "Windows has no names of sockets outside of the file system"},
};

bool machine_has_ipv6() {
  static const bool has = [] {
    Result<Socket> socket = Socket::open(Family::ipv6, Kind::stream);
    return socket && socket->bind(Address::loopback(Family::ipv6, 0)).has_value();
  }();
  return has;
}

bool machine_has_unix_domain() {
  static const bool has = Socket::open(Family::local, Kind::stream).has_value();
  return has;
}

}  // namespace

std::string missing(Make make, Need need) {
  for (const Lack& lack : lacks) {
    if (lack.make == make && lack.need == need) return lack.why;
  }
  if (need == Need::quick_system && make == Make::iocp && is_wine())
    return "under wine a call takes a good part of a millisecond";
  if (need == Need::refused_datagrams && make == Make::iocp && is_wine())
    return "wine binds a datagram socket to all addresses when it cannot have the one";
  if (need == Need::resets && make == Make::iocp && is_wine())
    return "wine says FIN before it says RST, so that what is broken off looks finished to the peer";
  if (need == Need::unix_domain && make == Make::iocp && !machine_has_unix_domain())
    return "this system has no Unix-domain sockets";
  if (need == Need::ipv6 && make != Make::wire && !machine_has_ipv6()) return "this machine has no IPv6";
  return {};
}

std::string missing(Need need) { return missing(makes().front(), need); }

// ---- operations

Submitted Watched::start(Contract& home, End end, Operation& operation) {
  home_ = &home;
  backend_ = end.backend;
  const int before = ran_;
  const Submitted submitted = end.backend->submit(operation);
  EXPECT_EQ(ran_, before) << "submit ran somebody's code";
  if (submitted == Submitted::pending) {
    ++promised_;
  } else {
    EXPECT_EQ(operation.state, Operation::State::completed);
    EXPECT_FALSE(operation.error) << "a failure said done: " << operation.error.message();
  }
  return submitted;
}

void Watched::completed(const Operation& operation) {
  ++ran_;
  EXPECT_LE(ran_, promised_) << "completed more often than promised";
  EXPECT_EQ(operation.state, Operation::State::completed);
  if (!then) return;
  const std::function<void()> last = then;  // which may destroy us
  last();
}

void Watched::abandon(Operation& operation) {
  if (home_ == nullptr || over()) return;
  then = nullptr;
  backend_->cancel(operation);
  if (home_->until([this] { return over(); })) return;
  backend_->close(operation.slot);
  if (!home_->until([this] { return over(); })) ADD_FAILURE() << "neither cancel nor close has completed an operation";
}

// ---- backends

struct Contract::Net {
  Wire wire;
  HostId host = wire.add_host({.name = "host"});
};

Contract::Contract() = default;
Contract::~Contract() = default;

Result<std::unique_ptr<Backend>> Contract::make() {
  if (GetParam() == Make::wire) return make_wire_backend(net_->wire, net_->host, pool_bytes_);
  Result<ChosenBackend> chosen = choose_backend({.choice = choice_of(GetParam()), .pool_bytes = pool_bytes_});
  if (!chosen) return chosen.error();
  return std::move(chosen->backend);
}

void Contract::SetUp() {
  static_cast<void>(os::raise_descriptor_limit());
  descriptors_before_ = open_descriptors();
  net_ = std::make_unique<Net>();
  Result<std::unique_ptr<Backend>> made = make();
  if (!made) GTEST_SKIP() << name(GetParam()) << " cannot be had here: " << made.error().message();
  backends_.push_back(std::move(*made));
}

Backend& Contract::sibling() {
  if (backends_.size() < 2) backends_.push_back(make().value());
  return *backends_.at(1);
}

void Contract::with_pool(std::size_t pool_bytes) {
  destroy_backends();
  pool_bytes_ = pool_bytes;
  net_ = std::make_unique<Net>();
  backends_.push_back(make().value());
}

void Contract::destroy_backends() {
  ends_.clear();
  backends_.clear();
}

void Contract::TearDown() {
  for (const End& end : ends_) end.backend->close(end.slot);
  for (const std::unique_ptr<Backend>& one : backends_) {
    EXPECT_TRUE(until([&] { return one->slots_in_use() == 0; })) << one->slots_in_use() << " slots are still in use";
    EXPECT_EQ(one->bytes_on_loan(), 0U);
  }
  destroy_backends();
  net_.reset();
  EXPECT_EQ(open_descriptors(), descriptors_before_) << "descriptors were lost, or closed by mistake";
}

DescriptorShortage::DescriptorShortage(Contract& home) : home_(home) {
  if (home.GetParam() != Make::wire) {
    before_ = forbid_descriptors();
    return;
  }
  const auto call = [](const WireCall& made) -> Verdict {
    const bool needs_one = made.what == WireCall::What::open || made.what == WireCall::What::accept;
    return {needs_one ? Errc::too_many_descriptors : Errc::none};
  };
  home.net_->wire.set_weather({.passage = {}, .call = call});
}

DescriptorShortage::~DescriptorShortage() {
  if (home_.GetParam() == Make::wire) {
    home_.net_->wire.set_weather({});
  } else {
    allow_descriptors(before_);
  }
}

// ---- turning

void Contract::run_ready(Backend& one) {
  while (Ready* ready = one.ready().pop()) ready->run(*ready);
}

void Contract::turn(Time until) {
  if (backends_.size() == 1) {
    backend().wait(until);
    return run_ready(backend());
  }
  // Each has a time of its own, and none may sleep for long while another has something to do.
  for (const std::unique_ptr<Backend>& one : backends_) {
    one->wait(std::min(until, one->now() + 500us));
    run_ready(*one);
  }
}

bool Contract::until(const std::function<bool()>& so) {
  if (so()) return true;
  const Time deadline = backend().now() + patience;
  while (backend().now() < deadline) {
    turn(deadline);
    if (so()) return true;
  }
  return false;
}

void Contract::let_pass(Duration time) {
  const Time deadline = backend().now() + time;
  while (backend().now() < deadline) turn(deadline);
}

bool Contract::until_alone(Backend& one, const std::function<bool()>& so) {
  const Time deadline = one.now() + patience;
  while (!so()) {
    if (one.now() >= deadline) return false;
    one.wait(deadline);
    run_ready(one);
  }
  return true;
}

// ---- the everyday

std::string Contract::receive(End end, std::size_t limit) {
  Tracked<Receive> receive;
  receive.limit = limit;
  EXPECT_EQ(run(end, receive), Errc::none);
  return std::string(receive.chunk.text());
}

std::string Contract::receive_exactly(End end, std::size_t count) {
  std::string all;
  while (all.size() < count) {
    const std::string more = receive(end, count - all.size());
    if (more.empty()) break;
    all += more;
  }
  EXPECT_EQ(all.size(), count) << "the stream ended before";
  return all;
}

std::string Contract::receive_all(End end) {
  std::string all;
  for (;;) {
    Tracked<Receive> receive;
    const Errc error = run(end, receive);
    EXPECT_EQ(error, Errc::none);
    if (error != Errc::none || receive.chunk.empty()) return all;
    all += receive.chunk.text();
  }
}

Errc Contract::receive_error(End end) {
  Tracked<Receive> receive;
  return run(end, receive);
}

Errc Contract::receive_last(End end) {
  for (;;) {
    Tracked<Receive> receive;
    if (const Errc error = run(end, receive); error != Errc::none) return error;
    if (receive.chunk.empty()) return Errc::none;
  }
}

void Contract::send(End end, std::string_view text) { EXPECT_EQ(send_error(end, text), Errc::none); }

Errc Contract::send_error(End end, std::string_view text) {
  Tracked<SendPieces> send;
  const std::span<const std::byte> piece = std::as_bytes(std::span(text.data(), text.size()));
  send.carry({&piece, 1});
  return run(end, send);
}

Errc Contract::send_until_failure(End end) {
  for (int i = 0; i < 100000; ++i) {
    if (const Errc error = send_error(end, "once more"); error != Errc::none) return error;
  }
  return Errc::none;
}

void Contract::finish(End end) {
  Tracked<Finish> finish;
  EXPECT_EQ(run(end, finish), Errc::none);
}

void Contract::fill(End end, std::string_view block, Tracked<Send>& stalled, std::size_t* taken) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(block.data(), block.size()));
  const auto goes_through = [&] {
    stalled.chunk = Chunk::view(bytes);
    if (start(end, stalled) == Submitted::done) return true;
    const Time deadline = backend().now() + 20ms;
    while (!stalled.over() && backend().now() < deadline) turn(deadline);
    return stalled.over() && !stalled.error;
  };
  std::size_t before = 0;
  while (goes_through()) {
    before += block.size();
    ASSERT_LT(before, std::size_t{256} << 20) << "the peer takes everything";
  }
  EXPECT_FALSE(stalled.over()) << stalled.error.message();
  if (taken != nullptr) *taken = before;
}

// ---- making ends

End Contract::keep(Backend& where, Result<SlotId> slot) {
  EXPECT_TRUE(slot.has_value()) << slot.error().message();
  if (!slot) return {&where, {}};
  ends_.push_back({&where, *slot});
  return ends_.back();
}

End Contract::open(const Opening& opening) { return open(backend(), opening); }
End Contract::open(Backend& where, const Opening& opening) { return keep(where, where.open(opening)); }
End Contract::adopt(Backend& where, Descriptor descriptor, Role role) {
  return keep(where, where.adopt(descriptor, role));
}

Address Contract::free_address(Family family) {
  if (family != Family::local) return Address::loopback(family, 0);
  static std::atomic<int> number{0};
  return Address::from_path("@meari-contract-" + std::to_string(process_number()) + "-" + std::to_string(++number))
      .value();
}

End Contract::listen(Family family, int backlog) { return listen_at(free_address(family), backlog); }

End Contract::listen_at(const Address& address, int backlog) {
  return open({.role = Role::listener, .family = address.family(), .local = address, .backlog = backlog});
}

Address Contract::local(End end) {
  Result<Address> address = end.backend->local(end.slot);
  EXPECT_TRUE(address.has_value()) << address.error().message();
  return address ? *address : Address();
}

End Contract::dial(const Address& address, Buffers buffers) { return dial(backend(), address, buffers); }

End Contract::dial(Backend& from, const Address& address, Buffers buffers) {
  const End end = open(from, {.family = address.family()});
  if (buffers == Buffers::small) narrow(end);
  Tracked<Connect> connect;
  connect.target = address;
  EXPECT_EQ(run(end, connect), Errc::none) << connect.error.message();
  return end;
}

End Contract::accept(End listener, Address* from) {
  Tracked<Accept> accept;
  EXPECT_EQ(run(listener, accept), Errc::none) << accept.error.message();
  if (from != nullptr) *from = accept.from;
  return keep(*listener.backend, listener.backend->adopt_accepted(accept.accepted, accept.from));
}

std::pair<End, End> Contract::connected(Family family, Buffers buffers) {
  const End listener = listen(family);
  if (buffers == Buffers::small) narrow(listener);
  const End client = dial(local(listener), buffers);
  const End server = accept(listener);
  close(listener);
  return {client, server};
}

std::pair<End, End> Contract::connected_to_sibling(Family family) {
  const End listener = listen(family);
  const End client = dial(sibling(), local(listener));
  const End server = accept(listener);
  close(listener);
  return {client, server};
}

std::pair<End, End> Contract::pair() {
  Result<std::pair<SlotId, SlotId>> made = backend().pair();
  EXPECT_TRUE(made.has_value()) << made.error().message();
  if (!made) return {};
  return {keep(backend(), made->first), keep(backend(), made->second)};
}

void Contract::narrow(End end) {
  if (!missing(GetParam(), Need::system_sockets).empty()) return;
  const Descriptor descriptor = facts(end).descriptor;
  static_cast<void>(os::set_send_buffer(descriptor, 32 << 10));
  static_cast<void>(os::set_receive_buffer(descriptor, 32 << 10));
}

}  // namespace meari::test
