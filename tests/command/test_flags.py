"""What can be typed: verbs, handlers, flags, languages, exit statuses 0 and 2, and the help that explains them."""

import re
import unicodedata
import unittest

import support
from support import meari

VERBS = ("serve", "connect", "bench", "help")
LANGUAGES = ("en", "ko")


def columns(line):
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line)


class Help(support.Case):
    def test_alone_it_prints_short_help(self):
        run = meari()
        self.assertEqual((run.returncode, run.stderr), (0, b""))
        for verb in VERBS:
            self.assertIn(verb, run.stdout.decode())
        self.assertEqual(run.stdout, meari("--help").stdout)
        self.assertEqual(run.stdout, meari("-h").stdout)
        self.assertEqual(run.stdout, meari("help").stdout)

    def test_help_fits_80_columns_in_both_languages(self):
        for language in LANGUAGES:
            for words in [["--help"]] + [[verb, "--help"] for verb in VERBS] + [["help", verb] for verb in VERBS]:
                run = meari("--lang", language, *words)
                self.assertEqual(run.returncode, 0, run.stderr)
                for line in run.stdout.decode().splitlines():
                    self.assertLess(columns(line), 80, f"{language} {words}: {line}")
                    self.assertEqual(line, line.rstrip())

    def test_every_flag_and_handler_is_explained_in_both_languages(self):
        for verb in ("serve", "connect", "bench"):
            english, korean = (meari("--lang", language, "help", verb).stdout.decode() for language in LANGUAGES)
            flags = re.findall(r"^  (?:-\w, |    )--([\w-]+)", english, re.MULTILINE)
            self.assertGreater(len(flags), 6)
            self.assertEqual(flags, re.findall(r"^  (?:-\w, |    )--([\w-]+)", korean, re.MULTILINE))
            for flag in flags:
                for text in (english, korean):
                    page = re.search(rf"^  (?:-\w, |    )--{flag}\b.*\n((?:        .+\n)+)", text, re.MULTILINE)
                    self.assertGreater(len(page.group(1).splitlines()), 1, f"--{flag} needs a line of help and more")
                self.assertRegex(re.search(rf"^  (?:-\w, |    )--{flag}\b.*\n((?:        .+\n)+)", korean, re.MULTILINE).group(1), "[가-힣]")

    def test_flags_say_what_they_do_not_go_with(self):
        for language, needs, excludes in (("en", "Only with: --message, --check.", "Not with: --check, --raw."), ("ko", "함께 씁니다: --message, --check.", "함께 쓸 수 없는 옵션: --check, --raw.")):
            text = re.sub(r"\s+", " ", meari("--lang", language, "help", "connect").stdout.decode())
            self.assertIn(needs, text)
            self.assertIn(excludes, text)

    def test_short_help_names_the_same_flags_as_long_help(self):
        for verb in VERBS:
            short, long = (meari(*words).stdout.decode() for words in ([verb, "-h"], ["help", verb]))
            names = re.compile(r"^  (?:-\w, |    )--([\w-]+)", re.MULTILINE)
            self.assertEqual(names.findall(short), names.findall(long))

    def test_examples_of_the_help_are_accepted(self):
        text = "".join(meari("help", verb).stdout.decode() for verb in ("serve", "connect", "bench"))
        examples = re.findall(r"^  meari (.+)$", text, re.MULTILINE)
        self.assertGreater(len(examples), 6)
        for example in examples:
            words = re.sub(r'"[^"]*"', "text", re.sub(r"[<>]\S+", "", example)).split()
            run = meari(words[0], "--backend", "none", *words[1:])      # stops at this, after all others were read
            self.assertIn(b"--backend none", run.stderr)

    def test_version_names_compiler_and_backend(self):
        run = meari("--version")
        self.assertEqual(run.returncode, 0)
        self.assertRegex(run.stdout.decode(), r"\Ameari \d+\.\d+\.\d+\ncompiler  (clang|g\+\+) .+\nbackend   (uring|uring-floor|epoll|iocp)\n")
        self.assertEqual(meari("serve", "--version").stdout, run.stdout)


class Mistakes(support.Case):
    def refused(self, *words, **more):
        run = meari(*words, **more)
        self.assertEqual(run.returncode, 2, run.stderr)
        self.assertEqual(run.stdout, b"")
        text = run.stderr.decode()
        self.assertTrue(text.startswith("meari: "), text)
        return text

    def test_the_word_that_was_meant_is_suggested(self):
        for words, meant in ((["servee"], "serve"), (["conect", "9000"], "connect"), (["serve", "ehco"], "echo"),
                             (["serve", "grete", "hi"], "greet"), (["serve", "disc"], "discard"), (["serve", "--drian", "5s"], "--drain"),
                             (["connect", "--expect-ecko", "9000"], "--expect-echo"), (["serve", "--max-session=3"], "--max-sessions"),
                             (["help", "srve"], "serve")):
            self.assertIn(f"did you mean {meant}?", self.refused(*words))

    def test_habits_of_other_tools_are_understood(self):
        for words, meant in ((["connect", "localhost"], "localhost:9000"), (["connect", "localhost", "80"], "localhost:80"),
                             (["serve", "127.0.0.1", "80"], "127.0.0.1:80"), (["serve", "localhost", "80"], "localhost:80"),
                             (["connect", "::1", "80"], "[::1]:80"), (["connect", "::1:80"], "[::1]:80"),
                             (["connect", "http://example.org/x"], "example.org:80"), (["connect", "https://example.org:8443/"], "example.org:8443"),
                             (["localhost:80"], "meari connect localhost:80"), ([":80"], "meari serve :80"), (["discard"], "meari serve discard"),
                             (["listen", "80"], "serve"), (["client", "80"], "connect"), (["-l", "80"], "meari serve 9000"),
                             (["udp:localhost:80"], "meari connect udp:localhost:80"),
                             (["connect", "-u", "localhost", "80"], "meari connect udp:localhost:9000"), (["serve", "-u", "80"], "meari serve udp:9000"),
                             (["connect", "-z", "localhost:80"], "--check"), (["connect", "-w", "3", "localhost:80"], "--timeout"),
                             (["connect", "-N", "80"], "--on-eof half-close"), (["serve", "-k", "80"], "meari serve 9000"),
                             (["serve", "-e", "/bin/cat", "80"], "meari serve exec 9000 -- /bin/cat"), (["serve", "--chat", "80"], "meari serve chat"),
                             (["serve", "-m", "3"], "--max-sessions"), (["connect", "-C", "80"], "--crlf"),
                             (["serve", "--port", "80"], "meari serve 9000"), (["connect", "-p", "80"], "meari connect localhost:9000")):
            self.assertIn(f"did you mean {meant}?", self.refused(*words), words)
        self.assertIn("the verbs are: serve, connect, bench, help", self.refused("help", "foo"))
        self.assertEqual(meari("help", "greet").stdout, meari("help", "serve").stdout)

    def test_nothing_is_suggested_when_nothing_is_near(self):
        for words in (["zzz"], ["serve", "qotd", "9000"], ["serve", "--zzz"], ["serve", "-z"], ["connect", "a b"], ["serve", "foo", "bar"],
                      ["connect", "http://"]):
            self.assertNotIn("did you mean", self.refused(*words))

    def test_unknown_handlers_name_those_that_exist(self):
        self.assertIn("echo, greet, discard, chargen", self.refused("serve", "qotd"))

    def test_flags_of_other_verbs_say_whose_they_are(self):
        self.assertIn("--drain is a flag of serve", self.refused("connect", "--drain", "5s", "9000"))
        self.assertIn("-m is a flag of connect", self.refused("serve", "-m", "x"))

    def test_values_are_checked(self):
        for words in (["serve", "--drain"], ["serve", "--drain", "5"], ["serve", "--drain", "-5s"], ["serve", "--drain", "5 s"],
                      ["serve", "--drain", "nan"], ["serve", "--drain", "1e9h"], ["serve", "--idle", "x"], ["serve", "--backlog", "0"],
                      ["serve", "--backlog", "4k"], ["serve", "--max-sessions", "-1"], ["serve", "--max-sessions", "0"],
                      ["serve", "--log", "xml"], ["serve", "--log", ""], ["serve", "--log", "text|json"], ["serve", "--backend", "kqueue"],
                      ["serve", "--once=no"], ["serve", "--once=3"], ["connect", "--on-eof", "wait", "9000"],
                      ["connect", "--on-eof", "wait:5", "9000"], ["connect", "--on-eof=", "9000"], ["connect", "--source", "here", "9000"],
                      ["--lang", "fr"], ["serve", "--idle", "1s", "--idle", "2s"], ["connect", "--check", "-m", "x", "9000"],
                      ["connect", "--check", "--expect-echo", "9000"]):
            self.refused(*words)

    def test_operands_are_checked(self):
        for words in (["connect"], ["connect", "a:1", "b:2"], ["connect", "--check", "udp:9000"], ["connect", "udp::9000"], ["connect", ":9000"], ["connect", "0.0.0.0:9000"],
                      ["connect", "localhost"], ["connect", "9000x"], ["serve", "greet"], ["serve", "greet", "hi", "udp:9000"],
                      ["serve", "localhost:"], ["serve", "::1:9000"], ["serve", "99999"], ["serve", "--once", "udp:0"],
                      ["serve", "unix:"], ["serve", "echo", "echo"]):
            self.refused(*words)

    def test_a_refused_address_says_how_to_write_one(self):
        self.assertIn("       write 9000, :9000, localhost:9000, 127.0.0.1:9000, [::1]:9000", self.refused("serve", "127.0.0.1:70000"))
        text = self.refused("serve", "::1:9000")                             # who is told what was meant need not read all forms
        self.assertIn("did you mean [::1]:9000?", text)
        self.assertNotIn("unix:", text)

    def test_a_descriptor_that_nobody_opened_is_refused_before_anything_is_opened(self):
        for words in (["--ready-fd", "77", "0"], ["fd:77"]):
            run = meari("serve", *words)
            self.assertEqual(run.returncode, 1)
            self.assertIn("fd:77: already closed, or never opened\n       Whoever starts this program has to open", run.stderr.decode())
            self.assertNotIn("listening", run.stderr.decode())

    def test_what_was_typed_cannot_control_the_terminal(self):
        for words in (["\x1b[31m"], ["serve", "a\x1b]0;x\x07"], ["serve", "--\x1b[2J"], ["connect", "x\ny:9000"], ["serve", "--idle", "\x9b1"]):
            text = self.refused(*words)
            self.assertNotRegex(text, r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")

    def test_the_verb_can_be_an_operand(self):
        self.assertIn("greet needs to be told more: meari serve greet", self.refused("serve", "greet"))
        self.assertEqual(meari("serve", "greet", "serve", "--backend", "none").returncode, 2)   # TEXT is "serve"


class Languages(support.Case):
    def language_of(self, words=(), **variables):
        env = support.environment()
        del env["LC_ALL"]
        env.update(variables)
        import subprocess
        run = subprocess.run([support.MEARI, *words, "no-such-verb"], env=env, capture_output=True, timeout=support.DEADLINE)
        return "ko" if re.search("[가-힣]", run.stderr.decode()) else "en"

    def test_the_environment_chooses(self):
        self.assertEqual(self.language_of(), "en")
        self.assertEqual(self.language_of(LANG="ko_KR.UTF-8"), "ko")
        self.assertEqual(self.language_of(LANG="ko"), "ko")
        self.assertEqual(self.language_of(LANG="ko_KR.UTF-8", LC_MESSAGES="en_US.UTF-8"), "en")
        self.assertEqual(self.language_of(LANG="en_US.UTF-8", LC_MESSAGES="ko_KR.UTF-8"), "ko")
        self.assertEqual(self.language_of(LC_ALL="C", LANG="ko_KR.UTF-8"), "en")
        self.assertEqual(self.language_of(LC_ALL="", LANG="ko_KR.UTF-8"), "ko")
        self.assertEqual(self.language_of(LANG="kok_IN"), "en")             # Konkani is not Korean
        self.assertEqual(self.language_of(LANG="fr_FR.UTF-8"), "en")

    def test_the_flag_wins(self):
        self.assertEqual(self.language_of(["--lang", "ko"], LANG="en_US.UTF-8"), "ko")
        self.assertEqual(self.language_of(["--lang=en"], LANG="ko_KR.UTF-8"), "en")

    def test_the_flag_may_stand_before_or_after_the_verb(self):
        for words in (["--lang", "ko", "serve", "-h"], ["serve", "-h", "--lang=ko"]):
            self.assertRegex(meari(*words).stdout.decode(), "[가-힣]")

    def test_every_mistake_has_its_korean(self):
        for words in (["x"], ["serve", "x"], ["serve", "--x"], ["connect"], ["connect", "a:1", "b:2"], ["connect", "--retry", "1", "udp:1"],
                      ["connect", ":1"], ["serve", "--drain", "5"], ["serve", "--drain"], ["serve", "--backlog", "x"],
                      ["serve", "--log", "x"], ["connect", "--on-eof", "x", "1"], ["connect", "--source", "x", "1"], ["serve", "greet"],
                      ["serve", "greet", "x", "udp:1"], ["serve", "--once", "udp:1"], ["connect", "--check", "-m", "x", "1"],
                      ["serve", "--idle", "1s", "--idle", "1s"], ["serve", "--once=3"], ["connect", "--drain", "1s", "1"],
                      ["serve", "::1:9"], ["serve", "[::1"], ["serve", "1.2.3:4"], ["serve", "fd:x"], ["serve", "udp:udp:1"],
                      ["serve", "--hexdump", "--log", "json"], ["serve", "--record", "", "1"], ["serve", "--record", "x", "udp:1"],
                      ["serve", "--limit-rate", "1k", "udp:1"], ["serve", "exec", "0", "--", "no-such-program"]):
            text = meari("--lang", "ko", *words).stderr.decode()
            for line in text.splitlines():
                self.assertRegex(line, "[가-힣]", f"{words}: {text}")


if __name__ == "__main__":
    unittest.main()
