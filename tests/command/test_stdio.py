"""`meari serve stdio`: standard input and output with a client at the other end, as `nc -l` does it, and without its traps."""

import os
import shutil
import socket
import subprocess
import unittest

import support
from support import LOOPBACK, exchange, meari, on_backends, read_all


class Stdio(support.Case):
    def stdio(self, *flags, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **more):
        return self.server("stdio", *flags, f"{LOOPBACK}:0", stdin=stdin, stdout=stdout, **more)

    def give(self, server, data):
        server.process.stdin.write(data)
        server.process.stdin.flush()

    @on_backends()
    def test_both_directions_flow_and_end_by_themselves(self, backend):
        """The client finishes first and gets everything; its own bytes are on standard output."""
        server = self.stdio("--once", backend=backend)
        there, back = os.urandom(2_000_000), os.urandom(1_500_000)
        with server.connect() as client:
            feeder = support.threading.Thread(target=lambda: (server.process.stdin.write(back), server.process.stdin.close()))
            printed = []
            drinker = support.threading.Thread(target=lambda: printed.append(server.process.stdout.read()))
            feeder.start(), drinker.start()
            self.assertEqual(exchange(client, there), back)
            feeder.join(support.DEADLINE), drinker.join(support.DEADLINE)
        self.assertEqual(printed, [there])
        self.assertEqual(server.wait(), 0)

    @on_backends()
    def test_input_ends_first_and_the_late_answer_comes(self, backend):
        server = self.stdio("--once", backend=backend)
        with server.connect() as client:
            self.give(server, b"question")
            server.process.stdin.close()
            self.assertEqual(read_all(client), b"question")                # FIN has come; now the answer
            client.sendall(b"late answer")
        self.assertEqual(server.process.stdout.read(), b"late answer")
        self.assertEqual(server.wait(), 0)

    def test_one_client_at_a_time_and_the_next_goes_on_where_the_last_left_off(self):
        server = self.stdio()
        with server.connect() as first, server.connect() as second:
            self.give(server, b"one")
            self.assertEqual(first.recv(100), b"one")
            second.sendall(b"me too")                                      # waits in the queue
            server.wait_for("paused")
            first.sendall(b"first.")
            first.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.assertEqual(server.process.stdout.read(6), b"first.")
            first.close()                                                  # RST: there is no doubt that it is over
            self.assertEqual(server.process.stdout.read(6), b"me too")
            self.give(server, b"two")
            self.assertEqual(second.recv(100), b"two")
        server.process.stdin.close()
        self.assertEqual(server.stop(), 0)

    @on_backends()
    def test_without_input_the_client_decides(self, backend):
        """</dev/null is no input rather than one that ends at once: a client that waits for our end must not be cut off."""
        server = self.stdio("--once", stdin=subprocess.DEVNULL, backend=backend)
        with server.connect() as client:
            client.sendall(b"x")
            self.assertEqual(server.process.stdout.read(1), b"x")
            client.settimeout(0.3)                                         # for a FIN of ours to arrive, if there were one
            with self.assertRaises(TimeoutError):
                client.recv(1)
        self.assertEqual(server.wait(), 0)

    def test_end_of_input_can_mean_something_else(self):
        for policy in ("close", "wait:10ms"):
            server = self.stdio("--once", "--on-eof", policy)
            with server.connect() as client:
                server.process.stdin.close()
                self.assertEqual(read_all(client), b"")
                self.assertEqual(server.wait(), 0)
        server = self.stdio("--once", "--on-eof", "keep")
        with server.connect() as client:
            self.give(server, b"x")
            server.process.stdin.close()
            self.assertEqual(client.recv(1), b"x")
            client.sendall(b"still here")
            self.assertEqual(server.process.stdout.read(10), b"still here")
            client.setblocking(False)
            self.assertRaises(BlockingIOError, client.recv, 1)
        self.assertEqual(server.wait(), 0)

    def test_it_ends_with_who_reads_its_output(self):
        server = self.stdio()
        with server.connect() as client:
            client.sendall(b"first")
            self.assertEqual(server.process.stdout.read(5), b"first")
            server.process.stdout.close()
            client.sendall(b"second")
            self.assertEqual(server.wait(), 0)

    def test_a_full_disk_is_told(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full")
        with open("/dev/full", "wb") as full:
            server = self.stdio(stdout=full)
            with server.connect() as client:
                client.sendall(b"x")
                self.assertEqual(server.wait(), 3)
        server.wait_for("standard output: ")

    def test_both_flags_are_for_stdio_only(self):
        for words in (("--raw",), ("--on-eof", "close")):
            run = meari("serve", *words, "0")
            self.assertEqual(run.returncode, 2)
            self.assertIn(f"{words[0]} is for the handler stdio".encode(), run.stderr)

    def test_the_usual_clients_get_a_file_and_give_one(self):
        given, taken = os.urandom(300_000), os.urandom(200_000)
        folder = self.folder()
        for name, data in (("given", given), ("taken", taken)):
            with open(f"{folder}/{name}", "wb") as file:
                file.write(data)
        for tool, *words in (("nc", "-N", LOOPBACK), ("ncat", LOOPBACK), ("socat", "-t30", "-")):
            if not shutil.which(tool):
                continue
            with self.subTest(tool), open(f"{folder}/given", "rb") as source, open(f"{folder}/printed", "wb") as printed:
                server = self.stdio("--once", stdin=source, stdout=printed)
                where = [f"TCP:{LOOPBACK}:{server.port}"] if tool == "socat" else [str(server.port)]
                run = subprocess.run([tool, *words, *where], input=taken, capture_output=True, timeout=support.DEADLINE)
                self.assertEqual(run.stdout, given)
                self.assertEqual(server.wait(), 0)
                with open(f"{folder}/printed", "rb") as file:
                    self.assertEqual(file.read(), taken)


if __name__ == "__main__":
    unittest.main()
