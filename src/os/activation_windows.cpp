// No supervisor of Windows passes sockets in this way.
#include "activation.hpp"

namespace meari::os {

std::size_t passed_descriptors() noexcept { return 0; }
Result<> check_open(Descriptor) { return Error(Errc::not_supported, "announce to"); }
Result<> announce(Descriptor, std::string_view) { return Error(Errc::not_supported, "announce to"); }

}  // namespace meari::os
