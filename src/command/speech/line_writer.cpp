#include "line_writer.hpp"

#include <chrono>
#include <optional>
#include <utility>

#include <meari/deadline.hpp>
#include <meari/standard.hpp>

#include "messages.hpp"
#include "src/os/blocking_io.hpp"

namespace meari::command {

void LineWriter::add(std::string line) {
  if (!lines_.try_send(Entry{.text = std::move(line)})) ++lost_;
}

Task<> LineWriter::dump(std::string lines) {
  co_await dumps_.send(true);
  Entry entry{.text = std::move(lines), .is_dump = true};
  const Result<> sent = co_await as_result(lines_.send(std::move(entry)));
  if (sent) co_return;
  static_cast<void>(dumps_.try_receive());
  co_await Result<>(sent.error());
}

void LineWriter::write_down(Entry entry, std::string& batch) {
  batch += entry.text;
  if (entry.is_dump) static_cast<void>(dumps_.try_receive());
}

Task<> LineWriter::run() {
  constexpr std::size_t batch_bytes = std::size_t{64} << 10;
  Sink sink = Sink::of(os::standard_descriptor(os::Standard::error));
  while (std::optional<Entry> entry = co_await lines_.receive()) {
    std::string batch;
    write_down(*std::move(entry), batch);
    while (batch.size() < batch_bytes) {
      std::optional<Entry> more = lines_.try_receive();
      if (!more) break;
      write_down(*std::move(more), batch);
    }
    if (const std::uint64_t lost = lost_.exchange(0); lost != 0)
      batch += talk_->text(messages::lines_lost, lost) + '\n';
    // Nobody reads any more: then nobody wants to know.
    static_cast<void>(co_await as_result(sink.write(std::string_view(batch))));
  }
  static_cast<void>(finished_.try_send(true));
}

Task<> LineWriter::finish() {
  lines_.close();
  static_cast<void>(co_await as_result(with_timeout(std::chrono::seconds(1), finished_.receive())));
}

}  // namespace meari::command
