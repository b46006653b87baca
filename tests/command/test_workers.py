"""`meari serve --workers`: several threads, one server. `--reuse-port`: several servers, one port."""

import contextlib
import os
import unittest

import support
from support import LOOPBACK, meari, on_backends, read_all


class Workers(support.Case):
    @on_backends()
    def test_several_threads_serve_and_stop_as_one(self, backend):
        server = self.server("--workers", 3, "--max-sessions", 100, f"{LOOPBACK}:0", backend=backend)
        self.assertGreaterEqual(len(os.listdir(f"/proc/{server.process.pid}/task")), 3)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(server.connect()) for _ in range(30)]
            for number, client in enumerate(clients):
                client.sendall(b"%d\n" % number)
                self.assertEqual(client.recv(10), b"%d\n" % number)
            for client in clients[:10]:
                client.shutdown(1)
                self.assertEqual(read_all(client), b"")
            server.wait_for(r"#\d+ .*: finished", count=10)
            self.assertEqual(server.stop(), 0)                             # those who are idle are let go
            for client in clients[10:]:
                self.assertEqual(read_all(client), b"")
        lines = "\n".join(server.lines)
        for number in range(1, 31):
            self.assertRegex(lines, rf"(?m)^.*#{number}\b.*127\.0\.0\.1")
        self.assertRegex(lines, "stopped: sessions 30, received 80, sent 80")

    @on_backends()
    def test_a_limit_is_that_of_all_threads(self, backend):
        server = self.server("--workers", 2, "--max-per-source", 2, f"{LOOPBACK}:0", backend=backend)
        with server.connect() as one, server.connect() as two:
            for client in (one, two):
                client.sendall(b"x")
                self.assertEqual(client.recv(1), b"x")
            with contextlib.suppress(ConnectionResetError):               # which connect() may meet already
                with server.connect() as three:
                    self.assertEqual(three.recv(1), b"")

    def test_what_belongs_to_one_thread_is_refused(self):
        for arguments, says in ((["chat"], b"the handler chat works on one thread"), (["stdio"], b"the handler stdio works"),
                                (["--once"], b"--once"), (["--explain"], b"--explain"), (["--events", "json"], b"--events")):
            run = meari("serve", *arguments, "--workers", 2, f"{LOOPBACK}:0")
            self.assertEqual(run.returncode, 2, arguments)
            self.assertIn(says, run.stderr)
        for number in ("0", "257", "two"):
            run = meari("serve", "--workers", number, f"{LOOPBACK}:0")
            self.assertEqual(run.returncode, 2)
            self.assertIn(b"1", run.stderr)


class ReusePort(support.Case):
    @on_backends()
    def test_servers_share_a_port_when_both_say_so(self, backend):
        first = self.server("--reuse-port", f"{LOOPBACK}:0", backend=backend)
        second = self.server("--reuse-port", f"{LOOPBACK}:{first.port}", backend=backend)
        served = 0
        for _ in range(40):                                                # by a hash: all on one side is one in 2^39
            with first.connect() as client:
                client.sendall(b"x")
                self.assertEqual(client.recv(1), b"x")
                served += 1
        for server in (first, second):
            server.wait_for("#1 ")
            self.assertEqual(server.stop(), 0)
        self.assertEqual(served, 40)

    def test_who_does_not_say_so_is_told_that_the_port_is_taken(self):
        first = self.server("--reuse-port", f"{LOOPBACK}:0")
        run = meari("serve", f"{LOOPBACK}:{first.port}")
        self.assertNotEqual(run.returncode, 0)
        self.assertIn(b"in use", run.stderr)


if __name__ == "__main__":
    unittest.main()
