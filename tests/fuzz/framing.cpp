// Messages out of a stream: read_until, read_exactly, read_some, unread, with_timeout, in whatever order the input says,
// while the other end writes the bytes in pieces of whatever size. What is read is what was written, in its order, cut as
// asked, and what a failed read had is read again.
#include <algorithm>
#include <functional>
#include <string>

#include <meari/deadline.hpp>
#include <meari/loop.hpp>
#include <meari/scope.hpp>
#include <meari/stream.hpp>

#include "need.hpp"
#include "src/backend/wire.hpp"

using namespace meari;
using fuzz::Input;
using fuzz::need;
using namespace std::chrono_literals;

namespace {

struct Plan {
  std::string_view sizes;  // of the pieces, and of what is read
  std::string_view bytes;
};

Task<> write_all(Stream peer, Plan plan) {
  std::size_t from = 0;
  for (std::size_t i = 0; from < plan.bytes.size(); ++i) {
    const auto size =
        plan.sizes.empty() ? plan.bytes.size() : 1 + static_cast<unsigned char>(plan.sizes[i % plan.sizes.size()]);
    const std::string_view piece = plan.bytes.substr(from, size);
    co_await peer.write(piece);
    if (size % 3 == 0) co_await sleep_for(1ms);
    from += piece.size();
  }
}

// One read of some kind; checked against `left`, what has not been read. False: the end.
Task<bool> read_one(Stream& peer, Input& input, std::string_view& left) {
  const std::size_t kind = input.below(6), size = 1 + input.below(100);
  Result<Chunk> data = Chunk();
  std::string delimiter(1 + size % 3, '\n');
  if (kind == 0) data = co_await as_result(peer.read());
  if (kind == 1) data = co_await as_result(peer.read_some(size));
  if (kind == 2) data = co_await as_result(peer.read_exactly(size));
  if (kind == 3) data = co_await as_result(peer.read_until(delimiter, size));
  if (kind == 4) data = co_await as_result(with_timeout(100us, peer.read_exactly(size)));
  if (kind == 5) data = co_await as_result(with_timeout(100us, peer.read_until(delimiter, size)));
  const bool timed = kind >= 4;
  if (!data) {
    if (data.error() == Errc::unexpected_end) need(kind % 2 == 0 && left.size() < size);
    else if (data.error() == Errc::limit_reached)
      need(left.substr(0, size).find(delimiter) == left.npos && left.size() >= size);
    else need(timed && data.error() == Errc::timed_out);
    if (data.error() == Errc::limit_reached) {  // it would be reached for ever
      Chunk piece = co_await peer.read_some(size);
      need(!piece.empty() && left.starts_with(piece.text()));
      left.remove_prefix(piece.size());
    }
    if (data.error() == Errc::unexpected_end) {
      Chunk rest = co_await peer.read();
      need(left.empty() ? rest.empty() : left.starts_with(rest.text()) && !rest.empty());
      left.remove_prefix(rest.size());
      co_return !rest.empty();
    }
    co_return true;
  }
  if (data->empty()) co_return false;
  need(left.starts_with(data->text()));
  if (kind == 1) need(data->size() <= size);
  if (kind == 2 || kind == 4) need(data->size() == size);
  if (kind == 3 || kind == 5) {
    const std::size_t at = data->text().find(delimiter);
    need(at == data->text().npos ? data->size() == left.size() : at + delimiter.size() == data->size());
    need(data->size() <= size + delimiter.size());
  }
  if (size % 5 == 0) {  // a part of it goes back
    const std::size_t keep = size % data->size();
    Chunk front = data->split(keep);
    left.remove_prefix(keep);
    if (!data->empty()) peer.unread(std::move(*data));
  } else {
    left.remove_prefix(data->size());
  }
  co_return true;
}

Task<> read_all(Stream peer, Input input, std::string_view left, bool& whole) {
  int steps = 0;
  for (; !input.empty() && steps < 300; ++steps) {
    const bool more = co_await read_one(peer, input, left);
    if (!more) break;
  }
  // When the choices are over, the rest in one piece each.
  while (Chunk data = co_await peer.read()) {
    need(left.starts_with(data.text()));
    left.remove_prefix(data.size());
  }
  whole = left.empty();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  Plan plan;
  plan.sizes = input.text(input.below(16));
  const std::string_view script = input.text(2 * input.below(120));
  plan.bytes = input.rest();
  Wire wire;
  const HostId host = wire.add_host({.send_buffer = 2000, .window = 3000});
  bool whole = false;
  {
    Loop loop(make_wire_backend(wire, host, std::size_t{2} << 16));
    auto [near, far] = Stream::pair(loop).value();
    loop.spawn(write_all, std::move(near), plan);
    const Input script_input(reinterpret_cast<const std::uint8_t*>(script.data()), script.size());
    loop.spawn(read_all, std::move(far), script_input, plan.bytes, std::ref(whole));
    loop.run();
    need(loop.backend().slots_in_use() == 0 && loop.backend().bytes_on_loan() == 0);
  }
  need(whole);
  return 0;
}
