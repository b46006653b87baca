// How each call can fail: for every function that sys:: wraps and every opcode that goes into a ring, the errors of its
// manual page (Linux man-pages 6; io_uring_enter(2) for the opcodes) and, where it moves bytes, a short count.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace meari::torture {

struct Fault {
  enum class Kind : std::uint8_t {
    fails,   // the call is not made and gives the error
    after,   // the call is made, and says this afterwards: what it began goes on (connect with EINTR)
    counts,  // the call moves a single byte
    answer,  // the call gives this number as its result (getaddrinfo)
    late,    // of a cancel: this is its answer, and its target is over only when the ring is entered again
  };
  Kind kind = Kind::fails;
  int error = 0;
  // "From then on" is a storm of so many, which must not be seen from outside. And for ever, where that can be: then what
  // has a deadline still has to end.
  bool passes = false;
  // The library takes it at its word, so what is said not to be open stays open.
  bool strays = false;
};

struct Function {
  std::string_view name;
  std::vector<Fault> faults;
  const char* none = nullptr;  // why it has no faults
};

// Could a kernel go on with it for ever? It may say "not yet" as long as it likes; but only calls that wait are interrupted
// again and again, for the others a signal has come and gone, and what goes wrong with a connection that was to be accepted
// takes it out of the queue.
[[nodiscard]] bool may_go_on(std::string_view function, const Fault& fault) noexcept;

[[nodiscard]] std::span<const Function> functions();
[[nodiscard]] int function_index(std::string_view name) noexcept;  // -1: not in the table
[[nodiscard]] std::string name(const Fault& fault);                // "EMFILE", "short"

}  // namespace meari::torture
