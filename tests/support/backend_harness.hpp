// A backend under test, and what a case of the contract suite needs around it.
//
//   class Reading : public Contract {};
//   TEST_P(Reading, gives_what_the_peer_sent) {
//     auto [client, server] = connected();
//     send(client, "hello");
//     EXPECT_EQ(receive(server), "hello");
//   }
//   MEARI_EVERY_BACKEND(Reading);
//
// There is no loop here: a case submits operations and turns the backend itself. Nothing sleeps; a case waits for an
// event, for so long as `patience`, in the backend's own time. Three guards are always up: an operation that was
// promised a completion gets exactly one; after the case no slot is in use and no byte on loan; and when the backends
// have gone, as many descriptors are open as before.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <meari/backend.hpp>

namespace meari {
inline namespace v1 {
void PrintTo(Errc code, std::ostream* out);
void PrintTo(const Address& address, std::ostream* out);
void PrintTo(Submitted submitted, std::ostream* out);
}  // namespace v1
}  // namespace meari

namespace meari::test {

using namespace std::chrono_literals;

// The makes of backend that keep the contract.
enum class Make : std::uint8_t { epoll, uring, uring_floor, iocp, wire };
[[nodiscard]] const char* name(Make make) noexcept;
[[nodiscard]] const std::vector<Make>& makes();  // that this system has
[[nodiscard]] BackendChoice choice_of(Make make) noexcept;
// Those of them that work with sockets of the system, as users name them.
[[nodiscard]] std::vector<BackendChoice> system_choices();

// What a few cases need and not every make has. The table with the reasons is in backend_harness.cpp.
enum class Need : std::uint8_t {
  system_sockets,  // descriptors that the system knows: for Socket, setsockopt(2), setrlimit(2), foreign ones
  unix_domain,     // addresses of Family::local
  abstract_names,  // such addresses outside of the file system
  ipv6,
  shared_ports,       // several listeners on one port
  descriptor_limit,   // a limit on descriptors that a process can set for itself
  tcp_info,           // Backend::info() of a stream
  resets,             // closing with RST
  reset_in_queue,     // a client that left again is accepted all the same
  small_pairs,        // Backend::pair() whose buffers single bytes fill
  quick_system,       // many thousand calls in a second
  refused_datagrams,  // a datagram socket cannot be bound where this machine is not
  dissolving,         // a socket that met itself can be connected once more
};
// Why this make cannot run a case that needs it; empty when it can.
[[nodiscard]] std::string missing(Make make, Need need);
// The same for a case without a make: about this system's sockets.
[[nodiscard]] std::string missing(Need need);

#define MEARI_NEEDS(need)                                                                                  \
  if (const std::string why = ::meari::test::missing(GetParam(), ::meari::test::Need::need); !why.empty()) \
  GTEST_SKIP() << why

#define MEARI_SYSTEM_NEEDS(need) \
  if (const std::string why = ::meari::test::missing(::meari::test::Need::need); !why.empty()) GTEST_SKIP() << why

// A case that fails, as its room knows. MEARI_REPORTED=1 runs it all the same.
#define MEARI_REPORTED(why) \
  if (std::getenv("MEARI_REPORTED") == nullptr) GTEST_SKIP() << "reported: " why

#define MEARI_EVERY_BACKEND(Suite)                                               \
  INSTANTIATE_TEST_SUITE_P(, Suite, ::testing::ValuesIn(::meari::test::makes()), \
                           [](const auto& info) { return std::string(::meari::test::name(info.param)); })

// One end of a conversation, or a listener: a slot and the backend that has it.
struct End {
  Backend* backend = nullptr;
  SlotId slot;
};

// How much the kernel keeps for a connection: small is 32 KiB in each direction, which is soon full.
enum class Buffers : bool { usual, small };

class Contract;

// Watches that an operation completes exactly once for each time that it was promised.
class Watched {
 public:
  std::function<void()> then;  // called from run()
  [[nodiscard]] bool over() const noexcept { return ran_ == promised_; }
  [[nodiscard]] int completions() const noexcept { return ran_; }
  // Its backend has been destroyed: nobody is left to call run().
  void orphaned() noexcept { ran_ = promised_; }

 protected:
  Watched() = default;
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
  ~Watched() = default;

  Submitted start(Contract& home, End end, Operation& operation);
  void completed(const Operation& operation);
  void abandon(Operation& operation);

 private:
  Contract* home_ = nullptr;
  Backend* backend_ = nullptr;
  int promised_ = 0;
  int ran_ = 0;
};

// An operation of a case: a Receive, a Send … Going out of scope while it is pending cancels it and waits for it.
template <class Op>
class Tracked final : public Op, public Watched {
 public:
  Tracked() {
    this->run = [](Ready& ready) {
      auto& self = static_cast<Tracked&>(ready);
      self.completed(self);
    };
  }
  ~Tracked() { abandon(*this); }
  Submitted start(Contract& home, End end) {
    this->slot = end.slot;
    return Watched::start(home, end, *this);
  }
};

class Contract : public testing::TestWithParam<Make> {
 public:
  static constexpr Duration patience = 40s;
  static constexpr std::size_t plenty = std::size_t{64} << 20;

  ~Contract() override;

  // ---- turning
  // Waits once on every backend and runs what is ready.
  void turn(Time until);
  // Turns until it is so; false when patience has run out.
  bool until(const std::function<bool()>& so);
  // Turns for a while: what is on its way arrives. Only where every outcome is right, or nothing may happen.
  void let_pass(Duration time);
  // Turns this backend alone, while the others stand still.
  bool until_alone(Backend& one, const std::function<bool()>& so);
  static void run_ready(Backend& one);

  // ---- operations
  template <class Op>
  Submitted start(End end, Tracked<Op>& operation) {
    return operation.start(*this, end);
  }
  // Its error's code, when it has completed; in_progress when patience has run out.
  template <class Op>
  Errc outcome(Tracked<Op>& operation) {
    if (until([&] { return operation.over(); })) return operation.error.code();
    ADD_FAILURE() << "the operation has not completed";
    return Errc::in_progress;
  }
  template <class Op>
  Errc run(End end, Tracked<Op>& operation) {
    start(end, operation);
    return outcome(operation);
  }

  // ---- the everyday, each with its own expectation of success
  std::string receive(End end, std::size_t limit = std::numeric_limits<std::size_t>::max());
  std::string receive_exactly(End end, std::size_t count);
  std::string receive_all(End end);  // up to the end of the stream
  Errc receive_error(End end);       // none when bytes or the end came
  void send(End end, std::string_view text);
  Errc send_error(End end, std::string_view text);
  void finish(End end);
  // Reads until the failure or the end that must come; none for the end.
  Errc receive_last(End end);
  // Sends until sending fails, and says how.
  Errc send_until_failure(End end);
  // Sends until the peer, who must not be reading, takes no more. The operation is left pending.
  void fill(End end, std::string_view block, Tracked<Send>& stalled, std::size_t* taken = nullptr);

  // ---- making ends
  [[nodiscard]] Backend& backend() { return *backends_.at(0); }
  [[nodiscard]] Backend& sibling();  // a second one of the same make
  End open(const Opening& opening);
  End open(Backend& where, const Opening& opening);
  End stream(Family family = Family::ipv4) { return open({.family = family}); }
  End listen(Family family = Family::ipv4, int backlog = -1);
  End keep(Backend& where, Result<SlotId> slot);  // closed with the case
  End listen_at(const Address& address, int backlog = -1);
  [[nodiscard]] Address free_address(Family family);  // for a listener: port 0, or a name that nobody has
  [[nodiscard]] Address local(End end);
  End dial(const Address& address, Buffers buffers = Buffers::usual);
  End dial(Backend& from, const Address& address, Buffers buffers = Buffers::usual);
  End accept(End listener, Address* from = nullptr);
  End adopt(Backend& where, Descriptor descriptor, Role role = Role::stream);
  std::pair<End, End> connected(Family family = Family::ipv4, Buffers buffers = Buffers::usual);  // client, server
  std::pair<End, End> connected_to_sibling(Family family = Family::ipv4);  // the client is the sibling's
  std::pair<End, End> pair();
  void close(End end, bool abort = false) { end.backend->close(end.slot, abort); }
  [[nodiscard]] SlotFacts facts(End end) const { return end.backend->facts(end.slot); }
  // Makes the kernel's buffers of this connection small, where it has any; those of a listener are inherited. Best done before
  // there is a connection (Buffers::small): a window that was promised stays promised, and what fills it beyond the buffer is
  // dropped and sent again after pauses that double, for as long as nobody reads.
  void narrow(End end);

  // One more backend of this make for a case that drives it by itself. It must go before the case ends.
  [[nodiscard]] std::unique_ptr<Backend> make_backend() { return make().value(); }
  // Other backends for this case: one, with so much pool.
  void with_pool(std::size_t pool_bytes);
  // Destroys all backends, with whatever is pending.
  void destroy_backends();

 protected:
  Contract();
  void SetUp() override;
  void TearDown() override;

 private:
  friend class DescriptorShortage;
  struct Net;  // what the backends of a make have in common
  Result<std::unique_ptr<Backend>> make();

  std::unique_ptr<Net> net_;
  std::vector<std::unique_ptr<Backend>> backends_;
  std::vector<End> ends_;
  std::size_t pool_bytes_ = plenty;
  std::size_t descriptors_before_ = 0;
};

// How many descriptors this process has open.
[[nodiscard]] std::size_t open_descriptors();

// No more descriptors than are open now, while this lives.
class DescriptorShortage {
 public:
  explicit DescriptorShortage(Contract& home);
  ~DescriptorShortage();
  DescriptorShortage(const DescriptorShortage&) = delete;
  DescriptorShortage& operator=(const DescriptorShortage&) = delete;

 private:
  Contract& home_;
  std::uint64_t before_ = 0;
};

}  // namespace meari::test
