// Apart from loop.cpp: a program that brings a backend of its own (a simulation, a test) does not need all of them.
#include <meari/loop.hpp>

#include "src/os/memory.hpp"

namespace meari {
inline namespace v1 {

Result<std::unique_ptr<Loop>> Loop::make(LoopOptions options) {
  return os::in_memory([&]() -> Result<std::unique_ptr<Loop>> {
    Result<ChosenBackend> chosen = choose_backend(options.backend);
    if (!chosen) return chosen.error();
    auto loop = std::make_unique<Loop>(std::move(chosen->backend), std::move(options));
    loop->refused_ = std::move(chosen->refused);
    return loop;
  });
}

}  // namespace v1
}  // namespace meari
