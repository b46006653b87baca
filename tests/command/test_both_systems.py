"""meari.exe beside the meari of this system ($MEARI_NATIVE): they talk to each other, say the same, and end the same."""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import signal
import subprocess
import unittest

import support
from support import LOOPBACK, exchange

NATIVE = os.environ.get("MEARI_NATIVE", "")
OF_THE_RUN = {"time", "fd", "local", "peer", "seconds", "backend", "addresses"}  # what differs from run to run
NOT_ON_WINDOWS = {"tcp", "queue", "queue_limit"}                                 # SIO_TCP_INFO is not there under wine


@unittest.skipUnless(support.WINDOWS and NATIVE, "there is no other system here")
class BothSystems(support.Case):
    def serve(self, program, *words, **more):
        kept, support.MEARI = support.MEARI, program
        try:
            return self.server(*words, **more)
        finally:
            support.MEARI = kept

    @staticmethod
    def run_(program, *words, stdin=b""):
        return subprocess.run([program, *words], input=stdin, capture_output=True, env=support.environment(),
                              timeout=2 * support.DEADLINE)

    def pairs(self):
        return ((support.MEARI, NATIVE), (NATIVE, support.MEARI), (support.MEARI, support.MEARI))

    def test_megabytes_go_through_both_unchanged(self):
        data = os.urandom(8 << 20)
        for server, client in self.pairs():
            with self.subTest(server=server, client=client), self.serve(server, f"{LOOPBACK}:0") as echo:
                run = self.run_(client, "connect", "--expect-echo", f"{LOOPBACK}:{echo.port}", stdin=data)
                self.assertEqual((run.returncode, run.stderr), (0, b""))
                self.assertEqual(hashlib.sha256(run.stdout).digest(), hashlib.sha256(data).digest())
                echo.wait_for(rf"received {len(data)}, sent {len(data)}, .*: finished")

    def test_the_same_events_in_the_same_words(self):
        def told(program):
            server = self.serve(program, "--once", "--events=json", f"{LOOPBACK}:0", first=r'.*"handler".*')
            with server.connect() as client:
                client.sendall(b"hello\n")
                self.assertEqual(client.recv(100), b"hello\n")
                client.shutdown(support.socket.SHUT_WR)
                support.read_all(client)
            self.assertEqual(server.wait(), 0)
            return [json.loads(line) for line in server.lines]

        ours, native = told(support.MEARI), told(NATIVE)
        self.assertEqual([event["event"] for event in ours], [event["event"] for event in native])
        for one, other in zip(ours, native):
            self.assertEqual(set(one), set(other) - NOT_ON_WINDOWS, one)
            for name in set(one) - OF_THE_RUN:
                self.assertEqual(one[name], other[name], (name, one))

    def test_the_same_statuses_and_sentences(self):
        holder = support.socket.socket()
        self.addCleanup(holder.close)
        holder.bind((LOOPBACK, 0))
        nobody = f"{LOOPBACK}:{holder.getsockname()[1]}"
        for words in (("--help",), ("connect", "--help"), ("help", "bench"), ("serv",), ("serve", "--backlog", "x"),
                      ("connect", nobody), ("connect", "--check", nobody), ("connect", "no-such-host.invalid:1"),
                      ("--lang", "ko", "connect", nobody), ("--lang", "ko", "serve", "192.0.2.1:0"), ("connect", "안녕:1:2"),
                      ("bench", "--duration", "100ms", nobody)):
            ours, native = (self.run_(program, *words) for program in (support.MEARI, NATIVE))
            self.assertEqual((ours.returncode, ours.stdout, ours.stderr), (native.returncode, native.stdout, native.stderr), words)

    def test_words_of_any_language_arrive(self):
        for server, client in self.pairs():
            with self.subTest(server=server, client=client), self.serve(server, "greet", "안녕하세요 ☃ é\n", f"{LOOPBACK}:0") as greeter:
                run = self.run_(client, "connect", "-m", "메아리", f"{LOOPBACK}:{greeter.port}")
                self.assertEqual((run.returncode, run.stdout.decode(), run.stderr), (0, "안녕하세요 ☃ é\n", b""))

    def test_a_load_is_verified(self):
        for server, client in self.pairs():
            with self.subTest(server=server, client=client), self.serve(server, "--quiet", f"{LOOPBACK}:0") as echo:
                run = self.run_(client, "bench", "--json", "-c", "4", "--size", "1..4096", "--warmup", "0", "--duration", "500ms",
                                f"{LOOPBACK}:{echo.port}")
                self.assertEqual(run.returncode, 0, run.stderr)
                self.assertGreater(json.loads(run.stdout)["round_trips"], 10)

    def test_ctrl_c_drains(self):
        with self.serve(support.MEARI, f"{LOOPBACK}:0") as server:
            with server.connect() as idle, server.connect() as other:
                self.assertEqual(exchange(other, b"x"), b"x")
                server.signal(signal.SIGINT)
                self.assertEqual(support.read_all(idle), b"")
            self.assertEqual(server.wait(), 0)
            self.assertTrue(any(re.search("stopped: sessions 2, received 1, sent 1", line) for line in server.lines), server.lines)

    def test_names_of_files_are_what_was_typed(self):
        """In any script, whatever the language of Windows is: the program's manifest says that they are UTF-8."""
        folder = pathlib.Path(self.folder())
        (folder / "허용 é.txt").write_text("192.0.2.0/24\n")
        server = self.server("--allow", folder / "허용 é.txt", "--record", folder / "녹음 é", f"{LOOPBACK}:0")
        with server.connect() as client, contextlib.suppress(ConnectionResetError):
            self.assertEqual(client.recv(1), b"")                          # nobody of this machine is in the file
        self.assertEqual(server.stop(), 0)
        self.assertTrue((folder / "녹음 é").is_dir(), os.listdir(folder))

    def test_what_is_not_there_is_said(self):
        for words in (("serve", "unix:x.sock"), ("connect", "unix:x.sock"),
                      ("serve", "--reuse-port", f"{LOOPBACK}:0"), ("serve", "--backend", "epoll", f"{LOOPBACK}:0")):
            run = self.run_(support.MEARI, *words)
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertRegex(run.stderr.decode(), "not supported here|Windows has iocp")


if __name__ == "__main__":
    unittest.main()
