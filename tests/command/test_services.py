"""The small services: chargen (RFC 864), daytime (RFC 867), time (RFC 868), over connections and datagrams. Compared with
xinetd's where that is installed, and asked with the usual clients."""

import os
import re
import shutil
import socket
import struct
import subprocess
import time
import unittest

import support
from support import LOOPBACK, exchange, on_backends, read_all

PRINTABLE = bytes(range(32, 127))
FROM_1900 = 2_208_988_800
XINETD = shutil.which("xinetd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
DAYTIME = rb"\A\d\d [A-Z]{3} \d{4} \d\d:\d\d:\d\d [A-Za-z0-9+-]+\r\n\Z"


def generated(first, lines):
    """Lines of the rotation, from the one that begins with the first-th character."""
    turn = PRINTABLE * 2
    return b"".join(turn[(first + i) % 95:][:72] + b"\r\n" for i in range(lines))


def seconds_of(answer):
    return struct.unpack("!I", answer)[0] - FROM_1900


def parsed(daytime):
    return time.mktime(time.strptime(daytime.decode()[:20], "%d %b %Y %H:%M:%S"))


class Services(support.Case):
    def exactly(self, client, count):
        pieces = bytearray()
        while len(pieces) < count:
            piece = client.recv(count - len(pieces))
            self.assertTrue(piece, f"the end came after {len(pieces)} bytes")
            pieces += piece
        return bytes(pieces)

    @on_backends()
    def test_chargen_rotates_and_does_not_end(self, backend):
        server = self.server("chargen", f"{LOOPBACK}:0", backend=backend)
        with server.connect() as client:
            lines = 95 * 150                                                # more than sockets hold
            self.assertEqual(self.exactly(client, lines * 74), generated(0, lines))
        server.wait_for(r"received 0, sent \d+, \d+\.\d+ s: finished")      # the client's going is how it ends
        self.assertEqual(server.stop(), 0)

    @on_backends()
    def test_chargen_outlives_the_clients_end_of_input_and_swallows_what_comes(self, backend):
        server = self.server("chargen", f"{LOOPBACK}:0", backend=backend)
        with server.connect() as client:
            client.sendall(b"x" * 20_000_000)                               # returns, and sockets hold at most half of it: somebody reads
            client.shutdown(socket.SHUT_WR)
            self.assertEqual(self.exactly(client, 74 * 95_000), generated(0, 95_000))
        ended = server.wait_for(r"received (\d+), sent \d+, \d+\.\d+ s: finished")
        self.assertGreater(int(ended[1]), 10_000_000)

    @on_backends()
    def test_chargen_stops_when_the_server_does(self, backend):
        """The reader goes on reading; only the server can end this, and well before its limit."""
        server = self.server("chargen", "--drain", "1h", f"{LOOPBACK}:0", backend=backend)
        with server.connect() as client:
            self.exactly(client, 74)
            server.signal()
            rest = read_all(client)
            self.assertEqual(generated(0, 1) + rest, generated(0, (len(rest) + 74) // 74))
            self.assertEqual(server.wait(), 0)

    @on_backends()
    def test_daytime_tells_the_time_of_the_day_and_ends(self, backend):
        server = self.server("daytime", f"{LOOPBACK}:0", backend=backend)
        for data in (b"", b"what time is it?"):
            before = int(time.time())
            with server.connect() as client:
                answer = exchange(client, data)
            self.assertRegex(answer, DAYTIME)
            self.assertTrue(before <= parsed(answer) <= time.time(), answer)

    def test_daytime_follows_the_time_zone(self):
        os.environ["TZ"] = "KST-9"
        self.addCleanup(os.environ.pop, "TZ")
        server = self.server("daytime", f"{LOOPBACK}:0")
        with server.connect() as client:
            self.assertRegex(read_all(client), rb" KST\r\n\Z")

    @on_backends()
    def test_time_tells_the_seconds_since_1900_and_ends(self, backend):
        server = self.server("time", f"{LOOPBACK}:0", backend=backend)
        for data in (b"", b"x"):
            before = int(time.time())
            with server.connect() as client:
                answer = exchange(client, data)
            self.assertTrue(before <= seconds_of(answer) <= time.time(), answer)


class Datagrams(support.Case):
    def ask(self, server, *questions):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(support.DEADLINE)
            client.connect(server.address)
            for question in questions:
                client.send(question)
                yield client.recv(65536)

    @on_backends()
    def test_chargen_never_sends_more_than_it_got(self, backend):
        server = self.server("chargen", f"udp:{LOOPBACK}:0", backend=backend)
        sizes = (0, 1, 73, 74, 511, 512, 513, 1400, 60_000)
        for size, answer in zip(sizes, self.ask(server, *(b"x" * size for size in sizes))):
            self.assertEqual(answer, generated(0, 8)[:min(size, 512)])

    @on_backends()
    def test_daytime_and_time_answer_an_empty_datagram(self, backend):
        server = self.server("daytime", f"udp:{LOOPBACK}:0", backend=backend)
        for answer in self.ask(server, b"", b"x"):
            self.assertRegex(answer, DAYTIME)
        server = self.server("time", f"udp:{LOOPBACK}:0", backend=backend)
        before = int(time.time())
        for answer in self.ask(server, b"", b"x"):
            self.assertTrue(before <= seconds_of(answer) <= time.time())

    def test_two_chargens_do_not_feed_each_other(self):
        """What seems to come from a port that this server serves is not answered; a datagram sent after it is."""
        server = self.server("chargen", f"udp:{LOOPBACK}:0")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as forged:
            forged.bind(("127.0.0.3", server.port))
            forged.sendto(b"x" * 100, server.address)
            self.assertEqual(list(self.ask(server, b"abc")), [generated(0, 1)[:3]])
            forged.setblocking(False)
            self.assertRaises(BlockingIOError, forged.recv, 100)
        server.wait_for("not answered")


class Clients(support.Case):
    """The usual clients get all of it, and end: with their half-close before the answer (an empty input) and without one."""

    def clients(self, port):
        for tool, *words in (("nc", "-N", LOOPBACK, port), ("nc", LOOPBACK, port), ("ncat", LOOPBACK, port),
                             ("ncat", "--recv-only", LOOPBACK, port), ("socat", "-t5", "-", f"TCP:{LOOPBACK}:{port}"),
                             ("socat", "-u", f"TCP:{LOOPBACK}:{port}", "-"), (support.MEARI, "connect", f"{LOOPBACK}:{port}")):
            if shutil.which(tool):
                yield [tool, *map(str, words)]

    def ask(self, words):
        """With an input that ends at once, and with one that stays open."""
        ended = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=support.DEADLINE)
        read, write = os.pipe()
        with open(read), open(write, "w"):
            waiting = subprocess.Popen(words, stdin=read, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            try:
                return ended.stdout, waiting.stdout.readline()              # all that is to come; some wait for our input then
            finally:
                waiting.kill()
                waiting.communicate()

    def test_daytime(self):
        server = self.server("daytime", f"{LOOPBACK}:0")
        for words in self.clients(server.port):
            with self.subTest(words):
                for answer in self.ask(words):
                    self.assertRegex(answer, DAYTIME)

    def test_chargen_for_who_reads_the_beginning(self):
        server = self.server("chargen", f"{LOOPBACK}:0")
        for words in self.clients(server.port):
            with self.subTest(words), subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                                       stderr=subprocess.DEVNULL) as client:
                self.assertEqual(client.stdout.read(74 * 95), generated(0, 95))
                client.stdout.close()
                client.kill()


@unittest.skipUnless(XINETD, "not installed: xinetd")
class Xinetd(support.Case):
    """xinetd's built-in services as the reference. Its character generator leaves the tilde out and begins its turns
    elsewhere, so what is compared is the form of the lines; ours has all 95 characters of the RFC's example."""

    def reference(self, service, kind):
        with socket.socket(socket.AF_INET, kind) as probe:
            probe.bind((LOOPBACK, 0))
            port = probe.getsockname()[1]
        folder = self.folder()
        protocol, style, wait = ("tcp", "stream", "no") if kind == socket.SOCK_STREAM else ("udp", "dgram", "yes")
        with open(f"{folder}/conf", "w") as conf:
            conf.write(f"service {service}\n{{\ntype = INTERNAL UNLISTED\nsocket_type = {style}\nprotocol = {protocol}\n"
                       f"port = {port}\nuser = {os.getuid()}\nwait = {wait}\nbind = {LOOPBACK}\ndisable = no\n}}\n")
        process = subprocess.Popen([XINETD, "-dontfork", "-f", f"{folder}/conf", "-pidfile", f"{folder}/pid", "-filelog", f"{folder}/log"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return port

    def connect(self, port):
        """When it listens: there is nothing to wait for but that."""
        deadline = time.monotonic() + support.DEADLINE
        while True:
            try:
                return socket.create_connection((LOOPBACK, port), timeout=support.DEADLINE)
            except ConnectionRefusedError:
                if time.monotonic() > deadline:
                    raise

    def test_chargen(self):
        server = self.server("chargen", f"{LOOPBACK}:0")
        theirs, ours = self.connect(self.reference("chargen", socket.SOCK_STREAM)), server.connect()
        for client in (theirs, ours):
            with client, client.makefile("rb") as reader:
                for _ in range(200):
                    self.assertRegex(reader.readline(), rb"\A[ -~]{72}\r\n\Z")

    def test_daytime(self):
        server = self.server("daytime", f"{LOOPBACK}:0")
        for client in (self.connect(self.reference("daytime", socket.SOCK_STREAM)), server.connect()):
            with client:
                answer = read_all(client)
            self.assertRegex(answer, DAYTIME)
            self.assertLess(abs(parsed(answer) - time.time()), support.DEADLINE)

    def test_time(self):
        server = self.server("time", f"{LOOPBACK}:0")
        with self.connect(self.reference("time", socket.SOCK_STREAM)) as client:
            theirs = read_all(client)
        with server.connect() as client:
            ours = read_all(client)
        self.assertLess(abs(seconds_of(theirs) - seconds_of(ours)), support.DEADLINE)
        self.assertEqual(len(theirs), len(ours))


if __name__ == "__main__":
    unittest.main()
