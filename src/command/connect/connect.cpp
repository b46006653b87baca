#include "connect.hpp"

#include <cstdlib>
#include <memory>
#include <utility>

#include <meari/loop.hpp>
#include <meari/scope.hpp>
#include <meari/signals.hpp>

#include "conversation.hpp"
#include "datagram_conversation.hpp"
#include "repetition.hpp"
#include "src/command/speech/messages.hpp"
#include "src/os/native.hpp"

namespace meari::command {
namespace {

Task<Status> until_signal(Task<Status> work) {
  SignalEvents signals = co_await SignalEvents::install();
  auto [status, signal] = co_await first_of(std::move(work), signals.next());
  co_return status.value_or(Status::interrupted);
}

// Kind: Conversation, or DatagramConversation.
template <class Kind>
Task<Status> once(Loop& loop, const ConnectSettings& settings, Talk& talk) {
  Kind conversation(loop, settings, talk);
  talk.set_writer([&conversation](std::string line) { conversation.tell(std::move(line)); });
  const Result<Outcome> outcome = co_await as_result(conversation.converse());
  talk.set_writer({});
  if (!outcome) co_return outcome.error();
  co_return outcome->status;
}

template <class Kind>
Task<Outcome> one_of_many(Loop& loop, const ConnectSettings& settings, const Talk& talk) {
  Kind conversation(loop, settings, talk);
  co_return co_await conversation.converse();
}

template <class Kind>
Task<Status> run(Loop& loop, const ConnectSettings& settings, Talk& talk) {
  if (settings.repeat == 0) co_return co_await once<Kind>(loop, settings, talk);
  Repetition repetition(loop, settings, talk, [&] { return one_of_many<Kind>(loop, settings, talk); });
  co_return co_await repetition.run();
}

// A descriptor knows its own kind.
bool takes_datagrams(const Endpoint& where) {
  if (where.form != Endpoint::Form::descriptor) return where.kind == Kind::datagram;
  const Result<os::Adopted> found = os::examine(where.descriptor);
  return found && found->kind == Kind::datagram;
}

}  // namespace

Status connect(const ConnectSettings& settings, Talk& talk) {
  View view(talk, settings.view);
  LoopOptions options;
  options.backend.choice = settings.backend;
  Result<std::unique_ptr<Loop>> loop = Loop::make(std::move(options));
  if (!loop) {
    talk.complain(loop.error());
    return status_of(loop.error());
  }
  view.attach(**loop);
  const bool datagrams = takes_datagrams(settings.where);
  if (datagrams && settings.check) {
    talk.complain(messages::no_check_of_datagrams, settings.where.to_string(), "--check");
    return Status::usage;
  }
  const auto work = [&] {
    return until_signal(datagrams ? run<DatagramConversation>(**loop, settings, talk)
                                  : run<Conversation>(**loop, settings, talk));
  };
  const Result<Status> outcome = (*loop)->block_on(work);
  if (!outcome) talk.complain(outcome.error());
  const Status status = outcome ? *outcome : status_of(outcome.error());
  // A name server that does not answer is nothing to wait for: the time is up, or somebody pressed Ctrl-C. All that this
  // run had has been let go of; the helper that asks the name server ends with the process.
  if ((*loop)->busy_helpers() != 0) std::_Exit(static_cast<int>(status));
  return status;
}

}  // namespace meari::command
