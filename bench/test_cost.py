#!/usr/bin/env python3
"""Holds what a round trip costs, so that it cannot creep: instructions of the program itself, and system calls, both of the
five-line echo with 64 connections and 64 bytes. How much of both it is depends on how much comes together in a turn: so server and
load share one processor and do not interrupt each other, and the figures are the same every time, also on a busy machine. With a
processor each it is anything from 440 to 550 instructions on io_uring.
test_cost.py FOLDER: the folder with the built programs."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

FOLDER = pathlib.Path(sys.argv.pop(1))
PATIENCE = 100  # seconds
CONNECTIONS = 64
FEW, MANY = 4_000, 12_000  # round trips; the difference of two runs leaves start and end out
ATTEMPTS = 6  # the best of them counts

# What was reached, and a little more: other versions of the compiler count differently. The goal is 400
# (docs/decisions/0023-what-a-round-trip-costs.md).
MOST_INSTRUCTIONS = {"uring": 515, "epoll": 405}
MOST_SYSTEM_CALLS = {"uring": 0.1, "epoll": 2.1}


def setUpModule():
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))  # who wakes up does not interrupt who is at work


class Cost(unittest.TestCase):
    def run_under(self, tool, program, backend, round_trips):
        """The server ends by itself when it has been told to drain; what the tool printed is returned."""
        with tempfile.TemporaryFile() as output:  # not a pipe, which would be full one day: valgrind talks a lot
            server = subprocess.Popen([*tool, program, "0"], stdout=output, stderr=subprocess.STDOUT,
                                      env=dict(os.environ, MEARI_BACKEND=backend))
            try:
                port = self.port_of(server, output, tool[0])
                subprocess.run([FOLDER / "load", "--connections", str(CONNECTIONS), "--size", "64", "--round-trips",
                                str(round_trips), port], check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE)
                self.end(server, int(port))
                server.wait(timeout=PATIENCE)
                return self.read(output)
            finally:
                server.kill()
                server.wait()

    @staticmethod
    def read(output):
        return os.pread(output.fileno(), 1 << 24, 0).decode(errors="replace")  # the server goes on writing where it was

    def port_of(self, server, output, tool):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            ended = server.poll() is not None
            said = self.read(output)
            if found := re.search(r"listening on \S*:(\d+)\n", said):
                return found.group(1)
            if ended:
                self.skipTest(f"{tool} does not work here: {said.strip()[-200:]}")
            time.sleep(0.02)
        self.fail(f"{tool} has not said anything for {PATIENCE} s")

    @staticmethod
    def end(server, port):
        """SIGTERM to the program, which is the tool or its child. Under valgrind a signal is noticed when the system call that is
        waited in returns, so somebody knocks."""
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(server.pid)], capture_output=True, text=True).stdout.split()
        os.kill(int(children[0]) if children else server.pid, signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while server.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            time.sleep(0.05)

    def hold(self, text, most, count):
        """count(round_trips) once for few of them and once for many: the difference is what they cost."""
        for attempt in range(ATTEMPTS):
            cost = (count(MANY) - count(FEW)) / (MANY - FEW)
            print(text % cost, file=sys.stderr)
            if cost <= most:
                return
        self.fail(f"{text % cost}; at most {most} were wanted, {ATTEMPTS} times")

    @unittest.skipIf(shutil.which("valgrind") is None, "not installed: valgrind")
    def test_instructions(self):
        with tempfile.TemporaryDirectory() as folder:
            # Without what only a debugger reads: valgrind 3.19 gives up over the DWARF of newer compilers.
            program = pathlib.Path(folder) / "meari_echo"
            subprocess.run(["strip", "--strip-debug", "-o", program, FOLDER / "meari_echo"], check=True)
            tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
            for backend, most in MOST_INSTRUCTIONS.items():
                with self.subTest(backend=backend):
                    self.hold(f"{backend}: %.0f instructions a round trip", most, lambda trips, backend=backend: int(re.search(
                        r"Collected : (\d+)", self.run_under(tool, program, backend, trips)).group(1)))

    @unittest.skipIf(shutil.which("strace") is None, "not installed: strace")
    def test_system_calls(self):
        tool = ["strace", "-c", "-f", "-o", "/dev/stdout"]
        for backend, most in MOST_SYSTEM_CALLS.items():
            with self.subTest(backend=backend):
                self.hold(f"{backend}: %.3f system calls a round trip", most, lambda trips, backend=backend: int(re.search(
                    r"(\d+)(?:\s+\d+)? total", self.run_under(tool, FOLDER / "meari_echo", backend, trips)).group(1)))


if __name__ == "__main__":
    unittest.main()
