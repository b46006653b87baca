"""`meari connect`: --retry, --timeout with names, --crlf, --hexdump, --repeat and --interval."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import unicodedata
import unittest

import support
from support import LOOPBACK, meari, on_backends, read_all
from test_terminal import Terminal

AGAIN = re.compile(r"attempt (\d+) of (\d+) in (\d+\.\d+) s")


class Started:
    """`meari connect` that is still running; its lines on standard error are read as they come."""

    def __init__(self, *words, **more):
        self.process = subprocess.Popen([support.MEARI, "connect", *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=support.environment(), **more)

    def line(self):
        return self.process.stderr.readline().decode()

    def end(self):
        out, err = self.process.communicate(timeout=support.DEADLINE)
        return self.process.returncode, out, err.decode()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.process.kill()
        self.process.communicate()


class Retry(support.Case):
    def closed_port(self):
        """A port that is ours, and refuses until somebody calls listen()."""
        held = socket.socket()
        self.addCleanup(held.close)
        held.bind((LOOPBACK, 0))
        return held, held.getsockname()[1]

    @on_backends()
    def test_a_server_that_starts_late_is_reached(self, backend):
        held, port = self.closed_port()
        with Started("--backend", backend, "--retry", 50, "-m", "hi", f"{LOOPBACK}:{port}") as client:
            self.assertRegex(client.line(), rf"\Aconnect to {LOOPBACK}:{port}: connection refused; attempt 2 of 51 in 0\.\d+ s\n\Z")
            held.listen()
            held.settimeout(support.DEADLINE)
            connection, _ = held.accept()
            with connection:
                self.assertEqual(read_all(connection), b"hi")
                connection.sendall(b"ho")
            status, out, _ = client.end()
        self.assertEqual((status, out), (0, b"ho"))

    def test_it_gives_up_after_so_many_with_pauses_that_grow(self):
        _, port = self.closed_port()
        run = meari("connect", "--retry", "4", "--check", f"{LOOPBACK}:{port}")
        self.assertEqual(run.returncode, 1)
        text = run.stderr.decode()
        found = AGAIN.findall(text)
        self.assertEqual([(int(n), int(of)) for n, of, _ in found], [(2, 5), (3, 5), (4, 5), (5, 5)])
        for (_, _, pause), whole in zip(found, (0.1, 0.2, 0.4, 0.8)):
            self.assertGreaterEqual(float(pause), whole / 2 - 0.001)
            self.assertLessEqual(float(pause), whole)
        self.assertEqual(text.count("connection refused"), 5)
        self.assertEqual(meari("connect", "-q", "--retry", "1", "--check", f"{LOOPBACK}:{port}").stderr.count(b"refused"), 1)

    def test_in_korean(self):
        _, port = self.closed_port()
        run = meari("connect", "--retry", "1", "--check", f"{LOOPBACK}:{port}", lang="ko_KR.UTF-8")
        self.assertRegex(run.stderr.decode(), r"연결이 거부되었습니다\. 0\.\d+초 뒤에 다시 시도합니다 \(2/2\)\n")

    def test_a_path_that_appears_is_reached(self):
        path = f"{self.folder()}/late.sock"
        with Started("--retry", 50, "-m", "hi", f"unix:{path}") as client:
            self.assertIn("no such file or socket; attempt 2 of 51", client.line())
            self.server(f"unix:{path}")
            status, out, _ = client.end()
        self.assertEqual((status, out), (0, b"hi"))

    def test_what_does_not_pass_is_not_tried_again(self):
        run = meari("connect", "--retry", "5", "--source", "::1", "--check", f"{LOOPBACK}:9")
        self.assertEqual(run.returncode, 2)
        self.assertNotRegex(run.stderr.decode(), AGAIN)

    def test_each_attempt_has_its_timeout(self):
        with socket.create_server((LOOPBACK, 0), backlog=0) as listener:
            port = listener.getsockname()[1]
            waiting = []
            for _ in range(4):                                             # until the kernel drops what comes
                client = socket.socket()
                client.setblocking(False)
                client.connect_ex((LOOPBACK, port))
                waiting.append(client)
            run = meari("connect", "--timeout", "300ms", "--retry", "1", f"{LOOPBACK}:{port}")
            for client in waiting:
                client.close()
        self.assertEqual(run.returncode, 1)
        self.assertRegex(run.stderr.decode(), rf"{LOOPBACK}:{port}: timed out; attempt 2 of 2 in .*\nmeari: .*: timed out\n")

    def test_an_interrupt_in_a_pause_is_130(self):
        _, port = self.closed_port()
        with Started("--retry", 50, f"{LOOPBACK}:{port}") as client:
            client.line()
            client.process.send_signal(signal.SIGINT)
            self.assertEqual(client.end()[0], 130)


MUTE_NAME_SERVER = r"""
import os, socket, subprocess, sys, threading, time
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
with open(sys.argv[1] + "/resolv.conf", "w") as file:
    file.write("nameserver 127.0.0.1\noptions timeout:20 attempts:1\n")
subprocess.run(["mount", "--bind", sys.argv[1] + "/resolv.conf", "/etc/resolv.conf"], check=True)
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
begin = time.monotonic()
run = subprocess.run(sys.argv[2:], stdin=subprocess.DEVNULL)
print(run.returncode, time.monotonic() - begin)
"""


class Names(support.Case):
    @unittest.skipUnless(shutil.which("unshare") and shutil.which("ip") and
                         subprocess.run(["unshare", "-rnm", "true"], capture_output=True).returncode == 0, "needs unshare -rnm")
    def test_a_name_server_that_does_not_answer_is_waited_for_as_long_as_the_timeout_says(self):
        """And no longer: the helper thread that asks it cannot be called off, and would keep the command for 20 s."""
        folder = self.folder()
        command = [support.MEARI, "connect", "--timeout", "300ms", "--check", "slow.example.org:80"]
        run = subprocess.run(["unshare", "-rnm", sys.executable, "-c", MUTE_NAME_SERVER, folder, *command], capture_output=True,
                             env=support.environment(), timeout=60)
        if b"mount" in run.stderr:
            self.skipTest(f"no bind mounts here: {run.stderr!r}")
        status, took = run.stdout.split()
        self.assertIn(b"meari: look up slow.example.org: timed out\n", run.stderr)
        self.assertEqual(status, b"1")
        self.assertLess(float(took), 15)


class LineEnds(support.Case):
    def sent(self, *flags, stdin=b""):
        got = []
        server = self.peer(lambda connection: got.append(read_all(connection)))
        run = meari("connect", *flags, f"{LOOPBACK}:{server.port}", stdin=stdin)
        self.assertEqual(run.returncode, 0, run.stderr)
        server.thread.join(support.DEADLINE)
        return got.pop()

    def test_new_lines_become_crlf_and_crlf_stays(self):
        self.assertEqual(self.sent("--crlf", stdin=b"a\nb\r\nc\r\r\n\n\xffd"), b"a\r\nb\r\nc\r\r\n\r\n\xffd")
        self.assertEqual(self.sent("--crlf", "-m", "GET / HTTP/1.0\n\n"), b"GET / HTTP/1.0\r\n\r\n")
        self.assertEqual(self.sent(stdin=b"a\nb\r\n"), b"a\nb\r\n")

    def test_a_crlf_in_two_pieces_stays(self):
        got = []
        server = self.peer(lambda connection: (connection.sendall(connection.recv(2)), got.append(read_all(connection))))
        with subprocess.Popen([support.MEARI, "connect", "--crlf", f"{LOOPBACK}:{server.port}"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, env=support.environment()) as process:
            process.stdin.write(b"a\r")
            process.stdin.flush()
            self.assertEqual(process.stdout.read(2), b"a\r")               # it has been sent
            process.stdin.write(b"\nb\n")
            process.communicate(timeout=support.DEADLINE)
        server.thread.join(support.DEADLINE)
        self.assertEqual(got, [b"\nb\r\n"])

    def test_the_echo_of_what_was_sent_is_expected(self):
        server = self.server(f"{LOOPBACK}:0")
        run = meari("connect", "--crlf", "--expect-echo", f"{LOOPBACK}:{server.port}", stdin=b"one\ntwo\n" * 20000)
        self.assertEqual((run.returncode, run.stdout), (0, b"one\r\ntwo\r\n" * 20000))


def columns(text):
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


class Dump(support.Case):
    ROW = re.compile(r"([→←]) ([0-9a-f]{8})  ((?:[0-9a-f]{2} )*[0-9a-f]{2}) {2,}(.*)")

    def dump(self, data, *flags, lang="C.UTF-8"):
        server = self.server(f"{LOOPBACK}:0")
        run = meari("connect", "--hexdump", *flags, f"{LOOPBACK}:{server.port}", stdin=data, lang=lang)
        self.assertEqual((run.returncode, run.stdout), (0, data))
        return run.stderr.decode()

    def test_both_directions_are_shown_and_the_payload_stays(self):
        text = self.dump("메아리 echo!\nx".encode())
        self.assertRegex(text, r"\A→ 0\.\d{6} s, bytes: 17\n"
                         r"→ 00000000  eb a9 94 ec 95 84 eb a6 ac 20 65 63 68 6f 21 0a  메 아 리  echo!\.\n"
                         r"→ 00000010  78 {47}x\n"
                         r"(.*\n)*← 0\.\d{6} s, bytes: 17\n"
                         r"← 00000000  eb a9 94 .*\n(.*\n)*← 0\.\d{6} s, end \(FIN\)\n\Z")
        self.assertRegex(text, r"→ 0\.\d{6} s, end \(FIN\)\n")
        self.assertRegex(self.dump(b"x", lang="ko_KR.UTF-8"), r"\A→ 0\.\d{6}초, 1바이트\n")

    def test_every_byte_is_there_in_both_directions(self):
        data = os.urandom(300_000)
        rows = [self.ROW.fullmatch(line) for line in self.dump(data).splitlines()]
        for arrow in "→←":
            ours = [row for row in rows if row and row[1] == arrow]
            self.assertEqual(b"".join(bytes.fromhex(row[3]) for row in ours), data)
            place = 0
            for row in ours:
                self.assertEqual(int(row[2], 16), place)
                place += len(bytes.fromhex(row[3]))

    def test_the_text_is_aligned_whatever_it_is(self):
        """As wide as the bytes of its row, for text of one and two columns in any order, cut by the ends of rows."""
        random.seed(1)
        letters = "abc é ж ω 가힣ㅎ 漢字 カナ ！😀\u0301\u200b\u202e\x1b\x00\x7f\u3164"
        data = "".join(random.choice(letters) for _ in range(4000)).encode() + bytes(range(256))
        shown = 0
        for line in self.dump(data).splitlines():
            row = self.ROW.fullmatch(line)
            if row is None or row[1] == "←":
                continue
            text = line[61:]
            self.assertEqual(line[59:61], "  ")
            self.assertLessEqual(columns(text), len(bytes.fromhex(row[3])), line)
            shown += len(re.findall("[가힣ㅎ漢字カナ]", text))
            for letter in text:
                self.assertNotIn(unicodedata.category(letter), ("Cc", "Cf", "Mn"), repr(letter))
        text = data.decode(errors="replace")
        self.assertEqual(shown, len(re.findall("[가힣ㅎ漢字カナ]", text)))   # none is lost at the end of a row

    def test_on_a_terminal_it_takes_the_place_of_the_payload(self):
        server = self.server(f"{LOOPBACK}:0")
        terminal = self._entered(Terminal(support.MEARI, "connect", "--hexdump", f"{LOOPBACK}:{server.port}"))
        terminal.wait_for(rb"> ")
        terminal.type(b"hi\x1b\n")
        terminal.wait_for("→ 00000000  68 69 1b 0a {38}hi\\.\\.\r\n".encode())
        terminal.wait_for("← 00000000  68 69 1b 0a {38}hi\\.\\.\r\n".encode())
        terminal.type(b"\x04")
        self.assertEqual(terminal.end(), 0)
        self.assertIn(b"sent 4, acknowledged 4, received 4; the peer closed cleanly", terminal.seen)

    def test_nobody_reads_the_dump(self):
        server = self.server(f"{LOOPBACK}:0")
        read, write = os.pipe()
        os.close(read)
        run = subprocess.run([support.MEARI, "connect", "--hexdump", f"{LOOPBACK}:{server.port}"], input=b"x" * 100_000,
                             stdout=subprocess.PIPE, stderr=write, env=support.environment(), timeout=support.DEADLINE)
        os.close(write)
        self.assertEqual((run.returncode, run.stdout), (0, b"x" * 100_000))


class Repeat(support.Case):
    TIMES = r"min (\d+\.\d{3}), median (\d+\.\d{3}), max (\d+\.\d{3}) ms\n"

    @on_backends()
    def test_each_has_its_times_and_the_end_has_three(self, backend):
        server = self.server(f"{LOOPBACK}:0", backend=backend)
        run = meari("connect", "--backend", backend, "--repeat", "5", "--interval", "10ms", "-m", "hi", f"{LOOPBACK}:{server.port}")
        self.assertEqual((run.returncode, run.stdout), (0, b"hi" * 5))
        text = run.stderr.decode()
        self.assertRegex(text, rf"(?m)^1: {LOOPBACK}:{server.port} connected in \d+\.\d{{3}} ms, first reply after \d+\.\d{{3}} ms$")
        self.assertIn("5 of 5 went well\n", text)
        for what in ("connecting", "first reply"):
            least, median, most = (float(time) for time in re.search(what + ": " + self.TIMES, text).groups())
            self.assertLessEqual(least, median)
            self.assertLessEqual(median, most)
        server.wait_for(r"#5 .* received 2, sent 2")

    def test_check(self):
        server = self.server(f"{LOOPBACK}:0")
        run = meari("connect", "--repeat", "3", "--interval", "0", "--check", f"{LOOPBACK}:{server.port}", lang="ko_KR.UTF-8")
        self.assertEqual((run.returncode, run.stdout), (0, b""))
        self.assertRegex(run.stderr.decode(), rf"\A(\d: {LOOPBACK}:{server.port} 연결 \d+\.\d+ms\n){{3}}3번 가운데 3번 성공했습니다\n"
                         r"연결: 최소 \d+\.\d+, 중앙값 \d+\.\d+, 최대 \d+\.\d+ms\n\Z")

    def test_a_peer_that_says_nothing(self):
        server = self.server("discard", f"{LOOPBACK}:0")
        run = meari("connect", "--repeat", "2", "--interval", "0", "-m", "hi", f"{LOOPBACK}:{server.port}")
        self.assertEqual(run.returncode, 0)
        self.assertRegex(run.stderr.decode(), r"1: .* connected in .* ms, no reply\n2: .*\n2 of 2 went well\nconnecting: .*\n\Z")

    def test_one_that_fails_decides_and_the_others_go_on(self):
        replies = iter((b"hi", b"ho", b"hi"))
        with socket.create_server((LOOPBACK, 0)) as listener:
            listener.settimeout(support.DEADLINE)

            def serve():
                for reply in replies:
                    connection, _ = listener.accept()
                    with connection:
                        read_all(connection)
                        connection.sendall(reply)
            thread = threading.Thread(target=serve)
            thread.start()
            run = meari("connect", "--repeat", "3", "--interval", "0", "--expect-echo", "-m", "hi",
                        f"{LOOPBACK}:{listener.getsockname()[1]}")
            thread.join(support.DEADLINE)
        self.assertEqual(run.returncode, 4)
        self.assertIn(b"the echo differs at offset 1", run.stderr)
        self.assertIn(b"2 of 3 went well\n", run.stderr)

    def test_nobody_listens(self):
        with socket.create_server((LOOPBACK, 0)) as listener:
            port = listener.getsockname()[1]
        run = meari("connect", "--repeat", "2", "--interval", "0", "--check", f"{LOOPBACK}:{port}")
        self.assertEqual(run.returncode, 1)
        self.assertTrue(run.stderr.endswith(b"\n0 of 2 went well\n"), run.stderr)

    def test_the_interval_is_kept(self):
        server = self.server(f"{LOOPBACK}:0")
        begin = time.monotonic()
        meari("connect", "--repeat", "3", "--interval", "200ms", "--check", f"{LOOPBACK}:{server.port}")
        self.assertGreater(time.monotonic() - begin, 0.39)

    def test_an_interrupt_gives_what_there_is_and_130(self):
        server = self.server(f"{LOOPBACK}:0")
        with Started("--repeat", 100, "--interval", "1h", "--check", f"{LOOPBACK}:{server.port}") as client:
            self.assertIn("connected in", client.line())
            client.process.send_signal(signal.SIGINT)
            status, _, text = client.end()
        self.assertEqual(status, 130)
        self.assertIn("1 of 1 went well\nconnecting: min ", text)

    def test_it_needs_something_to_repeat(self):
        for words, told in ((["--repeat", "2", "9"], "--repeat needs --message or --check"), (["--interval", "2s", "9"], "--interval needs --repeat"),
                            (["--repeat", "0", "--check", "9"], "from 1 to"), (["--hexdump", "--raw", "9"], "exclude each other"),
                            (["--crlf", "--check", "9"], "exclude each other")):
            run = meari("connect", *words)
            self.assertEqual(run.returncode, 2)
            self.assertIn(told, run.stderr.decode())


if __name__ == "__main__":
    unittest.main()
