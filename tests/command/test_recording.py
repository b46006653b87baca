"""`meari serve --hexdump` and `--record DIR`: every byte of every session, for people and for files, whatever the handler."""

import contextlib
import json
import os
import pathlib
import re
import resource
import socket
import stat
import subprocess
import threading
import unittest

import support
from support import DEADLINE, LOOPBACK, MEARI, environment, exchange, meari, on_backends, read_all

NAME = r"\d{8}T\d{6}\.\d{6}Z-(\d{6})-(.*)\.(received|sent)"
ROW = r"{} ([←→]) ([0-9a-f]{{8}})  ((?:[0-9a-f]{{2}} ?){{1,16}})(?:  |$)"


def dumped(lines, name, way):
    """The bytes of one direction of one conversation; their offsets are checked."""
    data = b""
    for line in lines:
        row = re.match(ROW.format(re.escape(name)), line)
        if row and row[1] == way:
            assert int(row[2], 16) == len(data), line
            data += bytes.fromhex(row[3])
    return data


def recorded(folder, number):
    """What was received and sent in that session."""
    both = {}
    for path in pathlib.Path(folder).iterdir():
        found = re.fullmatch(NAME, path.name)
        assert found, path.name
        if int(found[1]) == number:
            both[found[3]] = path.read_bytes()
    return both["received"], both["sent"]


class Both(support.Case):
    """One session with each handler: what the client has said and heard is what stands in the dump and in the files."""

    @on_backends()
    def test_every_handler(self, backend):
        target = self.server("greet", "of the target", f"{LOOPBACK}:0")
        said = "안녕 echo\n".encode() * 3
        for words, program, input_is, hears in (
                (["echo"], [], None, said), (["greet", "hi"], [], None, b"hi"), (["discard"], [], None, b""), (["daytime"], [], None, None),
                (["time"], [], None, None), (["stdio"], [], b"input", b"input"), (["broadcast"], [], b"news", b"news"),
                (["forward", f"{LOOPBACK}:{target.port}"], [], None, b"of the target"),
                (["exec"], support.shell("cat; printf end"), None, said + b"end"), (["chat"], [], None, None)):
            with self.subTest(handler=words[0]):
                folder = os.path.join(self.folder(), "new")
                more = {}
                if input_is is not None:
                    reading, writing = os.pipe()
                    os.write(writing, input_is)
                    more["stdin"] = reading
                server = self.server("--hexdump", "--record", folder, *words, f"{LOOPBACK}:0", *program, backend=backend, **more)
                if input_is is not None:
                    os.close(reading)
                with server.connect() as client:
                    if input_is is None:
                        heard = exchange(client, said)
                    else:                                                  # whose end may be that of the server
                        client.sendall(said)
                        client.shutdown(socket.SHUT_WR)
                        server.wait_for("#1 ← .*end")
                        os.close(writing)
                        heard = read_all(client)
                if hears is not None:
                    self.assertEqual(heard, hears)
                server.wait_for(r"#1 .*received")
                server.stop()
                self.assertEqual(recorded(folder, 1), (said, heard))
                self.assertEqual(dumped(server.lines, "#1", "←"), said)
                self.assertEqual(dumped(server.lines, "#1", "→"), heard)

    @on_backends()
    def test_a_handler_without_an_end(self, backend):
        folder = self.folder()
        server = self.server("--record", folder, "chargen", f"{LOOPBACK}:0", backend=backend)
        with server.connect() as client:
            heard = client.recv(1000, socket.MSG_WAITALL)
        server.wait_for(r"#1 .*received")
        received, sent = recorded(folder, 1)
        self.assertEqual((received, sent[:1000]), (b"", heard))

    @on_backends()
    def test_several_sessions_addresses_and_workers(self, backend):
        folder = self.folder()
        path = os.path.join(folder, "socket")
        files = os.path.join(folder, "files")
        server = self.server("--hexdump", "--record", files, "--workers", 3, f"{LOOPBACK}:0", f"unix:{path}", backend=backend)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(server.connect()) for _ in range(8)]
            local = stack.enter_context(socket.socket(socket.AF_UNIX))
            local.settimeout(DEADLINE)
            local.connect(path)
            clients.append(local)
            for turn in range(20):
                for number, client in enumerate(clients):
                    client.sendall(b"client %d, turn %d" % (number, turn))
                for number, client in enumerate(clients):
                    text = b"client %d, turn %d" % (number, turn)
                    self.assertEqual(client.recv(len(text), socket.MSG_WAITALL), text)
        server.wait_for(r"#\d+ .*received", count=9)
        self.assertEqual(server.stop(), 0)
        said = set()
        for number in range(1, 10):
            received, sent = recorded(files, number)
            self.assertEqual(received, sent)
            self.assertEqual(dumped(server.lines, f"#{number}", "←"), received)
            self.assertEqual(dumped(server.lines, f"#{number}", "→"), sent)
            self.assertEqual(len(re.findall(rb"turn \d+", received)), 20)
            said.add(received[:8])
            mine = [line for line in server.lines if line.startswith(f"#{number} ")]
            self.assertRegex(mine[0], "connected$")                        # the first line of a session is its first
            self.assertRegex(mine[-1], "finished$")
        self.assertEqual(said, {b"client %d" % number for number in range(9)})


class HexDump(support.Case):
    def test_both_ends_and_a_title_with_the_time_for_each_piece(self):
        server = self.server("--hexdump", f"{LOOPBACK}:0")
        with server.connect() as client:
            self.assertEqual(exchange(client, b"one"), b"one")
        server.wait_for(r"^#1 ← \d+\.\d{6} s, bytes: 3$")
        server.wait_for(r"^#1 ← 00000000  6f 6e 65 +one$")
        server.wait_for(r"^#1 → \d+\.\d{6} s, bytes: 3$")
        server.wait_for(r"^#1 ← \d+\.\d{6} s, end \(FIN\)$")
        server.wait_for(r"^#1 → \d+\.\d{6} s, end \(FIN\)$")

    def test_in_korean(self):
        server = self.server("--hexdump", f"{LOOPBACK}:0", lang="ko_KR.UTF-8")
        with server.connect() as client:
            exchange(client, b"one")
        server.wait_for(r"^#1 → \d+\.\d{6}초, 3바이트$")
        server.wait_for(r"^#1 ← \d+\.\d{6}초, 끝 \(FIN\)$")

    @on_backends()
    def test_datagrams(self, backend):
        server = self.server("--hexdump", f"udp:{LOOPBACK}:0", backend=backend)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(DEADLINE)
            client.bind((LOOPBACK, 0))
            name = f"udp:{LOOPBACK}:{client.getsockname()[1]}"
            for text in (b"first", b"second"):
                client.sendto(text, server.address)
                self.assertEqual(client.recv(100), text)
                for way in "←→":
                    server.wait_for(f"^{re.escape(name)} {way} 00000000  {text.hex(' ')} .*{text.decode()}$")

    def test_without_the_other_lines(self):
        server = self.server("--hexdump", "--quiet", f"{LOOPBACK}:0")
        with server.connect() as client:
            exchange(client, b"one")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(dumped(server.lines, "#1", "←"), b"one")
        self.assertNotIn("connected", "\n".join(server.lines))

    def test_who_does_not_read_the_lines_makes_the_peer_wait_and_misses_nothing(self):
        size = 12 << 20
        ready, tell = os.pipe()
        errors, far = os.pipe()
        self.addCleanup(os.close, errors)
        server = subprocess.Popen([MEARI, "serve", "--hexdump", "--once", "--ready-fd", str(tell), "discard", f"{LOOPBACK}:0"],
                                  stdin=subprocess.DEVNULL, stderr=far, pass_fds=(tell,), env=environment())
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        os.close(tell)
        os.close(far)
        with open(ready) as lines:
            port = int(lines.readline().rsplit(":", 1)[1])
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
            client.connect((LOOPBACK, port))
            client.settimeout(1)                                           # so long without a byte that is taken
            sent = 0
            with contextlib.suppress(TimeoutError):
                while sent < size:
                    sent += client.send(b"x" * (1 << 16))
            self.assertLess(sent, size)
            client.settimeout(DEADLINE)
            client.shutdown(socket.SHUT_WR)
            with open(errors, "rb", closefd=False) as dump:
                pieces = [int(found[1]) for line in dump if (found := re.search(rb"bytes: (\d+)$", line.rstrip()))]
        self.assertEqual(sum(pieces), sent)
        self.assertEqual(server.wait(DEADLINE), 0)

    def test_what_does_not_fit_is_refused(self):
        for words, says in ((["--log", "json"], "--log json"), (["--events", "json"], "--events json"), (["--raw", "stdio"], "--raw")):
            run = meari("serve", "--hexdump", *words, 0)
            self.assertEqual(run.returncode, 2)
            self.assertIn(says, run.stderr.decode())
        self.assertIn("--record", meari("serve", "--hexdump", "--log", "json", 0).stderr.decode())


class Record(support.Case):
    def test_names_and_modes(self):
        folder = os.path.join(self.folder(), "new")
        server = self.server("--record", folder, "--log", "json", f"{LOOPBACK}:0", "[::1]:0")
        ports = []
        for address in json.loads(server.lines[0])["addresses"]:
            host, port = address.rsplit(":", 1)
            with socket.create_connection((host.strip("[]"), int(port)), timeout=DEADLINE) as client:
                ports.append(client.getsockname()[1])
                exchange(client, b"x")
        server.stop()
        self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode), 0o700)
        told = [json.loads(line) for line in server.lines if '"recording"' in line]
        self.assertEqual([line["session"] for line in told], [1, 2])
        self.assertEqual(sorted(path for line in told for path in line["files"]),
                         sorted(str(path) for path in pathlib.Path(folder).iterdir()))
        peers = []
        for path in sorted(pathlib.Path(folder).iterdir()):
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
            peers.append(re.fullmatch(NAME, path.name)[2])
        self.assertEqual(peers, [f"{LOOPBACK}.{ports[0]}"] * 2 + [f"__1.{ports[1]}"] * 2)

    def test_a_file_can_be_sent_again(self):
        folder = self.folder()
        server = self.server("--record", folder, "discard", f"{LOOPBACK}:0")
        data = bytes(range(256)) * 300
        with server.connect() as client:
            exchange(client, data)
        server.wait_for("#1 .*received")
        path, = pathlib.Path(folder).glob("*.received")
        with path.open("rb") as file:
            self.assertEqual(meari("connect", f"{LOOPBACK}:{server.port}", stdin=file).returncode, 0)
        server.wait_for("#2 .*received")
        self.assertEqual(recorded(folder, 2)[0], data)

    def test_a_folder_that_cannot_be_is_refused_at_once(self):
        folder = pathlib.Path(self.folder())
        (folder / "file").write_text("")
        for path, status, says in ((folder / "file", 2, "it is not a directory"), (folder / "none" / "new", 1, "Make the directory of this path first")):
            run = meari("serve", "--record", path, 0)
            self.assertEqual(run.returncode, status)
            self.assertIn(says, run.stderr.decode())
            self.assertIn(str(path), run.stderr.decode())
        run = meari("--lang", "ko", "serve", "--record", folder / "file", 0)
        self.assertRegex(run.stderr.decode(), "이 디렉터리에 파일을 만들 수 없습니다: 디렉터리가 아닙니다")
        self.assertEqual(meari("serve", "--record", "", 0).returncode, 2)
        self.assertIn("no --record", meari("serve", "--record", folder, f"udp:{LOOPBACK}:0").stderr.decode())

    @on_backends()
    def test_a_full_disk_ends_the_record_and_not_the_session(self, backend):
        folder = self.folder()
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10000, 10000))
        server = self.server("--record", folder, f"{LOOPBACK}:0", backend=backend, preexec_fn=limit)
        data = b"0123456789" * 5000
        with server.connect() as client:
            self.assertEqual(exchange(client, data), data)
        server.wait_for(r"#1 is recorded no further: write a file \S+: .*File too large")
        server.wait_for(rf"#1 .*received {len(data)}, sent {len(data)}, .*finished")
        self.assertEqual(sum("no further" in line for line in server.lines), 1)
        self.assertEqual(server.stop(), 3)
        received, sent = recorded(folder, 1)
        self.assertEqual((received, sent), (data[:len(received)], data[:len(sent)]))

    def test_a_folder_that_goes_away_is_told_for_each_session(self):
        folder = os.path.join(self.folder(), "new")
        server = self.server("--record", folder, "--log", "json", f"{LOOPBACK}:0")
        os.rmdir(folder)
        with server.connect() as client:
            self.assertEqual(exchange(client, b"x"), b"x")
        line = json.loads(server.wait_for('recorded_no_further').string)
        self.assertEqual(line["session"], 1)
        self.assertIn(folder, line["error"])
        self.assertEqual(server.stop(), 3)

    def test_a_session_that_is_cut_off_is_recorded_so_far(self):
        folder = self.folder()
        server = self.server("--record", folder, "--drain", "0", "exec", f"{LOOPBACK}:0", *support.shell("cat; sleep 100"))
        with server.connect() as client:
            client.sendall(b"so far")
            self.assertEqual(client.recv(6, socket.MSG_WAITALL), b"so far")
            self.assertEqual(server.stop(), 3)
        self.assertEqual(recorded(folder, 1), (b"so far", b"so far"))


if __name__ == "__main__":
    unittest.main()
