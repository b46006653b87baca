"""What the tests of the command share: a server that is waited for, a run with a deadline, the backends that exist here.
Nothing sleeps to wait for something: lines, sockets and processes are waited for, with a deadline."""

import contextlib
import functools
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import windows

MEARI = os.environ.get("MEARI") or str(pathlib.Path(__file__).resolve().parents[2] / "build/release/meari")
WINDOWS = os.environ.get("MEARI_SYSTEM") == "windows"   # MEARI runs meari.exe under wine; windows.py says what differs
BACKENDS = ("iocp",) if WINDOWS else ("epoll", "uring")
STOP = signal.SIGINT if WINDOWS else signal.SIGTERM     # wine makes Ctrl-C of the one; the other one ends it at once
DEADLINE = 60 if WINDOWS else 30                       # seconds; for what takes milliseconds on a machine that has nothing else to do
LOOPBACK = "127.0.0.1"


# A program of Windows, where there are no others that the tests could start (program_windows.cpp).
PROGRAM = os.environ.get("MEARI_PROGRAM", "")


def on_windows(path):
    """A path of this system as programs under wine call it."""
    return "Z:" + str(path).replace("/", "\\")


def shell(script):
    """What `exec` starts to have a script run: on Windows by a program that knows a few commands of a shell."""
    return ["--", on_windows(PROGRAM), "sh", script] if WINDOWS else ["--", "/bin/sh", "-c", script]


def environment(lang="C.UTF-8", backend=None, **more):
    env = {name: value for name, value in os.environ.items() if name not in ("LC_ALL", "LC_MESSAGES", "LANG", "MEARI_BACKEND")}
    env["LC_ALL"] = lang
    env["TERM"] = "dumb"                                                   # no line editing, whatever terminal the tests are started from
    if backend:
        env["MEARI_BACKEND"] = backend
    env.update(more)
    return env


def meari(*args, stdin=b"", lang="C.UTF-8", backend=None, seconds=DEADLINE, **more):
    """Runs the command to its end. stdin: bytes, or what subprocess takes."""
    words = [MEARI, *map(str, args)]
    if isinstance(stdin, bytes):
        more["input"] = stdin
    else:
        more["stdin"] = stdin
    run = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(lang, backend), timeout=seconds, **more)
    if WINDOWS:  # on a busy machine wine itself may say something when a program has ended
        run.stderr = re.sub(rb"wine client error:[0-9a-f]+: [^\n]*\n", b"", run.stderr)
    return run


@functools.cache
def refusal(backend):
    """Why this machine cannot have a backend; nothing when it can."""
    run = meari("--version", backend=backend)
    text = run.stdout.decode()
    if re.search(rf"^backend +{backend}$", text, re.MULTILINE):
        return None
    return f"{backend} is refused here: {text.splitlines()[2:]}"


def on_backends(*backends):
    """The test runs once on each backend; one that this machine refuses is skipped, with the reason."""
    def make(test):
        @functools.wraps(test)
        def run(self):
            for backend in backends or BACKENDS:
                with self.subTest(backend=backend):
                    reason = refusal(backend)
                    if reason:
                        self.skipTest(reason)
                    test(self, backend)
        return run
    return make


def needs(*tools):
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return unittest.skipIf(missing, f"not installed: {', '.join(missing)}")


class Server:
    """`meari serve …`, ready when this object exists. Its lines are read as they come."""

    def __init__(self, *args, lang="C.UTF-8", backend=None, prefix=(), seconds=DEADLINE, first=r".+", stdin=subprocess.DEVNULL,
                 stdout=subprocess.DEVNULL, **more):
        self.lines = []
        self._news = threading.Condition()
        self._over = False
        self.process = subprocess.Popen([*prefix, MEARI, "serve", *map(str, args)], stdin=stdin, stdout=stdout,
                                        stderr=subprocess.PIPE, env=environment(lang, backend), **more)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            first = self.wait_for(first, seconds)
            if not re.search("listening|기다립니다", first.string):
                raise AssertionError(f"the first line is: {first.string}")
        except AssertionError:
            self.kill()
            raise
        self.addresses = re.findall(r"(?:udp:)?(?:\[[^\]]*\]|\d+\.\d+\.\d+\.\d+):\d+|unix:[^\s,에]+", first.string)

    def _read(self):
        for line in self.process.stderr:
            with self._news:
                self.lines.append(line.decode().rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()

    @property
    def port(self):
        return int(self.addresses[0].rsplit(":", 1)[1])

    @property
    def address(self):
        return (LOOPBACK, self.port)

    def wait_for(self, pattern, seconds=DEADLINE, count=1):
        """The match of the count-th line that has the pattern."""
        deadline = time.monotonic() + seconds
        with self._news:
            while True:
                found = [match for match in (re.search(pattern, line) for line in self.lines) if match]
                if len(found) >= count:
                    return found[count - 1]
                left = deadline - time.monotonic()
                if self._over or left <= 0:
                    raise AssertionError(f"{'the server ended' if self._over else 'no such line in time'}: {pattern}\n" +
                                         "\n".join(self.lines[-20:]))
                self._news.wait(left)

    def connect(self, seconds=DEADLINE):
        return socket.create_connection(self.address, timeout=seconds)

    def signal(self, number=STOP):
        self.process.send_signal(number)

    def wait(self, seconds=DEADLINE):
        """Its exit status, after all its lines have been read."""
        status = self.process.wait(seconds)
        self._reader.join(seconds)
        return status

    def stop(self, seconds=DEADLINE):
        self.signal()
        return self.wait(seconds)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(DEADLINE)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe:
                with contextlib.suppress(OSError):                         # unsent, and nobody to take it
                    pipe.close()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.kill()


class Peer:
    """A server of the test's own: one connection, given to `talk`, on a thread."""

    def __init__(self, talk):
        self.listener = socket.create_server((LOOPBACK, 0))
        self.listener.settimeout(DEADLINE)
        self.port = self.listener.getsockname()[1]
        self.failure = None
        self.thread = threading.Thread(target=self._serve, args=(talk,), daemon=True)
        self.thread.start()

    def _serve(self, talk):
        try:
            connection, _ = self.listener.accept()
            connection.settimeout(DEADLINE)
            with connection:
                talk(connection)
        except OSError as failure:
            self.failure = failure

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.listener.close()
        self.thread.join(DEADLINE)


def read_all(connection):
    pieces = []
    while piece := connection.recv(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


def exchange(connection, data):
    """Sends everything, finishes sending, and reads to the end; both at once."""
    def send():
        with contextlib.suppress(OSError):
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        return read_all(connection)
    finally:
        thread.join(DEADLINE)


class Case(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        why = windows.reason(self.id()) if WINDOWS else None
        if why:
            self.skipTest(why)

    def folder(self):
        path = tempfile.mkdtemp(prefix="meari-")
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path

    def server(self, *args, **more):
        return self._entered(Server(*args, **more))

    def peer(self, talk):
        return self._entered(Peer(talk))

    def _entered(self, thing):
        self.addCleanup(thing.__exit__, None, None, None)
        return thing.__enter__()
