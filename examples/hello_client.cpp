// Connects, and prints all that the server says until it hangs up.
// 서버에 연결해서, 서버가 끊을 때까지 보내는 것을 모두 출력합니다.
//
//   hello_client                       to port 1234 of this machine     이 컴퓨터의 포트 1234로
//   hello_client example.org:1234      to another one                   다른 컴퓨터로
//
// The same with one call at a time: blocking_hello_client.cpp. 한 번에 한 호출씩 쓴 것은 blocking_hello_client.cpp입니다.
#include <meari/meari.hpp>

#include <iostream>
#include <string>

using namespace meari;

Task<> hello(std::string where) {
  Stream server = co_await connect(where);  // a failure ends this Task, and run() says what it was
  std::string said;
  constexpr std::size_t most = 64 * 1024;         // somebody else's server might never stop
  while (Chunk piece = co_await server.read()) {  // one read need not bring all of it
    said += piece.text();
    if (said.size() >= most) break;
  }
  std::cout << quote(said, {.keep_newlines = true, .keep_quotes = true}) << " (" << said.size() << " bytes)\n";
}

int main(int count, char** arguments) {
  const std::string where = count > 1 ? arguments[1] : "localhost:1234";
  return run([where] { return hello(where); });
}
