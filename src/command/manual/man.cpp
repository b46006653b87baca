#include "man.hpp"

#include <meari/version.hpp>

#include "help.hpp"

namespace meari::command {
namespace {

constexpr Text name_section{"NAME", "이름"};
constexpr Text synopsis_section{"SYNOPSIS", "사용법"};
constexpr Text description_section{"DESCRIPTION", "설명"};
constexpr Text verbs_section{"VERBS", "명령"};
constexpr Text handlers_section{"HANDLERS", "처리기"};
constexpr Text addresses_section{"ADDRESSES", "주소"};
constexpr Text flags_section{"OPTIONS", "옵션"};
constexpr Text end_section{"THE END OF INPUT", "입력의 끝"};
constexpr Text statuses_section{"EXIT STATUS", "종료 상태"};
constexpr Text variables_section{"ENVIRONMENT", "환경 변수"};
constexpr Text examples_section{"EXAMPLES", "예"};
constexpr Text see_section{"SEE ALSO", "관련 항목"};
constexpr Text flags_word{"flags", "옵션"};
constexpr Text brief{"both ends of a TCP conversation", "TCP 대화의 양쪽 끝"};

constexpr Text overview{
    "meari (Korean for echo) serves TCP connections and makes them. Its defaults are safe for a first try: nobody but "
    "this "
    "machine can reach a server unless an address says so, bytes are never changed, and what a peer sends cannot "
    "control "
    "the terminal. Each verb has a page of its own.",
    "meari(메아리)는 TCP 연결을 받는 서버가 되기도 하고 연결하는 클라이언트가 되기도 합니다. 처음 써 보아도 안전하도록 "
    "되어 있습니다. 주소에 적지 않는 한 이 컴퓨터 밖에서는 서버에 연결할 수 없고, 바이트를 바꾸지 않으며, 상대가 보낸 "
    "내용이 터미널을 조종하지 못합니다. 명령마다 따로 설명이 있습니다."};
constexpr Text streams{
    "Standard output holds what the peer sent and nothing else, when it is no terminal. Everything that meari itself "
    "says "
    "goes to standard error, a line at a time; whatever is not printable is escaped there (\\x1b).",
    "터미널이 아니면 표준 출력에는 상대가 보낸 것만 나옵니다. meari가 하는 말은 모두 한 줄씩 표준 오류로 나가며, "
    "출력할 수 "
    "없는 것은 풀어서 적습니다(\\x1b)."};
constexpr Text report_streams{
    "The report goes to standard output when the measuring is over, and --json makes it one object on one line. What "
    "goes "
    "wrong, and on a terminal what each second brings, goes to standard error.",
    "결과는 다 잰 뒤에 표준 출력으로 나가며, --json을 쓰면 한 줄짜리 객체 하나가 됩니다. 잘못된 것, 그리고 "
    "터미널에서는 1초마다의 "
    "상황이 표준 오류로 나갑니다."};
constexpr Text end_of_input{
    "A TCP connection has two directions, and each ends by itself. When the input ends, meari finishes sending (FIN) "
    "and goes "
    "on receiving until the peer has finished, too: late replies arrive whole. --on-eof chooses something else. An "
    "input that "
    "is absent (closed, /dev/null, under nohup) has not ended: the peer decides how long the conversation lasts.",
    "TCP 연결에는 방향이 둘 있고 저마다 따로 끝납니다. 입력이 끝나면 meari는 보내기를 마쳤다고 알리고(FIN), 상대도 "
    "마칠 "
    "때까지 계속 받습니다. 그래서 늦게 오는 답도 다 받습니다. 다르게 하려면 --on-eof를 씁니다. 입력이 아예 없으면(닫혀 "
    "있거나, /dev/null이거나, nohup 아래에서) 끝난 것으로 보지 않으며, 대화가 언제 끝날지는 상대가 정합니다."};

// As roff wants text: a backslash is an escape, a hyphen would become a typographic one, and a point or an apostrophe at
// the start of a line would be a request.
std::string roff(std::string_view text) {
  std::string out;
  for (const char letter : text) {
    if (letter == '\\') out += "\\e";
    else if (letter == '-') out += "\\-";
    else if (letter == '\'' || letter == '`' || letter == '^' || letter == '~')
      out += letter == '\'' ? "\\(aq" : letter == '`' ? "\\(ga" : letter == '^' ? "\\(ha" : "\\(ti";
    else out += letter;
  }
  if (out.starts_with('.')) out.insert(0, "\\&");
  return out;
}

std::string bold(std::string_view text) { return "\\fB" + roff(text) + "\\fR"; }
std::string italic(std::string_view text) { return "\\fI" + roff(text) + "\\fR"; }
std::string section(Language language, const Text& title) { return ".SH " + std::string(title.in(language)) + '\n'; }
std::string entry(const std::string& tag, std::string_view text) { return ".TP\n" + tag + '\n' + roff(text) + '\n'; }
std::string paragraph(std::string_view text) { return ".PP\n" + roff(text) + '\n'; }

std::string page_name(std::optional<Verb> verb) { return verb ? "meari-" + std::string(info(*verb).name) : "meari"; }

std::string flag_tag(const FlagInfo& flag) {
  std::string tag = flag.letter == '\0' ? "" : bold(std::string("-") + flag.letter) + ", ";
  tag += bold("--" + std::string(flag.name));
  if (flag.value != Value::none) tag += ' ' + italic(flag.choices);
  return tag;
}

std::string options(Language language, std::optional<Verb> verb) {
  std::string out = section(language, flags_section);
  for (const FlagInfo& flag : flags()) {
    if (!belongs_to(flag, verb)) continue;
    out += entry(flag_tag(flag), flag.help.in(language));
    out += ".IP\n" + roff(flag.more.in(language)) + '\n';
    if (const std::string relations = relations_of(language, flag, verb); !relations.empty())
      out += roff(relations) + '\n';
  }
  return out;
}

std::string synopsis(Language language, const VerbInfo& verb) {
  std::string line = bold("meari " + std::string(verb.name)) + " [" + italic(flags_word.in(language)) + "]";
  if (!verb.operands.empty()) line += ' ' + italic(verb.operands);
  return line + '\n';
}

std::string verb_page(Language language, const VerbInfo& verb) {
  std::string out = section(language, synopsis_section) + synopsis(language, verb);
  out += section(language, description_section) + roff(verb.more.in(language)) + '\n';
  out += paragraph((verb.verb == Verb::bench ? report_streams : streams).in(language));
  if (verb.verb == Verb::serve) {
    out += section(language, handlers_section);
    for (const HandlerInfo& handler : handlers()) {
      std::string tag = bold(handler.name);
      if (!handler.argument.empty()) tag += ' ' + italic(handler.argument);
      out += entry(tag, handler.help.in(language));
    }
  }
  out += section(language, addresses_section);
  for (const AddressInfo& address : addresses())
    if ((address.verbs & 1U << static_cast<unsigned>(verb.verb)) != 0)
      out += entry(bold(address.form), address.help.in(language));
  out += options(language, verb.verb);
  if (verb.verb == Verb::connect) out += section(language, end_section) + roff(end_of_input.in(language)) + '\n';
  return out;
}

std::string overview_page(Language language) {
  std::string out = section(language, synopsis_section);
  for (const VerbInfo& verb : verbs()) out += (&verb == verbs().data() ? "" : ".br\n") + synopsis(language, verb);
  out += section(language, description_section) + roff(overview.in(language)) + '\n' + paragraph(streams.in(language));
  out += section(language, verbs_section);
  for (const VerbInfo& verb : verbs()) out += entry(bold(verb.name), verb.summary.in(language));
  return out + options(language, {});
}

std::string examples(Language language, std::optional<Verb> only) {
  std::string out = section(language, examples_section);
  bool first = true;
  for (const VerbInfo& verb : verbs()) {
    if (only && verb.verb != *only) continue;
    for (const Example& example : verb.examples) {
      if (!first) out += ".PP\n";
      first = false;
      out += roff(example.help.in(language)) + ":\n.RS 4\n.nf\n" + roff(example.command) + "\n.fi\n.RE\n";
    }
  }
  return out;
}

std::string see_also(Language language, std::optional<Verb> here) {
  std::string out = section(language, see_section);
  std::string pages;
  const auto add = [&](const std::string& name) { pages += (pages.empty() ? "" : ",\n") + bold(name) + "(1)"; };
  if (here) add(page_name({}));
  for (const VerbInfo& verb : verbs())
    if (verb.verb != here && verb.verb != Verb::help) add(page_name(verb.verb));
  return out + pages + ",\n" + bold("tcp") + "(7)\n";
}

}  // namespace

std::string man_page(Language language, std::optional<Verb> verb) {
  const std::string name = page_name(verb);
  std::string upper;
  for (const char letter : name) upper += letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 32) : letter;
  std::string out = ".\\\" Made by `meari generate`; tools/generate.sh makes it again.\n";
  // Without a date: the same table gives the same page.
  out += ".TH " + upper + " 1 \"\" \"meari " MEARI_VERSION "\" \"\"\n";
  out += section(language, name_section) + roff(name) + " \\- " +
         roff(verb ? info(*verb).summary.in(language) : brief.in(language)) + '\n';
  out += verb ? verb_page(language, info(*verb)) : overview_page(language);
  out += section(language, statuses_section);
  for (const StatusInfo& status : statuses())
    out += entry(bold(std::to_string(status.status)), status.help.in(language));
  out += section(language, variables_section);
  for (const VariableInfo& variable : variables())
    if (!verb || (variable.verbs & 1U << static_cast<unsigned>(*verb)) != 0)
      out += entry(bold(variable.name), variable.help.in(language));
  return out + examples(language, verb) + see_also(language, verb);
}

}  // namespace meari::command
