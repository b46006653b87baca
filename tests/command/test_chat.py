"""`meari serve chat` and `broadcast`: everybody hears everything, in order, and who does not listen is cut off alone."""

import contextlib
import os
import socket
import subprocess
import unittest

import support
from support import LOOPBACK, on_backends, read_all


class Member:
    def __init__(self, server, name, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(support.DEADLINE)
        self.socket.connect(server.address)
        self.reader = self.socket.makefile("rb")
        self.prompt = self.reader.read(len("your name? "))
        self.say(name)

    def say(self, line):
        self.socket.sendall(line.encode() + b"\n")

    def hears(self):
        return self.reader.readline().decode().rstrip("\n")

    def leave(self):
        self.reader.close()
        self.socket.close()


class Chat(support.Case):
    def member(self, server, name, **more):
        member = Member(server, name, **more)
        self.addCleanup(member.leave)
        server.wait_for(f"is called {name}" if name else "is called")
        return member

    @on_backends()
    def test_all_but_the_speaker_hear_it_in_order(self, backend):
        server = self.server("chat", f"{LOOPBACK}:0", backend=backend)
        anna = self.member(server, "anna")
        self.assertEqual(anna.prompt, b"your name? ")
        bora = self.member(server, "bora")
        self.assertEqual(anna.hears(), "* bora came in; members here: 2")
        chul = self.member(server, "chul")
        self.assertEqual((anna.hears(), bora.hears()), ("* chul came in; members here: 3",) * 2)
        for number in range(500):
            bora.say(f"line {number}")
        for listener in (anna, chul):
            self.assertEqual([listener.hears() for _ in range(500)], [f"bora: line {number}" for number in range(500)])
        bora.leave()
        self.assertEqual((anna.hears(), chul.hears()), ("* bora left; members here: 2",) * 2)
        self.assertEqual(server.stop(), 0)

    def test_names_are_unique_and_cannot_command_a_terminal(self):
        server = self.server("chat", f"{LOOPBACK}:0")
        anna = self.member(server, "anna")
        with contextlib.closing(Member(server, "anna").socket):
            self.assertEqual(anna.hears(), "* anna#2 came in; members here: 2")
        self.assertEqual(anna.hears(), "* anna#2 left; members here: 1")
        with contextlib.closing(Member(server, "\x1b[31mred\r").socket) as red:
            self.assertEqual(anna.hears(), r"* \x1b[31mred came in; members here: 2")
            red.sendall(b"\x1b]0;x\x07 \xff \xed\x95\x9c\xea\xb8\x80\n")
            self.assertEqual(anna.hears(), r"\x1b[31mred: \x1b]0;x\x07 \xff 한글")
        self.assertEqual(anna.hears(), r"* \x1b[31mred left; members here: 1")
        with contextlib.closing(Member(server, "").socket):
            self.assertEqual(anna.hears(), "* #4 came in; members here: 2")

    @on_backends()
    def test_who_does_not_listen_is_cut_off_and_the_room_goes_on(self, backend):
        server = self.server("chat", f"{LOOPBACK}:0", backend=backend)
        anna = self.member(server, "anna")
        self.member(server, "deaf", receive_buffer=4096)
        bora = self.member(server, "bora")
        self.assertEqual(anna.hears(), "* deaf came in; members here: 2")
        self.assertEqual(anna.hears(), "* bora came in; members here: 3")
        lines = [f"{number} {'x' * 4000}" for number in range(3000)]       # more than sockets hold
        talker = support.threading.Thread(target=lambda: [bora.say(line) for line in lines], daemon=True)
        talker.start()
        heard = []
        while len(heard) < len(lines):
            line = anna.hears()
            if line != "* deaf left; members here: 2":
                heard.append(line)
        self.assertEqual(heard, [f"bora: {line}" for line in lines])
        talker.join(support.DEADLINE)
        server.wait_for("#2 .*failed: it did not read what was sent to it")
        bora.say("still here")
        while (line := anna.hears()).startswith("* deaf"):
            pass
        self.assertEqual(line, "bora: still here")

    def test_a_line_without_an_end_ends_its_session_only(self):
        server = self.server("chat", f"{LOOPBACK}:0")
        anna = self.member(server, "anna")
        bora = self.member(server, "bora")
        anna.hears()
        bora.socket.sendall(b"x" * 5000)
        self.assertEqual(anna.hears(), "* bora left; members here: 1")
        server.wait_for("#2 .*failed: .*limit reached")

    def test_in_korean(self):
        server = self.server("chat", f"{LOOPBACK}:0", lang="ko_KR.UTF-8")
        with server.connect() as client:
            self.assertEqual(client.recv(100).decode(), "이름이 무엇입니까? ")

    def test_stopping_ends_everybody(self):
        server = self.server("chat", f"{LOOPBACK}:0")
        anna, bora = self.member(server, "anna"), self.member(server, "bora")
        self.assertEqual(server.stop(), 0)
        bora.reader.read()
        anna.reader.read()


class Broadcast(support.Case):
    @on_backends()
    def test_everybody_hears_all_of_it_and_then_its_end(self, backend):
        server = self.server("broadcast", f"{LOOPBACK}:0", stdin=subprocess.PIPE, backend=backend)
        clients = [server.connect() for _ in range(5)]
        server.wait_for("#5 .*connected")
        data = os.urandom(2_000_000)
        heard = [b""] * len(clients)

        def listen(number):
            heard[number] = read_all(clients[number])
        threads = [support.threading.Thread(target=listen, args=(number,)) for number in range(len(clients))]
        for thread in threads:
            thread.start()
        server.process.stdin.write(data)
        server.process.stdin.close()
        for thread, client in zip(threads, clients):
            thread.join(support.DEADLINE)
            client.close()
        for each in heard:
            self.assertEqual(each, data)
        self.assertEqual(server.wait(), 0)

    def test_who_comes_late_hears_the_rest(self):
        server = self.server("broadcast", f"{LOOPBACK}:0", stdin=subprocess.PIPE)
        server.process.stdin.write(b"before anybody came\n")
        server.process.stdin.flush()
        with server.connect() as first:
            self.assertEqual(first.recv(100), b"before anybody came\n")    # nothing is read while nobody listens
            with server.connect() as second:
                server.wait_for("#2 .*connected")
                server.process.stdin.write(b"news\n")
                server.process.stdin.flush()
                self.assertEqual((first.recv(100), second.recv(100)), (b"news\n",) * 2)
        server.process.stdin.close()

    @on_backends()
    def test_who_does_not_listen_is_cut_off_and_the_others_hear_all(self, backend):
        server = self.server("broadcast", f"{LOOPBACK}:0", stdin=subprocess.PIPE, backend=backend)
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(server.address)
        self.addCleanup(deaf.close)
        data = os.urandom(30_000_000)
        with server.connect() as client:
            server.wait_for("#2 .*connected")
            feeder = support.threading.Thread(target=lambda: (server.process.stdin.write(data), server.process.stdin.close()))
            feeder.start()
            self.assertEqual(read_all(client), data)
            feeder.join(support.DEADLINE)
        server.wait_for("#1 .*failed: it did not read what was sent to it")
        self.assertEqual(server.wait(), 0)

    def test_without_input_it_waits(self):
        server = self.server("broadcast", f"{LOOPBACK}:0")
        with server.connect() as client:
            client.sendall(b"anybody?")
            server.wait_for("connected")
            client.settimeout(0.3)                                         # for an end of ours to arrive, if there were one
            with self.assertRaises(TimeoutError):
                client.recv(1)
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
