// Which backend this machine gets, and why not a faster one. Linux.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "src/backend/epoll.hpp"
#include "src/backend/uring.hpp"
#include "src/os/memory.hpp"
#include "src/os/system.hpp"

namespace meari {
inline namespace v1 {

namespace {

Result<BackendChoice> choice_of(std::string_view name) {
  if (name == "auto") return BackendChoice::automatic;
  if (name == "uring") return BackendChoice::uring;
  if (name == "uring-floor") return BackendChoice::uring_floor;
  if (name == "epoll") return BackendChoice::epoll;
  return Error(Errc::invalid_argument, "MEARI_BACKEND is to be auto, uring, uring-floor or epoll, but it is", name);
}

// The administrator's switch: 0 everybody, 1 a group, 2 nobody; -1 unknown to this kernel.
int uring_disabled() noexcept {
  std::FILE* file = std::fopen("/proc/sys/kernel/io_uring_disabled", "re");
  if (file == nullptr) return -1;
  int value = -1;
  if (std::fscanf(file, "%d", &value) != 1) value = -1;
  std::fclose(file);
  return value;
}

// Not there, or forbidden: another backend does as well. Everything else would hit that one, too.
bool may_do_without(const Error& error) noexcept {
  const int code = error.system_code();
  return code == EPERM || code == ENOSYS || code == EINVAL;
}

std::string explain(const Error& error) {
  if (const int disabled = uring_disabled(); disabled > 0)
    return "io_uring is disabled here (kernel.io_uring_disabled=" + std::to_string(disabled) + "); using epoll";
  switch (error.system_code()) {
    case ENOSYS: return "this kernel has no io_uring, or hides it; using epoll";
    case EPERM: return "io_uring is forbidden here (by a seccomp filter, as containers have it); using epoll";
    default: return "this kernel's io_uring is older than Linux 6.1; using epoll";
  }
}

Result<ChosenBackend> chosen(Result<std::unique_ptr<Backend>> made, std::string refused = {}) {
  if (!made) return made.error();
  return ChosenBackend{std::move(*made), std::move(refused)};
}

Result<ChosenBackend> choose(const BackendOptions& options) {
  BackendChoice choice = options.choice;
  if (choice == BackendChoice::automatic) {
    if (const char* name = std::getenv("MEARI_BACKEND"); name != nullptr && *name != '\0') {
      const Result<BackendChoice> named = choice_of(name);
      if (!named) return named.error();
      choice = *named;
    }
  }
  if (choice == BackendChoice::iocp)
    return Error(Errc::not_supported, "start a backend").because("completion ports are of Windows");
  if (choice == BackendChoice::epoll) return chosen(make_epoll(options.pool_bytes));
  Result<std::unique_ptr<Backend>> made =
      make_uring({.pool_bytes = options.pool_bytes, .floor = choice == BackendChoice::uring_floor});
  if (made || choice != BackendChoice::automatic || !may_do_without(made.error())) return chosen(std::move(made));
  return chosen(make_epoll(options.pool_bytes), explain(made.error()));
}

}  // namespace

Result<ChosenBackend> choose_backend(const BackendOptions& options) {
  return os::in_memory([&] { return choose(options); });
}

}  // namespace v1
}  // namespace meari
