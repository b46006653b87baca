#include "language.hpp"

#include <cstdlib>

#include "src/os/console.hpp"

namespace meari::command {

std::optional<Language> language_named(std::string_view name) noexcept {
  const auto is = [name](std::string_view language) {
    return name.starts_with(language) &&
           (name.size() == language.size() || std::string_view("_.@-").contains(name[language.size()]));
  };
  if (is("ko")) return Language::ko;
  if (is("en") || is("C") || is("POSIX")) return Language::en;
  return {};
}

Language language_of_environment() noexcept {
  for (const char* variable : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
    const char* value = std::getenv(variable);
    if (value != nullptr && *value != '\0') return language_named(value).value_or(Language::en);
  }
  return language_named(os::system_language()).value_or(Language::en);
}

}  // namespace meari::command
