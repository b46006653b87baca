"""Shows that each lint of ./check reports what it is for, and is silent where nothing is wrong."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = HERE.parent.parent / "tools"


def lint(tool, *arguments):
    done = subprocess.run([sys.executable, "-B", TOOLS / tool, *arguments], capture_output=True, text=True)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


class Tree(unittest.TestCase):
    """Each test has a small repository of its own."""

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class Coroutines(unittest.TestCase):
    def test_exactly_the_bad_lines_are_reported(self):
        sample = HERE / "bad_shapes.cpp"
        expected = [number for number, line in enumerate(sample.read_text().splitlines(), 1) if line.rstrip().endswith("// bad")]
        status, output = lint("check_coroutines.py", sample)
        reported = sorted({int(line.rsplit("bad_shapes.cpp:", 1)[1].split(":")[0]) for line in output.splitlines()})
        self.assertEqual(reported, expected, output)
        self.assertEqual(status, 1)


class LayersTest(Tree):
    def setUp(self):
        super().setUp()
        self.write("tools/layers.txt", (TOOLS / "layers.txt").read_text())

    def report(self):
        return lint("check_layers.py", self.root)

    def test_down_and_sideways_is_allowed(self):
        self.write("include/meari/stream.hpp", "#include <meari/error.hpp>\n#include <meari/listener.hpp>\n#include <vector>\n")
        self.write("src/backend/epoll.cpp", "#include <sys/epoll.h>\n#include \"src/os/handle.hpp\"\n")
        self.assertEqual(self.report(), (0, ""))

    def test_going_up_is_refused(self):
        self.write("include/meari/stream.hpp", "#include <meari/server.hpp>\n")
        self.write("src/loop/loop.hpp", "")
        self.write("src/backend/pool.cpp", "\n#include \"../loop/loop.hpp\"\n")
        status, output = self.report()
        self.assertEqual(status, 1)
        self.assertIn("include/meari/stream.hpp:1: goes up from floor 5 to include/meari/server.hpp on floor 7", output)
        self.assertIn("src/backend/pool.cpp:2: goes up from floor 3 to src/loop/loop.hpp on floor 4", output)

    def test_rooms_apart_do_not_know_each_other(self):
        for room in ("serve", "connect", "flags"):
            self.write(f"src/command/{room}/one.hpp", "")
            self.write(f"src/command/{room}/two.cpp", "#include \"one.hpp\"\n")
        self.write("src/command/main.cpp", "#include \"src/command/serve/one.hpp\"\n")
        self.write("src/command/serve/three.cpp", "#include \"src/command/flags/one.hpp\"\n")
        self.assertEqual(self.report(), (0, ""))
        self.write("src/command/serve/three.cpp", "#include \"src/command/connect/one.hpp\"\n")
        self.write("src/command/flags/three.cpp", "#include \"src/command/serve/one.hpp\"\n")
        status, output = self.report()
        self.assertEqual(status, 1)
        self.assertIn("src/command/serve/three.cpp:1: src/command/connect/one.hpp is in a room that must not be known", output)
        self.assertIn("src/command/flags/three.cpp:1: goes up from floor 9.3 to src/command/serve/one.hpp on floor 9.4", output)

    def test_platform_headers_stay_in_their_rooms(self):
        self.write("src/net/stream.cpp", "#include <sys/socket.h>\n")
        self.write("include/meari/tls.hpp", "#include <openssl/ssl.h>\n")
        self.write("examples/echo.cpp", "#include <unistd.h>\n#include \"src/os/handle.hpp\"\n")
        self.write("src/tls/session.cpp", "#include <openssl/ssl.h>\n")
        status, output = self.report()
        self.assertEqual(status, 1)
        self.assertEqual(len(output.splitlines()), 4, output)

    def test_every_public_header_and_room_has_a_floor(self):
        self.write("include/meari/surprise.hpp", "")
        self.write("src/attic/box.cpp", "")
        self.assertEqual(len(self.report()[1].splitlines()), 2)

    def test_long_files_are_refused(self):
        self.write("src/os/error.cpp", "\n" * 600)
        self.assertEqual(self.report()[0], 0)
        self.write("src/os/error.cpp", "\n" * 601)
        self.assertIn("src/os/error.cpp: 601 lines", self.report()[1])


class Docs(Tree):
    def test_links_and_names_that_lead_somewhere_pass(self):
        self.write("src/os/error.cpp", "")
        self.write("docs/other.md", "# Two words\n")
        self.write("README.md", "# A\n[a](docs/other.md#two-words) [b](https://example.org/x) [c](#a) `src/os/error.cpp:12` `src/os/`\n"
                                "`src/*/error.cpp` `tests/NAME.cpp` `src/<room>/x.cpp`\n```\n[no](link) `src/none.cpp`\n```\n")
        self.assertEqual(lint("check_docs.py", self.root), (0, ""))

    def test_links_and_names_that_lead_nowhere_are_reported(self):
        self.write("docs/other.md", "# Two words\n")
        self.write("README.md", "[a](docs/none.md)\n[b](docs/other.md#three)\n`src/none.cpp`\n[c]: docs/never.md\n![d](d.png)\n")
        status, output = lint("check_docs.py", self.root)
        self.assertEqual(status, 1)
        self.assertEqual(sorted(int(line.split(":")[1]) for line in output.splitlines()), [1, 2, 3, 4, 5], output)


@unittest.skipUnless(shutil.which("clang-format-19"), "clang-format-19 is not installed")
class Format(Tree):
    def test_a_badly_formatted_file_is_refused(self):
        for name, text, status in (("good.cpp", "int a = 1;\n", 0), ("bad.cpp", "int  a=1;\n", 1)):
            self.write(name, text)
            done = subprocess.run([TOOLS / "check_format.sh", self.root / name], capture_output=True, text=True)
            self.assertEqual(done.returncode, status, done.stderr)


if __name__ == "__main__":
    unittest.main()
