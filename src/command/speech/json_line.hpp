// A JSON object on a line of its own, as --log json and --events json write them.
#pragma once

#include <string_view>

#include <nlohmann/json.hpp>

#include "talk.hpp"

namespace meari::command {

using Json = nlohmann::ordered_json;

// {"time":"2026-01-31T12:00:00.000Z","event":NAME}
[[nodiscard]] Json json_event(std::string_view name);
// ASCII only, and bytes that are no UTF-8 replaced: quote() has nothing to change in it but what JSON escapes itself.
void write_json(const Talk& talk, const Json& object);

}  // namespace meari::command
