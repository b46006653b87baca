// The echo server in five lines: it serves everybody at once, ends on Ctrl-C, and lets busy clients finish first.
// 다섯 줄짜리 에코 서버: 여러 클라이언트를 동시에 상대하고, Ctrl-C를 누르면 하던 일을 마치고 끝납니다.
//
//   echo_server                    port 9000 of this machine         이 컴퓨터의 포트 9000
//   echo_server :9000              all addresses                     모든 주소
//   echo_server 127.0.0.1:0        port 0: the system chooses one    포트 0: 시스템이 고릅니다
//   echo_client                    in another terminal               다른 터미널에서
//
// The same with one call at a time: blocking_echo_server.cpp. 한 번에 한 호출씩 쓴 것은 blocking_echo_server.cpp입니다.
#include <meari/meari.hpp>

using namespace meari;

Task<> echo(Stream peer) {
  while (Chunk data = co_await peer.read())  // an empty Chunk: the peer has finished sending
    co_await peer.write(std::move(data));    // all of it, and the very same memory
}  // a failure ends this session only; ~Stream says goodbye

int main(int count, char** arguments) { return serve(count > 1 ? arguments[1] : "localhost:9000", echo); }
