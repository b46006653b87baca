"""The catalogue of messages: what is wrong with one does not build, and all that the library says has its Korean."""

import contextlib
import errno
import os
import pathlib
import re
import shutil
import subprocess
import unittest

import support

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPILER = shutil.which("clang++-19")
LITERALS = r'((?:"(?:\\.|[^"\\])*"\s*)+)'


def text_of(literals):
    return "".join(re.findall(r'"((?:\\.|[^"\\])*)"', literals)).replace('\\"', '"')


class Catalogue(support.Case):
    def builds(self, line):
        program = f'#include "src/command/speech/language.hpp"\nusing namespace meari::command;\n{line}\nint main() {{}}\n'
        run = subprocess.run([COMPILER, "-std=c++23", "-fsyntax-only", "-I", ROOT, "-I", ROOT / "include", "-x", "c++", "-"],
                             input=program.encode(), capture_output=True, timeout=120)
        return run.returncode == 0

    @unittest.skipUnless(COMPILER, "not installed: clang++-19")
    def test_a_message_that_is_wrong_does_not_build(self):
        right = 'constexpr Message<std::string_view, int> m{"{} of {}", "{1}개 가운데 {0}"};'
        self.assertTrue(self.builds(right))
        for wrong in ('constexpr Text t{"hello"};',
                      'constexpr Text t{"hello", ""};',
                      'constexpr Text t{"hello", "hello"};',
                      'constexpr Text t{"안녕", "hello"};',
                      'constexpr Message<int> m{"one {}"};',
                      'constexpr Message<int> m{"one {}", "하나"};',
                      'constexpr Message<int, int> m{"{} {}", "하나 {0} {0}"};',
                      'constexpr Message<> m{"one", "하나 {}"};',
                      'constexpr Message<std::string_view> m{"{}", "하나 {:d}"};'):
            self.assertFalse(self.builds(wrong), wrong)


@unittest.skipIf(support.WINDOWS, "Windows speaks its own language")
class System(support.Case):
    """What the library has no word for."""

    def test_a_directory_that_is_read(self):
        server = self.server(f"{support.LOOPBACK}:0")
        for lang, words in (("C.UTF-8", "standard input: .*Is a directory"), ("ko_KR.UTF-8", "표준 입력: .*시스템 오류 21: 디렉터리입니다$")):
            folder = os.open("/", os.O_RDONLY)
            self.addCleanup(os.close, folder)
            run = support.meari("connect", f"{support.LOOPBACK}:{server.port}", stdin=folder, lang=lang)
            self.assertRegex(run.stderr.decode().splitlines()[0], words)

    def test_a_program_that_is_none(self):
        path = pathlib.Path(self.folder()) / "program"
        path.write_bytes(b"\x00neither a script nor a program")
        path.chmod(0o755)
        server = self.server("exec", f"{support.LOOPBACK}:0", "--", path, lang="ko_KR.UTF-8")
        with contextlib.suppress(ConnectionError), server.connect() as client:
            support.read_all(client)
        server.wait_for("시스템 오류 8: 실행할 수 있는 형식이 아닙니다")


class Library(support.Case):
    """Reads the library's sources for what they say, and the table for what it knows."""

    @classmethod
    def setUpClass(cls):
        table = (ROOT / "src/command/speech/library_text.cpp").read_text()
        operations = table[table.index("operations[] = {"):table.index("sentences[] = {")]
        sentences = table[table.index("sentences[] = {"):]
        cls.operations = {text_of(first) for first in re.findall(r"\{\s*" + LITERALS, operations)}
        cls.sentences = {text_of(first) for first in re.findall(r"\{\s*" + LITERALS, sentences)}
        cls.korean = {text_of(first): text_of(second)
                      for first, second in re.findall(r"\{\s*" + LITERALS + r",\s*" + LITERALS + r"\}", sentences)}
        rooms = ("os", "backend", "net", "loop", "server")
        cls.sources = {path: path.read_text() for room in rooms for path in sorted((ROOT / "src" / room).glob("*.[ch]pp"))
                       if "wire" not in path.name}
        cls.sources |= {path: path.read_text() for path in (ROOT / "include/meari").glob("*.hpp")}

    def test_every_error_and_advice_has_its_korean(self):
        text = (ROOT / "src/os/error.cpp").read_text()
        table = text[text.index("meanings[] = {"):text.index("meaning_of(")]
        said = [each for row in re.findall(r"\{Errc::\w+, " + LITERALS + r",\s*" + LITERALS + r"\}", table) for each in row]
        said += re.findall(r"return " + LITERALS + ";", text[text.index("Error::advice()"):])
        said = {text_of(each) for each in said} - {""}
        self.assertGreater(len(said), 50)
        self.assertEqual(said - self.sentences, set())

    def test_every_operation_has_its_korean(self):
        named = set()
        for path, text in self.sources.items():
            code = re.sub(r"//[^\n]*", "", text)
            for pattern in (r'\bduring\(\s*"([^"]+)"', r'Error\((?:Errc::\w+|code|to_errc\([^()]*\)),\s*"([^"]+)"',
                            r'system_error\((?:[^()"]|\([^()]*\))*,\s*"([^"]+)"', r'\bfail\(Errc::\w+,\s*"([^"]+)"'):
                named |= set(re.findall(pattern, code))
        self.assertGreater(len(named), 20)
        self.assertEqual(named - self.operations, set())

    def test_every_reason_has_its_korean(self):
        reasons = set()
        for path, text in self.sources.items():
            reasons |= {text_of(found) for found in re.findall(r"\.because\(\s*" + LITERALS + r"\)", text)}
            reasons |= {text_of(found) for found in re.findall(LITERALS + r"\s*MEARI_FORMS", text)}
        self.assertGreater(len(reasons), 15)
        self.assertEqual(reasons - self.sentences, set())

    def test_every_refused_backend_has_its_korean(self):
        said = {text_of(found) for text in self.sources.values() for found in re.findall(LITERALS, text)}
        said = {each for each in said if each.endswith("; using epoll") and not each.startswith(("; using", "io_uring is disabled", '"'))}
        self.assertEqual({each for each in said if each.startswith(("this ", "io_uring "))} - self.sentences, set())

    def test_every_error_of_the_system_has_its_korean(self):
        """By the library's own word (codes_posix.cpp), or by the system's: all that Linux has but what belongs to STREAMS,
        to XENIX, and to no call at all."""
        codes = set(re.findall(r"\{(E\w+), Errc::", (ROOT / "src/os/codes_posix.cpp").read_text()))
        self.assertGreater(len(codes), 40)
        texts = set(re.findall(r"\{(E\w+), \{\"", (ROOT / "src/command/speech/system_text_posix.cpp").read_text()))
        self.assertEqual(codes & texts, set(), "the library has a word for it")
        nowhere = {"EADV", "EBADR", "EBADRQC", "EBADSLT", "EBFONT", "ECHRNG", "EDOTDOT", "EISNAM", "EKEYREVOKED", "EL2HLT", "EL2NSYNC",
                   "EL3HLT", "EL3RST", "ELIBMAX", "ELIBSCN", "ELNRNG", "ENAVAIL", "ENOANO", "ENOCSI", "ENOSR", "ENOSTR", "ENOTNAM",
                   "EREMCHG", "EREMOTE", "ERFKILL", "ESRMNT", "EUNATCH", "EXFULL", "EQFULL"}
        names = {name for name in errno.errorcode.values()} - {"EDEADLOCK", "ENOTSUP"}
        self.assertEqual(names - codes - texts - nowhere, set())

    def test_korean_is_polite_and_whole(self):
        for english, korean in self.korean.items():
            if english[0].isupper() and english.endswith((".", "?")) and english not in self.operations:
                self.assertRegex(korean, r"(다|오|까)[.?]$|시오\.$", english)


if __name__ == "__main__":
    unittest.main()
