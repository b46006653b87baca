#!/usr/bin/env python3
"""Mutants: the core with one small mistake put in, again and again, to see whether the tests notice.

    mutants.py [--count 200] [--seed 1 | --sample FILE] [--minutes M] [--only FILE…] [--headers] [--jobs N] [--list]
               [--survivors] [--afresh]

Which mistakes are made is drawn from the seed; other sources give another sample. --sample takes one that was written
down, or mistakes of one's own, in the form of build/mutants/seed-N.jsonl, and makes them where their lines are now.
Each is put into a copy of the sources (build/mutants/tree) and built there with the programs of tests, which run side by
side in shards until one fails, crashes or hangs: then the mutant is killed.
A mistake in a header changes nearly everything that is built. So it is built cheaply (-O0, the sources of a target in one
piece), and one program after the other: the next only when the last has noticed nothing.
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
core = [
    "src/backend/slotted.cpp", "src/backend/slotted.hpp", "src/backend/pool.cpp", "src/backend/epoll.cpp",
    "src/backend/uring.cpp", "src/backend/uring_operations.cpp", "src/backend/uring_buffers.cpp",
    "src/loop/*.cpp", "src/net/*.cpp", "src/server/*.cpp",
    "include/meari/chunk.hpp", "include/meari/bytes.hpp", "include/meari/channel.hpp", "include/meari/scope.hpp",
]
copied = ["CMakeLists.txt", "CMakePresets.json", "cmake", "include", "src", "tests"]

# How a mutant is built.
Build = collections.namedtuple("Build", "folder settings")
build_of_sources = Build(place / "build", ["-DCMAKE_CXX_FLAGS=-O1 -DNDEBUG"])
build_of_headers = Build(place / "unity", [
    "-DCMAKE_CXX_FLAGS=-O0 -DNDEBUG -w -ferror-limit=0", "-DCMAKE_UNITY_BUILD=ON", "-DCMAKE_UNITY_BUILD_BATCH_SIZE=0",
    "-DCMAKE_PROJECT_meari_INCLUDE=" + str(place / "alone.cmake")])
alone = set()       # sources that cannot be in one piece with others: both have a name for themselves

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
of_every_backend = ["slotted", "pool.cpp", "chunk.hpp"]
side_by_side = 6    # they wait for time and for each other more than they compute
most_seconds = 45   # for one test; without a mistake the longest takes seven, on a machine with nothing else to do

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


def compile_all(build, chosen, jobs):
    targets = [one.name for one in chosen]
    return run(["cmake", "--build", str(build.folder), "--parallel", str(jobs), "--target", *targets, "--", "-k", "0"], 1800)


def build_of(path):
    return build_of_headers if path.endswith(".hpp") else build_of_sources


def stages_of(path):
    """Which programs are built and run together."""
    useful = [one for one in programs if tests_of(one, path)]
    return [[one] for one in useful] if path.endswith(".hpp") else [useful]


def tests_of(program, path):
    if any(part in path for part in of_every_backend):
        return "*"
    return program.uring_tests if "uring" in path else program.tests


def clashes(text):
    """The sources that compilers complain about, or that include what they complain about."""
    found, last = set(), None
    for line in text.splitlines():
        hit = re.match(r"(In file included from )?" + re.escape(str(tree)) + r"/(\S+\.cpp):\d+", line)
        last = hit[2] if hit else last
        if ": error: " in line and last:
            found.add(last)
    return found


def configure(build):
    (place / "alone.cmake").write_text("".join(
        f'set_source_files_properties("${{CMAKE_SOURCE_DIR}}/{source}" PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)\n'
        for source in sorted(alone)))
    settings = ["-DCMAKE_CXX_COMPILER=clang++-19", "-DCMAKE_BUILD_TYPE=None", *build.settings,
                "-DMEARI_BUILD_TESTS=ON", "-DMEARI_BUILD_COMMAND=OFF", "-DMEARI_BUILD_EXAMPLES=OFF",
                "-DMEARI_BUILD_BENCH=OFF", "-DMEARI_INSTALL=OFF", "-DMEARI_PACKAGE_TEST=OFF"]
    done = run(["cmake", "-G", "Ninja", "-S", str(tree), "-B", str(build.folder), *settings], 300)
    if done is None or done.returncode != 0:
        sys.exit("mutants: configuring failed\n" + (done.stdout + done.stderr if done else ""))


def before_exec():
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))  # a mistake may take memory without end
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 28, 1 << 28))  # or complain without end
    signal.signal(signal.SIGINT, signal.SIG_DFL)                # which a shell ignores for what it starts in the background
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


class Shard:
    """One part of a program's tests, while it runs."""

    def __init__(self, build, program, tests, backend, index=0, shards=1):
        self.program, self.tests, self.backend = program, tests, backend
        self.written, self.out = 0, tempfile.TemporaryFile("w+", errors="replace")
        environment = os.environ | {"GTEST_TOTAL_SHARDS": str(shards), "GTEST_SHARD_INDEX": str(index), "MEARI_BACKEND": backend}
        self.process = subprocess.Popen(
            [str(build.folder / program), "--gtest_fail_fast", "--gtest_filter=" + tests], cwd=build.folder, env=environment,
            stdin=subprocess.DEVNULL, stdout=self.out, stderr=subprocess.DEVNULL, start_new_session=True,
            preexec_fn=before_exec)
        self.end = time.monotonic() + most_seconds
        self.last_end = self.end + 600                     # one who complains without end hangs as well

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
            written = os.fstat(self.out.fileno()).st_size  # grows with every test
            if written != self.written:
                self.written, self.end = written, min(time.monotonic() + most_seconds, self.last_end)
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


def judge(path, chosen):
    """Which test of these programs kills what has been built, and how; None when none does."""
    build, backend = build_of(path), "auto" if "uring" in path else "epoll"
    waiting = [(build, one.name, tests_of(one, path), backend, index, one.shards)
               for one in chosen for index in range(one.shards)]
    running = []
    try:
        while waiting or running:
            while waiting and len(running) < side_by_side:
                running.append(Shard(*waiting.pop(0)))
            time.sleep(0.02)
            for shard in list(running):
                outcome = shard.outcome()
                if outcome is None:
                    continue
                running.remove(shard)
                if outcome:
                    return shard, outcome
    finally:
        for shard in running:
            shard.stop()
    return None


def verdict(path, chosen):
    """As judge(), and sure: on a busy machine a test may fail by itself, so the one that failed has to do so again."""
    for _ in range(2):
        found = judge(path, chosen)
        if found is None:
            return None
        shard, outcome = found
        name = outcome.split()[0]
        for _ in range(3):
            again = Shard(build_of(path), shard.program, name if "." in name else shard.tests, shard.backend)
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
        by, outcome = None, "survived"
        for stage in stages_of(one["file"]):
            built = compile_all(build_of(one["file"]), stage, jobs)
            if built is None or built.returncode != 0:
                outcome = "does not compile"
                break
            if (seen := verdict(one["file"], stage)) is not None:
                by, outcome = seen, "not sure" if seen.endswith(unsteady) else "killed"
            if outcome == "killed":
                break
        return one | {"outcome": outcome, "by": by, "seconds": round(time.monotonic() - start, 1)}
    finally:
        file.write_text(text)


def text_of(one):
    return f"{one['file']}:{one['line']}: {one['kind']}: `{one['was']}` became `{one['changed']}`"


def prepare(chosen, jobs):
    """Builds what has no mistake in it, for one mutant of each way of building and running."""
    copy_sources()
    if (place / "alone.cmake").exists():
        alone.update(re.findall(r"CMAKE_SOURCE_DIR}/(\S+)\"", (place / "alone.cmake").read_text()))
    for path in {(build_of(one["file"]).folder, "uring" in one["file"]): one["file"] for one in chosen}.values():
        configure(build_of(path))
        for stage in stages_of(path):
            while (built := compile_all(build_of(path), stage, jobs)) is not None and built.returncode != 0:
                found = clashes(built.stdout) - alone
                if build_of(path) != build_of_headers or not found:
                    break
                alone.update(found)
                configure(build_of(path))
            if built is None or built.returncode != 0:
                sys.exit("mutants: what has no mistake in it does not build\n" + (built.stdout[-3000:] if built else ""))
            by = verdict(path, stage)
            if by and not by.endswith(unsteady):
                sys.exit(f"mutants: what has no mistake in it fails: {by}")
    os.environ["CCACHE_READONLY"] = "1"  # nobody compiles a mistake twice


def sample_of(options):
    """The mistakes to make, and of how many they were drawn."""
    if options.sample:
        return [json.loads(line) for line in options.sample.read_text().splitlines()], ""
    paths = sorted({str(path.relative_to(root)) for pattern in core for path in root.glob(pattern)})
    if options.only:
        paths = [path for path in paths if any(part in path for part in options.only)]
    everything = [{"file": path, "line": number, "kind": kind, "was": was, "changed": changed}
                  for path in paths for number, kind, was, changed in mutants_of(path)]
    chosen = random.Random(options.seed).sample(everything, min(options.count, len(everything)))
    return chosen, f" of {len(everything)} in {len(paths)} files"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sample", type=pathlib.Path, help="these mistakes, one JSON object a line: file, line, kind, was, changed")
    parser.add_argument("--minutes", type=float, default=0, help="begin no further mutant after so long")
    parser.add_argument("--only", nargs="*", help="files, or parts of their names")
    parser.add_argument("--headers", action="store_true", help="of those that are drawn, only those in headers")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="say which mistakes would be made, and make none")
    parser.add_argument("--survivors", action="store_true", help="only those that have survived so far, once more")
    parser.add_argument("--afresh", action="store_true", help="forget what earlier runs with this seed have found")
    options = parser.parse_args()

    os.nice(10)
    place.mkdir(parents=True, exist_ok=True)
    name = options.sample.stem if options.sample else f"seed-{options.seed}"
    results = place / f"{name}.jsonl"
    if options.sample and options.sample.resolve() == results.resolve():
        sys.exit("mutants: what comes of a sample would be written into the sample")
    if options.afresh:
        results.unlink(missing_ok=True)
    known = latest(results)
    if options.survivors:
        chosen = [one for one in known.values() if one["outcome"] in ("survived", "not sure")]
        print(f"mutants: {len(chosen)} have survived, {name}", flush=True)
    else:
        chosen, of = sample_of(options)
        print(f"mutants: {len(chosen)}{of}, {name}", flush=True)
        chosen = [one for one in chosen if (one["file"], one["line"], one["changed"]) not in known
                  and (not options.headers or one["file"].endswith(".hpp"))]
        # A header costs a minute or two, with what is built of it, and a source seconds.
        chosen.sort(key=lambda one: one["file"].endswith(".hpp"))
    if options.list:
        print(*map(text_of, chosen), sep="\n")
        return

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # takes the mistake out
    prepare(chosen, options.jobs)
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
