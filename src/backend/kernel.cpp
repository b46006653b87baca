#include "src/backend/kernel.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>
#include <thread>

#include "src/os/system.hpp"

namespace meari {
inline namespace v1 {
namespace kernel {

void wake(Descriptor eventfd, std::atomic<bool>& awake) noexcept {
  if (awake.exchange(true, std::memory_order_acq_rel)) return;
  // Should it fail, the next one has to try again, or no wake-up would ever come through.
  if (!os::notify(eventfd)) awake.store(false, std::memory_order_release);
}

void woken(Descriptor eventfd, std::atomic<bool>& awake) noexcept {
  std::uint64_t count = 0;
  static_cast<void>(sys::read(eventfd, &count, sizeof count));
  awake.exchange(false, std::memory_order_acq_rel);
}

void wait_for_wake(Descriptor eventfd, std::atomic<bool>& awake, Time until) noexcept {
  constexpr long long longest = 1'000'000;
  int milliseconds = -1;
  if (until != never) {
    const Time present = now();
    const Duration left = until > present ? until - present : Duration::zero();  // Time::min() has no distance
    milliseconds =
        static_cast<int>(std::min<long long>(std::chrono::ceil<std::chrono::milliseconds>(left).count(), longest));
  }
  pollfd entry{.fd = sys::plain(eventfd), .events = POLLIN, .revents = 0};
  const int found = sys::poll(&entry, 1, milliseconds);
  if (found < 0 && sys::last_error() != EINTR) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  if (found > 0) woken(eventfd, awake);
}

bool try_accept(Descriptor listener, int flags, Accept& accept) {
  for (;;) {
    os::NativeAddress from;
    const Descriptor accepted = sys::accept4(listener, from.data(), &from.size, flags | SOCK_CLOEXEC);
    if (accepted >= 0) {
      accept.accepted = accepted;
      accept.from = from.address();
      return true;
    }
    const int code = sys::last_error();
    if (code == EINTR || os::accept_again(code)) continue;
    if (code == EAGAIN || code == EWOULDBLOCK) return false;
    accept.error = system_error(code, "accept");
    return true;
  }
}

bool try_send_to(Descriptor descriptor, SendTo& send) {
  const os::NativeAddress to(send.target);
  for (;;) {
    const std::ptrdiff_t count =
        sys::sendto(descriptor, send.bytes.data(), send.bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT, to.data(), to.size);
    if (count >= 0) return true;
    const int code = sys::last_error();
    if (code == EINTR) continue;
    if (code == EAGAIN || code == EWOULDBLOCK) return false;
    send.error = system_error(code, "send to", send.target);
    return true;
  }
}

namespace {
constexpr std::size_t longest_datagram = 65'535;
}  // namespace

bool DatagramReceiver::try_receive_from(Descriptor descriptor, Pool& pool, ReceiveFrom& receive) {
  if (scratch_ == nullptr) scratch_.reset(new (std::nothrow) Scratch);
  if (scratch_ == nullptr) return receive.error = Errc::out_of_memory, true;
  os::NativeAddress from;
  iovec vector{scratch_->data(), longest_datagram};
  msghdr message{};
  message.msg_name = from.data();
  message.msg_namelen = sizeof from.storage;
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  std::ptrdiff_t count = 0;
  do {
    count = sys::recvmsg(descriptor, &message, MSG_DONTWAIT);
  } while (count < 0 && sys::last_error() == EINTR);
  if (count < 0) {
    const int code = sys::last_error();
    if (code == EAGAIN || code == EWOULDBLOCK) return false;
    receive.error = system_error(code, "receive");
    return true;
  }
  from.size = message.msg_namelen;
  receive.from = from.address();
  receive.truncated = (message.msg_flags & MSG_TRUNC) != 0;
  Result<Chunk> chunk = copied(pool, std::span(scratch_->data(), static_cast<std::size_t>(count)));
  if (!chunk) return receive.error = chunk.error(), true;
  receive.chunk = std::move(*chunk);
  return true;
}

}  // namespace kernel
}  // namespace v1
}  // namespace meari
