#include "conversation.hpp"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include <meari/connect.hpp>
#include <meari/deadline.hpp>
#include <meari/quote.hpp>
#include <meari/signals.hpp>

#include "library_text.hpp"
#include "messages.hpp"

namespace meari::command {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view prompt = "> ";
// A person waits for the reply before the next line; when none comes, this long.
constexpr milliseconds reply_pause{300};
// How long the peer's system may take to confirm the last bytes.
constexpr std::chrono::seconds longest_settling{5};

std::string shown_byte(std::byte byte) {
  const auto value = std::to_integer<unsigned>(byte);
  const char letter = static_cast<char>(value);
  std::string text = fmt::format("0x{:02x}", value);
  if (value > 0x20 && value < 0x7F) text += std::string(" '") + letter + '\'';
  return text;
}

}  // namespace

Conversation::Conversation(Loop& loop, const ConnectSettings& settings, const Talk& talk)
    : loop_(loop),
      settings_(settings),
      talk_(talk),
      input_(Source::standard_input(loop)),
      output_(Sink::standard_output(loop)) {
  const bool terminal = output_.medium() == Medium::terminal;
  interactive_ = terminal && input_.medium() == Medium::terminal && !settings.message && !settings.check;
  escaped_ = terminal && !settings.raw;
}

Task<Status> Conversation::run() {
  SignalEvents signals = co_await SignalEvents::install();
  auto [status, signal] = co_await first_of(converse(), signals.next());
  co_return status.value_or(Status::interrupted);
}

Task<Status> Conversation::converse() {
  const Result<> opened = co_await as_result(open());
  if (!opened) {
    if (opened.error() == Errc::canceled) co_return Status::interrupted;
    talk_.complain(opened.error());
    co_return status_of(opened.error());
  }
  announce();
  if (settings_.check) co_return report_check();
  const Result<> result = co_await as_result(both_ways());
  if (result) co_await settle();
  co_return verdict(result);
}

// ---- connecting

Task<> Conversation::open() {
  if (settings_.where.form == Endpoint::Form::descriptor) {
    server_ = co_await Stream::adopt(loop_, settings_.where.descriptor);
    co_return;
  }
  const Time begin = loop_.now();
  const Time deadline = settings_.timeout == Duration::zero() ? never : begin + settings_.timeout;
  std::vector<Address> addresses = co_await with_deadline(deadline, look_up(settings_.where));
  if (settings_.source.family() != Family::unspecified) {
    std::erase_if(addresses, [&](const Address& to) { return to.family() != settings_.source.family(); });
    if (addresses.empty()) co_await fail(Errc::address_not_available, "connect to", settings_.where.to_string());
  }
  choices_ = addresses.size();
  ConnectOptions options;
  options.timeout = deadline == never ? Duration(std::chrono::hours(24 * 365)) : deadline - loop_.now();
  options.source = settings_.source;
  options.timeouts.idle = settings_.idle;
  server_ = co_await meari::connect(std::move(addresses), std::move(options));
  took_ = loop_.now() - begin;
}

void Conversation::announce() const {
  if (!interactive_ && !settings_.check && choices_ < 2) return;
  const Result<Address> peer = server_.peer();
  const Result<Address> local = server_.local();
  const std::string to = peer ? peer->to_string() : settings_.where.to_string();
  const std::string from = local ? local->to_string() : "?";
  if (choices_ > 1) talk_.say(messages::connected_first, to, from, choices_);
  else talk_.say(messages::connected, to, from);
  if (interactive_) talk_.say(messages::how_to_end);
}

Status Conversation::report_check() const {
  talk_.say(messages::checked, fmt::format("{:.3f}", std::chrono::duration<double, std::milli>(took_).count()));
  return Status::ok;
}

// ---- the two directions

Task<> Conversation::both_ways() {
  auto body = [this](Scope& scope) -> Task<> {
    auto sending = [this, &scope] { return send(scope); };
    scope.spawn(sending);
    co_await receive(scope);
  };
  co_await scoped(body);
}

// Never fails: what the peer has sent already is to be read, whatever happens here.
Task<> Conversation::send(Scope& scope) {
  Result<> sent;
  if (settings_.message) sent = co_await as_result(send_message());
  else if (interactive_) sent = co_await as_result(send_lines());
  else if (!input_is_absent()) sent = co_await as_result(send_pipe());
  else co_return;  // there is no input, so it has no end either; the peer decides
  if (!sent) {
    if (sent.error() != Errc::canceled) send_failure_ = sent.error();
    co_return;
  }
  if (input_failure_ || end_ == End::check_failed) co_return scope.cancel();
  input_ended_ = true;
  const Result<> ended = co_await as_result(at_end_of_input(scope));
  if (!ended && ended.error() != Errc::canceled) send_failure_ = ended.error();
}

bool Conversation::input_is_absent() const noexcept {
  return input_.medium() == Medium::none || (input_.medium() == Medium::null_device && !settings_.on_eof_given);
}

Task<> Conversation::at_end_of_input(Scope& scope) {
  switch (settings_.on_eof) {
    case OnEof::half_close: co_await server_.finish(); break;
    case OnEof::keep: break;
    case OnEof::wait:
      co_await sleep_for(settings_.wait);
      scope.cancel();
      break;
    case OnEof::close: scope.cancel(); break;
  }
}

Task<> Conversation::deliver(Chunk data) {
  if (settings_.expect_echo && !check_.sent(data.bytes())) {
    talk_.complain(messages::echo_too_far_behind, EchoCheck::longest_debt);
    end_ = End::check_failed;
    co_return;
  }
  co_await server_.write(std::move(data));
}

Task<> Conversation::send_message() {
  const std::string_view text = *settings_.message;
  if (text.empty()) co_return;
  co_await deliver(Chunk::view(std::as_bytes(std::span(text.data(), text.size()))));
}

Task<> Conversation::send_pipe() {
  for (;;) {
    Result<Chunk> data = co_await as_result(input_.read());
    if (!data) {
      if (data.error() == Errc::canceled) co_await std::move(data);
      if (data.error() != Errc::closed) input_failure_ = data.error();
      co_return;
    }
    if (data->empty()) co_return;
    co_await deliver(*std::move(data));
    if (end_ == End::check_failed) co_return;
  }
}

// A line as the terminal gives it, with its line end; without one after Ctrl-D in the middle of a line.
Task<> Conversation::send_lines() {
  for (;;) {
    at_prompt_ = true;
    co_await print(std::string(prompt));
    Chunk line = co_await input_.read();
    at_prompt_ = false;
    if (line.empty()) break;
    const std::uint64_t size = line.size();
    static_cast<void>(replied_.try_receive());
    co_await deliver(std::move(line));
    if (end_ == End::check_failed) co_return;
    co_await print("  " + talk_.text(messages::line_sent, size) + '\n');
    static_cast<void>(co_await as_result(with_timeout(reply_pause, replied_.receive())));
  }
  co_await print("\n");
}

// The peer's FIN ends a conversation with a person, and one without input.
Task<> Conversation::receive(Scope& scope) {
  if (interactive_) co_await receive_lines();
  else co_await receive_pipe();
  if (end_ != End::peer_closed || interactive_ || (!settings_.message && input_is_absent())) scope.cancel();
}

bool Conversation::check_received(const Chunk& data) {
  if (!settings_.expect_echo || check_.received(data.bytes())) return true;
  const Difference& found = *check_.difference();
  if (found.expected)
    talk_.complain(messages::echo_differs, found.offset, shown_byte(*found.expected), shown_byte(found.found));
  else talk_.complain(messages::echo_long, found.offset);
  end_ = End::check_failed;
  return false;
}

Task<> Conversation::receive_pipe() {
  while (Chunk data = co_await server_.read()) {
    received_ += data.size();
    if (!check_received(data)) co_return;
    Result<> printed;
    if (escaped_) {
      printed = co_await as_result(print(escaper_.escape(data.text())));
    } else {
      printed = co_await as_result(output_.write(std::move(data)));
    }
    if (printed) continue;
    if (printed.error() == Errc::canceled) co_await std::move(printed);
    end_ = printed.error() == Errc::broken_pipe ? End::reader_gone : End::output_failed;
    if (end_ == End::output_failed)
      talk_.complain(messages::output_failed, message_of(talk_.language(), printed.error()));
    co_return;
  }
  end_ = End::peer_closed;
  if (!escaped_) co_return;
  std::string rest = escaper_.finish();
  if (!escaper_.at_line_start()) rest += '\n';
  co_await print(std::move(rest));
}

Task<> Conversation::receive_lines() {
  while (Chunk data = co_await server_.read()) {
    received_ += data.size();
    if (!check_received(data)) co_return;
    std::string text = at_prompt_ ? "\n" : "";
    text += escaped_ ? escaper_.escape(data.text()) : std::string(data.text());
    if (!text.ends_with('\n')) text += '\n';
    text += "  " + talk_.text(messages::piece_received, data.size()) + '\n';
    if (at_prompt_) text += prompt;
    co_await print(std::move(text));
    static_cast<void>(replied_.try_send(true));
  }
  end_ = End::peer_closed;
  if (at_prompt_) co_await print("\n");
}

Task<> Conversation::print(std::string text) {
  if (!text.empty()) co_await output_.write(std::string_view(text));
}

// ---- the end

Task<> Conversation::settle() {
  const Time deadline = loop_.now() + longest_settling;
  Duration pause = milliseconds(1);
  while (loop_.now() < deadline) {
    const SlotFacts facts = server_.facts();
    const Result<SocketInfo> info = server_.info();
    if (facts.failed || !info || info->state == "CLOSE") co_return;
    if (acknowledged().value_or(facts.bytes_sent) >= facts.bytes_sent) co_return;
    co_await sleep_for(pause);
    pause = std::min<Duration>(pause * 2, milliseconds(50));
  }
}

// Linux counts the SYN of who connects, and the FIN of who finishes, as bytes that were acknowledged.
std::optional<std::uint64_t> Conversation::acknowledged() const {
  const Result<SocketInfo> info = server_.info();
  if (!info || info->bytes_acknowledged < 0) return {};
  const auto counted = static_cast<std::uint64_t>(info->bytes_acknowledged);
  const std::uint64_t syn = choices_ != 0 && counted != 0 ? 1 : 0;
  return std::min(counted - syn, server_.facts().bytes_sent);
}

Status Conversation::verdict(const Result<>& result) {
  const Error failure = !result ? result.error() : send_failure_;
  const std::uint64_t sent = server_.facts().bytes_sent;
  const bool confirmed = acknowledged().value_or(sent) >= sent;
  if (failure == Errc::canceled) {
    talk_.complain(std::string_view(account(talk_.text(messages::you_interrupted))));
    return Status::interrupted;
  }
  if (end_ == End::check_failed) return Status::check_failed;
  if (end_ == End::reader_gone) return Status::ok;
  if (end_ == End::output_failed) return Status::cut_short;
  if (input_failure_) {
    talk_.complain(messages::input_failed, message_of(talk_.language(), input_failure_));
    return Status::cut_short;
  }
  const std::string told = account(how_it_ended(failure));
  if (settings_.expect_echo && check_.total_matched() < check_.total_sent()) {
    talk_.complain(messages::echo_short, check_.total_sent(), check_.total_matched());
    talk_.advise(told);
    return Status::check_failed;
  }
  if (failure || !confirmed) {
    talk_.complain(std::string_view(told));
    if (failure) talk_.advise(advice_for(talk_.language(), failure));
    return Status::cut_short;
  }
  if (interactive_) talk_.say_line(told);
  return Status::ok;
}

std::string Conversation::how_it_ended(const Error& failure) const {
  if (failure.code() == Errc::connection_reset || failure.code() == Errc::connection_aborted)
    return std::string(talk_.text(messages::peer_reset));
  if (failure == Errc::timed_out) return std::string(talk_.text(messages::peer_silent));
  if (end_ == End::peer_closed) return std::string(talk_.text(messages::peer_closed));
  if (failure) return talk_.text(messages::conversation_failed, message_of(talk_.language(), failure));
  return std::string(talk_.text(messages::peer_open));
}

std::string Conversation::account(std::string_view how) const {
  const std::uint64_t sent = server_.facts().bytes_sent;
  const std::optional<std::uint64_t> confirmed = acknowledged();
  if (!confirmed) return talk_.text(messages::short_account, sent, received_, how);
  return talk_.text(messages::account, sent, *confirmed, received_, how);
}

}  // namespace meari::command
