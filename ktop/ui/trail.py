"""The last minutes of one pane as a chart needs them: no rows, and nothing decoded twice."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from ktop.frame import Frame
from ktop.history.history import History
from ktop.ui.view import View

CPU_FRAMES = 64
"""Histograms by CPU are kept for so many Frames only: the strip shows the last seconds, and on a
host with hundreds of CPUs they are most of the memory."""


class Trail:
    """Frames of a pane without their rows, brought up to date from the history.

    The history packs older Frames; drawing a chart from there each second would
    unpack all of them each second.
    """

    def __init__(self, history: History, pane: str, frames: int = 600) -> None:
        """Keep the last ``frames`` of ``pane``."""
        self._history = history
        self._pane = pane
        self._kept: deque[Frame] = deque(maxlen=frames)

    def update(self) -> None:
        """Add what came since the last call."""
        newest = self._history.latest(self._pane)
        if newest is None or (self._kept and self._kept[-1].ts == newest.ts):
            return
        if self._kept and newest.ts < self._kept[-1].ts:
            # The clock was set back; the history began anew too.
            self._kept.clear()
        since = self._kept[-1].ts if self._kept else float("-inf")
        for frame in self._history.frames(self._pane, since=since):
            if frame.ts > since:
                self._kept.append(replace(frame, rows={}))
        if len(self._kept) > CPU_FRAMES:
            old = len(self._kept) - CPU_FRAMES
            while old > 0 and _by_cpu(self._kept[old - 1]):
                old -= 1
                frame = self._kept[old]
                whole = tuple(each for each in frame.histograms if each.cpu is None)
                self._kept[old] = replace(frame, histograms=whole)

    def frames(self, view: View) -> Sequence[Frame]:
        """Return the Frames up to the moment looked at, oldest first."""
        return view.until(list(self._kept))

    def past(self, view: View) -> Sequence[Frame]:
        """Return the last CPU_FRAMES Frames up to the moment looked at, with the histograms by CPU."""
        chosen = self.frames(view)[-CPU_FRAMES:]
        return self._history.frames(self._pane, since=chosen[0].ts, until=chosen[-1].ts) if chosen else []


def _by_cpu(frame: Frame) -> bool:
    return any(histogram.cpu is not None for histogram in frame.histograms)
