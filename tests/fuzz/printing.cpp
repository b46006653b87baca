// What peers sent, on its way to a terminal: as escaped text, as a hex dump, as JSON. However it is cut into pieces, the
// text is the same; nothing that a terminal obeys comes through; JSON is JSON.
#include <algorithm>
#include <string>

#include "need.hpp"
#include "src/command/speech/escaper.hpp"
#include "src/command/speech/hexdump.hpp"
#include "src/command/speech/json_line.hpp"
#include "src/command/speech/library_text.hpp"

using namespace meari;
using namespace meari::command;
using fuzz::need;

namespace {

void need_harmless(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    need(byte == '\n' || (byte >= 0x20 && byte != 0x7F));
    need(byte != 0xC2 || i + 1 == text.size() || static_cast<unsigned char>(text[i + 1]) >= 0xA0);  // C1 controls
  }
}

std::size_t lines_in(std::string_view text) { return static_cast<std::size_t>(std::ranges::count(text, '\n')); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::size_t cut = input.byte(), step = 1 + input.below(7);
  const std::string_view bytes = input.rest();

  Escaper at_once, in_pieces;
  std::string whole = at_once.escape(bytes);
  whole += at_once.finish();
  std::string pieces;
  for (std::size_t from = 0; from < bytes.size(); from += step) pieces += in_pieces.escape(bytes.substr(from, step));
  pieces += in_pieces.finish();
  need(whole == pieces && at_once.at_line_start() == in_pieces.at_line_start());
  need_harmless(whole);

  std::string written;
  Talk talk(cut % 2 == 0 ? Language::en : Language::ko);
  talk.set_writer([&](std::string line) { written += line; });
  HexDump dump(talk);
  const auto as_bytes = std::as_bytes(std::span(bytes.data(), bytes.size()));
  const std::size_t first = std::min(cut, bytes.size());
  std::string dumped = dump.bytes(HexDump::Way::in, as_bytes.first(first), Duration(1));
  dumped += dump.bytes(HexDump::Way::in, as_bytes.subspan(first), Duration(2));
  dumped += dump.end(HexDump::Way::in, Duration(3));
  need_harmless(dumped);

  Json object = json_event("fuzz");
  object["payload"] = std::string(bytes);
  write_json(talk, object);
  need(lines_in(written) == 1);
  need_harmless(written);
  const Json again = Json::parse(written, nullptr, false);
  need(!again.is_discarded() && again["event"] == "fuzz");

  written.clear();
  const Error error(Errc::connection_refused, "connect to", bytes);
  talk.complain(error);
  talk.line(bytes);
  talk.line(translated_reason(talk.language(), bytes));
  need_harmless(written);
  need(lines_in(written) == (*error.advice() == '\0' ? 3 : 4));
  return 0;
}
