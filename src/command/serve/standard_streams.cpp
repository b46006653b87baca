#include "standard_streams.hpp"

#include <memory>
#include <string>
#include <utility>

#include <meari/deadline.hpp>
#include <meari/scope.hpp>
#include <meari/standard.hpp>

#include "owed.hpp"

#include "src/command/speech/escaper.hpp"

namespace meari::command {
namespace {

class StandardStreams {
 public:
  explicit StandardStreams(Premises& premises)
      : premises_(premises),
        input_(Source::standard_input(premises.loop)),
        output_(Sink::standard_output(premises.loop)),
        escaped_(output_.medium() == Medium::terminal && !premises.settings.raw),
        dumped_(output_.medium() == Medium::terminal && premises.settings.hexdump) {}

  Task<> serve(Client& client, Session& session) {
    Error send_failure;
    Owed owed(session);
    answers_ = input_.medium() != Medium::terminal && !input_is_absent();
    auto both_ways = [&](Scope& scope) -> Task<> {
      auto sending = [&] { return send(client, scope, owed, send_failure); };
      scope.spawn(sending);
      co_await receive(client, scope, owed);
    };
    co_await scoped(both_ways);
    if (send_failure) co_await Result<>(send_failure);
  }

 private:
  // Never fails: what the client has sent already is still to be printed. Nor does a terminal's end of file, or no input
  // at all, end what the client has to say.
  Task<> send(Client& client, Scope& scope, Owed& owed, Error& failure) {
    if (input_is_absent()) co_return;
    Result<> sent = co_await as_result(send_input(client, owed));
    answers_ = false;
    owed.over();
    if (sent) sent = co_await as_result(at_end_of_input(client, scope));
    if (!sent && sent.error() != Errc::canceled) failure = sent.error();
  }

  Task<> send_input(Client& client, Owed& owed) {
    for (;;) {
      Result<Chunk> data = co_await as_result(next_input(client, owed));
      if (!data) {
        if (data.error() == Errc::canceled) co_await std::move(data);
        if (data.error() == Errc::closed) co_return;
        premises_.log.input_failed(data.error());
        premises_.cut_short = true;
        co_return premises_.stop();
      }
      if (data->empty()) co_return;
      co_await client.write(*std::move(data));
    }
  }

  Task<Chunk> next_input(Client& client, Owed& owed) {
    if (answers_) co_return co_await owed.read(input_, client.piece());
    co_return co_await input_.read_some(client.piece());
  }

  Task<> at_end_of_input(Client& client, Scope& scope) {
    switch (premises_.settings.on_eof) {
      case OnEof::half_close: co_await client.finish(); break;
      case OnEof::keep: break;
      case OnEof::wait:
        co_await sleep_for(premises_.settings.wait);
        scope.cancel();
        break;
      case OnEof::close: scope.cancel(); break;
    }
  }

  // A program at our other end that has been asked is waited for when the server stops; a person who stops it is not.
  Task<> receive(Client& client, Scope& scope, Owed& owed) {
    while (Chunk data = co_await client.read()) {
      if (answers_) owed.asked();
      const Result<> printed = co_await as_result(print(std::move(data)));
      if (printed) continue;
      if (printed.error() != Errc::canceled) {
        // Nobody reads any more: there is no use in going on. Whoever ended our reader knows why.
        if (printed.error() != Errc::broken_pipe) {
          premises_.log.output_failed(printed.error());
          premises_.cut_short = true;
        }
        premises_.stop();
      }
      co_return scope.cancel();
    }
    const std::string rest = escaper_.finish();
    if (!rest.empty()) co_await output_.write(std::string_view(rest));
    // A person would wait for nothing, and without input nothing more happens.
    if (input_.medium() == Medium::terminal || input_is_absent()) scope.cancel();
  }

  Task<> print(Chunk data) {
    if (dumped_) co_return;
    if (!escaped_) {
      co_await output_.write(std::move(data));
      co_return;
    }
    const std::string text = escaper_.escape(data.text());
    co_await output_.write(std::string_view(text));
  }

  [[nodiscard]] bool input_is_absent() const noexcept {
    return input_.medium() == Medium::none ||
           (input_.medium() == Medium::null_device && !premises_.settings.on_eof_given);
  }

  Premises& premises_;
  Source input_;
  Sink output_;
  bool answers_ = false;  // a program at our input may have an answer
  bool escaped_;          // what is printed goes to a terminal
  bool dumped_;           // and the dump stands there instead
  Escaper escaper_;
};

}  // namespace

Handling handling_of_standard_streams(Premises& premises) {
  auto streams = std::make_shared<StandardStreams>(premises);
  return {.handle = [streams](Client& client, Session& session) { return streams->serve(client, session); }};
}

}  // namespace meari::command
