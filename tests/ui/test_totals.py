"""Rows added up, by process."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from textual.widgets import Input

from ktop import registry
from ktop.pane import Column, Unit, fold, no_derived
from ktop.panes.biotop import PANE as BIOTOP
from ktop.ui.totals import per_process
from tests.ui.driven import running
from tests.ui.synthetic import PANES


async def test_totals_per_process():
    async with running(pane="biotop") as k:
        assert "DISK" in k.text
        await k.press("p")
        await k.until(lambda: "DISK" not in k.text and k.table.row_count)
        assert "per process" in k.text
        await k.press("p")
        await k.until(lambda: "DISK" in k.text)


async def test_totals_keep_the_order_and_the_process_under_the_cursor():
    async with running(pane="biotop") as k:
        k.view.table.sort_by("read_bytes")
        await k.press("I", "down", "down")
        pid = k.pid
        for disks in (0, 1):
            await k.press("p")
            await k.until(lambda: k.table.row_count and k.text.count("DISK") == disks)  # noqa: B023 - at once
            await k.pilot.pause()
            assert (k.table.sort_column, k.table.sort_reversed) == ("read_bytes", True)
            assert k.pid == pid
        k.view.table.sort_by("disk")
        await k.press("p")
        await k.until(lambda: "DISK" not in k.text)
        assert k.table.sort_column == "write_bytes"


async def test_totals_leave_the_keyboard_to_a_filter_begun_meanwhile():
    async with running(pane="biotop") as k:
        await k.press("slash", "o", "enter")
        k.view.toggle_per_process()
        k.main.set_focus(k.main.query_one(Input))
        await k.until(lambda: k.table.row_count)
        assert k.keyboard_is_at(Input)


async def test_totals_say_of_how_many_rows_they_are():
    counted = Column("disks", "DISKS", Unit.COUNT, "Disks that it used.")
    panes = [replace(pane, counted=counted) if pane.name == "biotop" else pane for pane in PANES]
    async with running(pane="biotop", panes=panes, size=(200, 70)) as k:
        rows = k.table.row_count
        assert "DISKS" not in k.text
        await k.press("p")
        await k.until(lambda: "DISKS" in k.text and k.table.row_count)
        k.view.table.sort_by("disks")
        await k.pilot.pause()
        assert int(k.view._snapshot.rows["disks"].sum()) == rows
        # No sample has the column, so that there is nothing to draw of those before.
        assert k.table.trend.width == 0
        await k.press("question_mark")
        await k.until(lambda: "Disks that it used." in k.text)


@pytest.mark.parametrize("name", ["biotop", "tcptop"])
def test_totals_say_whose_the_process_is(name):
    names = [column.name for column in per_process(registry.get(name)).columns]
    assert {"pid", "comm", "cgroup"} <= set(names)


def test_totals_are_of_processes_and_not_of_pids():
    rows = {
        "pid": np.array([0, 0, 7, 7, 7]),
        "start_ns": np.array([1, 2, 10, 10, 20], dtype=np.uint64),
        "comm": np.array([b"(writeback)", b"(loop0)", b"old", b"old", b"new"]),
        "disk": np.array([b"sda", b"sda", b"sda", b"sdb", b"sda"]),
        "read_ops": np.array([1, 2, 4, 8, 16]),
    }
    totals = per_process(replace(BIOTOP, derive=no_derived))
    found = fold(totals, rows, totals.key)
    assert list(zip(found["comm"].tolist(), found["read_ops"].tolist(), strict=True)) == [
        (b"(writeback)", 1),
        (b"(loop0)", 2),
        (b"old", 12),
        (b"new", 16),
    ]
    # Recordings can be older than the column.
    unknown = fold(totals, rows | {"start_ns": np.full(5, np.nan)}, totals.key)
    assert unknown["read_ops"].tolist() == [3, 28]


async def test_totals_can_be_sorted_by_each_column_that_is_offered():
    async with running(pane="biotop") as k:
        await k.press("p")
        await k.until(lambda: "per process" in k.text and k.table.row_count)
        offered = [column.name for column in k.view.shown_pane.columns if column.in_table]
        await k.press("S", "end", "enter")
        assert k.table.sort_column in offered
        await k.press("S")
        assert "DISK" not in k.text


async def test_totals_are_of_the_rows_that_a_filter_of_a_column_they_lack_leaves():
    async with running(pane="biotop") as k:
        await k.press("slash", *"disk:sda", "enter")
        rows = dict(k.view._snapshot.rows)
        assert set(rows["disk"].tolist()) == {b"sda"}
        await k.press("p")
        await k.until(lambda: "per process" in k.text and k.table.row_count)
        assert "no column here" not in k.text
        assert k.view._snapshot.rows["read_bytes"].sum() == rows["read_bytes"].sum() > 0
        k.main._bar.clear()
        await k.until(lambda: k.view._snapshot.rows["read_bytes"].sum() > rows["read_bytes"].sum())
