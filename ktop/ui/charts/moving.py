"""Rows of cells that move on in time: what stays is not made anew."""

from __future__ import annotations

from collections.abc import Callable

from rich.segment import Segment
from rich.style import Style

from ktop.frame import Array
from ktop.ui.blocks import painted


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
        self._rows: dict[int, tuple[bytes, list[Segment]]] = {}

    def segments(self, row: int, codes: Array) -> list[Segment]:
        """Return the cells of a row (one-dimensional, oldest first); the same list if they are the same."""
        before, segments = self._rows.get(row, (b"", []))
        now = codes.tobytes()
        if before != now:
            # Mostly the row of before without its oldest cell, and with a new one.
            if len(before) == len(now) and before[codes.itemsize :] == now[: -codes.itemsize]:
                segments = self._moved_on(segments, int(codes[-1]))
            else:
                parts = painted(codes, self._look, self._cell_width)
                segments = [Segment(text, self._ground(style)) for text, style in parts]
            self._rows[row] = now, segments
        return segments

    def _moved_on(self, segments: list[Segment], code: int) -> list[Segment]:
        first, *rest = segments
        left = first.text[self._cell_width :]
        moved = [Segment(left, first.style), *rest] if left else rest
        glyph, style = self._look(code)
        new = Segment(glyph * self._cell_width, self._ground(style))
        if moved and moved[-1].style is new.style and moved[-1].text[-1] == glyph:
            new = Segment(moved.pop().text + new.text, new.style)
        return [*moved, new]
