"""Reads what was written to a terminal."""

from __future__ import annotations

import re

CODES = re.compile(r"\x1b\[([\d;]*)([Hm])|([^\x1b]+)")


class Written:
    """What stands where after ``text`` was written, and how it looks: as much of a terminal as that takes."""

    def __init__(self, text: str) -> None:
        self.cells: dict[tuple[int, int], tuple[str, str, str, frozenset[str]]] = {}
        x = y = 0
        self.look: tuple[str, str, frozenset[str]] = ("39", "49", frozenset())
        for match in CODES.finditer(text):
            parameters, kind, letters = match.groups()
            if kind == "H":
                y, x = (int(number) - 1 for number in parameters.split(";"))
            elif kind == "m":
                self.select(parameters)
            else:
                for letter in letters.replace("\n", ""):
                    # The ink of a blank without attributes cannot be seen.
                    look = ("", *self.look[1:]) if letter == " " and not self.look[2] else self.look
                    self.cells[y, x] = (letter, *look)
                    x += 1

    def select(self, parameters: str) -> None:
        codes = iter(parameters.split(";"))
        ink, ground, attributes = self.look
        for code in codes:
            if code in {"", "0"}:
                ink, ground, attributes = "39", "49", frozenset()
            elif code in {"38", "48"}:
                kind = next(codes)
                color = ";".join([code, kind, *(next(codes) for _ in range(3 if kind == "2" else 1))])
                ink, ground = (color, ground) if code == "38" else (ink, color)
            elif (code[-1:] in "01234567" and code[:-1] in {"3", "9"}) or code == "39":
                ink = code
            elif (code[-1:] in "01234567" and code[:-1] in {"4", "10"}) or code == "49":
                ground = code
            else:
                attributes |= {code}
        self.look = ink, ground, attributes
