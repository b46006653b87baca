#!/usr/bin/env python3
"""Mutants: the core with one small mistake put in, again and again, to see whether the tests notice.

    mutants.py [--count 200] [--seed 1] [--minutes M] [--only FILE…] [--tests unit,contract] [--jobs N] [--list]

Which mistakes are made is drawn from the seed. Each is put into a copy of the sources (build/mutants/tree), built there
with what the tests of units, the contract, the simulation and conformance need, and those are run until one fails, crashes
or hangs: then the mutant is killed. A mutant that does not compile does not count. The survivors stand in
build/mutants/survivors.txt, each with its line: a test is missing there, or the line does nothing that can be observed."""

import argparse
import os
import pathlib
import random
import re
import resource
import shutil
import subprocess
import sys
import time

root = pathlib.Path(__file__).resolve().parent.parent.parent
place = root / "build" / "mutants"
tree = place / "tree"
build = place / "build"
core = [
    "src/backend/slotted.cpp", "src/backend/slotted.hpp", "src/backend/pool.cpp", "src/backend/epoll.cpp",
    "src/loop/*.cpp", "src/net/*.cpp", "src/server/*.cpp",
    "include/meari/chunk.hpp", "include/meari/bytes.hpp", "include/meari/channel.hpp", "include/meari/scope.hpp",
]
copied = ["CMakeLists.txt", "CMakePresets.json", "cmake", "include", "src", "tests"]
# The quick and the telling ones first. What concerns one make only is left to that make.
programs = [
    ("meari_unit", ["--gtest_filter=*"], 60),
    ("meari_sim", ["--gtest_filter=*"], 90),
    ("meari_contract", ["--gtest_filter=*/epoll:*/wire"], 150),
    ("meari_conformance", [], 90),
]

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
    """Every mistake that can be made in this file: (line number, kind, the line as it would be)."""
    found = []
    for number, line in enumerate((tree / path).read_text().splitlines(), 1):
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
                    found.append((number, kind, changed))
        if statement.match(line):
            found.append((number, "removed statement", re.sub(r"\S.*", "{}", line, count=1)))
        if leaving.match(line):
            found.append((number, "removed way out", re.sub(r"\S.*", "{}", line, count=1)))
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
    targets = [name for name, _, _ in programs]
    return run(["cmake", "--build", str(build), "--parallel", str(jobs), "--target", *targets], 1800)


def configure():
    settings = ["-DCMAKE_CXX_COMPILER=clang++-19", "-DCMAKE_BUILD_TYPE=None", "-DCMAKE_CXX_FLAGS=-O1 -DNDEBUG",
                "-DMEARI_BUILD_TESTS=ON", "-DMEARI_BUILD_COMMAND=OFF", "-DMEARI_BUILD_EXAMPLES=OFF",
                "-DMEARI_BUILD_BENCH=OFF", "-DMEARI_INSTALL=OFF", "-DMEARI_PACKAGE_TEST=OFF"]
    done = run(["cmake", "-G", "Ninja", "-S", str(tree), "-B", str(build), *settings], 300)
    if done is None or done.returncode != 0:
        sys.exit("mutants: configuring failed\n" + (done.stdout + done.stderr if done else ""))


def bounded():
    """A mistake may take memory without end."""
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))


def verdict():
    """Who killed it: the program and why; None when nobody did."""
    for name, arguments, seconds in programs:
        done = run([str(build / name), "--gtest_fail_fast", "--gtest_brief=1", *arguments], seconds, cwd=build,
                   preexec_fn=bounded)
        if done is None:
            return f"{name}: does not end"
        if done.returncode != 0:
            failed = re.search(r"\[  FAILED  \] (\S+)", done.stdout)
            return f"{name}: {failed[1].rstrip(',') if failed else 'ends with ' + str(done.returncode)}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=0, help="begin no further mutant after so long")
    parser.add_argument("--only", nargs="*", help="files, or parts of their names")
    parser.add_argument("--tests", default="unit,sim,contract,conformance", help="which of them are to notice")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="say which mistakes would be made, and make none")
    options = parser.parse_args()

    programs[:] = [one for one in programs if one[0].removeprefix("meari_") in options.tests.split(",")]
    copy_sources()
    paths = sorted({str(path.relative_to(tree)) for pattern in core for path in tree.glob(pattern)})
    if options.only:
        paths = [path for path in paths if any(part in path for part in options.only)]
    everything = [(path, *mutant) for path in paths for mutant in mutants_of(path)]
    chosen = random.Random(options.seed).sample(everything, min(options.count, len(everything)))
    print(f"mutants: {len(chosen)} of {len(everything)} in {len(paths)} files, seed {options.seed}", flush=True)
    if options.list:
        for path, number, kind, changed in chosen:
            print(f"{path}:{number}: {kind}: {changed.strip()}")
        return

    configure()
    built = compile_all(options.jobs)
    if built is None or built.returncode != 0:
        sys.exit("mutants: what has no mistake in it does not build\n" + (built.stdout[-3000:] if built else ""))
    if why := verdict():
        sys.exit(f"mutants: what has no mistake in it fails: {why}")

    os.environ["CCACHE_READONLY"] = "1"  # nobody compiles a mistake twice
    end = time.monotonic() + options.minutes * 60
    killed, broken, survivors, begun = 0, 0, [], 0
    for path, number, kind, changed in chosen:
        if options.minutes and time.monotonic() > end:
            break
        begun += 1
        file = tree / path
        lines = file.read_text().splitlines(keepends=True)
        was = lines[number - 1]
        lines[number - 1] = changed + "\n"
        file.write_text("".join(lines))
        built = compile_all(options.jobs)
        label = f"{path}:{number}: {kind}: `{was.strip()}` became `{changed.strip()}`"
        if built is None or built.returncode != 0:
            broken += 1
            outcome = "does not compile"
        elif why := verdict():
            killed += 1
            outcome = "killed by " + why
        else:
            survivors.append(label)
            outcome = "SURVIVED"
        print(f"{begun:3} {outcome}: {label}", flush=True)
        lines[number - 1] = was
        file.write_text("".join(lines))
    counted = killed + len(survivors)
    (place / "survivors.txt").write_text("".join(line + "\n" for line in survivors))
    print(f"mutants: {killed} of {counted} killed ({100 * killed // max(counted, 1)} %), {broken} did not compile")
    for line in survivors:
        print("  " + line)


if __name__ == "__main__":
    main()
