// Which compiler has made this program.
#pragma once

#include <string_view>

namespace meari::command {

#if defined(__clang__)
inline constexpr std::string_view compiler = "clang " __clang_version__;
#elif defined(__GNUC__)
inline constexpr std::string_view compiler = "g++ " __VERSION__;
#else
inline constexpr std::string_view compiler = "unknown";
#endif

}  // namespace meari::command
