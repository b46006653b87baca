"""Line editing and history of `meari connect` on a terminal, as a person sees it: the screen is compared, not the bytes."""

import codecs
import fcntl
import os
import re
import signal
import stat
import subprocess
import termios
import threading
import time
import unittest

import support
from screen import Screen
from support import LOOPBACK
from test_terminal import Terminal

HAS_EDITING = b"libedit" in subprocess.run(["ldd", support.MEARI], capture_output=True).stdout
LEFT, RIGHT, UP, DOWN, DELETE, HOME, END = "\x1b[D", "\x1b[C", "\x1b[A", "\x1b[B", "\x1b[3~", "\x1bOH", "\x1b[F"


class Person(Terminal):
    def __init__(self, folder, *words, columns=80, lang="C.UTF-8"):
        self.screen = Screen(columns)
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        super().__init__("env", "TERM=xterm", f"XDG_STATE_HOME={folder}", support.MEARI, "connect", *words, lang=lang, columns=columns,
                         preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))  # so that Ctrl-C is a signal

    def read(self, seconds):
        before = len(self.seen)
        going = super().read(seconds)
        self.screen.write(self.decoder.decode(self.seen[before:]))
        return going

    def press(self, *keys):
        self.type("".join(keys).encode())

    def sees(self, pattern, row=0):
        """Waits until the screen shows it, from a row on."""
        deadline = time.monotonic() + support.DEADLINE
        while not re.search(pattern, self.screen.text(row), re.MULTILINE):
            if self.read(max(0, deadline - time.monotonic())) is not True:
                raise AssertionError(f"{pattern!r} is not on the screen:\n{self.screen.text()}")


@unittest.skipUnless(HAS_EDITING, "built without libedit")
class Editing(support.Case):
    def setUp(self):
        self.state = self.folder()

    def person(self, server, *flags, **more):
        person = self._entered(Person(self.state, *flags, f"{LOOPBACK}:{server.port}", **more))
        person.sees(r"^>$")
        return person

    @support.needs("bash")
    def test_after_a_stop_the_line_is_edited_as_before(self):
        """Ctrl-Z, then fg, in a shell with job control, which sets the terminal's modes for itself meanwhile."""
        server = self.server(f"{LOOPBACK}:0")

        def modes_are(wanted, terminal):
            deadline = time.monotonic() + support.DEADLINE
            while termios.tcgetattr(terminal.ours)[:4] != wanted and time.monotonic() < deadline:
                time.sleep(0.01)
            self.assertEqual(termios.tcgetattr(terminal.ours)[:4], wanted)
        with Terminal("env", "TERM=xterm", "PS1=ready$ ", f"XDG_STATE_HOME={self.state}", "bash", "--norc", "--noprofile", "--noediting", "-i",
                      preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)) as shell:
            shell.wait_for(rb"ready\$ ")
            of_the_shell = termios.tcgetattr(shell.ours)[:4]
            shell.type(f"{support.MEARI} connect {LOOPBACK}:{server.port}\n".encode())
            shell.wait_for(rb"\n> ")
            while termios.tcgetattr(shell.ours)[3] & termios.ICANON:
                time.sleep(0.01)
            editing = termios.tcgetattr(shell.ours)[:4]
            shell.type(b"hel")
            shell.wait_for(rb"hel")
            shell.type(b"\x1a")
            shell.wait_for(rb"Stopped.*\s.*ready\$ ")
            modes_are(of_the_shell, shell)
            shell.type(b"fg\n")
            shell.wait_for(rb"\x1b\[J> hel$")                               # what was typed stands there again
            modes_are(editing, shell)
            shell.type(b"lo\r")
            shell.wait_for(rb"bytes received: 6")
            shell.type(b"\x04")
            shell.wait_for(rb"ready\$ ")
            modes_are(of_the_shell, shell)

    def echo_with(self, *flags):
        return self.person(self.server(f"{LOOPBACK}:0"), *flags)

    def echo(self, **more):
        return self.person(self.server(f"{LOOPBACK}:0"), **more)

    def sends(self, person, keys, line):
        """These keys make this line; the echo shows what was sent."""
        person.press(keys, "\r")
        person.sees(rf"^{re.escape(f'> {line}'.rstrip())}\n  bytes sent: {len(line.encode()) + 1}\n{re.escape(line)}\n  bytes received: {len(line.encode()) + 1}\n>$", person.screen.row)

    def test_keys(self):
        person = self.echo()
        for keys, line in (("hello", "hello"), ("helo" + LEFT + "l", "hello "[:5]), ("ello" + HOME + "h", "hello"), ("hxello" + "\x01" + RIGHT + DELETE, "hello"),
                           ("hellox\x7f", "hello"), ("one two\x17three", "one three"), ("gone\x15come", "come"), ("ab" + LEFT + LEFT + END + "c", "abc"),
                           ("x" + "\x1b[15~" + "\x1b[200~" + "y", "xy"), ("a\x12\x16\x18\x1bxb", "ab")):
            self.sends(person, keys, line)
        person.press("\x04")
        self.assertEqual(person.end(), 0)
        self.assertRegex(person.screen.text(), r"the peer closed cleanly\Z")

    def test_korean(self):
        """Wide characters: the cursor moves by one of them, which are two columns and three bytes."""
        person = self.echo(lang="ko_KR.UTF-8")
        person.press("메아리 한글", LEFT, LEFT, "X", "\x7f", HOME, DELETE, "산")
        person.sees(r"^> 산아리 한글$")
        self.assertEqual(person.screen.cursor[1], 4)
        person.press("\r")
        person.sees(r"^> 산아리 한글\n  보냄 17바이트\n산아리 한글\n  받음 17바이트\n>$")

    def test_characters_that_come_in_pieces(self):
        person = self.echo()
        for byte in "글é😀".encode():
            person.type(bytes([byte]))
        person.press("\r")
        person.sees(r"^> 글é😀\n  bytes sent: 10\n")

    def test_a_line_longer_than_the_window(self):
        person = self.echo(columns=40)
        person.press("0123456789" * 5, LEFT * 45, "+")
        person.sees(r"^> 01234\+56789012345678901234567890123456\n7890123456789$")
        person.press("\r")
        person.sees("bytes sent: 52")

    def test_what_comes_while_a_line_is_edited_leaves_the_line_whole(self):
        typed = threading.Event()

        def talk(connection):
            connection.sendall(connection.recv(100))
            typed.wait(support.DEADLINE)
            connection.sendall("소식\nof two lines\n".encode())
            support.read_all(connection)
        server = self.peer(talk)
        person = self.person(server, columns=20)
        person.press("go\r")
        person.sees(r"^go\n  bytes received: 3\n>$")
        person.press("half a line that is wide 한글", LEFT)
        person.sees(r"^> half a line that i\ns wide 한글\Z")
        typed.set()
        person.sees(r"^소식\nof two lines\n  bytes received: 20\n> half a line that i\ns wide 한글\Z")
        self.assertEqual(person.screen.cursor[1], 9)
        person.press("!\r")
        person.sees("bytes sent: 33$")
        self.assertEqual(person.screen.text().count("half"), 1)

    def test_what_explain_says_meanwhile_leaves_the_line_whole(self):
        typed = threading.Event()

        def talk(connection):
            typed.wait(support.DEADLINE)
            connection.sendall(b"news\n")
            support.read_all(connection)
        person = self.person(self.peer(talk), "--explain")
        person.press("한글")
        person.sees(r"^> 한글\Z")
        typed.set()
        person.sees(r"^news\n  bytes received: 5\n> 한글\Z")
        person.sees(r'recv\(\).*"news\\n"')
        self.assertEqual(person.screen.text().count("한글"), 1)

    def test_what_is_said_at_the_end_stands_below_the_line(self):
        for flags in ([], ["--explain"]):
            person = self.echo_with(*flags)
            person.press("half a line")
            person.sees("^> half a line$")                                 # Ctrl-C throws away what has not been read
            person.press("\x03")
            self.assertEqual(person.end(), 130)
            self.assertRegex(person.screen.text(), r"(?m)^> half a line(\^C)?\nmeari: sent 0, acknowledged 0, received 0; you interrupted it$")
            self.assertEqual(len(re.findall("^>", person.screen.text(), re.MULTILINE)), 1)

    def test_history_over_several_runs(self):
        server = self.server(f"{LOOPBACK}:0")
        person = self.person(server)
        for line in ("first", "둘째 줄", "둘째 줄", " secret", ""):
            self.sends(person, line, line)
        self.sends(person, UP + UP, "first")
        self.sends(person, UP + UP + DOWN, "first")
        person.press("\x04")
        self.assertEqual(person.end(), 0)
        path = f"{self.state}/meari/history"
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "first\n둘째 줄\nfirst\n")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode), 0o700)
        again = self.person(server)
        self.sends(again, UP + UP, "둘째 줄")

    def test_the_history_has_an_end(self):
        os.mkdir(f"{self.state}/meari")
        with open(f"{self.state}/meari/history", "w", encoding="utf-8") as file:
            file.writelines(f"line {number}\n" for number in range(1500))
        person = self.echo()
        self.sends(person, UP, "line 1499")
        self.sends(person, "last", "last")
        person.press("\x04")
        person.end()
        with open(f"{self.state}/meari/history", encoding="utf-8") as file:
            lines = file.read().splitlines()
        self.assertEqual((len(lines), lines[0], lines[-1]), (1000, "line 501", "last"))

    def test_a_history_that_cannot_be_kept_disturbs_nobody(self):
        os.chmod(self.state, 0o500)
        with open(f"{self.state}/meari", "w", encoding="utf-8") if os.geteuid() == 0 else open(os.devnull, "w", encoding="utf-8"):
            pass                                                           # root may write anywhere, but not into a file as if it were a folder
        person = self.echo()
        self.sends(person, "hello", "hello")
        person.press("\x04")
        self.assertEqual(person.end(), 0)

    def test_the_terminal_is_as_it_was(self):
        for how in ("\x04", "\x03", "SIGTERM"):
            person = self.echo()
            before = termios.tcgetattr(person.ours)
            self.assertFalse(before[3] & termios.ICANON)                   # it is being edited on
            if how == "SIGTERM":
                person.process.send_signal(signal.SIGTERM)
            else:
                person.press("half a line" if how == "\x03" else "", how)
            self.assertEqual(person.end(), 0 if how == "\x04" else 130)
            self.assertTrue(termios.tcgetattr(person.ours)[3] & termios.ICANON)

    def test_what_is_pasted_is_sent_line_by_line(self):
        person = self.echo()
        person.press("".join(f"line {number}\r" for number in range(50)))
        person.sees("^line 49\n  bytes received: 8\n>$")
        person.press("\x04")
        self.assertEqual(person.end(), 0)
        self.assertRegex(person.screen.text(), r"sent 390, acknowledged 390, received 390; the peer closed cleanly")

    def test_a_dumb_terminal_edits_for_itself(self):
        server = self.server(f"{LOOPBACK}:0")
        terminal = self._entered(Terminal(support.MEARI, "connect", f"{LOOPBACK}:{server.port}"))
        terminal.wait_for(rb"> ")
        self.assertTrue(termios.tcgetattr(terminal.ours)[3] & termios.ICANON)


if __name__ == "__main__":
    unittest.main()
