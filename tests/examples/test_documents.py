"""Shows that the programs in the README, in each of its languages, are programs: they compile as they stand there."""

import pathlib
import re
import shutil
import subprocess
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
COMPILER = shutil.which("clang++-19")


def programs(name):
    """Those with a main; what a first program includes and opens is taken to be there in the second as well."""
    blocks = re.findall(r"^```cpp\n(.*?)^```", (ROOT / name).read_text(), re.MULTILINE | re.DOTALL)
    return [block for block in blocks if "int main()" in block]


@unittest.skipUnless(COMPILER, "clang++-19 is not installed")
class Readme(unittest.TestCase):
    def check(self, name):
        found = programs(name)
        self.assertEqual(len(found), 2, "a server and a client")
        for program in found:
            first_lines = "" if "#include" in program else "#include <meari/meari.hpp>\n#include <iostream>\nusing namespace meari;\n"
            done = subprocess.run([COMPILER, "-std=c++23", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/include", "-xc++", "-"],
                                  input=first_lines + program, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, f"{name}:\n{program}\n{done.stderr}")

    def test_programs_compile(self):
        self.check("README.md")

    def test_programs_compile_in_korean_as_well(self):
        self.check("README.ko.md")


if __name__ == "__main__":
    unittest.main()
