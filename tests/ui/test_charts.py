"""The smaller charts: strip by CPU, lines, histogram."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ktop.frame import Frame, Histogram
from ktop.pane import Column, Lines, Unit
from ktop.panes.cachestat import PANE as CACHESTAT
from ktop.stats import log2_bounds, log_linear_bounds
from ktop.ui.blocks import bar, rising
from ktop.ui.charts import bins, braille
from ktop.ui.charts.cpu_strip import CpuPercentiles, CpuStrip, heights
from ktop.ui.charts.histogram import Distribution, HistogramView, trimmed
from ktop.ui.charts.lines import LinesView
from ktop.ui.charts.time_axis import labels
from tests.ui import chart_frames
from tests.ui.one_widget import OneWidget

BOUNDS = log_linear_bounds(264, 1000.0)
CACHE = Lines("Page cache", (("hits", "misses"), ("hit_ratio",), ("cached_bytes", "dirty_bytes")))
COLUMNS = (Column("hit_ratio", "", Unit.RATIO, ""), Column("cached_bytes", "", Unit.BYTES, ""))


def fill(widget: Any) -> None:
    if isinstance(widget, CpuStrip):
        widget.show(chart_frames.latency(40, cpus=12))
    elif isinstance(widget, LinesView):
        widget.show(chart_frames.cache(90))
    else:
        assert isinstance(widget, HistogramView)
        last = chart_frames.latency(20)[-1].histograms[0]
        widget.show(Distribution(last.bounds, last.counts, "Latency"))


@pytest.mark.parametrize("size", [(40, 8), (80, 24), (240, 60), (9, 2), (30, 1)])
@pytest.mark.parametrize("environ", [{}, {"NO_COLOR": "1"}, {"TERM": "linux"}], ids=["256", "none", "16"])
@pytest.mark.parametrize(
    "make", [CpuStrip, lambda: CpuStrip(""), lambda: LinesView(CACHE, COLUMNS), HistogramView]
)
async def test_fills_any_size(make, size, environ):
    app = OneWidget(make(), **environ)
    async with app.run_test(size=size):
        fill(app.view)
        assert {len(line) for line in app.text()} == {size[0]}


# The strip by CPU


def test_cpus_are_grouped_only_when_lines_are_few():
    frames = chart_frames.latency(5, cpus=10)
    assert CpuPercentiles().update(frames, 10).labels == tuple(f"cpu {cpu}" for cpu in range(10))
    assert CpuPercentiles().update(frames, 4).labels == ("cpu 0–2", "cpu 3–5", "cpu 6–8", "cpu 9")
    assert CpuPercentiles().update([], 4).labels == ()


def test_a_cpu_without_a_histogram_has_no_value():
    counts = np.zeros(len(BOUNDS) - 1, np.uint64)
    counts[100] = 4
    frames = [
        Frame("p", 1, 1.0, {}, histograms=(Histogram(BOUNDS, counts, 0), Histogram(BOUNDS, counts, 1))),
        Frame("p", 2, 1.0, {}, histograms=(Histogram(BOUNDS, counts, 1),)),
    ]
    values = CpuPercentiles().update(frames, 2).values
    assert np.isnan(values[0]).tolist() == [False, True]
    assert BOUNDS[100] <= values[1, 1] <= BOUNDS[101]


def held(held_cpu: int, cpus: int) -> Frame:
    """Return a Frame in which one CPU has few waits, all long, and the others many short ones."""
    few, many = np.zeros((2, len(BOUNDS) - 1), np.uint64)
    few[200], many[100] = 5, 1000
    by_cpu = [Histogram(BOUNDS, few if cpu == held_cpu else many, cpu) for cpu in range(cpus)]
    return Frame("p", 1, 1.0, {}, histograms=tuple(by_cpu))


def test_a_group_has_the_figure_of_its_worst_cpu():
    """The few waits for a CPU that is held are none of 99 in 100 of the group's."""
    values = CpuPercentiles().update([held(40, 64)], 4).values[:, 0]
    assert (BOUNDS[200] <= values).tolist() == [False, False, True, False]
    assert values.max() <= BOUNDS[201]
    # However many columns are worked out together.
    frames = [replace(held(cpu, 512), ts=cpu) for cpu in range(0, 512, 32)]
    values = CpuPercentiles().update(frames, 16).values
    assert (BOUNDS[200] <= values).tolist() == np.eye(16, dtype=bool).tolist()


def test_a_cpu_with_few_waits_has_none_of_another_cpus():
    """Its longest is its 99th percentile, and not the longest of the host."""
    few, long = np.zeros((2, len(BOUNDS) - 1), np.uint64)
    few[100], long[200] = 4, 4
    by_cpu = (Histogram(BOUNDS, few, 0), Histogram(BOUNDS, long, 1))
    frame = Frame("p", 1, 1.0, {"max_us": np.array([BOUNDS[200] * 1.01])}, histograms=by_cpu)
    short, longest = CpuPercentiles(longest="max_us").update([frame], 2).values[:, 0]
    assert BOUNDS[100] <= short <= BOUNDS[101]
    assert longest == BOUNDS[200] * 1.01


async def test_the_figure_of_a_group_is_said_to_be_a_bound():
    app = OneWidget(CpuStrip(""))
    async with app.run_test(size=(80, 2)):
        app.view.show([held(3, 5)])
        found = re.findall(r"cpu (\S+) +p99 +(≤?)\d", "".join(app.text()))
    assert found == [("0–1", "≤"), ("4", ""), ("2–3", "≤")]


def test_zoomed_a_column_is_the_percentile_of_all_its_intervals():
    few, many = np.zeros((2, len(BOUNDS) - 1), np.uint64)
    few[100], many[140] = 1, 999
    frames = [
        Frame("p", tick, 1.0, {}, histograms=(Histogram(BOUNDS, many if tick == 6 else few, 0),))
        for tick in range(5, 15)
    ]
    strip = CpuPercentiles()
    assert strip.update(frames, 1).values.shape == (1, 10)
    for _ in range(2):
        low, high, rest = strip.update([*frames, replace(frames[0], ts=15.0)], 1, 5).values[0][[1, 0, 2]]
        assert BOUNDS[100] <= low <= BOUNDS[101]
        assert BOUNDS[140] <= high <= BOUNDS[141]
        assert rest == low
    assert len(bins.columns(frames, 80, 5)) == strip.update(frames, 1, 5).values.shape[1]


@pytest.mark.parametrize("merge", [1, 5])
def test_a_strip_asks_for_histograms_of_what_it_does_not_know(merge):
    frames = chart_frames.latency(60, cpus=2)
    poor = [replace(frame, histograms=frame.histograms[:1]) for frame in frames]
    rich = {frame.ts: frame for frame in frames}
    asked: list[int] = []

    def whole(wanted: Sequence[Frame]) -> list[Frame]:
        asked.append(len(wanted))
        return [rich[frame.ts] for frame in wanted]

    strip = CpuPercentiles()
    for first, last, most in ((20, 50, 30), (20, 50, 0), (20, 51, merge), (19, 50, 2 * merge), (19, 50, 0)):
        asked.clear()
        found = strip.update(poor[first:last], 2, merge, whole)
        anew = CpuPercentiles().update(frames[first:last], 2, merge)
        np.testing.assert_array_equal(found.values, anew.values)
        assert sum(asked) <= most


def test_bars_have_a_fixed_scale():
    assert heights(np.array([np.nan, 1.0, 10.0, 1e3, 1e5, 1e9])).tolist() == [0, 1, 1, 5, 8, 8]


async def test_the_last_value_stands_before_the_bars_which_end_at_the_right():
    app = OneWidget(CpuStrip())
    async with app.run_test(size=(60, 3)):
        counts = np.zeros(12, np.uint64)
        counts[5] = 10
        histograms = tuple(Histogram(log2_bounds(12), counts, cpu) for cpu in (0, 1))
        app.view.show(
            [
                Frame("p", 1, 1.0, {}, histograms=histograms[:1]),
                Frame("p", 2, 1.0, {}, histograms=histograms[1:]),
            ]
        )
        _, first, second = app.text()
        assert first.split() == ["cpu", "0", "–", "▂"]
        assert second.split() == ["cpu", "1", "63.7µs", "▂"]
        assert (len(first), first[-2], second[-1]) == (60, "▂", "▂")


@pytest.mark.parametrize("width", [60, 66, 67, 80, 101, 102, 120])
async def test_without_a_title_each_figure_has_its_name_and_a_history_beside_it(width):
    app = OneWidget(CpuStrip(""))
    async with app.run_test(size=(width, 1)):
        app.view.show(chart_frames.latency(60, cpus=6))
        pieces = re.findall(r"cpu \S+ +p99 +\S+s ([▁-█]+)", app.text()[0])
        assert len(pieces) == app.text()[0].count("cpu") >= 1
        assert all(len(bars) >= 12 for bars in pieces)


async def test_below_a_title_that_names_them_the_figures_have_none():
    app = OneWidget(CpuStrip("p99 by CPU"))
    async with app.run_test(size=(60, 9)):
        fill(app.view)
        assert "\n".join(app.text()).count("p99") == 1


# Lines


@given(
    hnp.arrays(np.float64, st.integers(0, 300), elements=st.floats(-1e9, 1e9) | st.just(np.nan)),
    st.integers(1, 80),
    st.integers(1, 9),
)
def test_every_measured_value_has_a_dot_and_no_other(values, columns, rows):
    low, high = braille.axis(values)
    assert low < high
    lit = braille.dots(values, low, high, columns, rows)
    assert lit.shape == (rows * 4, columns * 2)
    shown = values[-columns * 2 :]
    width = columns * 2
    assert lit.any(axis=0).tolist() == [False] * (width - len(shown)) + (~np.isnan(shown)).tolist()


@given(hnp.arrays(np.float64, st.integers(1, 50), elements=st.floats(0, 1e15)))
def test_the_axis_holds_every_value(values):
    for base in (10.0, 1024.0):
        low, high = braille.axis(values, base)
        assert low <= values.min() + 1e-9 * abs(values.min())
        assert high >= values.max() * (1 - 1e-9)


@pytest.mark.parametrize(
    ("name", "last", "edges"),
    [
        ("tx", 2.9e6, ["4M", "0"]),
        ("ratio", 0.97, ["100%", "90%"]),
        ("ratio", 1.0, ["100%", "90%"]),
        ("ratio", 0.004, ["100%", "0%"]),
        ("ratio", 0.0, ["100%", "0%"]),
    ],
)
async def test_amounts_are_drawn_from_zero_and_ratios_to_a_hundred(name, last, edges):
    columns = (Column("tx", "", Unit.BYTES, ""), Column("ratio", "", Unit.RATIO, ""))
    app = OneWidget(LinesView(Lines("x", ((name,),)), columns))
    async with app.run_test(size=(60, 8)):
        app.view.show([Frame("p", ts, 1.0, {}, host={name: last * (1 - ts / 100)}) for ts in (1, 0)])
        labels = [line.split()[0] for line in app.text()[2:-1] if line[:5].strip()]
        assert labels == edges


@pytest.mark.parametrize(
    ("ticks", "cells"),
    [(2, 16), (5, 40), (6, 24), (12, 48), (13, 26), (24, 48), (25, 25), (48, 48), (200, 54)],
)
async def test_the_lines_of_a_short_history_take_the_room(ticks, cells):
    app = OneWidget(LinesView(Lines("x", (("one",),))))
    async with app.run_test(size=(60, 8)):
        app.view.show([Frame("p", ts, 1.0, {}, host={"one": 1.0}) for ts in range(ticks)])
        drawn = "".join(app.text()[2])[6:]
        assert drawn == " " * (54 - cells) + drawn[-1] * cells
        assert drawn[-1] != " "
        assert app.text()[-1].endswith("now")


def test_neighbours_are_joined():
    lit = braille.dots(np.array([0.0, 10.0]), 0, 10, 1, 2)
    assert lit[:, 0].tolist() == [False] * 7 + [True]
    assert lit[:, 1].tolist() == [True] * 7 + [False]


def test_braille_cells():
    lit = np.zeros((4, 2), bool)
    lit[0, 0] = lit[3, 1] = True
    assert chr(0x2800 + int(braille.cells(lit)[0, 0])) == "⢁"


@pytest.mark.parametrize(
    ("width", "legend"),
    [
        (80, "readahead surplus 1.23k   dirtied –"),
        (37, "readahead surplus 1.23k dirtied –"),
        (36, "readahead surplus 1.23k   dirtied"),
        (30, "readahead surplus   dirtied"),
    ],
)
async def test_names_are_never_cut_but_go_without_a_value(width, legend):
    app = OneWidget(LinesView(Lines("x", (("readahead_surplus", "dirtied"),))))
    async with app.run_test(size=(width, 8)):
        app.view.show([Frame("p", 1, 1.0, {}, host={"readahead_surplus": 1234.0})])
        assert app.text()[1].rstrip() == legend


async def test_names_stay_where_they_are_whatever_the_values():
    app = OneWidget(LinesView(Lines("x", (("hits", "misses"),)), CACHESTAT.columns))
    async with app.run_test(size=(38, 8)):
        places = []
        for value in (0.0, 7.0, 12_345.0, float("nan")):
            app.view.show([Frame("p", 1, 1.0, {}, host={"hits": value, "misses": value})])
            places.append(app.text()[1].index("misses"))
        assert len(set(places)) == 1


@pytest.mark.parametrize(("value", "ends"), [(0.0, ["1", "0"]), (40.0, ["40", "0"])])
async def test_the_ends_of_an_axis_are_two(value, ends):
    app = OneWidget(LinesView(Lines("x", (("one",),))))
    async with app.run_test(size=(40, 10)):
        app.view.show([Frame("p", 1, 1.0, {}, host={"one": value})])
        gutter = [line[:7].strip() for line in app.text()[2:-1]]
        assert [text for text in gutter if text] == ends


@pytest.mark.parametrize(("height", "beside"), [(10, 4), (16, 2)])
async def test_charts_with_room_grow_wider_before_they_grow_tall(height, beside):
    groups = (("one",), ("two",), ("three",), ("four",))
    app = OneWidget(LinesView(Lines("x", groups)))
    async with app.run_test(size=(200, height)):
        app.view.show([Frame("p", 1, 1.0, {}, host={group[0]: 1.0 for group in groups})])
        first = next(line for line in app.text() if "one" in line)
        assert sum(group[0] in first for group in groups) == beside


@pytest.mark.parametrize("size", [(78, 10), (198, 16)])
async def test_names_and_values_begin_at_the_left_edge_of_their_chart_as_titles_do(size):
    groups = (("accesses", "misses", "surplus"), ("hits",), ("dirtied",), ("dirty",))
    app = OneWidget(LinesView(Lines("cache", groups)))
    async with app.run_test(size=size):
        app.view.show([Frame("p", 1, 1.0, {}, host=dict.fromkeys(sum(groups, ()), 1.0))])
        lines = app.text()
        assert lines[0].startswith("cache")
        each = (size[0] - 3) // 2
        left, right = ([line[x:] for line in lines] for x in (0, each + 3))
        for beside, names in ((left, ("accesses", "dirtied")), (right, ("hits", "dirty"))):
            assert all(any(line.startswith(f"{name} 1") for line in beside) for name in names)


@pytest.mark.parametrize(
    ("size", "drawn", "title"),
    [
        (
            (78, 8),
            (("accesses", "hit ratio"),),
            "page cache   dirtied 5/s   cached 7B   dirty 8B   mapped in 9/s   surplus 6/s",
        ),
        ((58, 8), (("accesses",),), "page cache   hit ratio 50.0%   dirtied 5/s   cached 7B"),
        (
            (98, 10),
            (("accesses", "hit ratio"), ("dirtied", "cached")),
            "page cache   dirty 8B   mapped in 9/s   surplus 6/s",
        ),
        ((118, 14), (("accesses", "hit ratio", "dirtied"), ("cached", "dirty", "mapped in")), "page cache"),
        ((198, 16), (("accesses", "hit ratio", "dirtied"), ("cached", "dirty", "mapped in")), "page cache"),
        ((238, 8), (("accesses", "hit ratio", "dirtied", "cached", "dirty", "mapped in"),), "page cache"),
    ],
)
async def test_each_chart_has_three_lines_or_more_and_of_the_others_the_values_stand_beside_the_title(
    size, drawn, title
):
    """In a row a line can neither rise nor fall: fewer charts say more."""
    host = {"accesses": 4.0, "misses": 2.0, "hit_ratio": 0.5, "dirtied": 5.0, "readahead_surplus": 6.0}
    host |= {"cached_bytes": 7.0, "dirty_bytes": 8.0, "mapped_in": 9.0}
    assert isinstance(CACHESTAT.chart, Lines)
    app = OneWidget(LinesView(CACHESTAT.chart, CACHESTAT.columns))
    async with app.run_test(size=size):
        app.view.show([Frame("p", 1, 1.0, {}, host=host)])
        first, *lines = app.text()
        assert first.rstrip() == title
        places = [y for y, line in enumerate(lines) if line.startswith(tuple(row[0] for row in drawn))]
        for y, names in zip(places, drawn, strict=True):
            across = (size[0] + 3) // len(names)
            assert all(lines[y][across * n :].startswith(name) for n, name in enumerate(names))
        assert all(after - y >= 4 for y, after in pairwise([*places, len(lines) - 1]))


async def test_what_adds_up_is_drawn_per_second_whatever_the_interval():
    """A longer interval is no peak; amounts (dirty) are as they are."""
    app = OneWidget(LinesView(Lines("x", (("accesses",), ("dirty_bytes",))), CACHESTAT.columns))
    async with app.run_test(size=(90, 10)):
        for interval_s in (1.0, 4.0):
            host = {"accesses": 100.0 * interval_s, "dirty_bytes": 1024.0}
            app.view.show([Frame("p", interval_s, interval_s, {}, host=host)])
            assert "accesses 100/s" in app.text()[1]
            assert "dirty 1.00K " in app.text()[1]


def test_ages_stand_below_their_columns():
    text = labels(1000.0 + np.arange(61), 1060.0, 61)
    assert text.endswith("now")
    for age in (15, 30, 45):
        assert text[60 - age - len(f"-{age}s") + 1 : 60 - age + 1] == f"-{age}s"
    past = labels(1000.0 + np.arange(61), 1240.0, 61)
    assert past.endswith("-3m")
    assert labels(np.zeros(0), 0.0, 5) == "     "


# The histogram


@given(
    hnp.arrays(np.int64, 264, elements=st.integers(0, 10**6), fill=st.just(0)),
    st.integers(1, 40),
)
def test_bars_hold_every_count(counts, rows):
    bounds, merged = trimmed(counts, BOUNDS, rows)
    assert merged.sum() == counts.sum()
    assert len(merged) <= rows
    if len(merged):
        assert len(bounds) == len(merged) + 1
        assert (np.diff(bounds) > 0).all()
        assert merged[0]
        assert merged[-1]


@pytest.mark.parametrize(("rows", "each"), [(16, 1), (15, 1), (14, 2), (8, 2), (7, 3), (1, 17)])
def test_all_bars_are_of_as_many_slots(rows, each):
    counts = np.zeros(26, np.int64)
    counts[2:17] = 1
    bounds, merged = trimmed(counts, log2_bounds(26), rows)
    assert (np.diff(np.log2(np.maximum(bounds, 1.0))) == each).all()
    assert set(merged[1:-1].tolist()) <= {each}


async def test_histogram_names_percentiles_and_shares():
    app = OneWidget(HistogramView())
    async with app.run_test(size=(90, 12)):
        counts = np.zeros(12, np.int64)
        counts[3], counts[6] = 90, 10
        app.view.show(Distribution(log2_bounds(12), counts, "Waits of [bold]x[/]"))
        lines = app.text()
        assert "Waits of [bold]x[/]" in lines[0]
        assert "p50" in lines[0]
        assert "8–16µs" in lines[1]
        assert "90.0%" in lines[1]
        assert "64–128µs" in lines[4]
        assert lines[1].rstrip().endswith("◂")
        app.view.show(Distribution(log2_bounds(12), counts, "Waits", 65.0))
        assert "p99 65.0µs" in app.text()[0], "it says more than the longest there was"
        counts[3] = counts[6] = 1
        app.view.show(Distribution(log2_bounds(12), counts, "Waits"))
        assert "p50 16.0µs" in app.text()[0]
        assert [line.count("◂") for line in app.text()[1:5]] == [1, 0, 0, 1], "the median is in the first bar"
        app.view.show(Distribution(log2_bounds(12), counts * 0, "Waits"))
        assert "nothing counted" in app.text()[1]


# Glyphs


def test_bars_never_hide_what_is_there():
    assert bar(0, 4) == "    "
    assert bar(float("nan"), 4) == "    "
    assert bar(1e-9, 4) == "▏   "
    assert bar(0.5, 4) == "██  "
    assert bar(7, 4) == "████"
    assert rising(1e-9) == "▁"
    assert rising(0) == " "
