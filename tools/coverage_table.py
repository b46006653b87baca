#!/usr/bin/env python3
"""From what llvm-cov exports: a table of rooms and files with their lines and branches, and a list of what nobody runs.

    coverage_table.py ALL.lcov ALL.json UNCOVERED.txt

Lines are taken from the lcov file, branches from the other (llvm-cov export -format=text): only there is known where in a line
a branch stands, so that what one instance of a template takes is not asked of every other one."""

import collections
import json
import pathlib
import sys

root = pathlib.Path(__file__).resolve().parent.parent


class File:
    def __init__(self):
        self.lines = {}
        self.branches = collections.defaultdict(lambda: [0, 0])  # place -> how often true, how often false


def name_of(path):
    return str(pathlib.Path(path).resolve().relative_to(root))


def read(lcov, branches):
    files, here = collections.defaultdict(File), None
    for line in open(lcov):
        what, _, rest = line.strip().partition(":")
        if what == "SF":
            here = files[name_of(rest)]
        elif what == "DA":
            number, count = map(int, rest.split(",")[:2])
            here.lines[number] = max(count, here.lines.get(number, 0))
    for file in json.load(open(branches))["data"][0]["files"]:
        here = files[name_of(file["filename"])]
        for line, column, end_line, end_column, taken, not_taken, *_ in file["branches"]:
            counts = here.branches[line, column, end_line, end_column]
            counts[0] += taken
            counts[1] += not_taken
    return files


def share(counts):
    counts = list(counts)
    hit = sum(1 for count in counts if count > 0)
    return f"{hit:6} of {len(counts):5} " + (f"{100 * hit / len(counts):6.1f} %" if counts else "     - ")


def row(name, files):
    lines = [count for file in files for count in file.lines.values()]
    branches = [count for file in files for both in file.branches.values() for count in both]
    print(f"{name:36} {share(lines)} {share(branches)}")


def main():
    lcov, branches, uncovered = sys.argv[1:]
    files = read(lcov, branches)
    print(f"{'':36} {'lines':>15} {'':8} {'branches':>15}")
    rooms = collections.defaultdict(list)
    for name in sorted(files):
        row(name, [files[name]])
        rooms[name.rpartition("/")[0]].append(files[name])
    for room, inside in rooms.items():
        row(room + "/", inside)
    row("all", files.values())
    with open(uncovered, "w") as out:
        for name in sorted(files):
            text = (root / name).read_text().splitlines()
            for number, count in sorted(files[name].lines.items()):
                if count == 0:
                    print(f"{name}:{number}: {text[number - 1].strip()}", file=out)
            for (line, column, *_), counts in sorted(files[name].branches.items()):
                if files[name].lines.get(line, 0) != 0 and 0 in counts:
                    never = "neither way" if counts == [0, 0] else "never true" if counts[0] == 0 else "never false"
                    print(f"{name}:{line}:{column}: {never}: {text[line - 1].strip()}", file=out)


if __name__ == "__main__":
    main()
