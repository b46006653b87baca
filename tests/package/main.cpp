// What a user of the installed package writes: the echo server of the README and a client, both ends in one process.
#include <meari/meari.hpp>

#include <iostream>
#include <string>

using namespace meari;

Task<> echo(Stream peer) {
  while (Chunk data = co_await peer.read()) co_await peer.write(std::move(data));
}

Task<std::string> ask(Address where, std::string question) {
  Stream server = co_await connect(where.to_string());
  co_await server.write(question);
  Chunk answer = co_await server.read_exactly(question.size());
  co_return std::string(answer.text());
}

Task<> converse(Server& server, Address where) {
  const std::string answer = co_await ask(where, "hello");
  std::cout << "libmeari " << linked_version() << " says " << quote(answer) << '\n';
  if (answer != "hello") co_await fail(Errc::unexpected_end, "echo");
  server.drain();
}

int main() try {
  if (linked_version() != version) return 1;  // headers and library of different versions
  const std::unique_ptr<Loop> loop = Loop::make().value();
  Server server(*loop, echo);
  const std::vector<Address> where = server.listen("127.0.0.1:0").value();
  loop->spawn([&] { return server.run(); });
  loop->block_on([&] { return converse(server, where.front()); }).value();
  loop->run();
  return server.accepted() == 1 ? 0 : 1;
} catch (const Failure& failure) {
  std::cerr << failure.what() << '\n';
  return 1;
}
