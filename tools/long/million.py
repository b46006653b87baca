#!/usr/bin/env python3
"""Holds a million idle connections between `meari serve` and `meari bench --hold`, measures what they cost and what they do to a
thousand busy ones, and shows that all is given back.

    million.sh [CONNECTIONS]

A process may have so many descriptors and no more (ulimit -Hn), so it takes as many servers as that makes, which share one
port with --reuse-port, and as many clients. A client and a port of the server make 64,000 connections at the most, so each
client connects to an address of its own, 127.0.0.2 and on. It runs in a network namespace that million.sh made, and sets its limits."""

import json
import pathlib
import re
import resource
import signal
import subprocess
import sys
import time

MEARI = pathlib.Path(__file__).resolve().parent.parent.parent / "build" / "release" / "meari"
PORT = 9000
BUSY = 1000  # connections that talk meanwhile
RATE = 5000  # messages a second of all of them
SECONDS = 10
SPARE = 0.2  # SO_REUSEPORT deals by a hash: 18,000 on average were 16,600 for one server and 19,900 for another
BYTES_EACH = 12 << 10  # of memory for one connection, both ends and all, by experience less than that
PATIENCE = 600  # seconds that anything may take
SETTINGS = {
    "net.ipv4.ip_local_port_range": "1024 65535",
    "net.core.somaxconn": "65535",
    "net.ipv4.tcp_max_syn_backlog": "65535",
    "net.ipv4.tcp_max_tw_buckets": "16384",  # clients close first: the rest need not wait for a minute
}


def say(text):
    print(text, flush=True)


def die(text, status=1):
    print(f"million: {text}", file=sys.stderr)
    sys.exit(status)


def setting(name):
    return pathlib.Path("/proc/sys", *name.split("."))


def memory_available():
    return int(re.search(r"MemAvailable:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text()).group(1)) << 10


def sockets():
    """TCP sockets of this namespace that are in use: both ends."""
    return int(re.search(r"^TCP: inuse (\d+)", pathlib.Path("/proc/net/sockstat").read_text(), re.MULTILINE).group(1))


def waiting():
    """Connections that nobody has accepted yet."""
    lines = subprocess.run(["ss", "-Hltn"], check=True, capture_output=True, text=True).stdout.splitlines()
    return sum(int(line.split()[1]) for line in lines)


def pss(processes):
    total = 0
    for process in processes:
        text = pathlib.Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        total += int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE).group(1)) << 10
    return total


def wait_until(happened, what, processes):
    begin = time.monotonic()
    deadline, tell = begin + PATIENCE, begin + 10
    while not happened():
        if time.monotonic() > tell:
            tell += 10
            say(f"  after {time.monotonic() - begin:.0f} s: {sockets() // 2:,} are open, {waiting():,} of them not accepted yet")
        for process in processes:
            if process.poll() is not None:
                die(f"{' '.join(map(str, process.args))} has ended, status {process.returncode}, before {what}")
        if time.monotonic() > deadline:
            die(f"{what}: not within {PATIENCE} s; {sockets()} sockets, {waiting()} not accepted")
        time.sleep(0.1)


def bench(*flags):
    result = subprocess.run([MEARI, "bench", "--json", "--connections", str(BUSY), "--rate", str(RATE), "--warmup", "2s",
                             "--duration", f"{SECONDS}s", *flags, f"127.0.0.1:{PORT}"], capture_output=True, text=True)
    if result.returncode != 0:
        die(f"the busy connections: {result.stderr.strip()} {result.stdout.strip()[:300]}")
    return json.loads(result.stdout)


class Million:
    def __init__(self, connections):
        self.connections = connections
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        each = int(descriptors * (1 - SPARE))
        self.parts = -(-connections // each)
        self.servers = []
        self.clients = []

    def share(self, part):
        return self.connections * (part + 1) // self.parts - self.connections * part // self.parts

    def start_servers(self):
        for _ in range(self.parts):
            self.servers.append(subprocess.Popen(
                [MEARI, "serve", "--quiet", "--reuse-port", "--backlog", "65535", "--idle", "1h", "--drain", "60s", f"0.0.0.0:{PORT}"],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        for server in self.servers:
            if "listening" not in server.stdout.readline():
                die("a server does not listen")

    def open(self):
        begin = time.monotonic()
        for part in range(self.parts):
            where = f"127.0.{(part + 2) // 250}.{(part + 2) % 250 + 1}:{PORT}"
            self.clients.append(subprocess.Popen(
                [MEARI, "bench", "--json", "--hold", str(self.share(part)), "--warmup", "0s", "--duration", "1h", "--timeout", "5m",
                 where], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        all_of_them = 2 * self.connections + self.parts
        wait_until(lambda: sockets() >= all_of_them and waiting() == 0, "all connections are open", self.servers + self.clients)
        return time.monotonic() - begin

    def close(self):
        """Each connection carries one message and its answer, and is closed. Four clients at a time: they are not to be late."""
        begin = time.monotonic()
        answered = 0
        for first in range(0, self.parts, 4):
            group = self.clients[first:first + 4]
            for client in group:
                client.send_signal(signal.SIGINT)
            for client in group:
                out, error = client.communicate(timeout=PATIENCE)
                if client.returncode not in (0, 130) or not out:
                    die(f"a client ended with status {client.returncode}: {error.strip()[:300]}")
                report = json.loads(out)
                if report["wrong"] or report["unanswered"] or report["failures"]:
                    die(f"a client: {report['wrong']} wrong, {report['unanswered']} unanswered, failures {report['failures']}")
                answered += report["round_trips"]
        if answered != self.connections:
            die(f"{answered} connections of {self.connections} answered at the end")
        return time.monotonic() - begin

    def stop_servers(self):
        for server in self.servers:
            server.send_signal(signal.SIGTERM)
        for server in self.servers:
            text = server.communicate(timeout=PATIENCE)[0]
            if server.returncode != 0:
                die(f"a server ended with status {server.returncode}: {text.strip()[-300:]}")

    def kill(self):
        for number in (signal.SIGTERM, signal.SIGINT):  # whoever is in a hurry says it twice
            signal.signal(number, signal.SIG_IGN)
        for process in self.servers + self.clients:
            if process.poll() is None:
                process.kill()
        for process in self.servers + self.clients:
            process.wait()

    def run(self):
        say(f"{self.connections:,} connections: {self.parts} servers on one port, {self.parts} clients")
        before = memory_available()
        self.start_servers()
        empty = pss(self.servers)
        alone = bench()
        say(f"alone:     {BUSY:,} connections, {RATE:,} messages a second: p50 {shown(alone, 'p50')}, p99 {shown(alone, 'p99')}")
        held_before = memory_available()
        opened = self.open()
        say(f"opened in {opened:.1f} s, {self.connections / opened:,.0f} a second")
        users = (pss(self.servers) - empty) / self.connections
        everything = (held_before - memory_available()) / self.connections
        say(f"memory:    {users:,.0f} bytes of a server for each; {everything:,.0f} with the kernel's and the clients', both ends")
        crowd = bench()
        ratio = crowd["response"]["p99_ns"] / alone["response"]["p99_ns"]
        say(f"in crowd:  {BUSY:,} connections, {RATE:,} messages a second: p50 {shown(crowd, 'p50')}, p99 {shown(crowd, 'p99')}, "
            f"{ratio:.2f} of what it was alone")
        closed = self.close()
        say(f"each answered once more and was closed, in {closed:.1f} s")
        self.stop_servers()
        taken = everything * self.connections
        deadline = time.monotonic() + 60  # the kernel gives memory back when it has time
        while (missing := before - memory_available()) > taken / 10 and time.monotonic() < deadline:
            time.sleep(0.5)
        left = sockets()
        say(f"left:      {left} sockets, {max(missing, 0) >> 20:,} MiB of {int(taken) >> 20:,} (others use memory, too)")
        if left != 0:
            die(f"{left} sockets are left")
        if opened > 90 * self.connections / 1_000_000:
            die("it took more than 90 s for a million")
        if ratio > 2:
            die("a thousand busy connections have more than twice the latency among the idle ones")


def shown(report, name):
    nanoseconds = report["response"][name + "_ns"]
    return f"{nanoseconds / 1e6:.2f} ms"


def main():
    connections = int(sys.argv[1])
    if memory_available() < connections * BYTES_EACH:
        die(f"{connections:,} connections, both ends, want {connections * BYTES_EACH / 2**30:.0f} GiB of memory; "
            f"{memory_available() / 2**30:.0f} are free")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for name, value in SETTINGS.items():
        if setting(name).exists():
            setting(name).write_text(value)
    million = Million(connections)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        million.run()
    finally:
        million.kill()


main()
