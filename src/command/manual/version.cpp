#include "version.hpp"

#include <memory>
#include <string_view>

#include <meari/backend.hpp>
#include <meari/quote.hpp>
#include <meari/version.hpp>

#include "src/command/speech/compiler.hpp"
#include "src/command/speech/library_text.hpp"
#include "src/command/speech/messages.hpp"

namespace meari::command {
std::string version_text(Language language) {
  std::string text = "meari " + std::string(linked_version()) + '\n';
  text += messages::compiled_by.in(language, compiler) + '\n';
  const Result<ChosenBackend> chosen = choose_backend();
  if (!chosen) return text + messages::backend_is.in(language, message_of(language, chosen.error())) + '\n';
  text += messages::backend_is.in(language, chosen->backend->name()) + '\n';
  if (!chosen->refused.empty())
    text += messages::backend_refused.in(language, translated(language, chosen->refused)) + '\n';
  return text;
}

}  // namespace meari::command
