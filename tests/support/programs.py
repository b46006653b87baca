"""What tests of programs share: starting a server and finding out where it listens, a server made of one function, and
running a client."""

import os
import pathlib
import queue
import shutil
import socket
import struct
import subprocess
import threading

WINDOWS = os.environ.get("MEARI_SYSTEM") == "windows"  # what is in EXAMPLES runs Windows programs under wine
EXAMPLES = pathlib.Path(os.environ.get("EXAMPLES", "build/release/examples")).resolve()
NC = shutil.which("nc")
NCAT = shutil.which("ncat")
SANITIZED = EXAMPLES.parent.name in ("asan", "tsan")
EVERY_BYTE = bytes(range(256))


class Server:
    """A server example on a port that the system chose; what it prints is collected line by line.

    says="stderr" for those that say there where they listen."""

    def __init__(self, name, address="127.0.0.1:0", prefix=(), says="stdout"):
        self.process = subprocess.Popen([*prefix, EXAMPLES / name, address], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, encoding="utf-8")
        self.output = getattr(self.process, says)
        first = self.output.readline().strip()
        if not first.startswith("listening on "):
            raise AssertionError(f"{name} did not start: {first!r} {self.process.communicate()}")
        self.address = first.removeprefix("listening on ")
        self.port = int(self.address.rsplit(":", 1)[1])
        self.lines = queue.Queue()
        self.reader = threading.Thread(target=self.collect)
        self.reader.start()

    def collect(self):
        for line in self.output:  # a server that nobody reads would wait when its pipe is full
            self.lines.put(line.rstrip("\r\n"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        self.process.stderr.close()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def line(self):
        return self.lines.get(timeout=20)


class Fake:
    """A server made of one function, for the client examples."""

    def __init__(self, serve):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, args=(serve,))

    def run(self, serve):
        peer, _ = self.listener.accept()
        with peer:
            peer.settimeout(20)
            serve(peer)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.thread.join()
        self.listener.close()


def run(name, *arguments, text=b"", prefix=()):
    done = subprocess.run([*prefix, EXAMPLES / name, *arguments], input=text, capture_output=True, timeout=60)
    if WINDOWS:  # standard output is text to the examples, and text has other line ends there
        done.stdout, done.stderr = done.stdout.replace(b"\r\n", b"\n"), done.stderr.replace(b"\r\n", b"\n")
    return done


def receive_all(peer):
    pieces = []
    while piece := peer.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def closed_port():
    """An address where nobody listens, held so that nobody else gets it."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    return holder, "127.0.0.1:%d" % holder.getsockname()[1]


def reset(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
