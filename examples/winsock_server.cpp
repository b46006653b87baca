// The server of every Winsock tutorial, on port 54000, with what it leaves out: the exchange, and a look at every failure.
// Winsock 튜토리얼의 포트 54000 서버입니다. 튜토리얼에 없던 주고받기와 모든 실패의 확인이 들어 있습니다.
//
//   winsock_server                    all IPv4 addresses, port 54000     모든 IPv4 주소, 포트 54000
//   winsock_server 127.0.0.1:0        port 0: the system chooses one     포트 0: 시스템이 고릅니다
//   nc 127.0.0.1 54000                talk to it                         말을 겁니다
//
// The same source on Windows and on Linux. Nobody calls WSAStartup and WSACleanup: the first socket starts Winsock, and the
// end of the program ends it. Windows와 Linux에서 같은 소스입니다. WSAStartup과 WSACleanup은 부르지 않아도 됩니다.
#include <meari/quote.hpp>
#include <meari/socket.hpp>

#include <array>
#include <cstdio>
#include <string>
#include <string_view>

using namespace meari;

void say(const std::string& line) {
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

// Sends back what comes, until the client has finished sending. The number of bytes.
Result<std::size_t> exchange(Socket& client) {
  std::array<char, 4096> buffer;
  std::size_t bytes = 0;
  while (true) {
    const Result<std::size_t> received = client.recv(buffer);
    if (!received) return received.error();
    if (*received == 0) break;
    const std::string_view text(buffer.data(), *received);
    if (const Result<> sent = client.send_all(text); !sent) return sent.error();
    bytes += *received;
  }
  if (const Result<> finished = client.shutdown(Socket::Direction::send); !finished) return finished.error();
  if (const Result<> closed = client.close(); !closed) return closed.error();
  return bytes;
}

int main(int count, char** arguments) try {
  const Address address = count > 1 ? Address::parse(arguments[1]).value() : Address::any(Family::ipv4, 54000);
  Socket listener = Socket::open(address.family(), Kind::stream).value();  // WSAStartup 2.2 and socket
  listener.bind(address).value();
  listener.listen().value();  // SOMAXCONN
  say("listening on " + listener.local().value().to_string());
  while (true) {
    auto [client, from] = listener.accept().value();  // a new socket; the listener goes on listening
    const std::string name = quote(from.to_string());
    say(name + " connected");
    const Result<std::size_t> done = exchange(client);
    if (done) say(name + ": " + std::to_string(*done) + " bytes sent back");
    else say(name + ": " + quote(done.error().message()));  // only this client; the next one is served
  }
} catch (const Failure& failure) {
  std::fprintf(stderr, "%s\n", failure.what());
  return 1;
}
