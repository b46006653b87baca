#include "load.hpp"

#include <algorithm>
#include <chrono>

#include <meari/scope.hpp>

#include "worker.hpp"

namespace meari::command {

Time precise_now() noexcept {
  return Time(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

void Tally::add(const Tally& other) {
  response.add(other.response);
  service.add(other.service);
  lateness.add(other.lateness);
  bytes_sent += other.bytes_sent;
  bytes_received += other.bytes_received;
  opened += other.opened;
  wrong += other.wrong;
  unanswered += other.unanswered;
  retransmits += other.retransmits;
  for (const auto& [what, times] : other.failures) failures[what] += times;
  cpu += other.cpu;
  most_cpu = std::max(most_cpu, other.most_cpu);
  if (!first_failure) first_failure = other.first_failure;
  if (difference.empty()) difference = other.difference;
}

std::uint64_t Tally::failed() const noexcept {
  std::uint64_t sum = wrong;
  for (const auto& [what, times] : failures) sum += times;
  return sum;
}

Load::Load(Loop& home, const BenchSettings& settings, Address target)
    : home_(home), settings_(settings), target_(std::move(target)) {}

Load::~Load() {
  for (const std::unique_ptr<Worker>& worker : workers_) worker->join();
}

Task<> Load::open() {
  const Time begin = precise_now();
  const unsigned threads = std::min(settings_.threads, settings_.connections);
  for (unsigned i = 0, first = 0; i < threads; ++i) {
    const unsigned share = settings_.connections / threads + (i < settings_.connections % threads ? 1 : 0);
    workers_.push_back(std::make_unique<Worker>(*this, first, share));
    first += share;
  }
  for (unsigned i = 0; i < threads; ++i) static_cast<void>(co_await news_.receive());
  opening_ = precise_now() - begin;
}

Task<> Load::measure(std::function<void(const Glance&)> tell) {
  tell_ = std::move(tell);
  const Time begin = precise_now() + std::chrono::milliseconds(10);  // until everybody has heard of it
  from_ = begin + settings_.warmup;
  for (const std::unique_ptr<Worker>& worker : workers_) worker->begin(begin);
  for (std::size_t i = 0; i < workers_.size(); ++i) static_cast<void>(co_await news_.receive());
  to_ = std::min(from_ + settings_.duration, precise_now());
  for (const std::unique_ptr<Worker>& worker : workers_) {
    worker->join();
    tally_.add(worker->tally());
  }
}

std::uint64_t Load::opened() const noexcept {
  std::uint64_t sum = 0;
  for (const std::unique_ptr<Worker>& worker : workers_) sum += worker->tally().opened;
  return sum;
}

Error Load::first_failure() const noexcept {
  for (const std::unique_ptr<Worker>& worker : workers_)
    if (worker->tally().first_failure) return worker->tally().first_failure;
  return {};
}

Task<> Load::abandon() {
  stop();
  for (std::size_t i = 0; i < workers_.size(); ++i) static_cast<void>(co_await news_.receive());
}

void Load::stop() {
  for (const std::unique_ptr<Worker>& worker : workers_) worker->stop();
}

}  // namespace meari::command
