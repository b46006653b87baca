// Handles that stay somebody else's: the backend says when they are signalled, or when a socket is ready, and does nothing
// else with them. foreign_posix.cpp has the same cases for descriptors.
#include "src/os/system.hpp"

#include "pattern.hpp"

namespace meari::test {
namespace {

class Foreign : public Contract {
 protected:
  // The system starts its threads for waiting with the first wait; the guard over open handles is not to see that.
  static void SetUpTestSuite() {
    const HANDLE set = ::CreateEventW(nullptr, TRUE, TRUE, nullptr);
    HANDLE wait = nullptr;
    ::RegisterWaitForSingleObject(&wait, set, [](void*, BOOLEAN) {}, nullptr, INFINITE, WT_EXECUTEONLYONCE);
    ::UnregisterWaitEx(wait, INVALID_HANDLE_VALUE);
    ::CloseHandle(set);
  }
  void SetUp() override {
    if (const std::string why = missing(GetParam(), Need::system_sockets); !why.empty()) GTEST_SKIP() << why;
    Contract::SetUp();
    if (IsSkipped()) return;
    event_ = ::CreateEventW(nullptr, TRUE, FALSE, nullptr);
    ASSERT_NE(event_, nullptr);
  }
  void TearDown() override {
    if (IsSkipped()) return;
    ::CloseHandle(event_);
    Contract::TearDown();
  }
  End adopt_event() { return adopt(backend(), reinterpret_cast<Descriptor>(event_), Role::foreign); }
  End adopt_socket(const Socket& socket) { return adopt(backend(), socket.descriptor(), Role::foreign); }

  HANDLE event_ = nullptr;
};
MEARI_EVERY_BACKEND(Foreign);

TEST_P(Foreign, is_ready_when_it_is_signalled) {
  const End end = adopt_event();
  Tracked<Readiness> ready;
  EXPECT_EQ(start(end, ready), Submitted::pending);
  let_pass(2ms);
  EXPECT_FALSE(ready.over());
  ::SetEvent(event_);
  EXPECT_EQ(outcome(ready), Errc::none);
}

TEST_P(Foreign, is_ready_as_long_as_it_is_signalled) {
  const End end = adopt_event();
  ::SetEvent(event_);
  for (int i = 0; i < 3; ++i) {
    Tracked<Readiness> ready;
    EXPECT_EQ(run(end, ready), Errc::none);
  }
  ::ResetEvent(event_);
  Tracked<Readiness> ready;
  start(end, ready);
  let_pass(2ms);
  EXPECT_FALSE(ready.over());
}

TEST_P(Foreign, files_and_what_is_closed_are_refused) {
  std::array<wchar_t, MAX_PATH> folder{}, path{};
  ASSERT_NE(::GetTempPathW(MAX_PATH, folder.data()), 0U);
  ASSERT_NE(::GetTempFileNameW(folder.data(), L"mea", 0, path.data()), 0U);
  const HANDLE file =
      ::CreateFileW(path.data(), GENERIC_READ, 0, nullptr, OPEN_EXISTING, FILE_FLAG_DELETE_ON_CLOSE, nullptr);
  ASSERT_NE(file, INVALID_HANDLE_VALUE);
  EXPECT_EQ(backend().adopt(reinterpret_cast<Descriptor>(file), Role::foreign).error().code(), Errc::not_supported);
  ::CloseHandle(file);
  EXPECT_EQ(backend().adopt(reinterpret_cast<Descriptor>(file), Role::foreign).error().code(), Errc::closed);
  EXPECT_EQ(backend().slots_in_use(), 0U);
}

TEST_P(Foreign, waiting_can_be_cancelled) {
  const End end = adopt_event();
  Tracked<Readiness> ready;
  start(end, ready);
  let_pass(1ms);
  backend().cancel(ready, Errc::timed_out);
  EXPECT_EQ(outcome(ready), Errc::timed_out);
  ::SetEvent(event_);
  EXPECT_EQ(run(end, ready), Errc::none);
}

TEST_P(Foreign, what_was_cancelled_wakes_nobody_who_waits_later) {
  const End end = adopt_event();
  for (int round = 0; round < 20; ++round) {
    Tracked<Readiness> ready;
    start(end, ready);
    ::SetEvent(event_);
    backend().cancel(ready);
    static_cast<void>(outcome(ready));
    ::ResetEvent(event_);
    Tracked<Readiness> later;
    start(end, later);
    let_pass(1ms);
    EXPECT_FALSE(later.over());
    backend().cancel(later);
    static_cast<void>(outcome(later));
  }
}

TEST_P(Foreign, closing_the_slot_cancels_and_leaves_the_handle_open) {
  const End end = adopt_event();
  Tracked<Readiness> one, other;
  other.for_write = true;
  start(end, one);
  start(end, other);
  let_pass(1ms);
  close(end);
  EXPECT_EQ(outcome(one), Errc::canceled);
  EXPECT_EQ(outcome(other), Errc::canceled);
  EXPECT_TRUE(until([&] { return backend().slots_in_use() == 0; }));
  EXPECT_NE(::SetEvent(event_), 0);
}

TEST_P(Foreign, several_may_wait_for_the_same) {
  const End end = adopt_event();
  Tracked<Readiness> one, other;
  start(end, one);
  start(end, other);
  ::SetEvent(event_);
  EXPECT_EQ(outcome(one), Errc::none);
  EXPECT_EQ(outcome(other), Errc::none);
}

TEST_P(Foreign, a_socket_is_readable_as_long_as_bytes_are_there) {
  auto [mine, theirs] = Socket::pair().value();
  {
    const End end = adopt_socket(mine);
    Tracked<Readiness> readable;
    EXPECT_EQ(start(end, readable), Submitted::pending);
    let_pass(2ms);
    EXPECT_FALSE(readable.over());
    ASSERT_TRUE(theirs.send_all(std::string_view("x")).has_value());
    EXPECT_EQ(outcome(readable), Errc::none);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(run(end, readable), Errc::none);
    std::array<std::byte, 8> buffer;
    EXPECT_EQ(mine.recv(buffer).value(), 1U);
    start(end, readable);
    let_pass(2ms);
    EXPECT_FALSE(readable.over());
    close(end);
    EXPECT_EQ(outcome(readable), Errc::canceled);
    EXPECT_TRUE(until([&] { return backend().slots_in_use() == 0; }));
  }
}

TEST_P(Foreign, a_socket_is_readable_when_the_other_side_has_gone) {
  auto [mine, theirs] = Socket::pair().value();
  const End end = adopt_socket(mine);
  Tracked<Readiness> readable;
  start(end, readable);
  let_pass(1ms);
  theirs = Socket();
  EXPECT_EQ(outcome(readable), Errc::none);
  EXPECT_EQ(run(end, readable), Errc::none);
  close(end);
  EXPECT_TRUE(until([&] { return backend().slots_in_use() == 0; }));
}

TEST_P(Foreign, both_directions_of_a_socket_can_be_waited_for) {
  auto [mine, theirs] = Socket::pair().value();
  const End end = adopt_socket(mine);
  Tracked<Readiness> readable, writable;
  writable.for_write = true;
  start(end, readable);
  start(end, writable);
  EXPECT_EQ(outcome(writable), Errc::none);
  let_pass(1ms);
  EXPECT_FALSE(readable.over());
  ASSERT_TRUE(theirs.send_all(std::string_view("x")).has_value());
  EXPECT_EQ(outcome(readable), Errc::none);
  close(end);
  EXPECT_TRUE(until([&] { return backend().slots_in_use() == 0; }));
}

TEST_P(Foreign, has_readiness_and_nothing_else) {
  const End end = adopt_event();
  EXPECT_EQ(facts(end).role, Role::foreign);
  EXPECT_EQ(receive_error(end), Errc::invalid_argument);
  EXPECT_EQ(send_error(end, "x"), Errc::invalid_argument);
  EXPECT_EQ(backend().release(end.slot).value(), reinterpret_cast<Descriptor>(event_));
}

}  // namespace
}  // namespace meari::test
