"""One line a CPU: its 99th percentile over the last seconds, as a row of small bars."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from ktop.format import written
from ktop.frame import Array, Frame, largest
from ktop.pane import Unit
from ktop.stats import bounded_percentile
from ktop.ui.blocks import RISING, Parts
from ktop.ui.charts import bins
from ktop.ui.charts.scrolling import MovingCells, at_once, of_moment, page
from ktop.ui.line_widget import Drawn, Finished
from ktop.ui.palette import Palette

_VALUE = 8
_GAP = 3
TO = "–"
_AT_ONCE = 4096
"""Histograms whose percentiles are found together: of that many the counts are 9 MB."""
_LEAST = 12
"""Cells of history below which a line is not worth a second column."""
FLOOR, CEILING = 10.0, 100_000.0
"""Microseconds at foot and top of the bars (log scale): fixed, so that a height always means the same."""
WARN, HOT = 1_000.0, 10_000.0
"""Microseconds from which a wait is felt by people's programs, and by people."""


Whole: TypeAlias = Callable[[Sequence[Frame]], Sequence[Frame]]
"""Returns the same Frames with their histograms by CPU."""


@dataclass(frozen=True, slots=True)
class CpuHistory:
    """Percentiles by CPU (or group of neighbours, of which the highest) and column of time."""

    labels: tuple[str, ...]
    """Those of groups have TO in them."""
    values: Array
    """float64, shape (labels, columns), microseconds; NaN where nothing was counted."""


def _percentiles(columns: Sequence[Sequence[Frame]], cpus: int, each: int, longest: str) -> Array:
    """Return the highest p99 in each group of ``each`` CPUs: float64, shape (groups, columns).

    Not that of all their waits: a CPU that somebody holds has few and long ones, which are none of 99 in 100.
    """
    if not cpus or not columns:
        return np.full((-(-cpus // each), len(columns)), np.nan)
    some = max(_AT_ONCE // cpus, 1)
    parts = [columns[begin : begin + some] for begin in range(0, len(columns), some)]
    values = np.concatenate([_by_cpu(part, cpus, longest) for part in parts], axis=1)
    highest: Array = np.fmax.reduceat(values, np.arange(0, cpus, each), axis=0)
    return highest


def _by_cpu(columns: Sequence[Sequence[Frame]], cpus: int, longest: str) -> Array:
    """Return the p99 of each CPU: float64, shape (cpus, columns)."""
    histograms = [
        (index, h)
        for index, frames in enumerate(columns)
        for frame in frames
        for h in frame.histograms
        if h.cpu is not None
    ]
    if not histograms:
        return np.full((cpus, len(columns)), np.nan)
    bounds = histograms[-1][1].bounds
    counts = np.zeros((cpus, len(columns), len(bounds) - 1))
    for index, histogram in histograms:
        if len(histogram.counts) == counts.shape[2]:
            counts[histogram.cpu or 0, index] += histogram.counts
    most = np.array([max(largest(frame, longest) for frame in frames) for frames in columns])
    return bounded_percentile(counts, bounds, most, 0.99)


class CpuPercentiles:
    """The history of one strip; what it once came to is not computed again."""

    def __init__(self, longest: str = "") -> None:
        """Know nothing yet; ``longest`` is the Heatmap's."""
        self._longest = longest
        self._cpus = 0
        self._lines = 0
        self._times: Array = np.zeros((2, 0))
        """Of the first and of the last Frame of each column."""
        self._values: Array = np.zeros((0, 0))
        """float64, shape (labels, columns)."""

    def update(
        self, frames: Sequence[Frame], lines: int, merge: int = 1, whole: Whole = lambda frames: frames
    ) -> CpuHistory:
        """Return the percentile by CPU over the time of ``frames``, in at most ``lines`` groups.

        ``merge`` intervals make one column, those that ``bins.columns`` has as one.
        ``whole`` gives their histograms by CPU to those of them that have none any
        more; it is asked for what is not known yet.

        CPUs that are too many are grouped with their neighbours, of which the highest
        percentile is shown; one once seen keeps its line.  A CPU on which nothing was
        counted has no histogram in that Frame.
        """
        if not frames or lines < 1:
            return CpuHistory((), np.zeros((0, 0)))
        starts = np.flatnonzero(np.diff(bins.numbers(frames, merge), prepend=-1))
        columns = [frames[first:end] for first, end in pairwise([*starts.tolist(), len(frames)])]
        times = np.array([[column[end].ts for column in columns] for end in (0, -1)])
        # What is looked at can begin later than before, or earlier: a step back in time.
        earlier = int(np.searchsorted(times[0], self._times[0, 0])) if self._times.size else 0
        kept = bins.known(self._times, times[:, earlier:])
        new = _whole([*columns[:earlier], *columns[earlier + kept.stop - kept.start :]], whole)
        seen = [h.cpu for column in new for frame in column for h in frame.histograms if h.cpu is not None]
        most = max(self._cpus, *(cpu + 1 for cpu in seen), 0)
        each = max(-(-most // lines), 1)
        labels = tuple(_labels(most, each))
        if (most, lines) != (self._cpus, self._lines):
            self._cpus, self._lines, self._values = most, lines, np.zeros((len(labels), 0))
            kept, new = slice(0, 0), new if len(new) == len(columns) else _whole(columns, whole)
        fresh = _percentiles(new, most, each, self._longest)
        parts = fresh[:, :earlier], self._values[:, kept], fresh[:, earlier:]
        self._times, self._values = times, np.concatenate(parts, axis=1)
        return CpuHistory(labels, self._values)

    def of(self, frame: Frame) -> Array:
        """Return the percentile in one Frame, by the labels of the last update: float64, shape (labels,)."""
        each = max(-(-self._cpus // self._lines), 1)
        return _percentiles([[frame]], self._cpus, each, self._longest)[:, 0]


def _whole(columns: Sequence[Sequence[Frame]], whole: Whole) -> Sequence[Sequence[Frame]]:
    """Return ``columns`` with what ``whole`` knows of their Frames."""
    found = iter(whole([frame for column in columns for frame in column]))
    return [[next(found) for _ in column] for column in columns]


def _labels(cpus: int, each: int) -> list[str]:
    groups = ((first, min(first + each, cpus) - 1) for first in range(0, cpus, each))
    return [f"cpu {first}" if first == last else f"cpu {first}{TO}{last}" for first, last in groups]


def heights(values: Array) -> Array:
    """Return bars of 1 to 8 eighths for ``values`` in microseconds on a fixed log scale; 0 for NaN."""
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.log(values / FLOOR) / np.log(CEILING / FLOOR)
    return np.where(np.isnan(values), 0, 1 + np.clip(np.nan_to_num(share) * 8, 0, 7)).astype(np.intp)


class CpuStrip(Drawn):
    """The strip; as many CPUs side by side as its size asks for."""

    DEFAULT_CSS = "CpuStrip { height: 3; }"

    def __init__(self, title: str = "p99 by CPU", *, longest: str = "", id: str | None = None) -> None:  # noqa: A002 - Textual's name
        """Draw under ``title`` (no title line when empty); ``longest`` is the Heatmap's."""
        super().__init__(id=id)
        self.title = title
        self._history = CpuPercentiles(longest=longest)
        self.cell_width = 1
        """Cells of a column where a CPU has the whole width."""
        self.merge = 1
        """Intervals in a column."""
        self.free = 0
        """Columns at the right end that are still to come."""
        self.room = 0
        """Columns of the map in which the moment is in sight."""
        self._columns = 0
        """Columns beside each CPU, where they are fewer."""
        self._frames: Sequence[Frame] = ()
        self._moment: float | None = None
        self._whole: Whole = lambda frames: frames
        self._cells: MovingCells | None = None
        self._cells_for: tuple[Any, ...] = ()

    def show(
        self,
        frames: Sequence[Frame],
        whole: Whole = lambda frames: frames,
        moment: float | None = None,
    ) -> None:
        """Show the histograms by CPU of ``frames``, oldest first; ``whole`` as in CpuPercentiles.

        ``moment``: the Unix time of the one that the figures are of, if that is not the newest.
        """
        self._frames, self._whole, self._moment = frames, whole, moment
        self.redraw()

    def draw(self, look: Palette, width: int, height: int) -> list[Parts | Strip]:
        """Return the title and a line for each CPU or group."""
        head: list[Parts | Strip] = (
            [[(self.title, look.style("strong"))]] if self.title and height > 1 else []
        )
        rows = height - len(head)
        # Two columns of CPUs have one cell for an interval, and half the width.
        room = min(self.room, self._columns or self.room) * self.merge
        frames = bins.newest(
            page(self._frames, self._moment, room), width // min(self.cell_width, 2), self.merge
        )
        if not frames:
            return head
        # Without a title each line says what its figure is.
        called = "" if self.title else " p99"
        most = max((width + _GAP) // (8 + len(called) + _VALUE + _LEAST + _GAP), 1)
        history = self._history.update(frames, rows * most, self.merge, self._whole)
        if not history.labels:
            return [*head, [("no CPU has anything to show", look.style("muted"))]]
        across = -(-len(history.labels) // rows)
        down = -(-len(history.labels) // across)
        each = (width - _GAP * (across - 1)) // across
        label = max(len(text) for text in history.labels)
        wide = self.cell_width if across == 1 else 1
        columns, edge = divmod(max(each - label - len(called) - 1 - _VALUE, 0), wide)
        # One line for a CPU below the map has the map's columns, and shows the page that the map shows.
        own = 0 if across == 1 and columns >= self.room else columns
        if self._moment is not None and own != self._columns:
            self._columns = own
            return self.draw(look, width, height)
        self._columns = own
        figures = self._figures(history)
        cells_for = (look, wide, self.ground(None))
        if self._cells is None or cells_for != self._cells_for:
            self._cells, self._cells_for = MovingCells(_looks(look), wide, self.ground), cells_for
        # Below the map the same moment stands below itself; CPUs side by side have less room than it has.
        free = min(self.free, columns) if across == 1 else self.free % at_once(wide, columns)
        codes = _codes(history.values, columns, free)
        bars = self._cells.rows(codes)
        lines: list[Parts | Strip] = []
        for row in range(down):
            segments: list[Segment] = []
            for number in range(row, len(history.labels), down):
                gap = " " * _GAP if segments else ""
                title = gap + history.labels[number].ljust(label) + called
                # No CPU of a group has a higher one.
                bound = "≤" if TO in history.labels[number] else ""
                figure = self._figure(look, title, float(figures[number]), bound, edge)
                segments += [Segment(text, self.ground(style)) for text, style in figure if text]
                segments += bars[number]
            lines.append(self._line(segments, width))
        return head + lines

    def _figures(self, history: CpuHistory) -> Array:
        """Return the values of the moment: of its very Frame, where a column is several or not in sight."""
        if self._moment is None:
            return history.values[:, -1]
        return self._history.of(self._whole([of_moment(self._frames, self._moment)])[0])

    @staticmethod
    def _figure(look: Palette, title: str, last: float, bound: str, edge: int) -> Parts:
        """Return what stands before the bars, ``bound`` before a figure, and ``edge`` cells of nothing."""
        figure = written(Unit.US, last)
        if not math.isnan(last):
            figure = bound + figure
        color = "hot" if last >= HOT else "warn" if last >= WARN else "foreground"
        return [
            (title, look.style("muted")),
            (figure.rjust(_VALUE) + " ", look.style(color)),
            # The bars end at the right edge, as the heatmap above does: the same moment stands below itself.
            (" " * edge, look.style("muted", "chart")),
        ]

    def _line(self, segments: list[Segment], width: int) -> Parts | Strip:
        blank = width - sum(len(segment.text) for segment in segments)
        if blank < 0:
            return [(segment.text, segment.style) for segment in segments]
        if blank:
            segments.append(Segment(" " * blank, self.ground(None)))
        return Finished(segments, width)


def _codes(values: Array, columns: int, free: int) -> Array:
    """Return a number for each bar of ``values`` (CPUs, columns), at the end of ``columns``; 0 is none.

    The last ``free`` ones stay empty.
    """
    end = columns - free
    recent = values[:, -end:] if end else values[:, :0]
    state = (recent >= WARN).astype(np.uint16) + (recent >= HOT)
    codes = np.zeros((len(values), columns), np.uint16)
    codes[:, end - recent.shape[1] : end] = state * len(RISING) + heights(recent)
    return codes


def _looks(look: Palette) -> Callable[[int], tuple[str, Style]]:
    """Return the function from a number of ``_codes`` to its bar."""
    styles = [look.style(name, "chart") for name in ("muted", "warn", "hot")]

    def bar_of(code: int) -> tuple[str, Style]:
        state, eighths = divmod(code, len(RISING))
        return RISING[eighths], styles[state]

    return bar_of
