"""Which tests of the command are not run on meari.exe, and why: a row for each reason. Everything else is the same there.

A row is a pattern for the name (module.Class.test), and the reason."""

import pathlib
import re

UNIX = "wine has no Unix-domain sockets"
INHERITED = "Windows passes no descriptors by number"
TOLD = "Windows tells how much was acknowledged in another way (SIO_TCP_INFO), and wine not at all"
BYTES = "the words of a command line are text on Windows, not bytes"
NO_STANDARD = "wine cannot start a program without its standard streams"
NO_RESET = "the server of wine takes the error of a reset for itself, in both directions; what is left looks like an end"
EXEC = "exec does not start programs on Windows yet"

ROWS = (
    (r"test_serve\.Addresses\.test_(several_addresses|a_path_that_nobody)", UNIX),
    (r"test_connect\.Pipe\.test_over_a_unix_socket", UNIX),
    (r"test_connect\.Connecting\.test_names_and_paths", UNIX),
    (r"test_serve\.Output\.test_a_path_cannot_forge", UNIX),
    (r"test_serve\.Addresses\.test_a_listening_socket_can_be_inherited", INHERITED),
    (r"test_serve\.Output\.test_nobody_waits_for_who_reads", INHERITED),
    (r"test_serve\.Output\.test_it_serves_without_standard", NO_STANDARD),
    (r"test_connect\.Pipe\.test_over_a_connection_that_somebody_else", INHERITED),
    (r"test_serve\.Addresses\.test_an_(address_in_use_names|owner_of_a_datagram)", "Windows tells it in another way (GetExtendedTcpTable)"),
    (r"test_connect\.Check\.test_a_short_echo", TOLD),
    (r"test_connect\.CutShort\.test_(a_reset_is_told|a_peer_that_leaves|an_interrupt|in_korean|silence)", TOLD),
    (r"test_serve\.Handlers\.test_greet_keeps_the_bytes", BYTES),
    (r"test_connect\.Message\.test_every_byte", BYTES),
    (r"test_connect\.AbsentInput\.", NO_STANDARD),
    (r"test_forward\.Forward\.test_(unix_domain_sockets|a_target_that_is_this_server)", UNIX),
    (r"test_serve\.Handlers\.test_who_resets", NO_RESET),
    (r"test_serve\.Limits\.test_once_serves_one", NO_RESET),
    (r"test_forward\.Forward\.test_a_(loop_through|reset_is_passed_on)", NO_RESET),
    (r"test_connect_flags\.Retry\.test_a_path_that_appears", UNIX),
    (r"test_connect_flags\.Dump\.test_on_a_terminal", "wine paints a console of its own on a terminal"),
    (r"test_clients\.Clients\.test_(exec|bench_is_a_client_as_well)", EXEC),
    (r"test_clients\.Output\.test_(every_combination_of_closed|help_that_cannot_be_printed)", NO_STANDARD),
    (r"test_workers\.ReusePort\.", "Windows has no SO_REUSEPORT"),
    (r"test_serve\.Stopping\.test_(an_ignored_hang_up|idle_sessions_are_ended_at_once)", "wine makes an event of SIGINT, and of no other signal"),
)


# Modules that are not run at all.
MODULES = {
    "test_catalogue": "it reads the sources",
    "test_editing": "on a console of Windows the system edits the line",
    "test_exec": EXEC,
    "test_explain": TOLD,
    "test_generated": "it compares files, which come from the same table",
    "test_terminal": "wine paints a console of its own on a terminal",
    "test_tools": "it is about programs of Linux",
}
# Nobody has gone through these yet: which of their tests fit Windows is not known.
NOT_YET = ("test_admission", "test_bench", "test_chat", "test_clients", "test_datagrams", "test_flags", "test_limits", "test_many", "test_recording", "test_services", "test_stdio")


def modules():
    """The modules that run on meari.exe."""
    every = {path.stem for path in pathlib.Path(__file__).parent.glob("test_*.py")}
    return sorted(every - MODULES.keys() - set(NOT_YET))


def reason(name):
    """Why a test is not run; nothing when it is."""
    return next((why for pattern, why in ROWS if re.search(pattern, name)), None)


if __name__ == "__main__":
    print("\n".join(modules()))
