"""Shows that the flow chart, when it runs, is the one that the tutorials draw: connected before accepted, and a queue with a limit."""

import time
import unittest

from programs import run


class FlowChart(unittest.TestCase):
    def steps(self, *arguments):
        done = run("flow_chart", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [line[4:] for line in done.stdout.decode().splitlines()]

    def test_clients_are_connected_before_anybody_accepts_them(self):
        steps = self.steps()
        first_accept = next(i for i, step in enumerate(steps) if "accept()" in step)
        before = [step for step in steps[:first_accept] if "connect()" in step]
        self.assertEqual(len(before), 4)
        for waiting, step in enumerate(before[:3], 1):  # a backlog of two: Linux lets three wait
            self.assertRegex(step, r"client \d +connect\(\) +from 127\.0\.0\.1:\d+, .*] %d$" % waiting)
        self.assertIn("waits: the queue is full", before[3])

    def test_two_roads_lead_through_all_of_the_chart(self):
        steps = self.steps("127.0.0.1:0", "3")
        calls = [step.split()[1] for step in steps if step.startswith("server")]
        self.assertEqual(calls[:3], ["socket()", "bind()", "listen(3)"])
        self.assertEqual(calls[3:8], ["accept()"] * 5)
        self.assertEqual(calls[9:], ["recv()", "send()", "recv()", "close()"])
        calls = [step.split()[2] for step in steps if step.startswith("client 1")]
        self.assertEqual(calls, ["connect()", "send()", "recv()", "shutdown()", "recv()", "close()"])
        self.assertTrue(any("6 sockets on one port" in step for step in steps))

    def test_works_over_unix_domain_sockets_as_well(self):
        self.assertTrue(any("accept()" in step for step in self.steps(f"unix:@meari-flow-chart-{time.time_ns()}")))


if __name__ == "__main__":
    unittest.main()
