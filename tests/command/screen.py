"""A terminal's screen: what a person would see after a program has printed all this. Knows what xterm's description in
terminfo makes a line editor print, and fails at everything else."""

import re
import unicodedata

TOKEN = re.compile(r"\x1b\[(\??[\d;]*)([@-~])|([\x00-\x1f])|(.)", re.DOTALL)


class Screen:
    def __init__(self, columns=80):
        self.columns = columns
        self.rows = [[]]
        self.row = self.column = 0

    def write(self, text):
        for found in TOKEN.finditer(text):
            if found[4]:
                self._put(found[4])
            elif found[3]:
                self._control(found[3])
            else:
                self._sequence(found[1], found[2])

    def text(self, row=0):
        return "\n".join("".join(row).rstrip() for row in self.rows[row:]).rstrip("\n")

    @property
    def cursor(self):
        return self.row, self.column

    def _line(self, size):
        while len(self.rows) <= self.row:
            self.rows.append([])
        line = self.rows[self.row]
        line += [" "] * (size - len(line))
        return line

    def _put(self, letter):
        width = 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if self.column + width > self.columns:                             # the next character wraps, not the last one of a line
            self.row, self.column = self.row + 1, 0
        line = self._line(self.column + width)
        line[self.column:self.column + width] = [letter] + [""] * (width - 1)
        self.column += width

    def _control(self, letter):
        if letter == "\r":
            self.column = 0
        elif letter == "\n":
            self.row += 1
            self._line(0)
        elif letter == "\b":
            self.column = max(0, min(self.column, self.columns - 1) - 1)
        elif letter != "\a":
            raise AssertionError(f"the screen does not know {letter!r}")

    def _sequence(self, number, final):
        if number.startswith("?") or final == "m":                         # modes and colours
            return
        count = max(1, int(number or 1))
        line = self._line(self.column)
        if final == "A":
            self.row = max(0, self.row - count)
        elif final == "B":
            self.row += count
        elif final == "C":
            self.column += count
        elif final == "D":
            self.column = max(0, self.column - count)
        elif final == "G":
            self.column = count - 1
        elif final == "K":
            del line[self.column:]
        elif final == "J":
            del line[self.column:]
            del self.rows[self.row + 1:]
        elif final == "P":
            del line[self.column:self.column + count]
        elif final == "@":
            line[self.column:self.column] = [" "] * count
            del line[self.columns:]
        elif final == "d":
            self.row = count - 1
        else:
            raise AssertionError(f"the screen does not know ESC [ {number} {final}")
