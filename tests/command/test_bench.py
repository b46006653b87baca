"""`meari bench`: what it counts is true, what is wrong is found, and it says when it cannot be believed. No test looks at speed."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time
import unittest
import xml.etree.ElementTree

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


class Lossy:
    """A proxy for datagrams, between a bench and its server: drops some of the replies, sends some twice."""

    def __init__(self, server_port, drop_every=0, double_every=0):
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind((LOOPBACK, 0))
        self.port = self.front.getsockname()[1]
        self.target = (LOOPBACK, server_port)
        self.drop_every, self.double_every = drop_every, double_every
        self.passed = self.dropped = self.doubled = 0
        self.threads = [threading.Thread(target=self._forward, daemon=True)]
        self.threads[0].start()

    def _forward(self):
        backs = {}
        with contextlib.suppress(OSError):
            while True:
                data, client = self.front.recvfrom(1 << 16)
                if data == b"over":
                    break
                if client not in backs:
                    backs[client] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    backs[client].connect(self.target)
                backs[client].send(data)
                answer = backs[client].recv(1 << 16)                       # one at a time: whoever measures has only one under way
                self.passed += 1
                if self.drop_every and self.passed % self.drop_every == 0:
                    self.dropped += 1
                    continue
                self.front.sendto(answer, client)
                if self.double_every and self.passed % self.double_every == 0:
                    self.doubled += 1
                    self.front.sendto(answer, client)
        for back in backs.values():
            back.close()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"over", (LOOPBACK, self.port))
        self.threads[0].join(support.DEADLINE)
        self.front.close()


def echo(connection):
    while data := connection.recv(1 << 16):
        connection.sendall(data)


class Bench(support.Case):
    def bench(self, *args, status=0, **more):
        """What it says as JSON. A machine that stood still for the whole duration gets a longer one."""
        run = meari("bench", "--json", *args, **more)
        self.assertEqual(run.returncode, status, run.stderr.decode())
        result = json.loads(run.stdout)
        if result["round_trips"] == 0 and QUICK[1] in args:
            return self.bench(*("5s" if arg == QUICK[1] else arg for arg in args), status=status, **more)
        return result

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

    @on_backends()
    def test_datagrams(self, backend):
        server = self.server("udp:127.0.0.1:0", "-q", backend=backend)
        for flags in ((), ("--size", "8..4000", "--depth", "8", "-c", "3"), ("--rate", "500"), ("--send", "hello", "-c", "2"), ("--threads", "2", "-c", "4")):
            with self.subTest(flags=flags):
                result = self.bench(f"udp:127.0.0.1:{server.port}", *QUICK, *flags, backend=backend)
                self.assertGreater(result["round_trips"], 0)
                self.assertEqual((result["wrong"], result["failures"], result["twice"]), (0, {}, 0))
                self.assertTrue(result["target"].startswith("udp:127.0.0.1:"))
                self.check(result)

    def test_datagrams_that_get_lost_or_come_twice_are_counted(self):
        server = self.server("udp:127.0.0.1:0", "-q")
        with Lossy(server.port, drop_every=5, double_every=7) as proxy:
            result = self.bench(f"udp:127.0.0.1:{proxy.port}", "-c", "1", "--warmup", "0", "--duration", "3s", "--timeout", "300ms")
        # Of those that were in time; one may have been dropped by the question who is there, or be under way at the end.
        self.assertGreater(result["round_trips"], 0)
        self.assertGreaterEqual(result["lost"], max(proxy.dropped - 2, 1))
        self.assertLessEqual(result["twice"], proxy.doubled)
        self.assertEqual(result["wrong"], 0)
        self.assertEqual(result["verdict"], "SUSPECT")
        self.assertIn("datagrams were lost; the latencies are of those that came back", result["reasons"])
        for language, words in (("en", "datagrams without a reply in time"), ("ko", "제때 답이 오지 않은 데이터그램")):
            with Lossy(server.port, drop_every=3) as proxy:
                run = meari("bench", "--lang", language, "-c", "1", *QUICK, "--timeout", "300ms", f"udp:127.0.0.1:{proxy.port}")
            self.assertIn(words, run.stdout.decode())

    def test_a_datagram_with_other_bytes_is_wrong(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((LOOPBACK, 0))

            def spoil():
                while (data := (pair := other.recvfrom(1 << 16))[0]) != b"over":
                    other.sendto(data[:-1] + bytes([data[-1] ^ 1]), pair[1])
            thread = threading.Thread(target=spoil)
            thread.start()
            port = other.getsockname()[1]
            result = self.bench(f"udp:127.0.0.1:{port}", *QUICK, "-c", "1", "--timeout", "300ms", status=4)
            other.sendto(b"over", (LOOPBACK, port))
            thread.join(support.DEADLINE)
        self.assertGreater(result["wrong"], 0)
        self.assertEqual(result["round_trips"], 0)

    def test_nobody_answers_datagrams(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind((LOOPBACK, 0))
            run = meari("bench", *QUICK, "--timeout", "10ms", f"udp:127.0.0.1:{silent.getsockname()[1]}")
        self.assertEqual(run.returncode, 1)
        self.assertIn("no datagram came back in 10 ms", run.stderr.decode())

    def test_a_result_is_compared_with_a_saved_one(self):
        server = self.server("127.0.0.1:0", "-q")
        where = f"127.0.0.1:{server.port}"
        file = pathlib.Path(self.folder()) / "before.json"
        longer = ("--duration", "1s", "--warmup", "50ms")                                  # enough slices with replies, however busy the machine is
        before = self.bench(where, *longer, "-c", "4", "--save", file)
        self.assertGreater(len(before["slices"]), 10)
        self.assertEqual(sum(slice["count"] for slice in before["slices"]), before["round_trips"])
        self.assertAlmostEqual(sum(slice["seconds"] for slice in before["slices"]), before["seconds"], places=6)
        self.assertTrue({"meari", "compiler", "system", "processor", "processors", "date"} <= set(before["environment"]))
        self.assertLessEqual(before["health"]["descriptors"], before["health"]["descriptor_limit"])
        # A server ten times as fast, and one ten times as slow, as far as the file says: what the gates see is beyond all noise.
        def scaled(factor):
            other = json.loads(json.dumps(before))
            other["per_second"] *= 1 / factor
            for histogram in (other["response"], other["service"], *other["slices"]):
                histogram["buckets"] = [[int(value * factor), count] for value, count in histogram["buckets"]]
                for name in ("min_ns", "max_ns"):
                    histogram[name] = int(histogram[name] * factor)
            for slice in other["slices"]:
                slice["seconds"] *= factor
            other["connections"] = 5
            path = pathlib.Path(self.folder()) / "other.json"
            path.write_text(json.dumps(other))
            return path
        gates = ("--fail-on", "p50+5%,rate-5%,errors+0")
        worse = self.bench(where, *longer, "-c", "4", "--compare", scaled(1 / 1000), *gates, status=4)["comparison"]
        self.assertEqual([gate["outcome"] for gate in worse["gates"]], ["failed", "failed", "passed"])
        self.assertEqual(worse["changes"]["p50"]["finding"], "worse")
        low, high = worse["changes"]["p50"]["interval"]
        self.assertLessEqual(low, worse["changes"]["p50"]["ratio"])
        self.assertLessEqual(worse["changes"]["p50"]["ratio"], high)
        self.assertIn({"name": "connections", "before": "5", "after": "4"}, worse["differences"])
        better = self.bench(where, *longer, "-c", "4", "--compare", scaled(1000), *gates)["comparison"]
        self.assertEqual([gate["outcome"] for gate in better["gates"]], ["passed"] * 3)
        self.assertEqual(better["changes"]["rate"]["finding"], "better")
        for language, words in (("en", ("before", "better", "NOT THE SAME: connections was 5, now 4", "gate p50+5%: passed")),
                                ("ko", ("이전", "나아짐", "조건이 다릅니다: connections 이전 5, 지금 4", "기준 p50+5%: 통과"))):
            run = meari("bench", "--lang", language, *longer, "-c", "4", "--compare", scaled(1000), *gates, where)
            self.assertEqual(run.returncode, 0, run.stderr)
            for word in words:
                self.assertIn(word, run.stdout.decode())
        run = meari("bench", *longer, "-c", "4", "--compare", file, where)                  # whatever it says, it is no gate
        self.assertEqual(run.returncode, 0)

    def test_what_cannot_be_compared_is_refused_before_anything_is_measured(self):
        file = pathlib.Path(self.folder()) / "no.json"
        for text, status, told in ((None, 1, "cannot be read"), ("", 2, "no result"), ("{}", 2, "no result"), ('{"meari_bench": 99}', 2, "no result")):
            if text is not None:
                file.write_text(text)
            run = meari("bench", "--duration", "1h", "--compare", file, "9")
            self.assertEqual(run.returncode, status)
            self.assertIn(told, run.stderr.decode())

    def test_pictures_are_whole_in_both_languages(self):
        server = self.server("127.0.0.1:0", "-q")
        where = f"127.0.0.1:{server.port}"
        folder = pathlib.Path(self.folder())
        self.bench(where, *QUICK, "--save", folder / "before.json")
        for language, words in (("en", "Latency by percentile"), ("ko", "백분위수별 지연")):
            for flags in ((), ("--rate", "500"), ("--compare", folder / "before.json"), ("--hold", "5")):
                picture = folder / "picture.svg"
                run = meari("bench", "--lang", language, *QUICK, *flags, "--plot", picture, where)
                self.assertEqual(run.returncode, 0, run.stderr)
                root = xml.etree.ElementTree.fromstring(picture.read_bytes())
                self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
                texts = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
                self.assertIn(words, texts)
                self.assertIn(f"meari bench {where}", texts)
                whole = picture.read_text()
                for foreign in ("<script", "href", "url(", "nan", "inf "):       # nothing is fetched, nothing is run, everything is a number
                    self.assertNotIn(foreign, whole)
                width, height = map(float, root.attrib["viewBox"].split()[2:])
                for path in root.iter("{http://www.w3.org/2000/svg}path"):
                    numbers = [float(number) for number in path.attrib["d"].replace("M", " ").replace("L", " ").replace("Z", " ").split()]
                    for x, y in zip(numbers[::2], numbers[1::2]):
                        self.assertTrue(0 <= x <= width and 0 <= y <= height, (x, y))

    def test_percentiles_as_hdrhistogram_writes_them(self):
        server = self.server("127.0.0.1:0", "-q")
        file = pathlib.Path(self.folder()) / "latency.hgrm"
        result = self.bench(f"127.0.0.1:{server.port}", *QUICK, "--percentiles", file)
        lines = file.read_text().splitlines()
        self.assertEqual(lines[0].split(), ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"])
        rows = [[float(word) for word in line.split()] for line in lines[2:] if not line.startswith("#")]
        self.assertEqual(rows[-1][2], result["round_trips"])
        self.assertAlmostEqual(rows[-1][0], result["response"]["max_ns"] / 1e6, places=5)
        self.assertEqual([row[:3] for row in rows], sorted(row[:3] for row in rows))
        self.assertRegex(lines[-3], r"^#\[Mean    = +[\d.]+, StdDeviation   = +[\d.]+\]$")

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
        for flag in ("--save", "--plot", "--percentiles"):
            run = meari("bench", flag, self.folder() + "/no/such/file", *QUICK, f"127.0.0.1:{server.port}")
            self.assertEqual(run.returncode, 1)
            self.assertIn("could not be written", run.stderr.decode())

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
                            (("--rate", "5", "--depth", "2"), "exclude each other"), (("--churn", "udp:9000"), "for connections"), (("--hold", "3", "udp:9000"), "for connections"),
                            (("--size", "4", "udp:9000"), "8 to 65507 bytes"), (("--send", "x", "--depth", "2", "udp:9000"), "carry no number"),
                            (("--fail-on", "p99+5%"), "needs --compare"), (("--compare", "x", "--fail-on", "p99-5%"), "a gate is"), (("fd:3",), "its own"),
                            ((), "needs an address")):
            run = meari("bench", *words, *(() if words and ":" in words[-1] or not words else ("9000",)))
            self.assertEqual(run.returncode, 2, words)
            self.assertIn(told, run.stderr.decode())


if __name__ == "__main__":
    unittest.main()
