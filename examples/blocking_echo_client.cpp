// Sends each line that you type to an echo server, and prints what comes back.
// 에코 클라이언트: 입력한 줄을 서버로 보내고, 돌아온 것을 출력합니다.
//
//   blocking_echo_client                   to port 9000 of this machine      이 컴퓨터의 포트 9000으로
//   blocking_echo_client 192.0.2.7:9000    to another one                    다른 컴퓨터로
//
// Ctrl-D (Windows: Ctrl-Z, Enter) ends it. 끝내려면 Ctrl-D를 누릅니다.
// socket → connect: the system chooses a port for us → send, recv → close
#include <meari/quote.hpp>
#include <meari/socket.hpp>

#include <array>
#include <chrono>
#include <iostream>
#include <string>

using namespace meari;

// A name may have several addresses; the first that answers is taken. Every try needs a new socket.
Socket connect_to(std::string_view text) {
  const Endpoint place = Endpoint::parse(text).value();
  Error failed = Errc::name_not_found;
  for (const Address& address : resolve(place).value()) {
    Socket server = Socket::open(address.family(), place.kind).value();
    const Result<> connected = server.connect(address);
    if (connected) return server;
    failed = connected.error();
  }
  raise(failed);
}

// Sends one piece and waits for all of it to come back, in however many pieces. False: the server has gone.
bool exchange(Socket& server, std::string_view piece) {
  server.send_all(piece).value();
  std::cout << "sent " << piece.size() << " bytes\n";
  std::string reply;
  std::array<char, 512> buffer;
  while (reply.size() < piece.size()) {
    const std::size_t received = server.recv(buffer).value();
    if (received == 0) return false;
    reply.append(buffer.data(), received);
  }
  std::cout << "received " << reply.size() << " bytes: \"" << quote(reply) << "\"\n";
  return true;
}

int main(int count, char** arguments) try {
  Socket server = connect_to(count > 1 ? arguments[1] : "9000");
  std::cout << "connected to " << server.peer().value().to_string() << " from " << server.local().value().to_string()
            << '\n';
  server.set_receive_timeout(std::chrono::seconds(10)).value();  // a server may hang, or be no echo server at all
  std::string line;
  while (std::cout << "> " << std::flush && std::getline(std::cin, line)) {
    if (!std::cin.eof()) line += '\n';  // the last line may have none
    constexpr std::size_t most = 512;   // at a time: a server that is busy with our echo need not store more
    for (std::size_t start = 0; start < line.size(); start += most) {
      if (exchange(server, std::string_view(line).substr(start, most))) continue;
      std::cerr << "the server closed the connection before it had sent all back\n";
      return 1;
    }
  }
  server.shutdown(Socket::Direction::send).value();  // "I have finished": the server's recv() gives 0
  std::cout << "\nend of input\n";
} catch (const Failure& failure) {
  std::cout << std::flush;
  std::cerr << failure.what() << '\n';
  return 1;
}
