"""What a chart keeps of the last minutes: all of the figures, in as little memory as holds them."""

from __future__ import annotations

import numpy as np

from ktop.frame import Histogram
from ktop.history.history import History
from ktop.ui.charts.trail import Trail
from ktop.ui.view import View
from tests.ui.chart_frames import latency


def of(histograms: tuple[Histogram, ...]) -> list[tuple[int | None, list[int]]]:
    return [(each.cpu, each.counts.tolist()) for each in histograms]


def test_counts_are_kept_as_they_are_in_as_few_bytes_as_hold_them() -> None:
    frames = latency(20, cpus=2)
    history = History()
    trail = Trail(history, "runqlat")
    for frame in frames:
        history.add(frame)
    kept = trail.frames(View())
    assert [frame.ts for frame in kept] == [frame.ts for frame in frames]
    assert [of(frame.histograms) for frame in kept] == [of(frame.histograms) for frame in frames]
    widths = {histogram.counts.dtype for frame in kept for histogram in frame.histograms}
    assert widths <= {np.dtype(np.uint8), np.dtype(np.uint16)}
