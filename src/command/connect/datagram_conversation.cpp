#include "datagram_conversation.hpp"

#include <algorithm>
#include <chrono>
#include <random>
#include <utility>
#include <vector>

#include <meari/connect.hpp>
#include <meari/deadline.hpp>

#include "dial.hpp"
#include "echo_check.hpp"
#include "src/command/flags/datagram_size.hpp"
#include "src/command/speech/library_text.hpp"
#include "src/command/speech/messages.hpp"
#include "src/os/blocking_io.hpp"
#include "src/os/console.hpp"

namespace meari::command {
namespace {

using std::chrono::milliseconds;

// A person waits for the reply before the next line; when none comes, this long.
constexpr milliseconds answer_pause{300};
// --on-eof half-close: replies are waited for until none has come for so long.
constexpr std::chrono::seconds quiet_time{1};

// A Unix-domain peer answers to a path: an abstract one leaves no file behind.
Result<Address> own_path() {
  std::random_device dice;
  return Address::from_path(fmt::format("@meari-connect-{:08x}{:08x}", dice(), dice()));
}

}  // namespace

DatagramConversation::DatagramConversation(Loop& loop, const ConnectSettings& settings, const Talk& talk)
    : loop_(loop),
      settings_(settings),
      talk_(talk),
      input_(Source::standard_input(loop)),
      output_(Sink::standard_output(loop)) {
  const bool terminal = output_.medium() == Medium::terminal;
  interactive_ = terminal && input_.medium() == Medium::terminal && !settings.message;
  escaped_ = terminal && !settings.raw;
  dumped_here_ = terminal && settings.hexdump;
  if (interactive_) prompt_.emplace(loop, input_, output_);
  if (settings.hexdump && !terminal) errors_ = Sink::of(loop, os::standard_descriptor(os::Standard::error));
}

Task<Outcome> DatagramConversation::converse() {
  Outcome outcome;
  const Result<> opened = co_await as_result(open());
  outcome.to = to_;
  if (!opened) {
    outcome.status = opened.error() == Errc::canceled ? Status::interrupted : status_of(opened.error());
    if (outcome.status != Status::interrupted) talk_.complain(opened.error());
    co_return outcome;
  }
  announce();
  Result<> result = co_await as_result(both_ways());
  if (result) result = co_await as_result(end_last_line());
  // What was being typed stays where it is, and what we say from now on begins below it.
  if (prompt_ && prompt_->leave() && os::is_terminal(os::Standard::error)) os::print(os::Standard::error, "\n");
  outcome.status = verdict(result);
  if (first_sent_ && first_received_ && *first_received_ >= *first_sent_)
    outcome.replying = *first_received_ - *first_sent_;
  // In a series a reply is what was asked for, and a datagram that got none was lost.
  const bool awaited = settings_.repeat != 0 && settings_.on_eof != OnEof::close;
  if (awaited && outcome.status == Status::ok && !outcome.replying) outcome.status = Status::network;
  co_return outcome;
}

// ---- the socket

Task<> DatagramConversation::open() {
  begin_ = last_moved_ = loop_.now();
  if (settings_.where.form == Endpoint::Form::descriptor) {
    Result<> taken = take_over(settings_.where.descriptor);
    co_return co_await std::move(taken);
  }
  Endpoint where = settings_.where;
  where.kind = Kind::stream;  // the addresses are the same, and a name is looked up for either
  const Time deadline = settings_.timeout == Duration::zero() ? never : loop_.now() + settings_.timeout;
  Result<std::vector<Address>> found = co_await as_result(with_deadline(deadline, look_up(where)));
  if (!found) {
    Result<> failed = found.error().during("look up", where.host);
    co_await std::move(failed);
  }
  choices_ = *std::move(found);
  if (settings_.source.family() != Family::unspecified) {
    std::erase_if(choices_, [&](const Address& to) { return to.family() != settings_.source.family(); });
    if (choices_.empty()) {
      Result<> failed = no_way_from_source(settings_);
      co_await std::move(failed);
    }
  }
  Result<> opened = Error(Errc::name_not_found, "look up", where.host);
  // The first that this machine has a way to; nobody can tell here whether anybody is there.
  for (const Address& address : choices_)
    if (opened = open_towards(address); opened) break;
  co_await std::move(opened);
  begin_ = last_moved_ = loop_.now();
}

// Whoever opened it has connected it, too: there is no other way to say where to.
Result<> DatagramConversation::take_over(Descriptor descriptor) {
  Socket socket = Socket::adopt(descriptor);
  const Result<Address> peer = socket.peer();
  static_cast<void>(socket.release());
  if (!peer) return Error(peer.error().code(), "take over", settings_.where.to_string());
  Result<Datagram> adopted = Datagram::adopt(loop_, descriptor);
  if (!adopted) return adopted.error();
  speak_with(*std::move(adopted), *peer);
  return {};
}

void DatagramConversation::speak_with(Datagram socket, const Address& peer) {
  socket_ = std::move(socket);
  peer_ = peer;
  to_ = "udp:" + peer.to_string();
  const Result<Address> local = socket_.local();
  from_ = local ? local->to_string() : "?";
}

Result<> DatagramConversation::open_towards(const Address& to) {
  Result<Socket> socket = Socket::open(to.family(), Kind::datagram);
  if (!socket) return socket.error();
  const bool path = to.family() == Family::local;
  const bool bound = path || settings_.source.family() != Family::unspecified;
  if (bound) {
    const Result<Address> here = path ? own_path() : Result<Address>(settings_.source);
    if (!here) return here.error();
    if (Result<> named = socket->bind(*here); !named) return named;
  }
  if (Result<> connected = socket->connect(to); !connected) return connected;
  Result<Datagram> adopted = Datagram::adopt(loop_, socket->descriptor());
  if (!adopted) return adopted.error();
  static_cast<void>(socket->release());
  speak_with(*std::move(adopted), to);
  tell_event(Event::What::opened);
  if (bound) tell_event(Event::What::bound);
  tell_event(Event::What::connected);
  return {};
}

void DatagramConversation::announce() const {
  if (settings_.repeat != 0) return;  // a line for each follows when it is over
  if (!interactive_ && choices_.size() < 2) return;
  if (choices_.size() > 1) talk_.say(messages::datagrams_to_first, to_, from_, choices_.size());
  else talk_.say(messages::datagrams_to, to_, from_);
  if (interactive_) talk_.say(messages::how_to_end);
}

void DatagramConversation::tell_event(Event::What what, const Error& error) const {
  if (!loop_.observed()) return;
  const SlotFacts facts = socket_.facts();
  Event event;
  event.what = what;
  event.connection = facts.number;
  event.descriptor = facts.descriptor;
  event.time = loop_.now();
  if (what != Event::What::opened) {
    if (Result<Address> local = socket_.local()) event.local = *std::move(local);
    event.peer = peer_;
  }
  event.error = error;
  loop_.emit(event);
}

void DatagramConversation::tell(std::string line) {
  if (prompt_) prompt_->tell(std::move(line));
  else os::print(os::Standard::error, line);
}

// ---- the two directions

Task<> DatagramConversation::both_ways() {
  auto body = [this](Scope& scope) -> Task<> {
    auto sending = [this, &scope] { return send(scope); };
    scope.spawn(sending);
    auto redrawing = [this] { return prompt_->redraw_after_stops(); };
    if (prompt_) scope.spawn(redrawing);
    co_await receive(scope);
  };
  co_await scoped(body);
}

Task<> DatagramConversation::send(Scope& scope) {
  Result<> sent;
  if (settings_.message) sent = co_await as_result(send_message());
  else if (interactive_) sent = co_await as_result(send_lines());
  else if (!input_is_absent()) sent = co_await as_result(send_pipe());
  else co_return;  // there is no input, so it has no end either
  if (!sent && sent.error() == Errc::canceled) co_await std::move(sent);
  if (!sent) failure_ = sent.error();
  if (!sent || is_over()) co_return scope.cancel();
  input_ended_ = true;
  co_await at_end_of_input(scope);
}

bool DatagramConversation::input_is_absent() const noexcept {
  return input_.medium() == Medium::none || (input_.medium() == Medium::null_device && !settings_.on_eof_given);
}

Task<> DatagramConversation::at_end_of_input(Scope& scope) {
  End how = End::answered;
  if (!has_all_it_waits_for()) {
    switch (settings_.on_eof) {
      case OnEof::keep: co_return;
      case OnEof::close: how = End::not_waited; break;
      case OnEof::wait:
        co_await sleep_for(settings_.wait);
        how = End::time_up;
        break;
      case OnEof::half_close: {
        const Time ended = loop_.now();
        for (Time until = ended + quiet_time; loop_.now() < until;) {
          co_await sleep_until(until);
          until = std::max(ended, taking_in_ ? loop_.now() : last_moved_) + quiet_time;
        }
        how = End::quiet;
        break;
      }
    }
  }
  if (taking_in_) {
    end_behind_this_ = how;  // what has come is printed
    co_return;
  }
  end_as(how);
  scope.cancel();
}

// Whether more replies would say nothing new: a check is over when all has come back, and a time is known with the first.
bool DatagramConversation::has_all_it_waits_for() const noexcept {
  if (!input_ended_ || settings_.on_eof == OnEof::keep) return false;
  if (settings_.expect_echo) return sent_.datagrams != 0 && check_.missing() == 0;
  return settings_.repeat != 0 && received_.datagrams != 0;
}

// An empty one is a datagram, too; daytime and time are asked so.
Task<> DatagramConversation::send_message() {
  const std::string_view text = *settings_.message;
  co_await deliver(std::as_bytes(std::span(text.data(), text.size())));
}

Task<> DatagramConversation::send_pipe() {
  for (;;) {
    Result<Chunk> data = co_await as_result(input_.read_some(most_in_datagram));
    if (!data) {
      if (data.error() == Errc::canceled) co_await std::move(data);
      if (data.error() == Errc::closed) co_return;
      talk_.complain(messages::input_failed, message_of(talk_.language(), data.error()));
      end_as(End::input_failed);
      co_return;
    }
    if (data->empty()) co_return;
    co_await deliver(data->bytes());
    if (is_over()) co_return;
  }
}

Task<> DatagramConversation::send_lines() {
  while (Chunk line = co_await prompt_->line()) {
    if (line.size() > most_in_datagram) {
      std::string text = "  " + talk_.text(messages::datagram_too_long, line.size(), most_in_datagram) + '\n';
      co_await print(std::move(text));
      continue;
    }
    const std::uint64_t before = sent_.bytes;
    static_cast<void>(replied_.try_receive());
    co_await deliver(line.bytes());
    if (is_over()) co_return;
    if (!dumped_here_) co_await print("  " + talk_.text(messages::line_sent, sent_.bytes - before) + '\n');
    static_cast<void>(co_await as_result(with_timeout(answer_pause, replied_.receive())));
  }
  co_await print("\n");
}

Task<> DatagramConversation::deliver(std::span<const std::byte> bytes) {
  std::string longer;
  if (settings_.crlf) {
    longer = carriage_returns_.add({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    bytes = std::as_bytes(std::span(longer));
  }
  do {
    const std::span<const std::byte> front = bytes.first(std::min(bytes.size(), most_in_datagram));
    bytes = bytes.subspan(front.size());
    co_await deliver_one(front);
  } while (!bytes.empty() && !is_over());
}

Task<> DatagramConversation::deliver_one(std::span<const std::byte> bytes) {
  if (settings_.expect_echo && !check_.sent(bytes)) {
    talk_.complain(messages::echo_too_far_behind, EchoCheck::longest_debt);
    end_as(End::check_failed);
    co_return;
  }
  if (settings_.hexdump) co_await dump(HexDump::Way::out, bytes);
  if (!first_sent_) first_sent_ = loop_.now();
  co_await socket_.send_to(bytes, peer_);
  ++sent_.datagrams;
  sent_.bytes += bytes.size();
  last_moved_ = loop_.now();
}

Task<> DatagramConversation::receive(Scope& scope) {
  while (!is_over()) {
    Result<Received> reply = co_await as_result(next_reply());
    if (!reply) {
      if (reply.error() == Errc::canceled) co_await std::move(reply);
      if (reply.error() == Errc::timed_out) end_as(End::idle);
      else failure_ = reply.error();
      break;
    }
    ++received_.datagrams;
    received_.bytes += reply->data.size();
    last_moved_ = loop_.now();
    if (!first_received_) first_received_ = last_moved_;
    if (reply->truncated) {
      talk_.complain(messages::reply_cut_off, received_.datagrams, reply->data.size());
      end_as(End::cut_off);
    }
    taking_in_ = true;
    co_await take_in(std::move(reply->data));
    taking_in_ = false;
    last_moved_ = loop_.now();
    if (has_all_it_waits_for()) end_as(End::answered);
    end_as(end_behind_this_);
  }
  scope.cancel();
}

Task<Received> DatagramConversation::next_reply() {
  for (;;) {
    const Time patience = settings_.idle == Duration::zero() ? never : last_moved_ + settings_.idle;
    Result<Received> reply = co_await as_result(with_deadline(patience, socket_.receive()));
    if (reply || reply.error() != Errc::timed_out || loop_.now() >= last_moved_ + settings_.idle)
      co_return co_await std::move(reply);
  }
}

Task<> DatagramConversation::take_in(Chunk data) {
  const bool fits = !settings_.expect_echo || check_.received(data.bytes());
  Result<> printed;
  if (interactive_) {
    std::string text;
    if (dumped_here_) {
      text = dumped(HexDump::Way::in, data.bytes());
    } else {
      text = escaped_ ? escaped(data) : std::string(data.text());
      if (!text.empty() && !text.ends_with('\n')) text += '\n';
      text += "  " + talk_.text(messages::piece_received, data.size()) + '\n';
    }
    printed = co_await as_result(print(prompt_->around(std::move(text))));
    static_cast<void>(replied_.try_send(true));
  } else {
    if (settings_.hexdump) co_await dump(HexDump::Way::in, data.bytes());
    if (!dumped_here_ && fits && escaped_) printed = co_await as_result(print(escaped(data)));
    else if (!dumped_here_ && fits && !data.empty()) printed = co_await as_result(output_.write(data.bytes()));
  }
  if (!printed && printed.error() == Errc::canceled) co_await std::move(printed);
  if (!fits) {
    const std::uint64_t size = data.size();
    const std::optional<std::size_t> offset = check_.difference();
    if (offset) talk_.complain(messages::datagram_differs, received_.datagrams, size, *offset);
    else talk_.complain(messages::datagram_unasked, received_.datagrams, size);
    end_as(End::check_failed);
  } else if (!printed) {
    end_as(printed.error() == Errc::broken_pipe ? End::reader_gone : End::output_failed);
    if (end_ == End::output_failed)
      talk_.complain(messages::output_failed, message_of(talk_.language(), printed.error()));
  }
}

// A datagram is whole by itself: what is left of a character at its end has no other half.
std::string DatagramConversation::escaped(const Chunk& data) {
  std::string text = escaper_.escape(data.text());
  text += escaper_.finish();
  return text;
}

Task<> DatagramConversation::end_last_line() {
  if (!escaped_ || dumped_here_ || interactive_ || escaper_.at_line_start()) co_return;
  co_await print("\n");
}

Task<> DatagramConversation::print(std::string text) {
  if (!text.empty()) co_await output_.write(std::string_view(text));
}

// A datagram is whole by itself, so the offsets of each begin at 0.
std::string DatagramConversation::dumped(HexDump::Way way, std::span<const std::byte> data) const {
  HexDump dump(talk_);
  return dump.bytes(way, data, loop_.now() - begin_);
}

// To standard error where standard output is the payload's. A dump that nobody reads stops nothing.
Task<> DatagramConversation::dump(HexDump::Way way, std::span<const std::byte> data) {
  std::string lines = dumped(way, data);
  if (dumped_here_) co_return co_await print(std::move(lines));
  Result<> written = co_await as_result(errors_.write(std::string_view(lines)));
  if (!written && written.error() == Errc::canceled) co_await std::move(written);
}

// ---- the end

Status DatagramConversation::verdict(const Result<>& result) {
  if (!result && result.error() != Errc::canceled) failure_ = result.error();
  const bool quietly =
      settings_.view.events || settings_.repeat != 0;  // every line is for programs, or a row of a series
  const std::string told = account(how_it_ended());
  if (failure_) {
    tell_event(Event::What::failed, failure_);
    if (failure_ == Errc::connection_refused && peer_.family() != Family::local)
      talk_.complain(messages::datagrams_refused, to_);
    else talk_.complain(failure_.during("send to", to_));
    if (choices_.size() > 1) {
      std::string others;
      for (const Address& other : choices_)
        if (other != peer_) others += (others.empty() ? "" : ", ") + other.to_string();
      talk_.advise(talk_.text(messages::datagrams_to_others, others));
    }
    if (!quietly) talk_.advise(told);
    return Status::network;
  }
  if (!result) {
    talk_.complain(std::string_view(account(talk_.text(messages::you_interrupted))));
    return Status::interrupted;
  }
  switch (end_) {
    case End::check_failed: return Status::check_failed;
    case End::reader_gone: return Status::ok;
    case End::input_failed:
    case End::cut_off:
    case End::output_failed: return Status::cut_short;
    default: break;
  }
  if (settings_.expect_echo && check_.missing() != 0) {
    talk_.complain(messages::datagrams_missing, sent_.datagrams, check_.missing());
    if (!quietly) talk_.advise(told);
    return Status::check_failed;
  }
  if (end_ == End::idle) {
    talk_.complain(std::string_view(told));
    return Status::cut_short;
  }
  if (!quietly) talk_.say_line(told);
  return Status::ok;
}

std::string DatagramConversation::how_it_ended() const {
  switch (end_) {
    case End::quiet: return talk_.text(messages::no_more_replies, quiet_time.count());
    case End::time_up: return talk_.text(messages::waited_for_replies, seconds(settings_.wait.count()));
    case End::not_waited: return std::string(talk_.text(messages::replies_not_awaited));
    case End::answered: return std::string(talk_.text(messages::all_came_back));
    case End::idle: return std::string(talk_.text(messages::peer_silent));
    default: return std::string(talk_.text(messages::not_acknowledged));
  }
}

std::string DatagramConversation::account(std::string_view how) const {
  return talk_.text(messages::datagram_account, sent_.datagrams, sent_.bytes, received_.datagrams, received_.bytes,
                    how);
}

}  // namespace meari::command
