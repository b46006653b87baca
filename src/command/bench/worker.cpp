#include "worker.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include <meari/connect.hpp>
#include <meari/deadline.hpp>
#include <meari/offload.hpp>

#include "measurement.hpp"
#include "src/os/usage.hpp"

namespace meari::command {
namespace {

using std::chrono::milliseconds;

constexpr unsigned opened_at_once = 64;            // by one worker
constexpr std::size_t fits_on_the_way = 32 << 10;  // bytes, whatever the buffers of both ends are
constexpr std::chrono::seconds grace{5};           // for replies that are under way at the end
constexpr std::chrono::minutes grace_of_held{1};   // all of them are under way at once then
constexpr milliseconds between_checks{20};         // an earlier timer makes each wait dearer
constexpr std::chrono::seconds one_second{1};

}  // namespace

// ---- bytes

Pattern::Pattern(std::string_view unit, std::size_t longest) : period_(unit.size()), longest_(longest) {
  bytes_.reserve(period_ + longest_ + period_);
  while (bytes_.size() < period_ + longest_) bytes_ += unit;
}

std::string Pattern::noise() {
  constexpr std::size_t period = 65'521;  // a prime, and no multiple of a message
  Dice dice(1, "bench");
  std::string unit(period, '\0');
  for (char& byte : unit) byte = static_cast<char>(dice.next());
  return unit;
}

std::span<const std::byte> Pattern::at(std::uint64_t offset, std::size_t count) const noexcept {
  return std::as_bytes(std::span(bytes_.data() + offset % period_, count));
}

std::size_t Pattern::match(std::uint64_t offset, std::span<const std::byte> bytes) const noexcept {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const std::size_t count = std::min(bytes.size() - done, longest_);
    const std::span<const std::byte> wanted = at(offset + done, count);
    if (std::memcmp(wanted.data(), bytes.data() + done, count) != 0) {
      while (wanted[0] == bytes[done] && at(offset + done, 1)[0] == bytes[done]) ++done;
      return done;
    }
    done += count;
  }
  return done;
}

// ---- life

Worker::Worker(Load& load, unsigned first, unsigned share)
    : load_(load),
      settings_(load.settings_),
      first_(first),
      share_(share),
      least_(settings_.send ? settings_.send->size() : settings_.size.least),
      most_(settings_.send ? settings_.send->size() : settings_.size.most),
      out_(settings_.send ? *settings_.send : Pattern::noise(),
           settings_.send ? settings_.send->size() * settings_.depth : settings_.size.most * settings_.depth),
      in_(settings_.expect ? *settings_.expect
          : settings_.send ? *settings_.send
                           : Pattern::noise(),
          std::size_t{64} << 10) {
  if (load_.threads_ == Threads::own) {
    thread_ = std::thread([this] { thread_main(); });
    return;
  }
  loop_ = &load_.home_;
  auto work_on_it = [this] { return work_here(); };
  loop_->spawn(work_on_it);
}

Worker::~Worker() { join(); }

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::begin(Time begin) {
  begin_ = begin;
  from_ = begin + settings_.warmup;
  end_ = from_ + settings_.duration;
  begin_slice(begin_);
  static_cast<void>(begun_.try_send(true));
}

void Worker::stop() {
  const std::lock_guard lock(guard_);
  if (loop_ == nullptr) return;
  loop_->post([this] {
    stopped_ = true;
    end_ = std::min(end_, precise_now(*loop_));
    static_cast<void>(begun_.try_send(true));
  });
}

void Worker::thread_main() {
  LoopOptions options;
  options.backend.choice = settings_.backend;
  Result<std::unique_ptr<Loop>> made = Loop::make(std::move(options));
  Error failure;
  if (made) {
    const auto is = [this](Loop* loop) {
      const std::lock_guard lock(guard_);
      loop_ = loop;
    };
    is(made->get());
    const Result<> result = (*made)->block_on([this] { return work(); });
    if (!result) failure = result.error();
    talks_.clear();
    is(nullptr);
  } else {
    failure = made.error();
  }
  tell_the_end(failure);
}

Task<> Worker::work_here() {
  const Result<> result = co_await as_result(work());
  talks_.clear();
  tell_the_end(result ? Error() : result.error());
}

// The last that is heard of this worker; its tally is the home loop's from now on.
void Worker::tell_the_end(const Error& failure) {
  post_home([this, failure] {
    if (failure && !tally_.first_failure) tally_.first_failure = failure;
    static_cast<void>(load_.news_.try_send(true));
  });
}

template <class F>
void Worker::post_home(F callable) {
  load_.home_.post(std::move(callable));
}

Task<> Worker::work() {
  co_await open_all();
  post_home([this] { static_cast<void>(load_.news_.try_send(true)); });
  static_cast<void>(co_await begun_.receive());
  if (!stopped_) {
    co_await sleep_until(begin_);
    co_await measure_all();
    end_slice(end_);
    for (const Counts& slice : tally_.slices) tally_.response.add(slice);
    if (settings_.rate == 0) tally_.service = tally_.response;
  }
  for (const std::unique_ptr<Talk>& talk : talks_) {
    if (!talk->stream.is_open()) continue;
    const Result<SocketInfo> info = talk->stream.info();
    if (info && info->retransmits > 0) tally_.retransmits += static_cast<std::uint64_t>(info->retransmits);
  }
}

// ---- opening

Task<> Worker::open_all() {
  for (unsigned i = 0; i < share_; ++i) {
    auto talk = std::make_unique<Talk>();
    talk->index = first_ + i;
    talk->dice = Dice(first_ + i, "bench sizes");
    talks_.push_back(std::move(talk));
  }
  if (settings_.churn) co_return;
  if (settings_.where.kind == Kind::datagram) {
    for (const std::unique_ptr<Talk>& talk : talks_) {
      const Result<> opened = open_mail(*talk);
      if (opened) {
        ++tally_.opened;
        continue;
      }
      if (!tally_.first_failure) tally_.first_failure = opened.error();
      count(opened.error());
    }
    co_return;
  }
  auto body = [this](Scope& scope) -> Task<> {
    for (unsigned i = 0; i < std::min(share_, opened_at_once); ++i) {
      auto open = [this] { return open_some(); };
      scope.spawn(open);
    }
    co_return;
  };
  co_await scoped(body);
}

Task<> Worker::open_some() {
  while (next_ < share_ && !stopped_) {
    Talk& talk = *talks_[next_++];
    Result<Stream> stream = co_await as_result(connect_once());
    if (!stream) {
      if (!tally_.first_failure) tally_.first_failure = stream.error();
      count(stream.error());
      continue;
    }
    talk.stream = *std::move(stream);
    ++tally_.opened;
  }
}

Task<Stream> Worker::connect_once() {
  std::vector<Address> targets;
  targets.push_back(load_.target_);
  ConnectOptions options;
  options.timeout = settings_.timeout;
  Stream stream = co_await connect(std::move(targets), std::move(options));
  co_return stream;
}

// ---- measuring

Task<> Worker::measure_all() {
  auto body = [this](Scope& scope) -> Task<> {
    auto conversations = [this](Scope& talking) -> Task<> {
      auto limit = [this, &talking] { return watch_time(talking); };
      if (settings_.hold) {  // one waits for all of them: a million timers would be a load
        ++talking_;
        talking.spawn(limit);
        while (!stopping()) co_await sleep_until(std::min(end_, precise() + milliseconds(100)));
      }
      for (const std::unique_ptr<Talk>& each : talks_) {
        Talk& talk = *each;
        if (!settings_.churn && !talk.stream.is_open() && talk.mail == nullptr) continue;
        auto start = [this, &talk] { return converse(talk); };
        ++talking_;
        talking.spawn(start);
      }
      if (settings_.hold) --talking_;
      else talking.spawn(limit);
    };
    auto lateness = [this] { return watch_lateness(); };
    auto every_second = [this] { return tell_every_second(); };
    scope.spawn(lateness);
    scope.spawn(every_second);
    co_await scoped(conversations);
    scope.cancel();
  };
  co_await scoped(body);
}

// Notes what the thread has used, and ends what never would end by itself.
Task<> Worker::watch_time(Scope& scope) {
  co_await sleep_until(from_);
  const Duration before = os::thread_cpu_time();
  while (!stopping() && talking_ != 0) co_await sleep_until(std::min(end_, precise() + milliseconds(100)));
  tally_.cpu = tally_.most_cpu = os::thread_cpu_time() - before;
  const Time last = precise() + (settings_.hold ? Duration(grace_of_held) : Duration(grace));
  while (talking_ != 0 && precise() < last) co_await sleep_for(milliseconds(1));
  for (const std::unique_ptr<Talk>& talk : talks_) tally_.unanswered += talk->unanswered();
  scope.cancel();
}

Task<> Worker::watch_lateness() {
  for (Time next = begin_;; next += between_checks) {
    co_await sleep_until(next);
    const Time now = precise();
    if (measured(now)) tally_.lateness.add(static_cast<std::uint64_t>(std::max<std::int64_t>((now - next).count(), 0)));
    if (now - next > one_second) next = now;  // once is enough
  }
}

Task<> Worker::tell_every_second() {
  for (Time next = begin_ + one_second;; next += one_second) {
    co_await sleep_until(next);
    auto glance = std::make_shared<Glance>();
    glance->response = second_;
    glance->failed = tally_.failed();
    second_.clear();
    post_home([this, glance] {
      load_.glance_.response.add(glance->response);
      load_.glance_.failed += glance->failed;
      if (++load_.glances_ < load_.workers_.size()) return;
      if (load_.tell_) load_.tell_(load_.glance_);
      load_.glance_ = Glance{};
      load_.glances_ = 0;
    });
  }
}

// ---- conversations. None of them fails: what happens to one connection is counted

Task<> Worker::converse(Talk& talk) {
  const std::uint64_t most = settings_.send ? settings_.send->size() : settings_.size.most;
  const std::uint64_t reply = settings_.expect ? settings_.expect->size() : most;
  Result<> result;
  if (talk.mail != nullptr) result = co_await as_result(mail(talk));
  else if (settings_.churn) result = co_await as_result(churn(talk));
  else if (settings_.hold) result = co_await as_result(hold(talk));
  else if (settings_.rate == 0 && std::max(most, reply) * settings_.depth <= fits_on_the_way)
    result = co_await as_result(closed_loop(talk));
  else result = co_await as_result(two_ways(talk));
  --talking_;
  if (!result && result.error() != Errc::canceled) {
    count(result.error());
    tally_.unanswered += talk.unanswered();
    if (talk.mail) talk.mail->awaited = 0;
    talk.under_way.clear();
  }
}

// One look at the clock for each piece that is read serves both: what has come, and what goes out for it.
Task<> Worker::closed_loop(Talk& talk) {
  talk.heard = precise();
  for (;;) {
    const std::uint64_t before = talk.sent;
    if (!stopped_ && talk.heard < end_)
      while (talk.under_way.size() < settings_.depth) static_cast<void>(begin_message(talk, talk.heard, talk.heard));
    if (talk.under_way.empty()) break;
    if (talk.sent != before) co_await talk.stream.write(out_.at(before, talk.sent - before));
    Chunk data = co_await talk.stream.read();
    const bool right = take(talk, data);
    if (!right) break;
  }
}

Task<> Worker::two_ways(Talk& talk) {
  auto body = [this, &talk](Scope& scope) -> Task<> {
    auto reading = [this, &talk, &scope]() -> Task<> {
      co_await read_all(talk);
      if (talk.writing) scope.cancel();  // the peer has gone, or says what is wrong
    };
    scope.spawn(reading);
    if (settings_.rate == 0) co_await write_closed(talk);
    else co_await write_open(talk);
    talk.writing = false;
    while (!talk.under_way.empty()) co_await wait_for_news(talk);
    scope.cancel();
  };
  co_await scoped(body);
}

Task<> Worker::wait_for_news(Talk& talk) {
  talk.waiting = true;
  static_cast<void>(co_await talk.room.receive());
  talk.waiting = false;
}

// A server that answers no more keeps it waiting beyond the end; watch_time() is who ends that.
Task<> Worker::write_closed(Talk& talk) {
  while (!stopping()) {
    if (talk.under_way.size() >= settings_.depth) {
      co_await wait_for_news(talk);
      continue;
    }
    const Time now = precise();
    const std::span<const std::byte> message = next_message(talk, now, now);
    co_await talk.stream.write(message);
  }
}

// The n-th message of all is due at begin + n / rate; connections take turns.
Task<> Worker::write_open(Talk& talk) {
  for (std::uint64_t n = talk.index;; n += settings_.connections) {
    const auto after = Duration(static_cast<Duration::rep>(static_cast<double>(n) / settings_.rate * 1e9));
    const Time due = begin_ + after;
    if (due >= end_) break;
    while (precise() < due && !stopped_) co_await sleep_until(std::min(due, precise() + milliseconds(100)));
    if (stopped_) break;
    if (talk.under_way.size() >= most_under_way) co_await fail(Errc::limit_reached, "write");
    const std::span<const std::byte> message = next_message(talk, due, precise());
    co_await talk.stream.write(message);
  }
}

Task<> Worker::read_all(Talk& talk) {
  for (;;) {
    Chunk data = co_await talk.stream.read();
    const std::size_t before = talk.under_way.size();
    const bool right = take(talk, data);
    if (!right) break;
    if (talk.waiting && talk.under_way.size() < before) static_cast<void>(talk.room.try_send(true));
  }
  static_cast<void>(talk.room.try_send(true));
}

// Connects, has one message answered, finishes and waits for the peer to finish, over and over.
Task<> Worker::churn(Talk& talk) {
  while (!stopping()) {
    talk.sent = talk.received = talk.promised = 0;
    const Result<> once = co_await as_result(connect_and_talk(talk));
    talk.stream.close();
    if (once) continue;
    if (once.error() == Errc::canceled) co_return;
    if (!tally_.first_failure) tally_.first_failure = once.error();
    count(once.error());
    talk.under_way.clear();
    co_await sleep_for(milliseconds(10));  // not to fill the log with what is broken anyway
  }
}

Task<> Worker::connect_and_talk(Talk& talk) {
  const Time begin = precise();
  talk.stream = co_await connect_once();
  const std::span<const std::byte> message = next_message(talk, begin, begin);
  const Sent sent = talk.under_way.back();
  talk.under_way.pop_back();  // it counts when the connection is over
  co_await talk.stream.write(message);
  co_await talk.stream.finish();
  for (;;) {
    Chunk data = co_await talk.stream.read();
    if (data.empty() && talk.received == sent.end) break;
    const bool right = take(talk, data);
    if (!right) co_return;
  }
  ++tally_.opened;
  record({.due = begin, .sent = begin, .end = sent.end}, precise());
}

// The connection was there and said nothing: it shows that it still is.
Task<> Worker::hold(Talk& talk) {
  const Time now = precise();
  const std::span<const std::byte> message = next_message(talk, now, now);
  co_await talk.stream.write(message);
  while (!talk.under_way.empty()) {
    Chunk data = co_await talk.stream.read();
    const bool right = take(talk, data);
    if (!right) break;
  }
}

// ---- counting

std::span<const std::byte> Worker::next_message(Talk& talk, Time due, Time now) {
  const std::uint64_t offset = talk.sent;
  const std::size_t size = begin_message(talk, due, now);
  return out_.at(offset, size);
}

std::size_t Worker::begin_message(Talk& talk, Time due, Time now) {
  const std::size_t size = least_ == most_ ? least_ : talk.dice.between(least_, most_);
  talk.promised += settings_.expect ? settings_.expect->size() : size;
  talk.under_way.push_back({.due = due, .sent = now, .end = talk.promised});
  talk.sent += size;
  tally_.bytes_sent += size;
  return size;
}

// False: the conversation is over.
bool Worker::take(Talk& talk, const Chunk& data) {
  if (data.empty()) {
    if (!talk.under_way.empty()) count(Errc::unexpected_end);
    tally_.unanswered += talk.under_way.size();
    talk.under_way.clear();
    return false;
  }
  const std::size_t right = in_.match(talk.received, data.bytes());
  const std::uint64_t before = talk.received;
  talk.received += data.size();
  tally_.bytes_received += data.size();
  if (right != data.size() || talk.received > talk.promised) {
    ++tally_.wrong;
    if (tally_.difference.empty())
      tally_.difference = std::to_string(before + std::min<std::uint64_t>(right, talk.promised - before));
    talk.under_way.clear();
    return false;
  }
  talk.heard = precise();
  // Those that went out together and came back together have one time, and are counted together.
  while (!talk.under_way.empty() && talk.under_way.front().end <= talk.received) {
    const Sent first = talk.under_way.front();
    std::uint64_t times = 0;
    do {
      talk.under_way.pop_front();
      ++times;
    } while (!talk.under_way.empty() && talk.under_way.front().end <= talk.received &&
             talk.under_way.front().due == first.due && talk.under_way.front().sent == first.sent);
    record(first, talk.heard, times);
  }
  return true;
}

void Worker::record(const Sent& sent, Time now, std::uint64_t times) {
  const auto response = static_cast<std::uint64_t>((now - sent.due).count());
  if (now >= slice_end_) end_slice(now);
  // An open loop is asked about what was due in the time that is measured, however late the reply was.
  const bool counts = settings_.hold || measured(settings_.rate == 0 ? now : sent.due);
  if (!counts && now >= from_) return;
  slice_.add(response, times);
  if (counts && settings_.rate != 0) tally_.service.add(static_cast<std::uint64_t>((now - sent.sent).count()), times);
}

// One slice ends where the measured time begins, so that no slice holds some of both. The last one stays open: what was due
// in time and comes later belongs to it.
void Worker::end_slice(Time now) {
  const Counts counts = slice_.counts();
  slice_.clear();
  second_.add(counts);
  if (slice_number_ >= 0) {
    const auto number = static_cast<std::size_t>(slice_number_);
    tally_.slices.resize(std::max(tally_.slices.size(), number + 1));
    tally_.slices[number] = sum(tally_.slices[number], counts);
  }
  begin_slice(now);
}

void Worker::begin_slice(Time now) {
  const Duration length = load_.slice_length_;
  if (now < from_) {
    slice_number_ = -1;
    slice_end_ = std::min(from_, now + length);
    return;
  }
  slice_number_ = std::max<std::int64_t>((std::min(now, end_ - Duration(1)) - from_) / length, 0);
  slice_end_ = from_ + (slice_number_ + 1) * length;
  if (slice_end_ >= end_) slice_end_ = never;
}

void Worker::count(const Error& error) { ++tally_.failures[describe(error.code())]; }

}  // namespace meari::command
