// A file that is made anew: never over one that exists, and for its owner alone. Every call may wait for a disk, so none
// is for the thread of a loop.
//
//   Result<FreshFile> file = FreshFile::create("recordings/000001.received");
//   if (Result<> written = file->write(chunk.bytes()); !written) …      // a full disk, say
//   Result<> closed = file->close();                                    // what a network's file system says at last
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include <meari/result.hpp>

namespace meari::os {

class FreshFile {
 public:
  // Fails where something has that name already, and as the system says.
  static Result<FreshFile> create(std::string path);
  FreshFile(FreshFile&& other) noexcept
      : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
  FreshFile& operator=(FreshFile&&) = delete;
  ~FreshFile() { static_cast<void>(close()); }

  // All of it, behind what was written before; or fails, and a part of it may be there.
  Result<> write(std::span<const std::byte> bytes);
  Result<> close();
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  FreshFile(std::string path, int descriptor) noexcept : path_(std::move(path)), descriptor_(descriptor) {}
  std::string path_;
  int descriptor_ = -1;
};

// A folder in which this program can make files: one that is there, or a new one for its owner alone. Its parents are not
// made. Fails as the system says.
Result<> provide_folder(const std::string& path);

// A file that reaches the limit of the system for its size (RLIMIT_FSIZE) is a write that fails, and not the end of this
// program.
void fail_at_size_limit() noexcept;

}  // namespace meari::os
