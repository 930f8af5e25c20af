"""Binning: nothing is lost, nothing jumps, everything is where the axis says."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ktop.frame import Frame, Histogram
from ktop.stats import bounded_percentile, log2_bounds, log_linear_bounds
from ktop.ui.charts import bins

LOG_LINEAR = log_linear_bounds(264, 1000.0)
LOG2 = log2_bounds(26, unit=1 / 0.512)
bounds_of_any_kind = st.sampled_from([LOG_LINEAR, LOG2, log2_bounds(24), log_linear_bounds(40)])


@st.composite
def histograms(draw):
    bounds = draw(bounds_of_any_kind)
    shape = (draw(st.integers(1, 5)), len(bounds) - 1)
    return bounds, draw(hnp.arrays(np.int64, shape, elements=st.integers(0, 10**9), fill=st.just(0)))


def test_the_percentiles_of_a_single_wait_are_that_wait():
    """As in the row of its process, which has its length."""
    counts = np.zeros((1, len(LOG2) - 1))
    counts[0, 10] = 1
    wait = np.array([LOG2[10] * 1.9])
    assert bounded_percentile(counts, LOG2, wait, [0.5, 0.99]).ravel().tolist() == [*wait, *wait]


@given(histograms(), st.integers(1, 60))
def test_every_count_is_in_exactly_one_distinct_band(histogram, rows):
    bounds, counts = histogram
    seen = bins.extent(counts, bounds)
    if seen is None:
        assert not counts.any()
        return
    axis = bins.Axis()
    axis.cover(*seen)
    bands = bins.bands(bounds, axis.low, axis.high, rows)
    merged = bins.merged(counts, bands)
    distinct = np.unique(np.stack([bands.first, bands.last], axis=1), axis=0, return_index=True)[1]
    assert merged[:, distinct].sum() == counts.sum()
    pairs = sorted(zip(bands.first[distinct], bands.last[distinct], strict=True))
    assert all(first < last for first, last in pairs)
    assert all(before[1] == after[0] for before, after in pairwise(pairs))


@given(histograms(), st.integers(2, 60))
def test_bands_rise(histogram, rows):
    bounds, counts = histogram
    seen = bins.extent(counts, bounds)
    if seen is None:
        return
    bands = bins.bands(bounds, *seen, rows)
    assert (np.diff(bands.first) >= 0).all()
    assert (np.diff(bands.last) >= 0).all()


def test_axis_grows_at_once_and_shrinks_late():
    axis = bins.Axis()
    axis.cover(1.1, 900.0)
    assert (axis.low, axis.high) == (1.0, 1024.0)
    axis.cover(1.1, 300.0)
    assert axis.high == 1024.0, "a fifth of it idle: it holds still"
    axis.cover(0.3, 5000.0)
    assert (axis.low, axis.high) == (0.25, 8192.0)
    axis.cover(3.0, 20.0)
    assert (axis.low, axis.high) == (2.0, 32.0)


def test_axis_of_one_slot_has_a_height():
    axis = bins.Axis()
    axis.cover(8.0, 9.0)
    assert np.log2(axis.high / axis.low) >= axis.MIN_OCTAVES


@given(hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1e12)))
def test_more_never_looks_like_less(counts):
    counts.sort()
    top = bins.top(counts)
    steps = bins.levels(counts, 10, top)
    assert (np.diff(steps) >= 0).all()
    assert steps.max() <= 10
    assert ((steps == 0) == (counts == 0)).all()
    assert top >= counts.max()


def test_places_are_rows_of_the_axis():
    low, high = 1.0, 1024.0
    values = np.array([1.0, 1.9, 2.0, 32.0, 1023.0, 1024.0, 5000.0, 0.1, np.nan])
    assert bins.place(values, low, high, 10).tolist() == [0, 0, 1, 5, 9, 9, 9, 0, -1]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.5, 2e4, [1, 10, 100, 1e3, 1e4]), (4, 64, [5, 10, 20, 50]), (8, 16, [10])],
)
def test_ticks_are_round(low, high, expected):
    assert bins.ticks(low, high) == expected


def frame(ts, *counts, cpu=None):
    bounds = log2_bounds(len(counts))
    return Frame("p", ts, 1.0, {}, histograms=(Histogram(bounds, np.array(counts), cpu),))


def test_newest_columns_are_kept():
    data = bins.columns([frame(ts, ts, 0) for ts in range(1, 6)], 3)
    assert data.ts.tolist() == [3, 4, 5]
    assert data.counts[:, 0].tolist() == [3, 4, 5]


def test_histograms_of_single_cpus_are_left_out():
    both = frame(1, 5, 5).histograms + frame(1, 9, 9, cpu=0).histograms
    data = bins.columns([Frame("p", 1, 1.0, {}, histograms=both)], 4)
    assert data.counts.tolist() == [[5, 5]]


def test_a_frame_without_a_histogram_is_an_empty_column():
    data = bins.columns([frame(1, 4, 0), Frame("p", 2, 1.0, {}), frame(3, 6, 0)], 9)
    assert data.counts.sum(axis=1).tolist() == [4, 0, 6]


def test_no_histogram_at_all():
    data = bins.columns([Frame("p", 1, 1.0, {})], 9)
    assert bins.extent(data.counts, data.bounds) is None


def test_merged_columns_do_not_shift_with_each_frame():
    frames = [frame(1000.0 + tick, 1, 0) for tick in range(23)]
    before = bins.columns(frames[:-1], 10, merge=5)
    after = bins.columns(frames, 10, merge=5)
    assert before.counts.sum() == 22
    assert after.counts.sum() == 23
    assert before.counts[1:-1].tolist() == after.counts[1:-1].tolist()


def test_a_frame_without_figures_does_not_tell_how_long_a_column_is():
    frames = [Frame("p", float(ts), 1.0, {}) for ts in range(8)]
    lost = Frame("p", 8.0, np.nan, {})
    assert bins.numbers([*frames, lost], 4).tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2]
