// From the words on the command line to a verb, its flags and its operands: Typed. What was typed is kept apart from what
// it means, which is in options.hpp.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "flags.hpp"
#include "src/command/speech/language.hpp"

namespace meari::command {

struct Typed {
  Language language = Language::en;
  std::optional<Verb> verb;
  std::map<Flag, std::string> values;  // a flag without a value: ""
  std::vector<std::string> operands;
  std::vector<std::string> program;  // of `serve exec`: what stands behind --

  [[nodiscard]] bool has(Flag flag) const { return values.contains(flag); }
  [[nodiscard]] const std::string* value(Flag flag) const {
    const auto found = values.find(flag);
    return found == values.end() ? nullptr : &found->second;
  }
};

// Why it makes no sense, and what to do about it. In the user's language, not quoted.
struct Refused {
  std::string sentence;
  std::vector<std::string> hints;
};

// The language that --lang names, else that of the environment: complaints need it before anything has been understood.
[[nodiscard]] Language language_of(int argc, const char* const* argv) noexcept;
[[nodiscard]] std::variant<Typed, Refused> parse(int argc, const char* const* argv, Language language);

// The name that somebody may have meant; nothing when none is near.
[[nodiscard]] std::string_view nearest(std::string_view typed, const std::vector<std::string_view>& names);
// "did you mean --drain?" and where to read more.
[[nodiscard]] std::vector<std::string> hints(Language language, std::string_view meant, std::optional<Verb> verb);

}  // namespace meari::command
