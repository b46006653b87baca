#!/usr/bin/env python3
"""Shows that the documents are true where a program can tell: relative links lead to files and headings that exist, and files of
this repository that are named in `code` exist.   check_docs.py [ROOT]"""

import pathlib
import re
import sys
import urllib.parse

FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
TOPS = ("include/", "src/", "tests/", "tools/", "docs/", "examples/", "bench/", "cmake/", ".ci/")


def without_fences(text):
    """Code blocks emptied, line numbers kept."""
    return FENCE.sub(lambda block: "\n" * block.group().count("\n"), text)


def anchors(text):
    """What GitHub makes of the headings."""
    seen = {}
    for title in re.findall(r"^#{1,6}\s+(.*?)\s*#*\s*$", without_fences(text), re.MULTILINE):
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).replace("`", "")
        anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        count = seen.get(anchor, 0)
        seen[anchor] = count + 1
        yield f"{anchor}-{count}" if count else anchor
    yield from re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text)


def complaints(root):
    for file in sorted(root.rglob("*.md")):
        name = file.relative_to(root)
        if name.parts[0] == "build" or ".git" in name.parts or name.parts[:2] == ("tests", "lint"):
            continue
        text = without_fences(file.read_text())

        def where(match):
            return f"{name}:{text.count(chr(10), 0, match.start(1)) + 1}"

        for match in [*LINK.finditer(text), *REFERENCE.finditer(text)]:
            link = urllib.parse.unquote(match.group(1))
            if re.match(r"[a-z][a-z0-9+.-]*:", link) or link.startswith("//"):
                continue                                   # somebody else's page
            path, _, anchor = link.partition("#")
            target = (root / path.lstrip("/")) if path.startswith("/") else (file.parent / path) if path else file
            if not target.exists():
                yield f"{where(match)}: the link {link} leads nowhere"
            elif anchor and target.suffix == ".md" and anchor not in set(anchors(target.read_text())):
                yield f"{where(match)}: {path or name} has no heading #{anchor}"
        for match in CODE.finditer(text):
            word = match.group(1).rstrip("/")
            # build/… is made, NAME and <name> and … stand for something, a word with a space is not one file's name.
            if not match.group(1).startswith(TOPS) or re.search(r"[\s<>{}…$]|\b[A-Z]{2,}\b", word):
                continue
            word = re.sub(r":\d+$", "", word)
            if not (any(root.glob(word)) if "*" in word else (root / word).exists()):
                yield f"{where(match)}: `{word}` does not exist"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent).resolve()
    found = list(complaints(root))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
