"""The Linux console, as on a server's own screen or behind its remote management: few glyphs.

Its fonts have 256, or 512.  The kernel's own (code page 437) and Debian's lack most of what
charts are made of, and show one box for all of it: what they lack becomes what both have.
"""

from __future__ import annotations

from collections.abc import Mapping

_SIMPLER = {
    "▁▂▏▎": "_",
    "▃▄▍▌": "░",
    "▅▆▋▊": "▒",
    "▇▓▉": "█",
    "▀": "▒",
    "━": "═",
    "╰": "└",
    "▾": "▼",
    "▴": "▲",
    "▸": "▶",
    "◂": "◀",
    "–": "-",
    "…": "»",  # not "~": before a slash that is somebody's home
    "‹": "<",
    "›": ">",
}
_DOTS = ((0, 3), (1, 4), (2, 5), (6, 7))
"""The bits of a braille pattern's dots, from its uppermost row down (Unicode, chapter 21.1)."""


def _stroke(dots: int) -> str:
    """Return what is most like a piece of a line in braille: a level of it, or a step between two."""
    rows = [row for row, (left, right) in enumerate(_DOTS) if dots >> left & 1 or dots >> right & 1]
    if not rows:
        return " "
    return "│" if rows[-1] - rows[0] > 1 else "'--_"[rows[-1] if rows[-1] == 3 else rows[0]]


SIMPLER = {
    **{ord(glyph): simple for glyphs, simple in _SIMPLER.items() for glyph in glyphs},
    **{0x2800 + dots: _stroke(dots) for dots in range(256)},
}
"""For str.translate; each takes one cell, as what it stands for."""


def glyphs(environ: Mapping[str, str]) -> Mapping[int, str] | None:
    """Return what to write for glyphs that the terminal of ``environ`` lacks; None where none is known to."""
    return SIMPLER if environ.get("TERM") == "linux" else None
