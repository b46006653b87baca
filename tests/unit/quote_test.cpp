// Shows which bytes are printed as they are, and that every other byte can be told from what is printed.
#include <meari/quote.hpp>

#include <gtest/gtest.h>

#include <string>

namespace meari {
namespace {

// The bytes that a quoted text stands for.
std::string unquoted(const std::string& text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes += text[i];
      continue;
    }
    switch (text.at(++i)) {
      case 'n': bytes += '\n'; break;
      case 'r': bytes += '\r'; break;
      case 't': bytes += '\t'; break;
      case 'x':
        bytes += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
        i += 2;
        break;
      default: bytes += text[i];
    }
  }
  return bytes;
}

TEST(Quote, text_stays_as_it_is) {
  EXPECT_EQ(quote("hello, world!"), "hello, world!");
  EXPECT_EQ(quote("메아리 é ß 日本 🙂"), "메아리 é ß 日本 🙂");
  EXPECT_EQ(quote(""), "");
}

TEST(Quote, usual_controls_have_short_forms) { EXPECT_EQ(quote("a\n\r\t\\\"z"), "a\\n\\r\\t\\\\\\\"z"); }

TEST(Quote, each_of_the_256_bytes_is_one_printable_line_and_can_be_told) {
  for (int value = 0; value < 256; ++value) {
    const std::string byte(1, static_cast<char>(value));
    const std::string shown = quote(byte);
    for (const char c : shown) EXPECT_TRUE(c >= 0x20 && c < 0x7F) << value;
    EXPECT_EQ(unquoted(shown), byte) << value;
    EXPECT_EQ(unquoted(quote("a" + byte + "b")), "a" + byte + "b") << value;
  }
}

TEST(Quote, pairs_of_any_bytes_can_be_told) {
  for (int first = 0; first < 256; ++first)
    for (int second = 0; second < 256; ++second) {
      const std::string bytes{static_cast<char>(first), static_cast<char>(second)};
      ASSERT_EQ(unquoted(quote(bytes)), bytes) << first << ' ' << second;
    }
}

TEST(Quote, a_terminal_never_sees_an_escape_sequence) {
  EXPECT_EQ(quote("\x1b[2J"), "\\x1b[2J");
  EXPECT_EQ(quote("\xc2\x9b"
                  "2J"),
            "\\xc2\\x9b2J");  // C1: the same in one character
  EXPECT_EQ(quote("\x7f"), "\\x7f");
}

TEST(Quote, malformed_utf8_is_escaped_byte_for_byte) {
  EXPECT_EQ(quote("\xc0\xaf"), "\\xc0\\xaf");                    // overlong '/'
  EXPECT_EQ(quote("\xe0\x80\xaf"), "\\xe0\\x80\\xaf");           // overlong, three bytes
  EXPECT_EQ(quote("\xf0\x80\x80\xaf"), "\\xf0\\x80\\x80\\xaf");  // overlong, four bytes
  EXPECT_EQ(quote("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // a surrogate
  EXPECT_EQ(quote("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // past U+10FFFF
  EXPECT_EQ(quote("\xeb\xa9"), "\\xeb\\xa9");                    // cut short
  EXPECT_EQ(quote("\xeb\xa9"
                  "a"),
            "\\xeb\\xa9"
            "a");                     // cut short, then text
  EXPECT_EQ(quote("\x80"), "\\x80");  // a continuation alone
}

TEST(Quote, marks_that_nobody_sees_or_that_turn_the_text_are_escaped) {
  for (const char* hidden : {"\u00AD", "\u061C", "\u200B", "\u200D", "\u200F", "\u2028", "\u2029", "\u202A", "\u202E",
                             "\u2060", "\u2066", "\u2069", "\u3164", "\uFEFF", "\uFFF9", "\uFFFE", "\U000E0041"}) {
    const std::string shown = quote(hidden);
    EXPECT_TRUE(shown.starts_with("\\x")) << shown;
    EXPECT_EQ(unquoted(shown), hidden);
  }
}

TEST(Quote, a_limit_cuts_between_characters_and_says_so) {
  EXPECT_EQ(quote("hello", {.max_bytes = 5}), "hello");
  EXPECT_EQ(quote("hello", {.max_bytes = 4}), "hell…");
  EXPECT_EQ(quote("메아리", {.max_bytes = 4}), "메…");
  EXPECT_EQ(quote("메아리", {.max_bytes = 0}), "…");
}

TEST(Quote, new_lines_and_quotation_marks_stay_on_request) {
  EXPECT_EQ(quote("a\nb\r\n", {.keep_newlines = true}), "a\nb\\r\n");
  EXPECT_EQ(quote("say \"no\"", {.keep_quotes = true}), "say \"no\"");
}

}  // namespace
}  // namespace meari
