// Talk: what the command says to the person in front of it, in that person's language, a line at a time.
//
//   talk.say(messages::connected, "127.0.0.1:9000", "127.0.0.1:53422");
//   talk.complain(error);                      // meari: connect to 127.0.0.1:9000: connection refused
//                                              //        Nothing listens there; is the server running …
//
// All of it goes to standard error, so that standard output is the payload's alone, and every line goes through quote():
// whatever a peer, a path or a name holds, a line stays one line and a terminal is not told what to do.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <meari/error.hpp>

#include "language.hpp"

namespace meari::command {

class Talk {
 public:
  // Takes a whole line, with its end.
  using Writer = std::function<void(std::string line)>;

  explicit Talk(Language language) : language_(language) {}

  [[nodiscard]] Language language() const noexcept { return language_; }
  void set_quiet(bool quiet) noexcept { quiet_ = quiet; }
  [[nodiscard]] bool quiet() const noexcept { return quiet_; }
  // Lines go there instead of straight to standard error.
  void set_writer(Writer writer) { writer_ = std::move(writer); }

  [[nodiscard]] std::string_view text(const Text& text) const noexcept { return text.in(language_); }
  template <class... Args>
  [[nodiscard]] std::string text(const Message<Args...>& message, const std::type_identity_t<Args>&... args) const {
    return message.in(language_, args...);
  }

  // Not said when the user wants quiet.
  template <class... Args>
  void say(const Message<Args...>& message, const std::type_identity_t<Args>&... args) const {
    if (!quiet_) line(text(message, args...));
  }
  // What went wrong. Always said.
  template <class... Args>
  void complain(const Message<Args...>& message, const std::type_identity_t<Args>&... args) const {
    complain(std::string_view(text(message, args...)));
  }
  void complain(std::string_view sentence) const;
  // With the advice that belongs to it.
  void complain(const Error& error) const;
  // Below a complaint.
  void advise(std::string_view sentence) const;

  void say_line(std::string_view text) const {
    if (!quiet_) line(text);
  }

  // One line, quoted here.
  void line(std::string_view text) const;
  // One line that is printable already: JSON, or pieces that were quoted one by one. Not said when the user wants quiet.
  void whole_line(std::string text) const;

 private:
  void write(std::string line) const;

  Language language_;
  bool quiet_ = false;
  Writer writer_;
};

// Seconds with milliseconds, "0.812".
[[nodiscard]] std::string seconds(std::int64_t nanoseconds);

}  // namespace meari::command
