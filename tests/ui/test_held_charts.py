"""A moment that is held: charts stay where they were, mark it, and say what was then."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ktop.frame import Frame, Histogram
from ktop.pane import Heatmap, Lines
from ktop.stats import log2_bounds
from ktop.ui.charts.cpu_strip import CpuPercentiles, CpuStrip
from ktop.ui.charts.heatmap import HeatmapView
from ktop.ui.charts.lines import LinesView
from ktop.ui.charts.scrolling import page
from ktop.ui.charts.time_axis import MOMENT, labels
from ktop.ui.view import View
from tests.ui import chart_frames
from tests.ui.driven import plain, running
from tests.ui.one_widget import OneWidget

TIMES = np.arange(100.0, 110.0)
BOUNDS = log2_bounds(12)


def at(ts: float, slot: int = 5) -> Frame:
    counts = np.zeros(12, np.uint64)
    counts[slot] = 10
    return Frame("p", ts, 1.0, {}, histograms=(Histogram(BOUNDS, counts), Histogram(BOUNDS, counts, 0)))


@pytest.mark.parametrize("go", [lambda view: view.step(TIMES, -3), lambda view: view.leap(TIMES, -3.0)])
def test_charts_end_where_time_was_when_one_went_back(go):
    view = View()
    go(view)
    assert view.at == 106.0
    later = np.append(TIMES, 110.0)
    assert later[later <= view.charts_until][-1] == 109.0
    view.step(later, 4)
    assert (view.at, view.held) == (110.0, 110.0), "they move on where one goes further than that"
    view.step(later, -1)
    assert view.held == 110.0
    view.at = None
    assert view.charts_until == np.inf


@given(st.integers(0, 300), st.integers(1, 60), st.integers(-1, 300))
def test_a_page_has_the_moment_and_is_as_full_as_can_be(count, room, back):
    frames = [at(float(ts)) for ts in range(count)]
    moment = float(count - 1 - back) if back >= 0 else None
    shown = page(frames, moment, room)
    assert shown == frames[: len(shown)]
    if moment is None or room < 2:
        assert len(shown) == count
        return
    assert len(shown) >= min(room, count)
    if 0 <= moment < count:
        assert moment in [frame.ts for frame in shown[-room:]]
    if back < room:
        assert len(shown) == count, "nothing turns as long as it is in sight"


def test_pages_turn_by_half_of_the_room():
    frames = [at(float(ts)) for ts in range(100)]
    ends = {len(page(frames, float(moment), 20)) for moment in range(100)}
    assert ends == set(range(20, 101, 10))


def test_the_axis_marks_the_moment_and_puts_no_label_there():
    ts = np.arange(60.0)
    for moment in range(60):
        line = labels(ts, 60.0, 60, 1, moment)
        assert line.index(MOMENT) == 59 - moment
        assert not set(line[max(58 - moment, 0) : 61 - moment].replace(MOMENT, "").strip()), line
    assert labels(ts, 60.0, 60, 1, 60) == labels(ts, 60.0, 60)
    assert labels(ts, 60.0, 60, 4, 3)[-4 * 3 - 4 :].index(MOMENT) in {0, 1, 2, 3}


def test_the_strip_says_what_was_at_the_moment():
    frames = [at(float(ts), slot) for ts, slot in enumerate((3, 5, 7))]
    known = CpuPercentiles()
    values = known.update(frames, 1).values
    assert [known.of(frame).tolist() for frame in frames] == values.T.tolist()
    assert len(set(values[0].tolist())) == 3


@pytest.mark.parametrize(("width", "lines"), [(44, 8), (44, 4), (80, 1), (150, 2)])
@pytest.mark.parametrize("merge", [1, 5])
async def test_a_narrow_strip_has_the_figures_of_the_moment_and_its_bars(width, lines, merge):
    """Beside the map, or with CPUs side by side, there is room for less than the map shows."""
    frames = chart_frames.latency(120, cpus=8 if lines > 2 else 2)
    strip = CpuStrip("")
    app = OneWidget(strip)
    async with app.run_test(size=(width, lines)):
        strip.merge, strip.room = merge, 60
        for place in (118, 80, 60, 7, 0):
            strip.show(frames, moment=frames[place].ts)
            held = app.text()
            figures = [word for line in held for word in re.findall(r"cpu \S+ p99 +(\S+s)", line)]
            strip.show(frames[place : place + 1])
            alone = [word for line in app.text() for word in re.findall(r"cpu \S+ p99 +(\S+s)", line)]
            assert figures == alone != []
            if merge == 1:
                strip.show(frames, moment=frames[place].ts)
                assert frames[place].ts in strip._history._times[1]


async def test_zoomed_the_map_says_what_was_at_the_moment_alone():
    app = OneWidget(HeatmapView(Heatmap("Latency")))
    async with app.run_test(size=(120, 12)) as pilot:
        frames = [at(100.0 + tick, 3 + tick % 5) for tick in range(20)]
        await pilot.pause()
        app.set_focus(None)
        await pilot.pause()
        app.view.show(frames, 120.0, 107.0)
        single = app.text()[0]
        app.view.action_zoom()
        app.view.action_zoom()
        assert app.text()[0].partition(" 1 ")[0].split() == single.partition(" 1 ")[0].split()
        app.view.show(frames, 120.0)
        assert app.text()[0].partition(" 1 ")[0].split() != single.partition(" 1 ")[0].split()


async def test_the_map_says_what_was_at_the_moment():
    app = OneWidget(HeatmapView(Heatmap("Latency")))
    async with app.run_test(size=(120, 12)) as pilot:
        await pilot.pause()
        app.set_focus(None)
        await pilot.pause()
        frames = [at(100.0, 3), at(101.0, 5), at(102.0, 8)]
        app.view.show(frames, 103.0)
        newest = app.text()
        app.view.show(frames, 103.0, 101.0)
        held = app.text()
        assert newest[1:-1] == held[1:-1], "the map itself is the same"
        assert (MOMENT in newest[-1], MOMENT in held[-1]) == (False, True)
        app.view.show(frames[:2], 103.0)
        as_the_newest = app.text()
        assert newest[0].split() != held[0].split() == as_the_newest[0].split()


async def test_lines_say_what_was_at_the_moment():
    frames = [
        Frame("p", float(ts), 1.0, {}, host={"hits": value}) for ts, value in enumerate((10.0, 20.0, 40.0))
    ]
    app = OneWidget(LinesView(Lines("Page cache", (("hits",),))))
    async with app.run_test(size=(100, 10)):
        for moment, value in ((None, "40"), (1.0, "20"), (0.0, "10")):
            app.view.show(frames, 3.0, moment)
            text = app.text()
            assert f"hits {value}" in "\n".join(text)
            assert (MOMENT in text[-1]) == (moment is not None)


def columns(view: HeatmapView) -> list[float]:
    return list(view.grid.columns.ts)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_what_came_after_the_moment_stays_in_sight(size):
    async with running(size=size, ticks=60) as k:
        view = k.main.query_one(HeatmapView)
        before = columns(view)
        await k.press("[", "[", "[")
        assert columns(view) == before
        assert MOMENT in plain(view)
        await k.tick(5)
        assert columns(view) == before, "nothing moves while time is held"
        await k.press("]", "]", "]")
        assert MOMENT not in plain(view)
        await k.press("]")
        assert columns(view)[-1] == before[-1] + 1
        await k.press("escape")
        assert columns(view)[-1] == before[-1] + 5


async def test_the_column_that_was_chosen_is_held_where_it_is():
    async with running(ticks=60) as k:
        view = k.main.query_one(HeatmapView)
        before = columns(view)
        await k.press("c", *["left"] * 20, "enter")
        await k.until(lambda: k.main.view.at == before[-21])
        assert columns(view) == before
        row = plain(view).splitlines()[-1]
        assert abs(row.index(MOMENT) - (len(row) - 20.5 * view.cell_width - view.free * view.cell_width)) <= 2


async def test_further_back_than_the_map_it_turns_the_page():
    async with running(size=(80, 24), ticks=120) as k:
        view = k.main.query_one(HeatmapView)
        newest = columns(view)[-1]
        seen = {newest}
        for _ in range(100):
            await k.press("[")
            assert k.main.view.at in columns(view)
            seen.add(columns(view)[-1])
        assert 2 <= len(seen) <= 8, seen


async def test_a_moment_without_a_sample_of_the_pane_marks_none():
    frames = [replace(frame, ts=frame.ts + 100) for frame in chart_frames.latency(5)]
    app = OneWidget(HeatmapView(Heatmap("Latency")))
    async with app.run_test(size=(80, 12)):
        app.view.show(frames, frames[-1].ts)
        assert MOMENT not in "\n".join(app.text())


async def test_the_strip_follows_the_map_through_another_panes_resize():
    async with running(size=(120, 40), ticks=150) as k:
        await k.press("space", *["["] * 100)
        strip = k.main.query_one(CpuStrip)
        await k.press("4")
        await k.pilot.resize_terminal(80, 24)
        await k.press("1")
        await k.until(lambda: k.view.pane.name == "runqlat")
        await k.pilot.pause()
        seen = plain(strip)
        await k.press("[", "]")
        assert plain(strip) == seen


async def test_the_keyboard_is_back_after_there_was_no_room():
    async with running() as k:
        await k.press("j", "j")
        await k.pilot.resize_terminal(30, 8)
        await k.pilot.pause()
        await k.pilot.resize_terminal(120, 40)
        await k.until(lambda: k.app.focused is k.table)
