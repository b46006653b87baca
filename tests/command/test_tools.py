"""The tools that people have at the other end: nc, ncat, socat, curl, redis-benchmark."""

import os
import re
import subprocess
import unittest

import support
from support import LOOPBACK, meari, needs, on_backends

DATA = os.urandom(8 << 20)


def run(*words, stdin=b"", seconds=support.DEADLINE):
    return subprocess.run([str(word) for word in words], input=stdin, capture_output=True, timeout=seconds)


class EightMegabytes(support.Case):
    """There and back, byte for byte, with the end of input as a half-close."""

    def echoed(self, backend, *words):
        server = self.server(f"{LOOPBACK}:0", backend=backend)
        command = [str(word).replace("PORT", str(server.port)) for word in words]
        done = run(*command, stdin=DATA)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(done.stdout), len(DATA))
        self.assertTrue(done.stdout == DATA)
        server.wait_for(rf"received {len(DATA)}, sent {len(DATA)}, .*: finished")

    @needs("nc")
    @on_backends("epoll", "uring", "uring-floor")
    def test_nc(self, backend):
        self.echoed(backend, "nc", "-N", LOOPBACK, "PORT")

    @needs("ncat")
    @on_backends("epoll", "uring", "uring-floor")
    def test_ncat(self, backend):
        self.echoed(backend, "ncat", LOOPBACK, "PORT")

    @needs("socat")
    @on_backends("epoll", "uring", "uring-floor")
    def test_socat(self, backend):
        self.echoed(backend, "socat", "-t", "5", "-", f"TCP:{LOOPBACK}:PORT")

    @on_backends("epoll", "uring", "uring-floor")
    def test_meari(self, backend):
        self.echoed(backend, support.MEARI, "connect", "--backend", backend, f"{LOOPBACK}:PORT")

    @needs("socat")
    @on_backends()
    def test_unix(self, backend):
        path = f"{self.folder()}/echo.sock"
        self.server(f"unix:{path}", backend=backend)
        done = run("socat", "-t", "5", "-", f"UNIX-CONNECT:{path}", stdin=DATA)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout == DATA)


class Others(support.Case):
    @needs("nc")
    @on_backends()
    def test_nc_over_udp(self, backend):
        """nc ends when it has heard nothing for a second."""
        server = self.server(f"udp:{LOOPBACK}:0", backend=backend)
        done = run("nc", "-u", "-w", "1", LOOPBACK, server.port, stdin=b"hello over udp\n")
        self.assertEqual(done.stdout, b"hello over udp\n")

    @needs("curl")
    @on_backends()
    def test_curl_telnet(self, backend):
        """curl ends when the server does."""
        server = self.server("greet", "Hello World!", f"{LOOPBACK}:0", backend=backend)
        done = run("curl", "--silent", f"telnet://{LOOPBACK}:{server.port}")
        self.assertEqual(done.stdout, b"Hello World!")
        echo = self.server(f"{LOOPBACK}:0", backend=backend)
        with subprocess.Popen(["curl", "--silent", "--no-buffer", f"telnet://{LOOPBACK}:{echo.port}"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as curl:
            curl.stdin.write(b"hello\n")
            curl.stdin.flush()
            self.assertEqual(curl.stdout.readline(), b"hello\n")
            echo.stop()

    @needs("redis-benchmark")
    @on_backends("epoll", "uring", "uring-floor")
    def test_redis_benchmark(self, backend):
        """A command that comes back whole is a reply to it: an array. So an echo passes for a Redis that answers every command with
        itself, and 50 clients with 16 commands under way each show that no byte is lost or out of its order: a reply that cannot be
        parsed ends the run with an error."""
        server = self.server(f"{LOOPBACK}:0", backend=backend)
        done = run("redis-benchmark", "-h", LOOPBACK, "-p", server.port, "-t", "set,get", "-P", "16", "-n", "50000", "-q", "--csv")
        self.assertEqual(done.returncode, 0, done.stderr)
        rates = dict(re.findall(r'"(SET|GET)","([\d.]+)"', done.stdout.decode()))
        self.assertEqual(set(rates), {"SET", "GET"}, done.stdout + done.stderr)
        self.assertTrue(all(float(rate) > 0 for rate in rates.values()), rates)

    @needs("socat")
    def test_connect_to_socat(self):
        """The other way round: an echo of somebody else's, which ends when it has seen our end of input."""
        path = f"{self.folder()}/socat.sock"
        server = subprocess.Popen(["socat", "-t", "5", f"UNIX-LISTEN:{path}", "EXEC:cat"], stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        deadline = support.time.monotonic() + support.DEADLINE
        while not os.path.exists(path):                                    # socat says nothing when it is ready
            self.assertLess(support.time.monotonic(), deadline)
            support.time.sleep(0.01)
        done = meari("connect", "--expect-echo", f"unix:{path}", stdin=DATA)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout == DATA)


if __name__ == "__main__":
    unittest.main()
