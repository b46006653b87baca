// Text: a sentence in every language that the command speaks. Message: the same with something to fill in.
//
//   inline constexpr Message<std::string_view> connected{"connected to {}", "{}에 연결했습니다"};
//   std::string line = connected.in(Language::ko, "127.0.0.1:9000");
//
// Both are checked while this is compiled: every language is there, Korean is Korean, and each language names every
// argument, in a way that fits its type. A sentence without its translation does not build.
//
// Korean: 합니다 style. An argument is followed by a word that looks the same whatever the argument ends with: 에, 에서,
// 의, 까지, a colon; never by 은/는, 이/가, 을/를, 과/와 or (으)로.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace meari::command {

enum class Language : std::uint8_t { en, ko };

// "ko", "en". Also what LC_ALL holds: "ko_KR.UTF-8". Nothing for other languages.
[[nodiscard]] std::optional<Language> language_named(std::string_view name) noexcept;
// The first of LC_ALL, LC_MESSAGES and LANG that is set decides. What is not known is English.
[[nodiscard]] Language language_of_environment() noexcept;

namespace check {

consteval bool has_hangul(std::string_view text) {
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    if (byte >= 0xEA && byte <= 0xED) return true;  // U+A000 to U+DFFF: the syllables, near enough
  }
  return false;
}

consteval void languages(std::string_view en, std::string_view ko) {
  if (en.empty() || ko.empty()) throw "a language is missing";
  if (has_hangul(en)) throw "English with Hangul in it: are the languages in their order?";
  if (!has_hangul(ko)) throw "Korean without Hangul: is it translated?";
}

// fmt allows an argument that nobody names; here that is a sentence that forgets what it was to tell.
consteval bool names_all(std::string_view text, std::size_t arguments) {
  std::size_t next = 0;
  std::uint64_t named = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '{') continue;
    if (i + 1 < text.size() && text[i + 1] == '{') {
      ++i;
      continue;
    }
    std::size_t number = 0;
    bool numbered = false;
    while (i + 1 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '9') {
      number = number * 10 + static_cast<std::size_t>(text[++i] - '0');
      numbered = true;
    }
    named |= std::uint64_t{1} << (numbered ? number : next++);
  }
  return named == (std::uint64_t{1} << arguments) - 1;
}

}  // namespace check

class Text {
 public:
  consteval Text(std::string_view english, std::string_view korean) : en_(english), ko_(korean) {
    check::languages(english, korean);
  }
  [[nodiscard]] constexpr std::string_view in(Language language) const noexcept {
    return language == Language::ko ? ko_ : en_;
  }

 private:
  std::string_view en_;
  std::string_view ko_;
};

template <class... Args>
class Message {
 public:
  template <std::size_t N, std::size_t M>
  consteval Message(const char (&english)[N], const char (&korean)[M]) : en_(english), ko_(korean) {
    check::languages(std::string_view(english, N - 1), std::string_view(korean, M - 1));
    if (!check::names_all(std::string_view(english, N - 1), sizeof...(Args))) throw "English forgets an argument";
    if (!check::names_all(std::string_view(korean, M - 1), sizeof...(Args))) throw "Korean forgets an argument";
  }
  [[nodiscard]] std::string in(Language language, const Args&... args) const {
    const fmt::string_view format = language == Language::ko ? ko_ : en_;
    return fmt::vformat(format, fmt::make_format_args(args...));
  }

 private:
  fmt::format_string<Args...> en_;  // whose constructor checks the text against the types
  fmt::format_string<Args...> ko_;
};

}  // namespace meari::command
