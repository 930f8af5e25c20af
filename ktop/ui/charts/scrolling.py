"""Charts of what comes each second, which stand still for most of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

import numpy as np
from rich.segment import Segment
from rich.style import Style

from ktop.frame import Array, Frame
from ktop.ui.blocks import painted

_COLUMNS, _CELLS, _SHARE = 8, 16, 8
"""A chart moves on by so many columns and cells at most, and by no more than such a part of its width."""


def at_once(cell_width: int, room: int) -> int:
    """Return by how many columns a chart with ``room`` for so many of that width moves on.

    If it did so with each interval, all of it would be drawn and sent anew each time, and nothing in it
    could be looked at for longer.
    """
    return max(min(_COLUMNS, _CELLS // cell_width, room // _SHARE), 1)


class Pace:
    """How many of the newest columns are still to come: room that is left free at the right end."""

    def __init__(self) -> None:
        """Begin at the right end."""
        self._frames: Sequence[Frame] = ()
        self._free = 0

    def free(self, frames: Sequence[Frame], columns: int) -> int:
        """Return how many columns are free now that it is ``frames``; it moves on by so many ``columns``."""
        if frames and self._frames:
            came = later(frames, self._frames[-1].ts) - later(self._frames, frames[-1].ts)
            self._free = (self._free - came) % columns
        self._frames = frames
        return self._free


def later(frames: Sequence[Frame], ts: float) -> int:
    """Return how many of ``frames`` are later than ``ts``."""
    return len(frames) - bisect_right(frames, ts, key=lambda frame: frame.ts)


def of_moment(frames: Sequence[Frame], at: float) -> Frame:
    """Return the newest of ``frames`` (one at least) that is not later than ``at``; else the oldest."""
    return next((frame for frame in reversed(frames) if frame.ts <= at), frames[0])


def page(frames: Sequence[Frame], at: float | None, room: int) -> Sequence[Frame]:
    """Return ``frames``, or the older ones of them that have the moment ``at`` among their newest ``room``.

    They are turned by half of the room at once: the chart stands still while the moment moves in it.
    """
    if at is None or room < 2:
        return frames
    half = room // 2
    pages = -(-(later(frames, at) - room + 1) // half)
    return frames[: max(len(frames) - pages * half, room)] if pages > 0 else frames


class MovingCells:
    """Makes the segments of rows of cells, and remembers the last ones of each row."""

    def __init__(
        self,
        look: Callable[[int], tuple[str, Style]],
        cell_width: int,
        ground: Callable[[Style | None], Style],
    ) -> None:
        """Draw each code as ``look`` says, in a glyph of one cell, ``cell_width`` times, on ``ground``."""
        self._look = look
        self._cell_width = cell_width
        self._ground = ground
        self._codes: Array = np.zeros((0, 0))
        self._rows: list[list[Segment]] = []

    def rows(self, codes: Array) -> list[list[Segment]]:
        """Return the cells of each row of ``codes`` (rows, columns; oldest first).

        A row that is the same is the same list, and what it begins with are the same segments.
        """
        if codes.shape != self._codes.shape:
            differs = np.ones(codes.shape, bool)
            self._rows = [[] for _ in codes]
        else:
            differs = codes != self._codes
        self._codes = codes
        columns = codes.shape[1]
        # Mostly it is a new cell near the end.
        for row in np.flatnonzero(differs.any(axis=1)).tolist():
            first = int(differs[row].argmax())
            segments = _without(self._rows[row], (columns - first) * self._cell_width)
            parts = painted(codes[row, first:], self._look, self._cell_width)
            self._rows[row] = segments + [Segment(text, self._ground(style)) for text, style in parts]
        return self._rows


def _without(segments: Sequence[Segment], cells: int) -> list[Segment]:
    """Return ``segments`` without the last ``cells``, whose glyphs are one cell each."""
    kept = list(segments)
    while kept and cells > 0:
        text, style, _control = kept.pop()
        if len(text) > cells:
            kept.append(Segment(text[:-cells], style))
        cells -= len(text)
    return kept
