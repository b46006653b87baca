#!/usr/bin/env python3
"""Mutants: the core with one small mistake put in, again and again, to see whether the tests notice.

    mutants.py [--count 200] [--seed 1] [--minutes M] [--only FILE…] [--jobs N] [--list] [--survivors] [--afresh]

Which mistakes are made is drawn from the seed. Each is put into a copy of the sources (build/mutants/tree) and built there
with the programs of tests, which run side by side in shards until one fails, crashes or hangs: then the mutant is killed.
One that does not compile does not count. The survivors are lines where a test is missing, or which do nothing that can be
observed. What came of a mutant is written down at once (build/mutants/seed-N.jsonl), and a run that was interrupted goes on
where it was. --survivors tries once more those that have survived: after tests were written for them."""

import argparse
import collections
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

root = pathlib.Path(__file__).resolve().parent.parent.parent
place = root / "build" / "mutants"
tree = place / "tree"
build = place / "build"
core = [
    "src/backend/slotted.cpp", "src/backend/slotted.hpp", "src/backend/pool.cpp", "src/backend/epoll.cpp",
    "src/backend/uring.cpp", "src/backend/uring_operations.cpp", "src/backend/uring_buffers.cpp",
    "src/loop/*.cpp", "src/net/*.cpp", "src/server/*.cpp",
    "include/meari/chunk.hpp", "include/meari/bytes.hpp", "include/meari/channel.hpp", "include/meari/scope.hpp",
]
copied = ["CMakeLists.txt", "CMakePresets.json", "cmake", "include", "src", "tests"]

# A program, its tests for what is not io_uring, the same for io_uring, and into how many shards it is cut.
Program = collections.namedtuple("Program", "name tests uring_tests shards")
# The quick ones first: most mutants do not reach the others.
programs = [
    Program("meari_sim", "*", None, 1),
    Program("meari_regression", "*", "*", 1),
    Program("meari_unit", "*", "*", 3),
    Program("meari_contract", "*/epoll:*/wire", "*/uring:*/uring_floor", 6),
    Program("meari_conformance", "*", "*", 3),
]
side_by_side = 6    # they wait for time and for each other more than they compute
most_seconds = 45   # for a shard; without a mistake each takes two or three, on a machine with nothing else to do

unsteady = ", not each time"  # a test failed and then did not: because of the mistake, or of a busy machine

# What a mistake looks like: a pattern and what stands there instead. All of them keep the code compilable in most places.
rules = [
    ("comparison", r"(?<![<>=!-])<=(?!=|>)", ["<", "=="]),
    ("comparison", r"(?<![<>=!-])>=(?!=)", [">", "=="]),
    ("comparison", r"(?<=\w|\)|\]) < (?=[\w(])(?![^;]*>[ (>{;])", [" <= ", " >= "]),
    ("comparison", r"(?<=\w|\)|\]) > (?=[\w(])", [" >= ", " <= "]),
    ("equality", r"(?<= )==(?= )", ["!="]),
    ("equality", r"(?<= )!=(?= )", ["=="]),
    ("logic", r"(?<= )&&(?= )", ["||"]),
    ("logic", r"(?<= )\|\|(?= )", ["&&"]),
    ("negation", r"(?<=\()!(?=\w)", [""]),
    ("arithmetic", r"(?<=\w|\)|\]) \+ (?=\w|\()", [" - "]),
    ("arithmetic", r"(?<=\w|\)|\]) - (?=\w|\()", [" + "]),
    ("arithmetic", r"(?<=\w) \+= ", [" -= "]),
    ("arithmetic", r"(?<=\w) -= ", [" += "]),
    ("step", r"\+\+(?=[\w])", ["--"]),
    ("step", r"(?<![\w-])--(?=[\w])", ["++"]),
    ("bound", r"\bstd::min\b", ["std::max"]),
    ("bound", r"\bstd::max\b(?!\()", ["std::min"]),
    ("number", r"(?<![\w.'])([1-9])(?![\w.'])", ["\\g<1> + 1", "0"]),
    ("truth", r"\btrue\b", ["false"]),
    ("truth", r"\bfalse\b", ["true"]),
]
# Whole statements that can go: calls and assignments that stand alone in a line, and the way out of a branch.
statement = re.compile(r"^\s+(?!return|co_return|co_await|static_assert|using|case|default|break|const |auto |delete|new )"
                       r"[\w:>.\-*()\[\]]+(\(.*\)| [-+|&]?= .*);\s*(//.*)?$")
leaving = re.compile(r"^\s+(if \(.*\) )(return|co_return|continue|break)\b.*;\s*(//.*)?$")
declaration = re.compile(r"^\s*(template|#|//|using|static_assert|MEARI_ASSERT|class|struct|enum|friend|\[\[nodiscard)|MEARI_ASSERT")


def mutants_of(path):
    """Every mistake that can be made in this file: (line number, kind, the line, the line as it would be)."""
    found = []
    for number, line in enumerate((root / path).read_text().splitlines(), 1):
        code = line.split("//")[0]
        if declaration.search(code) or not code.strip() or "operator" in code or "#include" in code:
            continue
        quoted = [(m.start(), m.end()) for m in re.finditer(r'"(\\.|[^"\\])*"', code)]
        for kind, pattern, instead in rules:
            if kind == "comparison" and ("template" in code or "<<" in code or "std::" in code and "<" in pattern and ">" in code):
                continue
            for hit in re.finditer(pattern, code):
                if any(a <= hit.start() < b for a, b in quoted):
                    continue
                for new in instead:
                    changed = code[:hit.start()] + hit.expand(new) + code[hit.end():] + line[len(code):]
                    found.append((number, kind, line.strip(), changed.strip()))
        if statement.match(line):
            found.append((number, "removed statement", line.strip(), "{}"))
        if leaving.match(line):
            found.append((number, "removed way out", line.strip(), "{}"))
    return found


def copy_sources():
    """As they are now. What has not changed keeps its time, so that it is not built again."""
    wanted = set()
    for name in copied:
        source = root / name
        for file in [source] if source.is_file() else sorted(source.rglob("*")):
            if not file.is_file() or "__pycache__" in file.parts:
                continue
            target = tree / file.relative_to(root)
            wanted.add(target)
            if target.exists() and target.read_bytes() == file.read_bytes():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    for file in tree.rglob("*"):
        if file.is_file() and file not in wanted:
            file.unlink()


def run(command, seconds, **more):
    try:
        return subprocess.run(command, timeout=seconds, capture_output=True, text=True, errors="replace", **more)
    except subprocess.TimeoutExpired:
        return None


def compile_all(jobs):
    return run(["cmake", "--build", str(build), "--parallel", str(jobs), "--target", *(one.name for one in programs)], 1800)


def configure():
    settings = ["-DCMAKE_CXX_COMPILER=clang++-19", "-DCMAKE_BUILD_TYPE=None", "-DCMAKE_CXX_FLAGS=-O1 -DNDEBUG",
                "-DMEARI_BUILD_TESTS=ON", "-DMEARI_BUILD_COMMAND=OFF", "-DMEARI_BUILD_EXAMPLES=OFF",
                "-DMEARI_BUILD_BENCH=OFF", "-DMEARI_INSTALL=OFF", "-DMEARI_PACKAGE_TEST=OFF"]
    done = run(["cmake", "-G", "Ninja", "-S", str(tree), "-B", str(build), *settings], 300)
    if done is None or done.returncode != 0:
        sys.exit("mutants: configuring failed\n" + (done.stdout + done.stderr if done else ""))


def before_exec():
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))  # a mistake may take memory without end
    signal.signal(signal.SIGINT, signal.SIG_DFL)                # which a shell ignores for what it starts in the background
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


class Shard:
    """One part of a program's tests, while it runs."""

    def __init__(self, program, tests, backend, index=0, shards=1, seconds=most_seconds):
        self.program, self.tests, self.backend = program, tests, backend
        self.seconds, self.out = seconds, tempfile.TemporaryFile("w+", errors="replace")
        environment = os.environ | {"GTEST_TOTAL_SHARDS": str(shards), "GTEST_SHARD_INDEX": str(index), "MEARI_BACKEND": backend}
        self.process = subprocess.Popen(
            [str(build / program), "--gtest_fail_fast", "--gtest_filter=" + tests], cwd=build, env=environment,
            stdin=subprocess.DEVNULL, stdout=self.out, stderr=subprocess.DEVNULL, start_new_session=True,
            preexec_fn=before_exec)
        self.end = time.monotonic() + seconds

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def outcome(self):
        """None while it runs, "" when all is well, else the test and what became of it."""
        hangs = False
        if self.process.poll() is None:
            if time.monotonic() < self.end:
                return None
            hangs = True
        self.stop()                                        # and what it may have started
        if not hangs and self.process.returncode == 0:
            return ""
        self.out.seek(0)
        text = self.out.read()
        failed = re.findall(r"\[  FAILED  \] ([\w/]+\.[\w/]+)", text) or re.findall(r"\[ RUN      \] ([\w/]+\.[\w/]+)", text)[-1:]
        how = "hangs" if hangs else "fails" if "FAILED" in text else f"ends with {self.process.returncode}"
        return f"{failed[0] if failed else self.program} {how}"


def judge(path):
    """Which test kills what has been built, and how; None when no test does."""
    uring = "uring" in path
    waiting = [(one.name, tests, "auto" if uring else "epoll", index, one.shards) for one in programs
               if (tests := one.uring_tests if uring else one.tests) for index in range(one.shards)]
    running, found = [], None
    while (waiting or running) and found is None:
        while waiting and len(running) < side_by_side:
            running.append(Shard(*waiting.pop(0)))
        time.sleep(0.02)
        for shard in list(running):
            outcome = shard.outcome()
            if outcome is None:
                continue
            running.remove(shard)
            if outcome:
                found = shard, outcome
                break
    for shard in running:
        shard.stop()
    return found


def verdict(path):
    """As judge(), and sure: on a busy machine a test may fail by itself, so the one that failed has to do so again."""
    for _ in range(2):
        found = judge(path)
        if found is None:
            return None
        shard, outcome = found
        name = outcome.split()[0]
        for _ in range(3):
            again = Shard(shard.program, name if "." in name else shard.tests, shard.backend, seconds=15)
            while (seen := again.outcome()) is None:
                time.sleep(0.02)
            if seen:
                return f"{shard.program}: {outcome}"
    return f"{shard.program}: {outcome}{unsteady}"


def latest(results):
    """What is known of each mutant: what was written down last."""
    known = {}
    if results.exists():
        for line in results.read_text().splitlines():
            one = json.loads(line)
            known[one["file"], one["line"], one["changed"]] = one
    return known


def place_of(lines, one):
    """Where the line is now: the sources may have changed since. None when it is there no more."""
    places = [index for index, line in enumerate(lines) if line.strip() == one["was"]]
    return min(places, key=lambda index: abs(index + 1 - one["line"]), default=None)


def attempt(one, jobs):
    """Puts the mistake in, builds, runs the tests, takes it out. Fills in what became of it."""
    start = time.monotonic()
    file = tree / one["file"]
    text = file.read_text()
    lines = text.splitlines(keepends=True)
    index = place_of(lines, one)
    if index is None:
        return one | {"outcome": "gone", "by": None}
    lines[index] = lines[index].replace(one["was"], one["changed"])
    file.write_text("".join(lines))
    try:
        built = compile_all(jobs)
        if built is None or built.returncode != 0:
            return one | {"outcome": "does not compile", "by": None, "seconds": round(time.monotonic() - start, 1)}
        by = verdict(one["file"])
        outcome = "survived" if by is None else "not sure" if by.endswith(unsteady) else "killed"
        return one | {"outcome": outcome, "by": by, "seconds": round(time.monotonic() - start, 1)}
    finally:
        file.write_text(text)


def text_of(one):
    return f"{one['file']}:{one['line']}: {one['kind']}: `{one['was']}` became `{one['changed']}`"


def prepare(jobs):
    copy_sources()
    configure()
    built = compile_all(jobs)
    if built is None or built.returncode != 0:
        sys.exit("mutants: what has no mistake in it does not build\n" + (built.stdout[-3000:] if built else ""))
    for path in ["src/backend/epoll.cpp", "src/backend/uring.cpp"]:
        by = verdict(path)
        if by and not by.endswith(unsteady):
            sys.exit(f"mutants: what has no mistake in it fails: {by}")
    os.environ["CCACHE_READONLY"] = "1"  # nobody compiles a mistake twice


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=0, help="begin no further mutant after so long")
    parser.add_argument("--only", nargs="*", help="files, or parts of their names")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="say which mistakes would be made, and make none")
    parser.add_argument("--survivors", action="store_true", help="only those that have survived so far, once more")
    parser.add_argument("--afresh", action="store_true", help="forget what earlier runs with this seed have found")
    options = parser.parse_args()

    place.mkdir(parents=True, exist_ok=True)
    results = place / f"seed-{options.seed}.jsonl"
    if options.afresh:
        results.unlink(missing_ok=True)
    known = latest(results)
    if options.survivors:
        chosen = [one for one in known.values() if one["outcome"] in ("survived", "not sure")]
        print(f"mutants: {len(chosen)} have survived, seed {options.seed}", flush=True)
    else:
        paths = sorted({str(path.relative_to(root)) for pattern in core for path in root.glob(pattern)})
        if options.only:
            paths = [path for path in paths if any(part in path for part in options.only)]
        everything = [{"file": path, "line": number, "kind": kind, "was": was, "changed": changed}
                      for path in paths for number, kind, was, changed in mutants_of(path)]
        chosen = random.Random(options.seed).sample(everything, min(options.count, len(everything)))
        print(f"mutants: {len(chosen)} of {len(everything)} in {len(paths)} files, seed {options.seed}", flush=True)
        chosen = [one for one in chosen if (one["file"], one["line"], one["changed"]) not in known]
        # A header costs minutes, what is built of it, and a source seconds.
        chosen.sort(key=lambda one: one["file"].endswith(".hpp"))
    if options.list:
        print(*map(text_of, chosen), sep="\n")
        return

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # takes the mistake out
    prepare(options.jobs)
    end = time.monotonic() + options.minutes * 60
    for nth, one in enumerate(chosen, 1):
        if options.minutes and time.monotonic() > end:
            print(f"mutants: {len(chosen) - nth + 1} are left for another time")
            break
        one = attempt(one, options.jobs)
        with results.open("a") as out:
            print(json.dumps(one, ensure_ascii=False), file=out)
        by = f" by {one['by']}" if one["by"] else ""
        print(f"{nth:3} {one.get('seconds', 0):3.0f} s {one['outcome']}{by}: {text_of(one)}", flush=True)

    known = latest(results)
    outcomes = collections.Counter(one["outcome"] for one in known.values())
    counted = outcomes["killed"] + outcomes["survived"]
    print(f"mutants: {outcomes['killed']} of {counted} killed ({100 * outcomes['killed'] / max(counted, 1):.1f} %), "
          f"{outcomes['not sure']} not sure, {outcomes['does not compile']} did not compile")
    for one in known.values():
        if one["outcome"] in ("survived", "not sure"):
            print("  " + text_of(one))


if __name__ == "__main__":
    main()
