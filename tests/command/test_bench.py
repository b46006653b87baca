"""`meari bench`: what it counts is true, what is wrong is found, and it says when it cannot be believed. No test looks at speed."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time
import unittest

import support
from support import LOOPBACK, MEARI, meari, on_backends

QUICK = ("--duration", "300ms", "--warmup", "50ms")


class Many:
    """A server of the test's own: every connection gets a thread that runs `talk`."""

    def __init__(self, talk):
        self.listener = socket.create_server((LOOPBACK, 0), backlog=1000)
        self.port = self.listener.getsockname()[1]
        self.accepted = 0
        self.thread = threading.Thread(target=self._accept, args=(talk,), daemon=True)
        self.thread.start()

    def _accept(self, talk):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._serve, args=(talk, connection), daemon=True).start()

    @staticmethod
    def _serve(talk, connection):
        with connection:
            try:
                talk(connection)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.listener.close()


def echo(connection):
    while data := connection.recv(1 << 16):
        connection.sendall(data)


class Bench(support.Case):
    def bench(self, *args, status=0, **more):
        run = meari("bench", "--json", *args, **more)
        self.assertEqual(run.returncode, status, run.stderr.decode())
        return json.loads(run.stdout)

    def check(self, result):
        """Figures that belong together."""
        response = result["response"]
        self.assertEqual(response["count"], result["round_trips"])
        self.assertEqual(sum(count for _, count in response["buckets"]), response["count"])
        marks = [response[name] for name in ("min_ns", "p50_ns", "p90_ns", "p99_ns", "p99.9_ns", "p99.99_ns", "max_ns")]
        self.assertEqual(marks, sorted(marks))
        if response["count"]:
            seen, middle = 0, 0
            for value, count in response["buckets"]:
                seen += count
                if seen >= (response["count"] + 1) // 2:
                    middle = value
                    break
            self.assertLessEqual(abs(middle - response["p50_ns"]), max(middle * 0.01, 1))

    @on_backends()
    def test_a_closed_loop_verifies_every_byte(self, backend):
        server = self.server("127.0.0.1:0", "-q", backend=backend)
        for flags in (("-c", "1"), ("--connections", "50"), ("--size", "4k", "--depth", "16"), ("--size", "1..100k", "-c", "5", "--depth", "3"),
                      ("--threads", "3", "-c", "10")):
            with self.subTest(flags=flags):
                result = self.bench(f"127.0.0.1:{server.port}", *QUICK, *flags, backend=backend)
                self.assertGreater(result["round_trips"], 0)
                self.assertEqual((result["wrong"], result["unanswered"], result["failures"]), (0, 0, {}))
                self.assertEqual(result["bytes_sent"], result["bytes_received"])
                self.assertEqual(result["backend"], backend)
                self.check(result)

    def test_a_wrong_byte_is_found(self):
        def spoil(connection):
            seen = 0
            while data := connection.recv(1 << 16):
                changed = bytearray(data)
                if seen <= 5000 < seen + len(data):
                    changed[5000 - seen] ^= 1
                seen += len(data)
                connection.sendall(changed)
        for flags in ((), ("--size", "100k")):
            with Many(spoil) as server:
                result = self.bench(f"127.0.0.1:{server.port}", *QUICK, "-c", "2", *flags, status=4)
            self.assertEqual(result["wrong"], 2)
            self.assertEqual(result["verdict"], "SUSPECT")

    def test_too_much_is_wrong_as_well(self):
        def stutter(connection):
            while data := connection.recv(1 << 16):
                connection.sendall(data + data[:1])
        with Many(stutter) as server:
            self.assertGreater(self.bench(f"127.0.0.1:{server.port}", *QUICK, "-c", "1", status=4)["wrong"], 0)

    def test_connections_that_break_are_counted(self):
        def leave(connection):
            connection.sendall(connection.recv(64))
        with Many(leave) as server:
            result = self.bench(f"127.0.0.1:{server.port}", "--duration", "1h", "--warmup", "0", "-c", "3")  # ends with them
        self.assertEqual(sum(result["failures"].values()), 3)
        self.assertEqual(result["unanswered"], 3)
        self.assertEqual(result["verdict"], "SUSPECT")

    def test_an_open_loop_sees_a_server_that_stands_still(self):
        # 300 ms in which nothing is answered; everything that was due meanwhile has waited.
        began = []
        def pause_once(connection):
            while data := connection.recv(1 << 16):
                began.append(time.monotonic())
                if began[0] and time.monotonic() - began[0] > 0.5:
                    began[0] = 0
                    time.sleep(0.3)
                connection.sendall(data)
        with Many(pause_once) as server:
            result = self.bench(f"127.0.0.1:{server.port}", "-c", "1", "--rate", "1000", "--warmup", "0", "--duration", "1s")
        self.assertEqual(result["round_trips"], 1000)
        self.check(result)
        late = sum(count for value, count in result["response"]["buckets"] if value > 50_000_000)
        self.assertGreater(late, 200)  # a closed loop would have one
        self.assertGreaterEqual(result["response"]["max_ns"], 290_000_000)
        self.assertLessEqual(result["service"]["max_ns"], result["response"]["max_ns"])

    def test_churn_makes_a_connection_for_each(self):
        with Many(echo) as server:
            result = self.bench(f"127.0.0.1:{server.port}", *QUICK, "--churn", "-c", "4")
            self.assertGreater(result["round_trips"], 4)
            self.assertGreaterEqual(server.accepted, result["opened"])
        self.assertEqual(result["failures"], {})

    def test_hold_finds_everybody_alive_at_the_end(self):
        server = self.server("127.0.0.1:0", "-q")
        result = self.bench(f"127.0.0.1:{server.port}", "--hold", "300", "--duration", "300ms", "--server-pid", server.process.pid)
        self.assertEqual((result["opened"], result["round_trips"], result["verdict"]), (300, 300, "VALID")
                         if not result["reasons"] else (300, 300, "SUSPECT"))
        self.assertIn("server_memory_bytes", result)

    def test_other_protocols(self):
        def ping(connection):
            lines = connection.makefile("rwb")
            for line in lines:
                lines.write(b"+PONG\r\n" if line == b"PING\r\n" else b"-ERR\r\n")
                lines.flush()
        with Many(ping) as server:
            where = f"127.0.0.1:{server.port}"
            result = self.bench(where, *QUICK, "--send", r"PING\r\n", "--expect", r"+PONG\r\n", "--depth", "3")
            self.assertGreater(result["round_trips"], 0)
            self.assertEqual(result["wrong"], 0)
            self.assertGreater(self.bench(where, *QUICK, "--send", r"HELLO\r\n", "--expect", r"+PONG\r\n", status=4)["wrong"], 0)

    def test_unix_sockets(self):
        path = self.folder() + "/echo.sock"
        self.server(f"unix:{path}", "-q")
        self.assertGreater(self.bench(f"unix:{path}", *QUICK)["round_trips"], 0)

    def test_the_report_and_what_is_saved(self):
        server = self.server("127.0.0.1:0", "-q")
        file = pathlib.Path(self.folder()) / "result.json"
        for language, words in (("en", ("round trips", "latency", "every one compared: wrong replies 0")),
                                ("ko", ("왕복", "지연", "모두 비교했고 틀린 답 0개"))):
            run = meari("bench", "--lang", language, "--save", file, *QUICK, "--server-pid", server.process.pid, f"127.0.0.1:{server.port}")
            self.assertEqual((run.returncode, run.stderr), (0, b""))
            text = run.stdout.decode()
            for word in (*words, "p99.99"):
                self.assertIn(word, text)
            self.assertRegex(text, "VALID|SUSPECT")
            result = json.loads(file.read_text())
            self.assertEqual(result["meari_bench"], 1)
            self.assertGreater(result["server_cpu_seconds"], 0)
        run = meari("bench", "--save", self.folder() + "/no/such/file", *QUICK, f"127.0.0.1:{server.port}")
        self.assertEqual(run.returncode, 1)

    def test_ctrl_c_reports_what_there_is(self):
        server = self.server("127.0.0.1:0")
        process = subprocess.Popen([MEARI, "bench", "--json", "--warmup", "0", "--duration", "1h", f"127.0.0.1:{server.port}"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        server.wait_for("connected", count=65)  # the first one asked who answers
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=support.DEADLINE)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(json.loads(out)["wrong"], 0)

    def test_nobody_there(self):
        with socket.socket() as nobody:
            nobody.bind((LOOPBACK, 0))
            run = meari("bench", *QUICK, f"127.0.0.1:{nobody.getsockname()[1]}")
        self.assertEqual(run.returncode, 1)
        self.assertIn(b"connection refused", run.stderr)

    def test_mistakes_are_explained(self):
        for words, told in ((("--size", "0"), "not a size"), (("--size", "9..3"), "not a size"), (("--rate", "fast"), "not a rate"),
                            (("--send", r"a\q"), "backslash"), (("--churn", "--hold", "3"), "exclude each other"),
                            (("--rate", "5", "--depth", "2"), "exclude each other"), (("udp:9000",), "datagrams"), (("fd:3",), "its own"),
                            ((), "needs an address")):
            run = meari("bench", *words, *(() if words and ":" in words[0] or not words else ("9000",)))
            self.assertEqual(run.returncode, 2, words)
            self.assertIn(told, run.stderr.decode())


if __name__ == "__main__":
    unittest.main()
