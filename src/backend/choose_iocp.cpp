// Which backend this machine gets. Windows has one.
#include <cstdlib>
#include <string_view>

#include "src/backend/iocp.hpp"

namespace meari {
inline namespace v1 {

namespace {

Result<BackendChoice> choice_of(std::string_view name) {
  if (name == "auto") return BackendChoice::automatic;
  if (name == "iocp") return BackendChoice::iocp;
  return Error(Errc::invalid_argument, "MEARI_BACKEND is to be auto or iocp on Windows, but it is", name);
}

}  // namespace

Result<ChosenBackend> choose_backend(const BackendOptions& options) {
  BackendChoice choice = options.choice;
  if (choice == BackendChoice::automatic) {
    if (const char* name = std::getenv("MEARI_BACKEND"); name != nullptr && *name != '\0') {
      const Result<BackendChoice> named = choice_of(name);
      if (!named) return named.error();
      choice = *named;
    }
  }
  if (choice != BackendChoice::automatic && choice != BackendChoice::iocp)
    return Error(Errc::not_supported, "start a backend").because("io_uring and epoll are of Linux; Windows has iocp");
  Result<std::unique_ptr<Backend>> made = make_iocp(options.pool_bytes);
  if (!made) return made.error();
  return ChosenBackend{std::move(*made), {}};
}

}  // namespace v1
}  // namespace meari
