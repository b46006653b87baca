// WireBackend: slots whose descriptors are sockets of a Wire. As epoll does it: try, and try again when told.
#pragma once

#include <atomic>

#include "src/backend/slotted.hpp"
#include "src/backend/wire.hpp"

namespace meari {
inline namespace v1 {

class WireBackend final : public Slotted<WireBackend> {
 public:
  WireBackend(Wire& wire, HostId host, std::size_t pool_bytes);
  ~WireBackend() override;

  [[nodiscard]] std::string_view name() const noexcept override { return "wire"; }
  Result<SlotId> open(const Opening& opening) override;
  Result<SlotId> adopt(Descriptor descriptor, Role role) override;
  Result<Descriptor> release(SlotId slot) override;
  Result<std::pair<SlotId, SlotId>> pair() override;
  Time wait(Time until) override;
  void wake() noexcept override;
  [[nodiscard]] Time now() const noexcept override { return severed_ ? own_time_ : wire_.now() + ahead_; }
  [[nodiscard]] std::optional<Result<std::vector<Address>>> resolve(const Endpoint& where) override;
  [[nodiscard]] std::optional<std::size_t> most_descriptors() const noexcept override;
  [[nodiscard]] Result<Address> local(SlotId slot) const override;
  [[nodiscard]] Result<Address> peer(SlotId slot) const override;
  [[nodiscard]] Result<SocketInfo> info(SlotId slot) const override;

  // ---- for the wire
  void stirred(SlotId slot);                                    // a call on its socket may give something else now
  [[nodiscard]] Time alarm() const noexcept { return alarm_; }  // when the loop wants to be turned, in the wire's time
  void time_has_come() noexcept;                                // the wire's clock has moved
  void jump(Duration ahead) noexcept;
  void sever() noexcept;  // its host has crashed
  [[nodiscard]] HostId host() const noexcept { return host_; }
  [[nodiscard]] bool awake() const noexcept;

  // ---- for Slotted
  Submitted start_receive(Slot& slot, Receive& receive);
  Submitted start_send(Slot& slot, Send& send);
  Submitted start_accept(Slot& slot, Accept& accept);
  Submitted start_connect(Slot& slot, Connect& connect);
  Submitted start_receive_from(Slot& slot, ReceiveFrom& receive);
  Submitted start_send_to(Slot& slot, SendTo& send);
  Submitted start_ready(Slot& slot, Readiness& readiness);
  void stop(Slot& slot, Operation& operation, Errc reason);
  void shut(Slot& slot);
  bool feed(Slot& slot);

 private:
  enum class Went : std::uint8_t { all, part, wrong };

  Result<SlotId> admit(Descriptor descriptor);
  // Each tries once. True: the operation has its outcome.
  bool try_receive(Slot& slot, Receive& receive);
  bool try_accept(Slot& slot, Accept& accept);
  bool try_connect(Slot& slot, Connect& connect);
  bool try_receive_from(Slot& slot, ReceiveFrom& receive);
  bool try_send_to(Slot& slot, SendTo& send);
  bool try_waiting(Slot& slot, Operation& operation);
  Went try_send(Slot& slot, Send& send, Error& error);
  void writable(Slot& slot);
  void let_happen(Time until);
  void pass_own_time(Time until);

  Wire& wire_;
  HostId host_;
  Duration ahead_;
  Time alarm_ = never;
  bool severed_ = false;
  Time own_time_{};      // once severed
  bool asleep_ = false;  // on a driven wire: has been asked, and had nothing to do
  std::atomic<bool> woken_{false};
};

}  // namespace v1
}  // namespace meari
