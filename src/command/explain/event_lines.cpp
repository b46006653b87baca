#include "event_lines.hpp"

#include <meari/quote.hpp>

#include "src/command/speech/json_line.hpp"

namespace meari::command {
namespace {

constexpr std::size_t most_quoted = 64;  // bytes

const char* name_of(Step::Wait wait) noexcept {
  switch (wait) {
    case Step::Wait::none: break;
    case Step::Wait::sending: return "send";
    case Step::Wait::reading: return "read";
    case Step::Wait::accept: return "accept";
  }
  return "";
}

bool counts(Event::What what) noexcept { return what == Event::What::received || what == Event::What::sent; }

}  // namespace

void EventLines::tell(const Step& step) const {
  const Event& event = step.event;
  const bool waits = step.wait != Step::Wait::none;
  Json object = json_event(waits ? "waiting" : name(event.what));
  if (event.connection != 0) object["socket"] = event.connection;
  if (event.listener != 0) object["listener"] = event.listener;
  if (event.descriptor != no_descriptor) object["fd"] = event.descriptor;
  if (event.local.family() != Family::unspecified) object["local"] = event.local.to_string();
  if (event.peer.family() != Family::unspecified) object["peer"] = event.peer.to_string();
  if (waits) object["for"] = name_of(step.wait);
  if (step.wait == Step::Wait::accept) object["connections"] = event.count;
  else if (waits || counts(event.what)) object["bytes"] = event.count;
  if (!waits && event.what == Event::What::received) {
    const std::string_view payload(reinterpret_cast<const char*>(event.payload.data()), event.payload.size());
    object["payload"] = quote(payload.substr(0, most_quoted));
    if (payload.size() > most_quoted) object["cut"] = true;
  }
  if (!waits && event.what == Event::What::closed && !step.track.listens) {
    object["received"] = step.track.received;
    object["sent"] = step.track.sent;
    object["peer_finished"] = step.track.peer_finished;
    object["finished"] = step.track.we_finished;
  }
  if (!step.tcp.empty()) object["tcp"] = step.tcp;
  if (step.queue >= 0) {
    object["queue"] = step.queue;
    object["queue_limit"] = step.queue_limit;
  }
  if (event.error) object["error"] = event.error.message();
  if (!event.note.empty()) object["note"] = event.note;
  write_json(talk_, object);
}

}  // namespace meari::command
