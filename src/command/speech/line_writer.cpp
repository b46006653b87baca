#include "line_writer.hpp"

#include <chrono>
#include <optional>
#include <utility>

#include <meari/deadline.hpp>
#include <meari/standard.hpp>

#include "messages.hpp"

namespace meari::command {

void LineWriter::add(std::string line) {
  if (!lines_.try_send(std::move(line))) ++lost_;
}

Task<> LineWriter::run() {
  constexpr Descriptor standard_error = 2;
  constexpr std::size_t batch_bytes = std::size_t{64} << 10;
  Sink sink = Sink::of(standard_error);
  while (std::optional<std::string> line = co_await lines_.receive()) {
    std::string batch = *std::move(line);
    while (batch.size() < batch_bytes) {
      std::optional<std::string> more = lines_.try_receive();
      if (!more) break;
      batch += *more;
    }
    if (lost_ != 0) batch += talk_->text(messages::lines_lost, std::exchange(lost_, 0)) + '\n';
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
