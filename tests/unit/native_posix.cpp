// Shows what only Linux does or tells: signals in the middle of a call, Unix-domain paths, queues, TCP_INFO, owners of ports.
#include <gtest/gtest.h>

#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <csignal>
#include <cstdio>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <meari/backend.hpp>
#include <meari/loop.hpp>
#include <meari/scope.hpp>
#include <meari/signals.hpp>

#include "src/os/activation.hpp"
#include "src/os/command_line.hpp"
#include "src/os/native.hpp"
#include "src/os/signals.hpp"

namespace meari {
namespace {

using namespace std::chrono_literals;

// A signal every millisecond whose handler does nothing, so that every waiting call is interrupted all the time.
class SignalStorm {
 public:
  SignalStorm() {
    struct sigaction action{};
    action.sa_handler = [](int) {};  // no SA_RESTART
    sigaction(SIGALRM, &action, &before_);
    const itimerval often{.it_interval = {0, 1000}, .it_value = {0, 1000}};
    setitimer(ITIMER_REAL, &often, nullptr);
  }
  ~SignalStorm() {
    const itimerval never{};
    setitimer(ITIMER_REAL, &never, nullptr);
    sigaction(SIGALRM, &before_, nullptr);
  }

 private:
  struct sigaction before_{};
};

struct Folder {
  std::string path = (std::filesystem::temp_directory_path() / "meari-XXXXXX").string();
  Folder() { EXPECT_NE(::mkdtemp(path.data()), nullptr); }
  ~Folder() { std::filesystem::remove_all(path); }
};

// TCP_USER_TIMEOUT would end a peer that is alive and does not read; dead ones are what keep-alive finds.
TEST(Native, a_stream_waits_for_its_reader_without_a_limit) {
  for (const BackendChoice choice : {BackendChoice::epoll, BackendChoice::uring}) {
    BackendOptions options;
    options.choice = choice;
    Result<ChosenBackend> chosen = choose_backend(options);
    if (!chosen) continue;  // not to be had here
    Backend& backend = *chosen->backend;
    const SlotId slot = backend.open({.role = Role::stream, .family = Family::ipv4}).value();
    unsigned limit = 1;
    int alive = 0;
    socklen_t size = sizeof limit;
    const Descriptor descriptor = backend.facts(slot).descriptor;
    EXPECT_EQ(::getsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, &size), 0);
    EXPECT_EQ(limit, 0U);
    size = sizeof alive;
    EXPECT_EQ(::getsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &alive, &size), 0);
    EXPECT_EQ(alive, 1);
    backend.close(slot);
  }
}

TEST(Signals, a_storm_of_them_changes_nothing_that_arrives) {
  const SignalStorm storm;
  Socket listener = Socket::open(Family::ipv4, Kind::stream).value();
  listener.bind({"127.0.0.1", 0}).value();
  listener.listen().value();
  const Address here = listener.local().value();
  std::vector<std::byte> data(4 << 20, std::byte{7});
  std::thread client([&] {
    std::this_thread::sleep_for(20ms);  // accept waits meanwhile
    Socket socket = Socket::open(Family::ipv4, Kind::stream).value();
    socket.connect(here).value();
    socket.send_all(data).value();
  });
  Accepted accepted = listener.accept().value();
  std::this_thread::sleep_for(20ms);  // send waits meanwhile
  std::vector<std::byte> all(data.size());
  EXPECT_TRUE(accepted.socket.recv_exactly(all));
  EXPECT_TRUE(all == data);
  client.join();
}

TEST(Signals, a_storm_of_them_does_not_put_a_timeout_off) {
  const SignalStorm storm;
  auto [first, second] = Socket::pair().value();
  first.set_receive_timeout(50ms).value();
  std::array<char, 8> buffer;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(first.recv(buffer).error() == Errc::timed_out);
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_GE(took, 45ms);
  EXPECT_LT(took, 5s);
}

TEST(Signals, come_as_values_and_the_handlers_before_come_back) {
  struct sigaction before{};
  sigaction(SIGTERM, nullptr, &before);
  {
    os::Signals signals = os::Signals::install().value();
    EXPECT_TRUE(os::Signals::install().error() == Errc::busy);
    EXPECT_FALSE(signals.take());
    std::raise(SIGTERM);
    std::raise(SIGINT);
    std::raise(SIGINT);
    pollfd entry{.fd = static_cast<int>(signals.readable()), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&entry, 1, 0), 1);
    EXPECT_EQ(signals.take(), os::Signal::interrupt);
    EXPECT_EQ(signals.take(), os::Signal::interrupt);
    EXPECT_EQ(signals.take(), os::Signal::terminate);
    EXPECT_FALSE(signals.take());
    EXPECT_EQ(::poll(&entry, 1, 0), 0);
  }
  struct sigaction after{};
  sigaction(SIGTERM, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
  EXPECT_TRUE(os::Signals::install());
}

TEST(Signals, move_to_whoever_takes_them_over) {
  {
    os::Signals signals = os::Signals::install().value();
    {
      os::Signals other = std::move(signals);
      signals = std::move(other);
    }
    EXPECT_EQ(os::Signals::install().error(), Errc::busy);
    std::raise(SIGTERM);
    EXPECT_EQ(signals.take(), os::Signal::terminate);
  }
  EXPECT_TRUE(os::Signals::install());
}

TEST(Signals, are_waited_for_by_whoever_has_them_now) {
  const std::unique_ptr<Loop> loop = Loop::make().value();
  {
    SignalEvents signals = SignalEvents::install(*loop).value();
    {
      SignalEvents other = std::move(signals);
      signals = std::move(other);
    }
    std::raise(SIGHUP);
    const auto next = [&signals]() { return signals.next(); };
    EXPECT_EQ(loop->block_on(next).value(), StopSignal::hangup);
  }
  EXPECT_TRUE(SignalEvents::install(*loop));
}

// How to repeat it is printed for whoever wants to: as a shell takes it.
TEST(NativeDeathTest, a_command_line_has_quotes_where_a_shell_needs_them) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // that process is started with bars between its words
  const auto told = [] {
    std::fputs(os::command_line().c_str(), stderr);
    std::exit(0);
  };
  EXPECT_EXIT(told(), testing::ExitedWithCode(0), "meari_unit .*'--gtest_internal_run_death_test=[^' ]*\\|[^' ]*'");
}

TEST(Native, knows_a_scope_by_the_name_of_its_interface) {
  const std::string number = std::to_string(::if_nametoindex("lo"));
  EXPECT_EQ(Address::parse("[fe80::1%lo]:80").value().to_string(), "[fe80::1%" + number + "]:80");
  for (const char* name : {"no-such-one", "longer-than-any-interface-may-be-called"})
    EXPECT_EQ(Address::parse(std::string("[fe80::1%") + name + "]:80").error(), Errc::invalid_argument) << name;
}

TEST(UnixSocket, a_path_that_a_dead_server_left_is_taken_over) {
  const Folder folder;
  const Address path = Address::from_path(folder.path + "/s").value();
  {
    Socket dead = Socket::open(Family::local, Kind::stream).value();
    dead.bind(path).value();
    dead.listen().value();
  }
  Socket next = Socket::open(Family::local, Kind::stream).value();
  EXPECT_TRUE(next.bind(path));
  EXPECT_TRUE(next.listen());
  Socket third = Socket::open(Family::local, Kind::stream).value();
  EXPECT_TRUE(third.bind(path).error() == Errc::address_in_use);  // somebody lives there now
  Socket client = Socket::open(Family::local, Kind::stream).value();
  EXPECT_TRUE(client.connect(path));
  const Accepted accepted = next.accept().value();
  EXPECT_EQ(accepted.from.family(), Family::local);
  EXPECT_EQ(accepted.from.to_string(), "unix:");
}

TEST(UnixSocket, a_file_that_is_no_socket_is_never_removed) {
  const Folder folder;
  const std::string file = folder.path + "/precious";
  std::fclose(std::fopen(file.c_str(), "w"));
  Socket socket = Socket::open(Family::local, Kind::stream).value();
  EXPECT_TRUE(socket.bind(Address::from_path(file).value()).error() == Errc::address_in_use);
  EXPECT_TRUE(std::filesystem::exists(file));
}

TEST(UnixSocket, abstract_names_need_no_file) {
  const Address name = Address::from_path("@meari-test-" + std::to_string(::getpid())).value();
  Socket listener = Socket::open(Family::local, Kind::stream).value();
  listener.bind(name).value();
  EXPECT_EQ(listener.local().value(), name);
}

TEST(UnixSocket, a_path_where_nobody_was_is_not_found) {
  Socket client = Socket::open(Family::local, Kind::stream).value();
  EXPECT_TRUE(client.connect(Address::from_path("/nonexistent/s").value()).error() == Errc::not_found);
}

TEST(Native, sockets_are_not_inherited_by_children) {
  const Socket socket = os::open_socket(Family::ipv4, Kind::stream, os::Blocking::no).value();
  EXPECT_NE(::fcntl(static_cast<int>(socket.descriptor()), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_TRUE(os::is_non_blocking(socket.descriptor()));
}

TEST(Native, tells_what_a_descriptor_is) {
  Socket listener = Socket::open(Family::ipv6, Kind::stream).value();
  listener.bind(Address::loopback(Family::ipv6, 0)).value();
  EXPECT_FALSE(os::examine(listener.descriptor()).value().listening);
  listener.listen().value();
  const os::Adopted found = os::examine(listener.descriptor()).value();
  EXPECT_EQ(found.family, Family::ipv6);
  EXPECT_EQ(found.kind, Kind::stream);
  EXPECT_TRUE(found.listening);
  const int file = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_TRUE(os::examine(file).error() == Errc::invalid_argument);
  ::close(file);
}

TEST(Native, tells_queues_and_tcp_info) {
  Socket listener = Socket::open(Family::ipv4, Kind::stream).value();
  listener.bind({"127.0.0.1", 0}).value();
  listener.listen(15).value();
  Socket client = Socket::open(Family::ipv4, Kind::stream).value();
  client.connect(listener.local().value()).value();
  const os::TcpInfo waiting = os::tcp_info(listener.descriptor()).value();
  EXPECT_EQ(waiting.state, os::TcpState::listen);
  EXPECT_EQ(waiting.queued, 1U);
  EXPECT_EQ(waiting.queue_limit, 15U);
  Socket server = listener.accept().value().socket;
  client.send_all("12345").value();
  std::array<char, 1> one;
  EXPECT_EQ(server.recv(one).value(), 1U);
  EXPECT_EQ(os::queue_lengths(server.descriptor()).value().unread, 4U);
  const os::TcpInfo info = os::tcp_info(server.descriptor()).value();
  EXPECT_EQ(info.state, os::TcpState::established);
  EXPECT_EQ(info.bytes_received, 5U);
  client.close().value();
  while (os::tcp_info(server.descriptor()).value().state == os::TcpState::established) std::this_thread::sleep_for(1ms);
  EXPECT_STREQ(os::describe(os::tcp_info(server.descriptor()).value().state), "CLOSE_WAIT");
}

TEST(Native, tells_who_holds_a_port) {
  Socket listener = Socket::open(Family::ipv4, Kind::stream).value();
  listener.bind({"127.0.0.1", 0}).value();
  listener.listen().value();
  const auto owner = os::owner_of(listener.local().value());
  ASSERT_TRUE(owner);
  EXPECT_EQ(owner->process, ::getpid());
  EXPECT_FALSE(owner->name.empty());
  const Address here = listener.local().value();
  listener.close().value();
  EXPECT_FALSE(os::owner_of(here));
}

TEST(Native, tells_who_holds_a_path) {
  const std::string path = std::filesystem::temp_directory_path() / ("meari-owner-" + std::to_string(::getpid()));
  std::filesystem::remove(path);
  const Address here = Address::parse("unix:" + path).value();
  Socket listener = Socket::open(Family::local, Kind::stream).value();
  listener.bind(here).value();
  listener.listen().value();
  const auto owner = os::owner_of(here);
  EXPECT_TRUE(owner && owner->process == ::getpid());
  listener.close().value();
  std::filesystem::remove(path);
  EXPECT_FALSE(os::owner_of(here));
}

TEST(Native, a_name_has_each_of_its_addresses_once_and_the_port_that_was_asked_for) {
  std::array<char, 256> own{};
  ASSERT_EQ(::gethostname(own.data(), own.size() - 1), 0);
  // Most machines know their own name without a network, and some others as well.
  for (const std::string& name : {std::string(own.data()), std::string("ip6-localhost"), std::string("ip6-loopback")}) {
    const auto known = resolve(Endpoint::parse(name + ":4711").value());
    if (!known) continue;
    ASSERT_FALSE(known->empty()) << name;
    for (const Address& address : *known) {
      EXPECT_EQ(address.port(), 4711);
      EXPECT_TRUE(address.family() == Family::ipv4 || address.family() == Family::ipv6) << name;
      EXPECT_EQ(std::count(known->begin(), known->end(), address), 1) << name;
    }
    return;
  }
  GTEST_SKIP() << "this machine knows no names";
}

TEST(Native, counts_what_a_supervisor_has_passed_to_this_process_and_to_no_other) {
  const auto passed = [](const std::string& process, const char* count) {
    ::setenv("LISTEN_PID", process.c_str(), 1);
    ::setenv("LISTEN_FDS", count, 1);
    return os::passed_descriptors();
  };
  const std::string mine = std::to_string(::getpid());
  EXPECT_EQ(passed(mine, "2"), 2U);
  EXPECT_EQ(passed(mine, "1024"), 1024U);
  for (const char* odd : {"0", "-1", "1025", "2x", "", "99999999999999999999"}) EXPECT_EQ(passed(mine, odd), 0U) << odd;
  EXPECT_EQ(passed(std::to_string(::getppid()), "2"), 0U);
  ::unsetenv("LISTEN_FDS");
  EXPECT_EQ(os::passed_descriptors(), 0U);
  ::unsetenv("LISTEN_PID");
}

TEST(Native, every_direction_of_a_socket_can_be_shut_down) {
  std::array<char, 4> buffer{};
  for (const auto direction : {Socket::Direction::receive, Socket::Direction::send, Socket::Direction::both}) {
    auto [mine, theirs] = Socket::pair().value();
    mine.shutdown(direction).value();
    const bool sends = direction == Socket::Direction::receive;
    EXPECT_EQ(mine.send("x").has_value(), sends);
    EXPECT_EQ(theirs.recv(buffer).value(), sends ? 1U : 0U);
    EXPECT_EQ(theirs.send("x").has_value(), direction == Socket::Direction::send);
  }
}

TEST(Native, every_state_of_tcp_has_the_name_that_tools_show) {
  std::string names;
  for (int state = 0; state <= 11; ++state) names += std::string(os::describe(static_cast<os::TcpState>(state))) + ' ';
  EXPECT_EQ(names,
            "UNKNOWN ESTABLISHED SYN_SENT SYN_RCVD FIN_WAIT_1 FIN_WAIT_2 TIME_WAIT CLOSED CLOSE_WAIT LAST_ACK LISTEN "
            "CLOSING ");
}

TEST(Native, tells_limits_and_counts_descriptors) {
  const os::DescriptorLimit before = os::descriptor_limit().value();
  EXPECT_LE(before.soft, before.hard);
  const rlimit lower{.rlim_cur = before.hard - 1, .rlim_max = before.hard};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &lower), 0);
  EXPECT_EQ(os::raise_descriptor_limit().value().soft, before.hard);
  EXPECT_GE(os::listen_queue_limit(), 1);
  const std::size_t count = os::open_descriptors().value();
  const Socket one_more = Socket::open(Family::ipv4, Kind::stream).value();
  EXPECT_EQ(os::open_descriptors().value(), count + 1);
}

TEST(Native, a_failed_connect_tells_why_once_it_is_over) {
  Socket holder = Socket::open(Family::ipv4, Kind::stream).value();
  holder.bind({"127.0.0.1", 0}).value();
  const Address nobody = holder.local().value();
  Socket client = os::open_socket(Family::ipv4, Kind::stream, os::Blocking::no).value();
  const Result<> begun = client.connect(nobody);
  ASSERT_TRUE(begun.error() == Errc::in_progress || begun.error() == Errc::connection_refused);
  if (begun.error() == Errc::connection_refused) return;  // loopback may answer at once
  pollfd entry{.fd = static_cast<int>(client.descriptor()), .events = POLLOUT, .revents = 0};
  ASSERT_EQ(::poll(&entry, 1, 5000), 1);
  EXPECT_TRUE(os::connect_result(client.descriptor(), nobody) == Errc::connection_refused);
}

}  // namespace
}  // namespace meari
