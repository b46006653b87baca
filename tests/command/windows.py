"""Which tests of the command are not run on meari.exe, and why: a row for each reason. Everything else is the same there.

A row is a pattern for the name (module.Class.test), and the reason."""

import pathlib
import re

UNIX = "wine has no Unix-domain sockets"
INHERITED = "Windows passes no descriptors by number"
TOLD = "Windows tells how much was acknowledged in another way (SIO_TCP_INFO), and wine not at all"
BYTES = "the words of a command line are text on Windows, not bytes"
NO_STANDARD = "wine cannot start a program without its standard streams"
OWNER = "Windows tells which process has a port in another way (GetExtendedTcpTable)"
NO_RESET = "the server of wine takes the error of a reset for itself, in both directions; what is left looks like an end"

ROWS = (
    (r"test_serve\.Addresses\.test_(several_addresses|a_path_that_nobody)", UNIX),
    (r"test_connect\.Pipe\.test_over_a_unix_socket", UNIX),
    (r"test_connect\.Connecting\.test_names_and_paths", UNIX),
    (r"test_serve\.Output\.test_a_path_cannot_forge", UNIX),
    (r"test_serve\.Addresses\.test_a_listening_socket_can_be_inherited", INHERITED),
    (r"test_serve\.Output\.test_nobody_waits_for_who_reads", INHERITED),
    (r"test_serve\.Output\.test_it_serves_without_standard", NO_STANDARD),
    (r"test_connect\.Pipe\.test_over_a_connection_that_somebody_else", INHERITED),
    (r"test_serve\.Addresses\.test_an_(address_in_use_names|owner_of_a_datagram)", OWNER),
    (r"test_bench\.Bench\.test_(hold_finds_everybody|the_report_and_what_is_saved)", OWNER + ": bench measures the server through it"),
    (r"test_connect\.Check\.test_a_short_echo", TOLD),
    (r"test_connect\.CutShort\.test_(a_reset_is_told|a_peer_that_leaves|an_interrupt|in_korean|silence)", TOLD),
    (r"test_serve\.Handlers\.test_greet_keeps_the_bytes", BYTES),
    (r"test_connect\.Message\.test_every_byte", BYTES),
    (r"test_connect\.AbsentInput\.", NO_STANDARD),
    (r"test_forward\.Forward\.test_(unix_domain_sockets|a_target_that_is_this_server)", UNIX),
    (r"test_serve\.Handlers\.test_who_resets", NO_RESET),
    (r"test_serve\.Limits\.test_once_serves_one", NO_RESET),
    (r"test_forward\.Forward\.test_a_client_may_have_the_port", "a socket of Windows is bound before it connects, and so nobody shares its port"),
    (r"test_forward\.Forward\.test_a_(loop_through|reset_is_passed_on)", NO_RESET),
    (r"test_bench\.Bench\.test_unix_sockets", UNIX),
    (r"test_recording\.Both\.test_several_sessions_addresses", UNIX),
    (r"test_recording\.HexDump\.test_who_does_not_read_the_lines", INHERITED),
    (r"test_flags\.Mistakes\.test_a_descriptor_that_nobody_opened", INHERITED),
    (r"test_recording\.Record\.test_names_and_modes", "Windows has no modes of files; who may read them is inherited from the folder"),
    (r"test_recording\.Record\.test_a_full_disk", "the limit of a file's size ends programs under wine"),
    (r"test_many\.Starved\.", "it takes descriptors away with a limit of Linux"),
    (r"test_many\.WithoutUring\.", "io_uring is of Linux"),
    (r"test_connect_flags\.Retry\.test_a_path_that_appears", UNIX),
    (r"test_connect_flags\.Dump\.test_on_a_terminal", "wine paints a console of its own on a terminal"),
    (r"test_clients\.Output\.test_(every_combination_of_closed|help_that_cannot_be_printed)", NO_STANDARD),
    (r"test_workers\.ReusePort\.", "Windows has no SO_REUSEPORT"),
    (r"test_stdio\.Stdio\.test_one_client_at_a_time", NO_RESET),
    (r"test_admission\.Supervised\.test_(sockets_of_a_supervisor|the_addresses_are_written)", INHERITED),
    (r"test_admission\.Admission\.test_files_are_read_again_on_sighup", "Windows has no SIGHUP"),
    (r"test_services\.Services\.test_daytime_follows_the_time_zone", "the C library of wine cuts names of time zones short"),
    (r"test_serve\.Stopping\.test_(an_ignored_hang_up|idle_sessions_are_ended_at_once)", "wine makes an event of SIGINT, and of no other signal"),
    (r"test_datagrams\.(Nobody\.test_(a_closed_port|other_addresses)|Flags\.test_explain_and_events)",
     "Windows tells of a datagram that was refused in a way that breaks the socket (SIO_UDP_CONNRESET), and so it is not asked to"),
    (r"test_datagrams\.OnATerminal\.", "wine paints a console of its own on a terminal"),
    (r"test_datagrams\.Flags\.test_source", "wine sends from another address of the loopback than the one that was bound"),
    (r"test_datagrams\.Pieces\.test_a_message_(is_one|that_is_too_long)", "a command line of Windows has 32,767 characters at most"),
)


# Modules that are not run at all.
MODULES = {
    "test_catalogue": "it reads the sources",
    "test_editing": "on a console of Windows the system edits the line",
    "test_exec": "it starts programs of Linux; test_exec_windows starts one of Windows",
    "test_explain": TOLD,
    "test_generated": "it compares files, which come from the same table",
    "test_terminal": "wine paints a console of its own on a terminal",
    "test_tools": "it is about programs of Linux",
}


def modules():
    """The modules that run on meari.exe."""
    every = {path.stem for path in pathlib.Path(__file__).parent.glob("test_*.py")}
    return sorted(every - MODULES.keys())


def reason(name):
    """Why a test is not run; nothing when it is."""
    return next((why for pattern, why in ROWS if re.search(pattern, name)), None)


if __name__ == "__main__":
    print("\n".join(modules()))
