"""`meari connect udp:…`: what becomes a datagram, what is taken for a reply, how long replies are waited for, who is told that
nobody is there, and what the account says."""

import fcntl
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
import unittest

import support
from support import LOOPBACK, meari, needs, on_backends
from test_terminal import Terminal

MOST = 65507
ACCOUNT = re.compile(r"datagrams sent (\d+) \(bytes: (\d+)\), received (\d+) \(bytes: (\d+)\); (.+)")


def account(run):
    """(sent, bytes, received, bytes), and how it ended."""
    found = ACCOUNT.search(run.stderr.decode())
    assert found, run.stderr
    return tuple(int(number) for number in found.groups()[:4]), found[5]


class Correspondent:
    """A socket of the test's own. `answer` gets each datagram, its sender and the socket, on a thread; what came is kept."""

    def __init__(self, answer, host=LOOPBACK):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.port = self.socket.getsockname()[1]
        self.came = []
        self.thread = threading.Thread(target=self._serve, args=(answer,), daemon=True)
        self.thread.start()

    def _serve(self, answer):
        while True:
            data, sender = self.socket.recvfrom(1 << 16)
            if data == b"the test is over":
                return
            self.came.append(data)
            answer(data, sender, self.socket)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        """Everything that was sent before has been read then. Once is enough."""
        if self.socket.fileno() < 0:
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.sendto(b"the test is over", self.socket.getsockname())
        self.thread.join(support.DEADLINE)
        self.socket.close()


def echo(data, sender, ours):
    ours.sendto(data, sender)


def unread(pipe):
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def queued(port):
    """Bytes that have come to this port, and that its program has not received."""
    for line in pathlib.Path("/proc/net/udp").read_text().splitlines()[1:]:
        _, local, _, _, queues, *_ = line.split()
        if int(local.split(":")[1], 16) == port:
            return int(queues.split(":")[1], 16)
    raise AssertionError(f"nobody has port {port}")


def silence(data, sender, ours):
    pass


class Case(support.Case):
    def correspondent(self, answer=echo, **more):
        return self._entered(Correspondent(answer, **more))

    def started(self, *words, backend=None, stdin=subprocess.DEVNULL):
        process = subprocess.Popen([support.MEARI, *words], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=support.environment(backend=backend))
        self.addCleanup(process.kill)
        return process

    def until(self, holds):
        deadline = time.monotonic() + support.DEADLINE
        while not holds():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.005)

    def silent_port(self):
        """A port that nobody has: here it is ours, and there it is nobody's."""
        held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(held.close)
        held.bind((LOOPBACK, 0))
        return f"udp:127.0.0.83:{held.getsockname()[1]}"


class Pieces(Case):
    @on_backends()
    def test_a_message_is_one_datagram_and_its_reply_is_printed(self, backend):
        with self.correspondent() as other:
            for text in ("hello", "", "여러 바이트\n", "x" * MOST):
                run = meari("connect", "-m", text, f"udp:{LOOPBACK}:{other.port}", backend=backend)
                size = len(text.encode())
                self.assertEqual((run.returncode, run.stdout), (0, text.encode()), run.stderr)
                self.assertEqual(account(run), ((1, size, 1, size), "no reply for 1 s; nothing is acknowledged"))
            self.assertEqual([len(data) for data in other.came], [5, 0, 17, MOST])

    @on_backends()
    def test_each_piece_that_is_read_is_a_datagram(self, backend):
        with self.correspondent(lambda data, sender, ours: ours.sendto(b"<" + data + b">", sender)) as other:
            with subprocess.Popen([support.MEARI, "connect", "--backend", backend, f"udp:{LOOPBACK}:{other.port}"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=support.environment()) as process:
                for piece in (b"one\n", b"two\nthree\n", b"x"):
                    process.stdin.write(piece)
                    process.stdin.flush()
                    self.assertEqual(process.stdout.read(len(piece) + 2), b"<" + piece + b">")
                out, err = process.communicate(timeout=support.DEADLINE)
            self.assertEqual((process.returncode, out), (0, b""), err)
            self.assertEqual(other.came, [b"one\n", b"two\nthree\n", b"x"])
            self.assertIn(b"datagrams sent 3 (bytes: 15), received 3 (bytes: 21)", err)

    def test_a_file_is_cut_into_what_a_datagram_carries(self):
        data = os.urandom(150_000)
        with self.correspondent() as other:
            path = f"{self.folder()}/file"
            with open(path, "wb") as file:
                file.write(data)
            with open(path, "rb") as file:
                run = meari("connect", "--on-eof", "close", f"udp:{LOOPBACK}:{other.port}", stdin=file)
            self.assertEqual(run.returncode, 0, run.stderr)
            other.__exit__()
            self.assertEqual(b"".join(other.came), data)
            self.assertEqual(max(len(piece) for piece in other.came), MOST)

    def test_a_message_that_is_too_long_is_refused_before_anything_is_sent(self):
        with self.correspondent() as other:
            for flags in ([f"-m{'x' * (MOST + 1)}"], ["--crlf", f"-m{'x' * (MOST - 1)}\n"]):
                run = meari("connect", *flags, f"udp:{LOOPBACK}:{other.port}")
                self.assertEqual((run.returncode, run.stdout), (2, b""))
                self.assertIn(b"--message: 65508 bytes; a datagram carries 65507 at the most", run.stderr)
            self.assertEqual(other.came, [])

    def test_crlf(self):
        with self.correspondent(silence) as other:
            self.assertEqual(meari("connect", "--crlf", "--on-eof=close", f"udp:{LOOPBACK}:{other.port}", stdin=b"a\nb\r\n").returncode, 0)
            other.__exit__()
            self.assertEqual(b"".join(other.came), b"a\r\nb\r\n")

    def test_the_small_services_are_asked_with_an_empty_datagram(self):
        server = self.server("daytime", f"udp:{LOOPBACK}:0")
        self.assertRegex(meari("connect", "-m", "", f"udp:{LOOPBACK}:{server.port}").stdout, rb"\A\d{4}-|\A\w+")
        server = self.server("time", f"udp:{LOOPBACK}:0")
        self.assertEqual(len(meari("connect", "-m", "", f"udp:{LOOPBACK}:{server.port}").stdout), 4)

    @unittest.skipIf(support.WINDOWS, "Windows has no abstract names")
    @on_backends()
    def test_over_a_unix_socket(self, backend):
        path = f"{self.folder()}/mail"
        self.server(f"udp:unix:{path}", backend=backend)
        run = meari("connect", "--expect-echo", "-m", "hello", f"udp:unix:{path}", backend=backend)
        self.assertEqual((run.returncode, run.stdout), (0, b"hello"), run.stderr)
        run = meari("connect", "-m", "hello", f"udp:unix:{path}.not", backend=backend)
        self.assertEqual(run.returncode, 1)
        self.assertIn(b"no such file or socket", run.stderr)


    @unittest.skipIf(support.WINDOWS, "wine has no Unix-domain sockets")
    @on_backends()
    def test_a_reply_that_is_cut_off_is_told(self, backend):
        path = f"{self.folder()}/long"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            other.bind(path)
            other.settimeout(support.DEADLINE)
            process = self.started("connect", "-m", "x", f"udp:unix:{path}", backend=backend)
            other.sendto(b"y" * 100_000, other.recvfrom(16)[1])
            out, err = process.communicate(timeout=support.DEADLINE)
        self.assertEqual((process.returncode, len(out)), (3, 65_535), err)
        self.assertIn(b"reply 1 was longer than the 65535 bytes", err)

    @unittest.skipIf(support.WINDOWS, "Windows passes no descriptors by number")
    def test_a_descriptor_is_one_conversation(self):
        with self.correspondent() as other, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
            ours.connect((LOOPBACK, other.port))
            number = ours.fileno()
            run = meari("connect", "--repeat", "2", "-m", "x", f"fd:{number}", pass_fds=[number])
            self.assertEqual(run.returncode, 2, run.stderr)
            self.assertIn(f"--repeat needs a new connection each time, and fd:{number} is one".encode(), run.stderr)
            run = meari("connect", "--explain", "-m", "x", f"fd:{number}", pass_fds=[number])
            self.assertEqual((run.returncode, run.stdout), (0, b"x"), run.stderr)
            self.assertNotIn(b"FIN", run.stderr)

    @unittest.skipIf(support.WINDOWS, "Windows passes no descriptors by number")
    @on_backends()
    def test_a_socket_that_somebody_else_opened(self, backend):
        with self.correspondent() as other, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
            number = ours.fileno()
            run = meari("connect", "-m", "x", f"fd:{number}", pass_fds=[number], backend=backend)
            self.assertEqual((run.returncode, run.stdout), (1, b""))
            self.assertIn(f"take over fd:{number}: not connected".encode(), run.stderr)
            ours.connect((LOOPBACK, other.port))
            self.assertEqual(meari("connect", "--check", f"fd:{number}", pass_fds=[number], backend=backend).returncode, 2)
            run = meari("connect", "--expect-echo", "-m", "hello", f"fd:{number}", pass_fds=[number], backend=backend)
            self.assertEqual((run.returncode, run.stdout), (0, b"hello"), run.stderr)

    @unittest.skipIf(support.WINDOWS, "Windows passes no descriptors by number")
    def test_a_descriptor_that_is_no_socket(self):
        for verb in ("connect", "serve"):
            for lang, words in (("C.UTF-8", "take over fd:0: it is no socket"), ("ko_KR.UTF-8", "소켓이 아닙니다")):
                run = meari(verb, "fd:0", lang=lang)
                self.assertEqual(run.returncode, 1, run.stderr)
                self.assertIn(words, run.stderr.decode())


class Replies(Case):
    @on_backends()
    def test_whoever_else_sends_is_not_taken_for_the_peer(self, backend):
        def answer(data, sender, ours):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                stranger.sendto(b"forged", sender)
            ours.sendto(b"mine", sender)
        with self.correspondent(answer) as other:
            run = meari("connect", "-m", "x", f"udp:{LOOPBACK}:{other.port}", backend=backend)
        self.assertEqual((run.returncode, run.stdout), (0, b"mine"), run.stderr)

    def test_replies_are_waited_for_as_long_as_they_come(self):
        """Sixty of them in three seconds; a busy machine may make a pause of more than a second once, so there are three tries."""
        def trickle(data, sender, ours):
            for number in range(60):
                ours.sendto(b"%d " % number, sender)
                time.sleep(0.05)
        for _ in range(3):
            with self.correspondent(trickle) as other:
                run = meari("connect", "-m", "x", f"udp:{LOOPBACK}:{other.port}")
            self.assertEqual(run.returncode, 0)
            if run.stdout.endswith(b" 59 "):
                return
        self.fail(run.stdout)

    def test_on_eof(self):
        with self.correspondent(silence) as other:
            to = f"udp:{LOOPBACK}:{other.port}"
            for policy, how in (("half-close", "no reply for 1 s"), ("close", "replies were not awaited"),
                                ("wait:300ms", "replies were awaited for 0.300 s")):
                run = meari("connect", "--on-eof", policy, "-m", "x", to)
                self.assertEqual((run.returncode, run.stdout), (0, b""), run.stderr)
                self.assertEqual(account(run), ((1, 1, 0, 0), how + "; nothing is acknowledged"))

    def test_keep_waits_until_somebody_interrupts_it(self):
        def late(data, sender, ours):
            time.sleep(1.5)                                                # longer than half-close would wait
            ours.sendto(b"late", sender)
        with self.correspondent(late) as other:
            with subprocess.Popen([support.MEARI, "connect", "--on-eof=keep", "-m", "x", f"udp:{LOOPBACK}:{other.port}"],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=support.environment()) as process:
                self.assertEqual(process.stdout.read(4), b"late")
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=support.DEADLINE)
        self.assertEqual((process.returncode, out), (130, b""))
        self.assertEqual(err, b"meari: datagrams sent 1 (bytes: 1), received 1 (bytes: 4); you interrupted it\n")

    def test_an_absent_input_has_no_end(self):
        with self.correspondent(silence) as other:
            with subprocess.Popen([support.MEARI, "connect", "--idle", "2s", f"udp:{LOOPBACK}:{other.port}"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=support.environment()) as process:
                out, err = process.communicate(timeout=support.DEADLINE)
        self.assertEqual((process.returncode, out), (3, b""))
        self.assertEqual(err, b"meari: datagrams sent 0 (bytes: 0), received 0 (bytes: 0); nothing came or went for too long\n")

    def test_a_reader_that_leaves_ends_it_quietly(self):
        with self.correspondent() as other:
            run = subprocess.run(["timeout", str(support.DEADLINE), "bash", "-c",
                                  f'yes | "{support.MEARI}" connect udp:{LOOPBACK}:{other.port} | head -c 4; echo "${{PIPESTATUS[1]}}"'],
                                 capture_output=True, env=support.environment())
        self.assertEqual((run.stdout, run.stderr), (b"y\ny\n0\n", b""))

    def test_a_reader_that_takes_its_time_loses_nothing(self):
        replies = [bytes([letter]) * 30_000 for letter in b"abcd"]  # more than a pipe holds
        sent = threading.Event()

        def answer(data, sender, ours):
            for reply in replies:
                ours.sendto(reply, sender)
            sent.set()

        with self.correspondent(answer) as other:
            process = self.started("connect", "-m", "x", f"udp:{LOOPBACK}:{other.port}")
            self.assertTrue(sent.wait(support.DEADLINE))
            with self.assertRaises(subprocess.TimeoutExpired):  # longer than it waits for another reply
                process.wait(1.6)
            out, err = process.communicate(timeout=support.DEADLINE)
        self.assertEqual((process.returncode, out), (0, b"".join(replies)), err)

    def test_what_is_being_printed_when_the_input_ends_is_printed_whole(self):
        data = b"x" * (MOST + 15_000)  # two datagrams, and more than a pipe holds
        clients = []

        def answer(data, sender, ours):
            ours.sendto(data, sender)
            clients.append(sender)

        for how, *flags in (("all that was awaited has come back", "--expect-echo"), ("replies were not awaited", "--on-eof=close")):
            clients.clear()
            with self.correspondent(answer) as other:
                process = self.started("connect", *flags, f"udp:{LOOPBACK}:{other.port}", stdin=subprocess.PIPE)
                for count, piece in enumerate((data[:MOST], data[MOST:]), 1):
                    process.stdin.write(piece)
                    process.stdin.flush()
                    self.until(lambda: len(clients) == count)
                # The second reply has been received, and waits for room behind the first.
                self.until(lambda: queued(clients[0][1]) == 0 and unread(process.stdout) >= MOST)
                process.stdin.close()
                process.stdin = None
                with self.assertRaises(subprocess.TimeoutExpired, msg=flags):
                    process.wait(0.5)
                out, err = process.communicate(timeout=support.DEADLINE)
            self.assertEqual((process.returncode, len(out)), (0, len(data)), err)
            self.assertIn(how, err.decode())

    def test_quiet(self):
        with self.correspondent() as other:
            run = meari("connect", "-q", "-m", "x", f"udp:{LOOPBACK}:{other.port}")
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, b"x", b""))


class Nobody(Case):
    @on_backends()
    def test_a_closed_port_is_told_in_both_languages(self, backend):
        to = self.silent_port()
        for lang, words, sent in (("C.UTF-8", "refused: no program takes datagrams there (ICMP port unreachable)", "datagrams sent 1"),
                                  ("ko_KR.UTF-8", "거부되었습니다", "데이터그램 보냄 1개(5바이트), 받음 0개")):
            run = meari("connect", "-m", "hello", to, lang=lang, backend=backend)
            self.assertEqual((run.returncode, run.stdout), (1, b""))
            first, second = run.stderr.decode().splitlines()
            self.assertTrue(first.startswith(f"meari: {to}: ") and words in first, first)
            self.assertIn(sent, second)

    @on_backends()
    def test_it_ends_who_sends_from_a_pipe_as_well(self, backend):
        run = subprocess.run(["timeout", str(support.DEADLINE), "bash", "-c",   # which takes the whole pipe with it
                              f'yes | "{support.MEARI}" connect --backend {backend} {self.silent_port()}; echo "${{PIPESTATUS[1]}}"'],
                             capture_output=True, env=support.environment())
        self.assertEqual(run.stdout, b"1\n")
        self.assertIn(b"refused", run.stderr)

    def test_other_addresses_of_the_name_are_named(self):
        held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(held.close)
        held.bind((LOOPBACK, 0))
        port = held.getsockname()[1]
        try:
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
                probe.bind(("::1", 0))
        except OSError:
            self.skipTest("there is no IPv6 here")
        run = meari("connect", "-m", "x", f"udp:{port}")
        self.assertEqual(run.returncode, 1, run.stderr)
        lines = run.stderr.decode().splitlines()
        self.assertRegex(lines[0], rf"^datagrams go to udp:\[::1\]:{port} from \[::1\]:\d+, the first of 2 addresses")
        self.assertIn(f"the name stands for other addresses, too: 127.0.0.1:{port}", lines[2])

    def test_a_name_that_is_unknown(self):
        run = meari("connect", "-m", "x", "udp:no-such-name.invalid:9000")
        self.assertEqual((run.returncode, run.stdout), (1, b""))
        self.assertIn(b"look up no-such-name.invalid", run.stderr)


class Check(Case):
    def check(self, answer, data, *flags, status=4):
        with self.correspondent(answer) as other:
            run = meari("connect", "--expect-echo", *flags, f"udp:{LOOPBACK}:{other.port}", stdin=data)
        self.assertEqual(run.returncode, status, run.stderr)
        return run

    @on_backends()
    def test_all_comes_back_and_it_does_not_wait_any_longer(self, backend):
        with self.correspondent() as other:
            run = meari("connect", "--expect-echo", "--on-eof=wait:1h", f"udp:{LOOPBACK}:{other.port}", stdin=b"hello", backend=backend)
        self.assertEqual((run.returncode, run.stdout), (0, b"hello"), run.stderr)
        self.assertEqual(account(run), ((1, 5, 1, 5), "all that was awaited has come back"))

    def test_datagrams_may_overtake_each_other(self):
        kept = []

        def swap(data, sender, ours):
            kept.append(data)
            if sum(map(len, kept)) == 3 * MOST:
                for other in reversed(kept):
                    ours.sendto(other, sender)
        data = os.urandom(3 * MOST)
        path = f"{self.folder()}/file"
        with open(path, "wb") as file:
            file.write(data)
        with open(path, "rb") as file:
            run = self.check(swap, file, status=0)
        self.assertEqual(run.stdout, b"".join(reversed(kept)))

    def test_a_changed_one_is_told_with_its_offset(self):
        run = self.check(lambda data, sender, ours: ours.sendto(data[:3] + b"X" + data[4:], sender), b"hello")
        self.assertIn(b"reply 1 (5 bytes) is none of the datagrams that were sent and have not come back; "
                      b"it differs from the oldest of them at offset 3", run.stderr)
        run = self.check(lambda data, sender, ours: ours.sendto(data[:3], sender), b"hello")
        self.assertIn(b"reply 1 (3 bytes)", run.stderr)

    def test_one_that_comes_twice_is_told(self):
        def twice(data, sender, ours):
            ours.sendto(data, sender)
            ours.sendto(data, sender)
        run = self.check(twice, b"hello", "--on-eof=keep")
        self.assertIn(b"reply 2 (5 bytes) came although everything had come back already", run.stderr)

    def test_one_that_is_lost_is_told(self):
        run = self.check(silence, b"hello")
        self.assertIn(b"the echo is short: datagrams sent 1, not come back 1", run.stderr)
        self.assertEqual(account(run)[0], (1, 5, 0, 0))


class Flags(Case):
    def test_what_needs_a_connection_is_refused_before_anything_is_sent(self):
        with self.correspondent() as other:
            to = f"udp:{LOOPBACK}:{other.port}"
            for words, reason in ((["--check"], "datagrams have no connection, so --check has nothing to try"),
                                  (["--retry", "3", "-m", "x"], f"--retry is for connections, and {to} has none")):
                for lang in ("C.UTF-8", "ko_KR.UTF-8"):
                    run = meari("connect", *words, to, lang=lang)
                    self.assertEqual((run.returncode, run.stdout), (2, b""), run.stderr)
                    if lang == "C.UTF-8":
                        self.assertIn(reason, run.stderr.decode())
                    else:
                        for line in run.stderr.decode().splitlines():
                            self.assertRegex(line, "[가-힣]")
            self.assertEqual(other.came, [])

    def test_repeat_gives_times_like_ping(self):
        with self.correspondent() as other:
            run = meari("connect", "--repeat", 3, "--interval", "0", "-m", "hi", f"udp:{LOOPBACK}:{other.port}")
        self.assertEqual((run.returncode, run.stdout), (0, b"hihihi"), run.stderr)
        lines = run.stderr.decode().splitlines()
        for number, line in enumerate(lines[:3], 1):
            self.assertRegex(line, rf"^{number}: udp:{LOOPBACK}:{other.port} first reply after \d+\.\d{{3}} ms$")
        self.assertEqual(lines[3], "3 of 3 went well")
        self.assertRegex(lines[4], r"^first reply: min \d+\.\d+, median \d+\.\d+, max \d+\.\d+ ms$")
        self.assertEqual(len(lines), 5)

    def test_a_turn_without_a_reply_has_failed(self):
        def not_the_second(data, sender, ours):
            if len(other.came) != 2:
                ours.sendto(data, sender)
        with self.correspondent(not_the_second) as other:
            run = meari("connect", "--repeat", 3, "--interval", "0", "-m", "hi", f"udp:{LOOPBACK}:{other.port}")
        self.assertEqual((run.returncode, run.stdout), (1, b"hihi"), run.stderr)
        lines = run.stderr.decode().splitlines()
        self.assertEqual(lines[1], f"2: udp:{LOOPBACK}:{other.port} no reply")
        self.assertEqual(lines[3], "2 of 3 went well")

    def test_source(self):
        seen = []
        with self.correspondent(lambda data, sender, ours: (seen.append(sender), ours.sendto(data, sender))) as other:
            run = meari("connect", "--source", "127.0.0.7", "-m", "x", f"udp:{LOOPBACK}:{other.port}")
            self.assertEqual((run.returncode, run.stdout), (0, b"x"), run.stderr)
            self.assertEqual(seen[0][0], "127.0.0.7")
            run = meari("connect", "--source", "::1", "-m", "x", f"udp:{LOOPBACK}:{other.port}")
            self.assertEqual(run.returncode, 2)
            self.assertIn(b"none of its addresses is of the family of --source", run.stderr)

    def test_hexdump_begins_each_datagram_at_0(self):
        with self.correspondent() as other:
            with subprocess.Popen([support.MEARI, "connect", "--hexdump", f"udp:{LOOPBACK}:{other.port}"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=support.environment()) as process:
                for piece in (b"one", b"two"):
                    process.stdin.write(piece)
                    process.stdin.flush()
                    self.assertEqual(process.stdout.read(3), piece)
                _, err = process.communicate(timeout=support.DEADLINE)
        dump = [line for line in err.decode().splitlines() if "00000000" in line]
        self.assertEqual([re.sub(" +", " ", line) for line in dump],
                         ["→ 00000000 6f 6e 65 one", "← 00000000 6f 6e 65 one", "→ 00000000 74 77 6f two", "← 00000000 74 77 6f two"])

    def test_explain_and_events(self):
        with self.correspondent() as other:
            to = f"udp:{LOOPBACK}:{other.port}"
            lines = meari("connect", "--explain", "-m", "hi", to).stderr.decode().splitlines()
            calls = [line.split()[1] for line in lines if line[0] in "①②③④⑤"]
            self.assertEqual(calls, ["socket()", "connect()", "sendto()", "recvfrom()", "close()"])
            self.assertNotRegex("\n".join(lines), "FIN|TIME_WAIT|handshake")
            run = meari("connect", "--events", "json", "-m", "hi", to)
            events = [json.loads(line) for line in run.stderr.decode().splitlines()]
            self.assertEqual([event["event"] for event in events], ["opened", "connected", "sent", "received", "closed"])
            self.assertEqual((events[-1]["received"], events[-1]["sent"]), (2, 2))
        run = meari("connect", "--events", "json", "-m", "hi", self.silent_port())
        self.assertIn('"event":"failed"', run.stderr.decode())

    def test_the_server_explains_its_datagrams_too(self):
        server = self.server("--explain", f"udp:{LOOPBACK}:0", first="listening")
        self.assertEqual(meari("connect", "--expect-echo", "-m", "hi", f"udp:{server.addresses[0].removeprefix('udp:')}").returncode, 0)
        server.wait_for(r"sendto\(\) .*nobody confirms")
        server.stop()
        self.assertNotRegex("\n".join(server.lines), "FIN|TIME_WAIT|LAST_ACK")
        self.assertIn("stopped", server.lines)                             # it had no sessions to count
        server.wait_for("datagrams received 1, answered 1, left alone 0$")


class OnATerminal(Case):
    def test_each_line_is_a_datagram(self):
        with self.correspondent(lambda data, sender, ours: ours.sendto(data.upper() + b"\x1b[31m", sender)) as other:
            terminal = self._entered(Terminal(support.MEARI, "connect", f"udp:{LOOPBACK}:{other.port}"))
            terminal.wait_for(rb"datagrams go to udp:127\.0\.0\.1:\d+ from 127\.0\.0\.1:\d+; none of them is acknowledged\r\n")
            terminal.wait_for(rb"> ")
            for line in (b"hello", b"world"):
                terminal.type(line + b"\n")
                taken = terminal.wait_for(rb"bytes received: 11\r\n")
                self.assertIn(b"bytes sent: 6", taken)
                self.assertIn(line.upper() + b"\r\n\\x1b[31m", taken)
            terminal.type(b"\x04")
            self.assertEqual(terminal.end(), 0)
            self.assertIn(b"datagrams sent 2 (bytes: 12), received 2 (bytes: 22); no reply for 1 s", terminal.seen)
            self.assertEqual(other.came, [b"hello\n", b"world\n"])

    def test_what_comes_for_a_message_is_escaped_and_ends_its_line(self):
        with self.correspondent(lambda data, sender, ours: ours.sendto(b"\x1b[2J", sender)) as other:
            terminal = self._entered(Terminal(support.MEARI, "connect", "-m", "x", f"udp:{LOOPBACK}:{other.port}", stdin=False))
            self.assertEqual(terminal.end(), 0)
            self.assertRegex(terminal.seen, rb"\A\\x1b\[2J\r\ndatagrams sent 1")


class Tools(Case):
    @needs("ncat")
    def test_ncat_as_the_server(self):
        self.serves("ncat", "-u", "-l", LOOPBACK, "{port}", "-c", "cat")

    @needs("socat")
    def test_socat_as_the_server(self):
        self.serves("socat", f"UDP4-RECVFROM:{{port}},bind={LOOPBACK},fork", "EXEC:cat")

    def serves(self, *words):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((LOOPBACK, 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen([word.format(port=port) for word in words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   start_new_session=True)
        try:
            deadline = time.monotonic() + support.DEADLINE
            while True:                                                    # until it has its port: before that it is refused
                run = meari("connect", "--expect-echo", "-m", "hello", f"udp:{LOOPBACK}:{port}")
                if run.returncode != 1 or time.monotonic() > deadline:
                    break
            self.assertEqual((run.returncode, run.stdout), (0, b"hello"), run.stderr)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


if __name__ == "__main__":
    unittest.main()
