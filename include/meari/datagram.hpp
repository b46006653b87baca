// Datagram: messages without a connection (UDP, or Unix-domain). Each arrives whole or not at all, in any order.
//
//   Address address("127.0.0.1", 9000);
//   Datagram socket = co_await Datagram::open(address);
//   for (;;) {
//     Received message = co_await socket.receive();
//     co_await socket.send_to(message.data.bytes(), message.from);
//   }
#pragma once

#include <span>
#include <string_view>
#include <utility>

#include <meari/chunk.hpp>
#include <meari/loop.hpp>
#include <meari/task.hpp>
#include <meari/version.hpp>

namespace meari {
inline namespace v1 {

struct Received {
  Received() noexcept {}
  Received(Chunk bytes, Address sender, bool cut) noexcept
      : data(std::move(bytes)), from(std::move(sender)), truncated(cut) {}
  Chunk data;  // may be empty: an empty datagram is one, too
  Address from;
  bool truncated = false;
};

class [[nodiscard]] ReceiveDatagram {
 public:
  using Operation = ReceiveFrom;
  using Value = Received;
  using Activity = OperationActivity<ReceiveDatagram>;
  explicit ReceiveDatagram(SlotId slot) noexcept : slot_(slot) {}
  void prepare(ReceiveFrom& receive) noexcept { receive.slot = slot_; }
  MEARI_EXPORT static Received take(ReceiveFrom& receive);
  static Error fail(ReceiveFrom& receive) { return receive.error.during("receive"); }

 private:
  SlotId slot_;
};

class [[nodiscard]] SendDatagram {
 public:
  using Operation = SendTo;
  using Value = void;
  using Activity = OperationActivity<SendDatagram>;
  SendDatagram(SlotId slot, std::span<const std::byte> bytes, Address target) noexcept
      : slot_(slot), bytes_(bytes), target_(std::move(target)) {}
  void prepare(SendTo& send) noexcept {
    send.slot = slot_;
    send.bytes = bytes_;
    send.target = std::move(target_);
  }
  MEARI_EXPORT static void take(SendTo& send);
  static Error fail(SendTo& send) { return send.error.during("send to", send.target); }

 private:
  SlotId slot_;
  std::span<const std::byte> bytes_;
  Address target_;
};

class MEARI_EXPORT Datagram {
 public:
  Datagram() noexcept = default;
  Datagram(Loop& loop, SlotId slot) noexcept : loop_(&loop), slot_(slot) {}
  Datagram(Datagram&& other) noexcept
      : loop_(std::exchange(other.loop_, nullptr)), slot_(std::exchange(other.slot_, SlotId{})) {}
  Datagram& operator=(Datagram&& other) noexcept {
    std::swap(loop_, other.loop_);
    std::swap(slot_, other.slot_);
    return *this;
  }
  ~Datagram() { close(); }

  // Bound to the address; port 0: the kernel chooses.
  static Result<Datagram> open(const Address& local);
  static Result<Datagram> open(Loop& loop, const Address& local);
  static Result<Datagram> adopt(Loop& loop, Descriptor descriptor);

  // One message of at most 65,535 bytes.
  ReceiveDatagram receive() noexcept { return ReceiveDatagram(slot_); }
  // Borrows the bytes until it is done. Fails with message_too_long; connection_refused may come late, from an earlier one.
  SendDatagram send_to(std::span<const std::byte> bytes, Address target) noexcept {
    return SendDatagram(slot_, bytes, std::move(target));
  }
  SendDatagram send_to(std::string_view text, Address target) noexcept {
    return send_to(std::as_bytes(std::span(text.data(), text.size())), std::move(target));
  }

  [[nodiscard]] Result<Address> local() const;
  [[nodiscard]] SlotFacts facts() const;
  [[nodiscard]] bool is_open() const noexcept { return loop_ != nullptr; }
  void close() noexcept;

 private:
  Loop* loop_ = nullptr;
  SlotId slot_;
};

}  // namespace v1
}  // namespace meari
