// The library speaks English: what an Error says, why a backend was refused, why a server pauses. Here it learns the
// other languages. The table is looked up by the English words; tests/command/test_catalogue.py reads the library's sources
// and fails when one of its sentences is not in the table.
#pragma once

#include <string>
#include <string_view>

#include <meari/error.hpp>

#include "language.hpp"

namespace meari::command {

// A sentence of the library; as it is when it has no translation.
[[nodiscard]] std::string_view translated(Language language, std::string_view english) noexcept;
// Why a server pauses: such a sentence, or the message of an Error.
[[nodiscard]] std::string translated_reason(Language language, std::string_view english);
// Error::message() and Error::advice(). Not quoted.
[[nodiscard]] std::string message_of(Language language, const Error& error);
[[nodiscard]] std::string_view advice_for(Language language, const Error& error) noexcept;

}  // namespace meari::command
