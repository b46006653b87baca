#!/usr/bin/env python3
"""From what llvm-cov exports (lcov): a table of files with their lines and branches, and a list of the lines that nobody runs.

    coverage_table.py ALL.lcov UNCOVERED.txt"""

import collections
import pathlib
import sys

root = pathlib.Path(__file__).resolve().parent.parent


class File:
    def __init__(self):
        self.lines = {}
        self.branches = collections.defaultdict(int)


def read(path):
    files, here = collections.defaultdict(File), None
    for line in open(path):
        what, _, rest = line.strip().partition(":")
        if what == "SF":
            here = files[str(pathlib.Path(rest).resolve().relative_to(root))]
        elif what == "DA":
            number, count = map(int, rest.split(",")[:2])
            here.lines[number] = max(count, here.lines.get(number, 0))
        elif what == "BRDA":  # line, block, branch, count: of every instantiation of a template
            number, block, branch, count = rest.split(",")
            here.branches[number, block, branch] += 0 if count == "-" else int(count)
    return files


def share(counts):
    counts = list(counts)
    hit = sum(1 for count in counts if count > 0)
    return hit, len(counts), f"{100 * hit / len(counts):6.1f} %" if counts else "     - "


def main():
    source, uncovered = sys.argv[1:]
    files = read(source)
    total_lines, total_branches = [], []
    print(f"{'':40} {'lines':>14} {'':9} {'branches':>14}")
    with open(uncovered, "w") as out:
        for name in sorted(files):
            file = files[name]
            lines, all_lines, lines_share = share(file.lines.values())
            branches, all_branches, branches_share = share(file.branches.values())
            total_lines += file.lines.values()
            total_branches += file.branches.values()
            print(f"{name:40} {lines:6} of {all_lines:4} {lines_share} {branches:6} of {all_branches:4} {branches_share}")
            text = (root / name).read_text().splitlines()
            for number in sorted(number for number, count in file.lines.items() if count == 0):
                print(f"{name}:{number}: {text[number - 1].strip()}", file=out)
    lines, all_lines, lines_share = share(total_lines)
    branches, all_branches, branches_share = share(total_branches)
    print(f"{'all':40} {lines:6} of {all_lines:4} {lines_share} {branches:6} of {all_branches:4} {branches_share}")


if __name__ == "__main__":
    main()
