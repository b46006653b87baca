// Which meari this is, and what crosses the border of its shared library.
//
//   static_assert(MEARI_VERSION_NUMBER >= 100);          // 0.1.0 or later
//   std::cout << meari::version << '\n';                 // the headers that this program was compiled with
//   std::cout << meari::linked_version() << '\n';        // the library that it runs with
#pragma once

#include <string_view>

// The only place where the version is written; CMake and the package files read it from here.
#define MEARI_VERSION_MAJOR 0
#define MEARI_VERSION_MINOR 1
#define MEARI_VERSION_PATCH 0
#define MEARI_VERSION "0.1.0"
// One number to compare: 10000 * major + 100 * minor + patch.
#define MEARI_VERSION_NUMBER (MEARI_VERSION_MAJOR * 10000 + MEARI_VERSION_MINOR * 100 + MEARI_VERSION_PATCH)

// Marks what a shared libmeari shows; everything else is hidden. MEARI_SHARED is defined for the library and its users
// when it is built shared, MEARI_BUILDING for its own sources. Written where other attributes stand.
#if !defined(MEARI_SHARED)
#define MEARI_EXPORT
#elif defined(_WIN32) && defined(MEARI_BUILDING)
#define MEARI_EXPORT [[gnu::dllexport]]
#elif defined(_WIN32)
#define MEARI_EXPORT [[gnu::dllimport]]
#else
#define MEARI_EXPORT [[gnu::visibility("default")]]
#endif

namespace meari {
inline namespace v1 {

// The version of these headers, as "major.minor.patch".
inline constexpr std::string_view version = MEARI_VERSION;

// The version of the library that was linked or loaded; differs from `version` when headers and library do not belong together.
[[nodiscard]] MEARI_EXPORT std::string_view linked_version() noexcept;

}  // namespace v1
}  // namespace meari
