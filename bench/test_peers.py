#!/usr/bin/env python3
"""Shows that every peer is a correct echo server, so that none of them is quick by leaving something out.
test_peers.py FOLDER: the folder with the built peers. A peer that is not there is not tested."""

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

if __name__ == "__main__":
    unittest.main(verbosity=2)
