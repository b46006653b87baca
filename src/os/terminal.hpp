// Whether a person is looking, and how the terminal treats what he types.
#pragma once

namespace meari::os {

enum class Standard : int { input = 0, output = 1, error = 2 };

[[nodiscard]] bool is_terminal(Standard stream) noexcept;

// While it exists, the terminal at standard input has the modes of now whenever this process goes on after a stop (Ctrl-Z,
// then fg): a shell sets its own meanwhile. One at a time in a process.
class KeptModes {
 public:
  KeptModes() noexcept;
  KeptModes(const KeptModes&) = delete;
  KeptModes& operator=(const KeptModes&) = delete;
  ~KeptModes();

 private:
  bool keeps_ = false;
};

}  // namespace meari::os
