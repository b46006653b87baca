#!/usr/bin/env python3
"""Shows that every peer is a correct echo server, so that none of them is quick by leaving something out.
test_peers.py FOLDER: the folder with the built peers. A peer that is not there is not tested."""

import json
import pathlib
import random
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest
import xml.etree.ElementTree

from picture import picture

FOLDER = pathlib.Path(sys.argv.pop(1))
PATIENCE = 30  # seconds; a busy machine is no failure


def received_all(connection):
    """Everything up to the end of the stream."""
    pieces = []
    while piece := connection.recv(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


class Peer:
    program = ""

    def setUp(self):
        path = FOLDER / self.program
        if not path.exists():
            self.skipTest(f"{self.program} was not built")
        self.server = subprocess.Popen([path, "0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        line = self.server.stdout.readline()
        self.port = int(re.search(r":(\d+)\s*$", line).group(1))

    def tearDown(self):
        if hasattr(self, "server"):
            self.server.kill()
            self.server.communicate()

    def connect(self, receive_buffer=None):
        connection = socket.socket()
        self.addCleanup(connection.close)
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(PATIENCE)
        connection.connect(("127.0.0.1", self.port))
        return connection

    def assert_echoes(self, connection, text=b"still here"):
        connection.sendall(text)
        back = b""
        while len(back) < len(text):
            piece = connection.recv(1 << 16)
            self.assertTrue(piece, "the server has closed the connection")
            back += piece
        self.assertEqual(back, text)

    def test_the_answer_is_finished_after_the_end_of_the_request(self):
        connection = self.connect()
        connection.sendall(b"last words")
        connection.shutdown(socket.SHUT_WR)
        self.assertEqual(received_all(connection), b"last words")

    def test_a_slow_reader_gets_every_byte_in_order(self):
        connection = self.connect(receive_buffer=4096)
        sent = random.Random(1).randbytes(24 << 20)

        def send():
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        back = received_all(connection)
        sender.join()
        self.assertTrue(back == sent, f"{len(back)} bytes of {len(sent)} came back, or others")

    def test_those_who_do_not_read_harm_nobody_else(self):
        stalled = [self.connect(receive_buffer=4096) for _ in range(40)]
        until = time.monotonic() + 1.5
        for connection in stalled:
            connection.setblocking(False)
        while time.monotonic() < until:
            for connection in stalled:
                try:
                    connection.send(bytes(1 << 20))
                except BlockingIOError:
                    pass
        self.assert_echoes(self.connect(), bytes(range(256)) * 1024)

    def test_resets_harm_nobody_else(self):
        witness = self.connect()
        for number in range(200):
            connection = self.connect(receive_buffer=4096)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(bytes(200_000 if number % 5 == 0 else number))
            connection.close()
        self.assert_echoes(witness)
        self.assert_echoes(self.connect())

    def test_connections_that_are_over_leave_no_descriptor_behind(self):
        descriptors = pathlib.Path(f"/proc/{self.server.pid}/fd")
        self.assert_echoes(self.connect())
        before = len(list(descriptors.iterdir()))
        for _ in range(50):
            with self.connect() as connection:
                self.assert_echoes(connection)
                connection.shutdown(socket.SHUT_WR)
                received_all(connection)
        self.assert_echoes(self.connect())
        self.assertLessEqual(len(list(descriptors.iterdir())), before + 3)


for program in ("epoll_echo", "uring_echo", "meari_echo", "asio_echo", "asio_coroutine_echo", "libuv_echo", "libevent_echo"):
    globals()[program] = type(program, (Peer, unittest.TestCase), {"program": program})

class Load(unittest.TestCase):
    """What the load generator reports is what the server has seen."""

    def load(self, port, *arguments):
        done = subprocess.run([FOLDER / "load", "--json", *map(str, arguments), str(port)], capture_output=True, text=True, timeout=PATIENCE)
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    def serve(self, talk):
        """Connections one after the other; what `talk` returns for each is collected."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.addCleanup(listener.close)
        seen = []

        def accept():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        seen.append(talk(connection))
                    except OSError:
                        pass
        threading.Thread(target=accept, daemon=True).start()
        return listener.getsockname()[1], seen

    def test_short_connections_are_counted_once_each(self):
        def echo(connection):
            data = connection.recv(64, socket.MSG_WAITALL)
            connection.sendall(data)
            return data, connection.recv(1)
        port, seen = self.serve(echo)
        status, [record], _ = self.load(port, "--churn", "--connections", 1, "--round-trips", 25)
        self.assertEqual((status, record["round_trips"]), (0, 25))
        until = time.monotonic() + PATIENCE
        while len(seen) < 25 and time.monotonic() < until:         # the last close may still be on its way
            time.sleep(0.01)
        self.assertEqual([(len(data), end) for data, end in seen], [(64, b"")] * 25)

    def test_a_wrong_byte_in_a_short_connection_is_found(self):
        port, _ = self.serve(lambda connection: connection.sendall(bytes([connection.recv(64, socket.MSG_WAITALL)[0] ^ 1]) * 64))
        status, _, said = self.load(port, "--churn", "--connections", 1, "--round-trips", 5)
        self.assertEqual(status, 1)
        self.assertIn("other bytes came back", said)

    def test_connections_are_opened_for_each_slice_anew(self):
        def echo(connection):
            count = 0
            try:
                while data := connection.recv(1 << 16):
                    connection.sendall(data)
                    count += len(data)
            except ConnectionResetError:
                pass
            return count
        port, seen = self.serve(echo)
        status, records, _ = self.load(port, "--afresh", "--connections", 1, "--rounds", 3, "--round-trips", 10)
        self.assertEqual((status, [record["round_trips"] for record in records]), (0, [10] * 3))
        until = time.monotonic() + PATIENCE
        while len(seen) < 3 and time.monotonic() < until:
            time.sleep(0.01)
        self.assertEqual(seen, [640] * 3)

    def test_an_answer_that_fills_the_buffer_ends_no_connection(self):
        """There may be more behind it, in this slice or in the next."""
        def echo(connection):
            while data := connection.recv(1 << 18, socket.MSG_WAITALL):
                connection.sendall(data)
        port, _ = self.serve(echo)
        status, records, said = self.load(port, "--connections", 1, "--size", 1 << 16, "--depth", 4, "--rounds", 20, "--round-trips", 40)
        self.assertEqual((status, said), (0, ""))
        self.assertEqual([record["round_trips"] for record in records], [40] * 20)


class Picture(unittest.TestCase):
    def test_it_is_whole_and_holds_all_that_it_is_given(self):
        ratio = {"median": 0.9, "low": 0.4, "high": 2.5}
        cells = [("1 × 64 B", {"meari uring": ratio, "<other> & co": ratio}), ("2 × 64 B", {"meari uring": ratio})]
        svg = picture('a "title" <b>', "about & more", cells, ["meari uring", "<other> & co", "absent"])
        root = xml.etree.ElementTree.fromstring(svg)
        space = "{http://www.w3.org/2000/svg}"
        texts = [text.text for text in root.iter(f"{space}text")]
        for word in ('a "title" <b>', "about & more", "1 × 64 B", "2 × 64 B", "<other> & co"):
            self.assertIn(word, texts)
        self.assertNotIn("absent", texts)
        self.assertEqual(len([path for path in root.iter(f"{space}path") if path.attrib["class"].startswith("bar")]), 3)


if __name__ == "__main__":
    unittest.main(verbosity=2)
