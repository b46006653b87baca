#include "tap.hpp"

#include <chrono>
#include <string_view>
#include <utility>
#include <vector>

#include <meari/bytes.hpp>
#include <meari/deadline.hpp>
#include <meari/offload.hpp>

#include "handlers.hpp"
#include "src/command/speech/line_writer.hpp"
#include "src/os/fresh_file.hpp"

namespace meari::command {
namespace {

constexpr std::size_t in = static_cast<std::size_t>(HexDump::Way::in);
constexpr std::size_t out = static_cast<std::size_t>(HexDump::Way::out);
// A disk that takes longer for one piece has failed. Also a session that is cancelled meanwhile waits so long.
constexpr std::chrono::seconds longest_write{30};

// On a helper thread. Both files or none.
Result<std::vector<os::FreshFile>> make_files(const std::string& path) {
  std::vector<os::FreshFile> files;
  for (const std::string_view end : {".sent", ".received"}) {  // in the order of HexDump::Way
    Result<os::FreshFile> file = os::FreshFile::create(path + std::string(end));
    if (!file) return file.error();
    files.push_back(*std::move(file));
  }
  return files;
}

}  // namespace

Tap::Tap(Premises& premises, const Session& session, std::uint64_t number)
    : premises_(premises), session_(session), number_(number) {
  if (premises.settings.hexdump) dump_.emplace(premises.log.talk(), '#' + std::to_string(number));
}

Duration Tap::since() const { return Loop::current()->now() - session_.started(); }

Task<> Tap::open() {
  const std::string& folder = premises_.settings.record;
  if (folder.empty()) co_return;
  auto make = [path = folder + '/' + name_of_record(std::chrono::system_clock::now(), number_, session_.source())]() {
    return make_files(path);
  };
  auto made = co_await as_result(shielded(longest_write, offload(std::move(make))));
  if (!made) co_return record_no_further(made.error());
  std::vector<std::string> paths;
  for (const std::size_t way : {in, out}) {
    files_[way] = std::make_shared<os::FreshFile>(std::move((*made)[way]));
    paths.push_back(files_[way]->path());
  }
  premises_.log.recording(number_, paths);
}

Task<> Tap::received(const Chunk& data) {
  co_await write(Way::in, data.bytes());
  if (!dump_) co_return;
  std::string lines = data.empty() ? dump_->end(Way::in, since()) : dump_->bytes(Way::in, data.bytes(), since());
  co_await premises_.lines.dump(std::move(lines));
}

Task<> Tap::sent(std::span<const std::byte> data) {
  co_await write(Way::out, data);
  if (!dump_ || data.empty()) co_return;
  std::string lines = dump_->bytes(Way::out, data, since());
  co_await premises_.lines.dump(std::move(lines));
}

Task<> Tap::finished_sending() {
  if (!dump_) co_return;
  std::string line = dump_->end(Way::out, since());
  co_await premises_.lines.dump(std::move(line));
}

// What has come already is written down also when the session ends meanwhile.
Task<> Tap::write(Way way, std::span<const std::byte> data) {
  const File& file = files_[static_cast<std::size_t>(way)];
  if (file == nullptr || data.empty()) co_return;
  auto append = [file, bytes = Bytes::copy_of(data)]() -> Result<> { return file->write(bytes.bytes()); };
  const Result<> written = co_await as_result(shielded(longest_write, offload(std::move(append))));
  if (!written) record_no_further(written.error());
}

Task<> Tap::close() {
  for (File& file : files_) {
    if (file == nullptr) continue;
    auto shut = [last = std::exchange(file, nullptr)]() -> Result<> { return last->close(); };
    const Result<> closed = co_await as_result(shielded(longest_write, offload(std::move(shut))));
    if (!closed) record_no_further(closed.error());
  }
}

// Both directions end together: one that went on alone would be taken for the whole.
void Tap::record_no_further(const Error& error) {
  for (File& file : files_) file = nullptr;
  premises_.cut_short = true;
  premises_.log.recorded_no_further(number_, error);
}

std::string name_of_record(std::chrono::system_clock::time_point begin, std::uint64_t number, const Address& peer) {
  const auto time = std::chrono::floor<std::chrono::microseconds>(begin);
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::string name =
      fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}.{:06}Z-{:06}-", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                  clock.minutes().count(), clock.seconds().count(), clock.subseconds().count(), number);
  constexpr std::size_t longest_peer = 120;
  std::string text = peer.to_string();
  if (peer.family() == Family::local && peer.path().empty()) text = "unix";
  if (const std::size_t port = text.rfind(':'); port != std::string::npos && peer.port() != 0) text[port] = '.';
  for (const char letter : std::string_view(text).substr(0, longest_peer)) {
    const bool plain = (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') ||
                       (letter >= 'A' && letter <= 'Z') || letter == '.' || letter == '-';
    if (letter != '[' && letter != ']') name += plain ? letter : '_';
  }
  return name;
}

}  // namespace meari::command
