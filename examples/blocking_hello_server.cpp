// Says "Hello World!" to everybody who connects, and hangs up.
// 연결하는 모두에게 "Hello World!"를 보내고 연결을 끊습니다.
//
//   blocking_hello_server                    all addresses, port 1234     모든 주소, 포트 1234
//   blocking_hello_server 127.0.0.1:0        port 0: the system chooses   포트 0: 시스템이 고릅니다
//   blocking_hello_client                    in another terminal          다른 터미널에서
//
// Family::ipv4 is AF_INET, Family::ipv6 is AF_INET6; Kind::stream is SOCK_STREAM (TCP), Kind::datagram is SOCK_DGRAM (UDP).
#include <meari/socket.hpp>

#include <array>
#include <chrono>
#include <iostream>

using namespace meari;

void greet(Socket client) {
  // A close() with something unread sends RST, which may destroy the greeting on its way: say "I have finished", wait for
  // the client to finish as well, but neither for long nor for much.
  constexpr std::string_view hello = "Hello World!";
  if (!client.send_all(hello) || !client.shutdown(Socket::Direction::send)) return;  // it left already
  if (!client.set_receive_timeout(std::chrono::milliseconds(200))) return;
  std::array<char, 4096> ignored;
  for (int pieces = 0; pieces < 5; ++pieces) {
    const Result<std::size_t> received = client.recv(ignored);
    if (!received || *received == 0) return;
  }
}  // ~Socket closes

int main(int count, char** arguments) try {
  const Address address = Address::parse(count > 1 ? arguments[1] : "0.0.0.0:1234").value();
  Socket listener = Socket::open(address.family(), Kind::stream).value();
  listener.bind(address).value();
  listener.listen(5).value();  // so many clients wait in the queue while we greet one
  std::cout << "listening on " << listener.local().value().to_string() << std::endl;
  while (true) {
    auto [client, from] = listener.accept().value();
    std::cout << from.to_string() << " connected" << std::endl;
    greet(std::move(client));
  }
} catch (const Failure& failure) {
  std::cerr << failure.what() << '\n';
  return 1;
}
