// `meari generate WHAT`: prints a man page or a shell's completion. For packagers and for tools/generate.sh, so it stands
// in no help.
//
//   meari generate man meari-connect ko
//   meari generate bash                     (or zsh, fish)
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace meari::command {

// Nothing when there is no such thing.
[[nodiscard]] std::optional<std::string> generated(std::span<const std::string_view> words);

}  // namespace meari::command
