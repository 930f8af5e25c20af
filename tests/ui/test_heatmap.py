"""The heatmap as a widget: sizes, cursor, mouse, colours, hostile nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ktop.frame import Array, Frame, Histogram
from ktop.history.history import History
from ktop.pane import Heatmap
from ktop.stats import log2_bounds
from ktop.ui.blocks import DENSITY
from ktop.ui.charts.cpu_strip import CpuPercentiles
from ktop.ui.charts.frame_window import Trail
from ktop.ui.charts.heat_grid import MARKS, Cell, HeatGrid
from ktop.ui.charts.heatmap import GUTTER, HeatmapView, Reading
from ktop.ui.view import View
from tests.ui import chart_frames
from tests.ui.driven import until
from tests.ui.one_widget import OneWidget
from tests.ui.synthetic import RUNQLAT

BOUNDS = log2_bounds(12)
"""1 to 4096 and above."""


class MapApp(OneWidget):
    def __init__(self, **environ: str) -> None:
        super().__init__(HeatmapView(Heatmap("Latency")), **environ)
        self.left = 0

    def on_heatmap_view_left(self) -> None:
        self.left += 1

    @property
    def reading(self) -> Reading:
        reading: Reading | None = self.view.reading
        assert reading
        return reading


def one(ts: float, slot: int, count: int = 1) -> Frame:
    counts = np.zeros(12, np.uint64)
    counts[slot] = count
    return Frame("p", ts, 1.0, {}, histograms=(Histogram(BOUNDS, counts),))


def longest(*values: float) -> dict[str, Array]:
    return {"max_us": np.array(values)}


def by_cpu(frame: Frame) -> tuple[Histogram, ...]:
    return tuple(replace(each, cpu=0) for each in frame.histograms)


@pytest.mark.parametrize("size", [(40, 8), (80, 24), (200, 50), (240, 60), (12, 3), (9, 1)])
@pytest.mark.parametrize("environ", [{}, {"NO_COLOR": "1"}, {"TERM": "linux"}], ids=["256", "none", "16"])
async def test_fills_any_size(size, environ):
    app = MapApp(**environ)
    async with app.run_test(size=size) as pilot:
        for frames in (
            [],
            chart_frames.quiet(3),
            chart_frames.latency(90),
            chart_frames.latency(3, log2=True),
        ):
            app.view.show(frames)
            await pilot.pause()
            lines = app.text()
            assert len(lines) == size[1]
            assert {len(line) for line in lines} == {size[0]}


async def test_the_legend_says_what_the_colours_count_where_there_is_room():
    app = OneWidget(HeatmapView(Heatmap("Latency", counts="waits")))
    async with app.run_test(size=(80, 12)) as pilot:
        app.view.show(chart_frames.latency(90))
        await pilot.pause()
        assert app.text()[0].endswith("k waits")
        await pilot.resize_terminal(60, 12)
        assert not app.text()[0].endswith("waits")


async def test_a_quiet_map_says_so():
    app = MapApp()
    async with app.run_test(size=(80, 12)):
        app.view.show([])
        assert "waiting" in "".join(app.text())
        app.view.show(chart_frames.quiet())
        assert "nothing in this time" in "".join(app.text())


async def test_cursor_reads_time_band_and_count():
    app = MapApp()
    async with app.run_test(size=(60, 14)) as pilot:
        app.view.show([one(100.0, 3, 7), one(101.0, 5, 30)])
        app.view.focus()
        await until(pilot, lambda: app.view.reading is not None)
        moved = app.reading
        assert (moved.ts, moved.number) == (101.0, 30)
        assert moved.low <= 32 < moved.high, "it begins on the p99 of the newest"
        assert "30 of 30" in app.text()[-1]
        await pilot.press("left")
        assert (app.reading.ts, app.reading.number) == (100.0, 0)
        await pilot.press(*["down"] * 20)
        assert app.reading.low <= 8
        found = [app.reading.number]
        for _ in range(12):
            await pilot.press("up")
            found.append(app.reading.number)
        assert 7 in found


async def test_cursor_stays_on_its_time_while_the_map_moves():
    app = MapApp()
    async with app.run_test(size=(60, 14)) as pilot:
        frames = [one(100.0 + tick, 3, 1 + tick) for tick in range(5)]
        app.view.show(frames)
        app.view.focus()
        await until(pilot, lambda: app.view.reading is not None)
        assert app.reading.ts == 104.0
        await pilot.press("left", "left")
        assert app.reading.ts == 102.0
        app.view.show([*frames, one(105.0, 3, 9)])
        await pilot.pause()
        assert (app.reading.ts, app.reading.number) == (102.0, 3)
        app.screen.set_focus(None)
        await until(pilot, lambda: app.view.reading is None)
        assert app.text()[-1].rstrip().endswith("now"), "hidden without the focus"
        app.view.focus()
        await until(pilot, lambda: app.view.reading is not None)
        assert app.reading.ts == 102.0, "and still where it was"
        await pilot.press("end")
        app.view.show([*frames, one(105.0, 3, 9), one(106.0, 3, 8)])
        await pilot.pause()
        assert app.reading.ts == 106.0, "on the newest it follows the newest"


async def test_escape_hides_the_cursor_and_leaves():
    app = MapApp()
    async with app.run_test(size=(60, 14)) as pilot:
        app.view.show([one(100.0, 3)])
        app.view.focus()
        await pilot.press("left", "escape")
        await until(pilot, lambda: app.view.reading is None)
        assert app.left == 1
        assert not app.view.has_focus
        assert app.text()[-1].rstrip().endswith("now")


async def test_mouse_reads_and_click_stays():
    app = MapApp()
    async with app.run_test(size=(60, 14)) as pilot:
        app.view.show([one(100.0 + tick, 3, 1 + tick) for tick in range(5)])
        wide = app.view.cell_width
        assert await pilot.hover(HeatmapView, offset=(60 - 2 * wide, 5))
        assert app.reading.ts == 103.0
        assert await pilot.click(HeatmapView, offset=(60 - 3 * wide - 1, 5))
        assert app.reading.ts == 101.0
        assert app.view.has_focus
        assert await pilot.hover(HeatmapView, offset=(60 - wide - 1, 5))
        assert app.reading.ts == 103.0
        assert await pilot.hover(HeatmapView, offset=(2, 5))
        assert app.reading.ts == 101.0, "beside the map the cursor is read again"


@pytest.mark.parametrize(("ticks", "wide"), [(3, 8), (22, 8), (23, 4), (45, 4), (46, 2), (300, 2)])
async def test_few_columns_are_wide_and_the_newest_is_at_the_edge(ticks, wide):
    app = MapApp()
    async with app.run_test(size=(203, 14)) as pilot:
        app.screen.set_focus(None)
        await pilot.pause()
        app.view.show([one(1000.0 + tick, 3, 2) for tick in range(ticks)])
        assert app.view.cell_width == wide
        drawn = app.view.render_line(8)
        blank = app.view.render_line(1).crop(GUTTER, GUTTER + 1)
        lit = [x for x in range(GUTTER, 203) if drawn.crop(x, x + 1) != blank]
        assert len(lit) == min(ticks, 98) * wide
        assert lit[-1] == 202
        assert app.text()[-1].endswith("now")


async def test_a_map_holds_still_for_some_intervals_and_reads_what_is_there():
    app = MapApp()
    frames = [one(1000.0 + tick, 3 + tick % 5, 2) for tick in range(120)]
    async with app.run_test(size=(87, 14)) as pilot:
        app.screen.set_focus(None)
        moved, strip_moved = [], []
        left = [""] * 12
        for last in range(96, 120):
            before, oldest = left, app.view.grid.columns.ts[0] if app.view.grid else None
            app.view.show(frames[:last])
            left = [line[GUTTER : GUTTER + 60] for line in app.text()[1:-1]]
            moved.append(left != before)
            strip_moved.append(app.view.grid.columns.ts[0] != oldest)
            assert app.view.grid.columns.ts[-1] == 999.0 + last
            newest = GUTTER + 80 - app.view.free - 1
            row = app.view.map_rows - app.view.grid.row_of(float(app.view.grid.percentiles[0, -1]))
            await pilot.hover(HeatmapView, offset=(newest, row))
            assert app.reading.ts == 999.0 + last, "the newest stands before what is to come"
            if app.view.free:
                await pilot.hover(HeatmapView, offset=(newest + 1, row))
                assert app.view.reading is None, "and there is nothing yet"
        assert moved == strip_moved
        assert [place for place, yes in enumerate(moved) if yes] == [0, 1, 9, 17]


@pytest.mark.parametrize("width", [GUTTER + 1, GUTTER + 4, GUTTER + 20, GUTTER + 40])
async def test_a_narrow_map_is_never_empty(width):
    app = MapApp()
    frames = [one(1000.0 + tick, 3, 2) for tick in range(70)]
    async with app.run_test(size=(width, 14)):
        app.screen.set_focus(None)
        for last in range(50, 70):
            app.view.show(frames[:last])
            assert app.view.free <= app.view.map_columns // 8
            assert app.view.grid.columns.ts[-1] == 999.0 + last


async def test_who_steps_back_and_forth_sees_the_map_where_it_was():
    app = MapApp()
    frames = [one(1000.0 + tick, 3 + tick % 5, 2) for tick in range(120)]
    async with app.run_test(size=(87, 14)):
        app.screen.set_focus(None)
        drawn: dict[int, list[str]] = {}
        for last in (*range(100, 120), *range(119, 100, -1), *range(101, 120)):
            app.view.show(frames[:last])
            picture = app.text()[1:-1]
            assert drawn.setdefault(last, picture) == picture


async def test_zoom_merges_and_loses_nothing():
    app = MapApp()
    async with app.run_test(size=(60, 14)) as pilot:
        app.view.show([one(1000.0 + tick, 3, 2) for tick in range(40)])
        app.view.focus()
        assert app.view.grid.columns.counts.sum() == 80
        await pilot.press("z", "z")
        assert len(app.view.grid.columns) <= 9
        assert app.view.grid.columns.counts.sum() == 80
        assert app.text()[-1].split()[0] == "×5", "it is said beside the axis, and"
        await pilot.press("left")
        assert app.view.reading is not None
        assert app.text()[-1].split()[0] == "×5", (
            "beside what the cursor reads: the count is of so many intervals"
        )
        await pilot.press("z", "z")
        assert len(app.view.grid.columns) == 40


async def test_without_colours_density_is_in_the_glyphs():
    app = MapApp(NO_COLOR="1")
    async with app.run_test(size=(60, 14)):
        app.view.show([one(100.0 + tick, 3, 10**tick) for tick in range(6)])
        drawn = "".join(line[GUTTER:] for line in app.text()[1:-1])
        assert len(set(drawn) & set(DENSITY)) > 3
        for line in app.view.render_lines(app.view.size.region):
            for segment in line:
                style = segment.style
                assert style is None or style.color is None or style.color.is_default
                assert style is None or style.bgcolor is None or style.bgcolor.is_default


def test_percentiles_are_marked_in_the_row_of_their_value():
    grid = HeatGrid()
    grid.fit(chart_frames.latency(100), 60, 12, halves=2)
    over = grid.cells()[2]
    for row, column in np.argwhere(over):
        assert grid.row_of(float(grid.percentiles[over[row, column] - 1, column])) == row
    assert np.count_nonzero(over) >= 60, "every column has a mark"
    assert len(MARKS) == 3


@pytest.mark.parametrize(("dropped", "most"), [(0, 2.5), (3, 4.0)])
def test_no_percentile_is_above_the_longest_there_was(dropped, most):
    # All between 2 and 4 µs, and the rows say how far they went, if they are all there.
    frames = [replace(one(float(tick), 1, 100), rows=longest(2.5), dropped=dropped) for tick in range(20)]
    for merge in (1, 5):
        grid = HeatGrid("max_us")
        grid.fit(frames, 60, 12, halves=2, merge=merge)
        assert grid.percentiles[-1].max() == pytest.approx(most, rel=0.02)


def test_a_wait_without_a_row_is_as_long_as_its_slot_says():
    grid = HeatGrid("max_us")
    grid.fit([replace(one(1.0, 5), rows=longest(2.5))], 60, 12, halves=2)
    assert grid.percentiles[-1, 0] == 32.0


def test_the_title_names_no_more_than_the_longest_after_rows_are_gone():
    history = History([])
    for tick in range(30):
        history.add(replace(one(float(tick), 1, 100), rows=longest(2.5)))
    grid = HeatGrid("max_us")
    for at in (None, 12.0):
        view = View()
        view.at = at
        trail = Trail(history, replace(RUNQLAT, name="p"))
        grid.fit(trail.frames(view), 60, 12, halves=2)
        assert (grid.percentiles <= 2.5).all()
        known = CpuPercentiles(longest="max_us")
        strip = known.update([replace(f, histograms=by_cpu(f)) for f in trail.frames(view)], 1)
        assert (strip.values <= 2.5).all()


def test_cells_of_a_column_add_up():
    grid = HeatGrid()
    grid.fit(chart_frames.latency(30), 60, 12, halves=2)
    for column in (0, 15, 29):
        cells = {grid.band(Cell(column, row)) for row in range(12)}
        assert sum(count for _, _, count in cells) == grid.total(column)


SETTINGS = {"merge": 1, "columns": 12, "rows": 6, "since": 0, "bounds": 12}
STEPS = st.lists(
    st.tuples(
        # How many were counted, in which slot, on which CPU; and what else happens then.
        st.tuples(st.sampled_from([0, 30, 700, 90_000]), st.integers(0, 7), st.integers(0, 2)),
        st.none()
        | st.tuples(st.just("back"), st.integers(1, 5))
        | st.tuples(st.just("merge"), st.sampled_from([1, 2, 5]))
        | st.tuples(st.just("columns"), st.integers(0, 12))
        | st.tuples(st.just("rows"), st.integers(0, 8))
        | st.tuples(st.just("since"), st.integers(0, 12))
        | st.tuples(st.just("bounds"), st.sampled_from([12, 8])),
    ),
    min_size=5,
    max_size=25,
)


def counted(ts: float, slots: int, number: int, slot: int, cpu: int) -> Frame:
    counts = np.zeros(slots, np.uint64)
    counts[slot] = number
    histogram = Histogram(log2_bounds(slots), counts)
    # Nothing counted is no histogram at all, at times.
    return Frame("p", ts, 1.0, {}, histograms=(histogram, replace(histogram, cpu=cpu)) if number else ())


def played(steps):
    """Yield the Frames that are looked at and the settings, after each of ``steps``."""
    frames: list[Frame] = []
    now = dict(SETTINGS)
    for tick, (what, value) in [(tick, other or ("nothing", 0)) for tick, other in steps]:
        if what in now:
            now[what] = value
        frames.append(counted(float(len(frames)), now["bounds"], *tick))
        upto = -value if what == "back" else None
        yield frames[now["since"] : upto], now


FEW, MANY = (30, 3, 0), (90_000, 3, 0)


@example([(FEW, None), (FEW, None), (MANY, None)])  # the colours of the known ones change
@given(STEPS)
def test_a_map_of_known_columns_and_new_ones_is_as_all_made_anew(steps):
    grid = HeatGrid()
    for frames, now in played(steps):
        anew = HeatGrid()
        anew.axis.low, anew.axis.high = grid.axis.low, grid.axis.high
        for each in (grid, anew):
            each.fit(frames, now["columns"], now["rows"], halves=2, merge=now["merge"])
        assert bool(grid) == bool(anew)
        np.testing.assert_array_equal(grid.columns.ts, anew.columns.ts)
        np.testing.assert_array_equal(grid.percentiles, anew.percentiles)
        if grid:
            np.testing.assert_array_equal(grid.columns.counts, anew.columns.counts)
            assert grid.top == anew.top
            np.testing.assert_array_equal(grid.cells(), anew.cells())


def test_zoomed_in_again_a_column_is_one_interval():
    grid = HeatGrid()
    frames = [counted(float(tick), 12, 30, 3, 0) for tick in range(10)]
    for merge, total in ((5, 150), (1, 30), (5, 150)):
        grid.fit(frames, 1, 6, halves=2, merge=merge)
        assert grid.total(0) == total


@given(STEPS)
def test_a_strip_of_known_columns_and_new_ones_is_as_all_made_anew(steps):
    strip, all_cpus = CpuPercentiles(), [counted(-1.0, 12, 3, 3, 2)]
    strip.update(all_cpus, 1)
    for frames, now in played(steps):
        anew = CpuPercentiles()
        anew.update(all_cpus, 1)  # a CPU once seen keeps its line
        if now["bounds"] != SETTINGS["bounds"]:
            break  # they are of one kind in a pane
        known, wanted = (each.update(frames, now["rows"], now["merge"]) for each in (strip, anew))
        assert known.labels == wanted.labels
        assert bool(known.labels) == bool(frames and now["rows"])
        np.testing.assert_array_equal(known.values, wanted.values)


@pytest.mark.parametrize("environ", [{}, {"NO_COLOR": "1"}], ids=["256", "none"])
async def test_a_map_that_moves_on_looks_as_one_drawn_anew(environ):
    frames = chart_frames.latency(120)
    app = MapApp(**environ)
    async with app.run_test(size=(93, 14)) as pilot:
        anew = HeatmapView(app.view.chart).add_class("-whole")
        for last in [*range(1, 20), 45, *range(60, 120), 90, 91, *range(92, 100)]:
            app.view.show(frames[:last])
            if last >= 92 and not app.view.free:
                break
            if last == 70:
                app.view.focus()
                await pilot.press("left")
            if last == 80:
                app.screen.set_focus(None)
        await pilot.pause()
        moved = [list(app.view.render_line(y).simplify()) for y in range(14)]
        old = app.view
        await app.mount(anew)
        await old.remove()
        anew.grid.axis = old.grid.axis
        anew.show(frames[:last])
        await until(pilot, lambda: anew.outer_size == (93, 14))
        assert [list(anew.render_line(y).simplify()) for y in range(14)] == moved
