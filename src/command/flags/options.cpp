#include "options.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include "datagram_size.hpp"
#include "durations.hpp"
#include "src/command/speech/library_text.hpp"
#include "src/command/speech/messages.hpp"
#include "src/os/activation.hpp"

namespace meari::command {
namespace {

std::string dashed(Flag flag) { return "--" + std::string(info(flag).name); }

int digit(char hex) noexcept {
  if (hex >= '0' && hex <= '9') return hex - '0';
  const char small = static_cast<char>(hex | 0x20);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

std::optional<std::string> unescaped(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes += text[i];
      continue;
    }
    if (++i == text.size()) return {};
    switch (text[i]) {
      case 'n': bytes += '\n'; break;
      case 'r': bytes += '\r'; break;
      case 't': bytes += '\t'; break;
      case '0': bytes += '\0'; break;
      case '\\': bytes += '\\'; break;
      case 'x': {
        if (i + 2 >= text.size() || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0) return {};
        bytes += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
        i += 2;
        break;
      }
      default: return {};
    }
  }
  return bytes;
}

struct Progress {
  std::uint64_t bytes;
  Duration time;
};

// Reads the values of flags, and remembers the first that makes no sense.
class Reader {
 public:
  explicit Reader(const Typed& typed) : typed_(typed) {}

  std::optional<Duration> duration(Flag flag) {
    const std::string* value = typed_.value(flag);
    if (value == nullptr) return {};
    const std::optional<Duration> read = parse_duration(*value);
    if (!read) refuse(messages::not_a_duration.in(typed_.language, dashed(flag), *value));
    return read;
  }

  std::optional<std::uint64_t> count(Flag flag, std::uint64_t least, std::uint64_t most) {
    const std::string* value = typed_.value(flag);
    if (value == nullptr) return {};
    std::uint64_t read = 0;
    const char* end = value->data() + value->size();
    const auto [stop, problem] = std::from_chars(value->data(), end, read);
    if (problem == std::errc{} && stop == end && read >= least && read <= most) return read;
    refuse(messages::not_a_count.in(typed_.language, dashed(flag), *value, least, most));
    return {};
  }

  std::optional<SizeRange> size_range(Flag flag, std::uint64_t most) {
    const std::string* value = typed_.value(flag);
    if (value == nullptr) return {};
    const std::optional<SizeRange> read = parse_size_range(*value);
    if (read && read->least > 0 && read->most <= most) return read;
    refuse(messages::not_a_size.in(typed_.language, dashed(flag), *value));
    return {};
  }

  // Bytes a second, above 0.
  std::optional<std::uint64_t> bytes_a_second(Flag flag) {
    const std::string* value = typed_.value(flag);
    if (value == nullptr) return {};
    const std::optional<std::uint64_t> read = parse_size(*value);
    if (read && *read > 0) return read;
    refuse(messages::not_bytes_a_second.in(typed_.language, dashed(flag), *value));
    return {};
  }

  // "1k/30s".
  std::optional<Progress> progress(Flag flag) {
    const std::string* value = typed_.value(flag);
    if (value == nullptr) return {};
    const std::string_view text = *value;
    const std::size_t slash = std::min(text.find('/'), text.size());
    const std::optional<std::uint64_t> bytes = parse_size(text.substr(0, slash));
    const std::optional<Duration> time = parse_duration(text.substr(std::min(slash + 1, text.size())));
    if (bytes && *bytes > 0 && time && *time > Duration::zero()) return Progress{*bytes, *time};
    refuse(messages::not_a_progress.in(typed_.language, dashed(flag), text));
    return {};
  }

  // A number above 0, of messages a second.
  std::optional<double> rate(Flag flag) {
    const std::string* value = typed_.value(flag);
    if (value == nullptr) return {};
    double read = 0;
    const char* end = value->data() + value->size();
    const auto [stop, problem] = std::from_chars(value->data(), end, read, std::chars_format::fixed);
    if (problem == std::errc{} && stop == end && read > 0 && read <= 1e9) return read;
    refuse(messages::not_a_rate.in(typed_.language, dashed(flag), *value));
    return {};
  }

  std::vector<Gate> gates(Flag flag) {
    const std::string* value = typed_.value(flag);
    if (value == nullptr) return {};
    std::optional<std::vector<Gate>> read = parse_gates(*value);
    if (read) return *std::move(read);
    refuse(messages::not_a_gate.in(typed_.language, dashed(flag), *value));
    return {};
  }

  // With the escapes of C. Not empty.
  std::optional<std::string> escaped(Flag flag) {
    const std::string* value = typed_.value(flag);
    if (value == nullptr) return {};
    std::optional<std::string> read = unescaped(*value);
    if (!read || read->empty()) refuse(messages::not_escaped.in(typed_.language, dashed(flag), *value));
    return read;
  }

  BackendChoice backend() {
    const std::string* value = typed_.value(Flag::backend);
    if (value == nullptr || *value == "auto") return BackendChoice::automatic;
    if (*value == "uring") return BackendChoice::uring;
    if (*value == "iocp") return BackendChoice::iocp;
    return *value == "epoll" ? BackendChoice::epoll : BackendChoice::uring_floor;
  }

  void refuse(std::string sentence, std::string_view meant = {}) {
    if (!refused_) refused_ = Refused{std::move(sentence), hints(typed_.language, meant, typed_.verb)};
  }
  void refuse(const Error& error, std::string_view meant = {}) {
    if (refused_) return;
    std::string sentence = message_of(typed_.language, error);
    // How addresses are written is advice, for who has not been told what was meant.
    const std::string english = error.message();
    const std::size_t cut = english.rfind("; write ");
    std::string forms;
    if (cut != std::string::npos) forms = translated(typed_.language, std::string_view(english).substr(cut + 2));
    if (!forms.empty() && sentence.ends_with(forms)) sentence.resize(sentence.size() - forms.size() - 2);
    refused_ = Refused{std::move(sentence), hints(typed_.language, meant, typed_.verb)};
    if (meant.empty() && !forms.empty()) add_hint(std::move(forms));
  }
  void add_hint(std::string hint) {
    if (refused_) refused_->hints.insert(refused_->hints.begin(), std::move(hint));
  }

  [[nodiscard]] Language language() const noexcept { return typed_.language; }
  template <class Settings>
  std::variant<Settings, Refused> outcome(Settings settings) {
    if (refused_) return *std::move(refused_);
    return settings;
  }

 private:
  const Typed& typed_;
  std::optional<Refused> refused_;
};

// A word that cannot be an address and that can be meant as the name of a handler.
bool looks_like_a_name(std::string_view word) noexcept {
  return !word.empty() && word.find_first_of(":./[]0123456789@") == std::string_view::npos;
}

// "echo, discard": all handlers, or those that serve datagrams.
std::string handler_names(bool of_datagrams) {
  std::string all;
  for (const HandlerInfo& handler : handlers())
    if (!of_datagrams || handler.datagrams) all += (all.empty() ? "" : ", ") + std::string(handler.name);
  return all;
}

bool is_number(std::string_view word) noexcept {
  return !word.empty() && word.find_first_not_of("0123456789") == std::string_view::npos;
}

// The address that somebody may have meant: who writes the port as a word of its own as other tools want it, forgets it, leaves
// out the brackets, or takes a line from a browser. Nothing when that would be no address either.
std::string meant_address(std::string word, std::string_view next) {
  const auto port_or = [](std::string& host, std::string_view usual) {
    host.resize(std::min(host.size(), host.find('/')));
    if (host.empty()) return std::string();
    return host.contains(':') ? host : host + ':' + std::string(usual);
  };
  const std::size_t colon = word.rfind(':');
  std::string meant;
  if (word.starts_with("http://")) meant = port_or(word.erase(0, 7), "80");
  else if (word.starts_with("https://")) meant = port_or(word.erase(0, 8), "443");
  else if (is_number(next)) meant = (word.contains(':') ? '[' + word + ']' : word) + ':' + std::string(next);
  else if (colon == std::string::npos) meant = word + ":9000";
  else if (word.find(':') != colon) meant = '[' + word.substr(0, colon) + ']' + word.substr(colon);
  return Endpoint::parse(meant) ? meant : std::string();
}

void refuse_handler(Reader& reader, const std::string& word, std::string_view next) {
  std::vector<std::string_view> names;
  for (const HandlerInfo& handler : handlers()) names.push_back(handler.name);
  std::string meant(nearest(word, names));
  if (meant.empty() && word == "localhost") meant = meant_address(word, next);
  reader.refuse(messages::unknown_handler.in(reader.language(), word), meant);
  reader.add_hint(messages::handlers_are.in(reader.language(), handler_names(false)));
}

// `next`: the word behind it.
void read_endpoint(Reader& reader, const std::string& word, std::string_view next, ServeSettings& settings) {
  Result<Endpoint> endpoint = Endpoint::parse(word);
  if (!endpoint) {
    if (looks_like_a_name(word)) return refuse_handler(reader, word, next);
    return reader.refuse(endpoint.error(), meant_address(word, next));
  }
  if (endpoint->kind == Kind::datagram && !info(settings.handler).datagrams)
    return reader.refuse(
        messages::not_over_datagrams.in(reader.language(), word, info(settings.handler).name, handler_names(true)));
  if (endpoint->kind == Kind::datagram && settings.once)
    return reader.refuse(messages::no_sessions.in(reader.language(), word, dashed(Flag::once)));
  if (endpoint->kind == Kind::datagram && !settings.record.empty())
    return reader.refuse(messages::no_sessions.in(reader.language(), word, dashed(Flag::record)));
  if (endpoint->kind == Kind::datagram && settings.limit_rate != 0)
    return reader.refuse(messages::no_sessions.in(reader.language(), word, dashed(Flag::limit_rate)));
  settings.where.push_back(*std::move(endpoint));
}

template <class Settings>
void read_policy(Reader& reader, const std::string& word, Settings& settings) {
  constexpr std::string_view wait = "wait:";
  settings.on_eof_given = true;
  if (word == "half-close") settings.on_eof = OnEof::half_close;
  else if (word == "close") settings.on_eof = OnEof::close;
  else if (word == "keep") settings.on_eof = OnEof::keep;
  else if (const std::optional<Duration> time =
               word.starts_with(wait) ? parse_duration(std::string_view(word).substr(wait.size())) : std::nullopt) {
    settings.on_eof = OnEof::wait;
    settings.wait = *time;
  } else reader.refuse(messages::not_a_policy.in(reader.language(), word));
}

void read_target(Reader& reader, const std::string& word, ServeSettings& settings) {
  Result<Endpoint> target = Endpoint::parse(word);
  if (!target) return reader.refuse(target.error());
  const bool one = target->form != Endpoint::Form::any && !target->address.is_any();
  if (target->kind == Kind::datagram || target->form == Endpoint::Form::descriptor || !one)
    return reader.refuse(messages::not_a_target.in(reader.language(), word));
  settings.target = *std::move(target);
}

// The handler's own words, after its name.
void read_argument(Reader& reader, const std::string& word, ServeSettings& settings) {
  if (settings.handler == Handler::greet) settings.greeting = word;
  if (settings.handler == Handler::forward) read_target(reader, word, settings);
}

void read_source(Reader& reader, const std::string& word, ConnectSettings& settings) {
  Address address(word, 0);
  if (address.family() == Family::unspecified) {
    if (const Result<Address> with_port = Address::parse(word); with_port) address = *with_port;
  }
  if (address.family() == Family::ipv4 || address.family() == Family::ipv6) settings.source = address;
  else reader.refuse(messages::not_a_source.in(reader.language(), word));
}

// Where to connect: one address, of one place.
void read_target(Reader& reader, const Typed& typed, Endpoint& target) {
  const std::string_view verb = info(*typed.verb).name;
  if (typed.operands.empty()) return reader.refuse(messages::address_missing.in(typed.language, verb));
  const std::string& word = typed.operands.front();
  if (typed.operands.size() > 1)
    return reader.refuse(messages::one_address.in(typed.language, verb, typed.operands[1]),
                         typed.operands.size() == 2 ? meant_address(word, typed.operands[1]) : "");
  Result<Endpoint> where = Endpoint::parse(word);
  if (!where) return reader.refuse(where.error(), meant_address(word, {}));
  if (where->form == Endpoint::Form::any || where->address.is_any())
    return reader.refuse(messages::no_wildcard.in(typed.language, word, verb));
  if (where->form == Endpoint::Form::descriptor && typed.verb == Verb::bench)
    return reader.refuse(messages::no_descriptor_here.in(typed.language, word));
  target = *std::move(where);
}

// What makes no sense without connections, or does not fit into a datagram.
void check_datagrams(Reader& reader, const Typed& typed, BenchSettings& settings) {
  for (const Flag flag : {Flag::churn, Flag::hold})
    if (typed.has(flag))
      reader.refuse(messages::not_with_datagrams.in(typed.language, dashed(flag), typed.operands[0]));
  constexpr std::uint64_t number = 8;
  const std::string* size = typed.value(Flag::size);
  if (size != nullptr && (settings.size.least < number || settings.size.most > most_in_datagram))
    reader.refuse(messages::datagram_size.in(typed.language, dashed(Flag::size), *size));
  if (settings.send && (typed.has(Flag::depth) || typed.has(Flag::rate)))
    reader.refuse(std::string(messages::datagrams_unnumbered.in(typed.language)));
  if (!typed.has(Flag::timeout)) settings.timeout = std::chrono::seconds(1);
}

void check_datagrams(Reader& reader, const Typed& typed, const ConnectSettings& settings) {
  const std::string& to = typed.operands[0];
  if (typed.has(Flag::check))
    reader.refuse(messages::no_check_of_datagrams.in(typed.language, to, dashed(Flag::check)));
  if (typed.has(Flag::retry)) reader.refuse(messages::not_with_datagrams.in(typed.language, dashed(Flag::retry), to));
  if (!settings.message) return;
  std::size_t size = settings.message->size();
  if (settings.crlf) size += static_cast<std::size_t>(std::ranges::count(*settings.message, '\n'));
  if (size > most_in_datagram)
    reader.refuse(messages::message_too_long.in(typed.language, dashed(Flag::message), size, most_in_datagram));
}

}  // namespace

std::variant<ServeSettings, Refused> serve_settings(const Typed& typed) {
  Reader reader(typed);
  ServeSettings settings;
  settings.once = typed.has(Flag::once);
  const std::string* log = typed.value(Flag::log);
  settings.json = log != nullptr && *log == "json";
  settings.view = {.explain = typed.has(Flag::explain), .events = typed.has(Flag::events)};
  if (settings.view.events) settings.json = true;
  settings.accept_delay = reader.duration(Flag::accept_delay).value_or(Duration{});
  settings.workers = reader.count(Flag::workers, 1, 256).value_or(1);
  settings.reuse_port = typed.has(Flag::reuse_port);
  settings.backend = reader.backend();
  settings.idle = reader.duration(Flag::idle);
  settings.drain = reader.duration(Flag::drain);
  settings.max_sessions = reader.count(Flag::max_sessions, 1, 100'000'000).value_or(0);
  settings.max_per_source = reader.count(Flag::max_per_source, 1, 100'000'000).value_or(0);
  settings.max_rate = reader.count(Flag::max_rate, 1, 100'000'000).value_or(0);
  settings.limit_rate = reader.bytes_a_second(Flag::limit_rate).value_or(0);
  if (const std::optional<Progress> least = reader.progress(Flag::min_progress)) {
    settings.least_progress = least->bytes;
    settings.progress_window = least->time;
  }
  if (const std::string* list = typed.value(Flag::allow)) settings.allow = *list;
  if (const std::string* list = typed.value(Flag::deny)) settings.deny = *list;
  settings.hexdump = typed.has(Flag::hexdump);
  if (settings.hexdump && settings.json)
    reader.refuse(messages::dump_among_json.in(typed.language, settings.view.events ? "--events json" : "--log json"));
  if (const std::string* folder = typed.value(Flag::record)) {
    settings.record = *folder;
    if (folder->empty())
      reader.refuse(messages::value_missing.in(typed.language, dashed(Flag::record), info(Flag::record).choices));
  }
  if (const auto ready = reader.count(Flag::ready_fd, 1, 1'000'000)) settings.ready_fd = static_cast<int>(*ready);
  if (const auto backlog = reader.count(Flag::backlog, 1, 0x7FFFFFFF)) settings.backlog = static_cast<int>(*backlog);

  auto word = typed.operands.begin();
  if (word != typed.operands.end()) {
    if (const HandlerInfo* handler = find_handler(*word)) {
      settings.handler = handler->handler;
      ++word;
      if (handler->handler == Handler::exec) settings.program = typed.program;
      const bool has_words = handler->handler == Handler::exec ? !typed.program.empty() : word != typed.operands.end();
      if (!handler->argument.empty() && !has_words)
        reader.refuse(messages::handler_needs.in(typed.language, handler->name, handler->example));
      else if (!handler->argument.empty() && handler->handler != Handler::exec)
        read_argument(reader, *word++, settings);
    }
  }
  for (; word != typed.operands.end(); ++word) {
    const auto next = std::next(word);
    read_endpoint(reader, *word, next == typed.operands.end() ? std::string_view() : *next, settings);
  }
  if (const std::string* policy = typed.value(Flag::on_eof)) read_policy(reader, *policy, settings);
  settings.raw = typed.has(Flag::raw);
  for (const Flag flag : {Flag::on_eof, Flag::raw})
    if (typed.has(flag) && settings.handler != Handler::stdio)
      reader.refuse(messages::for_handler.in(typed.language, dashed(flag), info(Handler::stdio).name));
  // Sessions of these have something in common, which belongs to one thread.
  if (settings.workers > 1 && settings.handler >= Handler::stdio)
    reader.refuse(messages::on_one_thread.in(typed.language, info(settings.handler).name));
  // Without an address: what a supervisor has opened for us, as systemd does it.
  for (std::size_t i = 0; settings.where.size() == i && i < os::passed_descriptors(); ++i) {
    Endpoint& passed = settings.where.emplace_back();
    passed.form = Endpoint::Form::descriptor;
    passed.descriptor = os::first_passed_descriptor + static_cast<int>(i);
  }
  constexpr std::uint16_t usual_port = 9000;
  if (settings.where.empty()) settings.where.emplace_back().port = usual_port;
  return reader.outcome(std::move(settings));
}

std::variant<ConnectSettings, Refused> connect_settings(const Typed& typed) {
  Reader reader(typed);
  ConnectSettings settings;
  if (const std::string* message = typed.value(Flag::message)) settings.message = *message;
  if (const std::string* policy = typed.value(Flag::on_eof)) read_policy(reader, *policy, settings);
  if (const std::string* source = typed.value(Flag::source)) read_source(reader, *source, settings);
  settings.expect_echo = typed.has(Flag::expect_echo);
  settings.check = typed.has(Flag::check);
  settings.raw = typed.has(Flag::raw);
  settings.view = {.explain = typed.has(Flag::explain), .events = typed.has(Flag::events)};
  settings.crlf = typed.has(Flag::crlf);
  settings.hexdump = typed.has(Flag::hexdump);
  settings.retry = reader.count(Flag::retry, 0, 1'000'000).value_or(settings.retry);
  settings.repeat = reader.count(Flag::repeat, 1, 1'000'000).value_or(settings.repeat);
  settings.interval = reader.duration(Flag::interval).value_or(settings.interval);
  settings.timeout = reader.duration(Flag::timeout).value_or(settings.timeout);
  settings.idle = reader.duration(Flag::idle).value_or(settings.idle);
  settings.backend = reader.backend();
  read_target(reader, typed, settings.where);
  if (settings.where.kind == Kind::datagram) check_datagrams(reader, typed, settings);
  if (settings.where.form == Endpoint::Form::descriptor && typed.has(Flag::repeat))
    reader.refuse(messages::not_with_a_descriptor.in(typed.language, dashed(Flag::repeat), typed.operands[0]));
  return reader.outcome(std::move(settings));
}

std::variant<BenchSettings, Refused> bench_settings(const Typed& typed) {
  Reader reader(typed);
  BenchSettings settings;
  const auto small = [&](Flag flag, unsigned usual, std::uint64_t most) {
    return static_cast<unsigned>(reader.count(flag, 1, most).value_or(usual));
  };
  settings.connections = small(Flag::connections, settings.connections, 1'000'000);
  if (const auto held = reader.count(Flag::hold, 1, 1'000'000)) {
    settings.hold = true;
    settings.connections = static_cast<unsigned>(*held);
  }
  settings.size = reader.size_range(Flag::size, std::uint64_t{64} << 20).value_or(settings.size);
  settings.depth = small(Flag::depth, settings.depth, 10'000);
  settings.threads = small(Flag::threads, settings.threads, 256);
  settings.duration = reader.duration(Flag::duration).value_or(settings.duration);
  settings.warmup = reader.duration(Flag::warmup).value_or(settings.hold ? Duration{} : settings.warmup);
  settings.timeout = reader.duration(Flag::timeout).value_or(settings.timeout);
  settings.rate = reader.rate(Flag::rate).value_or(0);
  settings.churn = typed.has(Flag::churn);
  settings.send = reader.escaped(Flag::send);
  settings.expect = reader.escaped(Flag::expect);
  if (const auto process = reader.count(Flag::server_pid, 1, 1U << 30))
    settings.server_pid = static_cast<long>(*process);
  const auto text = [&](Flag flag) {
    const std::string* value = typed.value(flag);
    return value == nullptr ? std::nullopt : std::optional(*value);
  };
  settings.save = text(Flag::save);
  settings.percentiles = text(Flag::percentiles);
  settings.plot = text(Flag::plot);
  settings.compare = text(Flag::compare);
  settings.gates = reader.gates(Flag::fail_on);
  settings.json = typed.has(Flag::json);
  settings.backend = reader.backend();
  read_target(reader, typed, settings.where);
  if (settings.where.kind == Kind::datagram) check_datagrams(reader, typed, settings);
  return reader.outcome(std::move(settings));
}

}  // namespace meari::command
