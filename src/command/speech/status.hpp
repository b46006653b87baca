// How a run ended, told to whoever started it. The only place where exit statuses are decided.
#pragma once

#include <meari/error.hpp>

namespace meari::command {

enum class Status : int {
  ok = 0,             // all went well
  network = 1,        // it could not be done: nobody listens, the name is unknown, the port is taken …
  usage = 2,          // the command line does not make sense
  cut_short = 3,      // the conversation ended before all of it had been said
  check_failed = 4,   // a check that was asked for came out wrong
  interrupted = 130,  // Ctrl-C, SIGTERM
};

// What a failure to write standard output amounts to. Who reads decides how much: leaving early is no failure.
[[nodiscard]] inline Status status_of_output(const Error& error) noexcept {
  return !error || error == Errc::broken_pipe ? Status::ok : Status::cut_short;
}

// What a failure before the first byte amounts to.
[[nodiscard]] inline Status status_of(const Error& error) noexcept {
  switch (error.code()) {
    case Errc::none: return Status::ok;
    // What somebody wrote; but what the system calls invalid was ours.
    case Errc::invalid_argument: return error.system_code() == 0 ? Status::usage : Status::network;
    case Errc::canceled: return Status::interrupted;
    default: return Status::network;
  }
}

}  // namespace meari::command
