"""Shows that the blocking examples do what the tutorials promise, and survive what the tutorials' own code does not.

Runs the programs in $EXAMPLES against each other, against nc and against sockets of Python's own."""

import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

from programs import EVERY_BYTE, NC, SANITIZED, EXAMPLES, WINDOWS, Fake, Server, closed_port, receive_all, reset, run

VALGRIND = shutil.which("valgrind")


class EchoServer(unittest.TestCase):
    def test_sends_every_byte_back_unchanged(self):
        with Server("blocking_echo_server") as server, server.connect() as peer:
            data = EVERY_BYTE * 4096
            sender = threading.Thread(target=lambda: (peer.sendall(data), peer.shutdown(socket.SHUT_WR)))
            sender.start()
            self.assertEqual(receive_all(peer), data)
            sender.join()

    def test_prints_address_text_and_byte_count_without_obeying_the_peer(self):
        with Server("blocking_echo_server") as server, server.connect() as peer:
            name = "127.0.0.1:%d" % peer.getsockname()[1]
            self.assertEqual(server.line(), f"{name} connected")
            peer.sendall("메아리\x1b[2J\n".encode())
            self.assertEqual(server.line(), f'{name} sent "메아리\\x1b[2J\\n" (14 bytes)')
            peer.recv(100)
            peer.close()
            self.assertEqual(server.line(), f"{name} disconnected")

    def test_serves_the_second_client_while_the_first_is_silent(self):
        with Server("blocking_echo_server") as server, server.connect() as first, server.connect() as second:
            second.sendall(b"second")
            self.assertEqual(second.recv(100), b"second")
            first.sendall(b"first")
            self.assertEqual(first.recv(100), b"first")

    def test_a_client_that_resets_takes_nobody_with_it(self):
        with Server("blocking_echo_server") as server:
            for _ in range(20):
                peer = server.connect()
                peer.sendall(b"x" * 1000)
                reset(peer)
            with server.connect() as peer:
                peer.sendall(b"still there?")
                self.assertEqual(peer.recv(100), b"still there?")

    def test_a_port_in_use_is_said_and_nothing_else_is_tried(self):
        with Server("blocking_echo_server") as server:
            second = run("blocking_echo_server", server.address)
            self.assertEqual(second.returncode, 1)
            self.assertIn(f"bind {server.address}: address already in use", second.stderr.decode())

    def test_restarts_at_once_on_the_same_port(self):
        with Server("blocking_echo_server") as server:
            address = server.address
            peer = server.connect()
            peer.sendall(b"x")
            peer.recv(1)
        peer.close()
        with Server("blocking_echo_server", address) as server:
            self.assertEqual(server.address, address)

    def test_all_addresses_means_ipv4_and_ipv6(self):
        with Server("blocking_echo_server", ":0") as server:
            for host in ["127.0.0.1"] + (["::1"] if server.address.startswith("[") else []):
                with socket.create_connection((host, server.port), timeout=20) as peer:
                    peer.sendall(b"hi")
                    self.assertEqual(peer.recv(10), b"hi")

    @unittest.skipIf(SANITIZED, "a sanitizer needs descriptors of its own")
    @unittest.skipIf(WINDOWS, "wine needs descriptors of its own")
    def test_when_descriptors_run_out_those_who_are_here_go_on(self):
        with Server("blocking_echo_server", prefix=("prlimit", "--nofile=12")) as server:
            peers = [server.connect() for _ in range(20)]
            while "too many open descriptors" not in server.line():
                pass
            peers[0].sendall(b"one")
            self.assertEqual(peers[0].recv(10), b"one")
            for peer in peers[:-1]:
                peer.close()
            peers[-1].sendall(b"last")
            self.assertEqual(peers[-1].recv(10), b"last")  # its turn came
            peers[-1].close()

    @unittest.skipUnless(NC, "nc is not installed")
    def test_talks_to_nc(self):
        with Server("blocking_echo_server") as server:
            nc = subprocess.run([NC, "-N", "127.0.0.1", str(server.port)], input=b"hello\n", capture_output=True, timeout=20)
            self.assertEqual(nc.stdout, b"hello\n")

    def test_a_wrong_address_is_explained(self):
        for text in ("nonsense", "1.2.3.4", "127.0.0.1:99999"):
            wrong = run("blocking_echo_server", text)
            self.assertEqual(wrong.returncode, 1)
            self.assertTrue(wrong.stderr.decode().startswith(f"address {text}: "), wrong.stderr)


class WinsockServer(unittest.TestCase):
    def test_what_comes_goes_back_to_one_client_after_the_other(self):
        with Server("winsock_server") as server:
            for data in (b"hello", EVERY_BYTE * 1024, b""):
                with server.connect() as peer:
                    name = "127.0.0.1:%d" % peer.getsockname()[1]
                    sender = threading.Thread(target=lambda: (peer.sendall(data), peer.shutdown(socket.SHUT_WR)))
                    sender.start()
                    self.assertEqual(receive_all(peer), data)
                    sender.join()
                self.assertEqual(server.line(), f"{name} connected")
                self.assertEqual(server.line(), f"{name}: {len(data)} bytes sent back")

    @unittest.skipIf(WINDOWS, "the server of wine takes the error of a reset for itself")
    def test_a_client_that_resets_is_told_and_the_next_is_served(self):
        with Server("winsock_server") as server:
            peer = server.connect()
            self.assertRegex(server.line(), "connected$")
            reset(peer)
            self.assertRegex(server.line(), "connection reset")
            with server.connect() as next_one:
                next_one.sendall(b"still there?")
                self.assertEqual(next_one.recv(100), b"still there?")

    def test_every_failure_is_told(self):
        with Server("winsock_server") as server:
            second = run("winsock_server", server.address)
            self.assertEqual((second.returncode, second.stdout), (1, b""))
            self.assertIn(f"bind {server.address}: address already in use", second.stderr.decode())
        wrong = run("winsock_server", "192.0.2.1:0")
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("bind 192.0.2.1:0: ", wrong.stderr.decode())


class EchoClient(unittest.TestCase):
    def test_says_what_was_sent_and_received(self):
        with Server("blocking_echo_server") as server:
            client = run("blocking_echo_client", server.address, text="hello\n메아리\n".encode())
            self.assertEqual(client.returncode, 0, client.stderr)
            out = client.stdout.decode()
            self.assertTrue(out.startswith(f"connected to {server.address} from 127.0.0.1:"), out)
            self.assertIn('> sent 6 bytes\nreceived 6 bytes: "hello\\n"\n', out)
            self.assertIn('> sent 10 bytes\nreceived 10 bytes: "메아리\\n"\n', out)
            self.assertTrue(out.endswith("end of input\n"), out)

    def test_a_long_line_goes_512_bytes_at_a_time_and_loses_nothing(self):
        for size in (511, 512, 513, 1024, 5000):
            collected = []

            def serve(peer):
                while piece := peer.recv(4096):
                    collected.append(piece)
                    peer.sendall(piece)

            line = b"x" * (size - 1) + b"\n"
            with Fake(serve) as server:
                client = run("blocking_echo_client", server.address, text=line)
            self.assertEqual(client.returncode, 0, client.stderr)
            self.assertEqual(b"".join(collected), line)
            sizes = [int(row.split()[-2]) for row in client.stdout.decode().splitlines() if "sent " in row]
            self.assertEqual(sum(sizes), size)
            self.assertLessEqual(max(sizes), 512)

    def test_a_last_line_without_newline_gets_none(self):
        with Server("blocking_echo_server") as server:
            client = run("blocking_echo_client", server.address, text=b"no newline")
            self.assertIn('received 10 bytes: "no newline"', client.stdout.decode())

    def test_a_reply_in_pieces_is_one_reply(self):
        def serve(peer):
            for byte in peer.recv(100):
                peer.sendall(bytes([byte]))
            peer.recv(1)

        with Fake(serve) as server:
            client = run("blocking_echo_client", server.address, text=b"piecemeal\n")
        self.assertIn('received 10 bytes: "piecemeal\\n"', client.stdout.decode())

    def test_what_comes_back_cannot_command_the_terminal(self):
        def serve(peer):
            peer.recv(100)
            peer.sendall(b"\x1b]0;x\x07")

        with Fake(serve) as server:
            client = run("blocking_echo_client", server.address, text=b"12345\n")
        self.assertIn(b"\\x1b]0;x\\x07", client.stdout)
        self.assertNotIn(b"\x1b", client.stdout)

    def test_a_server_that_leaves_is_said_and_is_a_failure(self):
        for leave in (lambda peer: peer.recv(3), lambda peer: (peer.recv(3), reset(peer)), lambda peer: None):
            with Fake(leave) as server:
                client = run("blocking_echo_client", server.address, text=b"hello\n" * 3)
            self.assertEqual(client.returncode, 1)
            self.assertRegex(client.stderr.decode(), "closed|reset")

    def test_nobody_there_is_said_with_advice(self):
        holder, address = closed_port()
        with holder:
            client = run("blocking_echo_client", address)
        self.assertEqual(client.returncode, 1)
        self.assertIn(f"connect to {address}: connection refused (Nothing listens there", client.stderr.decode())

    def test_finds_localhost_whichever_family_the_server_chose(self):
        with Server("blocking_echo_server") as server:
            client = run("blocking_echo_client", f"localhost:{server.port}", text=b"hi\n")
            self.assertEqual(client.returncode, 0, client.stderr)

    def test_end_of_input_at_once_is_no_failure(self):
        with Server("blocking_echo_server") as server:
            self.assertEqual(run("blocking_echo_client", server.address).returncode, 0)


class Hello(unittest.TestCase):
    def test_greets_with_exactly_twelve_bytes_and_hangs_up(self):
        with Server("blocking_hello_server") as server:
            for _ in range(5):
                with server.connect() as peer:
                    self.assertEqual(receive_all(peer), b"Hello World!")

    def test_a_client_that_speaks_first_still_gets_all_of_it(self):
        with Server("blocking_hello_server") as server, server.connect() as peer:
            peer.sendall(b"x" * 10000)
            self.assertEqual(receive_all(peer), b"Hello World!")

    def test_a_client_that_stays_holds_nobody_up(self):
        with Server("blocking_hello_server") as server, server.connect(), server.connect() as second:
            self.assertEqual(receive_all(second), b"Hello World!")

    def test_survives_clients_that_leave_at_once(self):
        with Server("blocking_hello_server") as server:
            for _ in range(20):
                reset(server.connect())
            with server.connect() as peer:
                self.assertEqual(receive_all(peer), b"Hello World!")

    def test_the_client_prints_the_greeting_and_its_size(self):
        with Server("blocking_hello_server") as server:
            client = run("blocking_hello_client", server.address)
            self.assertEqual((client.returncode, client.stdout), (0, b"Hello World! (12 bytes)\n"))

    def test_the_client_takes_a_greeting_in_pieces(self):
        def serve(peer):
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in b"Hello \x1bWorld!" * 100:
                peer.sendall(bytes([byte]))

        with Fake(serve) as server:
            client = run("blocking_hello_client", server.address)
        self.assertEqual(client.stdout, b"Hello \\x1bWorld!" * 100 + b" (1300 bytes)\n")

    def test_the_client_does_not_go_on_after_a_failed_connect(self):
        holder, address = closed_port()
        with holder:
            client = run("blocking_hello_client", address)
        self.assertEqual((client.returncode, client.stdout), (1, b""))
        self.assertIn(b"connection refused", client.stderr)

    @unittest.skipUnless(NC, "nc is not installed")
    def test_works_with_nc_at_either_end(self):
        with Server("blocking_hello_server") as server:
            nc = subprocess.run([NC, "-d", "127.0.0.1", str(server.port)], capture_output=True, timeout=20)
            self.assertEqual(nc.stdout, b"Hello World!")

    @unittest.skipIf(WINDOWS, "the end of a program by Ctrl-C is a status of Windows, which wine makes 0 of")
    def test_ctrl_c_ends_the_server(self):
        with Server("blocking_hello_server") as server:
            server.process.send_signal(signal.SIGINT)
            self.assertEqual(server.process.wait(timeout=20), -signal.SIGINT)


@unittest.skipUnless(VALGRIND and shutil.which("strip"), "valgrind or strip is not installed")
@unittest.skipIf(SANITIZED, "a sanitizer is at work already")
@unittest.skipIf(WINDOWS, "valgrind runs programs of this system")
class UnderValgrind(unittest.TestCase):
    prefix = (VALGRIND, "-q", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=definite",
              "--errors-for-leak-kinds=definite")

    @classmethod
    def setUpClass(cls):
        # Older valgrinds give up on the debug information of newer compilers: run copies without it.
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        for name in ("blocking_echo_server", "blocking_echo_client", "blocking_hello_server", "blocking_hello_client"):
            subprocess.run(["strip", "-g", "-o", f"{cls.folder.name}/{name}", EXAMPLES / name], check=True)

    @classmethod
    def copy_of(cls, name):
        return pathlib.Path(cls.folder.name) / name

    def test_clients_are_clean(self):
        with Server("blocking_echo_server") as server:
            client = run(self.copy_of("blocking_echo_client"), server.address, text=b"hello\n" * 3, prefix=self.prefix)
            self.assertEqual(client.returncode, 0, client.stderr)
        with Server("blocking_hello_server") as server:
            client = run(self.copy_of("blocking_hello_client"), server.address, prefix=self.prefix)
            self.assertEqual(client.returncode, 0, client.stderr)

    def test_failing_clients_are_clean(self):
        holder, address = closed_port()
        with holder:
            for name in ("blocking_echo_client", "blocking_hello_client"):
                self.assertEqual(run(self.copy_of(name), address, prefix=self.prefix).returncode, 1)

    def test_servers_are_clean(self):
        for name, said in (("blocking_echo_server", b"hi"), ("blocking_hello_server", b"Hello World!")):
            with Server(self.copy_of(name), prefix=self.prefix) as server:
                for _ in range(3):
                    with server.connect() as peer:
                        peer.sendall(b"hi")
                        peer.shutdown(socket.SHUT_WR)
                        self.assertEqual(receive_all(peer), said)
                server.process.send_signal(signal.SIGINT)
                self.assertEqual(server.process.wait(timeout=20), -signal.SIGINT)
                self.assertEqual(server.process.stderr.read(), "")


if __name__ == "__main__":
    unittest.main()
