// Echo on libmeari: the five lines of the README, plus the port. MEARI_BACKEND chooses what is under it.
//
//   meari_echo PORT
#include <meari/meari.hpp>

#include <string>

using namespace meari;

Task<> echo(Stream peer) {
  while (Chunk data = co_await peer.read()) co_await peer.write(std::move(data));
}

int main(int count, char** arguments) {
  return serve("127.0.0.1:" + std::string(count > 1 ? arguments[1] : "9000"), echo);
}
