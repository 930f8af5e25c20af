"""What a chart keeps of the last minutes: all of the figures, in as little memory as holds them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ktop.frame import Histogram
from ktop.history.history import History
from ktop.ui.charts.cpu_strip import CpuStrip
from ktop.ui.charts.frame_window import CPU_FRAMES, Trail
from ktop.ui.charts.heatmap import HeatmapView
from ktop.ui.view import View
from tests.ui.chart_frames import latency
from tests.ui.driven import running
from tests.ui.synthetic import RUNQLAT


def of(histograms: tuple[Histogram, ...]) -> list[tuple[int | None, list[int]]]:
    return [(each.cpu, each.counts.tolist()) for each in histograms]


@pytest.mark.parametrize("paused", [False, True])
def test_histograms_by_cpu_are_there_for_whoever_asks(paused: bool) -> None:
    """Those of the last seconds are at hand, the others come from the history."""
    frames = latency(CPU_FRAMES + 50, cpus=2)
    history, view = History(), View()
    trail = Trail(history, RUNQLAT)
    for frame in frames:
        history.add(frame)
        trail.frames(view)
    if paused:
        view.at = frames[-2].ts
        frames = frames[:-1]
    kept = trail.frames(view)
    assert [frame.ts for frame in kept] == [frame.ts for frame in frames]
    assert {len(frame.histograms) for frame in kept[:40]} == {1}
    assert [of(frame.histograms) for frame in trail.by_cpu(kept)] == [
        of(frame.histograms) for frame in frames
    ]
    assert trail.by_cpu(()) == ()
    if not paused:
        last = kept[-CPU_FRAMES:]
        assert trail.by_cpu(last) is last


def test_counts_are_kept_as_they_are_in_as_few_bytes_as_hold_them() -> None:
    frames = latency(20, cpus=2)
    history = History()
    trail = Trail(history, RUNQLAT)
    for frame in frames:
        history.add(frame)
    kept = trail.frames(View())
    assert [frame.ts for frame in kept] == [frame.ts for frame in frames]
    assert [of(frame.histograms) for frame in kept] == [of(frame.histograms) for frame in frames]
    widths = {histogram.counts.dtype for frame in kept for histogram in frame.histograms}
    assert widths <= {np.dtype(np.uint8), np.dtype(np.uint16)}


@pytest.mark.parametrize("size", [(200, 50), (120, 40)])
async def test_the_strip_goes_back_as_far_as_the_heatmap(size: tuple[int, int]) -> None:
    """What it drew stays, and what came while another pane was in sight is there as well."""
    async with running(size=size, ticks=100) as k:
        await k.press("2")
        await k.tick(100)
        await k.press("1")
        await k.tick()
        for back in (0, 1, 1):
            for _ in range(back):
                await k.press("[")
            heatmap, strip = k.main.query_one(HeatmapView), k.main.query_one(CpuStrip)
            cells = len(heatmap.grid.columns) * heatmap.cell_width
            assert cells > 100
            values = strip._history._values
            assert not np.isnan(values).any()
            # Two CPUs share a line, and its width.
            assert values.shape[1] >= min(cells // heatmap.cell_width, size[0] // 2) > 0


@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("paused", [False, True])
def test_a_clock_that_is_corrected_makes_no_column_twice(paused: bool, every: int) -> None:
    """By less than the history takes for another time; looked at after so many Frames."""
    history, view = History(), View()
    trail = Trail(history, RUNQLAT)
    stamps = [0.0, 1.0, 2.0, 3.0, 4.0, 3.2, 4.2, 5.2, 6.2]
    for count, (ts, frame) in enumerate(zip(stamps, latency(len(stamps), cpus=1), strict=True), 1):
        history.add(replace(frame, ts=ts))
        view.at = 9.0 if paused else None
        if count % every == 0:
            assert [frame.ts for frame in trail.frames(view)] == stamps[:count]
            assert [len(frame.histograms) for frame in trail.by_cpu(trail.frames(view))] == [2] * count


def test_a_clock_that_is_set_back_begins_anew() -> None:
    history = History()
    trail = Trail(history, RUNQLAT)
    frames = latency(6, cpus=1)
    for frame in frames:
        history.add(frame)
    assert len(trail.frames(View())) == 6
    for ts in (2.0, 4.5):
        history.add(replace(frames[0], ts=frames[0].ts + ts))
    assert [frame.ts - frames[0].ts for frame in trail.frames(View())] == [2.0, 4.5]
