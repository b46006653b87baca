// Echo on Asio with C++20 coroutines, as its own examples write it.
//
//   asio_coroutine_echo PORT
//
// One thread, so the locks of the io_context are off; errors are returned, not thrown.
#define ASIO_NO_DEPRECATED
#define ASIO_HAS_CO_AWAIT 1  // Asio 1.22 looks for clang's coroutines where they were before C++20
#define ASIO_HAS_STD_COROUTINE 1
#include <asio.hpp>
#include <cstddef>
#include <memory>
#include <system_error>
#include <utility>

#include "peer.hpp"

namespace {

using asio::ip::tcp;

asio::awaitable<void> echo(tcp::socket socket) {
  constexpr std::size_t size = 64UL * 1024;
  const auto buffer = std::make_unique_for_overwrite<char[]>(size);  // untouched pages cost nothing
  std::error_code failed;
  auto token = asio::redirect_error(asio::use_awaitable, failed);
  while (true) {
    const std::size_t count = co_await socket.async_read_some(asio::buffer(buffer.get(), size), token);
    if (failed) co_return;
    co_await asio::async_write(socket, asio::buffer(buffer.get(), count), token);
    if (failed) co_return;
  }
}

asio::awaitable<void> accept(tcp::acceptor& acceptor) {
  while (true) {
    std::error_code failed;
    auto token = asio::redirect_error(asio::use_awaitable, failed);
    tcp::socket socket = co_await acceptor.async_accept(token);
    if (!failed) asio::co_spawn(acceptor.get_executor(), echo(std::move(socket)), asio::detached);
  }
}

}  // namespace

int main(int count, char** arguments) {
  const int listener = peer::listen_on(count, arguments);
  asio::io_context context(ASIO_CONCURRENCY_HINT_UNSAFE);
  tcp::acceptor acceptor(context, tcp::v4(), listener);
  asio::co_spawn(context, accept(acceptor), asio::detached);
  peer::announce(listener);
  context.run();
}
