"""Who is served, and how a supervisor is told: --allow, --deny, --max-per-source, --ready-fd, LISTEN_FDS."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import unittest

import support
from support import LOOPBACK, exchange, meari, on_backends


class Admission(support.Case):
    def connect(self, server, source=LOOPBACK):
        return socket.create_connection(server.address, timeout=support.DEADLINE, source_address=(source, 0))

    def served(self, server, source):
        try:
            with self.connect(server, source) as client:
                return exchange(client, b"x") == b"x"
        except ConnectionError:                                            # the reset may come before connect() has returned
            return False

    @on_backends()
    def test_a_source_over_its_limit_is_closed_at_once_and_others_are_served(self, backend):
        server = self.server("--max-per-source", 2, "0.0.0.0:0", backend=backend)
        with self.connect(server) as first, self.connect(server) as second:
            for client in (first, second):
                client.sendall(b"in")
                self.assertEqual(client.recv(100), b"in")
            for _ in range(20):
                self.assertFalse(self.served(server, LOOPBACK))
            self.assertTrue(self.served(server, "127.0.0.2"))
        server.wait_for(rf"^{LOOPBACK} turned away: its sessions are as many as may be by --max-per-source: 2, until one of them ends$")
        server.wait_for("finished", count=3)
        for _ in range(20):
            self.assertTrue(self.served(server, LOOPBACK), "nothing has leaked: there is room again")
        server.stop()
        self.assertEqual(sum("turned away" in line for line in server.lines), 1, "not a line for each")

    def test_each_episode_of_each_source_has_a_line(self):
        server = self.server("--max-per-source", 1, "0.0.0.0:0")
        ended = 0
        for episode in (1, 2):
            with self.connect(server) as first, self.connect(server, "127.0.0.2") as other:
                for client in (first, other):
                    client.sendall(b"in")
                    self.assertEqual(client.recv(100), b"in")
                for _ in range(3):
                    self.assertFalse(self.served(server, LOOPBACK))
                    self.assertFalse(self.served(server, "127.0.0.2"))
                for source in (LOOPBACK, "127.0.0.2"):
                    server.wait_for(f"^{source} turned away: ", count=episode)
            ended += 2
            server.wait_for("finished", count=ended)
        server.stop()
        self.assertEqual(sum("turned away" in line for line in server.lines), 4)

    def test_a_source_is_named_by_what_is_counted(self):
        for host, port, source in (("", ":0", LOOPBACK), ("::1", "[::1]:0", "::/64")):
            server = self.server("--max-per-source", 1, "--log", "json", port, first="listening")
            at = (host or LOOPBACK, int(re.search(r":(\d+)\"", server.lines[0])[1]))
            with socket.create_connection(at, timeout=support.DEADLINE) as first:
                first.sendall(b"in")
                self.assertEqual(first.recv(100), b"in")
                with contextlib.suppress(ConnectionError), socket.create_connection(at, timeout=support.DEADLINE) as second:
                    second.recv(1)
                line = json.loads(server.wait_for('"event":"source_full"').string)
            self.assertEqual((line["source"], line["limit"], line["others"]), (source, 1, 0))

    def test_it_is_told_in_korean(self):
        server = self.server("--max-per-source", 1, f"{LOOPBACK}:0", lang="ko_KR.UTF-8")
        with self.connect(server) as first:
            first.sendall(b"in")
            self.assertEqual(first.recv(100), b"in")
            self.assertFalse(self.served(server, LOOPBACK))
            server.wait_for(rf"^{LOOPBACK}: 받지 않았습니다. 이곳의 세션이 --max-per-source의 한도\(1\)에 이르러, 하나가 끝날 때까지 더 받지 않습니다$")

    @on_backends()
    def test_lists_say_who_is_served(self, backend):
        for flags, yes, no in ((("--allow", "127.0.0.2,127.0.1.0/24"), ("127.0.0.2", "127.0.1.77"), (LOOPBACK, "127.0.0.3", "127.0.2.1")),
                               (("--deny", "127.0.0.128/25"), (LOOPBACK, "127.0.0.127"), ("127.0.0.128", "127.0.0.255")),
                               (("--allow", "127.0.0.0/8", "--deny", "127.0.0.2"), (LOOPBACK,), ("127.0.0.2",))):
            for where in ("0.0.0.0:0", ":0"):                              # also seen through an IPv6 socket
                server = self.server(*flags, where, backend=backend)
                for source in yes:
                    self.assertTrue(self.served(server, source), (flags, source))
                for source in no:
                    self.assertFalse(self.served(server, source), (flags, source))
                server.wait_for("turned away: --allow and --deny do not admit it")

    def test_datagrams_of_others_are_not_answered(self):
        server = self.server("--deny", "127.0.0.2", f"udp:{LOOPBACK}:0")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as denied, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            denied.bind(("127.0.0.2", 0))
            denied.sendto(b"x", server.address)
            client.settimeout(support.DEADLINE)
            client.sendto(b"y", server.address)
            self.assertEqual(client.recv(10), b"y")
            denied.setblocking(False)
            self.assertRaises(BlockingIOError, denied.recv, 10)

    @on_backends()
    def test_files_are_read_again_on_sighup_and_nobody_is_dropped(self, backend):
        path = f"{self.folder()}/friends"

        def write(text):
            with open(path, "w") as file:
                file.write(text)
        write(f"# friends\n{LOOPBACK}  # this one\n\n")
        server = self.server("--allow", path, "0.0.0.0:0", backend=backend)
        with self.connect(server) as old:
            old.sendall(b"x")
            self.assertEqual(old.recv(1), b"x")
            self.assertFalse(self.served(server, "127.0.0.2"))
            write("127.0.0.2\n")
            server.signal(signal.SIGHUP)
            server.wait_for("--allow and --deny were read again")
            self.assertTrue(self.served(server, "127.0.0.2"))
            self.assertFalse(self.served(server, LOOPBACK))
            write("127.0.0.2\nnonsense\n")
            server.signal(signal.SIGHUP)
            server.wait_for(r"stay as they were: network nonsense \(\S+:2\): ")
            self.assertTrue(self.served(server, "127.0.0.2"))
            old.sendall(b"still here")
            self.assertEqual(old.recv(100), b"still here")
        self.assertEqual(server.stop(), 0)

    def test_lists_are_checked_before_anything_is_opened(self):
        for words in (("--allow", "nonsense"), ("--deny", "1.2.3.4/33"), ("--allow", "::1/129"), ("--allow", "/no/such/file"),
                      ("--allow", "1.2.3.4/")):
            run = meari("serve", *words, "0")
            self.assertNotEqual(run.returncode, 0, words)
            self.assertNotIn(b"listening", run.stderr)
        korean = meari("serve", "--allow", "nonsense", "0", lang="ko_KR.UTF-8").stderr.decode()
        self.assertIn("네트워크 nonsense", korean)


class Supervised(support.Case):
    def test_the_addresses_are_written_to_a_descriptor_that_is_closed_then(self):
        read, write = os.pipe()
        process = subprocess.Popen([support.MEARI, "serve", "--ready-fd", str(write), f"{LOOPBACK}:0", f"udp:{LOOPBACK}:0"],
                                   pass_fds=[write], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=support.environment())
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        os.close(write)
        with open(read) as ready:
            tcp, udp = ready.read().splitlines()                           # to the end: it was closed
        self.assertTrue(udp.startswith(f"udp:{LOOPBACK}:"))
        with socket.create_connection((LOOPBACK, int(tcp.rsplit(":", 1)[1])), timeout=support.DEADLINE) as client:
            self.assertEqual(exchange(client, b"x"), b"x")

    def test_a_ready_descriptor_that_is_not_open_is_told(self):
        run = meari("serve", "--ready-fd", 77, "0")
        self.assertEqual(run.returncode, 1, run.stderr)

    def activated(self, process_number, count):
        """A server that inherits a listening socket as its descriptor 3, as systemd leaves it."""
        listener = socket.create_server((LOOPBACK, 0))
        self.addCleanup(listener.close)
        number = "str(os.getpid())" if process_number is None else repr(process_number)
        code = (f"import os, sys; os.dup2({listener.fileno()}, 3, inheritable=True); os.environ.update(LISTEN_PID={number}, LISTEN_FDS={count!r}); "
                "os.execv(sys.argv[1], sys.argv[1:])")
        return listener, self.server("greet", "activated", prefix=(sys.executable, "-c", code), pass_fds=[listener.fileno()])

    def test_sockets_of_a_supervisor_are_served_where_no_address_is_written(self):
        listener, server = self.activated(None, "1")
        self.assertEqual(server.addresses, [f"{LOOPBACK}:{listener.getsockname()[1]}"])
        with socket.create_connection(listener.getsockname(), timeout=support.DEADLINE) as client:
            self.assertEqual(support.read_all(client), b"activated")

    def test_sockets_of_another_process_are_not_ours(self):
        """LISTEN_PID is inherited as well. Without an address that is the usual port, whether or not somebody has it here."""
        with socket.create_server((LOOPBACK, 0)) as listener:
            code = (f"import os, sys; os.dup2({listener.fileno()}, 3, inheritable=True); "
                    "os.environ.update(LISTEN_PID=str(os.getppid()), LISTEN_FDS='1'); os.execv(sys.argv[1], sys.argv[1:])")
            with subprocess.Popen([sys.executable, "-c", code, support.MEARI, "serve"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                  pass_fds=[listener.fileno()], env=support.environment()) as process:
                first = process.stderr.readline().decode()
                process.kill()
            self.assertIn(":9000", first)
            self.assertNotIn(str(listener.getsockname()[1]), first)


if __name__ == "__main__":
    unittest.main()
