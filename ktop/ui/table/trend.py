"""Beside the rows of a table, where there is room: the column sorted by, over the last samples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ktop.frame import Array, Frame, Rows, take
from ktop.pane import Pane
from ktop.tables.trend import has_trend, trend
from ktop.ui.charts import time_axis

MOST_FRAMES = 60
LEAST = 24
"""Cells below which it is left out."""
GAP = "   "
_GLYPHS = np.array(list(" ▁▂▃▄▅▆▇"))
"""Not "█" too: bars of neighbouring rows would run into each other."""
HELP = "The column sorted by, per second of each of the last samples: from 0 up, each row on its own scale."


class Trend:
    """Small bars, one a sample, each row on its own scale; made for the rows on the screen alone."""

    def __init__(self, pane: Pane) -> None:
        """Know no samples of ``pane`` yet."""
        self._pane = pane
        self._frames: Sequence[Frame] = ()
        self._now = 0.0
        self._totals = False
        self._name = pane.sort
        self._columns = 0
        self._wide = 1
        self._texts: dict[int, str] = {}
        """By the position of the row."""

    def show(self, frames: Sequence[Frame], now: float, *, totals: bool) -> None:
        """Show ``frames``, oldest first, ages from ``now``; ``totals``: a row is several of theirs."""
        self._frames, self._now, self._totals = frames[-MOST_FRAMES:], now, totals

    def age(self, now: float) -> None:
        """Count ages from ``now``."""
        self._now = now

    def fit(self, name: str, room: int) -> None:
        """Show the column ``name`` in ``room`` cells; nothing where these are few, or it is no figure."""
        self._texts.clear()
        room -= len(GAP)
        # What totals count besides, samples do not have.
        shown = room >= LEAST and len(self._frames) > 1 and name in self._frames[-1].rows
        if not shown or not has_trend(self._pane.column(name), totals=self._totals):
            self._columns = 0
            return
        self._name, self._wide = name, 2 if room >= 2 * MOST_FRAMES else 1
        self._columns = min(room // self._wide, MOST_FRAMES)

    @property
    def width(self) -> int:
        """Cells that it takes, with those before it; 0: it is not shown."""
        return len(GAP) + self._columns * self._wide if self._columns else 0

    def header(self) -> str:
        """Return what stands above: the ages of the samples, and where there is room the column's title.

        The title begins where the bars do, or further left where their first age needs the room; where
        there is none it takes the place of that age: bars of nobody knows what say nothing.
        """
        ts = np.array([frame.ts for frame in self._frames[-self._columns :]])
        ages = time_axis.labels(ts, self._now, self._columns, self._wide)
        title = self._pane.column(self._name).title
        blank = len(ages) - len(ages.lstrip())
        if blank <= len(title):
            # The oldest are next to each other only where there is hardly any room.
            _, after, rest = ages.lstrip().partition(" ")
            ages = (after + rest).rjust(len(ages))
            blank = len(ages) - len(ages.lstrip())
        x = min((self._columns - len(ts)) * self._wide, blank - 1 - len(title))
        return GAP + (ages[:x] + title + ages[x + len(title) :] if x >= 0 else ages)

    def text(self, rows: Rows, position: int, on_screen: Sequence[int]) -> str:
        """Return the bars of the row at ``position``, and make those of all ``on_screen`` meanwhile."""
        if position not in self._texts:
            places = list(dict.fromkeys([position, *on_screen]))
            frames = self._frames[-self._columns :]
            shown = take(rows, np.array(places))
            values = trend(self._pane, shown, frames, self._name, totals=self._totals)
            for place, text in zip(places, bars(values, self._wide), strict=True):
                self._texts[place] = text.rjust(self.width)
        return self._texts[position]


def bars(values: Array, wide: int) -> list[str]:
    """Return a line for each of ``values`` (rows, samples) on its own scale; blank where NaN or nothing."""
    known = np.maximum(np.nan_to_num(values), 0.0)
    peak = np.maximum(known.max(axis=1, keepdims=True), 1e-300)
    eighths = np.where(known > 0, 1 + np.minimum((known / peak * 7).astype(np.intp), 6), 0)
    # All lines at once: a character at a time it would be most of what a tick costs.
    glyphs = np.ascontiguousarray(np.repeat(_GLYPHS[eighths], wide, axis=1))
    lines: list[str] = glyphs.view(f"U{glyphs.shape[1]}")[:, 0].tolist()
    return lines
