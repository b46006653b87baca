#!/usr/bin/env python3
"""Shows that #include goes down the floors of tools/layers.txt only, that platform headers stay in their rooms, that rooms
apart do not know each other, and that no file is too long.   check_layers.py [ROOT]"""

import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


class Layers:
    def __init__(self, path):
        self.floor = {}        # "src/os" or "include/meari/error.hpp" -> its floor
        self.platform = {}     # "sys/" -> the rooms that may include it
        self.apart = []        # sets of rooms on one floor that must not include each other
        self.lines = 600
        for number, line in enumerate(path.read_text().splitlines(), 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            if re.fullmatch(r"\d+(\.\d)?", words[0]):
                for member in words[2:]:
                    self.floor[member if member.startswith("src/") else f"include/meari/{member}"] = words[0]
            elif words[0] == "apart":
                self.apart.append(set(words[1:]))
            elif words[0] == "lines":
                self.lines = int(words[1])
            elif words[0] == "platform":
                rooms, headers = line.split("#")[0][len("platform"):].split(":")
                for header in headers.split():
                    self.platform[header] = rooms.split()
            else:
                sys.exit(f"{path}:{number}: neither a floor, a platform line, rooms apart nor a limit")

    def floor_of(self, file):
        return self.floor.get(file, self.floor.get(file.rsplit("/", 1)[0]))

    def are_apart(self, room, other):
        return room != other and any({room, other} <= rooms for rooms in self.apart)

    def rooms_for(self, header):
        """The rooms that may include this header; None when everybody may."""
        for name, rooms in self.platform.items():
            if header == name or (name.endswith("/") and header.startswith(name)):
                return rooms
        return None


def target_of(root, file, quote, header):
    """The file of this project that an #include means, or None."""
    if header.startswith("meari/"):
        return f"include/{header}"
    if header.startswith("src/"):
        return header
    beside = (file.parent / header).resolve()
    if quote == '"' and beside.is_relative_to(root) and beside.exists():
        return str(beside.relative_to(root))
    return None


def complaints(root):
    layers = Layers(root / "tools/layers.txt")
    for top in ("include", "src", "examples", "tests", "bench", "tools", "cmake"):
        for file in sorted((root / top).rglob("*")):
            name = str(file.relative_to(root))
            if file.suffix not in (".cpp", ".hpp", ".py", ".sh", ".cmake") or name.startswith("tests/lint/"):
                continue
            text = file.read_text()
            length = text.count("\n")
            if length > layers.lines:
                yield f"{name}: {length} lines; more than {layers.lines} tell two stories: split it"
            if file.suffix not in (".cpp", ".hpp") or top not in ("include", "src", "examples"):
                continue
            room = name.rsplit("/", 1)[0]
            floor = layers.floor_of(name)
            if top != "examples" and floor is None:
                yield f"{name}: has no floor; give it one in tools/layers.txt"
                continue
            for match in INCLUDE.finditer(text):
                where = f"{name}:{text.count(chr(10), 0, match.start(2)) + 1}"
                header = match.group(2)
                rooms = layers.rooms_for(header)
                if rooms is not None and room not in rooms:
                    yield f"{where}: <{header}> belongs into {' or '.join(rooms)} only"
                target = target_of(root, file, match.group(1), header)
                if target is None:
                    continue
                if target.startswith("src/") and top != "src":
                    yield f"{where}: {target} is internal; {top} may include meari/ only"
                elif top == "src" or top == "include":
                    other = layers.floor_of(target)
                    if other is not None and float(other) > float(floor):
                        yield f"{where}: goes up from floor {floor} to {target} on floor {other}"
                    if layers.are_apart(room, target.rsplit("/", 1)[0]):
                        yield f"{where}: {target} is in a room that must not be known here; what both need belongs below them"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent).resolve()
    found = list(complaints(root))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
