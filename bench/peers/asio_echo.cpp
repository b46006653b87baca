// Echo on Asio with callbacks, tuned as far as its documentation goes.
//
//   asio_echo PORT
//
// One thread, so the locks of the io_context are off. A session waits until it is readable and then receives into one
// buffer that all share: no memory for each connection, and no recv() that only hears EAGAIN.
#define ASIO_NO_DEPRECATED
#include <array>
#include <asio.hpp>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "peer.hpp"

namespace {

using asio::ip::tcp;

std::array<char, 128UL * 1024> buffer;  // everybody's

class Session : public std::enable_shared_from_this<Session> {
 public:
  explicit Session(tcp::socket socket) : socket_(std::move(socket)) { socket_.non_blocking(true); }

  void wait() {
    socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](std::error_code failed) {
      if (!failed) self->echo();
    });
  }

 private:
  void echo() {
    std::error_code failed;
    const std::size_t count = socket_.read_some(asio::buffer(buffer), failed);
    if (failed == asio::error::would_block) return wait();
    if (failed) return;
    const std::size_t sent = socket_.write_some(asio::buffer(buffer.data(), count), failed);
    if (failed && failed != asio::error::would_block) return;
    if (sent == count) return wait();
    unsent_.assign(buffer.data() + sent, count - sent);
    asio::async_write(socket_, asio::buffer(unsent_), [self = shared_from_this()](std::error_code broken, std::size_t) {
      if (!broken) self->wait();
    });
  }

  tcp::socket socket_;
  std::string unsent_;
};

void accept(tcp::acceptor& acceptor) {
  acceptor.async_accept([&acceptor](std::error_code failed, tcp::socket socket) {
    if (!failed) std::make_shared<Session>(std::move(socket))->wait();
    accept(acceptor);
  });
}

}  // namespace

int main(int count, char** arguments) {
  const int listener = peer::listen_on(count, arguments);
  asio::io_context context(ASIO_CONCURRENCY_HINT_UNSAFE);
  tcp::acceptor acceptor(context, tcp::v4(), listener);
  accept(acceptor);
  peer::announce(listener);
  context.run();
}
