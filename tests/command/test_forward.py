"""`meari serve forward TARGET`: two independent halves, ends passed on as what they are, targets that are late, gone or us."""

import os
import shutil
import socket
import struct
import subprocess
import threading
import unittest

import support
from support import LOOPBACK, exchange, meari, on_backends, read_all

IP_LOCAL_PORT_RANGE = 51  # ip(7), Linux 6.3


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def free_port():
    """A port where nobody listens. It stays ours: nobody is given it, and only who asks for it by number can begin to."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind((LOOPBACK, 0))
    return holder, holder.getsockname()[1]


class Forward(support.Case):
    def forward(self, port, *flags, **more):
        return self.server("forward", f"{LOOPBACK}:{port}", *flags, f"{LOOPBACK}:0", **more)

    @on_backends()
    def test_every_byte_goes_there_and_back(self, backend):
        echo = self.server(f"{LOOPBACK}:0", backend=backend)
        server = self.forward(echo.port, backend=backend)
        clients = []
        for data in (b"", b"x", os.urandom(3_000_000)):
            with server.connect() as client:
                self.assertEqual(exchange(client, data), data)
        for _ in range(20):
            clients.append(server.connect())
        for number, client in enumerate(clients):
            client.sendall(b"%d" % number)
        for number, client in enumerate(clients):
            self.assertEqual(client.recv(100), b"%d" % number)
            client.close()
        self.assertEqual(server.stop(), 0)

    @on_backends()
    def test_a_fin_is_passed_on_in_either_direction(self, backend):
        def late(connection):
            connection.sendall(read_all(connection)[::-1])
        with self.peer(late) as target:
            server = self.forward(target.port, backend=backend)
            with server.connect() as client:
                self.assertEqual(exchange(client, b"abc"), b"cba")
        got = []

        def early(connection):
            connection.sendall(b"hello")
            connection.shutdown(socket.SHUT_WR)
            got.append(read_all(connection))
        with self.peer(early) as target:
            server = self.forward(target.port, backend=backend)
            with server.connect() as client:
                self.assertEqual(read_all(client), b"hello")
                client.sendall(b"after its end")
        self.assertEqual(got, [b"after its end"])

    @on_backends()
    def test_a_reset_is_passed_on_in_either_direction(self, backend):
        def rude(connection):
            connection.recv(1)
            reset(connection)
        with self.peer(rude) as target:
            server = self.forward(target.port, backend=backend)
            with server.connect() as client:
                client.sendall(b"x")
                self.assertRaises(ConnectionResetError, client.recv, 1)
            server.wait_for(rf"the peer has gone \(forward to {LOOPBACK}:{target.port}: connection reset by the peer\)")
        seen = []

        def patient(connection):
            try:
                connection.recv(1)
                seen.append(connection.recv(1))
            except ConnectionResetError:
                seen.append("reset")
        with self.peer(patient) as target:
            server = self.forward(target.port, backend=backend)
            client = server.connect()
            client.sendall(b"x")
            client.settimeout(support.DEADLINE)
            server.wait_for("connected")
            reset(client)
            target.thread.join(support.DEADLINE)
        self.assertEqual(seen, ["reset"])

    @on_backends()
    def test_who_does_not_read_stops_the_other(self, backend):
        """The target sends without end, the client reads nothing: what is held between them has a limit."""
        written = [0]

        def flood(connection):
            connection.settimeout(1)
            try:
                while True:
                    written[0] += connection.send(b"x" * 65536)
            except TimeoutError:
                return
        with self.peer(flood) as target:
            server = self.forward(target.port, backend=backend)
            with server.connect():
                target.thread.join(support.DEADLINE)
                self.assertFalse(target.thread.is_alive())
                with open(f"/proc/{server.process.pid}/status") as status:
                    resident = int(next(line for line in status if line.startswith("VmRSS")).split()[1])
        self.assertGreater(written[0], 100_000)
        self.assertLess(resident, 200_000)                                 # KiB; sanitizers need some

    def test_a_refusal_ends_the_session_and_the_line_says_so(self):
        holder, port = free_port()
        with holder:
            server = self.forward(port)
            with server.connect() as client:
                self.assertRaises(ConnectionResetError, client.recv, 1)
            server.wait_for(rf"failed: connect to {LOOPBACK}:{port}: connection refused")
            korean = self.forward(port, lang="ko_KR.UTF-8")
            with korean.connect() as client:
                self.assertRaises(ConnectionResetError, client.recv, 1)
            korean.wait_for(rf"실패: {LOOPBACK}:{port}에 연결하지 못했습니다: 연결이 거부되었습니다")

    def test_the_client_waits_for_a_target_that_comes_late(self):
        holder, port = free_port()
        with holder:
            server = self.forward(port)
            with server.connect() as client:
                client.sendall(b"early")
                server.wait_for("connected")
                holder.listen()                                            # between the first attempt and the last
                holder.settimeout(support.DEADLINE)
                connection, _ = holder.accept()
                with connection:
                    connection.settimeout(support.DEADLINE)
                    self.assertEqual(connection.recv(100), b"early")
                    connection.sendall(b"late")
                    self.assertEqual(client.recv(100), b"late")

    def test_a_name_is_tried_with_all_its_addresses(self):
        """localhost is [::1] and 127.0.0.1; the target has only the second."""
        echo = self.server(f"{LOOPBACK}:0")
        server = self.server("forward", f"localhost:{echo.port}", f"{LOOPBACK}:0")
        with server.connect() as client:
            self.assertEqual(exchange(client, b"hi"), b"hi")

    def test_unix_domain_sockets_at_either_end(self):
        path = f"{self.folder()}/echo.sock"
        echo = self.server(f"unix:{path}")
        server = self.server("forward", f"unix:{path}", f"{LOOPBACK}:0", f"unix:{path}.front")
        with server.connect() as client:
            self.assertEqual(exchange(client, b"tcp"), b"tcp")
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(support.DEADLINE)
            client.connect(f"{path}.front")
            self.assertEqual(exchange(client, b"unix"), b"unix")
        self.assertEqual(echo.stop(), 0)

    def test_a_target_that_is_this_server_is_refused_at_once(self):
        holder, port = free_port()
        self.addCleanup(holder.close)
        for target, where in ((f"{LOOPBACK}:{port}", f"{LOOPBACK}:{port}"), (f"localhost:{port}", port), (port, f":{port}"),
                              (f"unix:@meari-loop-{os.getpid()}", f"unix:@meari-loop-{os.getpid()}")):
            run = meari("serve", "forward", target, where)
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertIn(b"that is this server itself", run.stderr)
            self.assertNotIn(b"listening", run.stderr)

    def test_a_loop_through_another_address_is_cut_at_the_first_turn(self):
        """All addresses of this machine are ours, also the one that nobody wrote down."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(("203.0.113.1", 9))                          # sends nothing: asks which address would be used
            except OSError:
                self.skipTest("this machine has no address but loopback")
            ours = probe.getsockname()[0]
        holder, port = free_port()
        self.addCleanup(holder.close)
        server = self.server("forward", f"{ours}:{port}", f"0.0.0.0:{port}")
        with socket.create_connection((LOOPBACK, port), timeout=support.DEADLINE) as client:
            self.assertRaises(ConnectionResetError, client.recv, 1)
        server.wait_for(r"#1 .*that is this server itself|#1 .*the peer has gone")
        self.assertEqual(server.stop(), 0)
        self.assertLessEqual(sum("connected" in line for line in server.lines), 2)

    def test_a_client_may_have_the_port_that_we_have_elsewhere(self):
        """The system gives one port to connections that go to different places, ours to the target and a client's to us: not a loop."""
        with socket.create_server((LOOPBACK, 0)) as target:
            target.settimeout(support.DEADLINE)
            server = self.forward(target.getsockname()[1])
            with server.connect(), socket.socket() as client:
                first, (_, port) = target.accept()
                try:
                    client.setsockopt(socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, struct.pack("I", port << 16 | port))
                except OSError as error:
                    self.skipTest(f"this kernel chooses ports alone: {error}")
                client.settimeout(support.DEADLINE)
                client.connect((LOOPBACK, server.port))
                self.assertEqual(client.getsockname()[1], port)
                second, _ = target.accept()
                with first, second:
                    second.sendall(b"hello")
                    self.assertEqual(client.recv(100), b"hello")
            self.assertEqual(server.stop(), 0)

    def test_an_idle_half_ends(self):
        """The client has finished and the target says nothing: the other half has a clock of its own."""
        over = threading.Event()
        self.addCleanup(over.set)

        def silent(connection):
            over.wait(support.DEADLINE)
        with self.peer(silent) as target:
            server = self.forward(target.port, "--idle", "200ms")
            with server.connect() as client:
                client.shutdown(socket.SHUT_WR)
                try:
                    self.assertEqual(client.recv(1), b"")
                except ConnectionResetError:
                    pass
            server.wait_for(rf"timed out \(forward to {LOOPBACK}:{target.port}: timed out\)")
            over.set()

    def test_targets_are_checked(self):
        for target in ("udp:9", ":9", "0.0.0.0:9", "fd:3", "x"):
            run = meari("serve", "forward", target)
            self.assertEqual(run.returncode, 2, target)
        self.assertIn(b"needs to be told more: meari serve forward", meari("serve", "forward").stderr)
        self.assertEqual(meari("serve", "forward", "9000", "udp:0").returncode, 2)

    def test_the_usual_clients_through_it(self):
        echo = self.server(f"{LOOPBACK}:0")
        server = self.forward(echo.port)
        data = os.urandom(200_000)
        for tool, *words in (("nc", "-N", LOOPBACK, server.port), ("ncat", LOOPBACK, server.port),
                             ("socat", "-t30", "-", f"TCP:{LOOPBACK}:{server.port}")):
            if shutil.which(tool):
                with self.subTest(tool):
                    run = subprocess.run([tool, *map(str, words)], input=data, capture_output=True, timeout=support.DEADLINE)
                    self.assertEqual(run.stdout, data)


if __name__ == "__main__":
    unittest.main()
