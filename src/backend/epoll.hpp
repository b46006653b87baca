// Makes the backend over epoll(7).
#pragma once

#include <cstddef>
#include <memory>

#include <meari/backend.hpp>

namespace meari {
inline namespace v1 {

Result<std::unique_ptr<Backend>> make_epoll(std::size_t pool_bytes);

}  // namespace v1
}  // namespace meari
