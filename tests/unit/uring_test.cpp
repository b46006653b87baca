// What is special about the backend over io_uring: the self-test, slabs in the hands of the kernel, small queues, threads,
// and what is chosen where io_uring is forbidden. What every backend has to do is in tests/contract.
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <set>
#include <thread>

#include <meari/dice.hpp>
#include "src/backend/pool.hpp"
#include "src/backend/uring.hpp"
#include "src/backend/uring_probe.hpp"
#include "src/os/native.hpp"
#include "support/allocations.hpp"
#include "support/pattern.hpp"

namespace meari {
namespace {

using namespace std::chrono_literals;
using test::match_pattern;
using test::pattern;

template <class Op>
struct Counted : Op {
  Counted() {
    this->run = [](Ready& ready) { static_cast<Counted&>(ready).over = true; };
  }
  bool over = false;
};

// The parameter: on the floor?
class Uring : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (const uring::Abilities found = uring::probe(); found.refused) GTEST_SKIP() << found.refused.message();
    if (!GetParam() && !uring::probe().current) GTEST_SKIP() << "this kernel has only the floor";
  }

  void make(UringOptions options = {}) {
    options.floor = GetParam();
    backend_ = make_uring(options).value();
  }

  void turn(Time until) {
    backend_->wait(until);
    while (Ready* ready = backend_->ready().pop()) ready->run(*ready);
  }
  template <class So>
  bool until(So&& so) {
    const Time end = backend_->now() + 20s;
    while (!so()) {
      if (backend_->now() > end) return false;
      turn(std::min(end, backend_->now() + 100ms));
    }
    return true;
  }
  template <class Op>
  void start(SlotId slot, Counted<Op>& operation) {
    operation.slot = slot;
    operation.over = false;
    if (backend_->submit(operation) == Submitted::done) operation.over = true;
  }
  Chunk receive(SlotId slot) {
    Counted<Receive> receive;
    start(slot, receive);
    EXPECT_TRUE(until([&] { return receive.over; }));
    EXPECT_FALSE(receive.error) << receive.error.message();
    return std::move(receive.chunk);
  }
  void send(SlotId slot, std::string_view text) {
    const std::span<const std::byte> bytes = std::as_bytes(std::span(text));
    Counted<SendPieces> send;
    send.carry({&bytes, 1});
    start(slot, send);
    EXPECT_TRUE(until([&] { return send.over; }));
    EXPECT_FALSE(send.error) << send.error.message();
  }

  // What is large enough for it goes without a turn.
  void send_at_once(SlotId slot, std::string_view text) {
    Counted<Send> send;
    send.chunk = Chunk::view(std::as_bytes(std::span(text)));
    start(slot, send);
    EXPECT_TRUE(until([&] { return send.over; }));
  }

  // Over TCP, where receives are multishot.
  std::pair<SlotId, SlotId> connected() {
    if (!listener_) listener_ = backend_->open({.role = Role::listener, .local = {"127.0.0.1", 0}}).value();
    const SlotId client = backend_->open({}).value();
    Counted<Connect> connect;
    Counted<Accept> accept;
    connect.target = backend_->local(listener_).value();
    start(client, connect);
    start(listener_, accept);
    EXPECT_TRUE(until([&] { return connect.over && accept.over; }));
    return {client, backend_->adopt(accept.accepted, Role::stream).value()};
  }

  std::unique_ptr<Backend> backend_;
  SlotId listener_;
};
INSTANTIATE_TEST_SUITE_P(, Uring, testing::Values(false, true),
                         [](const auto& info) { return info.param ? "floor" : "current"; });

TEST_P(Uring, a_light_load_never_leaves_the_first_slab) {
  make();
  const auto [client, server] = connected();
  std::set<std::uintptr_t> slabs;
  for (int i = 0; i < 5000; ++i) {
    send(client, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    slabs.insert(reinterpret_cast<std::uintptr_t>(receive(server).data()) / 4096);
  }
  EXPECT_LE(slabs.size(), GetParam() ? 16U : 1U) << "pages";
  EXPECT_EQ(backend_->bytes_on_loan(), 0U);
}

TEST_P(Uring, the_pool_is_whole_after_chunks_of_every_lifetime) {
  for (const std::size_t pool : {2 * Pool::slab_bytes, std::size_t{64} << 20}) {
    make({.pool_bytes = pool});
    Dice dice(pool);
    std::vector<std::pair<SlotId, SlotId>> pairs;
    for (int i = 0; i < 20; ++i) pairs.push_back(connected());
    std::deque<Chunk> kept;
    std::vector<std::uint64_t> sent(pairs.size()), got(pairs.size());
    for (int step = 0; step < 4000; ++step) {
      const auto i = static_cast<std::size_t>(dice.below(pairs.size()));
      if (sent[i] == got[i]) {
        const std::string text = pattern(i, sent[i], 1 + dice.below(dice.below(10) == 0 ? 60'000 : 300));
        send(pairs[i].first, text);
        sent[i] += text.size();
      }
      if (kept.size() > 100 || pool < (1U << 20)) {
        while (!kept.empty() && dice.below(10) != 0) kept.pop_front();
        if (pool < (1U << 20)) kept.clear();
      }
      Chunk chunk = receive(pairs[i].second);
      ASSERT_EQ(match_pattern(i, got[i], chunk.bytes()), chunk.size()) << "step " << step;
      got[i] += chunk.size();
      if (dice.below(3) == 0 && !chunk.empty()) kept.push_back(chunk.split(1 + dice.below(chunk.size())));
    }
    kept.clear();
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      while (got[i] < sent[i]) {
        const Chunk chunk = receive(pairs[i].second);
        ASSERT_EQ(match_pattern(i, got[i], chunk.bytes()), chunk.size());
        got[i] += chunk.size();
      }
    }
    EXPECT_EQ(backend_->bytes_on_loan(), 0U);
    listener_ = {};
  }
}

TEST_P(Uring, a_reader_without_memory_goes_on_when_some_has_come_back) {
  make({.pool_bytes = 2 * Pool::slab_bytes});
  const auto [client, server] = connected();
  const auto [other_client, other_server] = connected();
  std::vector<Chunk> kept;
  std::size_t size = 0;
  while (size < (490U << 10)) {  // most of both slabs
    send(client, std::string(10'000, 'x'));
    for (std::size_t more = 0; more < 10'000;) {
      kept.push_back(receive(server));
      more += kept.back().size();
      size += kept.back().size();
    }
  }
  const std::string text = pattern(1, 0, 100'000);
  send(other_client, text.substr(0, 60'000));
  std::uint64_t got = 0;
  while (got < 20'000) {  // until nothing is left
    Counted<Receive> receive;
    start(other_server, receive);
    const Time end = backend_->now() + 50ms;
    while (!receive.over && backend_->now() < end) turn(end);
    if (!receive.over) {
      kept.clear();
      ASSERT_TRUE(until([&] { return receive.over; }));
    }
    ASSERT_EQ(match_pattern(1, got, receive.chunk.bytes()), receive.chunk.size());
    got += receive.chunk.size();
    kept.push_back(std::move(receive.chunk));
  }
  kept.clear();
  while (got < 60'000) {
    const Chunk chunk = receive(other_server);
    ASSERT_EQ(match_pattern(1, got, chunk.bytes()), chunk.size());
    got += chunk.size();
  }
  EXPECT_EQ(backend_->bytes_on_loan(), 0U);
}

TEST_P(Uring, large_messages_pass_through_the_same_memory) {
  make();
  const auto [client, server] = connected();
  const std::string much(40'000, 'x');
  std::set<const std::byte*> places;
  for (int i = 0; i < 100; ++i) {
    send_at_once(client, much);
    for (std::size_t size = 0; size < much.size();) {
      const Chunk chunk = receive(server);
      if (i != 0 && size == 0) places.insert(chunk.data());
      size += chunk.size();
    }
  }
  EXPECT_LE(places.size(), 4U);  // a piece that came late would be a small one
}

TEST_P(Uring, more_than_the_queues_hold_is_no_more_than_slow) {
  make({.submissions = 16, .completions = 16});
  std::vector<std::pair<SlotId, SlotId>> pairs;
  for (int i = 0; i < 200; ++i) pairs.push_back(connected());
  for (std::uint64_t round = 0; round < 5; ++round) {
    std::deque<Counted<Receive>> receives(pairs.size());
    std::deque<Counted<SendPieces>> sends(pairs.size());
    std::deque<std::string> texts;
    std::deque<std::span<const std::byte>> pieces;
    for (std::size_t i = 0; i < pairs.size(); ++i) start(pairs[i].second, receives[i]);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      texts.push_back(pattern(i, round * 100, 100));
      pieces.push_back(std::as_bytes(std::span(texts.back())));
      sends[i].carry({&pieces.back(), 1});
      start(pairs[i].first, sends[i]);
    }
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      ASSERT_TRUE(until([&] { return sends[i].over && receives[i].over; }));
      EXPECT_FALSE(sends[i].error);
      std::string got(receives[i].chunk.text());
      while (got.size() < texts[i].size()) got += receive(pairs[i].second).text();  // a slab may end within a message
      EXPECT_EQ(got, texts[i]);
    }
  }
}

TEST_P(Uring, what_comes_late_for_a_slot_does_not_reach_the_next_one) {
  make();
  for (int round = 0; round < 300; ++round) {
    const auto [client, server] = connected();
    Counted<Receive> receive;
    start(server, receive);
    send(client, "for nobody");  // its completion and the close meet
    backend_->close(server);
    const auto [other_client, other_server] = connected();
    send(other_client, "for you");
    EXPECT_EQ(this->receive(other_server).text(), "for you");
    ASSERT_TRUE(until([&] { return receive.over; }));
    for (const SlotId slot : {client, other_client, other_server}) backend_->close(slot);
  }
  EXPECT_TRUE(until([&] { return backend_->slots_in_use() == 1; }));  // the listener
  EXPECT_EQ(backend_->bytes_on_loan(), 0U);
}

// The pool has more to give and the system has not: nobody waits for what others give back. The bytes stay where they are.
TEST_P(Uring, a_receive_fails_where_the_system_has_no_memory_and_goes_on_when_it_has) {
  if (!support::counts_allocations()) GTEST_SKIP() << "a sanitizer owns operator new";
  make({.pool_bytes = 4 * Pool::slab_bytes});
  const auto [client, server] = connected();
  constexpr std::size_t piece = 4096;  // that no slab's end cuts in two
  const std::string text = pattern(1, 0, 256 * piece);
  std::vector<Chunk> kept;
  kept.reserve(text.size());
  std::size_t sent = 0, got = 0;
  Error error;
  {
    const support::NoMemory none;
    while (!error && got < text.size()) {
      Counted<Receive> receive;
      start(server, receive);
      if (sent == got) send_at_once(client, std::string_view(text).substr(std::exchange(sent, sent + piece), piece));
      ASSERT_TRUE(until([&] { return receive.over; }));
      error = receive.error;
      ASSERT_EQ(match_pattern(1, got, receive.chunk.bytes()), receive.chunk.size());
      got += receive.chunk.size();
      kept.push_back(std::move(receive.chunk));
    }
  }
  EXPECT_EQ(error, Errc::out_of_memory);
  EXPECT_LT(backend_->bytes_on_loan(), 4 * Pool::slab_bytes) << "it is the pool that had no more";
  while (got < sent) {
    const Chunk chunk = receive(server);
    ASSERT_FALSE(chunk.empty());
    ASSERT_EQ(match_pattern(1, got, chunk.bytes()), chunk.size());
    got += chunk.size();
  }
}

// A message that the end of a slab cuts in two, and no memory to keep the first part until the second is here.
TEST_P(Uring, the_second_part_of_a_message_is_never_read_without_the_first) {
  if (!support::counts_allocations()) GTEST_SKIP() << "a sanitizer owns operator new";
  make();
  const auto [client, server] = connected();
  constexpr std::size_t piece = 5000;
  const std::string text = pattern(1, 0, 100 * piece);
  std::vector<Chunk> kept;  // or each message would begin where the one before it did
  kept.reserve(text.size());
  std::size_t got = 0;
  Error error;
  for (std::size_t sent = 0; !error && sent < text.size(); sent += piece) {
    while (!error && got < sent + piece) {
      turn(backend_->now());  // there are slabs for what comes
      Counted<Receive> receive;
      {
        const support::NoMemory none;
        start(server, receive);
        if (got == sent) send_at_once(client, std::string_view(text).substr(sent, piece));
        ASSERT_TRUE(until([&] { return receive.over; }));
      }
      error = receive.error;
      ASSERT_EQ(match_pattern(1, got, receive.chunk.bytes()), receive.chunk.size()) << "after " << got << " bytes";
      got += receive.chunk.size();
      kept.push_back(std::move(receive.chunk));
    }
  }
  if (!error) return;  // on the floor nothing is cut in two, or nothing had to be kept
  EXPECT_EQ(error, Errc::out_of_memory);
  Counted<Receive> again;
  start(server, again);
  ASSERT_TRUE(until([&] { return again.over; }));
  EXPECT_EQ(again.error, Errc::out_of_memory);
}

TEST_P(Uring, is_made_by_one_thread_turned_by_another_and_destroyed_by_the_first) {
  const std::optional<std::size_t> descriptors = os::open_descriptors();
  make();
  const auto [first, second] = backend_->pair().value();
  Counted<Receive> receive;
  Counted<SendPieces> send;
  const std::string large(10 << 20, 'x');
  const std::span<const std::byte> bytes = std::as_bytes(std::span(large));
  std::thread([&, one = first, other = second] {
    Counted<Receive> hello;
    start(other, hello);
    this->send(one, "hello");
    EXPECT_TRUE(until([&] { return hello.over; }));
    start(other, receive);
    send.carry({&bytes, 1});
    start(other, send);  // nobody reads
    turn(backend_->now() + 10ms);
    EXPECT_FALSE(send.over);
  }).join();
  backend_.reset();
  EXPECT_EQ(os::open_descriptors(), descriptors);
  EXPECT_EQ(send.state, Operation::State::completed);
  EXPECT_EQ(send.error, Errc::canceled);
  EXPECT_EQ(receive.error, Errc::canceled);
}

// ---- choosing

// Answers io_uring_setup(2) with an error, as containers do.
void forbid_uring(unsigned error) {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{4, filter};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) _exit(99);
}

[[noreturn]] void choose_and_tell(const BackendOptions& options = {}) {
  const Result<ChosenBackend> chosen = choose_backend(options);
  if (chosen) {
    std::fprintf(stderr, "took %s; %s\n", std::string(chosen->backend->name()).c_str(), chosen->refused.c_str());
  } else {
    std::fprintf(stderr, "failed: %s\n", chosen.error().message().c_str());
  }
  _exit(chosen ? 0 : 1);
}

class Choosing : public testing::Test {
 protected:
  void SetUp() override { unsetenv("MEARI_BACKEND"); }
};
using ChoosingDeathTest = Choosing;

TEST_F(ChoosingDeathTest, where_uring_is_forbidden_it_is_epoll_and_says_why) {
  EXPECT_EXIT((forbid_uring(EPERM), choose_and_tell()), testing::ExitedWithCode(0),
              "took epoll; io_uring is .*; using epoll");
  EXPECT_EXIT((forbid_uring(ENOSYS), choose_and_tell()), testing::ExitedWithCode(0), "took epoll; .*; using epoll");
}

TEST_F(ChoosingDeathTest, a_shortage_is_an_error_and_no_reason_for_another_backend) {
  EXPECT_EXIT((forbid_uring(ENOMEM), choose_and_tell()), testing::ExitedWithCode(1), "failed: io_uring_setup");
  EXPECT_EXIT((forbid_uring(EMFILE), choose_and_tell()), testing::ExitedWithCode(1), "failed: io_uring_setup");
}

TEST_F(ChoosingDeathTest, a_named_one_is_strict) {
  EXPECT_EXIT((forbid_uring(EPERM), choose_and_tell({.choice = BackendChoice::uring})), testing::ExitedWithCode(1),
              "failed: io_uring_setup: ");
  EXPECT_EXIT((setenv("MEARI_BACKEND", "uring", 1), forbid_uring(EPERM), choose_and_tell()), testing::ExitedWithCode(1),
              "failed: io_uring_setup: ");
}

TEST_F(ChoosingDeathTest, the_environment_names_one) {
  EXPECT_EXIT((setenv("MEARI_BACKEND", "epoll", 1), choose_and_tell()), testing::ExitedWithCode(0), "took epoll; \n");
  EXPECT_EXIT((setenv("MEARI_BACKEND", "kqueue", 1), choose_and_tell()), testing::ExitedWithCode(1),
              "auto, uring, uring-floor or epoll.*kqueue");
}

TEST_F(Choosing, completion_ports_are_of_another_system) {
  const Error error = choose_backend({.choice = BackendChoice::iocp}).error();
  EXPECT_EQ(error, Errc::not_supported);
  EXPECT_EQ(error.message(), "start a backend: completion ports are of Windows");
}

TEST_F(ChoosingDeathTest, little_memory_that_may_be_locked_is_enough) {
  if (uring::probe().refused) GTEST_SKIP() << "no io_uring here";
  const auto nobody_with = [](rlim_t bytes) {
    const rlimit limit{bytes, bytes};
    setrlimit(RLIMIT_MEMLOCK, &limit);
    if (geteuid() == 0 && setuid(65534) != 0) _exit(98);
  };
  EXPECT_EXIT((nobody_with(64 << 10), choose_and_tell()), testing::ExitedWithCode(0), "took uring; \n");
}

}  // namespace
}  // namespace meari
