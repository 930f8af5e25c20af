"""The order of the live table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ktop.pane import CGROUP
from ktop.tables.order import order
from ktop.tables.totals import per_cgroup
from tests.ui.table_driven import PANE, drive, make


async def test_largest_first_and_not_measured_last():
    async with drive() as it:
        await it.show(make([5, np.nan, 50, 0, 500]))
        assert it.pids() == [5, 3, 1, 4, 2]
        assert "▾P99" in it.lines()[0]
        it.table.reverse_sort()
        assert it.pids() == [4, 1, 3, 5, 2]
        assert "▴P99" in it.lines()[0]


async def test_text_is_sorted_from_a_in_either_case():
    async with drive() as it:
        await it.show(make([1, 2, 3], comms=[b"beta", b"Alpha", b"alpha"]))
        it.table.sort_by("comm")
        assert it.pids() == [2, 3, 1]
        assert "COMMAND▴" in it.lines()[0]


async def test_equal_rows_do_not_change_places():
    async with drive() as it:
        await it.show(make([0, 0, 0, 0], pids=[3, 1, 4, 2]))
        assert it.pids() == [1, 2, 3, 4]
        await it.show(make([0, 0, 0, 0], pids=[2, 4, 3, 1]))
        assert it.pids() == [1, 2, 3, 4]


async def test_sort_next_goes_through_the_columns_on_the_screen():
    async with drive() as it:
        await it.show(make([1, 2]))
        names = [column.name for column in it.table.columns]
        assert names == ["pid", "comm", "waits", "total_us", "p99_us"]
        seen = []
        for _ in names:
            it.table.sort_next(1)
            seen.append(it.table.sort_column)
        assert seen == ["pid", "comm", "waits", "total_us", "p99_us"]
        it.table.sort_next(-1)
        assert it.table.sort_column == "total_us"


async def test_the_pane_s_own_order_is_reachable_where_its_column_asks_for_more_room():
    wide = tuple(
        replace(column, from_width=90) if column.name == PANE.sort else column for column in PANE.columns
    )
    async with drive(pane=replace(PANE, columns=wide)) as it:
        await it.show(make([1, 2]))
        it.table.sort_by("waits")
        assert "P99" in it.lines()[0]
        it.table.sort_by("total_us")
        it.table.sort_next(1)
        assert it.table.sort_column == "p99_us"
    async with drive(pane=replace(PANE, columns=wide), size=(26, 24)) as it:
        await it.show(make([1, 2]))
        it.table.sort_by("total_us")
        assert "P99" not in it.lines()[0]
        it.table.sort_next(1)
        assert "▾P99" in it.lines()[0]


VALUES = st.lists(st.one_of(st.none(), st.floats(allow_infinity=True)), max_size=30)


@given(VALUES, st.booleans())
def test_order_is_that_of_python(values, reverse):
    """Against sorted(): not measured last, equal ones by PID."""
    floats = [float("nan") if value is None else value for value in values]
    rows = make(floats)
    got = order(PANE, rows, "p99_us", reverse=reverse).tolist()
    sign = 1 if reverse else -1
    expected = sorted(
        range(len(floats)),
        key=lambda i: (floats[i] != floats[i], 0 if floats[i] != floats[i] else sign * floats[i], i),
    )
    assert got == expected


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20))
def test_large_numbers_are_ordered_exactly(values):
    rows = {**make(range(len(values))), "waits": np.array(values, dtype=np.uint64)}
    got = order(PANE, rows, "waits").tolist()
    assert got == sorted(range(len(values)), key=lambda i: (-values[i], i))


@given(st.permutations([b"b.service", b"a.service", None, b"/"]))
def test_equal_rows_without_numbers_stand_in_the_order_of_their_text(names):
    """Of totals per cgroup: else those of one figure would change places at every sample."""
    rows = {"cgroup": np.array(names, dtype=object), "waits": np.full(4, 7)}
    pane = per_cgroup(replace(PANE, columns=(*PANE.columns, CGROUP)))
    got = rows["cgroup"][order(pane, rows, "waits")].tolist()
    assert got == [None, b"/", b"a.service", b"b.service"]
