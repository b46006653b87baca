// Sends what you type to an echo server, line by line, and prints what comes back.
// 에코 클라이언트: 입력한 줄을 서버로 보내고, 돌아온 것을 출력합니다.
//
//   echo_client                        to port 9000 of this machine     이 컴퓨터의 포트 9000으로
//   echo_client example.org:9000       to another one                   다른 컴퓨터로
//
// Ctrl-D (Windows: Ctrl-Z, Enter) ends it. 끝내려면 Ctrl-D를 누릅니다.
// The same with one call at a time: blocking_echo_client.cpp. 한 번에 한 호출씩 쓴 것은 blocking_echo_client.cpp입니다.
#include <meari/meari.hpp>

#include <chrono>
#include <iostream>
#include <string>

using namespace meari;
using namespace std::chrono_literals;

// A line, or 512 bytes of a longer one; empty at the end of the input.
Task<Chunk> line_from(Source& keyboard) {
  Chunk typed = co_await keyboard.read_some(512);
  const std::size_t end = typed.text().find('\n');
  if (end == std::string_view::npos || end + 1 == typed.size()) co_return typed;
  Chunk line = typed.split(end + 1);
  keyboard.unread(std::move(typed));  // from a pipe several lines come at once
  co_return line;
}

Task<> converse(std::string where) {
  Stream server = co_await connect(where);
  const Address here = co_await server.local();
  const Address there = co_await server.peer();
  std::cout << "connected to " << there.to_string() << " from " << here.to_string() << "\n> " << std::flush;

  Source keyboard = Source::standard_input();
  while (Chunk typed = co_await line_from(keyboard)) {
    const std::size_t size = typed.size();
    co_await server.write(std::move(typed));
    std::cout << "sent " << size << " bytes\n";
    Chunk reply = co_await with_timeout(10s, server.read_exactly(size));  // in however many pieces it comes
    std::cout << "received " << size << " bytes: \"" << quote(reply.text()) << "\"\n> " << std::flush;
  }
  std::cout << "\nend of input\n";
  co_await server.finish();  // "I have finished": the server's read() gives an empty Chunk
}

int main(int count, char** arguments) {
  const std::string where = count > 1 ? arguments[1] : "localhost:9000";
  return run([where] { return converse(where); });
}
