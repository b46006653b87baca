// Descriptors that stay somebody else's: a backend says when they are ready, and does nothing else with them. Windows waits
// for handles in another way.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "pattern.hpp"

namespace meari::test {
namespace {

class Foreign : public Contract {
 protected:
  void SetUp() override {
    if (const std::string why = missing(GetParam(), Need::system_sockets); !why.empty()) GTEST_SKIP() << why;
    Contract::SetUp();
    if (IsSkipped()) return;
    ASSERT_EQ(::pipe2(pipe_.data(), O_CLOEXEC | O_NONBLOCK), 0);
  }
  void TearDown() override {
    if (IsSkipped()) return;
    for (const int end : pipe_)
      if (end >= 0) ::close(end);
    Contract::TearDown();
  }
  void write() { EXPECT_EQ(::write(pipe_[1], "x", 1), 1); }
  void read() {
    char byte = 0;
    EXPECT_EQ(::read(pipe_[0], &byte, 1), 1);
  }

  std::array<int, 2> pipe_{-1, -1};
};
MEARI_EVERY_BACKEND(Foreign);

TEST_P(Foreign, what_is_no_socket_is_refused_and_stays_with_the_caller) {
  EXPECT_FALSE(backend().adopt(pipe_[0], Role::stream).has_value());
  EXPECT_NE(::fcntl(pipe_[0], F_GETFD), -1);
  const int closed = std::exchange(pipe_[0], -1);
  ::close(closed);
  EXPECT_FALSE(backend().adopt(closed, Role::stream).has_value());
  EXPECT_FALSE(backend().adopt(no_descriptor, Role::stream).has_value());
  EXPECT_EQ(backend().slots_in_use(), 0U);
}

TEST_P(Foreign, a_socket_of_another_kind_is_refused_and_stays_with_the_caller) {
  std::array<int, 2> packets{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, packets.data()), 0);
  const int routes = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
  for (const int descriptor : {packets[0], routes}) {
    EXPECT_EQ(backend().adopt(descriptor, Role::stream).error().code(), Errc::not_supported);
    EXPECT_NE(::fcntl(descriptor, F_GETFD), -1);
  }
  for (const int descriptor : {packets[0], packets[1], routes}) ::close(descriptor);
}

TEST_P(Foreign, a_copy_of_a_closed_descriptor_wakes_nobody) {
  auto [mine, theirs] = Socket::pair().value();
  Socket copy = Socket::adopt(::dup(static_cast<int>(mine.descriptor())));
  const End end = adopt(backend(), mine.release());
  Tracked<Receive> receive;
  start(end, receive);
  let_pass(1ms);
  close(end);
  EXPECT_EQ(outcome(receive), Errc::canceled);
  EXPECT_TRUE(until([&] { return backend().slots_in_use() == 0; }));
  // A wait may end early for reasons of the kernel's own, but not each time that something comes.
  int full = 0;
  for (int round = 0; round < 5; ++round) {
    ASSERT_TRUE(theirs.send_all(std::string_view("for the copy")).has_value());
    const Time later = backend().now() + 3ms;
    backend().wait(later);
    if (backend().now() >= later) ++full;
  }
  EXPECT_GT(full, 0);
}

TEST_P(Foreign, is_readable_when_bytes_come) {
  const End end = adopt(backend(), pipe_[0], Role::foreign);
  Tracked<Readiness> readable;
  EXPECT_EQ(start(end, readable), Submitted::pending);
  let_pass(2ms);
  EXPECT_FALSE(readable.over());
  write();
  EXPECT_EQ(outcome(readable), Errc::none);
}

TEST_P(Foreign, is_readable_as_long_as_bytes_are_there) {
  const End end = adopt(backend(), pipe_[0], Role::foreign);
  write();
  for (int i = 0; i < 3; ++i) {
    Tracked<Readiness> readable;
    EXPECT_EQ(run(end, readable), Errc::none);
  }
  read();
  Tracked<Readiness> readable;
  start(end, readable);
  let_pass(2ms);
  EXPECT_FALSE(readable.over());
}

TEST_P(Foreign, is_writable_while_there_is_room) {
  const End end = adopt(backend(), pipe_[1], Role::foreign);
  Tracked<Readiness> writable;
  writable.for_write = true;
  EXPECT_EQ(run(end, writable), Errc::none);
  const std::string block(4096, 'x');
  while (::write(pipe_[1], block.data(), block.size()) > 0) {}
  start(end, writable);
  let_pass(2ms);
  EXPECT_FALSE(writable.over());
  std::string drained(1 << 20, '\0');
  EXPECT_GT(::read(pipe_[0], drained.data(), drained.size()), 0);
  EXPECT_EQ(outcome(writable), Errc::none);
}

TEST_P(Foreign, both_directions_can_be_waited_for) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
  {
    const End end = adopt(backend(), ends[0], Role::foreign);
    Tracked<Readiness> readable, writable;
    writable.for_write = true;
    start(end, readable);
    start(end, writable);
    EXPECT_EQ(outcome(writable), Errc::none);
    EXPECT_FALSE(readable.over());
    EXPECT_EQ(::write(ends[1], "x", 1), 1);
    EXPECT_EQ(outcome(readable), Errc::none);
    close(end);
  }
  for (const int end : ends) ::close(end);
}

TEST_P(Foreign, is_readable_when_the_other_side_has_gone) {
  const End end = adopt(backend(), pipe_[0], Role::foreign);
  Tracked<Readiness> readable;
  start(end, readable);
  let_pass(1ms);
  ::close(pipe_[1]);
  pipe_[1] = -1;
  EXPECT_EQ(outcome(readable), Errc::none);
}

TEST_P(Foreign, waiting_can_be_cancelled) {
  const End end = adopt(backend(), pipe_[0], Role::foreign);
  Tracked<Readiness> readable;
  start(end, readable);
  let_pass(1ms);
  backend().cancel(readable, Errc::timed_out);
  EXPECT_EQ(outcome(readable), Errc::timed_out);
  write();
  EXPECT_EQ(run(end, readable), Errc::none);
}

TEST_P(Foreign, cancelling_when_it_is_ready_ends_once) {
  for (int round = 0; round < 20; ++round) {
    const End end = adopt(backend(), pipe_[0], Role::foreign);
    Tracked<Readiness> readable;
    start(end, readable);
    if (round % 2 == 0) turn(backend().now() + 20us);
    write();
    backend().cancel(readable);
    const Errc error = outcome(readable);
    EXPECT_TRUE(error == Errc::none || error == Errc::canceled) << describe(error);
    close(end);
    ASSERT_TRUE(until([&] { return backend().slots_in_use() == 0; }));
    read();
  }
}

TEST_P(Foreign, closing_the_slot_cancels_and_leaves_the_descriptor_open) {
  const End end = adopt(backend(), pipe_[0], Role::foreign);
  Tracked<Readiness> readable;
  start(end, readable);
  let_pass(1ms);
  close(end);
  EXPECT_EQ(outcome(readable), Errc::canceled);
  ASSERT_TRUE(until([&] { return backend().slots_in_use() == 0; }));
  write();
  read();
}

TEST_P(Foreign, closing_the_slot_ends_who_waits_to_write_too) {
  const std::string block(4096, 'x');
  while (::write(pipe_[1], block.data(), block.size()) > 0) {}
  const End end = adopt(backend(), pipe_[1], Role::foreign);
  Tracked<Readiness> one, other;
  one.for_write = other.for_write = true;
  start(end, one);
  start(end, other);
  let_pass(1ms);
  close(end);
  EXPECT_EQ(outcome(one), Errc::canceled);
  EXPECT_EQ(outcome(other), Errc::canceled);
  EXPECT_TRUE(until([&] { return backend().slots_in_use() == 0; }));
}

TEST_P(Foreign, releasing_leaves_the_descriptor_as_it_was) {
  const End end = adopt(backend(), pipe_[0], Role::foreign);
  EXPECT_EQ(backend().release(end.slot).value(), pipe_[0]);
  EXPECT_NE(::fcntl(pipe_[0], F_GETFL) & O_NONBLOCK, 0);
  write();
  read();
}

TEST_P(Foreign, has_readiness_and_nothing_else) {
  const End end = adopt(backend(), pipe_[0], Role::foreign);
  EXPECT_EQ(facts(end).role, Role::foreign);
  EXPECT_EQ(receive_error(end), Errc::invalid_argument);
  EXPECT_EQ(send_error(end, "x"), Errc::invalid_argument);
  Tracked<Readiness> readable;
  EXPECT_EQ(run(stream(), readable), Errc::invalid_argument);
}

TEST_P(Foreign, several_may_wait_for_the_same) {
  const End end = adopt(backend(), pipe_[0], Role::foreign);
  Tracked<Readiness> one, other;
  start(end, one);
  start(end, other);
  write();
  EXPECT_EQ(outcome(one), Errc::none);
  EXPECT_EQ(outcome(other), Errc::none);
}

TEST_P(Foreign, cancelling_one_of_two_leaves_the_other_waiting) {
  const End end = adopt(backend(), pipe_[0], Role::foreign);
  Tracked<Readiness> one, other;
  start(end, one);
  start(end, other);
  let_pass(2ms);
  backend().cancel(one);
  EXPECT_EQ(outcome(one), Errc::canceled);
  let_pass(2ms);
  EXPECT_FALSE(other.over());
  write();
  EXPECT_EQ(outcome(other), Errc::none);
}

}  // namespace
}  // namespace meari::test
