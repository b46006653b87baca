#include "blocking_io.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "system.hpp"
#include "wide_windows.hpp"

namespace meari::os {

namespace {

constexpr std::size_t most_bytes = std::size_t{64} << 10;

}  // namespace

Descriptor standard_descriptor(Standard stream) noexcept {
  const DWORD name = stream == Standard::input    ? STD_INPUT_HANDLE
                     : stream == Standard::output ? STD_OUTPUT_HANDLE
                                                  : STD_ERROR_HANDLE;
  const HANDLE found = ::GetStdHandle(name);
  return found == nullptr ? no_descriptor
                          : reinterpret_cast<Descriptor>(found);  // a program without a console has none
}

Medium medium_of(Descriptor descriptor, Direction) noexcept {
  DWORD mode = 0;
  if (descriptor == no_descriptor) return Medium::none;
  switch (::GetFileType(sys::handle(descriptor))) {
    case FILE_TYPE_DISK: return Medium::file;
    case FILE_TYPE_PIPE: return Medium::pipe;
    case FILE_TYPE_CHAR:
      return ::GetConsoleMode(sys::handle(descriptor), &mode) != 0 ? Medium::terminal : Medium::null_device;
    default: return ::GetLastError() == NO_ERROR ? Medium::device : Medium::none;
  }
}

void occupy_standard_descriptors() noexcept {}  // handles have no fixed numbers here

BlockingIo::BlockingIo(Descriptor descriptor, Direction direction, Ownership ownership) noexcept
    : descriptor_(descriptor),
      direction_(direction),
      ownership_(ownership),
      medium_(medium_of(descriptor, direction)) {}

BlockingIo::~BlockingIo() {
  static_cast<void>(let_go());
  if (wake_ != no_descriptor) ::CloseHandle(sys::handle(wake_));
}

Error BlockingIo::prepare() noexcept { return {}; }

void BlockingIo::enter() noexcept {
  HANDLE self = nullptr;
  const HANDLE process = ::GetCurrentProcess();
  if (::DuplicateHandle(process, ::GetCurrentThread(), process, &self, 0, FALSE, DUPLICATE_SAME_ACCESS) != 0)
    wake_.store(reinterpret_cast<Descriptor>(self));
}

Result<std::size_t> BlockingIo::read(std::span<std::byte> buffer) noexcept {
  if (medium_ == Medium::none) return Errc::closed;  // by now somebody else may have its number
  for (;;) {
    if (interrupted_.exchange(false)) return Errc::interrupted;
    if (medium_ == Medium::terminal) return read_console(buffer);
    DWORD taken = 0;
    ::SetLastError(NO_ERROR);
    const BOOL done = ::ReadFile(sys::handle(descriptor_), buffer.data(),
                                 static_cast<DWORD>(std::min(buffer.size(), most_bytes)), &taken, nullptr);
    const DWORD code = ::GetLastError();
    if (code == ERROR_OPERATION_ABORTED) continue;  // we were interrupted, or somebody has pressed Ctrl-C
    if (done != 0) return std::size_t{taken};
    if (code == ERROR_BROKEN_PIPE || code == ERROR_PIPE_NOT_CONNECTED || code == ERROR_HANDLE_EOF)
      return std::size_t{0};
    if (code == ERROR_INVALID_HANDLE || code == ERROR_ACCESS_DENIED) return Errc::closed;
    return system_error(static_cast<int>(code), "");
  }
}

// A line, as UTF-8, and its end as one LF. Where a line begins Ctrl-Z is the end of input, as everywhere on Windows, and so is
// Ctrl-D, as everywhere else; behind some text they give that text away, as Ctrl-D does on a terminal. The console is told to
// return at these keys, without Enter.
Result<std::size_t> BlockingIo::read_console(std::span<std::byte> buffer) noexcept {
  constexpr wchar_t control_d = 0x04;
  constexpr wchar_t control_z = 0x1A;
  const auto ends_input = [](wchar_t unit) { return unit == control_d || unit == control_z; };
  std::array<wchar_t, 4096> line;
  for (;;) {
    if (interrupted_.exchange(false)) return Errc::interrupted;
    DWORD units = 0;
    const std::size_t kept = half_ == 0 ? 0 : 1;  // first: the units that no character has been made of yet
    line[0] = half_;
    const auto room =
        static_cast<DWORD>(std::clamp(buffer.size() / 3, kept + 1, line.size()) - kept);  // 3 bytes a unit
    ::SetLastError(NO_ERROR);
    CONSOLE_READCONSOLE_CONTROL keys{};
    keys.nLength = sizeof keys;
    keys.dwCtrlWakeupMask = (1U << control_d) | (1U << control_z);
    if (::ReadConsoleW(sys::handle(descriptor_), line.data() + kept, room, &units, &keys) == 0)
      return system_error(static_cast<int>(::GetLastError()), "");
    if (units == 0) {
      if (::GetLastError() == ERROR_OPERATION_ABORTED) continue;  // interrupted, or somebody has pressed Ctrl-C
      return std::size_t{0};
    }
    if (kept == 0 && ends_input(line[0])) return std::size_t{0};
    std::wstring_view text(line.data(), units + kept);
    half_ = 0;
    if (IS_HIGH_SURROGATE(text.back()) || text.back() == L'\r') {
      half_ = text.back();
      text.remove_suffix(1);
    }
    wchar_t* end = line.data();
    for (std::size_t i = 0; i != text.size(); ++i)
      if (!ends_input(text[i]) && (text[i] != L'\r' || i + 1 == text.size() || text[i + 1] != L'\n')) *end++ = text[i];
    const int size = ::WideCharToMultiByte(CP_UTF8, 0, line.data(), static_cast<int>(end - line.data()),
                                           reinterpret_cast<char*>(buffer.data()), static_cast<int>(buffer.size()),
                                           nullptr, nullptr);
    if (size != 0) return static_cast<std::size_t>(size);
  }
}

Result<std::size_t> BlockingIo::write(std::span<const std::byte> bytes) noexcept {
  if (medium_ == Medium::none) return Errc::closed;
  // From memory of our own: should this call not return in time, nobody has to wait for it.
  std::byte piece[4096];
  const std::size_t size = std::min(bytes.size(), sizeof piece);
  std::memcpy(piece, bytes.data(), size);
  for (;;) {
    if (interrupted_.exchange(false)) return Errc::interrupted;
    DWORD given = 0;
    ::SetLastError(NO_ERROR);
    if (medium_ == Medium::terminal) {
      const std::size_t shown = write_console(sys::handle(descriptor_), {reinterpret_cast<const char*>(piece), size});
      if (shown != 0) return shown;
    } else if (::WriteFile(sys::handle(descriptor_), piece, static_cast<DWORD>(size), &given, nullptr) != 0)
      return std::size_t{given};
    const DWORD code = ::GetLastError();
    if (code == ERROR_OPERATION_ABORTED) continue;
    if (code == ERROR_INVALID_HANDLE || code == ERROR_ACCESS_DENIED) return Errc::closed;
    return system_error(static_cast<int>(code), "");
  }
}

std::size_t BlockingIo::write_at_once(std::span<const std::byte>) noexcept { return 0; }

Error BlockingIo::finish() noexcept {
  if (ownership_ == Ownership::borrowed && descriptor_ == standard_descriptor(Standard::output)) {
    ::SetStdHandle(STD_OUTPUT_HANDLE, nullptr);
    const Descriptor descriptor = std::exchange(descriptor_, no_descriptor);
    if (::CloseHandle(sys::handle(descriptor)) == 0) return system_error(static_cast<int>(::GetLastError()), "close");
    return {};
  }
  return let_go();
}

Error BlockingIo::let_go() noexcept {
  const Descriptor descriptor = std::exchange(descriptor_, no_descriptor);
  if (descriptor == no_descriptor || ownership_ == Ownership::borrowed) return {};
  if (::CloseHandle(sys::handle(descriptor)) != 0) return {};
  return system_error(static_cast<int>(::GetLastError()), "close");
}

void BlockingIo::interrupt() noexcept {
  interrupted_.store(true);
  const Descriptor thread = wake_.load();
  // Reaches a call that has begun. Whoever waits for the thread to end asks again, in case this one had not yet.
  if (thread != no_descriptor) ::CancelSynchronousIo(sys::handle(thread));
}

void BlockingIo::give_back(std::size_t count) noexcept {
  LARGE_INTEGER back{};
  back.QuadPart = -static_cast<LONGLONG>(count);
  if (medium_ == Medium::file && count != 0) ::SetFilePointerEx(sys::handle(descriptor_), back, nullptr, FILE_CURRENT);
}

}  // namespace meari::os
