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
  };
  Kind kind = Kind::fails;
  int error = 0;
  // "From then on" is a storm of so many: no kernel interrupts a call for ever, or says "not yet" of what is there.
  bool passes = false;
  bool once_only = false;  // it cannot last: see where it stands in the table
};

struct Function {
  std::string_view name;
  std::vector<Fault> faults;
  const char* none = nullptr;  // why it has no faults
};

[[nodiscard]] std::span<const Function> functions();
[[nodiscard]] int function_index(std::string_view name) noexcept;  // -1: not in the table
[[nodiscard]] std::string name(const Fault& fault);                // "EMFILE", "short"

}  // namespace meari::torture
