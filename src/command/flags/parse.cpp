#include "parse.hpp"

#include <algorithm>
#include <array>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <meari/address.hpp>

#include "src/command/speech/messages.hpp"

namespace meari::command {
namespace {

// How many letters to change, add, leave out or swap with a neighbour.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> table(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) table[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) table[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = table[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      table[i][j] = std::min({table[i - 1][j] + 1, table[i][j - 1] + 1, change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        table[i][j] = std::min(table[i][j], table[i - 2][j - 2] + 1);
    }
  }
  return table[a.size()][b.size()];
}

std::string dashed(const FlagInfo& flag) { return "--" + std::string(flag.name); }

// What CLI11 has collected for one flag of one verb.
struct Collected {
  const FlagInfo* info;
  CLI::Option* option;
};

void add_flags(CLI::App& app, std::optional<Verb> verb, std::vector<Collected>& collected) {
  for (const FlagInfo& flag : flags()) {
    if (!belongs_to(flag, verb)) continue;
    std::string names = dashed(flag);
    if (flag.letter != '\0') names += std::string(",-") + flag.letter;
    CLI::Option* option = flag.value == Value::none ? app.add_flag(names) : app.add_option(names);
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);  // twice is refused below, in the user's language
    if (flag.value != Value::none) option->expected(1)->allow_extra_args(false);
    collected.push_back({&flag, option});
  }
}

std::string flag_part(std::string_view word) { return std::string(word.substr(0, word.find('='))); }

// What somebody may have meant whose first word is no verb: a word of other tools, a handler, or an address.
std::string meant_verb(const std::string& word) {
  std::vector<std::string_view> names;
  for (const VerbInfo& verb : verbs()) names.push_back(verb.name);
  for (const auto& [other, ours] : {std::pair{"listen", "serve"}, {"server", "serve"}, {"client", "connect"}})
    if (word == other) return ours;
  if (const std::string_view closest = nearest(word, names); !closest.empty()) return std::string(closest);
  if (find_handler(word) != nullptr) return "meari serve " + word;
  const Result<Endpoint> address = Endpoint::parse(word);
  if (!address) return {};
  return (address->form == Endpoint::Form::any ? "meari serve " : "meari connect ") + word;
}

// What flags of other tools (nc, ncat, socat) are here: another flag, or an operand.
struct Habit {
  std::string_view typed;
  std::string_view in_serve;
  std::string_view in_connect;
};
constexpr Habit habits[] = {
    {"-4", "meari serve 127.0.0.1:9000", "meari connect 127.0.0.1:9000"},
    {"-6", "meari serve [::1]:9000", "meari connect [::1]:9000"},
    {"-C", "", "--crlf"},
    {"-N", "", "--on-eof half-close"},
    {"-U", "meari serve unix:/run/x.sock", "meari connect unix:/run/x.sock"},
    {"--unixsock", "meari serve unix:/run/x.sock", "meari connect unix:/run/x.sock"},
    {"-c", "meari serve exec 9000 -- /bin/cat", ""},
    {"-e", "meari serve exec 9000 -- /bin/cat", ""},
    {"--exec", "meari serve exec 9000 -- /bin/cat", ""},
    {"--sh-exec", "meari serve exec 9000 -- /bin/cat", ""},
    {"--broker", "meari serve chat", ""},
    {"--chat", "meari serve chat", ""},
    {"-i", "", "--idle"},
    {"-k", "meari serve 9000", ""},
    {"--keep-open", "meari serve 9000", ""},
    {"-m", "--max-sessions", ""},
    {"--max-conns", "--max-sessions", ""},
    {"-o", "--record", ""},
    {"--output", "--record", ""},
    {"-s", "meari serve 192.0.2.1:9000", "--source"},
    {"-u", "meari serve udp:9000", "meari connect udp:localhost:9000"},
    {"--udp", "meari serve udp:9000", "meari connect udp:localhost:9000"},
    {"-v", "--explain", "--explain"},
    {"-w", "--idle", "--timeout"},
    {"--wait", "--idle", "--timeout"},
    {"-x", "--hexdump", "--hexdump"},
    {"--hex-dump", "--hexdump", "--hexdump"},
    {"-z", "", "--check"},
};

std::string_view meant_instead(std::string_view typed, std::optional<Verb> verb) {
  for (const Habit& habit : habits) {
    if (habit.typed != typed) continue;
    if (verb == Verb::connect) return habit.in_connect;
    if (verb == Verb::serve) return habit.in_serve;
  }
  constexpr std::string_view places[] = {"-p", "--port", "--host", "-a", "--address", "-l", "--listen", "--server"};
  if (std::ranges::find(places, typed) == std::end(places)) return {};
  return verb == Verb::connect ? "meari connect localhost:9000"
         : verb == Verb::bench ? "meari bench localhost:9000"
                               : "meari serve 9000";
}

Refused unknown_flag(Language language, std::string_view word, std::optional<Verb> verb) {
  const std::string typed = flag_part(word);
  for (const FlagInfo& flag : flags()) {
    if (dashed(flag) != typed && !(flag.letter != '\0' && typed == std::string("-") + flag.letter)) continue;
    std::string owners;
    for (const VerbInfo& owner : verbs())
      if (belongs_to(flag, owner.verb)) owners += (owners.empty() ? "" : ", ") + std::string(owner.name);
    return {messages::flag_of_other_verb.in(language, typed, owners),
            hints(language, meant_instead(typed, verb), verb)};
  }
  std::vector<std::string> names;
  for (const FlagInfo& flag : flags())
    if (belongs_to(flag, verb)) names.push_back(dashed(flag));
  const std::string_view meant = !meant_instead(typed, verb).empty() ? meant_instead(typed, verb)
                                 : typed.starts_with("--")
                                     ? nearest(typed, std::vector<std::string_view>(names.begin(), names.end()))
                                     : "";
  return {messages::unknown_flag.in(language, typed), hints(language, meant, verb)};
}

Refused unknown_verb(Language language, const std::string& word) {
  std::string all;
  for (const VerbInfo& verb : verbs()) {
    all += (all.empty() ? "" : ", ") + std::string(verb.name);
  }
  Refused refused{messages::unknown_verb.in(language, word), hints(language, meant_verb(word), std::nullopt)};
  refused.hints.insert(refused.hints.begin(), messages::verbs_are.in(language, all));
  return refused;
}

// CLI11 has stumbled: over a flag without its value, or over a value where there may be none.
Refused stumbled(Language language, const CLI::Error& error, const std::vector<Collected>& collected,
                 std::optional<Verb> verb) {
  const std::string_view what = error.what();
  const FlagInfo* about = nullptr;
  for (const Collected& each : collected) {
    const std::string name = dashed(*each.info);
    const std::size_t at = what.find(name);
    if (at != std::string_view::npos && (about == nullptr || name.size() > about->name.size() + 2)) about = each.info;
  }
  if (about == nullptr) return {std::string(what), hints(language, "", verb)};
  if (about->value == Value::none)
    return {messages::value_unwanted.in(language, dashed(*about)), hints(language, "", verb)};
  return {messages::value_missing.in(language, dashed(*about), about->choices), hints(language, "", verb)};
}

std::string names_of(Language language, std::uint64_t bits) {
  std::string names;
  for (const FlagInfo& flag : flags()) {
    if ((bits & bit(flag.flag)) == 0) continue;
    if (!names.empty()) names += messages::or_.in(language);
    names += dashed(flag);
  }
  return names;
}

std::optional<Refused> check_conflicts(Language language, const Typed& typed) {
  std::uint64_t given = 0;
  for (const auto& [flag, value] : typed.values) given |= bit(flag);
  for (const auto& [flag, value] : typed.values) {
    if (const std::uint64_t needs = info(flag).needs; needs != 0 && (needs & given) == 0)
      return Refused{messages::needs.in(language, dashed(info(flag)), names_of(language, needs)),
                     hints(language, "", typed.verb)};
    for (const auto& [other, its_value] : typed.values) {
      if (other > flag && ((info(flag).conflicts & bit(other)) != 0 || (info(other).conflicts & bit(flag)) != 0))
        return Refused{messages::conflict.in(language, dashed(info(flag)), dashed(info(other))),
                       hints(language, "", typed.verb)};
    }
  }
  return {};
}

std::optional<Refused> take_values(Language language, const std::vector<Collected>& collected, Typed& typed) {
  for (const Collected& each : collected) {
    if (each.option->count() == 0) continue;
    const FlagInfo& flag = *each.info;
    if (flag.value == Value::none) {
      if (each.option->results().front() != "true")
        return Refused{messages::value_unwanted.in(language, dashed(flag)), hints(language, "", typed.verb)};
      typed.values.try_emplace(flag.flag);
      continue;
    }
    const std::vector<std::string>& given = each.option->results();
    if (given.size() > 1 || typed.values.contains(flag.flag))
      return Refused{messages::given_twice.in(language, dashed(flag)), hints(language, "", typed.verb)};
    typed.values.emplace(flag.flag, given.front());
    if (flag.value != Value::choice) continue;
    const std::string choices = '|' + std::string(flag.choices) + '|';
    if (given.front().empty() || given.front().contains('|') || !choices.contains('|' + given.front() + '|'))
      return Refused{messages::not_a_choice.in(language, dashed(flag), given.front(), flag.choices),
                     hints(language, "", typed.verb)};
  }
  return {};
}

}  // namespace

std::string_view nearest(std::string_view typed, const std::vector<std::string_view>& names) {
  std::string_view best;
  // Two slips at most, and one in a short word: what is further away was not meant.
  std::size_t best_distance = (typed.size() < 6 ? 1 : 2) + 1;
  for (const std::string_view name : names) {
    const bool beginning = typed.size() >= 3 && name.starts_with(typed);
    const std::size_t steps = beginning ? 1 : distance(typed, name);
    if (steps < best_distance) best = name, best_distance = steps;
  }
  return best;
}

std::vector<std::string> hints(Language language, std::string_view meant, std::optional<Verb> verb) {
  std::vector<std::string> lines;
  if (!meant.empty()) lines.push_back(messages::did_you_mean.in(language, meant));
  const std::string where = verb ? "meari " + std::string(info(*verb).name) + " --help" : "meari --help";
  lines.push_back(messages::see_help.in(language, where));
  return lines;
}

Language language_of(int argc, const char* const* argv) noexcept {
  constexpr std::string_view flag = "--lang";
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--") break;
    std::optional<Language> named;
    if (word == flag && i + 1 < argc) named = language_named(argv[i + 1]);
    else if (word.starts_with(flag) && word.substr(flag.size()).starts_with('='))
      named = language_named(word.substr(flag.size() + 1));
    if (named) return *named;
  }
  return language_of_environment();
}

// What stands behind -- is never a flag. With exec it is the program, and its flags are its own.
void take_rest(std::vector<std::string> rest, Typed& typed) {
  const bool executes = typed.verb == Verb::serve && !typed.operands.empty() && typed.operands[0] == "exec";
  std::vector<std::string>& words = executes ? typed.program : typed.operands;
  words.insert(words.end(), rest.begin(), rest.end());
}

std::variant<Typed, Refused> parse(int argc, const char* const* argv, Language language) {
  const char* const* dashes = std::find_if(argv + std::min(argc, 1), argv + argc,
                                           [](const char* word) { return word == std::string_view("--"); });
  std::vector<std::string> rest;
  if (dashes != argv + argc) rest.assign(dashes + 1, argv + argc);
  argc = static_cast<int>(dashes - argv);
  Typed typed;
  typed.language = language;
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  app.require_subcommand(0, 1);  // after the verb, a word that is a verb as well is an operand
  std::vector<Collected> collected;
  add_flags(app, std::nullopt, collected);
  struct Branch {
    CLI::App* app;
    Verb verb;
  };
  std::vector<Branch> branches;
  for (const VerbInfo& verb : verbs()) {
    CLI::App* branch = app.add_subcommand(std::string(verb.name));
    branch->set_help_flag();
    branch->allow_extras();
    branch->add_option("operands", typed.operands)->expected(0, CLI::detail::expected_max_vector_size);
    add_flags(*branch, verb.verb, collected);
    branches.push_back({branch, verb.verb});
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Error& error) {
    for (const Branch& branch : branches)
      if (branch.app->parsed()) typed.verb = branch.verb;
    return stumbled(language, error, collected, typed.verb);
  }
  for (const Branch& branch : branches) {
    if (!branch.app->parsed()) continue;
    typed.verb = branch.verb;
    if (const std::vector<std::string> left = branch.app->remaining(); !left.empty())
      return unknown_flag(language, left.front(), typed.verb);
  }
  if (const std::vector<std::string> left = app.remaining(false); !left.empty()) {
    if (left.front().starts_with('-') && left.front().size() > 1)
      return unknown_flag(language, left.front(), typed.verb);
    return unknown_verb(language, left.front());
  }
  take_rest(std::move(rest), typed);
  if (std::optional<Refused> refused = take_values(language, collected, typed)) return *std::move(refused);
  if (std::optional<Refused> refused = check_conflicts(language, typed)) return *std::move(refused);
  return typed;
}

}  // namespace meari::command
