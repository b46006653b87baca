"""`meari connect`: what is sent and received, the end of input, checks, failures, and the exit status of each."""

import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest

import support
from support import LOOPBACK, meari, on_backends, read_all


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Pipe(support.Case):
    @on_backends()
    def test_bytes_go_both_ways_unchanged(self, backend):
        server = self.server(f"{LOOPBACK}:0")
        for data in (b"", b"x", bytes(range(256)), os.urandom(5_000_000)):
            run = meari("connect", f"{LOOPBACK}:{server.port}", stdin=data, backend=backend)
            self.assertEqual((run.returncode, run.stdout, run.stderr), (0, data, b""))

    def test_input_from_a_file_and_output_to_a_file(self):
        server = self.server(f"{LOOPBACK}:0")
        folder = self.folder()
        data = os.urandom(3_000_000)
        with open(f"{folder}/in", "wb") as file:
            file.write(data)
        with open(f"{folder}/in", "rb") as source, open(f"{folder}/out", "wb") as target:
            status = subprocess.run([support.MEARI, "connect", f"{LOOPBACK}:{server.port}"], stdin=source, stdout=target,
                                    env=support.environment(), timeout=support.DEADLINE).returncode
        self.assertEqual(status, 0)
        with open(f"{folder}/out", "rb") as file:
            self.assertEqual(file.read(), data)

    @on_backends()
    def test_a_reply_a_second_after_the_end_of_input_arrives_whole(self, backend):
        """Where other tools have left by then. The second is the server's, not the test's."""
        def late(connection):
            asked = read_all(connection)
            time.sleep(1)
            connection.sendall(b"late " + asked)
        server = self.peer(late)
        run = meari("connect", f"{LOOPBACK}:{server.port}", stdin=b"reply", backend=backend)
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, b"late reply", b""))

    def test_the_two_directions_do_not_wait_for_each_other(self):
        """The server sends 8 MiB before it reads anything, and the input is as large."""
        data = os.urandom(8 << 20)
        got = []

        def first_all_of_it(connection):
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            got.append(read_all(connection))
        server = self.peer(first_all_of_it)
        run = meari("connect", f"{LOOPBACK}:{server.port}", stdin=data)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(run.stdout, data)
        server.thread.join(support.DEADLINE)
        self.assertEqual(got, [data])

    def test_after_the_peer_has_finished_the_input_still_goes_out(self):
        got = []

        def finish_first(connection):
            connection.sendall(b"that was all")
            connection.shutdown(socket.SHUT_WR)
            got.append(read_all(connection))
        server = self.peer(finish_first)
        with subprocess.Popen([support.MEARI, "connect", f"{LOOPBACK}:{server.port}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=support.environment()) as process:
            self.assertEqual(process.stdout.read(12), b"that was all")
            process.stdin.write(b"but not from me")
            out, err = process.communicate(timeout=support.DEADLINE)
        self.assertEqual((process.returncode, out, err), (0, b"", b""))
        server.thread.join(support.DEADLINE)
        self.assertEqual(got, [b"but not from me"])

    def test_a_reader_that_leaves_ends_it_quietly(self):
        server = self.server(f"{LOOPBACK}:0")
        command = f'yes | "{support.MEARI}" connect {LOOPBACK}:{server.port} | head -c 4; echo "${{PIPESTATUS[1]}}"'
        run = subprocess.run(["bash", "-c", command], capture_output=True, env=support.environment(), timeout=support.DEADLINE)
        self.assertEqual((run.stdout, run.stderr), (b"y\ny\n0\n", b""))

    def test_output_that_cannot_be_written_is_told(self):
        server = self.server(f"{LOOPBACK}:0")
        with open("/dev/full", "wb") as full:
            run = subprocess.run([support.MEARI, "connect", "-m", "x", f"{LOOPBACK}:{server.port}"], stdout=full, stderr=subprocess.PIPE,
                                 env=support.environment(), timeout=support.DEADLINE)
        self.assertEqual(run.returncode, 3)
        self.assertIn(b"standard output: ", run.stderr)

    def test_input_that_cannot_be_read_is_told(self):
        server = self.server(f"{LOOPBACK}:0")
        folder = os.open("/", os.O_RDONLY)
        self.addCleanup(os.close, folder)
        run = meari("connect", f"{LOOPBACK}:{server.port}", stdin=folder)
        self.assertEqual(run.returncode, 3)
        self.assertIn(b"standard input: ", run.stderr)

    def test_over_a_unix_socket(self):
        path = f"{self.folder()}/echo.sock"
        self.server(f"unix:{path}")
        run = meari("connect", f"unix:{path}", stdin=b"hello")
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, b"hello", b""))

    def test_over_a_connection_that_somebody_else_opened(self):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.settimeout(support.DEADLINE)
            ours.sendall(b"reply")
            ours.shutdown(socket.SHUT_WR)
            run = meari("connect", f"fd:{theirs.fileno()}", stdin=b"question", pass_fds=[theirs.fileno()])
            theirs.close()
            self.assertEqual((run.returncode, run.stdout), (0, b"reply"))
            self.assertEqual(read_all(ours), b"question")


class AbsentInput(support.Case):
    """/dev/null, a closed descriptor and nohup are no end of input: the peer decides when it is over."""

    def greeting(self, shell, flags=""):
        server = self.server("greet", "hello", f"{LOOPBACK}:0")
        command = shell.replace("MEARI", f'"{support.MEARI}" connect {flags} {LOOPBACK}:{server.port}')
        return subprocess.run(["bash", "-c", command], capture_output=True, env=support.environment(), timeout=support.DEADLINE)

    def test_the_peer_decides(self):
        for shell in ("MEARI </dev/null", "MEARI <&-", "nohup MEARI </dev/null", "(exec <&-; MEARI | cat)"):
            run = self.greeting(shell)
            self.assertEqual(run.stdout, b"hello", shell)
            self.assertEqual(run.returncode, 0, run.stderr)

    def test_no_end_is_sent_for_it(self):
        """The server waits for our end before it answers; it must not see one until --on-eof says so."""
        seen = []

        def watch(connection):
            connection.settimeout(0.5)
            try:
                seen.append(connection.recv(1))
            except TimeoutError:
                seen.append("no end")
            connection.settimeout(support.DEADLINE)
        for flags, expected in (([], "no end"), (["--on-eof=half-close"], b"")):
            server = self.peer(watch)
            run = meari("connect", *flags, f"{LOOPBACK}:{server.port}", stdin=subprocess.DEVNULL)
            server.thread.join(support.DEADLINE)
            self.assertEqual(seen.pop(), expected)
            self.assertEqual(run.returncode, 0, run.stderr)


class EndOfInput(support.Case):
    """--on-eof: one policy, four words."""

    def converse(self, flags, talk, data=b"question"):
        server = self.peer(talk)
        run = meari("connect", *flags, f"{LOOPBACK}:{server.port}", stdin=data)
        server.thread.join(support.DEADLINE)
        return run

    def test_half_close_sends_the_end_and_waits(self):
        for flags in ([], ["--on-eof=half-close"], ["--on-eof", "half-close"]):
            run = self.converse(flags, lambda connection: connection.sendall(read_all(connection)))
            self.assertEqual((run.returncode, run.stdout), (0, b"question"))

    def test_close_waits_for_nobody(self):
        got = []
        run = self.converse(["--on-eof=close"], lambda connection: got.append(read_all(connection)))
        self.assertEqual((run.returncode, run.stdout, got), (0, b"", [b"question"]))

    def test_keep_sends_no_end(self):
        ends = []

        def talk(connection):
            connection.sendall(connection.recv(100))
            connection.settimeout(0.5)
            try:
                ends.append(connection.recv(1))
            except TimeoutError:
                ends.append("no end")
        run = self.converse(["--on-eof=keep"], talk)
        self.assertEqual((run.returncode, run.stdout, ends), (0, b"question", ["no end"]))

    def test_wait_keeps_for_a_while(self):
        seen = []

        def talk(connection):
            connection.sendall(connection.recv(100))
            begin = time.monotonic()
            seen.append(connection.recv(1))
            seen.append(time.monotonic() - begin)
        run = self.converse(["--on-eof=wait:400ms"], talk)
        self.assertEqual((run.returncode, run.stdout), (0, b"question"))
        self.assertEqual(seen[0], b"")
        self.assertGreater(seen[1], 0.35)


class Message(support.Case):
    @on_backends()
    def test_one_message_and_its_reply(self, backend):
        server = self.server(f"{LOOPBACK}:0")
        for text in ("hello", "", "-x", "한글 메시지", "two\nlines"):
            run = meari("connect", "-m", text, f"{LOOPBACK}:{server.port}", stdin=b"not read", backend=backend)
            self.assertEqual((run.returncode, run.stdout, run.stderr), (0, text.encode(), b""))

    def test_every_byte_of_the_message_is_sent(self):
        server = self.server(f"{LOOPBACK}:0")
        data = bytes(range(1, 256))
        run = meari("connect", "--message", os.fsdecode(data), f"{LOOPBACK}:{server.port}")
        self.assertEqual(run.stdout, data)


class Check(support.Case):
    def test_check_connects_and_nothing_more(self):
        server = self.server(f"{LOOPBACK}:0")
        run = meari("connect", "--check", f"{LOOPBACK}:{server.port}", stdin=b"not sent")
        self.assertEqual((run.returncode, run.stdout), (0, b""))
        self.assertRegex(run.stderr.decode(), rf"\Aconnected to {LOOPBACK}:{server.port} from {LOOPBACK}:\d+\nit took \d+\.\d+ ms\n\Z")
        server.wait_for(r"received 0, sent 0, .*: finished")

    def test_check_fails_where_nobody_listens(self):
        with socket.create_server((LOOPBACK, 0)) as listener:
            port = listener.getsockname()[1]
        run = meari("connect", "--check", f"{LOOPBACK}:{port}")
        self.assertEqual(run.returncode, 1)

    def test_an_echo_is_recognised(self):
        server = self.server(f"{LOOPBACK}:0")
        data = os.urandom(3_000_000)
        run = meari("connect", "--expect-echo", f"{LOOPBACK}:{server.port}", stdin=data)
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, data, b""))

    def test_the_first_difference_is_named(self):
        def wrong(connection):
            data = bytearray(read_all(connection))
            data[70_001] ^= 0x20
            connection.sendall(data)
        server = self.peer(wrong)
        run = meari("connect", "--expect-echo", f"{LOOPBACK}:{server.port}", stdin=b"a" * 100_000)
        self.assertEqual(run.returncode, 4)
        self.assertIn(b"the echo differs at offset 70001: sent 0x61 'a', received 0x41 'A'", run.stderr)

    def test_a_short_echo_is_told(self):
        def half(connection):
            data = read_all(connection)
            connection.sendall(data[:len(data) // 2])
        server = self.peer(half)
        run = meari("connect", "--expect-echo", f"{LOOPBACK}:{server.port}", stdin=b"a" * 10)
        self.assertEqual((run.returncode, run.stdout), (4, b"aaaaa"))
        self.assertIn(b"the echo is short: sent 10, received 5", run.stderr)
        self.assertIn(b"sent 10, acknowledged 10, received 5; the peer closed cleanly", run.stderr)

    def test_a_long_echo_is_told(self):
        server = self.peer(lambda connection: connection.sendall(read_all(connection) + b"!"))
        run = meari("connect", "--expect-echo", "-m", "hello", f"{LOOPBACK}:{server.port}", lang="ko_KR.UTF-8")
        self.assertEqual(run.returncode, 4)
        self.assertIn("되돌아온 데이터가 보낸 것보다 깁니다: 5번째 위치부터 남습니다", run.stderr.decode())


class CutShort(support.Case):
    """Status 3, and an account of the bytes."""

    @on_backends()
    def test_a_reset_is_told(self, backend):
        def talk(connection):
            connection.recv(5)
            connection.sendall(b"12345678")
            # The client's half-close shows that it has what came before.
            connection.recv(1)
            reset(connection)
        server = self.peer(talk)
        run = meari("connect", f"{LOOPBACK}:{server.port}", stdin=b"hello", backend=backend)
        self.assertEqual(run.returncode, 3)
        self.assertRegex(run.stderr.decode(), r"meari: sent 5, acknowledged 5, received \d; the peer reset the connection\n")

    def test_a_peer_that_leaves_before_all_was_taken(self):
        def talk(connection):
            connection.recv(1000)
            connection.sendall(b"enough")
        server = self.peer(talk)
        run = meari("connect", f"{LOOPBACK}:{server.port}", stdin=b"x" * 20_000_000)
        self.assertEqual(run.returncode, 3)
        found = re.search(r"sent (\d+), acknowledged (\d+), received \d+; ", run.stderr.decode())
        self.assertTrue(found, run.stderr)
        self.assertLessEqual(int(found.group(2)), int(found.group(1)))
        self.assertLess(int(found.group(1)), 20_000_000)

    def test_in_korean(self):
        def talk(connection):
            connection.recv(5)
            connection.recv(1)
            reset(connection)
        server = self.peer(talk)
        run = meari("connect", f"{LOOPBACK}:{server.port}", stdin=b"hello", lang="ko_KR.UTF-8")
        self.assertEqual(run.returncode, 3)
        self.assertIn("보냄 5, 확인됨 5, 받음 0; 상대가 연결을 끊었습니다(RST)", run.stderr.decode())

    def test_silence_has_an_end_where_one_is_set(self):
        over = threading.Event()
        server = self.peer(lambda connection: over.wait(support.DEADLINE))
        run = meari("connect", "--idle", "300ms", f"{LOOPBACK}:{server.port}", stdin=b"hello?")
        over.set()
        self.assertEqual(run.returncode, 3)
        self.assertIn(b"sent 6, acknowledged 6, received 0; nothing came or went for too long", run.stderr)

    def test_an_interrupt_gives_the_account_and_130(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            over = threading.Event()
            server = self.peer(lambda connection: (connection.sendall(connection.recv(100)), over.wait(support.DEADLINE)))
            with subprocess.Popen([support.MEARI, "connect", "-m", "hello", f"{LOOPBACK}:{server.port}"], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env=support.environment()) as process:
                self.assertEqual(process.stdout.read(5), b"hello")
                process.send_signal(number)
                _, err = process.communicate(timeout=support.DEADLINE)
            over.set()
            self.assertEqual(process.returncode, 130)
            self.assertIn(b"sent 5, acknowledged 5, received 5; you interrupted it", err)


class Connecting(support.Case):
    def test_nobody_listens(self):
        with socket.create_server((LOOPBACK, 0)) as listener:
            port = listener.getsockname()[1]
        run = meari("connect", f"{LOOPBACK}:{port}")
        self.assertEqual((run.returncode, run.stdout), (1, b""))
        self.assertEqual(run.stderr.decode(), f"meari: connect to {LOOPBACK}:{port}: connection refused\n"
                         "       Nothing listens there; is the server running, and on this port?\n")
        run = meari("connect", f"{LOOPBACK}:{port}", lang="ko_KR.UTF-8")
        self.assertEqual(run.stderr.decode(), f"meari: {LOOPBACK}:{port}에 연결하지 못했습니다: 연결이 거부되었습니다\n"
                         "       그곳에서 기다리는 프로그램이 없습니다. 서버가 이 포트에서 실행 중인지 확인하십시오.\n")

    def test_names_and_paths_that_do_not_exist(self):
        run = meari("connect", "no-such-host.invalid:9000")
        self.assertEqual(run.returncode, 1)
        self.assertIn(b"look up no-such-host.invalid: ", run.stderr)
        run = meari("connect", f"unix:{self.folder()}/nothing")
        self.assertEqual(run.returncode, 1)
        self.assertIn(b"no such file or socket", run.stderr)

    def test_a_queue_that_is_full_ends_with_the_timeout(self):
        with socket.create_server((LOOPBACK, 0), backlog=0) as listener:
            port = listener.getsockname()[1]
            waiting = []
            for _ in range(4):                                             # until the kernel drops what comes
                client = socket.socket()
                client.setblocking(False)
                client.connect_ex((LOOPBACK, port))
                waiting.append(client)
            begin = time.monotonic()
            run = meari("connect", "--timeout", "400ms", f"{LOOPBACK}:{port}")
            took = time.monotonic() - begin
            for client in waiting:
                client.close()
        self.assertEqual(run.returncode, 1)
        self.assertIn(b": timed out\n", run.stderr)
        self.assertGreater(took, 0.39)

    def test_the_address_that_won_is_said_where_there_was_a_choice(self):
        server = self.server(f"{LOOPBACK}:0")                              # IPv4 only: IPv6 is refused
        run = meari("connect", "-m", "hi", f"localhost:{server.port}")
        self.assertEqual((run.returncode, run.stdout), (0, b"hi"))
        self.assertRegex(run.stderr.decode(), rf"\Aconnected to {LOOPBACK}:{server.port} from {LOOPBACK}:\d+, the first of 2 addresses")
        run = meari("connect", "-q", "-m", "hi", str(server.port))
        self.assertEqual((run.returncode, run.stdout, run.stderr), (0, b"hi", b""))

    def test_the_source_can_be_chosen(self):
        server = self.server(f"{LOOPBACK}:0")
        run = meari("connect", "--source", "127.0.0.9", "-m", "hi", f"localhost:{server.port}")
        self.assertEqual((run.returncode, run.stdout), (0, b"hi"))
        server.wait_for(r"#1 127\.0\.0\.9:\d+ connected")
        run = meari("connect", "--source", "::1", "-m", "hi", f"{LOOPBACK}:{server.port}")
        self.assertEqual(run.returncode, 2)
        self.assertEqual(run.stderr.decode(), f"meari: connect to {LOOPBACK}:{server.port}: none of its addresses is of the family of --source\n")
        run = meari("connect", "--source", "203.0.113.1", "-m", "hi", f"{LOOPBACK}:{server.port}")
        self.assertEqual(run.returncode, 1)
        self.assertIn(b"address not available", run.stderr)

    def test_a_port_that_is_connected_to_itself_is_refused(self):
        """With the port as its own source, the kernel would connect the socket with itself."""
        with socket.create_server((LOOPBACK, 0)) as listener:
            port = listener.getsockname()[1]
        run = meari("connect", "--source", f"{LOOPBACK}:{port}", f"{LOOPBACK}:{port}")
        self.assertEqual(run.returncode, 1)
        self.assertIn(b"connected to itself", run.stderr)

    def test_a_backend_that_is_named_and_not_there_is_an_error(self):
        if not support.refusal("uring"):
            self.skipTest("uring is there")
        run = meari("connect", "--backend", "uring", "--check", "9000")
        self.assertEqual(run.returncode, 1)


if __name__ == "__main__":
    unittest.main()
