#include "load.hpp"

#include <algorithm>
#include <chrono>

#include <meari/scope.hpp>

#include "measurement.hpp"
#include "worker.hpp"

namespace meari::command {
namespace {

// Enough of them to tell noise, and none so short that it holds next to nothing.
Duration slice_length_of(Duration duration) noexcept {
  using std::chrono::milliseconds;
  return std::clamp<Duration>(duration / 50, milliseconds(10), std::chrono::seconds(1));
}

}  // namespace

void Tally::add(const Tally& other) {
  response.add(other.response);
  service.add(other.service);
  lateness.add(other.lateness);
  slices.resize(std::max(slices.size(), other.slices.size()));
  for (std::size_t i = 0; i < other.slices.size(); ++i) slices[i] = sum(slices[i], other.slices[i]);
  bytes_sent += other.bytes_sent;
  bytes_received += other.bytes_received;
  opened += other.opened;
  wrong += other.wrong;
  unanswered += other.unanswered;
  retransmits += other.retransmits;
  lost += other.lost;
  late += other.late;
  twice += other.twice;
  reordered += other.reordered;
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

Load::Load(Loop& home, const BenchSettings& settings, Address target, Threads threads)
    : home_(home),
      settings_(settings),
      target_(std::move(target)),
      threads_(threads),
      slice_length_(slice_length_of(settings.duration)) {}

Load::~Load() {
  for (const std::unique_ptr<Worker>& worker : workers_) worker->join();
}

Task<> Load::open() {
  const Time begin = precise_now(home_);
  const unsigned threads = threads_ == Threads::none ? 1 : std::min(settings_.threads, settings_.connections);
  for (unsigned i = 0, first = 0; i < threads; ++i) {
    const unsigned share = settings_.connections / threads + (i < settings_.connections % threads ? 1 : 0);
    workers_.push_back(std::make_unique<Worker>(*this, first, share));
    first += share;
  }
  for (unsigned i = 0; i < threads; ++i) static_cast<void>(co_await news_.receive());
  opening_ = precise_now(home_) - begin;
}

Task<> Load::measure(std::function<void(const Glance&)> tell) {
  tell_ = std::move(tell);
  const Time begin = precise_now(home_) + std::chrono::milliseconds(10);  // until everybody has heard of it
  from_ = begin + settings_.warmup;
  for (const std::unique_ptr<Worker>& worker : workers_) worker->begin(begin);
  for (std::size_t i = 0; i < workers_.size(); ++i) static_cast<void>(co_await news_.receive());
  to_ = std::min(from_ + settings_.duration, precise_now(home_));
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
