// The handler exec: a program of its own for each client, which is its standard input and output.
//
//   client ──► input     the client's end is the program's end of input
//   client ◄── output    the end of the output is ours; the session is over when the program is, too
//              errors ──► our log, line by line
//
// The program is started with an argument vector: nothing that a client sends, and no shell, ever makes words of a command.
// Of our environment it gets PATH, HOME, LANG, LC_* and TZ, on Windows SystemRoot as well, and in addition MEARI_PEER,
// MEARI_LOCAL and MEARI_SESSION.
//
// When the client has gone the program gets its end of input, a moment to notice, SIGTERM, and at last SIGKILL; so does
// whatever it has started and left in its process group. It is always waited for.
#pragma once

#include "handlers.hpp"

namespace meari::command {

[[nodiscard]] Handling handling_of_execution(Premises& premises);

}  // namespace meari::command
