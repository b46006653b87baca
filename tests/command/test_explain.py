"""--explain and --events: what the sockets do, step by step, for people and for programs."""

import json
import os
import re
import socket
import struct
import unittest

import support
from support import LOOPBACK, meari, on_backends
from test_terminal import Terminal

LISTENS = r"listening on|기다립니다|\"event\":\"listening\",\"handler\""
NAMES = {"opened", "bound", "listening", "connecting", "connected", "accepted", "received", "sent", "peer_finished", "finished",
         "closed", "failed", "paused", "resumed", "refused", "drained", "waiting"}
FIELDS = {"time": str, "event": str, "socket": int, "listener": int, "fd": int, "local": str, "peer": str, "for": str,
          "connections": int, "bytes": int, "payload": str, "cut": bool, "received": int, "sent": int, "peer_finished": bool,
          "finished": bool, "tcp": str, "queue": int, "queue_limit": int, "error": str, "note": str}


def steps(lines):
    """(call, rest) of each line of a chart."""
    return [match.groups() for match in (re.match(r"(?:[①-⑳㉑-㉟㊱-㊿]|\d+) (\S+(?: \S+\(\))?)\s+(.*)", line) for line in lines) if match]


def events(lines, named=None):
    found = [json.loads(line) for line in lines]
    found = [event for event in found if event["event"] in NAMES and "handler" not in event]
    return [event for event in found if named in (None, event["event"])]


class Chart(support.Case):
    @on_backends()
    def test_a_server_shows_the_flow_chart(self, backend):
        server = self.server("--explain", "127.0.0.1:0", backend=backend, first=LISTENS)
        with server.connect() as one, server.connect() as two:
            server.wait_for(r"accept\(\)", count=2)
            one.sendall(b"hello\n\x1b[31m")
            self.assertEqual(one.recv(100), b"hello\n\x1b[31m")
            one.shutdown(socket.SHUT_WR)
            self.assertEqual(one.recv(100), b"")
        server.wait_for(r"close\(\)", count=2)
        self.assertEqual(server.stop(), 0)
        chart = steps(server.lines)
        calls = [call for call, _ in chart]
        self.assertEqual(calls[:3], ["socket()", "bind()", "listen()"])
        self.assertEqual(calls.count("accept()"), 2)
        accepted = [rest for call, rest in chart if call == "accept()"]
        self.assertIn("sockets on this port: 2)", accepted[0])
        self.assertIn("sockets on this port: 3)", accepted[1])  # the listening one and one for each client
        text = "\n".join(server.lines)
        self.assertIn("queue 0/", text)
        self.assertIn(r'11 bytes "hello\n\x1b[31m"', text)
        self.assertIn("(CLOSE_WAIT)", text)
        self.assertIn("LAST_ACK", text)
        self.assertNotIn("\x1b", text)  # in a pipe there is no colour
        self.assertEqual(calls[-1], "close()")
        self.assertRegex(server.lines[-1], "^stopped: sessions 2")

    def test_both_ends_of_a_conversation_in_korean(self):
        server = self.server("--explain", "127.0.0.1:0", lang="ko_KR.UTF-8", first=LISTENS)
        run = meari("connect", "--explain", f"127.0.0.1:{server.port}", stdin="안녕\n".encode(), lang="ko_KR.UTF-8")
        self.assertEqual((run.returncode, run.stdout.decode()), (0, "안녕\n"))
        chart = steps(run.stderr.decode().splitlines())
        calls = [call for call, _ in chart]
        self.assertEqual(calls[:4] + calls[-1:], ["socket()", "connect()", "connect()", "send()", "close()"])
        # The reply and the end of the input come in either order.
        self.assertEqual(sorted(calls[4:-1]), ["recv()", "recv()", "shutdown()"])
        for call, words in (("socket()", "소켓을 만들었습니다"), ("connect()", "SYN_SENT"), ("connect()", "ESTABLISHED"), ("send()", "7바이트"),
                            ("shutdown()", r"\((FIN|TIME)_WAIT"), ("recv()", "안녕"), ("recv()", "상대도 보내기를 마쳤습니다"),
                            ("close()", "TIME_WAIT")):
            self.assertTrue([rest for said, rest in chart if said == call and re.search(words, rest)], f"{call} {words}: {chart}")
        server.wait_for(r"close\(\)")
        server.stop()
        for word in ("대기열 0/", "이 포트의 소켓 2개", "상대가 보내기를 마쳤습니다"):
            self.assertIn(word, "\n".join(server.lines))

    def test_a_refused_connect_says_what_to_do(self):
        with socket.socket() as nobody:
            nobody.bind((LOOPBACK, 0))
            run = meari("connect", "--explain", f"127.0.0.1:{nobody.getsockname()[1]}")
        self.assertEqual(run.returncode, 1)
        self.assertRegex(run.stderr.decode(), r"③ connect\(\) .*connection refused.*is the server running")

    @on_backends()
    def test_a_reset_is_explained(self, backend):
        server = self.server("--explain", "127.0.0.1:0", backend=backend, first=LISTENS)
        with server.connect() as client:
            server.wait_for(r"accept\(\)")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.wait_for(r"recv\(\) .*broke off \(RST\)")
        server.stop()

    @on_backends()
    def test_the_queue_can_be_watched_while_nobody_accepts(self, backend):
        server = self.server("--explain", "--accept-delay", "1h", "--backlog", "2", "127.0.0.1:0", backend=backend, first=LISTENS)
        with server.connect(), server.connect():
            server.wait_for(r"… accept\(\) .*queue 2/2 .*nobody has accepted: 2")
            self.assertEqual(server.stop(), 0)  # draining accepts who is in the queue, without the delay
        self.assertEqual([call for call, _ in steps(server.lines)].count("accept()"), 2)

    def test_bytes_that_wait_for_a_peer_are_shown(self):
        server = self.server("--explain", "127.0.0.1:0", first=LISTENS)
        with server.connect() as client:
            client.settimeout(0.2)
            with self.assertRaises(socket.timeout):
                client.sendall(bytes(64 << 20))  # and never reads
            server.wait_for(r"… send\(\) .*the peer does not read")

    def test_colour_is_for_terminals_that_want_it(self):
        for environment, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)):
            words = ["env", "TERM=xterm", *(f"{name}={value}" for name, value in environment.items()), support.MEARI, "connect", "--explain",
                     "--check", "127.0.0.1:1"]
            terminal = Terminal(*words)
            while terminal.read(support.DEADLINE):
                pass
            terminal.process.wait(support.DEADLINE)
            os.close(terminal.ours)
            self.assertEqual(b"\x1b[1msocket()" in terminal.seen, coloured, environment)

    def test_it_excludes_quiet_and_events(self):
        for verb, flags in (("serve", ["--explain", "-q"]), ("connect", ["--explain", "--events", "json", "9000"]),
                            ("serve", ["--events", "json", "--quiet"])):
            self.assertEqual(meari(verb, *flags).returncode, 2)


class Events(support.Case):
    @on_backends()
    def test_every_line_is_json_and_has_the_schema(self, backend):
        server = self.server("--events", "json", "127.0.0.1:0", backend=backend, lang="ko_KR.UTF-8", first=LISTENS)
        with server.connect() as client:
            client.sendall(b"\x00\xff" * 100)
            while len(client.recv(200, socket.MSG_PEEK)) < 200:
                pass
        server.wait_for('"event":"closed"')
        self.assertEqual(server.stop(), 0)
        for line in server.lines:
            json.loads(line)
        seen = events(server.lines)
        self.assertEqual([event["event"] for event in seen[:3]], ["opened", "bound", "listening"])
        for event in seen:
            for name, value in event.items():
                self.assertIs(type(value), FIELDS[name], event)
            self.assertRegex(event["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        accepted = events(server.lines, "accepted")[0]
        self.assertEqual(accepted["listener"], seen[2]["socket"])
        self.assertEqual(accepted["tcp"], "ESTABLISHED")
        self.assertEqual(sum(event["bytes"] for event in events(server.lines, "received")), 200)
        self.assertTrue(events(server.lines, "received")[0]["payload"].startswith(r"\x00\xff"))
        self.assertEqual([event["event"] for event in seen[-2:]], ["closed", "drained"])

    def test_the_client_tells_its_side(self):
        with self.peer(lambda connection: connection.sendall(support.read_all(connection))) as peer:
            run = meari("connect", "--events=json", f"127.0.0.1:{peer.port}", stdin=b"hi")
        self.assertEqual(run.returncode, 0)
        seen = events(run.stderr.decode().splitlines())
        self.assertEqual([event["event"] for event in seen],
                         ["opened", "connecting", "connected", "sent", "finished", "received", "peer_finished", "closed"])
        closed = seen[-1]
        self.assertEqual((closed["received"], closed["sent"], closed["peer_finished"], closed["finished"]), (2, 2, True, True))
        self.assertEqual(closed["tcp"], "TIME_WAIT")

    def test_the_schema_is_documented(self):
        for page in ("events.md", "events.ko.md"):
            text = (support.pathlib.Path(__file__).resolve().parents[2] / "docs" / page).read_text()
            for name in (*NAMES, *FIELDS):
                self.assertIn(f"`{name}`", text, page)


if __name__ == "__main__":
    unittest.main()
