"""`meari serve exec -- PROGRAM`: the program's ends are the client's, nothing leaks into it, and none is left behind."""

import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import unittest

import support
from support import LOOPBACK, exchange, meari, on_backends, read_all


class Missing(support.Case):
    def test_who_cannot_be_started_is_told_where_to_look(self):
        for program, says in (("no-such-program", "No directory of PATH"), ("/no/such/program", "spelling of the path"),
                              ("/etc/passwd", "owner and the mode")):
            run = meari("serve", "exec", f"{LOOPBACK}:0", "--", program)
            self.assertEqual(run.returncode, 1)
            self.assertIn(says, run.stderr.decode())


class Exec(support.Case):
    def exec(self, *program, flags=(), **more):
        return self.server("exec", *flags, f"{LOOPBACK}:0", "--", *program, **more)

    def python(self, code, **more):
        return self.exec(sys.executable, "-c", code, **more)

    def gone(self, process):
        """Waits for a process that is not ours, with the help of the system: the descriptor is readable when it has ended."""
        try:
            handle = os.pidfd_open(process)
        except ProcessLookupError:
            return True
        try:
            import select
            return bool(select.select([handle], [], [], support.DEADLINE)[0])
        finally:
            os.close(handle)

    @on_backends()
    def test_the_client_talks_with_the_program_and_half_closes(self, backend):
        """No byte is lost when the client ends first, whatever is under way."""
        server = self.exec("cat", backend=backend)
        for data in (b"", b"x", os.urandom(3_000_000)):
            with server.connect() as client:
                self.assertEqual(exchange(client, data), data)
        server = self.exec("sort", "-r", backend=backend)
        with server.connect() as client:
            self.assertEqual(exchange(client, b"a\nb\nc\n"), b"c\nb\na\n")
        self.assertEqual(server.stop(), 0)

    @on_backends()
    def test_the_end_of_the_program_is_the_end(self, backend):
        server = self.exec("echo", "hello  world", "*", "$HOME", backend=backend)
        with server.connect() as client:
            client.sendall(b"x" * 30_000)                                  # that nobody reads
            self.assertEqual(read_all(client), b"hello  world * $HOME\n")  # no shell has touched it
        self.assertEqual(server.stop(), 0)

    def test_arguments_are_a_vector_and_flags_behind_the_dashes_its_own(self):
        server = self.exec(sys.executable, "-c", "import sys; print(sys.argv[1:])", "--once", "a b", "", "--", "$(id)")
        with server.connect() as client:
            self.assertEqual(read_all(client), b"['--once', 'a b', '', '--', '$(id)']\n")

    def test_the_environment_is_an_allow_list(self):
        os.environ["MEARI_TEST_SECRET"] = "secret"
        os.environ["TZ"] = "KST-9"
        self.addCleanup(os.environ.pop, "MEARI_TEST_SECRET")
        self.addCleanup(os.environ.pop, "TZ")
        server = self.exec("env")
        with server.connect() as client:
            variables = dict(line.split("=", 1) for line in read_all(client).decode().splitlines())
            self.assertEqual(variables["MEARI_PEER"], f"{LOOPBACK}:{client.getsockname()[1]}")
        self.assertEqual(variables["MEARI_LOCAL"], f"{LOOPBACK}:{server.port}")
        self.assertEqual(variables["MEARI_SESSION"], "1")
        self.assertEqual(variables["TZ"], "KST-9")
        self.assertLessEqual(set(variables), {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "MEARI_PEER", "MEARI_LOCAL", "MEARI_SESSION"} |
                             {name for name in variables if name.startswith("LC_")})

    def test_nothing_but_three_descriptors_and_default_signals(self):
        """Also what this process had open without close-on-exec."""
        read, write = os.pipe()
        os.set_inheritable(write, True)
        self.addCleanup(os.close, read)
        self.addCleanup(os.close, write)
        code = ("import os, signal; print(sorted(map(int, os.listdir('/proc/self/fd'))), os.getpgrp() == os.getpid(), "
                "[hex(int(line.split()[1], 16) & 0x7fffffff) for line in open('/proc/self/status') if line.startswith(('SigBlk', 'SigIgn'))])")
        server = self.exec("env", "-i", "/usr/bin/python3", "-S", "-c", code, pass_fds=[write])
        with server.connect() as first, server.connect() as second:
            for client in (first, second):
                # listdir itself has one open; Python ignores SIGPIPE (13) and SIGXFSZ (25), the C library two of its own (32, 33)
                self.assertEqual(read_all(client), b"[0, 1, 2, 3] True ['0x0', '0x1001000']\n")

    @on_backends()
    def test_standard_error_is_in_our_log(self, backend):
        code = r"import sys; sys.stderr.write('one\ntwo \x1b[31m\n' + 'long' * 1000 + '\nend'); print('out')"
        server = self.python(code, backend=backend)
        with server.connect() as client:
            self.assertEqual(read_all(client), b"out\n")
        server.wait_for(r"^#1 the program: one$")
        server.wait_for(r"^#1 the program: two \\x1b\[31m$")
        server.wait_for(r"^#1 the program: (long){256}$", count=3)
        server.wait_for(r"^#1 the program: end$")
        server = self.exec("sh", "-c", "echo complaint >/dev/stderr")
        with server.connect() as client:
            self.assertEqual(read_all(client), b"")
        server.wait_for("the program: complaint")

    def test_how_it_ended_is_told_where_it_went_wrong(self):
        server = self.python("raise SystemExit(7)")
        with server.connect() as client:
            self.assertEqual(read_all(client), b"")
        server.wait_for("#1 the program ended with status 7")
        server = self.python("import os; os.kill(os.getpid(), 9)")
        with server.connect() as client:
            self.assertEqual(read_all(client), b"")
        server.wait_for("#1 the program was ended by signal 9")

    def test_a_client_that_goes_ends_its_program(self):
        """One that notices its end of input, one that needs SIGTERM, one that needs SIGKILL, and what they have started."""
        for code, signal_number in (
                ("import os, sys; print(os.getpid(), flush=True); sys.stdin.buffer.read()", None),
                ("import os, time; print(os.getpid(), flush=True); time.sleep(1000)", 15),
                ("import os, signal, time; signal.signal(15, signal.SIG_IGN); print(os.getpid(), flush=True); time.sleep(1000)", 9)):
            with self.subTest(code):
                server = self.python(code)
                client = server.connect()
                process = int(client.recv(100))
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                self.assertTrue(self.gone(process))
                server.wait_for("the peer has gone")
                if signal_number:
                    server.wait_for(f"the program was ended by signal {signal_number}")
                self.assertRaises(ProcessLookupError, os.kill, process, 0)  # reaped: not even a zombie
                self.assertEqual(server.stop(), 0)

    def test_what_a_program_has_started_goes_with_it(self):
        server = self.exec("sh", "-c", "sleep 1000 & echo $!; wait")
        client = server.connect()
        process = int(client.recv(100))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        self.assertTrue(self.gone(process))

    def test_a_program_that_is_slow_is_not_ended_when_the_client_only_half_closed(self):
        read, write = os.pipe()
        self.addCleanup(os.close, write)
        with open(read, "rb"):
            path = f"{self.folder()}/gate"
            os.mkfifo(path)
            server = self.exec("sh", "-c", f"cat; cat {path}")
            with server.connect() as client:
                client.sendall(b"question ")
                client.shutdown(socket.SHUT_WR)
                self.assertEqual(client.recv(9), b"question ")
                with open(path, "wb") as gate:
                    gate.write(b"late answer")
                self.assertEqual(read_all(client), b"late answer")

    @on_backends()
    def test_stopping_ends_programs_that_wait(self, backend):
        server = self.exec("cat", backend=backend)
        with server.connect() as client:
            client.sendall(b"x")
            self.assertEqual(client.recv(1), b"x")
            self.assertEqual(server.stop(), 0)
            self.assertEqual(client.recv(1), b"")
        server.wait_for("received 1, sent 1, .*finished")              # its input ended, and so did it

    @on_backends()
    def test_nothing_is_left_open_or_unreaped(self, backend):
        server = self.exec("cat", backend=backend)
        def count():
            return len(os.listdir(f"/proc/{server.process.pid}/fd"))
        with server.connect() as client:
            exchange(client, b"x")
        server.wait_for("#1 .*finished")
        before = count()
        for _ in range(60):
            with server.connect() as client:
                exchange(client, b"x")
        server.wait_for("#61 .*finished")
        deadline = support.time.monotonic() + support.DEADLINE             # the last goodbye may still be under way
        while count() > before and support.time.monotonic() < deadline:
            os.sched_yield()
        self.assertLessEqual(count(), before)
        children = pathlib.Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
        self.assertEqual(children, "")

    def test_an_idle_program_is_ended(self):
        server = self.python("import time; time.sleep(1000)", flags=("--idle", "200ms"))
        with server.connect() as client:
            client.shutdown(socket.SHUT_WR)
            try:
                self.assertEqual(client.recv(1), b"")
            except ConnectionResetError:
                pass
        server.wait_for("timed out")

    def test_a_file_that_only_looks_like_a_program_is_told_of_whenever_somebody_comes(self):
        path = pathlib.Path(self.folder()) / "text"
        path.write_text("no program")
        path.chmod(0o755)
        server = self.exec(str(path))
        for _ in range(2):
            with server.connect() as client:
                try:
                    self.assertEqual(client.recv(1), b"")
                except ConnectionResetError:
                    pass
            server.wait_for(f"start {path}: ")

    def test_an_empty_place_in_the_path_is_not_where_we_are(self):
        folder = self.folder()
        program = pathlib.Path(folder) / "left-by-somebody"
        program.write_text("#!/bin/sh\necho harm\n")
        program.chmod(0o755)
        for path in ("", ":", ":/usr/bin", "/usr/bin:", "/usr/bin::/bin"):
            run = subprocess.run([support.MEARI, "serve", "exec", "0", "--", program.name], cwd=folder,
                                 env={**support.environment("C.UTF-8"), "PATH": path}, stderr=subprocess.PIPE,
                                 timeout=support.DEADLINE)
            self.assertEqual(run.returncode, 1, path)
            self.assertIn(b"start left-by-somebody: no such", run.stderr)

    def test_programs_that_cannot_run_are_refused_at_once(self):
        path = f"{self.folder()}/text"
        pathlib.Path(path).write_text("no program")
        for name, why in (("no-such-program-here", "start no-such-program-here: no such"), (path, "permission"), ("/", "permission")):
            run = meari("serve", "exec", "0", "--", name)
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertIn(why.encode(), run.stderr)
        korean = meari("serve", "exec", "0", "--", "no-such-program-here", lang="ko_KR.UTF-8")
        self.assertIn("no-such-program-here: 실행하지 못했습니다", korean.stderr.decode())
        self.assertIn(b"needs to be told more: meari serve exec 9000 -- /bin/cat -n", meari("serve", "exec", "0").stderr)
        self.assertEqual(meari("serve", "exec", "udp:0", "--", "cat").returncode, 2)


if __name__ == "__main__":
    unittest.main()
