// The flow chart of every sockets tutorial, live: both ends in one program, and each step told as it happens.
// 소켓 흐름도를 눈으로 봅니다. 양쪽 끝을 한 프로그램에서 돌리며 한 단계씩 보여 줍니다.
//
//   flow_chart                       a port that the system chooses      시스템이 고르는 포트에서
//   flow_chart 127.0.0.1:9000 15     there, with a backlog of 15         그 주소에서, 대기열은 15로
//
//   server   socket → bind → listen ─┬─ (queue 대기열) ─→ accept → recv → send → recv: 0 → close
//   client   socket ─────→ connect ──┘     send ──────────────────→ recv → shutdown → recv: 0 → close
#include <meari/quote.hpp>
#include <meari/socket.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <future>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

using namespace meari;
using namespace std::chrono_literals;

void tell(const std::string& who, const std::string& call, const std::string& what) {
  static int step = 0;
  std::cout << std::right << std::setw(2) << ++step << "  " << std::left << std::setw(11) << who << std::setw(12)
            << call << what << std::endl;
}

std::string queue_of(std::size_t waiting) {
  std::string drawn = "queue 대기열 [";
  for (std::size_t i = 0; i < waiting; ++i) drawn += "●";
  return drawn + "] " + std::to_string(waiting);
}

std::string hear(Socket& socket) {
  std::array<char, 512> buffer;
  const std::size_t received = socket.recv(buffer).value();
  if (received == 0) return "0 bytes: the peer has finished 상대가 다 보냈습니다";
  return std::to_string(received) + " bytes \"" + quote(std::string_view(buffer.data(), received)) + '"';
}

struct Client {
  std::string name;
  Socket socket;
  std::future<Result<>> connecting;
};

// Both ends of one conversation, to its end.
void converse(Socket& server, Client& client) {
  tell("server", "recv()", hear(server));
  server.send_all("hello").value();
  tell("server", "send()", "5 bytes");
  tell(client.name, "recv()", hear(client.socket));
  client.socket.shutdown(Socket::Direction::send).value();
  tell(client.name, "shutdown()", "FIN: \"I have finished\" 다 보냈다고 알립니다");
  tell("server", "recv()", hear(server));
  server.close().value();
  tell("server", "close()", "this one; the listener goes on listening 듣는 소켓은 그대로 있습니다");
  tell(client.name, "recv()", hear(client.socket));
  client.socket.close().value();
  tell(client.name, "close()", "the end 끝");
}

int main(int count, char** arguments) try {
  const Address address = Address::parse(count > 1 ? arguments[1] : "127.0.0.1:0").value();
  const int backlog = std::clamp(count > 2 ? std::atoi(arguments[2]) : 2, 1, 100);
  std::vector<Client> clients(static_cast<std::size_t>(backlog) + 2);

  Socket listener = Socket::open(address.family(), Kind::stream).value();
  tell("server", "socket()", "descriptor " + std::to_string(listener.descriptor()));
  listener.bind(address).value();
  const Address here = listener.local().value();
  tell("server", "bind()",
       here.to_string() +
           (here.port() == address.port() ? "" : ": the system chose the port 포트는 시스템이 골랐습니다"));
  listener.listen(backlog).value();
  tell("server", "listen(" + std::to_string(backlog) + ")", queue_of(0));

  // Nobody accepts yet. connect() succeeds all the same: to be connected is to stand in the queue. Linux lets one more
  // in than the backlog says; whoever comes then is not heard, and asks again after a second.
  std::size_t waiting = 0;
  for (Client& client : clients) {
    client.name = "client " + std::to_string(&client - clients.data() + 1);
    client.socket = Socket::open(here.family(), Kind::stream).value();
    client.connecting = std::async(std::launch::async, [&client, here] { return client.socket.connect(here); });
    if (client.connecting.wait_for(300ms) != std::future_status::ready) {
      tell(client.name, "connect()", "waits: the queue is full 대기열이 차서 기다립니다");
      continue;
    }
    client.connecting.get().value();
    tell(client.name, "connect()",
         "from " + client.socket.local().value().to_string() + ", without a bind()   " + queue_of(++waiting));
  }
  clients[0].socket.send_all("hello").value();
  tell(clients[0].name, "send()", "5 bytes: taken, although nobody has accepted 아무도 accept하지 않았지만 보내집니다");

  std::vector<Socket> accepted;
  for (Client& client : clients) {
    if (client.connecting.valid()) {  // it waited: now there is room
      client.connecting.get().value();
      tell(client.name, "connect()",
           "from " + client.socket.local().value().to_string() + ", at last 드디어   " + queue_of(++waiting));
    }
    auto [socket, from] = listener.accept().value();
    tell("server", "accept()",
         from.to_string() + " on descriptor " + std::to_string(socket.descriptor()) + ", a new one   " +
             queue_of(--waiting));
    accepted.push_back(std::move(socket));
  }
  const std::string sockets = std::to_string(accepted.size() + 1);
  tell("server", "",
       sockets + " sockets on one port: a listener, and one for each client 한 포트에 소켓이 " + sockets + "개입니다");
  converse(accepted[0], clients[0]);
} catch (const Failure& failure) {
  std::cerr << failure.what() << '\n';
  return 1;
}
