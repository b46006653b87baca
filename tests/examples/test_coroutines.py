"""Shows that the examples with coroutines do what their blocking twins do, and more at once: with nc, ncat and sockets of
Python's own at the other end."""

import signal
import socket
import subprocess
import threading
import unittest

from programs import EVERY_BYTE, EXAMPLES, NC, NCAT, Fake, Server, closed_port, receive_all, reset, run


def serve(name, address="127.0.0.1:0", prefix=()):
    return Server(name, address, prefix, says="stderr")


class EchoServer(unittest.TestCase):
    def test_sends_every_byte_back_unchanged(self):
        with serve("echo_server") as server, server.connect() as peer:
            data = EVERY_BYTE * 16384
            sender = threading.Thread(target=lambda: (peer.sendall(data), peer.shutdown(socket.SHUT_WR)))
            sender.start()
            self.assertEqual(receive_all(peer), data)
            sender.join()

    def test_serves_many_at_the_same_time(self):
        with serve("echo_server") as server:
            peers = [server.connect() for _ in range(100)]
            for number, peer in enumerate(peers):
                peer.sendall(b"%d" % number)
            for number, peer in reversed(list(enumerate(peers))):
                self.assertEqual(peer.recv(100), b"%d" % number)
                peer.close()

    def test_a_client_that_never_reads_holds_nobody_up(self):
        with serve("echo_server") as server, server.connect() as deaf, server.connect() as other:
            deaf.setblocking(False)
            try:
                while deaf.send(b"x" * 65536):
                    pass
            except BlockingIOError:
                pass
            other.sendall(b"hello")
            self.assertEqual(other.recv(100), b"hello")

    def test_a_client_that_resets_takes_nobody_with_it(self):
        with serve("echo_server") as server:
            for _ in range(20):
                peer = server.connect()
                peer.sendall(b"x" * 1000)
                reset(peer)
            with server.connect() as peer:
                peer.sendall(b"still there?")
                self.assertEqual(peer.recv(100), b"still there?")

    def test_all_addresses_of_this_machine(self):
        with serve("echo_server", ":0") as server:
            with socket.create_connection(("127.0.0.1", server.port), timeout=20) as peer:
                peer.sendall(b"hi")
                self.assertEqual(peer.recv(10), b"hi")

    def test_a_port_in_use_is_said(self):
        with serve("echo_server") as server:
            second = run("echo_server", server.address)
            self.assertEqual(second.returncode, 1)
            self.assertIn("address already in use", second.stderr.decode())

    def test_a_signal_ends_it_when_busy_clients_have_finished(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with serve("echo_server") as server, server.connect() as idle:
                idle.sendall(b"x")
                self.assertEqual(idle.recv(10), b"x")
                server.process.send_signal(number)
                self.assertEqual(server.process.wait(timeout=20), 0)
                self.assertEqual(idle.recv(10), b"")

    @unittest.skipUnless(NC, "nc is not installed")
    def test_echoes_to_nc_byte_for_byte(self):
        with serve("echo_server") as server:
            data = EVERY_BYTE * 4096
            nc = subprocess.run([NC, "-N", "127.0.0.1", str(server.port)], input=data, capture_output=True, timeout=60)
            self.assertEqual(nc.stdout, data)

    @unittest.skipUnless(NCAT, "ncat is not installed")
    def test_echoes_to_ncat_byte_for_byte(self):
        with serve("echo_server") as server:
            data = EVERY_BYTE * 4096
            ncat = subprocess.run([NCAT, "127.0.0.1", str(server.port)], input=data, capture_output=True, timeout=60)
            self.assertEqual(ncat.stdout, data)


class EchoClient(unittest.TestCase):
    def test_prints_for_each_line_what_was_sent_and_what_came_back(self):
        with serve("echo_server") as server:
            client = run("echo_client", server.address, text="메아리\x1b[2J\nno end".encode())
        self.assertEqual(client.returncode, 0, client.stderr)
        said = client.stdout.decode().splitlines()
        self.assertRegex(said[0], rf"connected to {server.address} from 127\.0\.0\.1:\d+")
        self.assertEqual(said[1:], ["> sent 14 bytes", 'received 14 bytes: "메아리\\x1b[2J\\n"', "> sent 6 bytes",
                                    'received 6 bytes: "no end"', "> ", "end of input"])

    def test_a_long_line_comes_back_whole(self):
        with serve("echo_server") as server:
            client = run("echo_client", server.address, text=b"x" * 5000)
        self.assertEqual(client.returncode, 0, client.stderr)
        self.assertEqual(client.stdout.count(b"x"), 5000)

    def test_takes_a_reply_in_pieces(self):
        def dribble(peer):
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := peer.recv(512):
                for byte in data:
                    peer.sendall(bytes([byte]))

        with Fake(dribble) as server:
            client = run("echo_client", server.address, text=b"piecemeal\n")
        self.assertIn('received 10 bytes: "piecemeal\\n"', client.stdout.decode())

    def test_a_server_that_leaves_is_said_and_is_a_failure(self):
        for leave in (lambda peer: peer.recv(3), lambda peer: (peer.recv(3), reset(peer)), lambda peer: None):
            with Fake(leave) as server:
                client = run("echo_client", server.address, text=b"hello\n" * 3)
            self.assertEqual(client.returncode, 1, client.stdout)
            self.assertRegex(client.stderr.decode(), "reset|ended|end|pipe|gone")

    def test_nobody_there_is_said(self):
        holder, address = closed_port()
        with holder:
            client = run("echo_client", address)
        self.assertEqual(client.returncode, 1)
        self.assertIn(f"connect to {address}: connection refused", client.stderr.decode())

    def test_ctrl_c_ends_it_while_nobody_types(self):
        with serve("echo_server") as server:
            client = subprocess.Popen([EXAMPLES / "echo_client", server.address], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            with client:
                client.stdout.readline()
                client.send_signal(signal.SIGINT)
                self.assertEqual(client.wait(timeout=20), 130)

    def test_finds_localhost(self):
        with serve("echo_server", "0") as server:
            client = run("echo_client", f"localhost:{server.port}", text=b"hi\n")
            self.assertEqual(client.returncode, 0, client.stderr)


class Hello(unittest.TestCase):
    def test_greets_with_exactly_twelve_bytes_and_hangs_up(self):
        with serve("hello_server") as server:
            for _ in range(5):
                with server.connect() as peer:
                    self.assertEqual(receive_all(peer), b"Hello World!")

    def test_a_client_that_speaks_first_still_gets_all_of_it(self):
        with serve("hello_server") as server, server.connect() as peer:
            peer.sendall(b"x" * 10000)
            self.assertEqual(receive_all(peer), b"Hello World!")

    def test_the_client_prints_the_greeting_and_its_size(self):
        with serve("hello_server") as server:
            client = run("hello_client", server.address)
            self.assertEqual((client.returncode, client.stdout), (0, b"Hello World! (12 bytes)\n"), client.stderr)

    def test_the_two_kinds_of_programs_understand_each_other(self):
        with serve("hello_server") as server:
            self.assertEqual(run("blocking_hello_client", server.address).stdout, b"Hello World! (12 bytes)\n")
        with Server("blocking_hello_server") as server:
            self.assertEqual(run("hello_client", server.address).stdout, b"Hello World! (12 bytes)\n")

    def test_the_client_takes_a_greeting_in_pieces(self):
        def say(peer):
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in "안녕\x1b세계!".encode() * 100:
                peer.sendall(bytes([byte]))

        with Fake(say) as server:
            client = run("hello_client", server.address)
        self.assertEqual(client.stdout.decode(), "안녕\\x1b세계!" * 100 + " (1400 bytes)\n")

    def test_the_client_says_that_nobody_is_there(self):
        holder, address = closed_port()
        with holder:
            client = run("hello_client", address)
        self.assertEqual((client.returncode, client.stdout), (1, b""))
        self.assertIn(f"connect to {address}: connection refused", client.stderr.decode())


class Guest:
    """A member of the chat room."""

    def __init__(self, server, name):
        self.socket = server.connect()
        self.socket.recv(100)  # the question
        self.socket.sendall(name.encode() + b"\n")
        self.lines = self.socket.makefile("r", encoding="utf-8", newline="\n")

    def say(self, text):
        self.socket.sendall(text.encode())

    def line(self):
        return self.lines.readline().rstrip("\n")

    def leave(self):
        self.lines.close()
        self.socket.close()


class Chat(unittest.TestCase):
    def test_three_members_hear_each_other_come_talk_and_leave(self):
        with serve("chat_server") as server:
            anna = Guest(server, "Anna")
            bora = Guest(server, "보라")
            self.assertEqual(anna.line(), "* 보라 came in")
            chen = Guest(server, "Chen\r")
            for member in (anna, bora):
                self.assertEqual(member.line(), "* Chen came in")
            anna.say("안녕?\n")
            for member in (bora, chen):
                self.assertEqual(member.line(), "Anna: 안녕?")
            bora.say("two li")
            bora.say("nes\r\nat once\n")
            for member in (anna, chen):
                self.assertEqual(member.line(), "보라: two lines")
                self.assertEqual(member.line(), "보라: at once")
            chen.say("last words without an end of line")
            chen.leave()
            for member in (anna, bora):
                self.assertEqual(member.line(), "Chen: last words without an end of line")
                self.assertEqual(member.line(), "* Chen left")
            reset(bora.socket)
            bora.lines.close()
            self.assertEqual(anna.line(), "* 보라 left")
            anna.leave()

    def test_nobody_commands_the_terminals_of_others(self):
        with serve("chat_server") as server:
            anna = Guest(server, "Anna")
            other = Guest(server, "\x1b[2J")
            self.assertEqual(anna.line(), "* \\x1b[2J came in")
            other.say("\x07\"\\\n")
            self.assertEqual(anna.line(), "\\x1b[2J: \\x07\"\\\\")
            anna.leave()
            other.leave()

    def test_who_never_reads_is_cut_off_and_the_room_goes_on(self):
        with serve("chat_server") as server:
            deaf = Guest(server, "deaf")
            deaf.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            anna = Guest(server, "Anna")
            bora = Guest(server, "Bora")
            self.assertEqual(anna.line(), "* Bora came in")
            said, line = 0, "x" * 1000
            while True:  # every line is heard by Bora at once, until the deaf one has been told to go
                anna.say(line + "\n")
                said += 1
                heard = bora.line()
                if heard != "Anna: " + line:
                    break
            self.assertEqual(heard, "* deaf left")
            self.assertEqual(bora.line(), "Anna: " + line)
            self.assertEqual(anna.line(), "* deaf left")
            self.assertGreater(said, 256)
            for member in (deaf, anna, bora):
                member.leave()

    def test_a_line_without_an_end_ends_its_member_only(self):
        with serve("chat_server") as server:
            anna = Guest(server, "Anna")
            endless = Guest(server, "endless")
            self.assertEqual(anna.line(), "* endless came in")
            endless.say("x" * 5000)
            self.assertEqual(anna.line(), "* endless left")
            with self.assertRaises(ConnectionResetError):      # its session has failed: that must not look like an ordinary end
                endless.line()
            anna.leave()
            endless.leave()

    @unittest.skipUnless(NC and NCAT, "nc or ncat is not installed")
    def test_nc_and_ncat_can_be_members(self):
        with serve("chat_server") as server:
            anna = Guest(server, "Anna")
            for program in ([NC, "-N", "127.0.0.1", str(server.port)], [NCAT, "127.0.0.1", str(server.port)]):
                subprocess.run(program, input=b"guest\nhello\n", capture_output=True, timeout=20, check=False)
                self.assertEqual([anna.line() for _ in range(3)], ["* guest came in", "guest: hello", "* guest left"])
            anna.leave()

    def test_a_signal_ends_the_room(self):
        with serve("chat_server") as server:
            anna = Guest(server, "Anna")
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(server.process.wait(timeout=20), 0)
            self.assertEqual(anna.line(), "")
            anna.leave()


if __name__ == "__main__":
    unittest.main()
