#include "conversation.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <meari/deadline.hpp>

#include "dial.hpp"
#include "src/command/speech/library_text.hpp"
#include "src/command/speech/messages.hpp"
#include "src/os/blocking_io.hpp"
#include "src/os/console.hpp"

namespace meari::command {
namespace {

using std::chrono::milliseconds;

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
      output_(Sink::standard_output(loop)),
      hexdump_(talk) {
  const bool terminal = output_.medium() == Medium::terminal;
  interactive_ = terminal && input_.medium() == Medium::terminal && !settings.message && !settings.check;
  escaped_ = terminal && !settings.raw;
  if (interactive_) prompt_.emplace(loop, input_, output_);
  dumped_here_ = terminal && settings.hexdump;
  if (settings.hexdump && !terminal) errors_ = Sink::of(loop, os::standard_descriptor(os::Standard::error));
}

Task<Outcome> Conversation::converse() {
  Outcome outcome;
  outcome.status = co_await run();
  outcome.to = to_;
  outcome.connecting = connecting_;
  if (first_sent_ && first_received_ && *first_received_ >= *first_sent_)
    outcome.replying = *first_received_ - *first_sent_;
  co_return outcome;
}

Task<Status> Conversation::run() {
  const Result<> opened = co_await as_result(open());
  if (!opened) {
    if (opened.error() == Errc::canceled) co_return Status::interrupted;
    talk_.complain(opened.error());
    co_return status_of(opened.error());
  }
  announce();
  if (settings_.check) co_return report_check();
  const Result<> result = co_await as_result(both_ways());
  // What was being typed stays where it is, and what we say from now on begins below it.
  if (prompt_ && prompt_->leave() && os::is_terminal(os::Standard::error)) os::print(os::Standard::error, "\n");
  if (result) co_await settle();
  co_return verdict(result);
}

// ---- connecting

Task<> Conversation::open() {
  Connected connected = co_await dial(loop_, settings_, talk_);
  server_ = std::move(connected.stream);
  choices_ = connected.choices;
  connecting_ = connected.took;
  begin_ = loop_.now();
  const Result<Address> peer = server_.peer();
  const Result<Address> local = server_.local();
  to_ = peer ? peer->to_string() : settings_.where.to_string();
  from_ = local ? local->to_string() : "?";
}

void Conversation::announce() const {
  if (settings_.repeat != 0) return;  // a line for each follows when it is over
  if (!interactive_ && !settings_.check && choices_ < 2) return;
  if (choices_ > 1) talk_.say(messages::connected_first, to_, from_, choices_);
  else talk_.say(messages::connected, to_, from_);
  if (interactive_) talk_.say(messages::how_to_end);
}

Status Conversation::report_check() const {
  if (settings_.repeat != 0) return Status::ok;
  talk_.say(messages::checked, fmt::format("{:.3f}", std::chrono::duration<double, std::milli>(*connecting_).count()));
  return Status::ok;
}

void Conversation::tell(std::string line) {
  if (prompt_) prompt_->tell(std::move(line));
  else os::print(os::Standard::error, line);
}

// ---- the two directions

Task<> Conversation::both_ways() {
  auto body = [this](Scope& scope) -> Task<> {
    auto sending = [this, &scope] { return send(scope); };
    scope.spawn(sending);
    auto redrawing = [this] { return prompt_->redraw_after_stops(); };
    if (prompt_) scope.spawn(redrawing);
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
    case OnEof::half_close:
      co_await server_.finish();
      if (settings_.hexdump) co_await dump(hexdump_.end(HexDump::Way::out, loop_.now() - begin_));
      break;
    case OnEof::keep: break;
    case OnEof::wait:
      co_await sleep_for(settings_.wait);
      scope.cancel();
      break;
    case OnEof::close: scope.cancel(); break;
  }
}

Task<> Conversation::deliver(Chunk data) {
  if (!settings_.crlf) co_return co_await deliver_as_it_is(std::move(data));
  const std::string text = carriage_returns_.add(data.text());
  co_await deliver_as_it_is(Chunk::view(std::as_bytes(std::span(text.data(), text.size()))));
}

Task<> Conversation::deliver_as_it_is(Chunk data) {
  if (settings_.expect_echo && !check_.sent(data.bytes())) {
    talk_.complain(messages::echo_too_far_behind, EchoCheck::longest_debt);
    end_ = End::check_failed;
    co_return;
  }
  if (settings_.hexdump) co_await dump(dumped(HexDump::Way::out, data));
  if (!first_sent_) first_sent_ = loop_.now();
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

Task<> Conversation::send_lines() {
  while (Chunk line = co_await prompt_->line()) {
    const std::uint64_t before = server_.facts().bytes_sent;
    static_cast<void>(replied_.try_receive());
    co_await deliver(std::move(line));
    if (end_ == End::check_failed) co_return;
    const std::uint64_t size = server_.facts().bytes_sent - before;
    if (!dumped_here_) co_await print("  " + talk_.text(messages::line_sent, size) + '\n');
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

bool Conversation::take_in(const Chunk& data) {
  received_ += data.size();
  if (!first_received_) first_received_ = loop_.now();
  return check_received(data);
}

bool Conversation::check_received(const Chunk& data) {
  if (!settings_.expect_echo || check_.received(data.bytes())) return true;
  const EchoDifference& found = *check_.difference();
  if (found.expected)
    talk_.complain(messages::echo_differs, found.offset, shown_byte(*found.expected), shown_byte(found.found));
  else talk_.complain(messages::echo_long, found.offset);
  end_ = End::check_failed;
  return false;
}

Task<> Conversation::receive_pipe() {
  while (Chunk data = co_await server_.read()) {
    if (settings_.hexdump && !dumped_here_) co_await dump(dumped(HexDump::Way::in, data));
    const bool fits = take_in(data);
    if (!fits && !dumped_here_) co_return;
    Result<> printed;
    if (dumped_here_) {
      printed = co_await as_result(print(dumped(HexDump::Way::in, data)));
    } else if (escaped_) {
      printed = co_await as_result(print(escaper_.escape(data.text())));
    } else {
      printed = co_await as_result(output_.write(std::move(data)));
    }
    if (!fits) co_return;
    if (printed) continue;
    if (printed.error() == Errc::canceled) co_await std::move(printed);
    end_ = printed.error() == Errc::broken_pipe ? End::reader_gone : End::output_failed;
    if (end_ == End::output_failed)
      talk_.complain(messages::output_failed, message_of(talk_.language(), printed.error()));
    co_return;
  }
  end_ = End::peer_closed;
  if (settings_.hexdump) co_await dump(hexdump_.end(HexDump::Way::in, loop_.now() - begin_));
  if (!escaped_ || dumped_here_) co_return;
  std::string rest = escaper_.finish();
  if (!escaper_.at_line_start()) rest += '\n';
  co_await print(std::move(rest));
}

Task<> Conversation::receive_lines() {
  while (Chunk data = co_await server_.read()) {
    std::string text;
    if (dumped_here_) {
      text = dumped(HexDump::Way::in, data);
    } else {
      text = escaped_ ? escaper_.escape(data.text()) : std::string(data.text());
      if (!text.ends_with('\n')) text += '\n';
      text += "  " + talk_.text(messages::piece_received, data.size()) + '\n';
    }
    if (!take_in(data)) co_return;
    co_await print(prompt_->around(std::move(text)));
    static_cast<void>(replied_.try_send(true));
  }
  end_ = End::peer_closed;
  if (prompt_->leave()) co_await print("\n");
  if (dumped_here_) co_await dump(hexdump_.end(HexDump::Way::in, loop_.now() - begin_));
}

Task<> Conversation::print(std::string text) {
  if (!text.empty()) co_await output_.write(std::string_view(text));
}

std::string Conversation::dumped(HexDump::Way way, const Chunk& data) {
  return hexdump_.bytes(way, data.bytes(), loop_.now() - begin_);
}

Task<> Conversation::dump(std::string lines) {
  if (dumped_here_) co_return co_await print(std::move(lines));
  Result<> written = co_await as_result(errors_.write(std::string_view(lines)));
  if (!written && written.error() == Errc::canceled) co_await std::move(written);
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
