#include "generate.hpp"

#include "completions.hpp"
#include "man.hpp"
#include "src/command/flags/flags.hpp"
#include "src/command/speech/language.hpp"

namespace meari::command {

std::optional<std::string> generated(std::span<const std::string_view> words) {
  if (words.size() == 1 && words[0] == "bash") return bash_completion();
  if (words.size() == 1 && words[0] == "zsh") return zsh_completion();
  if (words.size() == 1 && words[0] == "fish") return fish_completion();
  if (words.size() != 3 || words[0] != "man") return {};
  const std::optional<Language> language = language_named(words[2]);
  if (!language) return {};
  if (words[1] == "meari") return man_page(*language, {});
  constexpr std::string_view prefix = "meari-";
  if (!words[1].starts_with(prefix)) return {};
  const VerbInfo* verb = find_verb(words[1].substr(prefix.size()));
  if (verb == nullptr || verb->verb == Verb::help) return {};
  return man_page(*language, verb->verb);
}

}  // namespace meari::command
