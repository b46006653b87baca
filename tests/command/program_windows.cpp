// What `meari serve exec` starts in its tests on Windows: one program, whose first argument says what it does.
//
//   cat               its input is its output             arguments …    a line for each of the words behind it
//   environment       its variables                       handles        how many handles it has inherited
//   complain TEXT …   lines on its standard error         status N       ends with that
//   hold PORT         connects there and stays, so that whoever listens sees its end
//   start PORT        starts another one that holds, and waits for it; leave PORT: does not wait
//   sh SCRIPT         of a shell as much as the tests need: cat, tr, sleep, printf, echo, read, with a semicolon between
#include <winsock2.h>
// winsock2.h has to come before windows.h
#include <windows.h>
// and windows.h before shellapi.h
#include <shellapi.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace {

std::string narrow(std::wstring_view text) {
  std::string narrow(text.size() * 3, '\0');
  narrow.resize(static_cast<std::size_t>(::WideCharToMultiByte(CP_UTF8, 0, text.data(), static_cast<int>(text.size()),
                                                               narrow.data(), static_cast<int>(narrow.size()), nullptr,
                                                               nullptr)));
  return narrow;
}

bool write(DWORD stream, std::string_view text) {
  while (!text.empty()) {
    DWORD written = 0;
    if (::WriteFile(::GetStdHandle(stream), text.data(), static_cast<DWORD>(text.size()), &written, nullptr) == 0)
      return false;
    text.remove_prefix(written);
  }
  return true;
}
bool say(std::string_view text) { return write(STD_OUTPUT_HANDLE, text); }

int cat(char (*changed)(char) = nullptr) {
  std::array<char, 4096> piece;
  DWORD size = 0;
  while (::ReadFile(::GetStdHandle(STD_INPUT_HANDLE), piece.data(), piece.size(), &size, nullptr) != 0 && size != 0) {
    if (changed != nullptr) std::transform(piece.begin(), piece.begin() + size, piece.begin(), changed);
    if (!say({piece.data(), size})) return 1;
  }
  return 0;
}

int environment() {
  for (const wchar_t* word = ::GetEnvironmentStringsW(); *word != L'\0'; word += std::wstring_view(word).size() + 1)
    say(narrow(word) + '\n');
  return 0;
}

// What was inherited can be inherited further; what a process opens itself cannot, unless it asks for that.
int handles() {
  int count = 0;
  constexpr std::uintptr_t most = 4096;
  for (std::uintptr_t number = 4; number < most; number += 4) {
    DWORD flags = 0;
    if (::GetHandleInformation(reinterpret_cast<HANDLE>(number), &flags) != 0 && (flags & HANDLE_FLAG_INHERIT) != 0)
      ++count;
  }
  say(std::to_string(count) + '\n');
  return 0;
}

int hold(const std::string& port) {
  WSADATA data;
  ::WSAStartup(MAKEWORD(2, 2), &data);
  const SOCKET socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<u_short>(std::stoi(port)));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return 1;
  say("holding\n");
  ::Sleep(INFINITE);
  return 0;
}

int start(const std::string& port, bool is_awaited) {
  std::array<wchar_t, MAX_PATH> file{};
  ::GetModuleFileNameW(nullptr, file.data(), MAX_PATH);
  std::wstring line = L"x hold " + std::wstring(port.begin(), port.end());
  STARTUPINFOW startup{};
  startup.cb = sizeof startup;
  // Who is left behind has no standard streams, and no console, whose host has them under wine: else it would keep those of
  // this program open, and the session with them.
  if (!is_awaited) startup.dwFlags = STARTF_USESTDHANDLES;
  const DWORD flags = is_awaited ? 0 : DETACHED_PROCESS;
  PROCESS_INFORMATION made{};
  if (::CreateProcessW(file.data(), line.data(), nullptr, nullptr, FALSE, flags, nullptr, nullptr, &startup, &made) ==
      0)
    return 1;
  if (is_awaited) ::WaitForSingleObject(made.hProcess, INFINITE);
  else cat();
  return 0;
}

// Bytes that are read one by one leave the rest to who reads next.
std::string read_line() {
  std::string line;
  char letter = 0;
  for (DWORD size = 0; ::ReadFile(::GetStdHandle(STD_INPUT_HANDLE), &letter, 1, &size, nullptr) != 0 && size != 0;) {
    if (letter == '\n') break;
    line += letter;
  }
  return line;
}

int shell(std::string_view script) {
  while (!script.empty()) {
    const std::string_view step = script.substr(0, script.find("; "));
    script.remove_prefix(std::min(step.size() + 2, script.size()));
    const std::string_view what = step.substr(0, step.find(' '));
    std::string rest(step.substr(std::min(what.size() + 1, step.size())));
    if (what == "cat") cat();
    else if (what == "tr") cat([](char letter) { return letter == 'z' ? 'a' : static_cast<char>(letter + 1); });
    else if (what == "sleep") ::Sleep(static_cast<DWORD>(std::stod(rest) * 1000));
    else if (what == "printf") say(rest);
    else if (what == "echo") say(rest + '\n');
    else if (what == "read") read_line();
    else return 127;
  }
  return 0;
}

int run(const std::vector<std::string>& words) {
  const std::string& what = words.at(1);
  if (what == "cat") return cat();
  if (what == "environment") return environment();
  if (what == "handles") return handles();
  if (what == "status") return static_cast<int>(std::stoul(words.at(2)));
  if (what == "hold") return hold(words.at(2));
  if (what == "start") return start(words.at(2), true);
  if (what == "sh") return shell(words.at(2));
  if (what == "leave") return start(words.at(2), false);
  for (std::size_t i = 2; i < words.size(); ++i) {
    if (what == "arguments") say('[' + words[i] + "]\n");
    else write(STD_ERROR_HANDLE, words[i] + '\n');
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  int count = 0;
  wchar_t** const found = ::CommandLineToArgvW(::GetCommandLineW(), &count);
  std::vector<std::string> words;
  for (int i = 0; i < count; ++i) words.push_back(narrow(found[i]));
  // The C runtime has taken the words apart by itself; where they hold no other characters both have to be the same.
  if (count == 1 || argc != count) return 99;
  return run(words);
}
