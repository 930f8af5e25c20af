"""The last minutes of one pane as a chart needs them: no rows, and nothing decoded twice."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ktop.frame import Frame, Histogram, largest
from ktop.history.history import History
from ktop.pane import Heatmap, Pane
from ktop.ui.view import View

MOST_FRAMES = 2400
"""Ten minutes at four a second: more than ten to a column of the widest chart."""
CPU_FRAMES = 64
"""Histograms by CPU are kept for so many Frames only: the strip remembers what it made of older ones,
and on a host with hundreds of CPUs they are most of the memory."""


class Trail:
    """Frames of a pane without their rows, brought up to date from the history.

    The history packs older Frames; drawing a chart from there each second would
    unpack all of them each second.
    """

    def __init__(self, history: History, pane: Pane) -> None:
        """Follow ``pane`` in ``history``."""
        self._history = history
        self._pane = pane.name
        self._longest = pane.chart.longest if isinstance(pane.chart, Heatmap) else ""
        self._kept: deque[Frame] = deque(maxlen=MOST_FRAMES)
        self._past: list[Frame] = []

    def frames(self, view: View) -> Sequence[Frame]:
        """Return the Frames up to where charts end, oldest first, MOST_FRAMES at most."""
        if view.live:
            self._past = []
            self._update()
            return list(self._kept)
        times = self._history.times(self._pane)
        wanted = times[times <= view.charts_until][-MOST_FRAMES:].tolist()
        # From one moment to the next nearly all are the same.
        known = {frame.ts: frame for frame in (*self._kept, *self._past)}
        missing = [ts for ts in wanted if ts not in known]
        if missing:
            found = self._history.frames(self._pane, since=min(missing), until=max(missing))
            known |= {frame.ts: self._without(frame, cpus=True) for frame in found}
        self._past = [known[ts] for ts in wanted if ts in known]
        return self._past

    def by_cpu(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        """Return ``frames``, of those that ``self.frames`` gave, with all their histograms."""
        whole_since = math.inf
        if self._kept and not self._past:
            whole_since = self._kept[-min(CPU_FRAMES, len(self._kept))].ts
        if not frames or frames[0].ts >= whole_since:
            return frames
        stamps = [frame.ts for frame in frames]
        found = self._history.frames(self._pane, since=min(stamps), until=max(stamps))
        known = {frame.ts: frame for frame in found}
        return [known.get(frame.ts, frame) for frame in frames]

    def _update(self) -> None:
        """Add what came since the last call, and drop what the history forgets."""
        newest = self._history.latest(self._pane)
        if newest is None or (self._kept and self._kept[-1].ts == newest.ts):
            return
        times = self._history.times(self._pane)
        last = np.flatnonzero(times == self._kept[-1].ts) if self._kept else np.zeros(0, dtype=np.intp)
        if len(last):
            # What came since, and not what is later: the clock may have been corrected.
            times = times[last[-1] + 1 :]
        else:
            # It was set back, and the history began anew too.
            self._kept.clear()
        if came := set(times.tolist()):
            found = self._history.frames(self._pane, since=min(came), until=max(came))
            self._kept.extend(self._without(frame) for frame in found if frame.ts in came)
        while self._kept and self._kept[0].ts < newest.ts - self._history.seconds:
            self._kept.popleft()
        if len(self._kept) > CPU_FRAMES:
            old = len(self._kept) - CPU_FRAMES
            while old > 0 and _by_cpu(self._kept[old - 1]):
                old -= 1
                self._kept[old] = self._without(self._kept[old], cpus=True)

    def _without(self, frame: Frame, *, cpus: bool = False) -> Frame:
        """Return ``frame`` without its rows, and without the histograms by CPU when ``cpus``.

        Of the rows one figure stays: how long it took at most.
        """
        histograms = tuple(small(each) for each in frame.histograms if each.cpu is None or not cpus)
        most = largest(frame, self._longest)
        rows = {self._longest: np.array([most])} if np.isfinite(most) else {}
        return replace(frame, rows=rows, histograms=histograms)


def small(histogram: Histogram) -> Histogram:
    """Return ``histogram`` with counts of as few bytes as hold them: an eighth, for most CPUs."""
    counts = histogram.counts
    least = np.min_scalar_type(counts.max(initial=0))
    return histogram if least == counts.dtype else replace(histogram, counts=counts.astype(least))


def _by_cpu(frame: Frame) -> bool:
    return any(histogram.cpu is not None for histogram in frame.histograms)
