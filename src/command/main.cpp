// meari: the command. Reads the command line, says what is wrong with it, or hands over to the verb.
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <meari/standard.hpp>

#include "src/command/bench/bench.hpp"
#include "src/command/connect/connect.hpp"
#include "src/command/flags/options.hpp"
#include "src/command/flags/parse.hpp"
#include "src/command/manual/generate.hpp"
#include "src/command/manual/help.hpp"
#include "src/command/manual/version.hpp"
#include "src/command/serve/serve.hpp"
#include "src/command/speech/library_text.hpp"
#include "src/command/speech/messages.hpp"
#include "src/command/speech/status.hpp"
#include "src/command/speech/talk.hpp"
#include "src/os/blocking_io.hpp"
#include "src/os/console.hpp"

namespace meari::command {
namespace {

Status refuse(const Talk& talk, const Refused& refused) {
  talk.complain(std::string_view(refused.sentence));
  for (const std::string& hint : refused.hints) talk.advise(hint);
  return Status::usage;
}

// Help and the like. A reader that has seen enough and leaves is no failure, and no signal either; a full disk is.
Status print(const Talk& talk, const std::string& text) {
  os::BlockingIo output(os::standard_descriptor(os::Standard::output), os::Direction::write, os::Ownership::borrowed);
  Error failure = output.prepare();
  output.enter();
  std::span<const std::byte> rest = std::as_bytes(std::span(text.data(), text.size()));
  while (!failure && !rest.empty()) {
    const Result<std::size_t> written = output.write(rest);
    if (written) rest = rest.subspan(*written);
    else failure = written.error();
  }
  if (failure && failure != Errc::broken_pipe)
    talk.complain(messages::output_failed, message_of(talk.language(), failure));
  return status_of_output(failure);
}

Status explain(const Typed& typed, const Talk& talk) {
  if (typed.operands.empty()) return print(talk, short_help(typed.language, std::nullopt));
  std::vector<std::string_view> names;
  for (const VerbInfo& verb : verbs()) names.push_back(verb.name);
  const std::string& word = typed.operands.front();
  const VerbInfo* verb = find_verb(word);
  if (find_handler(word) != nullptr) verb = find_verb("serve");  // whose page explains it
  if (verb == nullptr) {
    std::string all;
    for (const std::string_view name : names) all += (all.empty() ? "" : ", ") + std::string(name);
    Refused refused{messages::unknown_verb.in(typed.language, word),
                    hints(typed.language, nearest(word, names), std::nullopt)};
    refused.hints.insert(refused.hints.begin(), messages::verbs_are.in(typed.language, all));
    return refuse(talk, refused);
  }
  return print(talk, long_help(typed.language, verb->verb));
}

// The verb's settings, and the verb; or what is wrong with them.
template <class Settings>
Status with(std::variant<Settings, Refused> settings, Talk& talk, Status (*verb)(const Settings&, Talk&)) {
  if (const auto* refused = std::get_if<Refused>(&settings)) return refuse(talk, *refused);
  return verb(std::get<Settings>(settings), talk);
}

Status run(int argc, char** argv) {
  const Language language = language_of(argc, argv);
  Talk talk(language);
  if (argc > 2 && std::string_view(argv[1]) == "generate") {
    const std::vector<std::string_view> words(argv + 2, argv + argc);
    if (const std::optional<std::string> text = generated(words)) return print(talk, *text);
  }
  const std::variant<Typed, Refused> parsed = parse(argc, argv, language);
  if (const auto* refused = std::get_if<Refused>(&parsed)) return refuse(talk, *refused);
  const Typed& typed = std::get<Typed>(parsed);
  if (typed.has(Flag::help)) return print(talk, short_help(language, typed.verb));
  if (typed.has(Flag::version)) return print(talk, version_text(language));
  if (!typed.verb) return print(talk, short_help(language, std::nullopt));
  talk.set_quiet(typed.has(Flag::quiet));
  switch (*typed.verb) {
    case Verb::serve: return with(serve_settings(typed), talk, &serve);
    case Verb::connect: return with(connect_settings(typed), talk, &connect);
    case Verb::bench: return with(bench_settings(typed), talk, &bench);
    case Verb::help: return explain(typed, talk);
  }
  return Status::usage;
}

}  // namespace
}  // namespace meari::command

int main(int argc, char** argv) {
  meari::occupy_standard_descriptors();
  meari::os::CommandLine typed(argc, argv);
  return static_cast<int>(meari::command::run(typed.count(), typed.words()));
}
