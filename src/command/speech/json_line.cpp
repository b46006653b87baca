#include "json_line.hpp"

#include <chrono>

#include <fmt/chrono.h>

namespace meari::command {

Json json_event(std::string_view name) {
  const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto milliseconds = now.time_since_epoch().count() % 1000;
  Json object;
  object["time"] = fmt::format("{:%FT%T}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(now)), milliseconds);
  object["event"] = name;
  return object;
}

void write_json(const Talk& talk, const Json& object) {
  talk.whole_line(object.dump(-1, ' ', true, Json::error_handler_t::replace));
}

}  // namespace meari::command
