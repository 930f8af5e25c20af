"""One line a CPU: its 99th percentile over the last seconds, as a row of small bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.style import Style

from ktop.frame import Array, Frame
from ktop.pane import Unit
from ktop.ui.blocks import RISING, Parts, painted
from ktop.ui.charts import bins
from ktop.ui.charts.units import written
from ktop.ui.drawn import Drawn
from ktop.ui.palette import Palette

_VALUE = 8
_GAP = 3
_LEAST = 12
"""Cells of history below which a line is not worth a second column."""
FLOOR, CEILING = 10.0, 100_000.0
"""Microseconds at foot and top of the bars (log scale): fixed, so that a height always means the same."""
WARN, HOT = 1_000.0, 10_000.0
"""Microseconds from which a wait is felt by people's programs, and by people."""


@dataclass(frozen=True, slots=True)
class CpuHistory:
    """Percentiles by CPU (or group of neighbours) and column of time."""

    labels: tuple[str, ...]
    values: Array
    """float64, shape (labels, columns), microseconds; NaN where nothing was counted."""


def _percentiles(columns: Sequence[Sequence[Frame]], cpus: int, each: int, q: float) -> Array:
    """Return percentiles by group of ``each`` CPUs: float64, shape (groups, columns)."""
    histograms = [
        (index, h)
        for index, frames in enumerate(columns)
        for frame in frames
        for h in frame.histograms
        if h.cpu is not None
    ]
    if not histograms:
        return np.full((-(-cpus // each), len(columns)), np.nan)
    bounds = histograms[-1][1].bounds
    counts = np.zeros((-(-cpus // each), len(columns), len(bounds) - 1))
    for index, histogram in histograms:
        if len(histogram.counts) == counts.shape[2]:
            counts[(histogram.cpu or 0) // each, index] += histogram.counts
    longest = np.array([max(map(bins.longest, frames)) for frames in columns])
    return bins.percentiles(counts, bounds, longest, q)


class CpuPercentiles:
    """The history of one strip; what it once came to is not computed again."""

    def __init__(self, q: float = 0.99) -> None:
        """Know nothing yet of the ``q`` percentile."""
        self._q = q
        self._cpus = 0
        self._lines = 0
        self._known: dict[tuple[float, ...], Array] = {}
        """By the times of a column's Frames: float64, shape (labels,)."""

    def update(self, frames: Sequence[Frame], lines: int, merge: int = 1) -> CpuHistory:
        """Return the percentile by CPU over the time of ``frames``, in at most ``lines`` groups.

        ``merge`` intervals make one column, those that ``bins.columns`` has as one.

        CPUs that are too many are grouped with their neighbours, whose counts are
        added up; one once seen keeps its line.  A CPU on which nothing was counted
        has no histogram in that Frame.
        """
        columns = _columns(frames, merge)
        new = {times: column for times, column in columns.items() if times not in self._known}
        seen = [h.cpu for each in new.values() for frame in each for h in frame.histograms]
        most = max((cpu + 1 for cpu in seen if cpu is not None), default=0)
        if most > self._cpus or lines != self._lines:
            self._cpus, self._lines = max(most, self._cpus), lines
            self._known.clear()
            new = columns
        if not self._cpus or not frames or lines < 1:
            return CpuHistory((), np.zeros((0, len(columns))))
        each = -(-self._cpus // lines)
        known = self._known
        if new:
            values = _percentiles(list(new.values()), self._cpus, each, self._q)
            known |= {times: values[:, index] for index, times in enumerate(new)}
        self._known = {times: known[times] for times in columns}
        return CpuHistory(tuple(_labels(self._cpus, each)), np.stack(list(self._known.values()), axis=1))


def _columns(frames: Sequence[Frame], merge: int) -> dict[tuple[float, ...], list[Frame]]:
    """Return the Frames of each column, by their times."""
    columns: dict[int, list[Frame]] = {}
    for number, frame in zip(bins.numbers(frames, merge).tolist(), frames, strict=True):
        columns.setdefault(number, []).append(frame)
    return {tuple(frame.ts for frame in column): column for column in columns.values()}


def _labels(cpus: int, each: int) -> list[str]:
    if each == 1:
        return [f"cpu {cpu}" for cpu in range(cpus)]
    return [f"cpu {cpu}–{min(cpu + each, cpus) - 1}" for cpu in range(0, cpus, each)]


def heights(values: Array) -> Array:
    """Return bars of 1 to 8 eighths for ``values`` in microseconds on a fixed log scale; 0 for NaN."""
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.log(values / FLOOR) / np.log(CEILING / FLOOR)
    return np.where(np.isnan(values), 0, 1 + np.clip(np.nan_to_num(share) * 8, 0, 7)).astype(np.intp)


class CpuStrip(Drawn):
    """The strip; as many CPUs side by side as its size asks for."""

    DEFAULT_CSS = "CpuStrip { height: 3; }"

    def __init__(self, title: str = "p99 by CPU", *, id: str | None = None) -> None:  # noqa: A002
        """Draw under ``title`` (no title line when empty)."""
        super().__init__(id=id)
        self.title = title
        self._history = CpuPercentiles()
        self.cell_width = 1
        """Cells of a column where a CPU has the whole width."""
        self.merge = 1
        """Intervals in a column."""
        self._frames: Sequence[Frame] = ()

    def show(self, frames: Sequence[Frame]) -> None:
        """Show the histograms by CPU of ``frames``, oldest first."""
        self._frames = frames
        self.redraw()

    def draw(self, look: Palette, width: int, height: int) -> list[Parts]:
        """Return the title and a line for each CPU or group."""
        head: list[Parts] = [[(self.title, look.style("strong"))]] if self.title and height > 1 else []
        rows = height - len(head)
        frames = self._frames
        if not frames:
            return head
        most = max((width + _GAP) // (8 + _VALUE + _LEAST + _GAP), 1)
        history = self._history.update(frames, rows * most, self.merge)
        if not history.labels:
            return [*head, [("no CPU has anything to show", look.style("muted"))]]
        across = -(-len(history.labels) // rows)
        down = -(-len(history.labels) // across)
        each = (width - _GAP * (across - 1)) // across
        label = max(len(text) for text in history.labels)
        lines = []
        for row in range(down):
            parts: Parts = []
            for number in range(row, len(history.labels), down):
                parts += [(" " * _GAP if parts else "", None)]
                wide = self.cell_width if across == 1 else 1
                parts += self._one(
                    look, history.labels[number].ljust(label), history.values[number], each, wide
                )
            lines.append(parts)
        return head + lines

    def _one(self, look: Palette, label: str, values: Array, width: int, wide: int) -> Parts:
        room = max(width - len(label) - 1 - _VALUE, 0)
        bars = np.zeros(room, np.intp)
        recent = values[-(room // wide) :] if room >= wide else values[:0]
        if len(recent):
            state = (recent >= WARN).astype(np.intp) + (recent >= HOT)
            recent = np.repeat(state * len(RISING) + heights(recent), wide)
            bars[room - len(recent) :] = recent
        styles = [look.style(name, "chart") for name in ("muted", "warn", "hot")]

        def bar_of(cell: int) -> tuple[str, Style]:
            state, eighths = divmod(cell, len(RISING))
            return RISING[eighths], styles[state]

        last = float(values[-1])
        color = "hot" if last >= HOT else "warn" if last >= WARN else "foreground"
        # The bars end at the right edge, as the heatmap above does: the same moment stands below itself.
        return [
            (label, look.style("muted")),
            (written(Unit.US, last).rjust(_VALUE) + " ", look.style(color)),
            *painted(bars, bar_of),
        ]
