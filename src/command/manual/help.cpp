#include "help.hpp"

#include <algorithm>
#include <vector>

namespace meari::command {
namespace {

constexpr std::size_t width = 79;
constexpr Text title{"meari: both ends of a TCP conversation", "meari(메아리): TCP 대화의 양쪽 끝"};
constexpr Text usage{"usage: ", "사용법: "};
constexpr Text verbs_title{"verbs", "명령"};
constexpr Text handlers_title{"handlers", "처리기"};
constexpr Text flags_title{"flags", "옵션"};
constexpr Text addresses_title{"addresses", "주소"};
constexpr Text statuses_title{"exit status", "종료 상태"};
constexpr Text variables_title{"environment", "환경 변수"};
constexpr Text examples_title{"examples", "예"};
constexpr Text flag_word{"flags", "옵션"};
constexpr Text values_title{"what to write", "적는 법"};
constexpr Text try_title{"try it, in two terminals", "터미널 두 개에서 해 보기"};
constexpr Text try_serve{"an echo server, for this machine alone", "이 컴퓨터 안에서만 쓰는 에코 서버"};
constexpr Text try_connect{"type lines, and see them come back; Ctrl-D ends",
                           "입력한 줄이 그대로 돌아옵니다. 끝은 Ctrl-D"};
constexpr Text where_to_serve{
    "9000 (this machine alone, the default), :9000 (everybody), 192.0.2.1:9000, [2001:db8::1]:9000, unix:/run/x.sock, "
    "udp:9000; several, if you like",
    "9000 (이 컴퓨터 안에서만, 기본), :9000 (모두에게), 192.0.2.1:9000, [2001:db8::1]:9000, unix:/run/x.sock, "
    "udp:9000. 여러 "
    "개 적어도 됩니다"};
constexpr Text where_to_connect{
    "9000 (this machine), example.org:80, 192.0.2.1:9000, [2001:db8::1]:9000, unix:/run/x.sock, udp:9000",
    "9000 (이 컴퓨터), example.org:80, 192.0.2.1:9000, [2001:db8::1]:9000, unix:/run/x.sock, udp:9000"};
constexpr Text times{"500ms, 2s, 5m, 1h", "500ms, 2s, 5m, 1h (밀리초, 초, 분, 시간)"};
constexpr Text sizes{"64, 4k, 1M, 2G; k, M and G are powers of 1024", "64, 4k, 1M, 2G (k, M, G는 1024의 거듭제곱)"};
constexpr Text more{"More: meari VERB --help (short), meari help VERB (all of it)",
                    "더 보기: meari 명령 --help (짧게), meari help 명령 (모두)"};
constexpr Text more_of{"More, with examples: meari help ", "예를 포함한 자세한 설명: meari help "};

constexpr Message<std::string_view> only_with{"Only with: {}.", "다음 가운데 하나와 함께 씁니다: {}."};
constexpr Message<std::string_view> not_with{"Not with: {}.", "함께 쓸 수 없는 옵션: {}."};

// Columns on a terminal: Hangul and other wide characters take two.
std::size_t columns(std::string_view text) {
  std::size_t wide = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    wide += lead >= 0xEA && lead <= 0xED ? 2 : 1;
    i += lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  }
  return wide;
}

// Breaks at spaces; later lines are indented.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string out(indent, ' ');
  std::size_t used = indent;
  bool first = true;
  while (!text.empty()) {
    const std::size_t space = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, space);
    text.remove_prefix(std::min(space + 1, text.size()));
    if (!first && used + 1 + columns(word) > width) {
      out += '\n' + std::string(indent, ' ');
      used = indent;
      first = true;
    }
    if (!first) out += ' ', ++used;
    out += word;
    used += columns(word);
    first = false;
  }
  return out += '\n';
}

struct Row {
  std::string left;
  std::string right;
};

// Two columns; a left side that is too long gets a line of its own.
std::string two_columns(std::string_view title_of_it, const std::vector<Row>& rows) {
  constexpr std::size_t widest = 28;
  std::size_t left_width = 0;
  for (const Row& row : rows)
    if (columns(row.left) <= widest) left_width = std::max(left_width, columns(row.left));
  const std::size_t indent = 2 + left_width + 2;
  std::string out = std::string(title_of_it) + '\n';
  for (const Row& row : rows) {
    const std::string right = wrapped(row.right, indent);
    out += "  " + row.left;
    const std::size_t used = 2 + columns(row.left);
    if (used + 2 > indent) out += '\n' + right;
    else out += std::string(indent - used, ' ') + right.substr(indent);
  }
  return out;
}

std::string flag_title(const FlagInfo& flag) {
  std::string title_of_it = flag.letter == '\0' ? "    " : std::string("-") + flag.letter + ", ";
  title_of_it += "--" + std::string(flag.name);
  if (flag.value != Value::none) title_of_it += ' ' + std::string(flag.choices);
  return title_of_it;
}

std::string flag_lines(Language language, std::optional<Verb> verb) {
  std::vector<Row> rows;
  for (const FlagInfo& flag : flags())
    if (belongs_to(flag, verb)) rows.push_back({flag_title(flag), std::string(flag.help.in(language))});
  return two_columns(flags_title.in(language), rows);
}

std::string flag_pages(Language language, Verb verb) {
  std::string out = std::string(flags_title.in(language)) + '\n';
  for (const FlagInfo& flag : flags()) {
    if (!belongs_to(flag, verb)) continue;
    out += "  " + flag_title(flag) + '\n';
    out += wrapped(flag.help.in(language), 8);
    out += wrapped(flag.more.in(language), 8);
    if (const std::string relations = relations_of(language, flag, verb); !relations.empty())
      out += wrapped(relations, 8);
  }
  return out;
}

std::string handler_lines(Language language) {
  std::vector<Row> rows;
  for (const HandlerInfo& handler : handlers()) {
    std::string left(handler.name);
    if (!handler.argument.empty()) left += ' ' + std::string(handler.argument);
    rows.push_back({left, std::string(handler.help.in(language))});
  }
  return two_columns(handlers_title.in(language), rows);
}

std::string usage_line(Language language, const VerbInfo& verb) {
  return std::string(usage.in(language)) + "meari " + std::string(verb.name) + " [" +
         std::string(flag_word.in(language)) + "] " + std::string(verb.operands) + "\n";
}

std::string names_of(std::uint64_t bits) {
  std::string names;
  for (const FlagInfo& flag : flags())
    if ((bits & bit(flag.flag)) != 0) names += (names.empty() ? "--" : ", --") + std::string(flag.name);
  return names;
}

}  // namespace

std::string relations_of(Language language, const FlagInfo& flag, std::optional<Verb> verb) {
  std::uint64_t conflicts = 0;
  for (const FlagInfo& other : flags()) {
    const bool excluded = ((other.conflicts & bit(flag.flag)) | (flag.conflicts & bit(other.flag))) != 0;
    if (excluded && (belongs_to(other, verb) || other.verbs == everywhere)) conflicts |= bit(other.flag);
  }
  std::string out;
  if (flag.needs != 0) out += only_with.in(language, names_of(flag.needs));
  if (conflicts != 0) out += (out.empty() ? "" : " ") + not_with.in(language, names_of(conflicts));
  return out;
}

std::string short_help(Language language, std::optional<Verb> verb) {
  if (!verb) {
    std::vector<Row> rows;
    for (const VerbInfo& each : verbs())
      rows.push_back(
          {std::string(each.name) + ' ' + std::string(each.operands), std::string(each.summary.in(language))});
    const std::vector<Row> first_steps = {{"meari serve", std::string(try_serve.in(language))},
                                          {"meari connect localhost:9000", std::string(try_connect.in(language))}};
    return std::string(title.in(language)) + "\n\n" + two_columns(try_title.in(language), first_steps) + '\n' +
           two_columns(verbs_title.in(language), rows) + '\n' + flag_lines(language, verb) + '\n' +
           std::string(more.in(language)) + '\n';
  }
  const VerbInfo& about = info(*verb);
  std::string out = usage_line(language, about) + '\n';
  if (*verb == Verb::serve) out += handler_lines(language) + '\n';
  if (*verb != Verb::help) {
    const Text& where = *verb == Verb::serve ? where_to_serve : where_to_connect;
    std::vector<Row> rows = {{"ADDRESS", std::string(where.in(language))}, {"TIME", std::string(times.in(language))}};
    if (*verb != Verb::connect) rows.push_back({"SIZE", std::string(sizes.in(language))});
    out += two_columns(values_title.in(language), rows) + '\n';
  }
  out += flag_lines(language, verb) + '\n';
  return out + std::string(more_of.in(language)) + std::string(about.name) + '\n';
}

std::string long_help(Language language, Verb verb) {
  const VerbInfo& about = info(verb);
  std::string out = usage_line(language, about) + '\n' + wrapped(about.more.in(language), 0) + '\n';
  if (verb == Verb::serve) out += handler_lines(language) + '\n';
  if (verb != Verb::help) {
    std::vector<Row> rows;
    for (const AddressInfo& address : addresses())
      if ((address.verbs & 1U << static_cast<unsigned>(verb)) != 0)
        rows.push_back({std::string(address.form), std::string(address.help.in(language))});
    out += two_columns(addresses_title.in(language), rows) + '\n';
  }
  out += flag_pages(language, verb) + '\n';
  std::vector<Row> rows;
  for (const StatusInfo& status : statuses())
    rows.push_back({std::to_string(status.status), std::string(status.help.in(language))});
  out += two_columns(statuses_title.in(language), rows) + '\n';
  std::vector<Row> environment;
  for (const VariableInfo& variable : variables())
    if ((variable.verbs & 1U << static_cast<unsigned>(verb)) != 0)
      environment.push_back({std::string(variable.name), std::string(variable.help.in(language))});
  out += two_columns(variables_title.in(language), environment) + '\n';
  out += std::string(examples_title.in(language)) + '\n';
  for (const Example& example : about.examples)
    out += "  " + std::string(example.command) + '\n' + wrapped(example.help.in(language), 6);
  return out;
}

}  // namespace meari::command
