"""What is made from the table of flags: man pages and completions are fresh, complete and correct; and every flag has a test."""

import os
import pathlib
import re
import shutil
import subprocess
import unittest

import support
from support import meari, needs

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAN = ROOT / "docs/man"
COMPLETIONS = {"bash": ROOT / "docs/completions/meari.bash", "zsh": ROOT / "docs/completions/_meari", "fish": ROOT / "docs/completions/meari.fish"}
PAGES = ("meari", "meari-serve", "meari-connect", "meari-bench")
AGAIN = "what is in docs/ is not what this command prints; run tools/generate.sh"


def flags_of(verb):
    return re.findall(r"^  (?:-\w, |    )--([\w-]+)", meari("help", verb).stdout.decode(), re.MULTILINE)


def run(*words, **more):
    done = subprocess.run([str(word) for word in words], capture_output=True, timeout=support.DEADLINE, **more)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class Fresh(support.Case):
    maxDiff = None

    def test_man_pages(self):
        for page in PAGES:
            for language, folder in (("en", MAN), ("ko", MAN / "ko")):
                made = meari("generate", "man", page, language).stdout.decode()
                self.assertEqual((folder / f"{page}.1").read_text(), made, AGAIN)

    def test_completions(self):
        for shell, path in COMPLETIONS.items():
            self.assertEqual(path.read_text(), meari("generate", shell).stdout.decode(), AGAIN)

    def test_nothing_else_can_be_made(self):
        for words in (["generate"], ["generate", "csh"], ["generate", "man", "meari-help", "en"], ["generate", "man", "meari", "fr"]):
            self.assertEqual(meari(*words).returncode, 2)


class Complete(support.Case):
    def test_every_flag_is_in_the_page_of_its_verb_and_in_every_completion(self):
        for verb in ("serve", "connect", "bench"):
            flags = flags_of(verb)
            self.assertGreater(len(flags), 6)
            for folder in (MAN, MAN / "ko"):
                text = (folder / f"meari-{verb}.1").read_text()
                for flag in flags:
                    entry = r".TP\n(\\fB.*\\fR, )?\\fB\-\-" + flag.replace("-", r"\-") + r"\fR"
                    self.assertRegex(text, r"(?m)^\.TP\n(\\fB\\-\w\\fR, )?\\fB\\-\\-" + flag.replace("-", r"\\-") + r"\\fR", f"{folder} {entry}")
            for flag in flags:
                self.assertRegex(COMPLETIONS["bash"].read_text(), rf"(?m)^    {verb}\)\n.*--{flag}[ ']")
                self.assertRegex(COMPLETIONS["zsh"].read_text(), rf"\)--{flag}[=\[]")
                self.assertRegex(COMPLETIONS["fish"].read_text(), rf" -l {flag} ")

    def test_korean_pages_are_korean(self):
        for page in PAGES:
            english, korean = ((folder / f"{page}.1").read_text() for folder in (MAN, MAN / "ko"))
            self.assertNotRegex(english, "[가-힣]")
            self.assertEqual(english.count(".TP\n"), korean.count(".TP\n"))
            self.assertEqual(english.count(".SH "), len(re.findall(r"^\.SH .*[가-힣]", korean, re.MULTILINE)))

    def test_every_flag_and_handler_has_a_test(self):
        tests = "".join(path.read_text() for path in pathlib.Path(__file__).parent.glob("*.py") if path.name != "test_generated.py")
        for flag in {flag for verb in ("serve", "connect", "bench") for flag in flags_of(verb)}:
            self.assertTrue(re.search(rf"--{flag}\b(?!-)", tests), f"no test mentions --{flag}")
        handlers = meari("help", "serve").stdout.decode().split("handlers\n")[1].split("\n\n")[0]
        for handler in re.findall(r"^  (\w+)", handlers, re.MULTILINE):
            self.assertIn(f'"{handler}"', re.findall(r'"\w+"', tests), f"no test mentions {handler}")


class Man(support.Case):
    @needs("mandoc")
    def test_the_pages_are_correct(self):
        for path in [*MAN.glob("*.1"), *MAN.glob("ko/*.1")]:
            _, out, err = run("mandoc", "-T", "lint", "-W", "warning", path)
            told = [line for line in (out + err).splitlines() if "missing date" not in line]   # the same table gives the same page
            self.assertEqual(told, [])

    @needs("mandoc")
    def test_what_is_read_is_what_was_written(self):
        text = re.sub(r".\x08", "", run("mandoc", "-T", "utf8", "-O", "width=200", MAN / "meari-connect.1")[1])
        self.assertIn("-m, --message TEXT", text)
        self.assertIn(r"(\x1b)", text)
        self.assertIn("meari connect 9000 <photo.jpg >copy.jpg", text)
        korean = re.sub(r".\x08", "", run("mandoc", "-T", "utf8", "-O", "width=200", MAN / "ko/meari-serve.1")[1])
        self.assertIn("종료 상태", korean)


class Shells(support.Case):
    def completed_by_bash(self, *words):
        """The last word is the one that is being completed."""
        quoted = " ".join(f"'{word}'" for word in words)
        script = f"source '{COMPLETIONS['bash']}'; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; COMPREPLY=(); _meari; echo \"${{COMPREPLY[*]}}\""
        status, out, err = run("bash", "--norc", "-c", script)
        self.assertEqual((status, err), (0, ""))
        return out.split()

    def test_bash(self):
        self.assertEqual(run("bash", "-n", COMPLETIONS["bash"]), (0, "", ""))
        self.assertEqual(self.completed_by_bash("meari", ""), ["serve", "connect", "bench", "help"])
        self.assertEqual(self.completed_by_bash("meari", "s"), ["serve"])
        self.assertEqual(self.completed_by_bash("meari", "serve", "gr"), ["greet"])
        self.assertEqual(self.completed_by_bash("meari", "serve", "9000", "gr"), [])
        self.assertEqual(self.completed_by_bash("meari", "connect", "--expect"), ["--expect-echo"])
        self.assertEqual(self.completed_by_bash("meari", "connect", "--on-eof", "k"), ["keep"])
        self.assertEqual(self.completed_by_bash("meari", "connect", "--on-eof", "=", "k"), ["keep"])
        self.assertEqual(self.completed_by_bash("meari", "connect", "--backend", "="), ["auto", "uring", "uring-floor", "epoll", "iocp"])
        self.assertEqual(self.completed_by_bash("meari", "connect", "--timeout", ""), [])
        self.assertEqual(self.completed_by_bash("meari", "serve", "--record", str(ROOT / "docs/m")), [str(ROOT / "docs/man")])
        self.assertIn(str(ROOT / "README.md"), self.completed_by_bash("meari", "bench", "--save", str(ROOT / "README")))
        self.assertEqual(self.completed_by_bash("meari", "--lang", "k"), ["ko"])
        self.assertEqual(self.completed_by_bash("meari", "help", "c"), ["connect"])
        for verb in ("serve", "connect", "bench"):
            self.assertEqual([word for word in self.completed_by_bash("meari", verb, "--") if word.startswith("--")],
                             [f"--{flag}" for flag in flags_of(verb)])

    @needs("zsh")
    def test_zsh(self):
        self.assertEqual(run("zsh", "-f", "-n", COMPLETIONS["zsh"]), (0, "", ""))
        for language, letters in (("en", "only connect"), ("ko", "연결만")):
            script = (f"_arguments() {{ print -l -- $@ }}; compdef() {{ : }}; words=(meari connect); set --; source '{COMPLETIONS['zsh']}' >/dev/null; "
                      f"local -a specs verbs handlers; _meari_specs connect {language}; print -l -- $specs")
            status, out, err = run("zsh", "-f", "-c", f"f() {{ {script} }}; f", env={**os.environ, "LC_ALL": "C.UTF-8"})
            self.assertEqual((status, err), (0, ""))
            self.assertIn(letters, out)
            self.assertEqual({f"--{flag}" for flag in flags_of("connect")}, set(re.findall(r"\)(--[\w-]+)", out)))

    @needs("fish")
    def test_fish(self):
        home = self.folder()
        env = {**os.environ, "HOME": home, "XDG_CONFIG_HOME": home, "LC_ALL": "C.UTF-8", "LANG": ""}
        self.assertEqual(run("fish", "-n", COMPLETIONS["fish"], env=env), (0, "", ""))

        def completed(line, lang="C.UTF-8"):
            status, out, err = run("fish", "--no-config", "-c", f"source '{COMPLETIONS['fish']}'; complete -C '{line}'", env={**env, "LC_ALL": lang})
            self.assertEqual((status, err), (0, ""))
            return out
        self.assertEqual(completed("meari con"), "connect\tbe a client\n")
        self.assertEqual(completed("meari con", "ko_KR.UTF-8"), "connect\t클라이언트가 됩니다\n")
        self.assertIn("greet\t", completed("meari serve "))
        self.assertNotIn("greet\t", completed("meari serve 9000 "))
        self.assertEqual(completed("meari connect --on-eof=k"), "--on-eof=keep\tat the end of input: half-close, close, keep, wait:5s\n")
        self.assertEqual(set(re.findall(r"^--([\w-]+)", completed("meari connect --"), re.MULTILINE)), set(flags_of("connect")))


if __name__ == "__main__":
    unittest.main()
