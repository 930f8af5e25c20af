"""One histogram as horizontal bars: range, bar, count, share, and where p50 and p99 lie."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from ktop import format as fmt
from ktop.frame import Array
from ktop.pane import Unit
from ktop.stats import percentile, reached
from ktop.ui.blocks import Parts, bar, spread
from ktop.ui.charts.units import band
from ktop.ui.line_widget import Drawn
from ktop.ui.palette import Palette

_MARKS = (("p50", 0.50, "strong"), ("p99", 0.99, "hot"))


def trimmed(counts: Array, bounds: Array, rows: int) -> tuple[Array, Array]:
    """Return (bounds, counts) of at most ``rows`` bars, from the lowest to the highest slot in use.

    Where there are more slots than that, each bar is of as many as the others:
    else its length would tell of the merging.  No count is lost.  Empty when
    nothing was counted.
    """
    used = np.flatnonzero(counts)
    if len(used) == 0 or rows < 1:
        return np.zeros(0), np.zeros(0)
    first, last = int(used[0]), int(used[-1]) + 1
    # From multiples of the number on: a slot more in use moves no bar.
    each = next(each for each in itertools.count(1) if -(-last // each) - first // each <= rows)
    starts = np.arange(first - first % each, last, each)
    ends = np.minimum(starts + each, len(counts))
    return bounds[np.append(starts, ends[-1])], np.add.reduceat(counts[: ends[-1]], starts)


class Distribution(NamedTuple):
    """What was counted, and how it is called."""

    bounds: Array
    """(slots + 1,) in us."""
    counts: Array
    """(slots,)"""
    title: str
    """Escaped."""
    longest: float = np.inf
    """The largest value there was; interpolation within a slot goes no further."""


NOTHING = Distribution(np.zeros(0), np.zeros(0), "")


def lines_for(of: Distribution, most: int) -> int:
    """Return the lines that ``of`` has use for, its title among them, ``most`` at most."""
    _bounds, counts = trimmed(of.counts, of.bounds, most - 1)
    return 1 + max(len(counts), 1)


def bars(look: Palette, of: Distribution, width: int, height: int) -> list[Parts]:
    """Return the title line and the bars of ``of``, short values at the top."""
    title: Parts = [(of.title, look.style("strong"))]
    bounds, counts = trimmed(of.counts, of.bounds, height - 1)
    if not len(counts):
        return [title, [("nothing counted", look.style("muted"))]]
    marks = [
        (name, float(percentile(of.counts, of.bounds, q, of.longest)), color) for name, q, color in _MARKS
    ]
    total = float(counts.sum())
    legend: Parts = [(f"{fmt.count(total)} ", look.style("foreground")), ("in all", look.style("muted"))]
    for name, value, color in marks:
        legend += [("   ◂ ", look.style(color)), (f"{name} ", look.style("muted"))]
        legend += [(fmt.written(Unit.US, value), look.style("foreground"))]
    lines = [spread(title, [legend, legend[2:]], width)]
    labels = [band(Unit.US, *pair) for pair in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)]
    left = max(len(label) for label in labels)
    # By rank: the value may be the very bound that the next bar begins at.
    rows = reached(np.cumsum(counts), total * np.array([q for _, q, _ in _MARKS]))
    room = max(width - left - 1 - 18, 0)
    most = float(counts.max())
    for row, (label, number) in enumerate(zip(labels, counts.tolist(), strict=True)):
        parts: Parts = [
            (label.rjust(left) + " ", look.style("muted")),
            (bar(number / most, room), look.style("series-1", "chart")),
            (
                fmt.count(number).rjust(7) if number else "·".rjust(7),
                look.style("foreground" if number else "faint"),
            ),
            (fmt.percent(number / total).rjust(7) if number else " " * 7, look.style("muted")),
        ]
        parts += [
            ("  " * (not index) + "◂", look.style(marks[mark][2]))
            for index, mark in enumerate(np.flatnonzero(np.equal(rows, row)).tolist())
        ]
        lines.append(parts)
    return lines


class HistogramView(Drawn):
    """The bars under a title line with count and percentiles."""

    DEFAULT_CSS = "HistogramView { height: 10; }"

    def __init__(self) -> None:
        """Show nothing yet."""
        super().__init__()
        self._of = NOTHING

    def show(self, of: Distribution) -> None:
        """Show ``of``."""
        self._of = of
        self.redraw()

    def draw(self, look: Palette, width: int, height: int) -> list[Parts]:
        """Return the lines."""
        return bars(look, self._of, width, height)
