"""The Escape key, and what was typed right after it: two keys.

A terminal sends an escape character for the key, and at the head of the
sequences of others.  Over a slow line keys come together, and Textual takes
Escape and the next for one with Alt: of "Esc 2" nothing was left.  ktop has no
keys with Alt.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

ESCAPE = "\x1b"
_ALONE = re.compile(r"\x1b(?![][O\\P_^X\x1b])")
"""Not followed by what makes a sequence of it, or the end of one: CSI, OSC, SS3, ST, DCS, APC, PM, SOS."""


class EscapeKeys:
    """Tells the key from sequences, wherever the input is cut."""

    def __init__(self) -> None:
        """Begin with nothing held."""
        self.waiting = False
        """Whether the input ended with an escape character: what comes next tells what it was."""

    def pieces(self, text: str) -> Iterator[str]:
        """Yield ``text`` in pieces; one that is ESCAPE and no more is the key."""
        text = ESCAPE * self.waiting + text
        self.waiting = text.endswith(ESCAPE)
        begin = 0
        for found in _ALONE.finditer(text, 0, len(text) - self.waiting):
            # Not the one at the end, which is looked at together with what follows.
            if found.start() > begin:
                yield text[begin : found.start()]
            yield ESCAPE
            begin = found.end()
        if begin < len(text) - self.waiting:
            yield text[begin : len(text) - self.waiting]

    def nothing_came(self) -> Iterator[str]:
        """Yield the key, if that is what was waited for."""
        if self.waiting:
            self.waiting = False
            yield ESCAPE
