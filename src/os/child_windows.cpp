#include "child.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

#include "arguments_windows.hpp"
#include "calls.hpp"
#include "memory.hpp"
#include "native.hpp"
#include "pump_windows.hpp"
#include "system.hpp"
#include "wide_windows.hpp"

namespace meari::os {
namespace {

constexpr char starting[] = "start";

Error last_failure(const char* operation, std::string_view subject = {}) {
  return system_error(static_cast<int>(::GetLastError()), operation, subject);
}

bool are_equal(std::wstring_view one, std::wstring_view other) noexcept {
  return ::CompareStringOrdinal(one.data(), static_cast<int>(one.size()), other.data(), static_cast<int>(other.size()),
                                TRUE) == CSTR_EQUAL;
}

std::wstring variable(const wchar_t* name) {
  std::wstring value;
  for (DWORD size = ::GetEnvironmentVariableW(name, nullptr, 0); size > value.size();) {
    value.resize(size);
    size = ::GetEnvironmentVariableW(name, value.data(), size);
    if (size < value.size()) value.resize(size);
  }
  return value;
}

// ── Finding ──────────────────────────────────────────────────────────────────────────────────────────────────

// The path as the system takes it: "x.bat. " is x.bat.
std::wstring full_path(const std::wstring& path) {
  std::wstring full;
  for (DWORD size = ::GetFullPathNameW(path.c_str(), 0, nullptr, nullptr); size > full.size();) {
    full.resize(size);
    size = ::GetFullPathNameW(path.c_str(), size, full.data(), nullptr);
    if (size < full.size()) full.resize(size);
  }
  return full;
}

std::wstring_view extension(std::wstring_view path) noexcept {
  const std::wstring_view name = path.substr(path.find_last_of(L"\\/:") + 1);
  const std::size_t dot = name.rfind(L'.');
  return dot == std::wstring_view::npos ? std::wstring_view() : name.substr(dot);
}

bool has_extension(std::wstring_view path, std::wstring_view one, std::wstring_view other) noexcept {
  return are_equal(extension(path), one) || are_equal(extension(path), other);
}
bool is_program(std::wstring_view path) noexcept { return has_extension(path, L".exe", L".com"); }

bool is_file(const std::wstring& path) noexcept {
  const DWORD attributes = ::GetFileAttributesW(path.c_str());
  return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) == 0;
}

// The program that a path means, with its extension; nothing: there is none.
std::wstring program_at(const std::wstring& path) {
  std::wstring full = full_path(path);
  if (is_program(full)) return is_file(full) ? full : std::wstring();
  for (const wchar_t* end : {L".exe", L".com"})
    if (is_file(full + end)) return full + end;
  return {};
}

// ── Starting ─────────────────────────────────────────────────────────────────────────────────────────────────

// NAME=VALUE, NAME=VALUE, and an empty one, in the order that the system wants.
std::wstring environment_block(const std::vector<std::string>& variables) {
  std::vector<std::wstring> words;
  for (const std::string& word : variables) words.push_back(widen(word));
  const auto name = [](const std::wstring& word) { return std::wstring_view(word).substr(0, word.find(L'=')); };
  std::ranges::sort(words, [&](const std::wstring& one, const std::wstring& other) {
    return ::CompareStringOrdinal(name(one).data(), static_cast<int>(name(one).size()), name(other).data(),
                                  static_cast<int>(name(other).size()), TRUE) == CSTR_LESS_THAN;
  });
  std::wstring block;
  for (const std::wstring& word : words) {
    block += word;
    block += L'\0';
  }
  block += L'\0';  // and one more stands behind every string: an empty environment ends with two
  return block;
}

// All that its processes start belongs to it as well, and when its last handle is closed all of them end: so also when
// this process ends, however that comes.
Result<Handle> make_job() {
  Handle job(::CreateJobObjectW(nullptr, nullptr));
  if (job.get() == nullptr) return last_failure("make a job");
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
  limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
  if (::SetInformationJobObject(job.get(), JobObjectExtendedLimitInformation, &limits, sizeof limits) == 0)
    return last_failure("make a job");
  return job;
}

// What a new process is told beside its file and its arguments. It keeps pointers to what it was given.
class Attributes {
 public:
  Attributes() noexcept = default;
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  ~Attributes() {
    if (list_ != nullptr) ::DeleteProcThreadAttributeList(list_);
  }
  bool make(DWORD count) {
    SIZE_T size = 0;
    ::InitializeProcThreadAttributeList(nullptr, count, 0, &size);
    memory_.resize(size);
    auto* const list = reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(memory_.data());
    if (::InitializeProcThreadAttributeList(list, count, 0, &size) == 0) return false;
    list_ = list;
    return true;
  }
  bool set(DWORD_PTR which, std::span<HANDLE> handles) noexcept {
    return ::UpdateProcThreadAttribute(list_, 0, which, handles.data(), handles.size_bytes(), nullptr, nullptr) != 0;
  }
  [[nodiscard]] LPPROC_THREAD_ATTRIBUTE_LIST get() const noexcept { return list_; }

 private:
  std::vector<std::byte> memory_;
  LPPROC_THREAD_ATTRIBUTE_LIST list_ = nullptr;
};

// It is in the job before its first instruction, and inherits these three handles and no others.
Result<PROCESS_INFORMATION> spawn(const Program& program, HANDLE job, std::array<HANDLE, 3> standard) {
  for (HANDLE stream : standard)
    if (::SetHandleInformation(stream, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT) == 0)
      return last_failure(starting, program.file);
  Attributes attributes;
  if (!attributes.make(2) || !attributes.set(PROC_THREAD_ATTRIBUTE_HANDLE_LIST, standard) ||
      !attributes.set(PROC_THREAD_ATTRIBUTE_JOB_LIST, std::span(&job, 1)))
    return last_failure(starting, program.file);
  STARTUPINFOEXW startup{};
  startup.StartupInfo.cb = sizeof startup;
  startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
  startup.StartupInfo.hStdInput = standard[0];
  startup.StartupInfo.hStdOutput = standard[1];
  startup.StartupInfo.hStdError = standard[2];
  startup.lpAttributeList = attributes.get();
  // A group of its own: Ctrl-C at our console is for us, and Ctrl-Break can be for it. Where we have no console it must not
  // open a window.
  const bool has_console = ::GetConsoleCP() != 0;
  const DWORD flags = EXTENDED_STARTUPINFO_PRESENT | CREATE_UNICODE_ENVIRONMENT | CREATE_NEW_PROCESS_GROUP |
                      (has_console ? 0 : CREATE_NO_WINDOW);
  std::wstring arguments = arguments_as_text(program.arguments);
  std::wstring environment = environment_block(program.environment);
  PROCESS_INFORMATION made{};
  if (::CreateProcessW(widen(program.file).c_str(), arguments.data(), nullptr, nullptr, TRUE, flags, environment.data(),
                       nullptr, &startup.StartupInfo, &made) == 0)
    return last_failure(starting, program.file);
  return made;
}

}  // namespace

// A socket, or another handle.
Owned::~Owned() {
  if (descriptor_ != no_descriptor && sys::close(descriptor_) != 0 && sys::last_error() == WSAENOTSOCK)
    ::CloseHandle(sys::handle(descriptor_));
}

Result<std::string> find_program(const std::string& name) {
  const std::wstring wide = widen(name);
  if (has_extension(full_path(wide), L".bat", L".cmd")) {
    return Error(Errc::not_supported, starting, name)
        .because("cmd.exe would take its arguments apart in its own way; start a program");
  }
  if (name.find_first_of("\\/:") != std::string::npos) {
    const std::wstring found = program_at(wide);
    if (!found.empty()) return narrow(found);
    const bool is_there = ::GetFileAttributesW(wide.c_str()) != INVALID_FILE_ATTRIBUTES;
    return Error(is_there ? Errc::permission_denied : Errc::not_found, starting, name);
  }
  const std::wstring path = variable(L"PATH");
  std::wstring_view places = path;
  while (!name.empty() && !places.empty()) {
    std::wstring place(places.substr(0, places.find(L';')));
    places.remove_prefix(std::min(place.size() + 1, places.size()));
    std::erase(place, L'"');
    // An empty place would mean the current directory, where somebody else may have left a file of that name.
    if (place.empty()) continue;
    const std::wstring found = program_at(place + L'\\' + wide);
    if (!found.empty()) return narrow(found);
  }
  return Error(Errc::not_found, starting, name);
}

std::vector<std::string> environment(std::span<const std::string_view> names) {
  const auto is_one_of_them = [&](std::wstring_view own) {
    if (are_equal(own, L"SystemRoot")) return true;  // without it neither sockets nor random numbers work
    return std::ranges::any_of(names, [&](std::string_view name) {
      const std::wstring wide = widen(name);
      if (!name.ends_with('*')) return are_equal(own, wide);
      return are_equal(own.substr(0, wide.size() - 1), wide.substr(0, wide.size() - 1));
    });
  };
  std::vector<std::string> found;
  wchar_t* const all = ::GetEnvironmentStringsW();
  for (const wchar_t* next = all; next != nullptr && *next != L'\0';) {
    const std::wstring_view word(next);
    next += word.size() + 1;
    if (is_one_of_them(word.substr(0, word.find(L'=')))) found.push_back(narrow(word));
  }
  if (all != nullptr) ::FreeEnvironmentStringsW(all);
  return found;
}

const std::chrono::milliseconds time_for_last_words{1000};

Result<Child> Child::start(const Program& program) {
  return in_memory([&] { return begin(program); });
}

Result<Child> Child::begin(const Program& program) {
  Result<Pipe> input = make_pipe();
  if (!input) return input.error();
  Result<Pipe> output = make_pipe();
  if (!output) return output.error();
  Result<Pipe> errors = make_pipe();
  if (!errors) return errors.error();
  Result<Handle> job = make_job();
  if (!job) return job.error();

  Child child;
  Result<Owned> pumped = pump_into(std::move(input->to));
  if (!pumped) return pumped.error();
  child.input = *std::move(pumped);
  pumped = pump_out_of(std::move(output->from));
  if (!pumped) return pumped.error();
  child.output = *std::move(pumped);
  pumped = pump_out_of(std::move(errors->from));
  if (!pumped) return pumped.error();
  child.errors = *std::move(pumped);
  if (Result<> set = set_non_blocking(child.errors.get(), true); !set) return set.error();

  const Result<PROCESS_INFORMATION> made =
      spawn(program, job->get(), {input->from.get(), output->to.get(), errors->to.get()});
  if (!made) return made.error();
  ::CloseHandle(made->hThread);
  child.ended_ = Owned(reinterpret_cast<Descriptor>(made->hProcess));
  child.process_ = static_cast<long>(made->dwProcessId);
  child.group_ = Owned(reinterpret_cast<Descriptor>(job->release()));
  return child;
}

Child::~Child() {
  if (process_ == 0) return;
  kill();
  ::WaitForSingleObject(sys::handle(ended_.get()), INFINITE);
}

std::optional<ProgramEnd> Child::reap() noexcept {
  if (process_ == 0) return ProgramEnd();
  if (::WaitForSingleObject(sys::handle(ended_.get()), 0) == WAIT_TIMEOUT) return {};
  DWORD status = 0;
  ::GetExitCodeProcess(sys::handle(ended_.get()), &status);
  kill();  // what it has left behind: so its pipes have no other ends any more
  process_ = 0;
  return ProgramEnd{.status = status};
}

// Only a process that shares our console can get it.
void Child::terminate() noexcept {
  if (process_ != 0) ::GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, static_cast<DWORD>(process_));
}

void Child::kill() noexcept {
  if (process_ != 0) ::TerminateJobObject(sys::handle(group_.get()), ERROR_PROCESS_ABORTED);
}

Result<std::optional<std::size_t>> read_some(Descriptor descriptor, void* data, std::size_t size) noexcept {
  const std::ptrdiff_t count = sys::recv(descriptor, data, size, 0);
  if (count >= 0) return std::optional(static_cast<std::size_t>(count));
  const int code = sys::last_error();
  if (code == WSAEWOULDBLOCK) return std::optional<std::size_t>();
  return system_error(code, "read");
}

}  // namespace meari::os
