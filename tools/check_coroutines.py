#!/usr/bin/env python3
"""Shows that our coroutines keep to the shapes that every compiler we support compiles correctly.

g++ 12 silently drops the body of `if (co_await x)`, and destroys some temporaries of an expression with co_await twice. Safe are
`x = co_await f(named)`, a statement, `co_return co_await`, and declarations: `while (Chunk c = co_await …)`. Refused here, in one
full expression with co_await (the body of a lambda is an expression of its own):

    if / while / switch (co_await x)      unless a variable is declared there
    b ? x : y                             class types are destroyed twice
    T{…}, f({…}), Box{co_await x}         aggregates are destroyed twice; name them first
    [copied]{…}                           so are lambdas that capture by copy; name them first

A line-based look cannot tell an aggregate from a class with a constructor. Where a shape is safe, say why on its line or on the line
above:  // safe shape: the options are trivially destructible

    check_coroutines.py [FILE…]           without files: everything but tests/regression/*shapes*, which shows what breaks"""

import pathlib
import re
import sys

# Types with constructors of their own (or none to run), so that T{…} is no aggregate.
WITH_CONSTRUCTOR = {"string", "string_view", "Chunk", "Bytes", "Deadline", "Duration", "Error", "Address", "milliseconds", "seconds",
                    "microseconds", "nanoseconds", "minutes", "int", "size_t", "span"}
LITERAL = re.compile(r'//[^\n]*|/\*.*?\*/|R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|(?<![0-9a-fA-F])\'(?:\\.|[^\'\\\n])+\'',
                     re.DOTALL)
CLOSING = {"(": ")", "[": "]", "{": "}"}


def blanked(text):
    """Comments and the contents of literals become spaces; every position stays where it was."""
    return LITERAL.sub(lambda found: "".join("\n" if letter == "\n" else " " for letter in found.group()), text)


def opens_block(before):
    """Whether a { after this text begins statements, and not the parts of a value."""
    before = before.rstrip()
    if not before or before[-1] in ";{}):":
        return True
    if re.search(r"\b(else|do|try|const|noexcept|override|final|mutable)$", before):
        return True
    if re.search(r"(?<![\w\]])\[[^\[\]]*\]$", before):                      # a lambda without parameters
        return True
    if re.search(r"->\s*[\w:]+\s*(<[^;{}()]*(\([^;{}]*\))?[^;{}()]*>)?[\s&*]*$", before):   # … -> Task<> {
        return True
    return bool(re.search(r"\b(namespace|struct|class|union|enum|requires|extern|concept)\b[^;{}()=]*$", before))


class Source:
    """One file as a tree of brackets: for each, where it opens and closes and whether it is a block of statements."""

    def __init__(self, text):
        self.text = text
        self.code = re.sub(r"^[ \t]*#.*?(?<!\\)$", lambda line: re.sub(r"[^\n]", " ", line.group()), blanked(text),
                           flags=re.MULTILINE | re.DOTALL)
        self.close = {}
        self.block = {}
        self.around = {}            # position of a co_await -> the brackets around it, outermost first
        stack = []
        for found in re.finditer(r"[(){}\[\]]|\bco_await\b", self.code):
            letter, place = found.group(), found.start()
            if letter == "co_await":
                self.around[place] = list(stack)
            elif letter in CLOSING:
                self.block[place] = letter == "{" and opens_block(self.code[max(0, place - 400):place])
                stack.append(place)
            else:
                while stack:
                    opener = stack.pop()
                    self.close[opener] = place
                    if CLOSING[self.code[opener]] == letter:
                        break

    def line(self, place):
        return self.text.count("\n", 0, place) + 1

    def allowed(self, place):
        number = self.line(place) - 1
        lines = self.text.splitlines()
        above = lines[number - 1].strip() if number else ""
        return "safe shape:" in lines[number] or (above.startswith("//") and "safe shape:" in above)

    def flat(self, begin, end):
        """The text of begin…end with blocks inside it emptied."""
        out, place = [], begin
        while place < end:
            if self.code[place] == "{" and self.block.get(place):
                stop = min(self.close.get(place, end), end)
                out.append("{" + re.sub(r"[^\n]", " ", self.code[place + 1:stop]))
                place = stop
            else:
                out.append(self.code[place])
                place += 1
        return "".join(out)

    def expression(self, place):
        """Where the full expression around place begins and ends, and the bracket of the condition it stands in, if any."""
        opener, condition = None, None
        for each in reversed(self.around[place]):
            if self.block[each]:
                opener = each
                break
            if self.code[each] == "(" and re.search(r"\b(if|while|switch|for)(\s+constexpr)?\s*$", self.code[max(0, each - 20):each]):
                opener = condition = each
                break
        begin = opener + 1 if opener is not None else 0
        end = self.close.get(opener, len(self.code)) if opener is not None else len(self.code)
        scan = begin
        while scan < end:
            if self.code[scan] in CLOSING and scan in self.close:
                inside = self.close[scan]
                if self.block[scan] and inside < place and condition is None and not self.continues(inside):
                    begin = inside + 1
                elif inside < place and re.search(r"\b(if|while|switch|for)(\s+constexpr)?\s*$", self.code[max(0, scan - 20):scan]):
                    begin = inside + 1                     # a condition is an expression of its own
                scan = inside
            elif self.code[scan] == ";":
                if scan > place:
                    end = scan
                    break
                begin = scan + 1
            scan += 1
        return begin, end, condition

    def continues(self, place):
        """Whether the expression goes on after this block: it was the body of a lambda."""
        return re.match(r"\s*[,).(\];?]", self.code[place + 1:place + 40]) is not None


def mistakes(source):
    for place, around in source.around.items():
        for opener in reversed(around):
            if source.block[opener]:
                break
            if source.code[opener] == "{":
                yield place, "co_await inside {…}: await into a variable first"
        begin, end, condition = source.expression(place)
        if condition is not None:
            word = re.search(r"(\w+)(\s+constexpr)?\s*$", source.code[max(0, condition - 20):condition]).group(1)
            declares = re.match(r"\s*(?:const\s+)?[A-Za-z_][\w:]*(?:<[^;=]*>)?[\s&*]+(?:\w+|\[[\w\s,]+\])\s*=(?!=)", source.code[begin:place])
            if word != "for" and not declares:
                yield place, f"co_await in the condition of {word}: declare a variable there or before"
        text = source.flat(begin, end)
        if "?" in text:
            yield begin + text.index("?"), "?: in one expression with co_await: use if, or compute a named value first"
        for found in re.finditer(r"([A-Za-z_]\w*)\s*(<[^;{}()]*>)?\s*\{|([(,=])\s*\{", text):
            brace = begin + found.end() - 1
            if source.block.get(brace) or begin <= place and brace < place < source.close.get(brace, brace):
                continue
            if found.group(1) in WITH_CONSTRUCTOR:
                continue
            yield begin + found.start(), f"{found.group(1) or ''}{{…}} in one expression with co_await: give it a name first"
        for found in re.finditer(r"(?<![\w\])])\s*\[([^\[\]]*)\]\s*(?=[({<]|mutable|noexcept|->)", text):
            copied = [each for each in found.group(1).split(",") if each.strip() and not re.match(r"\s*(&|this\b)", each)]
            declares = re.search(r"(auto|const)\s*[&]*\s*$", text[:found.start(1) - 1])
            if copied and not declares and not text[:found.start()].rstrip().endswith("["):
                yield begin + found.start(1), "a lambda with copies in one expression with co_await: give it a name first"


def complaints(name, text):
    source = Source(text)
    seen = set()
    for place, message in mistakes(source):
        entry = (source.line(place), message)
        if entry not in seen and not source.allowed(place):
            seen.add(entry)
            yield f"{name}:{entry[0]}: {message}"


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    files = [pathlib.Path(name) for name in sys.argv[1:]]
    if not files:
        for top in ("include", "src", "examples", "tests", "bench"):
            files += sorted(file for file in (root / top).rglob("*.[ch]pp") if "shapes" not in file.name and "lint" not in file.parts)
    found = [line for file in files for line in complaints(file, file.read_text())]
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
