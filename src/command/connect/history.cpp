#include "history.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <system_error>

namespace meari::command {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> read_lines(const fs::path& path) {
  std::vector<std::string> lines;
  std::ifstream file(path, std::ios::binary);
  for (std::string line; std::getline(file, line);) lines.push_back(std::move(line));
  if (lines.size() > History::most_lines)
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(History::most_lines));
  return lines;
}

fs::path place() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state == '/') return fs::path(state) / "meari" / "history";  // a relative one does not count
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home != '/') return {};
  return fs::path(home) / ".local" / "state" / "meari" / "history";
}

}  // namespace

History::History() : path_(place()) {
  if (!path_.empty()) lines_ = read_lines(path_);
  known_ = lines_.size();
}

bool History::add(std::string_view line) {
  if (line.empty() || line.starts_with(' ') || (!lines_.empty() && lines_.back() == line)) return false;
  lines_.emplace_back(line);
  return true;
}

void History::save() noexcept {
  if (path_.empty() || known_ == lines_.size()) return;
  std::error_code ignored;
  fs::create_directories(path_.parent_path(), ignored);
  fs::permissions(path_.parent_path(), fs::perms::owner_all, ignored);
  std::vector<std::string> all = read_lines(path_);
  all.insert(all.end(), lines_.begin() + static_cast<std::ptrdiff_t>(known_), lines_.end());
  const std::size_t first = all.size() - std::min(all.size(), most_lines);
  // Made whole beside it and then moved there: nobody reads half of it, and it is private before anything is in it.
  const fs::path fresh = path_.string() + ".new";
  fs::remove(fresh, ignored);
  std::ofstream file(fresh, std::ios::binary);
  fs::permissions(fresh, fs::perms::owner_read | fs::perms::owner_write, ignored);
  if (ignored) return;
  for (std::size_t i = first; i < all.size(); ++i) file << all[i] << '\n';
  file.close();
  if (file) fs::rename(fresh, path_, ignored);
}

}  // namespace meari::command
