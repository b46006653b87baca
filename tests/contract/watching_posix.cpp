// Watched: descriptors of somebody else, as Tasks wait for them.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <optional>
#include <string>

#include <meari/readiness.hpp>

#include "loop_harness.hpp"

namespace meari::test {
namespace {

class Watching : public OnLoop {
 protected:
  void SetUp() override {
    if (const std::string why = missing(GetParam(), Need::system_sockets); !why.empty()) GTEST_SKIP() << why;
    ASSERT_EQ(::pipe2(pipe_.data(), O_CLOEXEC | O_NONBLOCK), 0);
    OnLoop::SetUp();
  }
  void TearDown() override {
    if (IsSkipped()) return;
    OnLoop::TearDown();
    for (const int end : pipe_) ::close(end);
  }
  std::array<int, 2> pipe_{-1, -1};
};
MEARI_EVERY_BACKEND(Watching);

TEST_P(Watching, a_pipe_that_gets_readable_and_is_writable) {
  v1::Watched mine = v1::Watched::watch(pipe_[0], loop()).value();
  v1::Watched other = v1::Watched::watch(pipe_[1], loop()).value();
  std::string seen;
  auto reads = [&]() -> Task<> {
    co_await mine.readable();
    char byte = 0;
    EXPECT_EQ(::read(pipe_[0], &byte, 1), 1);
    seen += byte;
    Result<> nothing = co_await as_result(with_timeout(2ms, mine.readable()));
    EXPECT_EQ(nothing.error(), Errc::timed_out);
  };
  auto writes = [&]() -> Task<> {
    co_await other.writable();
    EXPECT_EQ(::write(pipe_[1], "x", 1), 1);
  };
  run(reads, writes);
  EXPECT_EQ(seen, "x");
}

TEST_P(Watching, ends_who_waits_when_it_goes_and_leaves_the_descriptor) {
  std::optional<v1::Watched> watched;
  auto waits = [&]() -> Task<> {
    Result<> gone = co_await as_result(watched->readable());
    EXPECT_EQ(gone.error(), Errc::canceled);
  };
  auto body = [&]() -> Task<> {
    watched = v1::Watched::watch(pipe_[0]).value();
    auto both = [&](Scope& scope) -> Task<> {
      scope.spawn(waits);
      co_await sleep_for(2ms);
      watched.reset();
    };
    co_await scoped(both);
  };
  run(body);
  EXPECT_NE(::fcntl(pipe_[0], F_GETFD), -1);
}

TEST_P(Watching, moves_to_whoever_goes_on_with_it) {
  auto body = [&]() -> Task<> {
    v1::Watched first = v1::Watched::watch(pipe_[1]).value();
    v1::Watched second = std::move(first);
    co_await second.writable();
    v1::Watched third = v1::Watched::watch(pipe_[0]).value();
    third = std::move(second);
    co_await third.writable();
    EXPECT_EQ(loop().backend().slots_in_use(), 2U);
  };
  run(body);
  EXPECT_EQ(loop().backend().slots_in_use(), 0U);
}

// epoll refuses files, and io_uring says that they are always ready: neither keeps anybody waiting.
TEST_P(Watching, a_file_keeps_nobody_waiting) {
  const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(file, 0);
  {
    v1::Watched watched = v1::Watched::watch(file, loop()).value();
    auto body = [&]() -> Task<> {
      Result<> outcome = co_await as_result(watched.readable());
      EXPECT_TRUE(outcome || outcome.error() == Errc::not_supported) << outcome.error().message();
    };
    run(body);
  }
  ::close(file);
}

TEST_P(Watching, a_descriptor_that_is_none_fails_who_waits) {
  v1::Watched watched = v1::Watched::watch(no_descriptor, loop()).value();
  auto body = [&]() -> Task<> {
    Result<> outcome = co_await as_result(watched.readable());
    EXPECT_FALSE(outcome);
  };
  run(body);
}

}  // namespace
}  // namespace meari::test
