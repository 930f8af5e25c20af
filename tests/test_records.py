"""What processes did between two Readings."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from ktop.frame import Reading, Sample
from ktop.pane import Column, Fold, Pane, Unit, fold
from ktop.records import keyed_deltas, process_deltas, written_maximum
from ktop.stats import ratio

RECORD = np.dtype(
    [
        ("start_ns", "u8"),
        ("waits", "u8"),
        ("max", "u8"),
        ("pid", "u4"),
        ("comm", "S16"),
        ("slots", "u4", (2,)),
        ("cgroup", "u8"),
    ]
)
MAXIMUM = [("value", "u8", (2,)), ("epoch", "u8", (2,))]


def reading(living, ended=()):
    """Return a Reading of records without the cgroup, which is 9."""
    found = {"processes": living, "exits": ended}
    return Reading(0, {name: np.array([(*record, 9) for record in of], RECORD) for name, of in found.items()})


def test_living_processes_are_differenced():
    before = reading([(1, 10, 0, 7, b"a", (10, 0)), (2, 5, 0, 8, b"b", (5, 0))])
    after = reading([(1, 13, 99, 7, b"a2", (11, 2)), (2, 5, 0, 8, b"b", (5, 0))])
    rows = process_deltas(before, after, ("waits", "slots"), ("max",))
    assert rows["pid"].tolist() == [7]
    assert rows["comm"].tolist() == [b"a2"]
    assert rows["cgroup"].tolist() == [9]
    assert rows["waits"].tolist() == [3]
    assert rows["slots"].tolist() == [[1, 2]]
    assert rows["max"].tolist() == [99]


def test_a_reused_pid_is_another_process():
    before = reading([(1, 10, 0, 7, b"old", (0, 0))])
    after = reading([(5, 4, 0, 7, b"new", (0, 0))], [(1, 12, 0, 7, b"old", (0, 0))])
    rows = process_deltas(before, after, ("waits",))
    assert dict(zip(rows["comm"].tolist(), rows["waits"].tolist(), strict=True)) == {b"new": 4, b"old": 2}


def test_born_and_ended_between_readings():
    rows = process_deltas(reading([]), reading([], [(1, 3, 0, 7, b"brief", (3, 0))]), ("waits",))
    assert rows["waits"].tolist() == [3]


def test_ended_while_it_was_read():
    """In the iterator's records and in the ring buffer: it counts once, the last record."""
    before = reading([(1, 10, 0, 7, b"a", (0, 0)), (2, 1, 0, 8, b"b", (0, 0))])
    after = reading([(1, 13, 0, 7, b"a", (0, 0)), (2, 4, 0, 8, b"b", (0, 0))], [(1, 15, 0, 7, b"a", (0, 0))])
    rows = process_deltas(before, after, ("waits",))
    assert dict(zip(rows["pid"].tolist(), rows["waits"].tolist(), strict=True)) == {8: 3, 7: 5}


def test_threads_that_ended_at_once_wrote_it_twice():
    first, second = (1, 15, 0, 7, b"a", (0, 0)), (1, 16, 0, 7, b"a", (0, 0))
    other = (2, 1, 0, 8, b"b", (0, 0))
    living = reading([(1, 10, 0, 7, b"a", (0, 0))])
    rows = process_deltas(living, reading([], [first, other, second]), ("waits",))
    assert dict(zip(rows["pid"].tolist(), rows["waits"].tolist(), strict=True)) == {8: 1, 7: 6}
    rows = process_deltas(reading([], [first, first]), reading([], [second, other]), ("waits",))
    assert rows["pid"].tolist() == [7, 8]
    assert rows["waits"].tolist() == [1, 1], "most of it was told in the reading before"


def test_what_ends_goes_on_until_it_is_gone():
    """Its memory takes time to give back: it is in the iterator's records meanwhile, and has a last one."""
    at = {waits: (1, waits, 0, 7, b"a", (waits, 0)) for waits in (10, 12, 15, 20, 23)}
    readings = [
        reading([at[10]]),
        reading([at[15]], [at[12]]),
        reading([at[20]]),
        reading([], [at[23]]),
        reading([]),
    ]
    told = [process_deltas(*pair, ("waits", "slots"))["waits"].tolist() for pair in pairwise(readings)]
    assert told == [[5], [5], [3], []]
    # Or it ended after the iterator had read it.
    readings[1] = reading([at[12]], [at[15]])
    told = [process_deltas(*pair, ("waits", "slots"))["waits"].tolist() for pair in pairwise(readings)]
    assert told == [[5], [5], [3], []]


def test_nothing_happened():
    rows = process_deltas(reading([]), reading([]), ("waits", "slots"), ("max",))
    assert all(len(column) == 0 for column in rows.values())


def test_keyed_maps():
    dtype = np.dtype([("key", [("pid", "u4"), ("dev", "u4")]), ("value", [("ops", "u8"), ("bytes", "u8")])])
    before = np.array([((1, 1), (10, 100)), ((2, 1), (5, 50))], dtype)
    after = np.array([((2, 1), (5, 50)), ((3, 1), (2, 20)), ((1, 1), (1, 7))], dtype)
    keys, grew = keyed_deltas(before, after, ("ops", "bytes"))
    assert keys["pid"].tolist() == [3, 1]
    # The entry of PID 1 was evicted and made anew: it counts whole.
    assert grew["ops"].tolist() == [2, 1]
    assert grew["bytes"].tolist() == [20, 7]
    # As many others in the place of all.
    keys, grew = keyed_deltas(before, np.array([((3, 1), (12, 120)), ((4, 1), (6, 60))], dtype), ("ops",))
    assert (keys["pid"].tolist(), grew["ops"].tolist()) == ([3, 4], [12, 6])


@pytest.mark.parametrize("fallen", ["ops", "slots"])
def test_an_entry_made_anew_counts_whole_though_most_of_it_is_larger(fallen):
    value = [("ops", "u8"), ("total_ns", "u8"), ("slots", "u4", (2,)), ("max", MAXIMUM)]
    dtype = np.dtype([("key", "u4"), ("value", value)])
    longest = ((70, 80), (4, 5))
    before = np.array([(1, (10, 50, (10, 0), longest)), (2, (1, 1, (1, 0), longest))], dtype)
    after = before.copy()
    after["value"][0] = (9, 90, (10, 5), longest) if fallen == "ops" else (12, 90, (0, 12), longest)
    after["value"]["ops"][1] += 3
    keys, grew = keyed_deltas(before, after, ("ops", "total_ns", "slots"), maxima=("max",))
    assert keys.tolist() == [1, 2]
    assert grew["ops"].tolist() == [after["value"]["ops"][0], 3]
    assert grew["total_ns"].tolist() == [90, 0]
    assert grew["slots"].tolist() == [after["value"]["slots"][0].tolist(), [0, 0]]
    assert grew["max"].tolist() == [80, 0], "what the entry before it had says nothing of its maximum"


def test_a_slot_that_began_again_at_its_end_is_not_an_entry_made_anew():
    dtype = np.dtype([("key", "u4"), ("value", [("ops", "u8"), ("slots", "u4", (2,))])])
    before = np.array([(1, (2**33, (2**32 - 1, 5)))], dtype)
    after = np.array([(1, (2**33 + 4, (2, 6)))], dtype)
    _, grew = keyed_deltas(before, after, ("ops", "slots"))
    assert grew["ops"].tolist() == [4]
    assert grew["slots"].tolist() == [[3, 1]]


def test_rows_fold_by_each_columns_rule():
    def derive(rows):
        rows["share"] = ratio(rows["hits"], rows["count"])
        return rows

    pane = Pane(
        "p",
        "?",
        "f",
        (
            Column("pid", "PID", Unit.NUMBER, "P."),
            Column("comm", "C", Unit.TEXT, "C.", Fold.LAST),
            Column("count", "N", Unit.COUNT, "N."),
            Column("hits", "H", Unit.COUNT, "H."),
            Column("max_us", "M", Unit.US, "M.", Fold.MAX),
            Column("share", "S", Unit.RATIO, "S.", Fold.DERIVED),
            Column("slots", "L", Unit.HISTOGRAM, "L.", hidden=True),
        ),
        ("pid",),
        "count",
        lambda *_: Sample({}),
        derive,
    )
    rows = {
        "pid": np.array([2, 1, 2]),
        "comm": np.array([b"old", b"x", b"new"]),
        "count": np.array([4, 1, 6]),
        "hits": np.array([1, 1, 4]),
        "max_us": np.array([3.0, np.nan, 2.0]),
        "slots": np.array([[1, 0], [0, 1], [2, 5]]),
    }
    folded = fold(pane, rows, ("pid",))
    assert folded["pid"].tolist() == [1, 2]
    assert folded["comm"].tolist() == [b"x", b"new"]
    assert folded["count"].tolist() == [1, 10]
    assert folded["share"].tolist() == [1.0, 0.5]
    assert np.isnan(folded["max_us"][0])
    assert folded["max_us"][1] == 3.0
    assert folded["slots"].tolist() == [[0, 1], [3, 5]]
    assert len(fold(pane, {name: column[:0] for name, column in rows.items()}, ("pid",))["pid"]) == 0


def test_maxima_by_cpu_are_those_of_each_row_and_cpu():
    old, new = np.zeros((2, 2, 3), MAXIMUM)
    old["value"], old["epoch"] = [9, 3], [4, 3]
    new["value"], new["epoch"] = [9, 5], [4, 5]
    new[1, 2] = old[1, 2]
    assert written_maximum(old, new).tolist() == [[5, 5, 5], [5, 5, 0]]
    known = np.array([[True, False, True], [True, True, False]])
    assert written_maximum(old, new, known).tolist() == [[5, 9, 5], [5, 5, 9]]
    assert written_maximum(old[:0], new[:0]).shape == (0, 3)
