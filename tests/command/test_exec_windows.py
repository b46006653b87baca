"""`meari.exe serve exec -- PROGRAM`: what holds for programs on Windows. They are all one program ($MEARI_PROGRAM, from
program_windows.cpp), whose first argument says what it does; whether it has ended is told by the end of a connection that
it holds."""

import os
import pathlib
import re
import shutil
import socket
import struct
import unittest

import support
from support import LOOPBACK, exchange, meari, on_windows, read_all

PROGRAM = pathlib.Path(support.PROGRAM)


def reset(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@unittest.skipUnless(support.WINDOWS and PROGRAM.name, "there are no programs of Windows here")
class Exec(support.Case):
    def exec(self, *words, flags=(), **more):
        return self.server("exec", *flags, f"{LOOPBACK}:0", "--", on_windows(PROGRAM), *words, **more)

    def said(self, *words, **more):
        server = self.exec(*words, **more)
        with server.connect() as client:
            return read_all(client)

    def holder(self):
        """A port where programs hold on, and a function that waits until one has gone."""
        listener = socket.create_server((LOOPBACK, 0))
        listener.settimeout(support.DEADLINE)
        self.addCleanup(listener.close)

        def arrival():
            connection, _ = listener.accept()
            connection.settimeout(support.DEADLINE)
            self.addCleanup(connection.close)

            def gone():
                try:
                    return connection.recv(1) == b""
                except ConnectionResetError:
                    return True
            return gone
        return str(listener.getsockname()[1]), arrival

    def test_the_client_talks_with_the_program_and_half_closes(self):
        server = self.exec("cat")
        for data in (b"", b"x", b"\x1a\r\n\0", os.urandom(2_000_000)):
            with server.connect() as client:
                self.assertEqual(exchange(client, data), data)
        self.assertEqual(server.stop(), 0)

    def test_the_end_of_the_program_is_the_end(self):
        server = self.exec("arguments", "hello")
        with server.connect() as client:
            client.sendall(b"x" * 30_000)                                  # that nobody reads
            self.assertEqual(read_all(client), b"[hello]\n")
        self.assertEqual(server.stop(), 0)

    def test_arguments_are_a_vector(self):
        words = ["", " ", "a b", "--once", "--", "*", "?", "%PATH%", "^&|<>", '"', '\\"', "\\", "a\\", "a b\\", "a b\\\\", 'a\\\\"b c"', "\t", "!x!",
                 "'x y'", "안녕 하세요", "C:\\a b\\"]
        self.assertEqual(self.said("arguments", *words).decode(), "".join(f"[{word}]\n" for word in words))

    def test_the_environment_is_an_allow_list(self):
        os.environ["MEARI_TEST_SECRET"] = "secret"
        os.environ["LC_TEST"] = "한국"
        self.addCleanup(os.environ.pop, "MEARI_TEST_SECRET")
        self.addCleanup(os.environ.pop, "LC_TEST")
        server = self.exec("environment")
        with server.connect() as client:
            variables = dict(line.split("=", 1) for line in read_all(client).decode().splitlines())
            self.assertEqual(variables["MEARI_PEER"], f"{LOOPBACK}:{client.getsockname()[1]}")
        self.assertEqual(variables["MEARI_LOCAL"], f"{LOOPBACK}:{server.port}")
        self.assertEqual(variables["MEARI_SESSION"], "1")
        self.assertEqual(variables["LC_TEST"], "한국")
        # The others are wine's own: every program gets them.
        names = {name.upper() for name in variables if not re.match("LC_|WINE|SystemDrive$", name, re.IGNORECASE)}
        self.assertLessEqual({"PATH", "SYSTEMROOT"}, names)
        self.assertLessEqual(names, {"PATH", "SYSTEMROOT", "HOME", "LANG", "TZ", "MEARI_PEER", "MEARI_LOCAL", "MEARI_SESSION"})

    def test_nothing_is_inherited_but_three_handles(self):
        server = self.exec("handles")
        with server.connect() as first, server.connect() as second:
            self.assertEqual((read_all(first), read_all(second)), (b"3\n", b"3\n"))

    def test_standard_error_is_in_our_log(self):
        server = self.exec("complain", "one", "two \x1b[31m", "long" * 1000, "end")
        with server.connect() as client:
            self.assertEqual(read_all(client), b"")
        server.wait_for(r"^#1 the program: one$")
        server.wait_for(r"^#1 the program: two \\x1b\[31m$")
        server.wait_for(r"^#1 the program: (long){256}$", count=3)
        server.wait_for(r"^#1 the program: end$")

    def test_how_it_ended_is_told_where_it_went_wrong(self):
        for status in (7, 0xC0000005):
            server = self.exec("status", status)
            with server.connect() as client:
                self.assertEqual(read_all(client), b"")
            server.wait_for(f"^#1 the program ended with status {status}$")

    def test_a_client_that_goes_ends_its_program_and_all_that_it_has_started(self):
        for what in ("hold", "start", "leave"):
            with self.subTest(what):
                port, arrival = self.holder()
                server = self.exec(what, port)
                client = server.connect()
                gone = arrival()
                reset(client)
                self.assertTrue(gone())
                server.wait_for("#1 .*received 0, sent")
                self.assertEqual(server.stop(), 0)

    def test_what_a_program_leaves_behind_goes_with_it(self):
        port, arrival = self.holder()
        server = self.exec("leave", port)
        with server.connect() as client:
            gone = arrival()
            self.assertEqual(exchange(client, b"x"), b"x")                 # it ends with its input, as usual
            self.assertTrue(gone())
        server.wait_for("#1 .*finished")

    def test_nothing_outlives_the_server(self):
        """However it ends: it has no time to end its programs here."""
        port, arrival = self.holder()
        server = self.exec("start", port)
        with server.connect():
            gone = arrival()
            server.kill()
            self.assertTrue(gone())

    def test_stopping_ends_programs_that_wait(self):
        server = self.exec("cat")
        with server.connect() as client:
            client.sendall(b"x")
            self.assertEqual(client.recv(1), b"x")
            self.assertEqual(server.stop(), 0)
            self.assertEqual(client.recv(1), b"")
        server.wait_for("received 1, sent 1, .*finished")                  # its input ended, and so did it

    def test_an_idle_program_is_ended(self):
        port, arrival = self.holder()
        server = self.exec("hold", port, flags=("--idle", "200ms"))
        with server.connect() as client:
            gone = arrival()
            client.shutdown(socket.SHUT_WR)
            self.assertTrue(gone())
        server.wait_for("timed out")

    def test_programs_that_cannot_be_started_are_refused_at_once(self):
        folder = pathlib.Path(self.folder())
        for name in ("x.bat", "x.cmd", "text"):
            (folder / name).write_text("no program")
        here = on_windows(folder)
        for name, why in (("no-such-program-here", "no such"), (f"{here}\\no-such-program", "no such"), (f"{here}\\text", "permission"),
                          (here, "permission"), ("C:\\", "permission"), (f"{here}\\x.bat", "cmd.exe would"), (f"{here}\\x.cmd", "cmd.exe would"),
                          (f"{here}\\x.BAT. .", "cmd.exe would"), ("x.bat", "cmd.exe would"), ("x.bat ", "cmd.exe would")):
            with self.subTest(name):
                run = meari("serve", "exec", "0", "--", name)
                self.assertEqual(run.returncode, 1, run.stderr)
                self.assertIn(why, run.stderr.decode())
        korean = meari("serve", "exec", "0", "--", "x.bat", lang="ko_KR.UTF-8")
        self.assertIn("cmd.exe는", korean.stderr.decode())

    def test_a_file_that_is_no_program_fails_its_session(self):
        file = pathlib.Path(self.folder()) / "text.exe"
        file.write_text("no program")
        server = self.server("exec", f"{LOOPBACK}:0", "--", on_windows(file))
        for _ in range(2):
            with server.connect() as client:
                try:
                    self.assertEqual(client.recv(1), b"")
                except ConnectionResetError:
                    pass
        server.wait_for(r"#2 .*start .*text\.exe")
        self.assertEqual(server.stop(), 0)

    def test_names_are_found_in_path_without_their_end(self):
        folder = pathlib.Path(self.folder())
        shutil.copy(PROGRAM, folder / "a program 프로그램.exe")
        os.environ["WINEPATH"] = on_windows(folder)
        self.addCleanup(os.environ.pop, "WINEPATH")
        for name in ("a program 프로그램", "A PROGRAM 프로그램.EXE", on_windows(folder / "a program 프로그램")):
            server = self.server("exec", f"{LOOPBACK}:0", "--", name, "arguments", "x")
            with server.connect() as client:
                self.assertEqual(read_all(client), b"[x]\n")


if __name__ == "__main__":
    unittest.main()
