#include <meari/channel.hpp>

namespace meari {
inline namespace v1 {

void ChannelWaiter::tell_its_loop() noexcept {
  if (Loop::current() == loop) loop->ready(*this);
  else loop->post(static_cast<Posted&>(*this));
}

}  // namespace v1
}  // namespace meari
