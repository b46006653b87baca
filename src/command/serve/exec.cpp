#include "exec.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <meari/deadline.hpp>
#include <meari/readiness.hpp>
#include <meari/scope.hpp>

#include "src/os/child.hpp"

namespace meari::command {
namespace {

// For a program whose client has gone: from its end of input to SIGTERM, and from there to SIGKILL.
constexpr std::chrono::seconds moment_to_notice{1};
constexpr std::chrono::seconds moment_to_end{2};

constexpr std::array<std::string_view, 5> inherited_variables{"PATH", "HOME", "LANG", "LC_*", "TZ"};

// What a program writes to its standard error, as lines of our log.
class Complaints {
 public:
  static constexpr std::size_t longest_line = 1024;

  Complaints(const Log& log, std::uint64_t session) : log_(log), session_(session) {}

  // Takes what there is. False: no more will come. That it could not be read stands where it would have stood.
  bool take(Descriptor errors) {
    std::array<char, 4096> piece;
    const Result<std::optional<std::size_t>> read = os::read_some(errors, piece.data(), piece.size());
    if (!read) {
      finish();
      line_ = '(' + read.error().message() + ')';
      return false;
    }
    const std::optional<std::size_t> size = *read;
    if (!size) return true;
    for (const char letter : std::string_view(piece.data(), *size)) {
      if (letter != '\n') line_ += letter;
      if (letter == '\n' || line_.size() == longest_line) tell();
    }
    return *size != 0;
  }
  void finish() {
    if (!line_.empty()) tell();
  }

 private:
  void tell() {
    log_.program_said(session_, line_);
    line_.clear();
  }

  const Log& log_;
  std::uint64_t session_;
  std::string line_;
};

// A program that runs for one client.
class Execution {
 public:
  Execution(Premises& premises, Client& client, Session& session)
      : premises_(premises),
        client_(client),
        session_(session),
        number_(premises.number_of(session)),
        idle_(premises.settings.idle.value_or(ServerOptions().timeouts.idle)) {}

  Task<> run(const os::Program& program) {
    os::Child child = co_await os::Child::start(program);
    input_ = co_await Stream::adopt(premises_.loop, child.input.get());
    child.input.release();
    output_ = co_await Stream::adopt(premises_.loop, child.output.get());
    child.output.release();
    const Watched ended = co_await Watched::watch(child.ended(), premises_.loop);
    const Watched errors = co_await Watched::watch(child.errors.get(), premises_.loop);
    Complaints complaints(premises_.log, number_);
    Result<> over;
    auto body = [&](Scope& scope) -> Task<> {
      auto listen = [&] { return relay(errors, child.errors.get(), complaints); };
      scope.spawn(listen);
      over = co_await as_result(converse(ended));
      if (!over) co_await ignore_error(shielded(Deadline::never(), end(child, ended)));
      scope.cancel();
    };
    co_await ignore_error(scoped(body));
    const std::optional<os::ProgramEnd> how = child.reap();
    // What it said last may still be in the pipe; others who have it open are not waited for.
    if (os::time_for_last_words.count() != 0) {
      auto last_words = relay(errors, child.errors.get(), complaints);
      co_await ignore_error(shielded(Deadline(os::time_for_last_words), std::move(last_words)));
    }
    for (int most = 16; most != 0 && complaints.take(child.errors.get()); --most) {}
    complaints.finish();
    if (how) premises_.log.program_ended(number_, how->status, how->signal);
    co_await std::move(over);
  }

 private:
  Task<> converse(const Watched& ended) {
    auto both_ways = [&](Scope& scope) -> Task<> {
      auto requests = [&] { return give(); };
      scope.spawn(requests);
      co_await take();
      co_await client_.finish();
      if (idle_ == Duration::zero()) co_await ended.readable();
      else co_await with_timeout(idle_, ended.readable());
      scope.cancel();
    };
    co_await scoped(both_ways);
  }

  // A program that reads no more is no failure; what comes then is dropped, so that its answer gets through. When the server
  // stops, the program is told that no more will come, and says what it still has to say.
  Task<> give() {
    session_.at_drain(AtDrain::end_input);
    bool reads = true;
    for (;;) {
      Result<Chunk> data = co_await as_result(client_.read());
      if (!data && session_.draining() && data.error() == Errc::canceled) break;
      if (!data) co_await std::move(data);
      if (data->empty()) break;
      if (!reads) continue;
      Result<> written = co_await as_result(input_.write(*std::move(data)));
      if (!written && written.error() == Errc::canceled) co_await std::move(written);
      reads = written.has_value();
    }
    if (reads) co_await ignore_error(input_.finish());
  }

  Task<> take() {
    for (;;) {
      Chunk data = co_await read_output();
      if (data.empty()) co_return;
      co_await client_.write(std::move(data));
    }
  }

  // Idle is a session in which nothing moves in any direction: a long upload is none, nor is a program that works on it.
  Task<Chunk> read_output() {
    if (idle_ == Duration::zero()) co_return co_await output_.read_some(client_.piece());
    Time due = premises_.loop.now() + idle_;
    for (;;) {
      Result<Chunk> data = co_await as_result(with_deadline(due, output_.read_some(client_.piece())));
      if (data || data.error() != Errc::timed_out) co_return co_await std::move(data);
      const SlotFacts facts = client_.stream().facts();
      due = std::max({due, facts.last_received + idle_, facts.last_sent + idle_, input_.facts().last_sent + idle_});
      if (due <= premises_.loop.now()) co_return co_await std::move(data);
    }
  }

  static Task<> relay(const Watched& readable, Descriptor errors, Complaints& complaints) {
    for (;;) {
      co_await readable.readable();
      if (!complaints.take(errors)) co_return;
    }
  }

  // The client has gone, or the server has no more time.
  Task<> end(os::Child& child, const Watched& ended) {
    input_.abort();
    output_.abort();
    bool over = false;
    if (!session_.draining()) over = co_await ends_within(ended, moment_to_notice);
    if (!over) {
      child.terminate();
      over = co_await ends_within(ended, moment_to_end);
    }
    child.kill();  // what is left of its group
    if (!over) co_await ended.readable();
  }

  static Task<bool> ends_within(const Watched& ended, Duration time) {
    const Result<> result = co_await as_result(with_timeout(time, ended.readable()));
    co_return result.has_value();
  }

  Premises& premises_;
  Client& client_;
  Session& session_;
  std::uint64_t number_;
  Duration idle_;
  Stream input_;
  Stream output_;
};

class Executor {
 public:
  explicit Executor(Premises& premises) : premises_(premises) {}

  Result<> find() {
    Result<std::string> found = os::find_program(premises_.settings.program.front());
    if (!found) return found.error();
    file_ = *std::move(found);
    return {};
  }

  Task<> serve(Client& client, Session& session) {
    const os::Program program{.file = file_,
                              .arguments = premises_.settings.program,
                              .environment = environment_for(client.stream(), session)};
    Execution execution(premises_, client, session);
    co_await execution.run(program);
  }

 private:
  std::vector<std::string> environment_for(const Stream& client, const Session& session) const {
    std::vector<std::string> variables = os::environment(inherited_variables);
    const Result<Address> local = client.local();
    variables.push_back("MEARI_PEER=" + session.source().to_string());
    if (local) variables.push_back("MEARI_LOCAL=" + local->to_string());
    variables.push_back("MEARI_SESSION=" + std::to_string(premises_.number_of(session)));
    return variables;
  }

  Premises& premises_;
  std::string file_;
};

}  // namespace

Handling handling_of_execution(Premises& premises) {
  auto executor = std::make_shared<Executor>(premises);
  return {.handle = [executor](Client& client, Session& session) { return executor->serve(client, session); },
          .ready = [executor] { return executor->find(); },
          .alongside = {}};
}

}  // namespace meari::command
