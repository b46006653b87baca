// Bytes between a pipe, which is what every program of Windows takes for a standard stream, and a socket, which is what a
// loop can wait for: a thread for each pipe, which owns both and ends when one of them does.
//
//   Pipe pipe = make_pipe().value();                  // one end for the program: it is the only handle to be inherited
//   Owned input = pump_into(std::move(pipe.to)).value();       what is sent to this socket can be read from the pipe
//   Owned output = pump_out_of(std::move(pipe.from)).value();  what is written to the pipe can be received from this socket
//
// A half-close of the socket is the end of the pipe, and the end of the pipe is a half-close. What is sent to a program that
// reads no more is dropped.
#pragma once

#include <windows.h>

#include <utility>

#include <meari/result.hpp>

#include "child.hpp"

namespace meari::os {

// A HANDLE that closes itself; release() hands it on.
class Handle {
 public:
  explicit Handle(HANDLE handle = nullptr) noexcept : handle_(handle) {}
  Handle(Handle&& other) noexcept : handle_(other.release()) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Handle() { close(); }
  [[nodiscard]] HANDLE get() const noexcept { return handle_; }
  HANDLE release() noexcept { return std::exchange(handle_, nullptr); }
  void close() noexcept {
    if (handle_ != nullptr) ::CloseHandle(release());
  }

 private:
  HANDLE handle_;
};

struct Pipe {
  Handle from;  // is read
  Handle to;    // is written
};
Result<Pipe> make_pipe();

Result<Owned> pump_into(Handle to);
Result<Owned> pump_out_of(Handle from);

}  // namespace meari::os
