"""The limits of `meari serve` as their users see them, and what a stop does to sessions that still wait for an answer."""

import contextlib
import json
import os
import socket
import subprocess
import threading
import time
import unittest

import support
from support import LOOPBACK, meari, on_backends, read_all


class Rates(support.Case):
    @on_backends()
    def test_who_comes_beyond_the_rate_waits_and_is_served(self, backend):
        server = self.server("--max-rate", 2, f"{LOOPBACK}:0", backend=backend)
        begin = time.monotonic()
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(server.connect()) for _ in range(5)]
            for client in clients:
                client.sendall(b"x")
                self.assertEqual(client.recv(1), b"x")
        self.assertGreaterEqual(time.monotonic() - begin, 1.9)               # two, two and one
        server.wait_for("paused: as many new sessions in a second as may be: 2, until the second is over; who comes meanwhile waits in the queue$")
        server.wait_for("^resumed: nobody has to wait any more; pauses: 2$")
        self.assertEqual(sum("paused" in line for line in server.lines), 1, "one line an episode")

    def test_a_busy_server_at_its_limit_tells_it_once(self):
        """Each of twenty sessions waits for the one before it; then nobody waits, and the next one who does begins an episode."""
        server = self.server("--max-sessions", 1, f"{LOOPBACK}:0")
        for episode in (1, 2):
            clients = [server.connect() for _ in range(20)]
            for client in clients:
                with client:
                    client.sendall(b"x")
                    self.assertEqual(client.recv(1), b"x")
            line = server.wait_for(r"^resumed: nobody has to wait any more; pauses: (\d+)$", count=episode)
            self.assertGreaterEqual(int(line[1]), 19)
        self.assertEqual(sum(line.startswith("paused: as many sessions as may be: 1, until one ends;") for line in server.lines), 2)

    def test_a_pause_is_told_in_korean(self):
        server = self.server("--max-rate", 1, f"{LOOPBACK}:0", lang="ko_KR.UTF-8")
        with server.connect(), server.connect():
            server.wait_for("잠시 멈췄습니다: 1초에 받을 새 세션 수가 한도에 이르렀습니다: 1, 그 1초가 지날 때까지. 그동안 오는 연결은 대기열에서 기다립니다")
            server.wait_for("다시 받습니다")

    @on_backends()
    def test_bytes_go_no_faster_than_the_limit_and_none_is_lost(self, backend):
        data = bytes(range(256)) * 256                                       # 64 KiB at 32 KiB a second
        server = self.server("--limit-rate", "32k", f"{LOOPBACK}:0", backend=backend)
        begin = time.monotonic()
        with server.connect() as client:
            def send():
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
            sender = threading.Thread(target=send)
            sender.start()
            self.assertEqual(read_all(client), data)
            sender.join()
        self.assertGreaterEqual(time.monotonic() - begin, 1.7)               # less a piece in each direction
        server.wait_for(f"received {len(data)}, sent {len(data)}, .*finished")

    def slowed(self, *words, says=b"x" * 30000, hears=30000, **more):
        """The lines about it, of a session that sends and gets so much."""
        server = self.server("--limit-rate", 20000, *words, f"{LOOPBACK}:0", **more)
        with server.connect() as client:
            self.assertGreaterEqual(len(support.exchange(client, says)), hears)
        server.wait_for("finished|session_end|끝났습니다")
        self.assertEqual(server.stop(), 0)
        return [line for line in server.lines if "slowed" in line or "늦추는" in line]

    @on_backends()
    def test_that_the_rate_is_limited_is_told_once_in_an_episode(self, backend):
        self.assertEqual(self.slowed("discard", hears=0, backend=backend),
                         ["#1 slowed down: read no faster than 20000 bytes a second (--limit-rate), until it sends less"])
        self.assertEqual(self.slowed("greet", "x" * 30000, says=b"", backend=backend),
                         ["#1 slowed down: sent no faster than 20000 bytes a second (--limit-rate), until there is less to send"])
        self.assertEqual(len(self.slowed("--workers", 2, backend=backend)), 1)  # what is read no faster need not wait to be sent
        self.assertEqual(self.slowed(says=b"x" * 1000, hears=1000, backend=backend), [])

    def test_that_the_rate_is_limited_is_told_in_korean_and_in_json(self):
        self.assertEqual(self.slowed("discard", hears=0, lang="ko_KR.UTF-8"),
                         ["#1 늦추는 중: 상대가 덜 보낼 때까지 1초에 20000바이트까지만 읽습니다(--limit-rate)"])
        line, = self.slowed("discard", "--log", "json", hears=0)
        line = json.loads(line)
        self.assertEqual((line["session"], line["direction"], line["limit"]), (1, "received", 20000))

    def test_the_limit_of_time_is_named(self):
        for lang, words in (("C.UTF-8", "timed out: nothing came or went for 0.3 s (--idle)"),
                            ("ko_KR.UTF-8", "시간이 다 되었습니다: 0.3초 동안 아무것도 오가지 않았습니다(--idle)")):
            server = self.server("--idle", "300ms", f"{LOOPBACK}:0", lang=lang)
            with server.connect() as client:
                self.assertEqual(client.recv(1), b"")
            self.assertTrue(server.wait_for("^#1 .*(timed out|시간이)").string.endswith(words), server.lines)

    def test_each_handler_keeps_the_limit(self):
        """Whatever a handler sends: in the first half second not more than half of what a second may bring, and a piece."""
        target = self.server("chargen", f"{LOOPBACK}:0")
        words = "x" * 20000
        for arguments, says in ((["chargen"], b""), (["greet", words], b""), (["forward", f"{LOOPBACK}:{target.port}"], b""),
                                (["echo"], words.encode())):
            with self.subTest(handler=arguments[0]):
                self.limited(arguments + [f"{LOOPBACK}:0"], [], says)
        with self.subTest(handler="exec"):
            self.limited(["exec", f"{LOOPBACK}:0"], support.shell(f"printf {words}"), b"")
        for handler in ("stdio", "broadcast"):
            with self.subTest(handler=handler):
                with open(os.path.join(self.folder(), "input"), "w+b") as file:
                    file.write(words.encode())
                    file.seek(0)
                    self.limited([handler, f"{LOOPBACK}:0"], [], b"", stdin=file)
        with self.subTest(handler="chat"):
            server = self.server("--limit-rate", 10000, "chat", f"{LOOPBACK}:0")
            with server.connect() as speaker, server.connect() as listener:
                listener.sendall(b"listener\n")
                server.wait_for("called listener")
                speaker.sendall(b"speaker\n" + (b"x" * 99 + b"\n") * 200)
                self.hears(listener, time.monotonic())

    def test_datagrams_cannot_be_made_to_wait(self):
        run = meari("serve", "--limit-rate", "1k", f"udp:{LOOPBACK}:0")
        self.assertEqual(run.returncode, 2)
        self.assertIn(b"no --limit-rate", run.stderr)

    def limited(self, words, program, says, **more):
        server = self.server("--limit-rate", 10000, *words, *program, **more)
        begin = time.monotonic()
        with server.connect() as client:
            client.sendall(says)
            self.hears(client, begin)

    def hears(self, client, begin):
        received = 0
        while received < 12000:
            data = client.recv(1 << 16)
            self.assertNotEqual(data, b"")
            received += len(data)
            passed = time.monotonic() - begin
            self.assertLessEqual(received, 10000 * passed + 2 * 1000 + 1)

    def test_discard_reads_no_faster(self):
        server = self.server("--limit-rate", "10k", "discard", f"{LOOPBACK}:0")
        with server.connect() as client:
            client.sendall(b"x" * 20480)
            client.shutdown(socket.SHUT_WR)
            begin = time.monotonic()
            self.assertEqual(client.recv(1), b"")
        self.assertGreaterEqual(time.monotonic() - begin, 1.5)
        server.wait_for("received 20480, sent 0, .*finished")


class Progress(support.Case):
    @on_backends()
    def test_who_dribbles_is_ended_and_who_talks_is_not(self, backend):
        server = self.server("--min-progress", "200/2s", f"{LOOPBACK}:0", backend=backend)
        with server.connect() as slow, server.connect() as busy:
            deadline = time.monotonic() + support.DEADLINE
            while not any("too slow" in line for line in server.lines):
                self.assertLess(time.monotonic(), deadline)
                with contextlib.suppress(OSError):
                    slow.sendall(b".")                                       # never idle
                for _ in range(8):
                    busy.sendall(b"0123456789" * 10)
                    busy.recv(100)
                time.sleep(0.1)
            busy.sendall(b"still here")
            while not busy.recv(1000).endswith(b"still here"):
                pass
        line = server.wait_for("too slow: it moved less than --min-progress asks for").string
        self.assertIn("#1 ", line)

    def test_the_reason_is_in_json_and_in_korean(self):
        server = self.server("--log", "json", "--min-progress", "1k/100ms", f"{LOOPBACK}:0")
        with server.connect() as client:
            self.assertEqual(client.recv(1), b"")
        server.wait_for('"how":"too_slow"')
        server = self.server("--min-progress", "1k/100ms", f"{LOOPBACK}:0", lang="ko_KR.UTF-8")
        with server.connect() as client:
            self.assertEqual(client.recv(1), b"")
        server.wait_for("너무 느립니다. --min-progress만큼도 오가지 않았습니다")


class Typed(support.Case):
    def test_what_makes_no_sense_is_refused(self):
        for flag, values in (("--max-rate", ("0", "-1", "1.5", "x", "")), ("--limit-rate", ("0", "64kb", "-1", "k", "")),
                             ("--min-progress", ("", "1k", "1k/", "/30s", "0/30s", "1k/0", "1k/30", "1k/30s/2"))):
            for value in values:
                with self.subTest(flag=flag, value=value):
                    run = support.meari("serve", f"{flag}={value}", "0")
                    self.assertEqual(run.returncode, 2)
                    self.assertIn(flag, run.stderr.decode())


class Stopping(support.Case):
    """A drain waits for an answer that is owed, and for nothing else."""

    def late_target(self):
        """Takes one connection, and answers when it is told to."""
        listener = socket.create_server((LOOPBACK, 0))
        self.addCleanup(listener.close)
        asked, go = threading.Event(), threading.Event()

        def serve():
            with contextlib.suppress(OSError):
                peer, _ = listener.accept()
                with peer:
                    peer.settimeout(support.DEADLINE)
                    while data := peer.recv(100):
                        asked.set()
                        go.wait(support.DEADLINE)
                        peer.sendall(b"answer to " + data)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        self.addCleanup(go.set)
        return listener.getsockname()[1], asked, go

    @on_backends()
    def test_an_answer_of_a_late_target_still_comes(self, backend):
        port, asked, go = self.late_target()
        server = self.server("forward", f"{LOOPBACK}:{port}", f"{LOOPBACK}:0", backend=backend)
        with server.connect() as client:
            client.sendall(b"question")
            self.assertTrue(asked.wait(support.DEADLINE))
            server.signal()
            server.wait_for("stopping")
            client.settimeout(0.3)                                           # several steps of a drain
            with self.assertRaises(TimeoutError):
                client.recv(100)
            client.settimeout(support.DEADLINE)
            go.set()
            self.assertEqual(client.recv(100), b"answer to question")
            self.assertEqual(client.recv(100), b"")                          # and then it is idle
        self.assertEqual(server.wait(), 0)
        server.wait_for("idle and ended 1, cut off 0")

    @on_backends()
    def test_an_answer_that_trickles_comes_to_its_end(self, backend):
        """Of a target, and of a program behind stdio; asked, and unasked."""
        for handler in ("forward", "stdio"):
            for asks in (True, False):
                with self.subTest(handler=handler, asks=asks):
                    go = threading.Event()
                    self.addCleanup(go.set)

                    def talk(peer):
                        if asks:
                            peer.recv(100)
                        for piece in (b"first", b"second", b"third"):
                            peer.sendall(piece)
                            go.wait(support.DEADLINE)
                            go.clear()
                        with contextlib.suppress(OSError):
                            peer.recv(100)                                   # the end
                    if handler == "forward":
                        target = self.peer(talk)
                        server = self.server("forward", f"{LOOPBACK}:{target.port}", f"{LOOPBACK}:0", backend=backend)
                    else:
                        ours, theirs = socket.socketpair()
                        self.addCleanup(ours.close)
                        threading.Thread(target=talk, args=(ours,), daemon=True).start()
                        server = self.server("stdio", f"{LOOPBACK}:0", backend=backend, stdin=theirs, stdout=theirs)
                        theirs.close()
                    with server.connect() as client:
                        if asks:
                            client.sendall(b"question")
                        self.assertEqual(client.recv(100), b"first")
                        server.signal()
                        server.wait_for("stopping")
                        for piece in (b"second", b"third"):
                            client.settimeout(0.15)                          # some steps of a drain
                            with self.assertRaises(TimeoutError):
                                client.recv(100)
                            client.settimeout(support.DEADLINE)
                            go.set()
                            self.assertEqual(client.recv(100), piece)
                        self.assertEqual(client.recv(100), b"")              # nothing more came
                    go.set()
                    self.assertEqual(server.wait(10), 0)
                    server.wait_for("idle and ended 1, cut off 0")

    @on_backends()
    def test_who_has_asked_nothing_or_has_his_answer_is_idle(self, backend):
        for asks in (False, True):
            with self.subTest(asks=asks):
                port, asked, go = self.late_target()
                go.set()
                server = self.server("forward", f"{LOOPBACK}:{port}", f"{LOOPBACK}:0", backend=backend)
                with server.connect() as client:
                    if asks:
                        client.sendall(b"question")
                        self.assertEqual(client.recv(100), b"answer to question")
                    else:
                        server.wait_for("#1 ")
                    server.signal()
                    self.assertEqual(client.recv(100), b"")
                self.assertEqual(server.wait(10), 0)                         # the drain would last 30 s
                server.wait_for("idle and ended 1, cut off 0")

    def test_who_never_gets_an_answer_is_cut_off_at_the_deadline(self):
        port, asked, go = self.late_target()
        server = self.server("--drain", "300ms", "forward", f"{LOOPBACK}:{port}", f"{LOOPBACK}:0")
        with server.connect() as client:
            client.sendall(b"question")
            self.assertTrue(asked.wait(support.DEADLINE))
            self.assertEqual(server.stop(10), 3)
        server.wait_for("cut off 1")

    @on_backends()
    def test_a_program_says_what_it_has_to_say(self, backend):
        server = self.server("exec", f"{LOOPBACK}:0", *support.shell("read line; echo begun; read more; sleep 0.3; echo end of work"),
                             backend=backend)
        with server.connect() as client:
            client.sendall(b"work\n")
            self.assertEqual(client.recv(100), b"begun\n")
            server.signal()
            self.assertEqual(read_all(client), b"end of work\n")
        self.assertEqual(server.wait(), 0)
        server.wait_for("finished 1, idle and ended 0, cut off 0")

    def test_a_program_that_only_waits_ends_at_once(self):
        server = self.server("exec", f"{LOOPBACK}:0", *support.shell("cat"))
        with server.connect() as client:
            client.sendall(b"x")
            self.assertEqual(client.recv(1), b"x")
            server.signal()
            self.assertEqual(client.recv(1), b"")
        self.assertEqual(server.wait(10), 0)

    @on_backends()
    def test_a_program_behind_stdio_still_answers(self, backend):
        """What is at its standard input and output is a program here, through two pipes."""
        server = self.server("stdio", f"{LOOPBACK}:0", backend=backend, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        with server.connect() as client:
            client.sendall(b"question\n")
            self.assertEqual(server.process.stdout.readline(), b"question\n")
            server.signal()
            server.wait_for("stopping")
            client.settimeout(0.3)
            with self.assertRaises(TimeoutError):
                client.recv(100)
            client.settimeout(support.DEADLINE)
            server.process.stdin.write(b"answer\n")
            server.process.stdin.flush()
            self.assertEqual(client.recv(100), b"answer\n")
            self.assertEqual(client.recv(100), b"")
        self.assertEqual(server.wait(10), 0)
        server.process.stdin.close()
        server.process.stdout.close()

    @on_backends()
    def test_an_echo_that_is_idle_ends_at_once(self, backend):
        server = self.server(f"{LOOPBACK}:0", backend=backend)
        with server.connect() as client:
            client.sendall(b"x")
            self.assertEqual(client.recv(1), b"x")
            self.assertEqual(server.stop(10), 0)
            self.assertEqual(client.recv(1), b"")
        server.wait_for("idle and ended 1, cut off 0")


if __name__ == "__main__":
    unittest.main()
