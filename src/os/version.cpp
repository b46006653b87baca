#include <meari/version.hpp>

namespace meari {
inline namespace v1 {

std::string_view linked_version() noexcept { return MEARI_VERSION; }

}  // namespace v1
}  // namespace meari
