// The border where std::bad_alloc becomes an Error: of everything that gives a Result.
//
//   Result<Address> Address::from_path(std::string_view path) {
//     return os::in_memory([&]() -> Result<Address> { …; return made; });
//   }
#pragma once

#include <new>
#include <type_traits>
#include <utility>

#include <meari/result.hpp>

namespace meari::os {

template <class F>
std::invoke_result_t<F> in_memory(F&& make) {
#if defined(__cpp_exceptions)
  try {
    return std::forward<F>(make)();
  } catch (const std::bad_alloc&) {
    return Errc::out_of_memory;
  }
#else
  return std::forward<F>(make)();
#endif
}

}  // namespace meari::os
