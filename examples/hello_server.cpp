// Says "Hello World!" to everybody who connects, and hangs up.
// 연결하는 모두에게 "Hello World!"를 보내고 연결을 끊습니다.
//
//   hello_server                    all addresses, port 1234     모든 주소, 포트 1234
//   hello_server 127.0.0.1:0        port 0: the system chooses   포트 0: 시스템이 고릅니다
//   hello_client                    in another terminal          다른 터미널에서
//
// The same with one call at a time: blocking_hello_server.cpp. 한 번에 한 호출씩 쓴 것은 blocking_hello_server.cpp입니다.
#include <meari/meari.hpp>

using namespace meari;

Task<> hello(Stream peer) {
  co_await peer.write("Hello World!");  // twelve bytes, however many calls that takes
}  // ~Stream: "I have finished" (FIN); whatever the client still says cannot destroy the greeting on its way

int main(int count, char** arguments) {
  return serve(count > 1 ? arguments[1] : ":1234", hello, {.listen = {.backlog = 5}});
}
