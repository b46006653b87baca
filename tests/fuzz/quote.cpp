// quote() prints anything on one line, shows nothing that a terminal would obey, and the bytes can be told from it again.
#include <meari/quote.hpp>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace meari;

namespace {
void need(bool right) {
  if (!right) std::abort();
}

int digit(char hex) { return hex >= 'a' ? hex - 'a' + 10 : hex - '0'; }

std::string decoded(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes += text[i];
      continue;
    }
    need(++i < text.size());
    switch (text[i]) {
      case 'n': bytes += '\n'; break;
      case 'r': bytes += '\r'; break;
      case 't': bytes += '\t'; break;
      case '\\':
      case '"': bytes += text[i]; break;
      default:
        need(text[i] == 'x' && i + 2 < text.size());
        bytes += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
        i += 2;
    }
  }
  return bytes;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string plain = quote(bytes);
  need(decoded(plain) == bytes);
  for (const char character : plain) need(static_cast<unsigned char>(character) >= 0x20 && character != 0x7f);
  for (std::size_t i = 0; i + 1 < plain.size(); ++i)  // U+0080 to U+009F: controls of two bytes
    need(plain[i] != '\xc2' || static_cast<unsigned char>(plain[i + 1]) >= 0xa0);
  need(quote(plain, {.keep_quotes = true}).size() >= plain.size());
  need(decoded(quote(bytes, {.keep_newlines = true})) == bytes);
  need(decoded(quote(bytes, {.keep_quotes = true})) == bytes);
  if (size != 0) {
    const std::string cut = quote(bytes, {.max_bytes = data[0]});
    const std::string_view ellipsis = "…";
    if (size <= data[0]) need(cut == plain);
    else need(cut.ends_with(ellipsis) && bytes.starts_with(decoded(cut.substr(0, cut.size() - ellipsis.size()))));
  }
  return 0;
}
