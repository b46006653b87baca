#include "completions.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "src/command/flags/flags.hpp"

namespace meari::command {
namespace {

constexpr std::string_view made = "Made by `meari generate`; tools/generate.sh makes it again.";
constexpr std::string_view policies = "half-close close keep wait:";

std::string words_of(std::string_view choices) {
  std::string words(choices);
  std::ranges::replace(words, '|', ' ');
  return words;
}

// What can stand behind a flag; nothing when only the user knows.
std::string values_of(const FlagInfo& flag) {
  if (flag.value == Value::choice) return words_of(flag.choices);
  return flag.value == Value::policy ? std::string(policies) : std::string();
}

// Or a path of the file system.
struct Paths {
  std::string_view bash, zsh, fish;
};
Paths paths_of(const FlagInfo& flag) {
  if (flag.choices.starts_with("DIR"))
    return {"$(compgen -d -- \"$word\")", "_files -/", " -x -a '(__fish_complete_directories)'"};
  if (flag.choices.starts_with("FILE")) return {"$(compgen -f -- \"$word\")", "_files", " -r -F"};
  return {"", " ", " -x"};
}

std::string flag_words(std::optional<Verb> verb) {
  std::string words;
  for (const FlagInfo& flag : flags()) {
    if (!belongs_to(flag, verb)) continue;
    if (flag.letter != '\0') words += std::string("-") + flag.letter + ' ';
    words += "--" + std::string(flag.name) + ' ';
  }
  words.pop_back();
  return words;
}

std::string verb_words() {
  std::string words;
  for (const VerbInfo& verb : verbs()) words += (words.empty() ? "" : " ") + std::string(verb.name);
  return words;
}

std::string handler_words() {
  std::string words;
  for (const HandlerInfo& handler : handlers()) words += (words.empty() ? "" : " ") + std::string(handler.name);
  return words;
}

// Inside single quotes of a shell.
std::string quoted(std::string_view text, std::string_view quote_in_quotes) {
  std::string out = "'";
  for (const char letter : text) {
    if (letter == '\'') out += quote_in_quotes;
    else out += letter;
  }
  return out + '\'';
}

// ---- zsh

std::string zsh_escaped(std::string_view text) {
  std::string out;
  for (const char letter : text) {
    if (letter == '[' || letter == ']' || letter == ':' || letter == '\\') out += '\\';
    out += letter;
  }
  return out;
}

std::string zsh_spec(Language language, const FlagInfo& flag) {
  const std::string name = "--" + std::string(flag.name);
  std::string excluded = name;
  if (flag.letter != '\0') excluded += std::string(" -") + flag.letter;
  for (const FlagInfo& other : flags())
    if ((flag.conflicts & bit(other.flag)) != 0 || (other.conflicts & bit(flag.flag)) != 0)
      excluded += " --" + std::string(other.name);
  std::string value;
  if (flag.value != Value::none) {
    value = ':' + (flag.value == Value::choice ? std::string(flag.name) : std::string(flag.choices)) + ':';
    if (const std::string values = values_of(flag); !values.empty()) value += '(' + zsh_escaped(values) + ')';
    else value += paths_of(flag).zsh;
  }
  const std::string help = '[' + zsh_escaped(flag.help.in(language)) + ']' + value;
  const std::string_view joined = flag.value == Value::none ? "" : "=";
  std::string out;
  if (flag.letter != '\0')
    out += "      " + quoted(fmt::format("({})-{}{}", excluded, flag.letter, help), "'\\''") + '\n';
  return out + "      " + quoted(fmt::format("({}){}{}{}", excluded, name, joined, help), "'\\''") + '\n';
}

std::string zsh_specs(Language language, std::optional<Verb> verb) {
  std::string out = "    specs=(\n";
  for (const FlagInfo& flag : flags())
    if (belongs_to(flag, verb)) out += zsh_spec(language, flag);
  return out + "    )\n";
}

std::string zsh_described(Language language) {
  std::string out = "    verbs=(\n";
  for (const VerbInfo& verb : verbs())
    out += "      " + quoted(std::string(verb.name) + ':' + std::string(verb.summary.in(language)), "'\\''") + '\n';
  out += "    )\n    handlers=(\n";
  for (const HandlerInfo& handler : handlers())
    out += "      " + quoted(std::string(handler.name) + ':' + zsh_escaped(handler.help.in(language)), "'\\''") + '\n';
  return out + "    )\n";
}

// ---- fish

std::string fish_text(const Text& text) {
  const auto escaped = [](std::string_view words) {
    std::string out;
    for (const char letter : words) {
      if (letter == '\\') out += '\\';  // fish has escapes inside single quotes
      out += letter;
    }
    return quoted(out, "\\'");
  };
  return "(__meari_text " + escaped(text.in(Language::en)) + ' ' + escaped(text.in(Language::ko)) + ')';
}

}  // namespace

std::string bash_completion() {
  std::string out = fmt::format(R"(# bash completion for meari. {}

_meari() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} verb= operands=0 i
  # --flag=value comes as three words.
  if [[ $word == '=' ]]; then
    word=
  elif [[ $before == '=' ]]; then
    before=${{COMP_WORDS[COMP_CWORD-2]}}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${{COMP_WORDS[i]}} in
      -*) ;;
      {}) if [[ -z $verb ]]; then verb=${{COMP_WORDS[i]}}; else operands=$((operands + 1)); fi ;;
      *) operands=$((operands + 1)) ;;
    esac
  done
  case $before in
)",
                                made, [] {
                                  std::string words = verb_words();
                                  std::string pattern;
                                  for (const char letter : words) {
                                    if (letter == ' ') pattern += " | ";
                                    else pattern += letter;
                                  }
                                  return pattern;
                                }());
  for (const FlagInfo& flag : flags()) {
    if (flag.value == Value::none) continue;
    const std::string letter = flag.letter == '\0' ? "" : std::string(" | -") + flag.letter;
    const std::string values = values_of(flag);
    out += fmt::format(
        "    --{}{}) COMPREPLY=({}); return ;;\n", flag.name, letter,
        values.empty() ? std::string(paths_of(flag).bash) : fmt::format("$(compgen -W '{}' -- \"$word\")", values));
  }
  out += "  esac\n  local words\n  case $verb in\n";
  for (const VerbInfo& verb : verbs()) {
    out += fmt::format("    {})\n      words='{}'\n", verb.name, flag_words(verb.verb));
    if (verb.verb == Verb::serve)
      out += fmt::format("      if [[ $word != -* && $operands == 0 ]]; then words='{}'; fi\n", handler_words());
    if (verb.verb == Verb::help)
      out += fmt::format("      if [[ $word != -* && $operands == 0 ]]; then words='{}'; fi\n", verb_words());
    out += "      ;;\n";
  }
  out += fmt::format("    *) if [[ $word == -* ]]; then words='{}'; else words='{}'; fi ;;\n", flag_words({}),
                     verb_words());
  return out + R"(  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _meari meari
)";
}

std::string zsh_completion() {
  std::string out = fmt::format(R"(#compdef meari
# zsh completion for meari. {}

_meari_specs() {{
  local verb=$1
  case $2-$verb in
)",
                                made);
  for (const Language language : {Language::en, Language::ko}) {
    const std::string_view code = language == Language::ko ? "ko" : "en";
    for (const VerbInfo& verb : verbs())
      out += fmt::format("  {}-{})\n{}    ;;\n", code, verb.name, zsh_specs(language, verb.verb));
    out += fmt::format("  {}-)\n{}{}    ;;\n", code, zsh_specs(language, {}), zsh_described(language));
  }
  return out + R"(  esac
}

_meari() {
  local language=en
  local -a specs verbs handlers
  [[ ${LC_ALL:-${LC_MESSAGES:-$LANG}} == ko* ]] && language=ko
  local context state line
  typeset -A opt_args
  _meari_specs '' $language
  _arguments -C $specs '1: :->verb' '*:: :->rest'
  case $state in
    verb) _describe verb verbs ;;
    rest)
      local verb=$words[1]
      _meari_specs $verb $language
      case $verb in
        serve) _arguments $specs '1: :->handler' '*: :_files' && return
          [[ $state == handler ]] && _describe handler handlers ;;
        help) _arguments $specs '1: :->topic' && return
          [[ $state == topic ]] && _describe verb verbs ;;
        *) _arguments $specs '*: :_files' ;;
      esac ;;
  esac
}

_meari "$@"
)";
}

std::string fish_completion() {
  std::string out = fmt::format(R"(# fish completion for meari. {}

function __meari_text
    if string match -q 'ko*' -- "$LC_ALL$LC_MESSAGES$LANG"
        echo $argv[2]
    else
        echo $argv[1]
    end
end
function __meari_first_operand
    set -l words (commandline -opc)
    not string match -qr -- '^[^-]' $words[3..-1]
end

complete -c meari -f
)",
                                made);
  for (const VerbInfo& verb : verbs())
    out += fmt::format("complete -c meari -n __fish_use_subcommand -a {} -d {}\n", verb.name, fish_text(verb.summary));
  for (const HandlerInfo& handler : handlers())
    out +=
        fmt::format("complete -c meari -n '__fish_seen_subcommand_from serve; and __meari_first_operand' -a {} -d {}\n",
                    handler.name, fish_text(handler.help));
  out += fmt::format("complete -c meari -n '__fish_seen_subcommand_from help; and __meari_first_operand' -a '{}'\n",
                     verb_words());
  for (const FlagInfo& flag : flags()) {
    out += "complete -c meari";
    if (flag.verbs != everywhere) {
      std::string owners;
      for (const VerbInfo& verb : verbs())
        if (belongs_to(flag, verb.verb)) owners += ' ' + std::string(verb.name);
      out += fmt::format(" -n '__fish_seen_subcommand_from{}'", owners);
    }
    if (flag.letter != '\0') out += std::string(" -s ") + flag.letter;
    out += fmt::format(" -l {}", flag.name);
    if (flag.value != Value::none) out += paths_of(flag).fish;
    if (const std::string values = values_of(flag); !values.empty()) out += fmt::format(" -a '{}'", values);
    out += " -d " + fish_text(flag.help) + '\n';
  }
  return out;
}

}  // namespace meari::command
