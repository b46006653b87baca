// What tests of a Source and a Sink share: pipes, terminals and files, and Tasks that read and write them.
#pragma once

#include <gtest/gtest.h>

#include <fcntl.h>
#include <pty.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <meari/deadline.hpp>
#include <meari/scope.hpp>
#include <meari/standard.hpp>

#include "src/backend/epoll.hpp"

namespace meari {

constexpr std::size_t megabyte = std::size_t{1} << 20;

struct Pipe {
  Pipe() { EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0); }
  ~Pipe() {
    close_read();
    close_write();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  [[nodiscard]] int read_end() const { return ends[0]; }
  [[nodiscard]] int write_end() const { return ends[1]; }
  void close_read() {
    if (ends[0] >= 0) ::close(std::exchange(ends[0], -1));
  }
  void close_write() {
    if (ends[1] >= 0) ::close(std::exchange(ends[1], -1));
  }
  void put(std::string_view text) const {
    EXPECT_EQ(::write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  // All that a pipe holds by now, with nothing left to wait for.
  std::string take(std::size_t most = 4096) const {
    std::string text(most, '\0');
    const ssize_t size = ::read(ends[0], text.data(), most);
    text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return text;
  }
  std::array<int, 2> ends{-1, -1};
};

struct Terminal {
  Terminal() { EXPECT_EQ(::openpty(&master, &slave, nullptr, nullptr, nullptr), 0); }
  ~Terminal() {
    if (master >= 0) ::close(master);
    if (slave >= 0) ::close(slave);
  }
  int master = -1, slave = -1;
};

// A file without a name.
inline int scratch_file(std::string_view text = {}) {
  std::string path = testing::TempDir() + "meari_standard_XXXXXX";
  const int file = ::mkstemp(path.data());
  EXPECT_GE(file, 0);
  ::unlink(path.c_str());
  EXPECT_EQ(::write(file, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  ::lseek(file, 0, SEEK_SET);
  return file;
}

class Standard : public testing::Test {
 protected:
  Loop loop{std::move(make_epoll(64 * megabyte)).value()};

  Source source(Descriptor descriptor, Ownership ownership = Ownership::borrowed) {
    return Source::of(loop, descriptor, ownership);
  }
  Sink sink(Descriptor descriptor, Ownership ownership = Ownership::borrowed) {
    return Sink::of(loop, descriptor, ownership);
  }
};

inline int number(const Error& error) { return static_cast<int>(error.code()); }

inline Task<std::string> read_all(Source& source) {
  std::string text;
  while (Chunk data = co_await source.read()) text += data.text();
  co_return text;
}
inline Task<std::string> read_one(Source& source) {
  const Chunk data = co_await source.read();
  co_return std::string(data.text());
}
inline Task<> write_text(Sink& sink, std::string text) { co_await sink.write(text); }
inline Task<> finish(Sink& sink) { co_await sink.finish(); }
inline Task<> copy(Source& source, Sink& sink) {
  while (Chunk data = co_await source.read()) co_await sink.write(std::move(data));
}

}  // namespace meari
