"""From the slots of histograms over time to the rows and columns of a chart.  numpy only, pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ktop.frame import Array, Frame, largest
from ktop.stats import distinct


@dataclass(frozen=True, slots=True)
class Columns:
    """Histograms side by side, oldest first."""

    bounds: Array
    """float64, shape (slots + 1,); empty when no Frame had a histogram."""
    counts: Array
    """float64, shape (columns, slots)."""
    ts: Array
    """float64, shape (columns,): Unix time at the end of the column's last Frame."""
    longest: Array
    """float64, shape (columns,): the largest value there was; infinity where that is not known."""

    def __len__(self) -> int:
        """Return the number of columns."""
        return len(self.ts)

    def part(self, which: slice) -> Columns:
        """Return some of the columns."""
        return Columns(self.bounds, self.counts[which], self.ts[which], self.longest[which])


NOTHING = Columns(np.zeros(0), np.zeros((0, 0)), np.zeros(0), np.zeros(0))


def columns(frames: Sequence[Frame], limit: int, merge: int = 1, longest: str = "") -> Columns:
    """Return the newest ``limit`` columns of the histograms over all CPUs in ``frames``.

    ``merge``: so many intervals make one column.  Columns are cut at multiples
    of that time, not from the newest Frame: otherwise all of them would change
    with each Frame that comes.  A Frame without a histogram is an empty column.
    ``longest`` is the Heatmap's.
    """
    frames = newest(frames, limit, merge)
    if not frames:
        return NOTHING
    whose = numbers(frames, merge)
    bounds = next(
        (h.bounds for frame in reversed(frames) for h in frame.histograms if h.cpu is None), NOTHING.bounds
    )
    counts = np.zeros((int(whose[-1]) + 1, max(len(bounds) - 1, 0)))
    ts, most = np.zeros(len(counts)), np.zeros(len(counts))
    for column, frame in zip(whose, frames, strict=True):
        ts[column] = frame.ts
        most[column] = max(most[column], largest(frame, longest))
        for histogram in frame.histograms:
            if histogram.cpu is None and len(histogram.counts) == counts.shape[1]:
                counts[column] += histogram.counts
    return Columns(bounds, counts, ts, most)


def newest(frames: Sequence[Frame], limit: int, merge: int = 1) -> Sequence[Frame]:
    """Return the Frames of the newest ``limit`` columns, each of them whole; see ``columns``."""
    if not frames or limit < 1:
        return ()
    whose = numbers(frames, merge)
    return frames[int(np.searchsorted(whose, whose[-1] - limit + 1)) :]


def follow(before: Columns, frames: Sequence[Frame], limit: int, longest: str = "") -> tuple[Columns, slice]:
    """Return ``columns(frames, limit, 1, longest)``, and which columns of ``before`` it begins with.

    Those are taken from there: from one interval to the next all but one are.
    """
    frames = frames[-limit:] if limit > 0 else ()
    kept = known(before.ts, np.array([frame.ts for frame in frames]))
    old, new = before.part(kept), columns(frames[kept.stop - kept.start :], limit, 1, longest)
    if not len(old):
        return new, kept
    # The newest histogram's bounds are those of all.
    if kept.stop < len(before) or (len(new) and not np.array_equal(old.bounds, new.bounds)):
        return columns(frames, limit, 1, longest), slice(0, 0)
    if not len(new):
        return old, kept
    both = ((old.counts, new.counts), (old.ts, new.ts), (old.longest, new.longest))
    return Columns(old.bounds, *map(np.concatenate, both)), kept


def known(before: Array, now: Array) -> slice:
    """Return which columns of ``before`` those of ``now`` begin with; both are times, on the last axis."""
    before, now = np.atleast_2d(before), np.atleast_2d(now)
    if not now.shape[-1]:
        return slice(0, 0)
    first = int(np.searchsorted(before[0], now[0, 0]))
    length = min(before.shape[-1] - first, now.shape[-1])
    same = (before[:, first : first + length] == now[:, :length]).all(axis=0)
    return slice(first, first + (length if same.all() else int(np.argmin(same))))


def numbers(frames: Sequence[Frame], merge: int) -> Array:
    """Return the number of each Frame's column; consecutive, also over gaps in time."""
    if merge == 1 or not frames:
        return np.arange(len(frames))
    # Those without figures have none.
    span = merge * next((frame.interval_s for frame in reversed(frames) if frame.interval_s > 0), 1.0)
    bucket = np.floor(np.array([frame.ts for frame in frames]) / span + 1e-6)
    return np.concatenate([[0], np.cumsum(np.diff(bucket) != 0)])


def finite(bounds: Array) -> Array:
    """Return ``bounds`` with places on a log axis for 0 and infinity: an octave beyond the next."""
    out = np.array(bounds, dtype=np.float64)
    if out[0] <= 0:
        out[0] = out[1] / 2
    if np.isinf(out[-1]):
        out[-1] = out[-2] * 2
    return out


def extent(counts: Array, bounds: Array) -> tuple[float, float] | None:
    """Return the bounds of the lowest and the highest slot in use, None when none is."""
    used = np.flatnonzero(np.any(counts, axis=0)) if counts.size else np.zeros(0, int)
    if len(used) == 0:
        return None
    edges = finite(bounds)
    return float(edges[used[0]]), float(edges[used[-1] + 1])


class Axis:
    """A log axis that holds still: it grows at once, and shrinks only when much of it is idle."""

    MIN_OCTAVES = 3
    KEEP = 0.7

    def __init__(self) -> None:
        """Start without a range."""
        self.low = self.high = 0.0

    def cover(self, low: float, high: float) -> None:
        """Cover ``low`` to ``high``, to the next powers of two."""
        bottom, top = np.floor(np.log2(low) + 1e-9), np.ceil(np.log2(high) - 1e-9)
        missing = self.MIN_OCTAVES - (top - bottom)
        if missing > 0:
            bottom -= missing // 2
            top += missing - missing // 2
        if self.low:
            was = np.log2(self.low), np.log2(self.high)
            idle = (top - bottom) < self.KEEP * (was[1] - was[0])
            if not idle:
                bottom, top = min(bottom, was[0]), max(top, was[1])
        self.low, self.high = float(2.0**bottom), float(2.0**top)


@dataclass(frozen=True, slots=True)
class Bands:
    """Which slots each row of a chart shows; row 0 is the lowest."""

    first: Array
    """intp, shape (rows,): the row's first slot."""
    last: Array
    """One after the row's last slot.  Rows thinner than a slot share it."""
    share: Array
    """float64, shape (rows,): how much of its slots' height on the log axis the row has."""


def bands(bounds: Array, low: float, high: float, rows: int) -> Bands:
    """Return ``rows`` bands, evenly spaced in the logarithm from ``low`` to ``high``.

    Their edges are moved to the nearest bounds, so every slot belongs to
    exactly one band and every band's count is one that was counted.
    """
    edges = np.log2(finite(bounds))
    wanted = np.linspace(np.log2(low), np.log2(high), rows + 1)
    right = np.clip(np.searchsorted(edges, wanted), 1, len(edges) - 1)
    near = right - (wanted - edges[right - 1] < edges[right] - wanted)
    # What lies on the axis must not fall off it by rounding.
    near[0] = max(int(np.searchsorted(edges, wanted[0] + 1e-9, side="right")) - 1, 0)
    near[-1] = min(int(np.searchsorted(edges, wanted[-1] - 1e-9)), len(edges) - 1)
    first, last = near[:-1].copy(), near[1:].copy()
    cuts = distinct(near)
    if len(cuts) < 2:
        cuts = np.array([min(cuts[0], len(edges) - 2), min(cuts[0], len(edges) - 2) + 1])
    thin = first >= last
    if thin.any():
        middle = (wanted[:-1] + wanted[1:])[thin] / 2
        place = np.clip(np.searchsorted(edges[cuts], middle, side="right") - 1, 0, len(cuts) - 2)
        first[thin], last[thin] = cuts[place], cuts[place + 1]
    height = (wanted[-1] - wanted[0]) / rows
    return Bands(first, last, height / np.maximum(edges[last] - edges[first], 1e-12))


def merged(counts: Array, rows: Bands) -> Array:
    """Return the counts of each band: ``counts`` (..., slots) to (..., rows)."""
    sums = np.zeros((*counts.shape[:-1], counts.shape[-1] + 1))
    np.cumsum(counts, axis=-1, out=sums[..., 1:])
    result: Array = sums[..., rows.last] - sums[..., rows.first]
    return result


def top(counts: Array, least: float = 16.0) -> float:
    """Return the count at the top of the scale of ``levels`` for ``counts``.

    A power of two, so that the colours of the past hold while the maximum moves
    a little; and never so low that single events glow.
    """
    most = float(counts.max(initial=0.0))
    return float(max(least, 2.0 ** np.ceil(np.log2(most)))) if most > 0 else least


def levels(counts: Array, steps: int, top: float) -> Array:
    """Return the step (0 for none, 1 to ``steps`` from ``top`` on) of each count on a log scale."""
    scale = (steps - 1) / np.log(top)
    step = 1 + np.floor(np.log(np.maximum(counts, 1.0)) * scale + 1e-9)
    found: Array = np.where(counts > 0, np.minimum(step, steps), 0).astype(np.intp)
    return found


def place(values: Array | float, low: float, high: float, rows: int) -> Array:
    """Return the row (0 lowest) that each of ``values`` lies in; -1 where it is NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (np.log2(values) - np.log2(low)) / (np.log2(high) - np.log2(low))
        row = np.clip(np.floor(share * rows + 1e-9), 0, rows - 1)
    result: Array = np.where(np.isnan(row), -1, np.nan_to_num(row)).astype(np.intp)
    return result


def ticks(low: float, high: float) -> list[float]:
    """Return round values from ``low`` to ``high``: decades, or 1-2-5 where those are too few."""
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    inside = decades[(decades >= low * 0.999) & (decades <= high * 1.001)]
    if len(inside) < 3:
        finer = np.outer(decades, (1.0, 2.0, 5.0)).reshape(-1)
        inside = finer[(finer >= low * 0.999) & (finer <= high * 1.001)]
    return [float(mark) for mark in inside]
