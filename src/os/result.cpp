// The ends of a program that has no better answer to a failure. They live here, in the library, so that a program
// without exceptions can use Result::value() too: there a Failure that nobody catches ends it with its message.
#include <meari/quote.hpp>
#include <meari/result.hpp>

#include <cstdio>
#include <cstdlib>

namespace meari {
inline namespace v1 {

namespace {

std::string explained(const Error& error) {
  std::string text = quote(error.message(), {.keep_quotes = true});
  if (*error.advice() != '\0') text.append(" (").append(error.advice()).append(")");
  return text;
}

}  // namespace

Failure::Failure(Error error) : error_(std::move(error)), text_(explained(error_)) {}

[[noreturn]] void raise(const Error& error) {
#if defined(__cpp_exceptions)
  throw Failure(error);
#else
  std::fprintf(stderr, "%s\n", explained(error).c_str());
  std::abort();
#endif
}

[[noreturn]] void broken(const char* what) noexcept {
  std::fprintf(stderr, "meari: %s\n", what);
  std::abort();
}

}  // namespace v1
}  // namespace meari
