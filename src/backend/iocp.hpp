// Makes the backend over Windows' completion ports.
#pragma once

#include <cstddef>
#include <memory>

#include <meari/backend.hpp>

namespace meari {
inline namespace v1 {

Result<std::unique_ptr<Backend>> make_iocp(std::size_t pool_bytes);

}  // namespace v1
}  // namespace meari
