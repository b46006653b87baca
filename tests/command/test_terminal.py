"""`meari connect` and `meari serve` on a terminal: the conversation line by line, and nothing but printable text, whatever a
peer sends."""

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
import tty
import unicodedata
import unittest

import support
from support import LOOPBACK, meari, on_backends

ESCAPES = [
    b"\x1b[31mred\x1b[0m", b"\x1b]0;title\x07", b"\x1b]52;c;aGVsbG8=\x07", b"\x1b]8;;http://example.org\x1b\\link\x1b]8;;\x1b\\",
    b"\x9b31m", b"\x9d0;title\x9c", b"\xc2\x9b31m", b"\x1b[?2004h", b"\x1b[2J\x1b[H", b"\x1bc", b"\x0e\x0f", b"\x08\x08\x08", b"\rover",
    b"\x1bP$q\"p\x1b\\", b"\xc0\x9b\xe0\x80\x9b", b"\xf8\x88\x80\x80\x80", "\u202eabc\u2066\u200b\ufeff".encode(), b"\xed\xa0\x80", b"\xff\xfe",
]
EVERYTHING = bytes(range(256)) + b"\n" + b"\n".join(ESCAPES) + b"\n" + "한글 ☃ é".encode() + b"\n"


def answering(data, wait=True):
    """Sends the data, after the peer has finished sending."""
    def talk(connection):
        if wait:
            support.read_all(connection)
        connection.sendall(data)
    return talk


class Terminal:
    """A program with a pseudo-terminal as its standard input and output, without the terminal's own echo."""

    def __init__(self, *words, lang="C.UTF-8", raw=False, stderr_too=True, stdin=True, columns=0, **more):
        self.ours, theirs = os.openpty()
        if columns:
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        settings = termios.tcgetattr(theirs)
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(theirs, termios.TCSANOW, settings)
        if raw:
            tty.setraw(theirs)
        self.process = subprocess.Popen(words, stdin=theirs if stdin else more.pop("input", subprocess.DEVNULL), stdout=theirs,
                                        stderr=theirs if stderr_too else subprocess.DEVNULL,
                                        env=support.environment(lang), start_new_session=True, **more)
        os.close(theirs)
        self.seen = b""

    def type(self, data):
        while data:
            data = data[os.write(self.ours, data[:256]):]

    def read(self, seconds):
        if not select.select([self.ours], [], [], seconds)[0]:
            return False
        try:
            piece = os.read(self.ours, 65536)
        except OSError:                                                    # EIO: nobody has the other side any more
            return None
        self.seen += piece
        return bool(piece)

    def wait_for(self, pattern):
        """Reads until the pattern is there; what came up to its end is taken."""
        deadline = time.monotonic() + support.DEADLINE
        while not (found := re.search(pattern, self.seen)):
            if self.read(max(0, deadline - time.monotonic())) is not True:
                raise AssertionError(f"{pattern} did not come; there is {self.seen!r}")
        self.seen, taken = self.seen[found.end():], self.seen[:found.end()]
        return taken

    def end(self):
        deadline = time.monotonic() + support.DEADLINE
        while self.read(max(0, deadline - time.monotonic())):
            pass
        return self.process.wait(support.DEADLINE)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.ours)


class Case(support.Case):
    def assertPrintable(self, data):
        text = data.decode()                                               # whole UTF-8, or it fails
        for letter in text:
            if letter not in "\r\n":
                self.assertNotIn(unicodedata.category(letter), ("Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"), repr(letter))

    def terminal(self, *words, **more):
        return self._entered(Terminal(support.MEARI, *words, **more))


class LineByLine(Case):
    @on_backends()
    def test_each_line_is_sent_and_the_reply_and_both_counts_are_printed(self, backend):
        server = self.server(f"{LOOPBACK}:0", backend=backend)
        terminal = self.terminal("connect", "--backend", backend, f"{LOOPBACK}:{server.port}")
        terminal.wait_for(rb"connected to 127\.0\.0\.1:\d+ from 127\.0\.0\.1:\d+\r\n")
        terminal.wait_for(rb"Ctrl-D ends your input")
        for line in ("hello\n", "안녕하세요\n", "\n"):
            data = line.encode()
            terminal.wait_for(rb"> ")
            terminal.type(data)
            size = str(len(data)).encode()
            answer = terminal.wait_for(rb"bytes sent: " + size + rb"\r\n[^>]*bytes received: " + size + rb"\r\n")
            self.assertIn(data.replace(b"\n", b"\r\n"), answer)
        terminal.wait_for(rb"> ")
        terminal.type(b"\x04")
        self.assertEqual(terminal.end(), 0)
        self.assertIn(b"sent 23, acknowledged 23, received 23; the peer closed cleanly", terminal.seen)
        server.wait_for("received 23, sent 23")

    def test_in_korean(self):
        server = self.server(f"{LOOPBACK}:0")
        terminal = self.terminal("connect", f"{LOOPBACK}:{server.port}", lang="ko_KR.UTF-8")
        terminal.wait_for("에 연결했습니다".encode())
        terminal.wait_for(rb"> ")
        terminal.type(b"hello\n")
        terminal.wait_for("  보냄 6바이트\r\nhello\r\n  받음 6바이트\r\n> ".encode())
        terminal.type(b"\x04")
        self.assertEqual(terminal.end(), 0)
        self.assertIn("보냄 6, 확인됨 6, 받음 6; 상대가 정상으로 닫았습니다", terminal.seen.decode())

    def test_what_the_peer_says_unasked_is_printed(self):
        server = self.server("greet", "Hello World!", f"{LOOPBACK}:0")
        terminal = self.terminal("connect", f"{LOOPBACK}:{server.port}")
        self.assertEqual(terminal.end(), 0)                                # the peer has finished: that is the end
        self.assertIn(b"Hello World!\r\n  bytes received: 12\r\n", terminal.seen)
        self.assertIn(b"sent 0, acknowledged 0, received 12; the peer closed cleanly", terminal.seen)

    def test_ctrl_c_ends_everything(self):
        server = self.server(f"{LOOPBACK}:0")
        terminal = self.terminal("connect", f"{LOOPBACK}:{server.port}")
        terminal.wait_for(rb"> ")
        terminal.process.send_signal(signal.SIGINT)
        self.assertEqual(terminal.end(), 130)
        self.assertIn(b"you interrupted it", terminal.seen)

    def test_a_long_line_keeps_its_last_character(self):
        server = self.server(f"{LOOPBACK}:0")
        terminal = self.terminal("connect", f"{LOOPBACK}:{server.port}")
        terminal.wait_for(rb"> ")
        line = b"0123456789" * 100 + b"z\n"
        terminal.type(line)
        answer = terminal.wait_for(rb"bytes received: 1002")
        self.assertIn(line.replace(b"\n", b"\r\n"), answer)


class Printable(Case):
    """256 byte values and a set of escapes through serve and connect."""

    @on_backends()
    def test_typed_lines_come_back_escaped(self, backend):
        server = self.server(f"{LOOPBACK}:0", backend=backend)
        terminal = self.terminal("connect", "--backend", backend, f"{LOOPBACK}:{server.port}", raw=True)
        terminal.wait_for(rb"> ")
        terminal.type(EVERYTHING)
        answer = terminal.wait_for(rb"\xc3\xa9\n(?s:.*)> ")
        self.assertPrintable(answer)
        self.assertIn(rb"\x1b[31mred\x1b[0m", answer)
        terminal.process.send_signal(signal.SIGINT)
        terminal.end()
        self.assertIn(f"sent {len(EVERYTHING)}, acknowledged {len(EVERYTHING)}, received {len(EVERYTHING)}".encode(), terminal.seen)

    def test_nothing_but_printable_text_comes_out_of_connect(self):
        for flags in ([], ["-m", "x"]):
            server = self.peer(answering(EVERYTHING, wait=bool(flags)))
            terminal = self.terminal("connect", *flags, f"{LOOPBACK}:{server.port}")
            self.assertEqual(terminal.end(), 0)
            self.assertPrintable(terminal.seen)
            self.assertIn(rb"\x1b[31mred\x1b[0m", terminal.seen)
            self.assertIn("한글 ☃ é".encode(), terminal.seen)

    def test_characters_in_pieces_are_put_together(self):
        """Each byte of the text in a packet of its own."""
        text = "한글 ☃ é 끝\n".encode()

        def drip(connection):
            for byte in text:
                connection.sendall(bytes([byte]))
                time.sleep(0.005)
        server = self.peer(drip)
        terminal = self.terminal("connect", "-m", "", f"{LOOPBACK}:{server.port}")
        self.assertEqual(terminal.end(), 0)
        self.assertIn(text.replace(b"\n", b"\r\n"), terminal.seen)

    def test_half_a_character_at_the_end_is_escaped(self):
        server = self.peer(lambda connection: connection.sendall(b"a\xed\x95"))
        terminal = self.terminal("connect", "-m", "", f"{LOOPBACK}:{server.port}")
        self.assertEqual(terminal.end(), 0)
        self.assertTrue(terminal.seen.endswith(rb"a\xed\x95" + b"\r\n"), terminal.seen)

    def test_raw_is_what_one_asks_for(self):
        server = self.peer(answering(b"\x1b[31mred\x1b[0m"))
        terminal = self.terminal("connect", "--raw", "-m", "x", f"{LOOPBACK}:{server.port}")
        self.assertEqual(terminal.end(), 0)
        self.assertIn(b"\x1b[31mred\x1b[0m", terminal.seen)

    def test_input_from_a_pipe_does_not_make_the_output_raw(self):
        server = self.peer(lambda connection: connection.sendall(EVERYTHING))
        terminal = self.terminal("connect", f"{LOOPBACK}:{server.port}", stdin=False, input=subprocess.DEVNULL)
        terminal.end()
        self.assertPrintable(terminal.seen)

    @on_backends()
    def test_nothing_but_printable_text_comes_out_of_serve(self, backend):
        with support.socket.create_server((LOOPBACK, 0)) as listener:
            port = listener.getsockname()[1]
            terminal = self.terminal("serve", "--backend", backend, f"fd:{listener.fileno()}", pass_fds=[listener.fileno()])
        terminal.wait_for(rb"listening on .*\r\n")
        for data in (EVERYTHING, *ESCAPES):
            with support.socket.create_connection((LOOPBACK, port), timeout=support.DEADLINE) as client:
                self.assertEqual(support.exchange(client, data), data)
        terminal.wait_for(rf"#{len(ESCAPES) + 1} .* finished\r\n".encode())
        terminal.process.terminate()
        self.assertEqual(terminal.end(), 0)
        self.assertPrintable(terminal.seen)

    def test_errors_are_printable(self):
        for words in (["connect", "unix:/tmp/\x1b[31m\n\x9b\xff"], ["connect", "x\x1b[2J:9"], ["serve", "unix:/no/\x1b]0;x\x07/y"]):
            terminal = self.terminal(*words)
            self.assertIn(terminal.end(), (1, 2))
            self.assertPrintable(terminal.seen)


class Explained(support.Case):
    def test_steps_stand_on_lines_of_their_own_without_an_editor_too(self):
        """TERM=dumb: what happens while a line is typed is told below the prompt, and the prompt comes again."""
        typing = threading.Event()

        def talk(connection):
            typing.wait(support.DEADLINE)                                  # nobody has asked for anything
            connection.sendall(b"news\n")
            support.read_all(connection)
        server = self.peer(talk)
        with Terminal(support.MEARI, "connect", "--explain", f"{LOOPBACK}:{server.port}") as terminal:
            terminal.wait_for(rb"\n> ")
            typing.set()
            terminal.wait_for(rb"^\r\n[^\n]* recv\(\) [^\n]*\r\n> ")
            terminal.type(b"\x04")
            self.assertEqual(terminal.end(), 0)


if __name__ == "__main__":
    unittest.main()
