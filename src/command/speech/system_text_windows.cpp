// Windows speaks the language that it is set to.
#include "system_text.hpp"

namespace meari::command {

std::string_view system_text(Language, int) noexcept { return {}; }

}  // namespace meari::command
