"""Recorded rows in the columns that a pane has now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ktop.frame import Array, Histogram
from ktop.pane import Column, Unit
from ktop.recording.conform import MismatchError, conform, possible
from ktop.recording.file import LAST_TS
from tests.recording.waits import COLUMNS, PANE, frame


def test_an_older_recording_lacks_columns() -> None:
    old = frame(1.0)
    rows = {name: column for name, column in old.rows.items() if name not in {"comm", "half"}}
    new = conform(PANE, replace(old, rows=rows | {"gone": np.zeros(3)}))
    assert set(new.rows) == {column.name for column in COLUMNS}
    assert new.rows["comm"].tolist() == [None] * 3
    assert new.rows["half"].tolist() == [5.0] * 3


def test_no_rows_have_columns_all_the_same() -> None:
    empty = conform(PANE, replace(frame(1.0), rows={}))
    assert {name: len(column) for name, column in empty.rows.items()} == dict.fromkeys(
        (column.name for column in COLUMNS), 0
    )
    assert empty.rows["slots"].shape == (0, 2)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("pid", np.zeros((3, 2))),
        ("comm", np.zeros(3)),
        ("comm", np.array([1, 2, 3], dtype=object)),
        ("comm", np.full(3, b"A" * 99_999)),
        ("slots", np.zeros(3)),
        ("slots", np.zeros((3, 5))),
        ("waits", np.array(["a", "b", "c"], dtype=object)),
        ("waits", np.array([True, False, True])),
        ("slots", np.ones((3, 2), dtype=bool)),
    ],
)
def test_what_does_not_fit_is_refused(name: str, values: Any) -> None:
    with pytest.raises(MismatchError):
        conform(PANE, replace(frame(1.0), rows=dict(frame(1.0).rows) | {name: values}))


@pytest.mark.parametrize("figure", [np.inf, -np.inf, 1.5e308, -1.5e308, 1.1e18])
def test_figures_that_are_impossibly_large_are_refused(figure: float) -> None:
    for name, values in (("waits", np.array([1.0, figure, np.nan])), ("slots", np.full((3, 2), figure))):
        with pytest.raises(MismatchError, match=f"column {name} has a figure larger than any can be"):
            conform(PANE, replace(frame(1.0), rows={**frame(1.0).rows, name: values}))
    with pytest.raises(MismatchError, match="host"):
        possible(replace(frame(1.0), host={"a": figure}))


def test_large_and_unknown_figures_are_not() -> None:
    figures = np.array([1e18, -1e18, np.nan])
    assert conform(PANE, replace(frame(1.0), rows={**frame(1.0).rows, "waits": figures}))
    assert possible(replace(frame(1.0), host={"a": 1e18, "b": np.nan}))
    counters = np.full(3, 2**64 - 1, dtype=np.uint64)
    assert conform(PANE, replace(frame(1.0), rows={**frame(1.0).rows, "waits": counters}))


@pytest.mark.parametrize("ts", [-1.0, float(LAST_TS), np.inf, np.nan])
def test_a_frame_of_no_time_is_refused(ts: float) -> None:
    with pytest.raises(MismatchError, match="time"):
        possible(replace(frame(1.0), ts=ts))


@pytest.mark.parametrize("interval_s", [0.0, -1.0, float(LAST_TS), np.inf])
def test_an_interval_that_none_can_be_is_refused_and_one_without_figures_is_not(interval_s: float) -> None:
    assert possible(replace(frame(0.0), interval_s=np.nan))
    with pytest.raises(MismatchError, match="time"):
        possible(replace(frame(1.0), interval_s=interval_s))


def test_truth_values_are_flags() -> None:
    pane = replace(PANE, columns=(*COLUMNS, Column("late", "LATE", Unit.FLAG, "Whether.")))
    flags = np.array([True, False, True])
    assert conform(pane, replace(frame(1.0), rows={**frame(1.0).rows, "late": flags})).rows["late"] is flags


@pytest.mark.parametrize(("depth", "fits"), [(254, True), (1024, True), (1025, False), (300_000, False)])
def test_stacks_are_as_deep_as_a_kernel_gives_them(depth: int, fits: bool) -> None:
    """A tree of 300,000 levels is 1 KB in a file, and more than Python can compare."""
    pane = replace(PANE, columns=(*COLUMNS, Column("stack", "", Unit.STACK, "Where.")))
    stacks = np.fromiter([None, [], ["f"] * depth], dtype=object)
    deep = replace(frame(1.0), rows={**frame(1.0).rows, "stack": stacks})
    if fits:
        assert conform(pane, deep).rows["stack"] is stacks
    else:
        with pytest.raises(MismatchError):
            conform(pane, deep)


@pytest.mark.parametrize(
    ("bounds", "counts"),
    [
        ([0.0, np.inf], [5]),
        ([0.0, 1.0], [5]),
        ([0.0, 5e-324, np.inf], [5, 1]),
        ([5e-324, 1e-323, np.inf], [5, 1]),
        ([0.0, 1e-7, 1.0, np.inf], [5, 1, 3]),
        ([-1.0, 1.0, 2.0, np.inf], [5, 1, 3]),
        ([0.0, 1.0, 2.0, np.inf], [2**63, 2**64 - 1, 3]),
        ([0.0, 1.0, 2.0, np.inf], [2**62, 2**62, 0]),
        ([0.0, 1.0, 2.0, np.inf], [1e308, 1e308, 1e308]),
        ([0.0, 1.0, 2.0, np.inf], [np.nan, 1.0, 1.0]),
    ],
)
def test_a_histogram_that_no_chart_can_show_is_refused(bounds: list[float], counts: list[float]) -> None:
    assert possible(frame(1.0))
    made: Array = np.array(counts, dtype=np.uint64 if isinstance(counts[0], int) else np.float64)
    with pytest.raises(MismatchError):
        possible(replace(frame(1.0), histograms=(Histogram(np.array(bounds), made),)))
