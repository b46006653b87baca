"""`meari serve` with many at once: 10,000 connections, no descriptors left, and stopping in the middle of everything."""

import errno
import os
import random
import re
import resource
import selectors
import signal
import socket
import struct
import subprocess
import sys
import time
import unittest

import support
from support import LOOPBACK, meari, needs, on_backends


def allow_descriptors(count):
    """This process holds the clients' ends; the server, a process of its own, the others."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(count, soft)), hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= count


def cpu_seconds(process):
    with open(f"/proc/{process}/stat") as file:
        fields = file.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def acknowledged(client):
    """Bytes that the server's system has confirmed (tcp(7), TCP_INFO); the SYN was one of them."""
    return struct.unpack_from("Q", client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), 120)[0] - 1


class Many(support.Case):
    COUNT = 10_000

    @on_backends()
    def test_ten_thousand_at_once_are_echoed(self, backend):
        if not allow_descriptors(self.COUNT + 100):
            self.skipTest(f"fewer than {self.COUNT} descriptors are allowed here")
        server = self.server("-q", f"{LOOPBACK}:0", backend=backend)
        clients = []
        try:
            for _ in range(self.COUNT):
                clients.append(server.connect())
            for index, client in enumerate(clients):
                client.sendall(b"%d %s" % (index, bytes([index % 256]) * (index % 97)))
            for index, client in enumerate(clients):
                expected = b"%d %s" % (index, bytes([index % 256]) * (index % 97))
                got = b""
                while len(got) < len(expected):
                    piece = client.recv(1000)
                    self.assertTrue(piece, f"client {index} was left after {len(got)} bytes")
                    got += piece
                self.assertEqual(got, expected)
            with open("/proc/net/sockstat") as file:
                self.assertGreaterEqual(int(re.search(r"TCP: inuse (\d+)", file.read()).group(1)), 2 * self.COUNT)
        finally:
            for client in clients:
                client.close()
        self.assertEqual(server.stop(), 0)


class Starved(support.Case):
    """64 descriptors and 320 clients."""

    CLIENTS = 320

    @needs("prlimit")
    @on_backends("epoll", "uring", "uring-floor")
    def test_without_descriptors_it_waits_calmly_and_serves_everybody(self, backend):
        server = self.server(f"{LOOPBACK}:0", backend=backend, prefix=("prlimit", "--nofile=64"))
        clients = [server.connect() for _ in range(self.CLIENTS)]          # those that are not served stand in the queue
        try:
            for index, client in enumerate(clients):
                client.sendall(b"%d" % index)
            server.wait_for("paused: ")
            waiting = dict(enumerate(clients))
            inside = self.answered(waiting, at_least=16)
            begin, used = time.monotonic(), cpu_seconds(server.process.pid)
            while time.monotonic() - begin < 1.5:                          # starved, with 250 clients at the door
                for index in list(inside)[:8]:                             # nobody who is in is harmed
                    clients[index].sendall(b"again")
                    self.assertEqual(clients[index].recv(100), b"again")
                time.sleep(0.1)
            share = (cpu_seconds(server.process.pid) - used) / (time.monotonic() - begin)
            self.assertLess(share, 0.05)
            for index in inside:
                clients[index].close()
            while waiting:                                                 # everybody is served in the end
                for index in self.answered(waiting, at_least=1):
                    clients[index].close()
        finally:
            for client in clients:
                client.close()
        self.assertEqual(server.stop(), 0)
        self.assertRegex("\n".join(server.lines), rf"stopped: sessions {self.CLIENTS}")
        for index in range(self.CLIENTS):
            self.assertTrue(clients[index].fileno() == -1)

    def answered(self, waiting, at_least):
        """Who has got their answer; they wait no longer."""
        with selectors.DefaultSelector() as selector:
            for index, client in waiting.items():
                selector.register(client, selectors.EVENT_READ, index)
            done = set()
            deadline = time.monotonic() + support.DEADLINE
            while len(done) < at_least:
                self.assertLess(time.monotonic(), deadline, f"nobody is served any more; {len(waiting)} wait")
                for key, _ in selector.select(0.5):
                    self.assertEqual(key.fileobj.recv(100), b"%d" % key.data)
                    selector.unregister(key.fileobj)
                    del waiting[key.data]
                    done.add(key.data)
        return done


class Conversation:
    """A client that sends numbered pieces and compares what comes back, one piece after the other."""

    def __init__(self, server, seed):
        self.dice = random.Random(seed)
        self.socket = server.connect()
        self.socket.setblocking(False)
        self.sent = self.received = 0
        self.pieces = 40                                                   # then it waits, and is idle
        self.stream = b""                                                  # what is to come back, from `received` on
        self.over = False
        self.talk()

    def talk(self):
        if self.pieces == 0:
            return
        self.pieces -= 1
        piece = self.dice.randbytes(self.dice.choice((1, 100, 1000, 20_000)))
        try:
            taken = self.socket.send(piece)
        except BlockingIOError:
            return
        except OSError:
            self.over = True
            return
        self.sent += taken
        self.stream += piece[:taken]

    def listen(self):
        try:
            data = self.socket.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            self.over = True
            return
        if not data:
            self.over = True
            return
        if not self.stream.startswith(data):
            raise AssertionError(f"wrong bytes at offset {self.received}")
        self.stream = self.stream[len(data):]
        self.received += len(data)
        if not self.stream:
            self.talk()


class Stopping(support.Case):
    COUNT = 1000

    @on_backends()
    def test_no_byte_is_lost_silently(self, backend):
        """SIGTERM in the middle of 1,000 conversations: what the server's system has acknowledged comes back, or it is counted."""
        allow_descriptors(self.COUNT + 100)
        limit = support.DEADLINE if support.WINDOWS else 20                  # wine moves a few thousand messages a second
        server = self.server("--drain", f"{limit}s", f"{LOOPBACK}:0", backend=backend)
        talks = []
        try:
            with selectors.DefaultSelector() as selector:
                for seed in range(self.COUNT):
                    talks.append(Conversation(server, seed))
                    selector.register(talks[-1].socket, selectors.EVENT_READ, talks[-1])
                turns = 0
                deadline = time.monotonic() + 2 * support.DEADLINE
                open_talks = self.COUNT
                while open_talks:
                    self.assertLess(time.monotonic(), deadline)
                    for key, _ in selector.select(1):
                        key.data.listen()
                        if key.data.over:
                            selector.unregister(key.fileobj)
                            open_talks -= 1
                    turns += 1
                    if turns == 20:
                        begin = time.monotonic()
                        server.signal()
                        self.assertGreater(open_talks, self.COUNT - 1)
                self.assertIn(server.wait(), (0, 3))
                self.assertLess(time.monotonic() - begin, limit)
            missing = sum(max(0, min(acknowledged(talk.socket), talk.sent) - talk.received) for talk in talks)
            echoed = sum(talk.received for talk in talks)
        finally:
            for talk in talks:
                talk.socket.close()
        server.wait_for(rf"stopped: sessions {self.COUNT}, received \d+, sent {echoed}$")
        found = server.wait_for(r"while stopping: finished (\d+), idle and ended (\d+), cut off (\d+); bytes after the end of their session: (\d+)")
        finished, idle, cut_off, late = map(int, found.groups())
        self.assertEqual((finished + idle, cut_off), (self.COUNT, 0))
        self.assertEqual(missing, late)

    @on_backends()
    def test_stopped_peers_do_not_hold_it_up(self, backend):
        """Peers that are stopped with SIGSTOP and never read: cut off at the limit."""
        server = self.server("--drain", "700ms", f"{LOOPBACK}:0", backend=backend)
        code = """
import contextlib, select, socket, sys
clients = [socket.socket() for _ in range(20)]
for client in clients:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # what comes back does not all fit
    client.connect(("127.0.0.1", int(sys.argv[1])))
    client.setblocking(False)
# Until the server takes nothing more, from any of them: it waits with what it has to send.
while ready := select.select([], clients, [], 0.5)[1]:
    for client in ready:
        with contextlib.suppress(BlockingIOError): client.send(b"x" * 65536)
print("stuffed", flush=True)
sys.stdin.read()
"""
        with subprocess.Popen([sys.executable, "-c", code, str(server.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as peers:
            try:
                self.assertEqual(peers.stdout.readline(), b"stuffed\n")
                peers.send_signal(signal.SIGSTOP)
                begin = time.monotonic()
                server.signal()
                self.assertEqual(server.wait(), 3)
                took = time.monotonic() - begin
            finally:
                peers.kill()
        self.assertGreater(took, 0.6)
        self.assertLess(took, 10)
        found = re.search(r"finished (\d+), idle and ended (\d+), cut off (\d+)", server.lines[-1])
        self.assertEqual(int(found.group(3)), 20, server.lines[-1])


class WithoutUring(support.Case):
    """A launcher that forbids io_uring_setup, as containers do: a seccomp filter that answers with an error."""

    LAUNCHER = """
import ctypes, os, struct, sys
number, error = 425, int(sys.argv[1])                      # io_uring_setup, on every architecture
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050000 | error), (0x06, 0, 0, 0x7fff0000)]
code = b"".join(struct.pack("HBBI", *step) for step in steps)
buffer = ctypes.create_string_buffer(code)
program = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0                     # PR_SET_NO_NEW_PRIVS
assert libc.prctl(22, 2, ctypes.create_string_buffer(program), 0, 0) == 0, os.strerror(ctypes.get_errno())
os.execv(sys.argv[2], sys.argv[2:])
"""

    def test_it_falls_back_with_one_line(self):
        for error, reason in ((errno.EPERM, "io_uring is forbidden here (by a seccomp filter, as containers have it); using epoll"),
                              (errno.ENOSYS, "this kernel has no io_uring, or hides it; using epoll")):
            server = self.server(f"{LOOPBACK}:0", prefix=(sys.executable, "-c", self.LAUNCHER, str(error)))
            with server.connect() as client:
                self.assertEqual(support.exchange(client, b"hello"), b"hello")
            self.assertEqual(server.stop(), 0)
            told = [line for line in server.lines if "io_uring" in line]
            if "disabled" in "".join(told):
                self.skipTest("io_uring is disabled on this machine anyway")
            self.assertEqual(told, [reason])
            self.assertEqual(server.lines[1], reason)

    def test_a_backend_that_is_named_is_strict(self):
        words = [sys.executable, "-c", self.LAUNCHER, str(errno.EPERM), support.MEARI]
        for more, env in ((["serve", "--backend", "uring", f"{LOOPBACK}:0"], support.environment()),
                          (["serve", f"{LOOPBACK}:0"], support.environment(backend="uring"))):
            run = subprocess.run(words + more, capture_output=True, env=env, timeout=support.DEADLINE)
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertIn(b"io_uring_setup: ", run.stderr)

    def test_version_says_why(self):
        for language, words in (("C.UTF-8", "io_uring is forbidden here"), ("ko_KR.UTF-8", "여기서는 io_uring이 금지되어 있어")):
            run = subprocess.run([sys.executable, "-c", self.LAUNCHER, str(errno.EPERM), support.MEARI, "--version"], capture_output=True,
                                 env=support.environment(language), timeout=support.DEADLINE)
            self.assertEqual(run.returncode, 0)
            self.assertIn("epoll", run.stdout.decode())
            self.assertIn(words, run.stdout.decode())


if __name__ == "__main__":
    unittest.main()
