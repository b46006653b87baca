// The echo server that everybody writes first, with one thread for each client: it sends back whatever it receives.
// 에코 서버: 받은 것을 그대로 돌려보냅니다. 클라이언트마다 스레드를 하나씩 씁니다.
//
//   blocking_echo_server                   all addresses, port 9000          모든 주소, 포트 9000
//   blocking_echo_server 127.0.0.1:0       port 0: the system chooses one    포트 0: 시스템이 고릅니다
//   nc 127.0.0.1 9000                      talk to it in another terminal    다른 터미널에서 말을 겁니다
//
// socket → bind → listen → accept: a new socket for each client (two clients: three sockets on one port) → recv, send → close
#include <meari/quote.hpp>
#include <meari/socket.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <string>
#include <system_error>
#include <thread>

using namespace meari;

// One line, whole and at once, whichever thread prints.
void say(const std::string& line) {
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

void echo(Accepted client) {
  const std::string name = quote(client.from.to_string());
  std::array<char, 4096> buffer;
  while (true) {
    const Result<std::size_t> received = client.socket.recv(buffer);             // a piece of the stream, not a message
    if (!received) return say(name + ": " + quote(received.error().message()));  // this client only; the others go on
    if (*received == 0) return say(name + " disconnected");                      // it has finished sending
    const std::string_view text(buffer.data(), *received);
    say(name + " sent \"" + quote(text) + "\" (" + std::to_string(text.size()) + " bytes)");
    const Result<> sent = client.socket.send_all(text);
    if (!sent) return say(name + ": " + quote(sent.error().message()));
  }
}

// The first of the addresses that this machine has: ":9000" is IPv6 and IPv4 in one socket, or IPv4 alone.
Socket listen_on(std::string_view text) {
  const Endpoint place = Endpoint::parse(text).value();
  Error failed = Errc::name_not_found;
  for (const Address& address : resolve(place).value()) {
    Result<Socket> listener = Socket::open(address.family(), place.kind);
    if (!listener) {
      failed = listener.error();
    } else if (const Result<> bound = listener->bind(address); !bound) {
      failed = bound.error();
    } else {
      listener->listen().value();  // clients queue here until accept() takes them
      return std::move(*listener);
    }
  }
  raise(failed);
}

int main(int count, char** arguments) try {
  Socket listener = listen_on(count > 1 ? arguments[1] : ":9000");
  say("listening on " + listener.local().value().to_string());
  while (true) {
    Result<Accepted> client = listener.accept();
    if (!client) {  // no descriptor is left, say: those who are here go on, and leave one sooner or later
      say(quote(client.error().message()) + " (" + client.error().advice() + ")");
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      continue;
    }
    const std::string name = quote(client->from.to_string());
    say(name + " connected");
    try {
      std::thread(echo, std::move(*client)).detach();
    } catch (const std::system_error&) {
      say(name + " was sent away: the system has no thread left");
    }
  }
} catch (const Failure& failure) {
  std::fprintf(stderr, "%s\n", failure.what());
  return 1;
}
