// The C runtime's descriptors: files of one's own folder are for their owner alone here by what they inherit.
#include "fresh_file.hpp"

#include <direct.h>
#include <fcntl.h>
#include <io.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace meari::os {
namespace {

constexpr char making_files[] = "make files in";

Error failure(int code, const char* operation, const std::string& path) {
  const Errc known = code == EACCES   ? Errc::permission_denied
                     : code == ENOENT ? Errc::not_found
                     : code == EMFILE ? Errc::too_many_descriptors
                                      : Errc::system;
  return Error(known, operation, path);
}

}  // namespace

Result<FreshFile> FreshFile::create(std::string path) {
  const int made =
      ::_open(path.c_str(), _O_WRONLY | _O_CREAT | _O_EXCL | _O_BINARY | _O_NOINHERIT, _S_IREAD | _S_IWRITE);
  if (made < 0) return failure(errno, "make a file", path);
  return FreshFile(std::move(path), made);
}

Result<> FreshFile::write(std::span<const std::byte> bytes) {
  constexpr std::size_t most = std::size_t{1} << 30;
  while (!bytes.empty()) {
    const int written = ::_write(descriptor_, bytes.data(), static_cast<unsigned>(std::min(bytes.size(), most)));
    if (written < 0) return failure(errno, "write a file", path_);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Result<> FreshFile::close() {
  if (descriptor_ < 0) return {};
  if (::_close(std::exchange(descriptor_, -1)) == 0) return {};
  return failure(errno, "write a file", path_);
}

Result<> provide_folder(const std::string& path) {
  if (::_mkdir(path.c_str()) != 0 && errno != EEXIST) return failure(errno, making_files, path);
  struct _stat facts{};
  if (::_stat(path.c_str(), &facts) != 0) return failure(errno, making_files, path);
  if ((facts.st_mode & _S_IFDIR) == 0)
    return Error(Errc::invalid_argument, making_files, path).because("it is not a directory");
  return {};
}

void fail_at_size_limit() noexcept {}

}  // namespace meari::os
