"""Eight clients with each handler: the bytes that both sides count, who finishes first, replies that come late, and the exit
status. Five of them can say that they have finished while they go on reading; curl and bash cannot, and nobody else can make
them."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

import support
from support import LOOPBACK, meari, on_backends, read_all

DATA = os.urandom(300_000)
PYTHON = """
import os, socket, threading
peer = socket.create_connection(("HOST", PORT))
def send():
    while data := os.read(0, 65536):
        peer.sendall(data)
    peer.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start()
while data := peer.recv(65536):
    os.write(1, data)
"""
FINISHING = {
    "nc": ["nc", "-N", "HOST", "PORT"],
    "ncat": ["ncat", "HOST", "PORT"],
    "socat": ["socat", "-t", "30", "-", "TCP:HOST:PORT"],
    "busybox": ["busybox", "nc", "HOST", "PORT"],
    "python": [sys.executable, "-c", PYTHON],
    "meari": [support.MEARI, "connect", "HOST:PORT"],
}
ENDLESS = {
    "curl": ["curl", "--silent", "--no-buffer", "telnet://HOST:PORT"],
    "bash": ["bash", "-c", "exec 3<>/dev/tcp/HOST/PORT 4<&0; cat <&4 >&3 & cat <&3"],
}


def command(words, port):
    return [word.replace("HOST", LOOPBACK).replace("PORT", str(port)) for word in words]


class Clients(support.Case):
    def each(self, clients):
        """Those that are installed here."""
        return [(name, words) for name, words in clients.items() if name in ("meari", "python") or shutil.which(name)]

    def ask(self, words, port, data):
        """Sends it, finishes, and gives the reply."""
        run = subprocess.run(command(words, port), input=data, capture_output=True, env=support.environment(), timeout=support.DEADLINE)
        self.assertEqual(run.returncode, 0, (words, run.stderr))
        return run.stdout

    @contextlib.contextmanager
    def started(self, words, port):
        """Killed at the deadline, with all that it has started: then reads that wait for it end, too."""
        client = subprocess.Popen(command(words, port), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=support.environment(),
                                  start_new_session=True)
        def end():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(client.pid, signal.SIGKILL)
        clock = threading.Timer(support.DEADLINE, end)
        clock.start()
        try:
            yield client
        finally:
            clock.cancel()
            end()
            client.wait()
            for pipe in (client.stdin, client.stdout):
                with contextlib.suppress(OSError):                         # unsent, and nobody to take it
                    pipe.close()

    def talk(self, words, port, data, size):
        """Sends it and stays; leaves when so much has come."""
        with self.started(words, port) as client:
            client.stdin.write(data)
            client.stdin.flush()
            return client.stdout.read(size)

    @on_backends()
    def test_echo(self, backend):
        server = self.server(f"{LOOPBACK}:0", backend=backend)
        number = 0
        for name, words in self.each(FINISHING):
            self.assertTrue(self.ask(words, server.port, DATA) == DATA, name)
            number += 1
            server.wait_for(rf"#{number} .* received {len(DATA)}, sent {len(DATA)}, .*: finished")
        for name, words in self.each(ENDLESS):
            self.assertEqual(self.talk(words, server.port, b"hello\n", 6), b"hello\n", name)
            number += 1
            server.wait_for(rf"#{number} .* received 6, sent 6, ")
        self.assertEqual(server.stop(), 0)

    @on_backends()
    def test_discard(self, backend):
        server = self.server("discard", f"{LOOPBACK}:0", backend=backend)
        number = 0
        for name, words in self.each(FINISHING):
            self.assertEqual(self.ask(words, server.port, DATA), b"", name)
            number += 1
            server.wait_for(rf"#{number} .* received {len(DATA)}, sent 0, .*: finished")

    @on_backends()
    def test_those_that_speak_first(self, backend):
        """The server finishes; the client has said nothing, or nothing that anybody reads."""
        for handler, size in ((["greet", "Hello World! 안녕"], len("Hello World! 안녕".encode())), (["daytime"], None), (["time"], 4)):
            server = self.server(*handler, f"{LOOPBACK}:0", backend=backend)
            number = 0
            for name, words in self.each(FINISHING | ENDLESS):
                if name == "curl" and handler == ["time"]:
                    continue  # it speaks telnet, where a byte 255 is a command: for four minutes of eighteen hours there is one in the time
                with self.started(words, server.port) as client:
                    reply = client.stdout.read(size) if size else client.stdout.readline()
                    client.stdin.close()
                    client.wait(support.DEADLINE)
                number += 1
                ended = server.wait_for(rf"#{number} .* received 0, sent (\d+), .*: finished")
                self.assertEqual(len(reply), int(ended.group(1)), name)
                if size:
                    self.assertEqual(len(reply), size, name)

    @on_backends()
    def test_chargen(self, backend):
        """A client that has seen enough and leaves; the next one is served as well."""
        server = self.server("chargen", f"{LOOPBACK}:0", backend=backend)
        letters = bytes(range(0x20, 0x7F))
        expected = b"".join((letters * 2)[line % 95:line % 95 + 72] + b"\r\n" for line in range(100))
        for name, words in self.each(FINISHING | ENDLESS):
            with self.started(words, server.port) as client:
                if name == "curl":
                    client.stdin.close()                                   # it reads what it is given before it goes on receiving
                self.assertEqual(client.stdout.read(len(expected)), expected, name)
        server.wait_for("#1 .* the peer has gone|#1 .* finished")
        self.assertIsNone(server.process.poll())

    @on_backends()
    def test_a_late_reply_through_forward(self, backend):
        """The client has finished, its FIN is passed on, and the reply comes when others have long left."""
        def late(connection):
            asked = read_all(connection)
            time.sleep(0.7)                                                # longer than socat's and nc's patience by default
            connection.sendall(b"late " + asked)
        for name, words in self.each(FINISHING):
            target = self.peer(late)
            server = self.server("forward", f"{LOOPBACK}:{target.port}", f"{LOOPBACK}:0", backend=backend)
            self.assertEqual(self.ask(words, server.port, b"question"), b"late question", name)
            server.wait_for(r"#1 .*: finished")
            self.assertEqual(server.stop(), 0)

    @on_backends()
    def test_exec(self, backend):
        """The program sees the client's end of input, and its late answer comes when others have long left."""
        server = self.server("exec", f"{LOOPBACK}:0", *support.shell("cat; sleep 0.7; printf late"), backend=backend)
        number = 0
        for name, words in self.each(FINISHING):
            self.assertTrue(self.ask(words, server.port, DATA) == DATA + b"late", name)
            number += 1
            server.wait_for(rf"#{number} .* received {len(DATA)}, sent {len(DATA) + 4}, .*: finished")
        self.assertEqual(server.stop(), 0)

    @on_backends()
    def test_exec_of_a_program_that_ends_first(self, backend):
        server = self.server("exec", f"{LOOPBACK}:0", *support.shell("echo that was all"), backend=backend)
        number = 0
        for name, words in self.each(FINISHING | ENDLESS):
            if name == "curl" and support.WINDOWS:
                continue                                                   # it waits for its own input after 100 ms; under wine that is too soon
            with self.started(words, server.port) as client:
                self.assertEqual(client.stdout.readline(), b"that was all\n", name)
                client.stdin.close()
                client.wait(support.DEADLINE)
            number += 1
            server.wait_for(rf"#{number} .* received 0, sent 13, .*: finished")

    @on_backends()
    def test_chat(self, backend):
        """A member of each kind beside one of ours: both hear the other, and that he has left."""
        for name, words in self.each(FINISHING | ENDLESS):
            server = self.server("chat", f"{LOOPBACK}:0", backend=backend)
            with server.connect() as other, self.started(words, server.port) as client:
                reader = other.makefile("rb")
                self.assertEqual(reader.read(11), b"your name? ")
                other.sendall(b"other\n")
                server.wait_for("is called other")
                self.assertEqual(client.stdout.read(11), b"your name? ", name)
                client.stdin.write(b"me\n")
                client.stdin.flush()
                self.assertEqual(reader.readline(), b"* me came in; members here: 2\n", name)
                other.sendall("안녕\n".encode())
                heard = "other: 안녕\n".encode()
                self.assertEqual(client.stdout.read(len(heard)), heard, name)
                client.stdin.write(b"hi there\n")
                client.stdin.flush()
                self.assertEqual(reader.readline(), b"me: hi there\n", name)
                client.stdin.close()
                if name in FINISHING:
                    self.assertEqual(client.wait(support.DEADLINE), 0, name)
                    self.assertEqual(reader.readline(), b"* me left; members here: 1\n", name)
                    server.wait_for(rf"received 12, sent {11 + len(heard)}, .*: finished")

    @on_backends()
    def test_broadcast(self, backend):
        """What there is to say, and then its end; the client finishes first or last."""
        for name, words in self.each(FINISHING | ENDLESS):
            data = DATA if name in FINISHING else b"to everybody\n"         # curl looks for input of its own between two pieces
            server = self.server("broadcast", f"{LOOPBACK}:0", stdin=subprocess.PIPE, backend=backend)
            with self.started(words, server.port) as client:
                server.wait_for("#1 .* connected")
                server.process.stdin.write(data)
                server.process.stdin.close()
                self.assertTrue(client.stdout.read(len(data)) == data, name)
                server.wait_for(rf"#1 .* received 0, sent {len(data)}, .*: finished")
                client.stdin.close()
                client.wait(support.DEADLINE)
            self.assertEqual(server.wait(), 0, name)

    @on_backends()
    def test_bench_is_a_client_as_well(self, backend):
        """Every byte that it counts is one that the server counts; a wrong reply is told with its status."""
        server = self.server(f"{LOOPBACK}:0", "--log", "json", backend=backend)
        run = meari("bench", "--connections", 3, "--duration", "200ms", "--warmup", 0, "--size", 1000, "--json", f"{LOOPBACK}:{server.port}",
                    backend=backend)
        self.assertEqual(run.returncode, 0, run.stderr)
        result = json.loads(run.stdout)
        server.wait_for('"event":"session_end"', count=3)
        ends = [json.loads(line) for line in server.lines if '"session_end"' in line]
        self.assertEqual({end["how"] for end in ends}, {"finished"})
        self.assertEqual(sum(end["received"] for end in ends), sum(end["sent"] for end in ends))
        self.assertGreaterEqual(sum(end["sent"] for end in ends), 1000 * result["round_trips"])
        wrong = self.server("exec", f"{LOOPBACK}:0", *support.shell("tr a-z b-za"), backend=backend)
        run = meari("bench", "--connections", 1, "--duration", "200ms", "--warmup", 0, "--send", "a" * 9000, f"{LOOPBACK}:{wrong.port}",
                    backend=backend)
        self.assertEqual(run.returncode, 4, run.stderr)

    @on_backends()
    def test_stdio(self, backend):
        for name, words in self.each(FINISHING):
            server = self.server("stdio", "--once", f"{LOOPBACK}:0", stdin=subprocess.PIPE, stdout=subprocess.PIPE, backend=backend)
            printed = []

            def read_it():                                                 # nc and busybox leave when they see the server's end
                printed.append(server.process.stdout.read(len(DATA)))
                server.process.stdin.close()
            reader = threading.Thread(target=read_it)
            reader.start()
            server.process.stdin.write(b"from the server")
            server.process.stdin.flush()
            self.assertEqual(self.ask(words, server.port, DATA), b"from the server", name)
            reader.join(support.DEADLINE)
            self.assertTrue(printed == [DATA], name)
            self.assertEqual(server.wait(), 0, name)

    def test_the_server_finishes_first_and_still_listens(self):
        """What is sent after the server's FIN arrives. busybox leaves when it sees it."""
        for name, words in self.each(FINISHING):
            if name == "busybox":
                continue
            server = self.server("stdio", "--once", f"{LOOPBACK}:0", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            with self.started(words, server.port) as client:
                server.process.stdin.write(b"that was all")
                server.process.stdin.close()
                self.assertEqual(client.stdout.read(12), b"that was all", name)
                client.stdin.write(b"but not from me")
                client.stdin.close()
                self.assertEqual(server.process.stdout.read(15), b"but not from me", name)
                self.assertEqual(client.wait(support.DEADLINE), 0, name)
            self.assertEqual(server.wait(), 0, name)


class Output(support.Case):
    """Where it goes when nobody takes it, and which number is told."""

    def shell(self, line, port=0):
        words = line.replace("MEARI", f'"{support.MEARI}"').replace("ADDRESS", f"{LOOPBACK}:{port}")
        return subprocess.run(["bash", "-c", words], capture_output=True, env=support.environment(), timeout=support.DEADLINE)

    def interrupted(self, port):
        words = [support.MEARI, "connect", "-m", "hello", "--on-eof", "keep", f"{LOOPBACK}:{port}"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=support.environment()) as client:
            self.assertEqual(client.stdout.read(5), b"hello")
            client.send_signal(signal.SIGINT)
            _, err = client.communicate(timeout=support.DEADLINE)
            return subprocess.CompletedProcess(words, client.returncode, b"", err)

    def test_every_combination_of_closed_descriptors(self):
        """A socket never gets the number of a standard descriptor: nothing of ours is sent to the peer by mistake."""
        for closed in ("", "<&-", ">&-", "2>&-", "<&- >&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-"):
            got = []
            server = self.peer(lambda connection: (got.append(read_all(connection)), connection.sendall(b"reply")))
            run = self.shell(f"MEARI connect --hexdump -m hello ADDRESS {closed}", server.port)
            server.thread.join(support.DEADLINE)
            self.assertEqual(got, [b"hello"], closed)
            self.assertEqual(run.returncode, 3 if ">&-" in closed.replace("2>&-", "") else 0, closed)

    def test_help_that_cannot_be_printed_is_told(self):
        for words in ("help connect", "--help", "--version", "serve --help"):
            run = self.shell(f"MEARI {words} >/dev/full")
            self.assertEqual(run.returncode, 3, words)
            self.assertIn(b"standard output: ", run.stderr)
        self.assertEqual(self.shell("MEARI --help >&-").returncode, 3)

    def test_help_whose_reader_leaves_is_quiet(self):
        run = self.shell("MEARI help connect | true; echo ${PIPESTATUS[0]}")
        self.assertEqual((run.stdout, run.stderr), (b"0\n", b""))

    def test_under_nohup_the_peer_decides(self):
        server = self.server("greet", "hello", f"{LOOPBACK}:0")
        run = self.shell("nohup MEARI connect ADDRESS 2>/dev/null", server.port)
        self.assertEqual((run.returncode, run.stdout), (0, b"hello"))

    def test_the_statuses_are_those_of_the_man_page(self):
        """Each of them, from a run."""
        with socket.create_server((LOOPBACK, 0)) as listener:
            port = listener.getsockname()[1]
        echo = self.server(f"{LOOPBACK}:0")
        discard = self.server("discard", f"{LOOPBACK}:0")
        runs = {
            0: meari("connect", "-m", "hello", f"{LOOPBACK}:{echo.port}"),
            1: meari("connect", f"{LOOPBACK}:{port}"),
            2: meari("connect"),
            3: self.shell("MEARI connect -m x ADDRESS >/dev/full", echo.port),
            4: meari("connect", "--expect-echo", "-m", "x", f"{LOOPBACK}:{discard.port}"),
            130: self.interrupted(echo.port),
        }
        page = meari("help", "connect").stdout.decode().split("exit status\n")[1].split("\n\n")[0]
        self.assertEqual([int(line.split()[0]) for line in page.splitlines() if line[2] != " "], list(runs))
        for status, run in runs.items():
            self.assertEqual(run.returncode, status, run.stderr)


if __name__ == "__main__":
    unittest.main()
