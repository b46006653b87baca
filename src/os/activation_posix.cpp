#include "activation.hpp"

#include <fcntl.h>

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string>

#include "native.hpp"

namespace meari::os {
namespace {

std::optional<long> number_in(const char* variable) noexcept {
  const char* value = std::getenv(variable);
  if (value == nullptr) return {};
  const std::string_view text(value);
  long number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc{} || end != text.data() + text.size()) return {};
  return number;
}

constexpr char announcing[] = "announce to";
std::string name_of(Descriptor descriptor) { return "fd:" + std::to_string(static_cast<int>(descriptor)); }

}  // namespace

std::size_t passed_descriptors() noexcept {
  constexpr long most = 1024;  // nobody means more, and a number from outside is not to be believed
  if (number_in("LISTEN_PID") != static_cast<long>(::getpid())) return 0;
  const long count = number_in("LISTEN_FDS").value_or(0);
  return count > 0 && count <= most ? static_cast<std::size_t>(count) : 0;
}

Result<> check_open(Descriptor descriptor) {
  if (sys::fcntl(descriptor, F_GETFD, 0) >= 0) return {};
  return system_error(sys::last_error(), announcing, name_of(descriptor));
}

Result<> announce(Descriptor descriptor, std::string_view text) {
  Result<> told;
  while (told && !text.empty()) {
    const std::ptrdiff_t written = sys::write(descriptor, text.data(), text.size());
    if (written >= 0) text.remove_prefix(static_cast<std::size_t>(written));
    else if (sys::last_error() != EINTR) told = system_error(sys::last_error(), announcing, name_of(descriptor));
  }
  sys::close(descriptor);
  return told;
}

}  // namespace meari::os
