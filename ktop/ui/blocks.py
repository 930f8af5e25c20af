"""Glyphs that charts are made of, and runs of cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias, TypeVar

import numpy as np
from rich.cells import cell_len
from rich.style import Style

from ktop.frame import Array
from ktop.text import fit

S = TypeVar("S")

Parts: TypeAlias = list[tuple[str, Style | None]]
"""Pieces of a line, each with its style."""

UPPER_HALF = "▀"
DENSITY = " ·░░▒▒▒▓▓██"
"""Glyphs for steps 0 to 10 of a heat ramp, where colours cannot be relied on."""
RISING = " ▁▂▃▄▅▆▇█"
"""Bars of 0 to 8 eighths of a cell's height."""
_GROWING = " ▏▎▍▌▋▊▉"


def bar(share: float, width: int) -> str:
    """Return a horizontal bar of ``share`` (0 to 1) of ``width`` cells, padded to it.

    In eighths of a cell; what is not 0 is never drawn as nothing.  NaN is empty.
    """
    if not share > 0 or width < 1:
        return " " * max(width, 0)
    eighths = min(max(round(share * width * 8), 1), width * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_GROWING[rest] if rest else "")).ljust(width)


def rising(share: float) -> str:
    """Return one vertical bar of ``share`` (0 to 1); what is not 0 is never drawn as nothing."""
    if not share > 0:
        return RISING[0]
    return RISING[min(max(round(share * 8), 1), 8)]


def runs(codes: Array) -> Iterator[tuple[int, int]]:
    """Yield (code, length) for each run of equal ``codes`` (integers, one-dimensional)."""
    if len(codes) == 0:
        return
    last = np.flatnonzero(codes[1:] != codes[:-1])
    stops = [*(last + 1).tolist(), len(codes)]
    begin = 0
    for code, stop in zip([*codes[last].tolist(), int(codes[-1])], stops, strict=True):
        yield code, stop - begin
        begin = stop


def painted(codes: Array, look: Callable[[int], tuple[str, Style]], cell_width: int = 1) -> Parts:
    """Return a row of cells, each ``cell_width`` wide, drawn as ``look(code)`` says."""
    parts: Parts = []
    for code, length in runs(codes):
        glyph, style = look(code)
        parts.append((glyph * (length * cell_width), style))
    return parts


def cells(parts: Iterable[tuple[str, object]]) -> int:
    """Return how many cells ``parts`` (text, style) take."""
    size = 0
    for text, _ in parts:
        size += len(text) if text.isascii() else cell_len(text)
    return size


def cut(parts: Sequence[tuple[str, S]], width: int) -> list[tuple[str, S]]:
    """Return ``parts`` in ``width`` cells at most; ``…`` marks a cut."""
    if cells(parts) <= width:
        return list(parts)
    out = []
    for text, style in parts:
        size = cell_len(text)
        if size >= width:
            out.append((fit(text + " ", width), style))
            break
        out.append((text, style))
        width -= size
    return out


def ends(left: Parts, right: Parts, width: int) -> Parts:
    """Return one line with ``left`` and ``right`` at its ends.

    ``left`` is cut when there is no room for both: the right end names states
    (paused, interval) that must not get lost.
    """
    right = cut(right, width)
    room = width - cells(right)
    # One blank at least between the two.
    left = cut(left, max(room - 1, 0) if right else room)
    return [*left, (" " * (room - cells(left)), None), *right]


def spread(left: Parts, rights: Sequence[Parts], width: int) -> Parts:
    """Return one line with ``left`` and, at its end, the first of ``rights`` that still fits."""
    for right in rights:
        gap = width - cells(left) - cells(right)
        if gap >= 2:
            return [*left, (" " * gap, None), *right]
    return left
