// serve() and run(): whole programs. Only they install signal handlers.
#include <algorithm>
#include <cstdio>

#include <meari/quote.hpp>
#include <meari/scope.hpp>
#include <meari/server.hpp>
#include <meari/signals.hpp>
#include "src/os/native.hpp"

namespace meari {
inline namespace v1 {
namespace {

constexpr int failed = 1;
constexpr int interrupted = 130;

// One line on standard error. What it says may have come from anywhere.
void say(std::string_view text) {
  const std::string line = quote(text, {.keep_quotes = true}) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void say(const Error& error) {
  say(error.message());
  if (const std::string_view advice = error.advice(); !advice.empty()) say(advice);
}

Task<> drain_on_signal(SignalEvents& signals, Server& server) {
  for (;;) {
    co_await signals.next();
    server.drain();
  }
}

Task<> serve_until_signal(Server& server) {
  SignalEvents signals = co_await SignalEvents::install();
  co_await first_of(server.run(), drain_on_signal(signals, server));
}

Task<bool> run_until_signal(std::function<Task<>()>& task) {
  SignalEvents signals = co_await SignalEvents::install();
  auto [done, signal] = co_await first_of(task(), signals.next());
  co_return done.has_value();
}

}  // namespace

int serve(std::string_view where, Server::Handler handler, ServerOptions options) {
  static_cast<void>(os::raise_descriptor_limit());
  Result<std::unique_ptr<Loop>> loop = Loop::make();
  if (!loop) return say(loop.error()), failed;
  if (!(*loop)->refused_backend().empty()) say((*loop)->refused_backend());
  Result<Workers> workers = Workers::beside(**loop, std::max<std::size_t>(options.workers, 1) - 1);
  if (!workers) return say(workers.error()), failed;
  Server server(**loop, std::move(handler), std::move(options));
  for (Loop* worker : workers->loops())
    if (Result<> dealt = server.deal_to(*worker); !dealt) return say(dealt.error()), failed;
  const Result<std::vector<Address>> addresses = server.listen(where);
  if (!addresses) return say(addresses.error()), failed;
  for (const Address& address : *addresses) say("listening on " + address.to_string());
  auto program = [&server] { return serve_until_signal(server); };
  const Result<> result = (*loop)->block_on(program);
  if (!result) return say(result.error()), failed;
  return 0;
}

int run(std::function<Task<>()> task) {
  Result<std::unique_ptr<Loop>> loop = Loop::make();
  if (!loop) return say(loop.error()), failed;
  auto program = [&task] { return run_until_signal(task); };
  const Result<bool> done = (*loop)->block_on(program);
  if (!done) return say(done.error()), failed;
  return *done ? 0 : interrupted;
}

}  // namespace v1
}  // namespace meari
