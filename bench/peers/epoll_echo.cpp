// Echo on plain epoll, as fast as we can write it by hand: the measure of all others.
//
//   epoll_echo PORT
//
// One buffer that stays in the cache serves everybody; what was received goes out at once. Edge-triggered: the kernel
// need not ask every ready socket again at the next epoll_wait(), and a receive that did not fill the buffer has
// emptied the socket, so nobody calls recv() only to hear EAGAIN. What a peer does not take is kept, and that peer is
// not read from until it has.
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "peer.hpp"

namespace {

// What a peer has not taken yet.
struct Unsent {
  std::string bytes;
  std::size_t done = 0;
};

class Echo {
 public:
  explicit Echo(int listener) : epoll_(::epoll_create1(EPOLL_CLOEXEC)), listener_(listener) {
    if (epoll_ < 0) peer::fail("epoll_create1");
    watch(EPOLL_CTL_ADD, listener_, EPOLLIN);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 1024> events;
    while (true) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      if (count < 0 && errno != EINTR) peer::fail("epoll_wait");
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        if (event.data.fd == listener_) {
          accept_all();
        } else if (unsent_[static_cast<std::size_t>(event.data.fd)]) {
          send_unsent(event.data.fd);
        } else {
          echo(event.data.fd, (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
        }
      }
    }
  }

 private:
  static constexpr std::uint32_t reading = EPOLLIN | EPOLLRDHUP | EPOLLET;
  static constexpr std::uint32_t writing = EPOLLOUT | EPOLLET;
  static constexpr int receives_a_turn = 16;  // for one peer, while others wait

  void watch(int how, int descriptor, std::uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.fd = descriptor;
    if (::epoll_ctl(epoll_, how, descriptor, &event) != 0) peer::fail("epoll_ctl");
  }

  void accept_all() {
    while (true) {
      const int client = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (client >= 0) {
        if (unsent_.size() <= static_cast<std::size_t>(client)) unsent_.resize(static_cast<std::size_t>(client) + 1);
        watch(EPOLL_CTL_ADD, client, reading);
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        full_ = true;  // the level-triggered listener would wake us up for ever
        return watch(EPOLL_CTL_MOD, listener_, 0);
      } else if (errno == EAGAIN) {
        return;
      }  // else: this one has gone before we came
    }
  }

  void echo(int client, bool ending) {
    for (int turn = 0; turn < receives_a_turn; ++turn) {
      const ssize_t count = ::recv(client, buffer_.data(), buffer_.size(), 0);
      if (count > 0) {
        const std::string_view received(buffer_.data(), static_cast<std::size_t>(count));
        const ssize_t sent = ::send(client, received.data(), received.size(), MSG_NOSIGNAL);
        if (sent != count) {
          if (sent < 0 && errno != EAGAIN) return close(client);
          return keep(client, received.substr(sent < 0 ? 0 : static_cast<std::size_t>(sent)));
        }
        if (received.size() < buffer_.size() && !ending) return;  // empty: whatever comes next is a new edge
      } else if (count < 0 && errno == EAGAIN) {
        return;
      } else {
        return close(client);  // the end, or a reset
      }
    }
    watch(EPOLL_CTL_MOD, client, reading);  // raises the edge again if there is more
  }

  void keep(int client, std::string_view bytes) {
    unsent_[static_cast<std::size_t>(client)] = std::make_unique<Unsent>(Unsent{std::string(bytes)});
    watch(EPOLL_CTL_MOD, client, writing);
  }

  void send_unsent(int client) {
    std::unique_ptr<Unsent>& unsent = unsent_[static_cast<std::size_t>(client)];
    while (unsent->done < unsent->bytes.size()) {
      const ssize_t sent =
          ::send(client, unsent->bytes.data() + unsent->done, unsent->bytes.size() - unsent->done, MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN ? void() : close(client);
      unsent->done += static_cast<std::size_t>(sent);
    }
    unsent.reset();
    watch(EPOLL_CTL_MOD, client, reading);
  }

  void close(int client) {
    unsent_[static_cast<std::size_t>(client)].reset();
    ::close(client);
    if (full_) {
      full_ = false;
      watch(EPOLL_CTL_MOD, listener_, EPOLLIN);
    }
  }

  int epoll_;
  int listener_;
  bool full_ = false;                            // no descriptor was left
  std::vector<std::unique_ptr<Unsent>> unsent_;  // by descriptor; hardly ever there
  // Twice the largest message that is measured, so that a whole one does not fill it.
  std::array<char, 128UL * 1024> buffer_;
};

}  // namespace

int main(int count, char** arguments) {
  const int listener = peer::listen_on(count, arguments);
  const auto echo = std::make_unique<Echo>(listener);
  peer::announce(listener);
  echo->run();
}
