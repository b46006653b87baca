#include "connect.hpp"

#include <memory>

#include <meari/loop.hpp>
#include <meari/scope.hpp>

#include "conversation.hpp"

namespace meari::command {

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
  Conversation conversation(**loop, settings, talk);
  const Result<Status> status = (*loop)->block_on([&conversation] { return conversation.run(); });
  if (status) return *status;
  talk.complain(status.error());
  return status_of(status.error());
}

}  // namespace meari::command
