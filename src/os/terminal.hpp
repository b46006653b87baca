// Whether a person is looking, and how the terminal treats what he types.
#pragma once

#include <meari/socket.hpp>

namespace meari::os {

enum class Standard : int { input = 0, output = 1, error = 2 };

[[nodiscard]] bool is_terminal(Standard stream) noexcept;

// While it exists, the terminal at standard input has the modes of now whenever this process goes on after a stop (Ctrl-Z,
// then fg): a shell sets its own meanwhile, and has written on the screen. One at a time in a process.
class KeptModes {
 public:
  KeptModes() noexcept;
  KeptModes(const KeptModes&) = delete;
  KeptModes& operator=(const KeptModes&) = delete;
  ~KeptModes();

  // Readable when the process has gone on, until taken() is called; no_descriptor where nobody can stop it.
  [[nodiscard]] Descriptor gone_on() const noexcept;
  void taken() const noexcept;

 private:
  bool keeps_ = false;
};

}  // namespace meari::os
