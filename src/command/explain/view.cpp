#include "view.hpp"

#include <cstdlib>
#include <string_view>

#include <meari/scope.hpp>

#include "src/os/terminal.hpp"

namespace meari::command {
namespace {

// https://no-color.org: set and not empty means no.
bool wants_colour() noexcept {
  const char* no = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  if (no != nullptr && *no != '\0') return false;
  if (terminal != nullptr && std::string_view(terminal) == "dumb") return false;
  return os::is_terminal(os::Standard::error);
}

}  // namespace

View::View(const Talk& talk, ViewSettings settings)
    : settings_(settings), chart_(talk, wants_colour()), lines_(talk), steps_([this](const Step& step) {
        if (settings_.explain) chart_.tell(step);
        if (settings_.events) lines_.tell(step);
      }) {}

void View::attach(Loop& loop) {
  if (!settings_.wanted()) return;
  loop.observe([this](const Event& event) { steps_.see(event); });
  loop.spawn([this] { return steps_.watch(); });
}

}  // namespace meari::command
