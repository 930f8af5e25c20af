"""Differences, histograms and percentiles, against plain Python."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from ktop.stats import (
    difference,
    distinct,
    fell,
    group,
    grown,
    log2_bounds,
    log_linear_bounds,
    match,
    most_frequent,
    percentile,
    ratio,
)


def slot_in_c(value: int, slots: int) -> int:
    """Return what bpf/histogram.bpf.h's log_linear_slot does."""
    if value < 8:
        return value
    exponent = value.bit_length() - 1
    return min(((exponent - 2) << 3) + ((value >> (exponent - 3)) & 7), slots - 1)


@given(st.integers(0, 2**40))
def test_log_linear_bounds_are_the_c_sides(value):
    bounds = log_linear_bounds(264)
    slot = slot_in_c(value, 264)
    assert bounds[slot] <= value < bounds[slot + 1]


def test_log_linear_error_is_at_most_a_sixteenth():
    bounds = log_linear_bounds(264)[8:-1]
    middle = (bounds[1:] + bounds[:-1]) / 2
    assert ((bounds[1:] - middle) / middle <= 0.0625).all()


@given(st.integers(0, 2**30))
def test_log2_bounds(value):
    bounds = log2_bounds(26)
    slot = min(max(value.bit_length() - 1, 0), 25)
    assert bounds[slot] <= value < bounds[slot + 1]


@given(
    npst.arrays(np.uint64, st.tuples(st.integers(0, 4), st.just(20)), elements=st.integers(0, 10**6)),
    st.floats(0, 1),
)
def test_percentile_lies_in_a_slot_that_holds_something(counts, q):
    bounds = log2_bounds(20)
    for row, value in zip(counts, percentile(counts, bounds, q), strict=True):
        if row.sum() == 0:
            assert math.isnan(value)
            continue
        used = np.flatnonzero(row)
        assert bounds[used[0]] <= value <= min(bounds[used[-1] + 1], bounds[19])
        # At least q of all values are in slots that begin at or below it.
        assert row[bounds[:-1] <= value].sum() >= q * row.sum() - 1e-6 * row.sum()


def test_percentiles_grow_with_q():
    counts = np.array([5, 0, 3, 0, 2, 90, 0, 1])
    values = [float(percentile(counts, log2_bounds(8), q)) for q in (0, 0.1, 0.5, 0.9, 0.99, 1)]
    assert values == sorted(values)


def test_the_last_value_of_a_slot_is_not_in_the_next_for_want_of_a_last_digit():
    assert 0.07 * 100 > 7
    assert percentile(np.array([0, 7, 93]), log2_bounds(3), 0.07) == 4


def test_median_is_interpolated():
    assert percentile(np.array([0, 0, 10, 0]), log2_bounds(4), 0.5) == pytest.approx(6)


@pytest.mark.parametrize(
    ("values", "q", "expected"),
    [
        ([3.9], 0.5, 3.9),
        ([3.9], 0.99, 3.9),
        ([3.0, 3.9], 0.99, 3.9),
        ([*[1.0] * 98, 3.9], 0.99, 3.9),
        ([*[1.0] * 99, 3.9], 0.99, 2.0),
        ([2.5] * 200, 0.99, 2.5),
    ],
)
def test_where_the_largest_value_is_known_so_is_the_percentile_of_few(values, q, expected):
    counts = np.histogram(values, log2_bounds(4)[:-1])[0]
    counts = np.append(counts, 0)
    assert percentile(counts, log2_bounds(4), q, max(values)) == pytest.approx(expected)
    empty = percentile(np.zeros((1, 4)), log2_bounds(4), q, np.array([0.0]))
    assert np.isnan(empty).all()
    assert percentile(counts, log2_bounds(4), q, np.inf) == percentile(counts, log2_bounds(4), q)


def test_ratio_of_nothing_is_not_measured():
    assert np.isnan(ratio(np.array([0.0]), np.array([0.0]))).all()
    assert ratio(np.array([1, 2]), np.array([4, 2])).tolist() == [0.25, 1.0]


KEYS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2**63)), unique=True, max_size=30)


@given(KEYS, KEYS)
def test_match_finds_what_is_there(previous, current):
    dtype = [("pid", "u8"), ("start", "u8")]
    place = match(np.array(previous, dtype), np.array(current, dtype))
    assert place.tolist() == [previous.index(key) if key in previous else -1 for key in current]


@given(
    st.lists(st.binary(max_size=16), unique=True, max_size=20), st.lists(st.binary(max_size=16), max_size=20)
)
def test_match_tells_trailing_zeros_apart(previous, current):
    before = np.array([key.ljust(16, b"\xff") for key in previous], "V16")
    now = np.array([key.ljust(16, b"\xff") for key in current], "V16")
    expected = [[bytes(x) for x in before].index(bytes(key)) if key in before else -1 for key in now]
    assert match(before, now).tolist() == expected


@given(st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=2)), max_size=30))
def test_group_is_stable_and_complete(keys):
    numbers = np.array([key[0] for key in keys], dtype=np.uint32)
    names = np.array([key[1] for key in keys], dtype="S2")
    order, starts = group([numbers, names])
    assert sorted(order.tolist()) == list(range(len(keys)))
    ends = [*starts.tolist()[1:], len(keys)][: len(starts)]
    seen: set[tuple[int, bytes]] = set()
    for start, end in zip(starts.tolist(), ends, strict=True):
        members = order[start:end].tolist()
        assert members == sorted(members)
        distinct = {(int(numbers[i]), bytes(names[i])) for i in members}
        assert len(distinct) == 1
        assert not distinct & seen
        seen |= distinct


NAMES = st.sampled_from([b"a", b"b", b"B", b"", b"\xff"])


@pytest.mark.parametrize("kind", ["S4", object])
@given(st.lists(st.lists(st.none() | NAMES, min_size=1), max_size=5))
def test_the_most_frequent_is_that_of_a_count(kind, groups):
    if kind == "S4":
        groups = [[name or b"" for name in names] for names in groups]
    counts = [Counter(name for name in names if name is not None) for names in groups]
    expected = [min(sorted(often), key=lambda name: -often[name], default=None) for often in counts]
    texts = np.array([name for names in groups for name in names], dtype=kind)
    starts = np.cumsum([0, *map(len, groups)])[: len(groups)]
    assert most_frequent(texts, starts).tolist() == expected


@given(st.lists(st.integers(0, 5)))
def test_distinct_are_those_that_a_set_has(values):
    assert distinct(np.array(values, dtype=np.int64)).tolist() == sorted(set(values))


def test_a_counter_that_fell_was_made_anew():
    previous, current = np.array([10, 10], np.uint64), np.array([4, 12, 7], np.uint64)
    assert grown(previous, current, np.array([0, 1, -1])).tolist() == [4, 2, 7]


def test_a_counter_that_began_again_at_its_end_did_not_fall():
    previous, current = np.array([2**32 - 3, 900], np.uint32), np.array([4, 899], np.uint32)
    growth = difference(previous, current, np.array([0, 1]))
    assert fell(growth).tolist() == [False, True]
    assert grown(previous, current, np.array([0, 1])).tolist() == [7, 899]
