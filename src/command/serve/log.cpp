#include "log.hpp"

#include <chrono>

#include "src/command/speech/json_line.hpp"
#include "src/command/speech/library_text.hpp"
#include "src/command/speech/messages.hpp"

namespace meari::command {
namespace {

double as_seconds(Duration duration) {
  return static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) / 1000.0;
}

// Which of the server's own limits of time it was; what a handler gave up by itself says so in its Error.
std::string limit_of_time(const Talk& talk, const SessionEnd& end, const Timeouts& timeouts) {
  const std::string_view operation = end.error.operation();
  if (operation.starts_with("read") && timeouts.idle > Duration::zero() && end.lasted >= timeouts.idle)
    return talk.text(messages::end_idle, fmt::format("{}", as_seconds(timeouts.idle)));
  if (operation.starts_with("write") && timeouts.stall > Duration::zero() && end.lasted >= timeouts.stall)
    return talk.text(messages::end_stalled, fmt::format("{}", as_seconds(timeouts.stall)));
  return {};
}

std::string how_it_ended(const Talk& talk, const SessionEnd& end, const Timeouts& timeouts) {
  const auto with_reason = [&](const Text& words) {
    std::string text(talk.text(words));
    if (end.error) text += ' ' + talk.text(messages::end_because, message_of(talk.language(), end.error));
    return text;
  };
  switch (end.how) {
    case SessionEnd::How::finished: return std::string(talk.text(messages::end_finished));
    case SessionEnd::How::peer_gone: return with_reason(messages::end_peer_gone);
    case SessionEnd::How::timed_out: {
      const std::string limit = limit_of_time(talk, end, timeouts);
      return limit.empty() ? with_reason(messages::end_timed_out) : limit;
    }
    case SessionEnd::How::too_slow: return std::string(talk.text(messages::end_too_slow));
    case SessionEnd::How::drained: return std::string(talk.text(messages::end_drained));
    case SessionEnd::How::cut_off: return std::string(talk.text(messages::end_cut_off));
    case SessionEnd::How::failed: break;
  }
  return talk.text(messages::end_failed,
                   end.exception.empty() ? message_of(talk.language(), end.error) : end.exception);
}

}  // namespace

std::string shown(const Talk& talk, const Address& address, Kind kind) {
  const std::string_view front = kind == Kind::datagram ? "udp:" : "";
  if (address.family() != Family::local || !address.path().empty()) return std::string(front) + address.to_string();
  return std::string(front) + std::string(talk.text(messages::unnamed));
}

void Log::listening(std::string_view handler, const std::vector<std::string>& addresses,
                    std::string_view backend) const {
  if (json_) {
    Json object = json_event("listening");
    object["handler"] = handler;
    object["addresses"] = addresses;
    object["backend"] = backend;
    return write_json(talk_, object);
  }
  std::string list;
  for (const std::string& address : addresses) list += (list.empty() ? "" : ", ") + address;
  talk_.line(talk_.text(messages::listening, handler, list));
}

void Log::backend_refused(std::string_view reason) const {
  if (!json_) return talk_.say_line(translated(talk_.language(), reason));
  Json object = json_event("backend_refused");
  object["reason"] = reason;
  write_json(talk_, object);
}

void Log::open_to_all(const Address& address) const {
  if (!json_) return talk_.say(messages::wildcard, address.to_string());
  Json object = json_event("open_to_all");
  object["address"] = address.to_string();
  write_json(talk_, object);
}

void Log::started(std::uint64_t number, const Session& session) const {
  if (charted_ && !json_) return;
  if (!json_) return talk_.say(messages::connected_from, number, shown(talk_, session.source()));
  Json object = json_event("session_start");
  object["session"] = number;
  object["peer"] = session.source().to_string();
  write_json(talk_, object);
}

void Log::ended(std::uint64_t number, const Session& session, const SessionEnd& end, const Timeouts& timeouts) const {
  if (charted_ && !json_) return;
  if (!json_)
    return talk_.say(messages::session_over, number, shown(talk_, session.source()), end.bytes_received, end.bytes_sent,
                     seconds(end.lasted.count()), how_it_ended(talk_, end, timeouts));
  Json object = json_event("session_end");
  object["session"] = number;
  object["peer"] = session.source().to_string();
  object["received"] = end.bytes_received;
  object["sent"] = end.bytes_sent;
  object["seconds"] = as_seconds(end.lasted);
  object["how"] = name(end.how);
  if (end.error) object["error"] = end.error.message();
  if (!end.exception.empty()) object["error"] = end.exception;
  write_json(talk_, object);
}

void Log::turned_away(const Address& source, const Text& reason, std::uint64_t others) const {
  if (!json_) {
    const std::string_view why = talk_.text(reason);
    if (others == 0) talk_.say(messages::turned_away, shown(talk_, source), why);
    else talk_.say(messages::turned_away_with_others, shown(talk_, source), why, others);
    return;
  }
  Json object = json_event("turned_away");
  object["peer"] = source.to_string();
  object["reason"] = reason.in(Language::en);
  object["others"] = others;
  write_json(talk_, object);
}

void Log::source_full(std::string_view source, std::uint64_t limit, std::uint64_t others) const {
  if (!json_) {
    if (others == 0) talk_.say(messages::source_full, source, limit);
    else talk_.say(messages::source_full_with_others, source, limit, others);
    return;
  }
  Json object = json_event("source_full");
  object["source"] = source;
  object["limit"] = limit;
  object["others"] = others;
  write_json(talk_, object);
}

void Log::slowed_down(std::uint64_t session, HexDump::Way way, std::uint64_t bytes_per_second) const {
  const bool in = way == HexDump::Way::in;
  if (!json_) return talk_.say(in ? messages::slowed_in : messages::slowed_out, session, bytes_per_second);
  Json object = json_event("slowed_down");
  object["session"] = session;
  object["direction"] = in ? "received" : "sent";
  object["limit"] = bytes_per_second;
  write_json(talk_, object);
}

void Log::lists_read(const Result<>& result) const {
  if (!json_) {
    if (result) talk_.say(messages::lists_read);
    else talk_.complain(messages::lists_kept, message_of(talk_.language(), result.error()));
    return;
  }
  Json object = json_event(result ? "lists_read" : "lists_kept");
  if (!result) object["error"] = result.error().message();
  write_json(talk_, object);
}

void Log::paused(std::string_view reason) const {
  if (!json_) return talk_.say(messages::paused, translated_reason(talk_.language(), reason));
  Json object = json_event("paused");
  object["reason"] = reason;
  write_json(talk_, object);
}

void Log::resumed(std::uint64_t pauses) const {
  if (!json_) return talk_.say(messages::resumed, pauses);
  Json object = json_event("resumed");
  object["pauses"] = pauses;
  write_json(talk_, object);
}

void Log::datagram_left_alone(const Address& from, const Text& reason) const {
  if (!json_) return talk_.say(messages::not_answered, shown(talk_, from), talk_.text(reason));
  Json object = json_event("datagram_left_alone");
  object["peer"] = from.to_string();
  object["reason"] = reason.in(Language::en);
  write_json(talk_, object);
}

void Log::named(std::uint64_t session, std::string_view name) const {
  if (!json_) return talk_.say(messages::named, session, name);
  Json object = json_event("named");
  object["session"] = session;
  object["name"] = name;
  write_json(talk_, object);
}

void Log::program_said(std::uint64_t session, std::string_view line) const {
  if (!json_) return talk_.say(messages::program_said, session, line);
  Json object = json_event("program_said");
  object["session"] = session;
  object["line"] = line;
  write_json(talk_, object);
}

void Log::program_ended(std::uint64_t session, std::uint32_t status, int signal) const {
  if (status == 0 && signal == 0) return;
  const std::uint64_t number = signal != 0 ? static_cast<std::uint64_t>(signal) : status;
  if (!json_) {
    if (signal != 0) talk_.say(messages::program_killed, session, number);
    else talk_.say(messages::program_returned, session, number);
    return;
  }
  Json object = json_event("program_ended");
  object["session"] = session;
  object[signal != 0 ? "signal" : "status"] = number;
  write_json(talk_, object);
}

void Log::recording(std::uint64_t session, const std::vector<std::string>& files) const {
  if (!json_) return;
  Json object = json_event("recording");
  object["session"] = session;
  object["files"] = files;
  write_json(talk_, object);
}

void Log::recorded_no_further(std::uint64_t session, const Error& error) const {
  if (!json_) return talk_.complain(messages::recorded_no_further, session, message_of(talk_.language(), error));
  Json object = json_event("recorded_no_further");
  object["session"] = session;
  object["error"] = error.message();
  write_json(talk_, object);
}

void Log::input_failed(const Error& error) const {
  if (!json_) return talk_.complain(messages::input_failed, message_of(talk_.language(), error));
  Json object = json_event("input_failed");
  object["error"] = error.message();
  write_json(talk_, object);
}

void Log::output_failed(const Error& error) const {
  if (!json_) return talk_.complain(messages::output_failed, message_of(talk_.language(), error));
  Json object = json_event("output_failed");
  object["error"] = error.message();
  write_json(talk_, object);
}

void Log::stopping(std::size_t sessions, Duration longest) const {
  if (!json_) return talk_.say(messages::stopping, sessions, fmt::format("{}", as_seconds(longest)));
  Json object = json_event("stopping");
  object["sessions"] = sessions;
  object["seconds"] = as_seconds(longest);
  write_json(talk_, object);
}

void Log::stopped(const std::optional<Totals>& counted, const Drained& drained) const {
  const Totals totals = counted.value_or(Totals{});
  if (json_) {
    Json object = json_event("stopped");
    object["sessions"] = totals.sessions;
    object["received"] = totals.received;
    object["sent"] = totals.sent;
    object["finished"] = drained.finished;
    object["idle"] = drained.idle;
    object["cut_off"] = drained.cut_off;
    object["late_bytes"] = drained.dropped_bytes;
    return write_json(talk_, object);
  }
  if (!counted) return talk_.say(messages::stopped_alone);
  talk_.say(messages::stopped, totals.sessions, totals.received, totals.sent);
  if (drained.finished + drained.idle + drained.cut_off + drained.dropped_bytes != 0)
    talk_.say(messages::drained, drained.finished, drained.idle, drained.cut_off, drained.dropped_bytes);
}

void Log::datagrams_over(const Address& local, const DatagramCounts& counts) const {
  const std::string where = "udp:" + local.to_string();
  if (!json_) return talk_.say(messages::datagrams_over, where, counts.received, counts.answered, counts.left_alone);
  Json object = json_event("datagrams");
  object["address"] = where;
  object["received"] = counts.received;
  object["answered"] = counts.answered;
  object["left_alone"] = counts.left_alone;
  write_json(talk_, object);
}

}  // namespace meari::command
