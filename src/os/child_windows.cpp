// Programs are not started on Windows yet.
#include "child.hpp"

namespace meari::os {

Owned::~Owned() = default;
Result<std::string> find_program(const std::string& name) { return Error(Errc::not_supported, "start", name); }
std::vector<std::string> environment() { return {}; }
Result<Child> Child::start(const Program& program) { return Error(Errc::not_supported, "start", program.file); }
Child::~Child() = default;
std::optional<ProgramEnd> Child::reap() noexcept { return ProgramEnd(); }
void Child::terminate() noexcept {}
void Child::kill() noexcept {}
void Child::signal_group(int) noexcept {}
Result<std::optional<std::size_t>> read_some(Descriptor, void*, std::size_t) noexcept {
  return std::optional<std::size_t>(0);
}

}  // namespace meari::os
