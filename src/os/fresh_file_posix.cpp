#include "fresh_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "native.hpp"

namespace meari::os {
namespace {

constexpr char making_files[] = "make files in";

Error write_failure(int code, const std::string& path) {
  const Error error = system_error(code, "write a file", path);
  return code == ENOSPC || code == EDQUOT ? error.because("the disk is full") : error;
}

}  // namespace

Result<FreshFile> FreshFile::create(std::string path) {
  constexpr mode_t for_its_owner = 0600;
  for (;;) {
    const Descriptor made =
        sys::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, for_its_owner);
    if (made != no_descriptor) return FreshFile(std::move(path), static_cast<int>(made));
    if (sys::last_error() != EINTR) return system_error(sys::last_error(), "make a file", path);
  }
}

Result<> FreshFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const std::ptrdiff_t written = sys::write(Descriptor{descriptor_}, bytes.data(), bytes.size());
    if (written >= 0) bytes = bytes.subspan(static_cast<std::size_t>(written));
    else if (sys::last_error() != EINTR) return write_failure(sys::last_error(), path_);
  }
  return {};
}

Result<> FreshFile::close() {
  if (descriptor_ < 0) return {};
  if (sys::close(Descriptor{std::exchange(descriptor_, -1)}) == 0) return {};
  return write_failure(sys::last_error(), path_);
}

Result<> provide_folder(const std::string& path) {
  constexpr mode_t for_its_owner = 0700;
  if (::mkdir(path.c_str(), for_its_owner) != 0 && errno != EEXIST) return system_error(errno, making_files, path);
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0) return system_error(errno, making_files, path);
  if (!S_ISDIR(facts.st_mode))
    return Error(Errc::invalid_argument, making_files, path).because("it is not a directory");
  if (::access(path.c_str(), W_OK | X_OK) != 0) return system_error(errno, making_files, path);
  return {};
}

void fail_at_size_limit() noexcept { static_cast<void>(std::signal(SIGXFSZ, SIG_IGN)); }

}  // namespace meari::os
