"""Rows added up, by process."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from textual.widgets import Input

from ktop import registry
from ktop.frame import Frame
from ktop.pane import Column, Unit, fold, no_derived
from ktop.panes.biotop import PANE as BIOTOP
from ktop.tables.totals import per_process
from ktop.ui.process_screen import ProcessScreen
from ktop.ui.stack_tree import StackTree
from ktop.ui.view import Followed
from tests.ui.driven import running
from tests.ui.synthetic import PANES, Synthetic


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


class Workers(Synthetic):
    """All processes that have stacks are of one name but the last."""

    def frames(self, tick: int) -> list[Frame]:
        frames = super().frames(tick)
        for place, frame in enumerate(frames):
            if frame.pane == "profile":
                names = np.where(frame.rows["pid"] == frame.rows["pid"][-1], b"cron", b"php fpm")
                frames[place] = replace(frame, rows={**frame.rows, "comm": names})
        return frames


async def test_stacks_per_name_and_enter_leaves_the_processes_of_one():
    async with running(Workers(), pane="profile", notifications=True, size=(120, 60)) as k:
        tree = k.view.table
        assert isinstance(tree, StackTree)
        await k.press("c", "home")
        pids, first = tree.root.children.keys(), k.pid
        assert len(pids) > 2
        assert first is not None
        await k.press("p")
        assert "per name" in k.text
        assert set(tree.root.children) == {b"php fpm", b"cron"}
        assert f"php fpm ({len(pids) - 1} processes)" in k.text
        assert tree.process is None
        await k.press("F")
        await k.until(lambda: "No one process is under the cursor." in k.text)
        k.app.view.follow = Followed(first, None)
        await k.tick()
        assert f"following {first} " in k.text, "its line is there: it is waited for no longer"
        k.app.view.follow = None
        await k.press("enter")
        await k.until(lambda: '/ comm:"php fpm"' in k.text and "per name" not in k.text)
        await k.until(lambda: len(tree.root.children) == len(pids) - 1)
        assert k.pid == first
        await k.press("escape", "p", "end", "enter")
        await k.until(lambda: k.shows(ProcessScreen))


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
