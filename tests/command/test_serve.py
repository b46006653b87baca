"""`meari serve`: its handlers, the addresses it takes, its flags, what it says and how it ends."""

import json
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


class Handlers(support.Case):
    @on_backends()
    def test_echo_sends_back_every_byte_and_then_its_end(self, backend):
        server = self.server("echo", f"{LOOPBACK}:0", backend=backend)
        for data in (b"", b"x", bytes(range(256)), os.urandom(3_000_000)):
            with server.connect() as client:
                self.assertEqual(exchange(client, data), data)
        self.assertEqual(server.stop(), 0)

    @on_backends()
    def test_echo_answers_before_the_end(self, backend):
        server = self.server(f"{LOOPBACK}:0", backend=backend)
        with server.connect() as client:
            for line in (b"one\n", b"two\n", "셋\n".encode()):
                client.sendall(line)
                self.assertEqual(client.recv(100), line)

    @on_backends()
    def test_greet_sends_its_text_to_whoever_connects(self, backend):
        server = self.server("greet", "Hello World!", f"{LOOPBACK}:0", backend=backend)
        for data in (b"", b"me too", os.urandom(20_000)):
            with server.connect() as client:
                self.assertEqual(exchange(client, data), b"Hello World!")

    def test_greet_keeps_the_bytes_of_its_text(self):
        text = b"\xff\x80 \xec\x95\x88 \\n\n"
        server = self.server("greet", os.fsdecode(text), f"{LOOPBACK}:0")
        with server.connect() as client:
            self.assertEqual(read_all(client), text)

    @on_backends()
    def test_discard_takes_everything_and_says_nothing(self, backend):
        server = self.server("discard", f"{LOOPBACK}:0", backend=backend)
        with server.connect() as client:
            self.assertEqual(exchange(client, os.urandom(1_000_000)), b"")
        server.wait_for(r"received 1000000, sent 0, \d+\.\d+ s: finished")

    @on_backends()
    def test_many_are_served_at_the_same_time(self, backend):
        """Two clients are three sockets on the port: one that listens and one more for each client."""
        server = self.server(f"{LOOPBACK}:0", backend=backend)
        with server.connect() as first, server.connect() as second:
            for client, word in ((second, b"two"), (first, b"one"), (second, b"again")):
                client.sendall(word)
                self.assertEqual(client.recv(100), word)
            sockets = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
            local = f"0100007F:{server.port:04X}"                          # others may have the port on other addresses
            states = sorted(line.split()[3] for line in sockets if line.split()[1] == local)
            states = [state for state in states if state != "06"]          # TIME_WAIT: of somebody who had the port before
            self.assertEqual(states, ["01", "01", "0A"])                   # ESTABLISHED twice, LISTEN

    @on_backends()
    def test_who_resets_harms_nobody(self, backend):
        server = self.server(f"{LOOPBACK}:0", backend=backend)
        with server.connect() as other:
            with server.connect() as rude:
                rude.sendall(b"x")
                rude.recv(1)
                rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            server.wait_for("the peer has gone")
            other.sendall(b"still here")
            self.assertEqual(other.recv(100), b"still here")


class Addresses(support.Case):
    def test_no_address_is_loopback_port_9000(self):
        probe = socket.socket()
        self.addCleanup(probe.close)
        if probe.connect_ex((LOOPBACK, 9000)) == 0:
            self.skipTest("somebody has port 9000")
        try:
            server = self.server()
        except AssertionError as failure:
            if "in use" in str(failure):
                self.skipTest("somebody has port 9000")
            raise
        self.assertEqual({address.rsplit(":", 1)[1] for address in server.addresses}, {"9000"})
        self.assertLessEqual(set(server.addresses), {"127.0.0.1:9000", "[::1]:9000"})

    def test_both_families_get_the_same_free_port(self):
        server = self.server("0")
        for family, host in ((socket.AF_INET, LOOPBACK), (socket.AF_INET6, "::1")):
            if family == socket.AF_INET6 and not any("[::1]" in address for address in server.addresses):
                continue
            with socket.socket(family) as client:
                client.settimeout(support.DEADLINE)
                client.connect((host, server.port))
                self.assertEqual(exchange(client, b"hi"), b"hi")

    def test_several_addresses_are_served_by_one_process(self):
        path = f"{self.folder()}/echo.sock"
        name = f"@meari-test-{os.getpid()}"
        server = self.server(f"{LOOPBACK}:0", "127.0.0.2:0", f"unix:{path}", f"unix:{name}", f"udp:{LOOPBACK}:0")
        self.assertEqual(len(server.addresses), 5)
        for host, address in ((LOOPBACK, server.addresses[0]), ("127.0.0.2", server.addresses[1])):
            with socket.create_connection((host, int(address.rsplit(":", 1)[1])), timeout=support.DEADLINE) as client:
                self.assertEqual(exchange(client, b"tcp"), b"tcp")
        for where in (path, "\0" + name[1:]):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(support.DEADLINE)
                client.connect(where)
                self.assertEqual(exchange(client, b"unix"), b"unix")
        self.assertEqual(server.stop(), 0)
        self.assertFalse(os.path.exists(path), "the path is removed at the end")

    def test_a_path_that_nobody_serves_any_more_is_taken_over(self):
        path = f"{self.folder()}/echo.sock"
        first = self.server(f"unix:{path}")
        first.kill()
        self.assertTrue(os.path.exists(path))
        second = self.server(f"unix:{path}")
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(support.DEADLINE)
            client.connect(path)
            self.assertEqual(exchange(client, b"again"), b"again")
        self.assertEqual(second.stop(), 0)

    def test_a_listening_socket_can_be_inherited(self):
        with socket.create_server((LOOPBACK, 0)) as listener:
            port = listener.getsockname()[1]
            server = self.server(f"fd:{listener.fileno()}", pass_fds=[listener.fileno()])
        self.assertEqual(server.addresses, [f"{LOOPBACK}:{port}"])
        with server.connect() as client:
            self.assertEqual(exchange(client, b"hi"), b"hi")

    def test_a_descriptor_that_is_no_socket_is_refused(self):
        for descriptor in ("fd:0", "fd:77"):
            run = meari("serve", descriptor)
            self.assertIn(run.returncode, (1, 2), run.stderr)
            self.assertIn(descriptor.encode(), run.stderr)

    def test_an_address_in_use_names_its_owner(self):
        server = self.server(f"{LOOPBACK}:0")
        run = meari("serve", f"{LOOPBACK}:{server.port}")
        self.assertEqual(run.returncode, 1)
        text = run.stderr.decode()
        self.assertIn(f"bind {LOOPBACK}:{server.port}: address already in use", text)
        self.assertIn(f"process {server.process.pid} (meari) has it", text)
        korean = meari("serve", f"{LOOPBACK}:{server.port}", lang="ko_KR.UTF-8").stderr.decode()
        self.assertIn("이미 사용 중인 주소입니다", korean)
        self.assertIn(f"지금 쓰는 프로세스: {server.process.pid} (meari)", korean)

    def test_an_owner_of_a_datagram_port_is_named(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((LOOPBACK, 0))
            run = meari("serve", f"udp:{LOOPBACK}:{other.getsockname()[1]}")
        self.assertEqual(run.returncode, 1)
        self.assertIn(f"process {os.getpid()} (", run.stderr.decode())

    def test_all_addresses_get_one_warning(self):
        server = self.server(":0")
        server.wait_for("warning: .* is open to every network")
        with server.connect() as client:
            self.assertEqual(exchange(client, b"hi"), b"hi")
        server.stop()
        self.assertEqual(sum("warning" in line for line in server.lines), 1)

    def test_an_address_that_is_not_ours_is_refused(self):
        run = meari("serve", "192.0.2.1:0")
        self.assertEqual(run.returncode, 1)
        self.assertIn(b"address not available", run.stderr)
        self.assertIn(b"The address is not one of this machine's", run.stderr)


class Datagrams(support.Case):
    def client(self, port=0, host=LOOPBACK):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(client.close)
        client.settimeout(support.DEADLINE)
        client.bind((host, port))
        return client

    @on_backends()
    def test_echo_answers_each_datagram_with_itself(self, backend):
        server = self.server(f"udp:{LOOPBACK}:0", backend=backend)
        client = self.client()
        for data in (b"", b"x", bytes(range(256)), os.urandom(1400), os.urandom(60_000)):
            client.sendto(data, server.address)
            self.assertEqual(client.recvfrom(65536), (data, server.address))
        self.assertEqual(server.stop(), 0)
        self.assertIn("datagrams received 5, answered 5, left alone 0", server.lines[-1])

    def test_services_and_other_echoes_are_left_alone(self):
        """Nothing tells that no answer comes; but datagrams are served in order, so the next one's answer does."""
        server = self.server(f"udp:{LOOPBACK}:0")
        alone = 0
        asker = self.client()
        for port in (7, 19, 53, 1900, 11211, server.port):
            try:
                service = self.client(port, "127.0.0.3")
            except OSError:
                continue                                                   # no privilege, or taken
            service.sendto(b"bounce", server.address)
            alone += 1
            asker.sendto(b"ask", server.address)
            self.assertEqual(asker.recv(100), b"ask")
            service.setblocking(False)
            self.assertRaises(BlockingIOError, service.recv, 100)
        self.assertGreater(alone, 1)
        server.wait_for("not answered")
        server.stop()
        self.assertIn(f"left alone {alone}", server.lines[-1])
        self.assertEqual(sum("not answered" in line for line in server.lines), 1, "one line is enough")

    def test_discard_takes_datagrams_and_answers_none(self):
        server = self.server("discard", f"udp:{LOOPBACK}:0")
        client = self.client()
        for _ in range(3):
            client.sendto(b"hello", server.address)
        self.assertEqual(server.stop(), 0)
        self.assertIn("answered 0", server.lines[-1])


class Output(support.Case):
    @on_backends()
    def test_a_session_has_two_lines(self, backend):
        server = self.server(f"{LOOPBACK}:0", backend=backend)
        with server.connect() as client:
            name = f"{LOOPBACK}:{client.getsockname()[1]}"
            self.assertEqual(exchange(client, b"hello"), b"hello")
        server.wait_for(rf"^#1 {name} connected$")
        server.wait_for(rf"^#1 {name} received 5, sent 5, \d+\.\d\d\d s: finished$")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.lines[-1], "stopped: sessions 1, received 5, sent 5")

    def test_in_korean(self):
        server = self.server(f"{LOOPBACK}:0", lang="ko_KR.UTF-8")
        self.assertEqual(server.lines[0], f"echo: {LOOPBACK}:{server.port}에서 기다립니다")
        with server.connect() as client:
            name = f"{LOOPBACK}:{client.getsockname()[1]}"
            self.assertEqual(exchange(client, b"hello"), b"hello")
        server.wait_for(rf"^#1 {name}에서 연결했습니다$")
        server.wait_for(rf"^#1 {name} 받음 5, 보냄 5, \d+\.\d\d\d초: 끝났습니다$")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.lines[-1], "멈췄습니다: 세션 1개, 받음 5, 보냄 5")

    def test_json_is_the_same_in_every_language(self):
        for language in ("C.UTF-8", "ko_KR.UTF-8"):
            server = Json(f"{LOOPBACK}:0", lang=language)
            self.addCleanup(server.kill)
            with socket.create_connection((LOOPBACK, server.port), timeout=support.DEADLINE) as client:
                peer = f"{LOOPBACK}:{client.getsockname()[1]}"
                self.assertEqual(exchange(client, b"hello"), b"hello")
            events = server.stop()
            self.assertEqual([event["event"] for event in events], ["listening", "session_start", "session_end", "stopped"])
            for event in events:
                self.assertRegex(event["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertEqual(events[0]["handler"], "echo")
            self.assertEqual(events[1] | {"time": 0}, {"time": 0, "event": "session_start", "session": 1, "peer": peer})
            end = {name: value for name, value in events[2].items() if name not in ("time", "seconds")}
            self.assertEqual(end, {"event": "session_end", "session": 1, "peer": peer, "received": 5, "sent": 5, "how": "finished"})
            self.assertIsInstance(events[2]["seconds"], float)

    def test_quiet_says_where_and_nothing_more(self):
        server = self.server("--quiet", f"{LOOPBACK}:0")
        with server.connect() as client:
            self.assertEqual(exchange(client, b"hello"), b"hello")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(len(server.lines), 1)

    def test_a_path_cannot_forge_a_line_or_control_the_terminal(self):
        path = f"{self.folder()}/\x1b[31m\nstopped: x"
        process = subprocess.Popen([support.MEARI, "serve", f"unix:{path}"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   env=support.environment())
        self.addCleanup(process.stderr.close)
        line = process.stderr.readline()
        process.terminate()
        rest = process.stderr.read()
        process.wait(support.DEADLINE)
        self.assertIn(rb"\x1b[31m\nstopped: x", line)
        self.assertNotRegex(line + rest, rb"[\x00-\x09\x0b-\x1f\x7f]")

    def test_nobody_waits_for_who_reads_the_lines(self):
        """Standard error is a pipe that is full and never read; sessions go on."""
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        with socket.create_server((LOOPBACK, 0)) as listener:
            port = listener.getsockname()[1]
            process = subprocess.Popen([support.MEARI, "serve", f"fd:{listener.fileno()}"], stdin=subprocess.DEVNULL, stderr=write,
                                       pass_fds=[listener.fileno()], env=support.environment())
        os.close(write)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for _ in range(1500):                                              # a pipe holds 64 KiB
            with socket.create_connection((LOOPBACK, port), timeout=support.DEADLINE) as client:
                client.sendall(b"hello")
                self.assertEqual(client.recv(5), b"hello")
        process.terminate()
        self.assertEqual(process.wait(support.DEADLINE), 0)

    def test_it_serves_without_standard_descriptors(self):
        with socket.create_server((LOOPBACK, 0)) as listener:
            port = listener.getsockname()[1]
            command = f'exec "{support.MEARI}" serve fd:{listener.fileno()} <&- >&- 2>&-'
            process = subprocess.Popen(["bash", "-c", command], pass_fds=[listener.fileno()], env=support.environment())
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for data in (b"one", os.urandom(100_000)):
            with socket.create_connection((LOOPBACK, port), timeout=support.DEADLINE) as client:
                self.assertEqual(exchange(client, data), data)
        process.terminate()
        self.assertEqual(process.wait(support.DEADLINE), 0)


class Json:
    """A server whose lines are objects."""

    def __init__(self, *args, lang):
        self.process = subprocess.Popen([support.MEARI, "serve", "--log", "json", *args], stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, env=support.environment(lang))
        self.first = json.loads(self.process.stderr.readline())
        self.port = int(self.first["addresses"][0].rsplit(":", 1)[1])

    def stop(self):
        self.process.send_signal(support.STOP)
        events = [self.first] + [json.loads(line) for line in self.process.stderr]
        self.process.wait(support.DEADLINE)
        return events

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()


class Limits(support.Case):
    @on_backends()
    def test_clients_beyond_max_sessions_wait_and_are_served(self, backend):
        server = self.server("--max-sessions", 2, f"{LOOPBACK}:0", backend=backend)
        first, second, third = server.connect(), server.connect(), server.connect()
        with third:
            with second:
                with first:
                    for client in (first, second):
                        client.sendall(b"in")
                        self.assertEqual(client.recv(100), b"in")
                    third.sendall(b"patience")
                    server.wait_for("paused: as many sessions as may be: 2")
                self.assertEqual(third.recv(100), b"patience")             # the first has left
        server.wait_for("resumed")

    @on_backends()
    def test_idle_sessions_end(self, backend):
        server = self.server("--idle", "200ms", f"{LOOPBACK}:0", backend=backend)
        with server.connect() as client:
            client.sendall(b"x")
            self.assertEqual(client.recv(1), b"x")
            try:
                self.assertEqual(client.recv(1), b"")
            except ConnectionResetError:
                pass
        server.wait_for(r"received 1, sent 1, \d+\.\d+ s: timed out")

    def test_once_serves_one_session_and_ends_with_its_status(self):
        server = self.server("--once", f"{LOOPBACK}:0")
        with server.connect() as client:
            self.assertEqual(exchange(client, b"only"), b"only")
        self.assertEqual(server.wait(), 0)
        self.assertEqual(server.lines[-1], "stopped: sessions 1, received 4, sent 4")
        server = self.server("--once", f"{LOOPBACK}:0")
        with server.connect() as client:
            client.sendall(b"x")
            client.recv(1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.assertEqual(server.wait(), 3)

    def test_once_turns_away_whoever_comes_second(self):
        server = self.server("--once", f"{LOOPBACK}:0")
        with server.connect() as first, server.connect() as second:
            first.sendall(b"x")
            self.assertEqual(first.recv(1), b"x")
            first.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(first), b"")
            try:
                self.assertEqual(second.recv(1), b"")
            except ConnectionResetError:
                pass
        self.assertEqual(server.wait(), 0)
        self.assertEqual(server.lines[-1], "stopped: sessions 1, received 1, sent 1")

    @support.needs("ss")
    def test_a_backlog_can_be_chosen(self):
        server = self.server("--backlog", 3, f"{LOOPBACK}:0")
        listening = subprocess.run(["ss", "-Hltn", f"sport = :{server.port}"], capture_output=True, timeout=support.DEADLINE)
        self.assertEqual(listening.stdout.split()[2], b"3")


class Stopping(support.Case):
    @on_backends()
    def test_idle_sessions_are_ended_at_once(self, backend):
        for number in (signal.SIGTERM, signal.SIGINT):
            server = self.server(f"{LOOPBACK}:0", backend=backend)
            with server.connect() as client:
                client.sendall(b"x")
                self.assertEqual(client.recv(1), b"x")
                server.signal(number)
                self.assertEqual(server.wait(), 0)
                self.assertEqual(client.recv(1), b"")
            server.wait_for("stopping: sessions open: 1; those that are busy have at most 30 s")
            server.wait_for("ended while idle, because the server stops")
            server.wait_for("while stopping: finished 0, idle and ended 1, cut off 0")

    @on_backends()
    def test_who_never_reads_is_cut_off_at_the_limit(self, backend):
        server = self.server("--drain", "300ms", f"{LOOPBACK}:0", backend=backend)
        with server.connect() as client:
            stuff(client)
            server.signal()
            self.assertEqual(server.wait(), 3)
        server.wait_for("cut off 1")

    def test_a_second_signal_ends_at_once(self):
        server = self.server("--drain", "1h", f"{LOOPBACK}:0")
        with server.connect() as client:
            stuff(client)
            server.signal()
            server.wait_for("stopping")
            server.signal()
            self.assertEqual(server.wait(), 130)

    def test_an_ignored_hang_up_stays_ignored(self):
        """As under nohup."""
        code = "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
        server = self.server(f"{LOOPBACK}:0", prefix=(sys.executable, "-c", code))
        server.signal(signal.SIGHUP)
        with server.connect() as client:
            self.assertEqual(exchange(client, b"still"), b"still")
        self.assertEqual(server.stop(), 0)

    def test_the_port_is_free_again_at_once(self):
        server = self.server(f"{LOOPBACK}:0")
        with server.connect() as client:
            client.sendall(b"x")
            client.recv(1)
            port = server.port
            server.stop()
            again = self.server(f"{LOOPBACK}:{port}")
            self.assertEqual(again.stop(), 0)


def stuff(client):
    """Sends to an echo without reading, until nothing more goes in."""
    client.setblocking(False)
    block = b"x" * (1 << 16)
    import select
    while select.select([], [client], [], 0.3)[1]:
        try:
            client.send(block)
        except BlockingIOError:
            pass
    client.setblocking(True)


if __name__ == "__main__":
    unittest.main()
