// Connects, and prints all that the server says until it hangs up.
// 서버에 연결해서, 서버가 끊을 때까지 보내는 것을 모두 출력합니다.
//
//   blocking_hello_client                    to port 1234 of this machine     이 컴퓨터의 포트 1234로
//   blocking_hello_client 192.0.2.7:1234     to another one                   다른 컴퓨터로
#include <meari/quote.hpp>
#include <meari/socket.hpp>

#include <array>
#include <iostream>
#include <string>

using namespace meari;

int main(int count, char** arguments) try {
  const Address address = Address::parse(count > 1 ? arguments[1] : "127.0.0.1:1234").value();
  Socket server = Socket::open(address.family(), Kind::stream).value();
  server.connect(address).value();  // no bind: the system gives us an address and a port
  std::string said;
  std::array<char, 256> buffer;
  constexpr std::size_t most = 64 * 1024;  // somebody else's server might never stop
  while (said.size() < most) {             // one recv() need not bring all of it
    const std::size_t received = server.recv(buffer).value();
    if (received == 0) break;  // the server has finished
    said.append(buffer.data(), received);
  }
  std::cout << quote(said, {.keep_newlines = true, .keep_quotes = true}) << " (" << said.size() << " bytes)\n";
} catch (const Failure& failure) {
  std::cerr << failure.what() << '\n';
  return 1;
}
