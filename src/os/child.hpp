// Child: another program, started with three descriptors and nothing else of ours.
//
//   Result<os::Child> child = os::Child::start({.program = "/bin/cat", .arguments = {"cat", "-n"}, .environment = …});
//   child->input, child->output       our ends of its standard input and output: stream sockets, so that they can be
//                                     half-closed and any loop takes them
//   child->errors                     our end of its standard error: a pipe, because scripts open /dev/stderr, which is
//                                     refused where that is a socket; non-blocking
//   child->ended()                    becomes readable when the program has ended; then reap()
//
// It is the first of a process group of its own, has the default action for every signal and none blocked, and no
// descriptors but 0, 1 and 2, whatever this process has open.
//
// On Windows it has pipes, its group is a job, and what it writes comes to our ends through threads (pump_windows.hpp):
// docs/decisions/0021-programs-on-windows.md says why, and what else differs.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <meari/result.hpp>
#include <meari/socket.hpp>

namespace meari::os {

// The file that a name on the command line means: as it is with a slash in it, else the first in PATH that can be run.
// Fails with not_found or permission_denied. On Windows the directories are separated otherwise, .exe and .com need not be
// written, and anything else is refused: not_supported for .bat and .cmd, whose arguments cmd.exe would take apart.
Result<std::string> find_program(const std::string& name);
// NAME=VALUE of this process's variables with one of these names, and of those that no program of this system runs without.
// LC_* means every name that begins with LC_.
[[nodiscard]] std::vector<std::string> environment(std::span<const std::string_view> names);
// How long what a program wrote to its standard error may be on its way to us after the program's end: nothing where it is
// the system that carries it.
extern const std::chrono::milliseconds time_for_last_words;

struct Program {
  std::string file;
  std::vector<std::string> arguments;  // the first is the program's name
  std::vector<std::string> environment;
};

struct ProgramEnd {
  std::uint32_t status = 0;  // what it returned
  int signal = 0;            // or what killed it
};

// A descriptor that closes itself; release() hands it on.
class Owned {
 public:
  explicit Owned(Descriptor descriptor = no_descriptor) noexcept : descriptor_(descriptor) {}
  Owned(Owned&& other) noexcept : descriptor_(other.release()) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~Owned();
  [[nodiscard]] Descriptor get() const noexcept { return descriptor_; }
  Descriptor release() noexcept { return std::exchange(descriptor_, no_descriptor); }

 private:
  Descriptor descriptor_;
};

class Child {
 public:
  static Result<Child> start(const Program& program);
  Child(Child&& other) noexcept
      : input(std::move(other.input)),
        output(std::move(other.output)),
        errors(std::move(other.errors)),
        ended_(std::move(other.ended_)),
        group_(std::move(other.group_)),
        process_(std::exchange(other.process_, 0)) {}
  Child& operator=(Child&&) = delete;
  ~Child();  // a program that has not been reaped is killed, and waited for

  Owned input;
  Owned output;
  Owned errors;

  [[nodiscard]] Descriptor ended() const noexcept { return ended_.get(); }
  [[nodiscard]] long process() const noexcept { return process_; }
  // How it ended; nothing while it runs. The group stays where other processes are in it; on Windows they end now.
  std::optional<ProgramEnd> reap() noexcept;
  // To all of its group: SIGTERM, or SIGKILL. Windows has Ctrl-Break for the one, where we have a console, and ends all
  // processes of the job for the other.
  void terminate() noexcept;
  void kill() noexcept;

 private:
  Child() noexcept = default;
  static Result<Child> begin(const Program& program);
  void signal_group(int number) noexcept;

  Owned ended_;
  Owned group_;       // on Windows: its job
  long process_ = 0;  // and the number of its group; 0: reaped
};

// What is there by now, at most `size` bytes; 0: the end; nothing: wait until it is readable.
Result<std::optional<std::size_t>> read_some(Descriptor descriptor, void* data, std::size_t size) noexcept;

}  // namespace meari::os
