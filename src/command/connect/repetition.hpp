// Repetition: the same conversation again and again (--repeat, --interval), with the times of each, as ping has them.
//
//   1: 127.0.0.1:9000 connected in 0.161 ms, first reply after 0.104 ms
//   …
//   10 of 10 went well
//   connecting: min 0.093, median 0.121, max 0.161 ms
//   first reply: min 0.082, median 0.095, max 0.140 ms
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include <meari/loop.hpp>
#include <meari/task.hpp>

#include "outcome.hpp"
#include "src/command/flags/options.hpp"
#include "src/command/speech/status.hpp"
#include "src/command/speech/talk.hpp"

namespace meari::command {

class Repetition {
 public:
  using Conversing = std::function<Task<Outcome>()>;  // one conversation after the other

  Repetition(Loop& loop, const ConnectSettings& settings, const Talk& talk, Conversing converse)
      : loop_(loop), settings_(settings), talk_(talk), converse_(std::move(converse)) {}

  // The status of the first that failed. Cancelled, it says what it has and gives `interrupted`.
  Task<Status> run();

 private:
  void report(std::uint64_t number, const Outcome& outcome);
  void summarise() const;

  Loop& loop_;
  const ConnectSettings& settings_;
  const Talk& talk_;
  Conversing converse_;
  std::uint64_t begun_ = 0;
  std::uint64_t succeeded_ = 0;
  std::vector<Duration> connecting_;
  std::vector<Duration> replying_;
};

}  // namespace meari::command
