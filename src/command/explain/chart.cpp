#include "chart.hpp"

#include <chrono>

#include <meari/quote.hpp>

#include "src/command/speech/columns.hpp"
#include "src/command/speech/library_text.hpp"
#include "src/command/speech/messages.hpp"

namespace meari::command {
namespace {

constexpr std::size_t most_payload = 32;  // bytes that are shown
constexpr std::size_t call_columns = 11;
constexpr std::size_t descriptor_columns = 6;
constexpr std::size_t detail_columns = 34;

// ① to ㊿, then plain numbers.
std::string numbered(std::uint32_t step) {
  const auto utf8 = [](std::uint32_t letter) {
    return std::string{static_cast<char>(0xE0 | letter >> 12), static_cast<char>(0x80 | (letter >> 6 & 0x3F)),
                       static_cast<char>(0x80 | (letter & 0x3F))};
  };
  if (step <= 20) return utf8(0x2460 + step - 1) + ' ';
  if (step <= 35) return utf8(0x3251 + step - 21) + ' ';
  if (step <= 50) return utf8(0x32B1 + step - 36) + ' ';
  return std::to_string(step) + ' ';
}

std::string text_of(std::span<const std::byte> payload) {
  return quote({reinterpret_cast<const char*>(payload.data()), payload.size()}, {.max_bytes = most_payload});
}

}  // namespace

void Chart::tell(const Step& step) {
  const Line line = step.wait == Step::Wait::none ? line_of(step) : waits(step);
  if (line.call.empty()) return;
  const std::string descriptor =
      step.event.descriptor == no_descriptor ? "" : "fd " + std::to_string(step.event.descriptor);
  std::string text = numbered(++step_);
  text += styled("1", padded(std::string(line.call), call_columns)) + ' ';
  text += padded(descriptor, descriptor_columns) + ' ' + padded(line.detail, detail_columns);
  if (!line.text.empty()) text += "  " + styled(line.alarming ? "33" : "", line.text);
  if (line.with_state && !step.tcp.empty()) text += ' ' + styled("36", '(' + std::string(step.tcp) + ')');
  while (text.ends_with(' ')) text.pop_back();
  talk_.whole_line(std::move(text));
}

std::string Chart::styled(std::string_view style, std::string text) const {
  if (!colour_ || style.empty()) return text;
  return "\x1b[" + std::string(style) + 'm' + std::move(text) + "\x1b[0m";
}

Chart::Line Chart::line_of(const Step& step) const {
  const Event& event = step.event;
  const auto words = [this](const Text& text) { return std::string(talk_.text(text)); };
  switch (event.what) {
    case Event::What::opened: return {"socket()", "", words(messages::chart_socket)};
    case Event::What::bound: return {"bind()", quote(event.local.to_string()), words(messages::chart_bind)};
    case Event::What::listening: {
      Line line{"listen()", "", words(messages::chart_listen)};
      if (step.queue >= 0) line.detail = talk_.text(messages::chart_queue, step.queue, step.queue_limit);
      line.with_state = true;
      return line;
    }
    case Event::What::connecting:
      return {"connect()", "→ " + quote(event.peer.to_string()), words(messages::chart_connecting), false, true};
    case Event::What::connected: {
      Line line{"connect()", "→ " + quote(event.peer.to_string()), words(messages::chart_connected_path)};
      if (step.track.datagrams) line.text = words(messages::chart_connected_datagrams);
      if (step.track.datagrams) return line;
      if (event.local.family() == Family::ipv4 || event.local.family() == Family::ipv6)
        line.text = talk_.text(step.track.port_given ? messages::chart_connected_from : messages::chart_connected,
                               event.local.port());
      line.with_state = true;
      return line;
    }
    case Event::What::accepted: {
      Line line{"accept()", "← " + quote(event.peer.to_string()), talk_.text(messages::chart_accepted, step.on_port)};
      if (step.queue > 0) line.text = talk_.text(messages::chart_in_queue, line.text, step.queue);
      line.with_state = true;
      return line;
    }
    case Event::What::received:
    case Event::What::sent: return moved(step);
    case Event::What::peer_finished:
      return {"recv()", talk_.text(messages::chart_count, 0),
              words(step.track.peer_was_first ? messages::chart_peer_finished : messages::chart_peer_finished_too),
              false, true};
    case Event::What::finished:
      return {"shutdown()", "",
              words(step.track.peer_was_first ? messages::chart_finished_too : messages::chart_finished), false, true};
    case Event::What::failed: {
      Line line{"", "", quote(message_of(talk_.language(), event.error)), true};
      const std::string_view operation = event.error.operation();
      line.call = operation.starts_with("connect") ? "connect()"
                  : operation == "read"            ? "recv()"
                  : operation == "write"           ? "send()"
                  : operation == "receive"         ? "recvfrom()"
                  : operation == "send to"         ? "sendto()"
                                                   : "—";
      if (event.error.peer_is_gone()) line.text += ": " + words(messages::chart_reset);
      else if (const std::string_view advice = advice_for(talk_.language(), event.error); !advice.empty())
        line.text += ". " + std::string(advice);
      return line;
    }
    case Event::What::closed: return closed(step);
    case Event::What::refused: return {"close()", quote(event.peer.to_string()), words(messages::chart_refused), true};
    case Event::What::paused:
    case Event::What::resumed:
    case Event::What::drained: break;  // the log has a line for them
  }
  return {};
}

Chart::Line Chart::moved(const Step& step) const {
  const Event& event = step.event;
  const bool out = event.what == Event::What::sent;
  std::string detail = out ? talk_.text(messages::chart_count, event.count)
                           : talk_.text(messages::chart_bytes, event.count, text_of(event.payload));
  if (!step.track.datagrams) return {out ? "send()" : "recv()", std::move(detail), ""};
  return {out ? "sendto()" : "recvfrom()", std::move(detail),
          std::string(talk_.text(out ? messages::chart_datagram_sent : messages::chart_datagram_received))};
}

Chart::Line Chart::closed(const Step& step) const {
  const Track& track = step.track;
  Line line{"close()", "", ""};
  const auto says = [&](const Text& text) {
    line.text = talk_.text(text);
    return line;
  };
  if (track.listens) return says(messages::chart_listener_closed);
  line.detail =
      talk_.text(messages::chart_totals, track.received, track.sent, seconds((step.event.time - track.opened).count()));
  if (track.datagrams) return says(messages::chart_datagrams_closed);
  if (step.event.note == "reset") return says(messages::chart_closed_reset);
  if (track.attempts) return says(messages::chart_attempt_over);
  if (step.event.peer.family() == Family::local) return says(messages::chart_closed_path);
  if (!track.peer_finished) return says(messages::chart_closed_first);
  if (!track.peer_was_first) return says(messages::chart_closed_time_wait);
  return says(track.we_finished ? messages::chart_closed_last : messages::chart_closed_last_ack);
}

Chart::Line Chart::waits(const Step& step) const {
  switch (step.wait) {
    case Step::Wait::none: break;
    case Step::Wait::sending:
      return {"… send()", "", talk_.text(messages::chart_waits_to_send, step.event.count), true};
    case Step::Wait::reading:
      return {"… recv()", "", talk_.text(messages::chart_waits_to_read, step.event.count), true};
    case Step::Wait::accept:
      return {"… accept()", talk_.text(messages::chart_queue, step.queue, step.queue_limit),
              talk_.text(messages::chart_waits_for_accept, step.event.count), true};
  }
  return {};
}

}  // namespace meari::command
