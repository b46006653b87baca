#include "child.hpp"

#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>

#include "memory.hpp"
#include "native.hpp"

namespace meari::os {
namespace {

constexpr char starting[] = "start";

struct FileActions {
  posix_spawn_file_actions_t native{};
  FileActions() noexcept { posix_spawn_file_actions_init(&native); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  ~FileActions() { posix_spawn_file_actions_destroy(&native); }
};

struct Attributes {
  posix_spawnattr_t native{};
  Attributes() noexcept { posix_spawnattr_init(&native); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  ~Attributes() { posix_spawnattr_destroy(&native); }
};

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> all;
  for (const std::string& word : words) all.push_back(const_cast<char*>(word.c_str()));
  all.push_back(nullptr);
  return all;
}

// Descriptors 0, 1 and 2 are taken in this process, so that none of these is one of them, and none is inherited by itself.
Result<std::pair<Owned, Owned>> socket_ends() {
  int ends[2];
  if (sys::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return system_error(sys::last_error(), "socketpair");
  return std::pair(Owned(ends[0]), Owned(ends[1]));
}

// The program's groups of signals and its descriptors. An error is a number of errno.
int spawn(const Program& program, Descriptor input, Descriptor output, Descriptor errors, pid_t& process) {
  FileActions actions;
  Attributes attributes;
  sigset_t all, none;
  sigfillset(&all);
  sigemptyset(&none);
  const auto plain = [](Descriptor descriptor) { return static_cast<int>(descriptor); };
  int code = posix_spawn_file_actions_adddup2(&actions.native, plain(input), 0);
  if (code == 0) code = posix_spawn_file_actions_adddup2(&actions.native, plain(output), 1);
  if (code == 0) code = posix_spawn_file_actions_adddup2(&actions.native, plain(errors), 2);
  if (code == 0) code = posix_spawn_file_actions_addclosefrom_np(&actions.native, 3);
  if (code == 0) code = posix_spawnattr_setsigdefault(&attributes.native, &all);
  if (code == 0) code = posix_spawnattr_setsigmask(&attributes.native, &none);
  if (code == 0) code = posix_spawnattr_setpgroup(&attributes.native, 0);
  if (code == 0)
    code = posix_spawnattr_setflags(&attributes.native,
                                    POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  if (code != 0) return code;
  const std::vector<char*> arguments = pointers(program.arguments);
  const std::vector<char*> environment = pointers(program.environment);
  return ::posix_spawn(&process, program.file.c_str(), &actions.native, &attributes.native, arguments.data(),
                       environment.data());
}

}  // namespace

Owned::~Owned() {
  if (descriptor_ != no_descriptor) sys::close(descriptor_);
}

Result<std::string> find_program(const std::string& name) {
  const auto runs = [](const std::string& file) { return ::access(file.c_str(), X_OK) == 0 ? 0 : sys::last_error(); };
  struct stat facts{};
  const auto is_file = [&](const std::string& file) {
    return ::stat(file.c_str(), &facts) == 0 && S_ISREG(facts.st_mode);
  };
  if (name.contains('/')) {
    if (const int code = runs(name)) return system_error(code, starting, name);
    if (!is_file(name)) return Error(Errc::permission_denied, starting, name);
    return name;
  }
  const char* path = ::getenv("PATH");
  std::string_view places = path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path;
  while (!name.empty() && !places.empty()) {
    const std::string_view place = places.substr(0, places.find(':'));
    places.remove_prefix(std::min(place.size() + 1, places.size()));
    // An empty place would mean the current directory, where somebody else may have left a file of that name.
    if (place.empty()) continue;
    std::string file = std::string(place) + '/' + name;
    if (runs(file) == 0 && is_file(file)) return file;
  }
  return Error(Errc::not_found, starting, name);
}

std::vector<std::string> environment(std::span<const std::string_view> names) {
  const auto is_one_of_them = [&](std::string_view variable) {
    const std::string_view own = variable.substr(0, variable.find('='));
    return std::ranges::any_of(names, [&](std::string_view name) {
      return name.ends_with('*') ? own.starts_with(name.substr(0, name.size() - 1)) : own == name;
    });
  };
  std::vector<std::string> found;
  for (char** word = environ; word != nullptr && *word != nullptr; ++word)
    if (is_one_of_them(*word)) found.emplace_back(*word);
  return found;
}

const std::chrono::milliseconds time_for_last_words{0};

Result<Child> Child::start(const Program& program) {
  return in_memory([&] { return begin(program); });
}

Result<Child> Child::begin(const Program& program) {
  Result<std::pair<Owned, Owned>> input = socket_ends();
  if (!input) return input.error();
  Result<std::pair<Owned, Owned>> output = socket_ends();
  if (!output) return output.error();
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) return system_error(sys::last_error(), "pipe");
  Owned errors(pipe[0]);
  const Owned its_errors(pipe[1]);
  if (Result<> set = set_non_blocking(errors.get(), true); !set) return set.error();
  Child child;
  pid_t process = 0;
  if (const int code = spawn(program, input->second.get(), output->second.get(), its_errors.get(), process))
    return system_error(code, starting, program.file);
  child.process_ = process;
  child.ended_ = Owned(::syscall(SYS_pidfd_open, process, 0));
  if (child.ended_.get() == no_descriptor) return system_error(sys::last_error(), starting, program.file);
  child.input = std::move(input->first);
  child.output = std::move(output->first);
  child.errors = std::move(errors);
  return child;
}

Child::~Child() {
  if (process_ == 0) return;
  kill();
  while (::waitpid(static_cast<pid_t>(process_), nullptr, 0) < 0 && sys::last_error() == EINTR) {}
}

std::optional<ProgramEnd> Child::reap() noexcept {
  if (process_ == 0) return ProgramEnd();
  int status = 0;
  const pid_t found = ::waitpid(static_cast<pid_t>(process_), &status, WNOHANG);
  if (found == 0 || (found < 0 && sys::last_error() == EINTR)) return {};
  process_ = 0;
  if (found < 0) return ProgramEnd();  // somebody else was quicker, as where SIGCHLD is ignored
  if (WIFSIGNALED(status)) return ProgramEnd{.signal = WTERMSIG(status)};
  return ProgramEnd{.status = static_cast<std::uint32_t>(WEXITSTATUS(status))};
}

void Child::terminate() noexcept { signal_group(SIGTERM); }
void Child::kill() noexcept { signal_group(SIGKILL); }

// Only while the program has not been reaped: until then nobody else can get the number of its group.
void Child::signal_group(int number) noexcept {
  if (process_ != 0) ::kill(-static_cast<pid_t>(process_), number);
}

Result<std::optional<std::size_t>> read_some(Descriptor descriptor, void* data, std::size_t size) noexcept {
  for (;;) {
    const std::ptrdiff_t count = sys::read(descriptor, data, size);
    if (count >= 0) return std::optional(static_cast<std::size_t>(count));
    const int code = sys::last_error();
    if (code == EAGAIN) return std::optional<std::size_t>();
    if (code != EINTR) return system_error(code, "read");
  }
}

}  // namespace meari::os
