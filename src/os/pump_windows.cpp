#include "pump_windows.hpp"

#include <array>
#include <memory>

#include <meari/socket.hpp>

#include "calls.hpp"
#include "native.hpp"

namespace meari::os {
namespace {

constexpr DWORD piece_size = DWORD{64} << 10;

// What a thread owns. Nothing else knows of it, so it may go on after everybody else has gone.
struct Pump {
  Handle pipe;
  Socket socket;
  std::array<char, piece_size> piece;
};

DWORD WINAPI into_the_pipe(void* given) noexcept {
  const std::unique_ptr<Pump> pump(static_cast<Pump*>(given));
  for (bool is_read = true;;) {
    const Result<std::size_t> size = pump->socket.recv(pump->piece);
    if (!size || *size == 0) return 0;
    const char* data = pump->piece.data();
    for (auto left = static_cast<DWORD>(*size); is_read && left != 0;) {
      DWORD written = 0;
      is_read = ::WriteFile(pump->pipe.get(), data, left, &written, nullptr) != 0;
      data += written;
      left -= written;
    }
    if (!is_read) pump->pipe.close();
  }
}

DWORD WINAPI out_of_the_pipe(void* given) noexcept {
  const std::unique_ptr<Pump> pump(static_cast<Pump*>(given));
  for (;;) {
    DWORD size = 0;
    if (::ReadFile(pump->pipe.get(), pump->piece.data(), piece_size, &size, nullptr) == 0) break;
    // A program may write nothing at all, and that is not the end.
    if (!pump->socket.send_all(std::string_view(pump->piece.data(), size))) return 0;
  }
  static_cast<void>(pump->socket.shutdown(Socket::Direction::send));
  return 0;
}

Result<Owned> start(LPTHREAD_START_ROUTINE run, Handle pipe) {
  Result<std::pair<Descriptor, Descriptor>> pair = socket_pair();
  if (!pair) return pair.error();
  Owned ours(pair->first);
  auto pump = std::unique_ptr<Pump>(new Pump{std::move(pipe), Socket::adopt(pair->second), {}});
  constexpr SIZE_T stack_size = SIZE_T{64} << 10;
  const Handle thread(::CreateThread(nullptr, stack_size, run, pump.get(), STACK_SIZE_PARAM_IS_A_RESERVATION, nullptr));
  if (thread.get() == nullptr) return system_error(static_cast<int>(::GetLastError()), "start a helper thread");
  static_cast<void>(pump.release());  // it is the thread's now
  return ours;
}

}  // namespace

Result<Pipe> make_pipe() {
  HANDLE from = nullptr;
  HANDLE to = nullptr;
  if (::CreatePipe(&from, &to, nullptr, piece_size) == 0)
    return system_error(static_cast<int>(::GetLastError()), "pipe");
  return Pipe{Handle(from), Handle(to)};
}

Result<Owned> pump_into(Handle to) { return start(into_the_pipe, std::move(to)); }
Result<Owned> pump_out_of(Handle from) { return start(out_of_the_pipe, std::move(from)); }

}  // namespace meari::os
