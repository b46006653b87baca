// The command line, words divided by new lines: it is understood or refused with a sentence, in both languages alike.
#include <string>
#include <vector>

#include "need.hpp"
#include "src/command/flags/durations.hpp"
#include "src/command/flags/options.hpp"
#include "src/command/flags/parse.hpp"

using namespace meari;
using namespace meari::command;
using fuzz::need;

namespace {

void check(const Refused& refused) {
  need(!refused.sentence.empty());
  for (const std::string& hint : refused.hints) need(!hint.empty());
}

// 0: refused on parsing, 1: refused for what it means, 2: taken.
int outcome(const std::vector<const char*>& words, Language language) {
  const auto parsed = parse(static_cast<int>(words.size()), words.data(), language);
  if (const Refused* refused = std::get_if<Refused>(&parsed)) return check(*refused), 0;
  const Typed& typed = std::get<Typed>(parsed);
  for (const auto& [flag, value] : typed.values) need(info(flag).value != Value::none || value.empty());
  if (typed.verb == Verb::serve) {
    const auto settings = serve_settings(typed);
    if (const Refused* refused = std::get_if<Refused>(&settings)) return check(*refused), 1;
    need(!std::get<ServeSettings>(settings).where.empty());
  } else if (typed.verb == Verb::connect) {
    const auto settings = connect_settings(typed);
    if (const Refused* refused = std::get_if<Refused>(&settings)) return check(*refused), 1;
    need(std::get<ConnectSettings>(settings).timeout >= Duration::zero());
  }
  return 2;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> kept = {"meari"};
  for (std::size_t from = 0; from < text.size() && kept.size() < 20;) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    kept.emplace_back(text.substr(from, end - from));
    from = end + 1;
  }
  std::vector<const char*> words;
  for (const std::string& word : kept) words.push_back(word.c_str());
  need(outcome(words, Language::en) == outcome(words, Language::ko));
  static_cast<void>(language_of(static_cast<int>(words.size()), words.data()));
  for (const std::string& word : kept) {
    const auto duration = parse_duration(word);
    need(!duration || *duration >= Duration::zero());
  }
  return 0;
}
