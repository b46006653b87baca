"""tools/build.sh: what a user meets who builds for the first time."""

import json
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPILER = shutil.which("clang++-19") or shutil.which("c++")


@unittest.skipUnless(COMPILER and shutil.which("cmake") and shutil.which("ninja"), "not installed: a compiler, cmake, ninja")
class FirstBuild(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.project = pathlib.Path(folder.name)
        (self.project / "tools").mkdir()
        shutil.copy(ROOT / "tools/build.sh", self.project / "tools/build.sh")
        self.compiler = self.project / "the-compiler"
        preset = {"name": "release", "generator": "Ninja", "binaryDir": "${sourceDir}/build/release",
                  "cacheVariables": {"CMAKE_CXX_COMPILER": "the-compiler"}}
        (self.project / "CMakePresets.json").write_text(json.dumps({"version": 3, "configurePresets": [preset]}))
        # An RPATH that an installation changes is what CMake refuses where it believes that there is no compiler.
        (self.project / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.22)\nproject(first CXX)\nadd_library(some SHARED main.cpp)\n"
            "add_executable(first main.cpp)\ntarget_link_libraries(first some)\n"
            "set_target_properties(first PROPERTIES INSTALL_RPATH /nowhere)\ninstall(TARGETS first)\n")
        (self.project / "main.cpp").write_text("int main() {}\n")

    def build(self):
        path = f"{self.project}:/usr/local/bin:/usr/bin:/bin"
        return subprocess.run([self.project / "tools/build.sh", "release"], capture_output=True, text=True, timeout=120,
                              env={"PATH": path, "HOME": str(self.project), "LC_ALL": "C.UTF-8"})

    def test_a_compiler_that_is_installed_after_a_failure_is_found(self):
        failed = self.build()
        self.assertEqual(failed.returncode, 1)
        self.assertIn("the-compiler", failed.stderr)
        self.assertIn("configuring release failed", failed.stderr)
        self.compiler.symlink_to(COMPILER)
        built = self.build()
        self.assertEqual((built.returncode, built.stderr), (0, ""))
        self.assertTrue((self.project / "build/release/first").exists())


if __name__ == "__main__":
    unittest.main()
