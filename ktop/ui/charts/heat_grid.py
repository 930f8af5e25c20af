"""The cells of a heatmap: how many of what length when, and where the percentiles are.  No terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ktop.frame import Array, Frame
from ktop.stats import bounded_percentile
from ktop.ui.charts import bins

HEAT_STEPS = 10


class Mark(NamedTuple):
    """A percentile drawn over the map."""

    name: str
    q: float
    glyph: str
    color: str


MARKS = (Mark("p50", 0.50, "─", "strong"), Mark("p95", 0.95, "─", "warn"), Mark("p99", 0.99, "━", "hot"))


class Cell(NamedTuple):
    """A place in the grid; row 0 is the lowest."""

    column: int
    row: int


class HeatGrid:
    """Counts by column (time) and row (a band of values on a log axis).

    Rows are lines of the screen; ``halves`` bands (1, or 2 with half blocks)
    share one line.
    """

    def __init__(self, longest: str = "") -> None:
        """Start empty; ``longest`` is the Heatmap's."""
        self._longest = longest
        self.axis = bins.Axis()
        self.columns = bins.NOTHING
        self._merge = 1
        self.rows = 0
        self.halves = 1
        self.top = 1.0
        """The count that the brightest step begins at."""
        self.percentiles: Array = np.zeros((len(MARKS), 0))
        """In the histograms' unit; shape (marks, columns), NaN for empty columns."""
        self._bands = bins.Bands(np.zeros(0, int), np.zeros(0, int), np.zeros(0))
        self._fitted = (0.0, 0.0, 0, 0)
        """Ends of the axis, rows and halves that the following are for; all of shape (columns, bands)."""
        self._dense: Array = np.zeros((0, 0))
        self._steps: Array = np.zeros((0, 0), int)
        self._over: Array = np.zeros((0, 0), int)

    def __bool__(self) -> bool:
        """Return whether there is anything to draw."""
        return bool(self._steps.size)

    def fit(self, frames: Sequence[Frame], columns: int, rows: int, *, halves: int, merge: int = 1) -> None:
        """Make the cells of the newest of ``frames``, ``merge`` intervals to a column; known ones stay."""
        before = self.columns if merge == self._merge else bins.NOTHING
        if merge == 1:
            data, kept = bins.follow(before, frames, columns, self._longest)
        else:  # the newest column grows
            data, kept = bins.columns(frames, columns, merge, self._longest), slice(0, 0)
        self.columns, self._merge = data, merge
        self.rows, self.halves = rows, halves
        seen = bins.extent(data.counts, data.bounds)
        if seen is None or rows < 1:
            self._dense, self._steps = np.zeros((0, 0)), np.zeros((0, 0), int)
            self.percentiles = np.zeros((len(MARKS), 0))
            return
        self.axis.cover(*seen)
        fitted = (self.axis.low, self.axis.high, rows, halves)
        if kept.start == kept.stop or fitted != self._fitted or len(self._dense) != len(before):
            self._fitted, kept = fitted, slice(0, 0)
            self._bands = bins.bands(data.bounds, self.axis.low, self.axis.high, rows * halves)
            self._dense = np.zeros((0, rows * halves))
            self._steps, self._over = self._dense.astype(int), self._dense.astype(int)
            self.percentiles = np.zeros((len(MARKS), 0))
        self._add(data.part(slice(kept.stop - kept.start, None)), kept)

    def _add(self, new: bins.Columns, kept: slice) -> None:
        """Append cells for ``new`` columns to those that are ``kept``."""
        # Bands are not all of the same height: colour says how dense they are.
        dense = bins.merged(new.counts, self._bands) * self._bands.share
        self._dense = np.concatenate([self._dense[kept], dense])
        top = bins.top(self._dense)
        if top == self.top:
            self._steps = np.concatenate([self._steps[kept], bins.levels(dense, HEAT_STEPS, top)])
        else:
            self.top, self._steps = top, bins.levels(self._dense, HEAT_STEPS, top)
        marks = bounded_percentile(new.counts, new.bounds, new.longest, [mark.q for mark in MARKS])
        self.percentiles = np.concatenate([self.percentiles[:, kept], marks], axis=1)
        over = np.zeros(dense.shape, int)
        bands = bins.place(marks, self.axis.low, self.axis.high, dense.shape[1])
        for number, band in enumerate(bands, start=1):
            over[np.flatnonzero(band >= 0), band[band >= 0]] = number
        self._over = np.concatenate([self._over[kept], over])

    def cells(self) -> tuple[Array, Array, Array]:
        """Return the steps of the upper and lower halves of all cells and their marks (0 for none).

        Each intp, shape (rows, columns).  Where there is a mark, both are the step of the half that it is in.
        """
        lower, upper = self._steps.T[:: self.halves], self._steps.T[self.halves - 1 :: self.halves]
        above = self._over.T[self.halves - 1 :: self.halves]
        over = np.maximum(self._over.T[:: self.halves], above)
        half = np.where(above == over, upper, lower)
        return np.where(over > 0, half, upper), np.where(over > 0, half, lower), over

    def band(self, cell: Cell) -> tuple[float, float, int]:
        """Return the bounds of a cell and how many were counted between them."""
        first = int(self._bands.first[cell.row * self.halves])
        last = int(self._bands.last[cell.row * self.halves + self.halves - 1])
        bounds = self.columns.bounds
        number = int(self.columns.counts[cell.column, first:last].sum())
        return float(bounds[first]), float(bounds[last]), number

    def total(self, column: int) -> int:
        """Return how many were counted in a column."""
        return int(self.columns.counts[column].sum())

    def row_of(self, value: float) -> int:
        """Return the row that ``value`` lies in, the nearest if it is off the axis."""
        return max(int(bins.place(value, self.axis.low, self.axis.high, self.rows)), 0)

    def value_of(self, row: int) -> float:
        """Return the value in the middle of a row."""
        return self.axis.low * math.pow(self.axis.high / self.axis.low, (row + 0.5) / self.rows)

    def column_of(self, ts: float | None) -> int:
        """Return the column of that Unix time, the oldest if it is past, the newest for None."""
        last = len(self.columns) - 1
        return last if ts is None else min(int(np.searchsorted(self.columns.ts, ts - 1e-6)), last)

    def ticks(self) -> dict[int, float]:
        """Return round values by the row that they lie in."""
        values = bins.ticks(self.axis.low, self.axis.high)
        rows = bins.place(np.array(values), self.axis.low, self.axis.high, self.rows).tolist()
        marks: dict[int, float] = {}
        for row, value in zip(rows, values, strict=True):
            marks.setdefault(row, value)
        return marks
