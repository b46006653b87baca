"""`meari.exe` on a console. Under wine a terminal becomes one: wine paints there what the console shows, and what is typed
arrives as keys. What the console itself does (editing a line) is wine's here, and Windows' there."""

import contextlib
import os
import pty
import re
import select
import signal
import termios
import time
import tty
import unittest

import support
from support import LOOPBACK


def prepare(terminal):
    """What is typed before the console reads waits for it, unchanged and without an echo; Ctrl-C is one at any time."""
    tty.setraw(terminal)
    modes = termios.tcgetattr(terminal)
    modes[3] |= termios.ISIG
    modes[6][termios.VSUSP] = modes[6][termios.VQUIT] = b"\0"             # but nothing else is
    termios.tcsetattr(terminal, termios.TCSANOW, modes)


class Console:
    """A program on a console: what it has shown, and keys for it."""

    def __init__(self, *words):
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            prepare(0)
            os.execve(support.MEARI, [support.MEARI, *map(str, words)], support.environment() | {"TERM": "xterm"})
        self.shown = ""
        self.raw = b""
        self.status = None

    def read(self, seconds):
        """What comes, without what moves the cursor and hides it. False: no more does."""
        if not select.select([self.terminal], [], [], seconds)[0]:
            raise AssertionError(f"nothing more in time; shown so far:\n{self.shown}")
        try:
            piece = os.read(self.terminal, 1 << 16)
        except OSError:                                                    # EIO: nobody has it open any more
            return False
        self.raw += piece
        self.shown = re.sub(r"\x1b\[[?\d;]*[@-~]", "", self.raw.decode(errors="ignore")).replace("\r", "")
        return bool(piece)

    def wait_for(self, text):
        deadline = time.monotonic() + support.DEADLINE
        while text not in self.shown:
            if not self.read(max(0, deadline - time.monotonic())):
                raise AssertionError(f"it ended without: {text}\n{self.shown}")

    def type(self, keys):
        os.write(self.terminal, keys.encode())

    def end(self):
        """Its exit status."""
        deadline = time.monotonic() + support.DEADLINE
        with contextlib.suppress(AssertionError):
            while self.read(max(0, deadline - time.monotonic())):
                pass
        self.status = os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])
        return self.status

    def close(self):
        if self.status is None:
            with contextlib.suppress(OSError):
                os.kill(self.process, signal.SIGKILL)
                os.waitpid(self.process, 0)
        os.close(self.terminal)


@unittest.skipUnless(support.WINDOWS, "no console of Windows here")
class OnAConsole(support.Case):
    def console(self, *words):
        console = Console(*words)
        self.addCleanup(console.close)
        return console

    def test_lines_are_typed_in_any_script_and_end_with_ctrl_d_or_ctrl_z(self):
        for key in ("\x04", "\x1a"):
            with self.subTest(key):
                server = self.server(f"{LOOPBACK}:0")
                console = self.console("connect", f"{LOOPBACK}:{server.port}")
                console.wait_for("connected")
                console.type("안녕 é\r")
                console.wait_for("bytes received: 10")
                self.assertGreaterEqual(console.shown.count("안녕 é\n"), 2)  # as it was typed, and as it came back
                console.type("half" + key)                                  # without an Enter: it goes as it is
                console.wait_for("bytes received: 4")
                console.type(key)
                self.assertEqual(console.end(), 0)
                server.wait_for("received 14, sent 14, .*: finished")

    def test_what_comes_cannot_control_the_console(self):
        server = self.server("greet", "\x1b[2J!", f"{LOOPBACK}:0")
        console = self.console("connect", f"{LOOPBACK}:{server.port}")
        console.wait_for("\\x1b[2J!")
        self.assertEqual(console.end(), 0)

    def test_ctrl_c_ends_a_conversation_with_its_account(self):
        server = self.server(f"{LOOPBACK}:0")
        console = self.console("connect", f"{LOOPBACK}:{server.port}")
        console.wait_for("connected")
        console.type("hello\r")
        console.wait_for("bytes received: 6")
        console.type("\x03")
        self.assertEqual(console.end(), 130)
        self.assertIn("sent 6, received 6; you interrupted it", console.shown)

    def test_ctrl_c_drains_a_server(self):
        console = self.console("serve", f"{LOOPBACK}:0")
        console.wait_for("listening on")
        console.wait_for("\n")
        port = int(re.search(r"127\.0\.0\.1:(\d+)", console.shown)[1])
        with support.socket.create_connection((LOOPBACK, port), support.DEADLINE) as client:
            console.wait_for("connected")
            console.type("\x03")
            self.assertEqual(support.read_all(client), b"")
        self.assertEqual(console.end(), 0)
        self.assertIn("stopped: sessions 1", console.shown)


if __name__ == "__main__":
    unittest.main()
