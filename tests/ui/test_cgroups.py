"""Totals per container or unit, and the way from them to the processes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ktop import registry
from ktop.frame import take
from ktop.pane import START, Fold, Shape
from ktop.tables.filter import parse
from ktop.tables.totals import filter_for, per_cgroup, totals
from ktop.ui.stack_tree import StackTree
from tests.rows import rows_of
from tests.ui.driven import running
from tests.ui.owned import NAMES, OWNED, Owned

TABLES = [pane for pane in registry.panes() if pane.shape is Shape.TABLE and pane.adds_up_per_cgroup]


def test_every_table_of_processes_can_be_added_up():
    wanted = {pane.name for pane in registry.panes() if pane.has_processes and pane.shape is Shape.TABLE}
    assert {pane.name for pane in TABLES} == wanted != set()


@pytest.mark.parametrize("pane", TABLES, ids=lambda pane: pane.name)
def test_nothing_is_counted_twice_or_left_out(pane):
    rows = rows_of(pane, 40)
    # As many rows of one process as a pane can have.
    rows = take(rows, np.repeat(np.arange(20), 2)) if pane.name in {"biotop", "tcptop"} else rows
    rows["cgroup"] = NAMES[rows["pid"] % len(NAMES)]
    shown = per_cgroup(pane)
    found = totals(pane, shown, rows)
    assert set(found["cgroup"].tolist()) == set(rows["cgroup"].tolist())
    assert len(found["cgroup"]) == len(set(found["cgroup"].tolist()))
    identities = {each for each in zip(rows["pid"].tolist(), rows[START].tolist(), strict=True) if each[0]}
    assert found["processes"].sum() == len(identities)
    identity = {*pane.key, pane.process_key}
    added = [column for column in pane.columns if column.fold is Fold.SUM and column.name not in identity]
    assert added
    for column in added:
        assert found[column.name].sum(dtype=float) == pytest.approx(rows[column.name].sum(dtype=float))
    assert {column.name for column in shown.columns} <= set(found)


def test_a_process_that_moved_counts_in_both_and_nobody_in_none():
    """Its connections or disks say where it was when it used them."""
    pane = registry.get("tcptop")
    rows = {**rows_of(pane, 4), "pid": np.array([7, 7, 7, 0]), START: np.array([1, 1, 1, 0])}
    rows["cgroup"] = np.array([b"ssh.service", b"session-3.scope", b"session-3.scope", None], dtype=object)
    rows["tx_bytes"] = np.array([1000, 7, 8, 1])
    found = totals(pane, per_cgroup(pane), rows)
    columns = (found[name].tolist() for name in ("cgroup", "processes", "connections", "tx_bytes"))
    assert set(zip(*columns, strict=True)) == {
        (b"ssh.service", 1, 1, 1000),
        (b"session-3.scope", 1, 2, 15),
        (None, 0, 1, 1),
    }


async def test_rows_per_cgroup_and_back():
    async with running(Owned(), panes=OWNED, pane="biotop", size=(160, 40)) as k:
        rows = dict(k.view._snapshot.rows)
        await k.press("C")
        await k.until(lambda: "PROCESSES" in k.text and k.table.row_count == len(NAMES))
        assert "per cgroup" in k.text
        assert "Enter its processes" in k.text
        assert k.pid is None
        shown = k.view._snapshot.rows
        read = dict(zip(shown["cgroup"].tolist(), shown["read_bytes"].tolist(), strict=True))
        assert read == {
            name: rows["read_bytes"][rows["cgroup"] == name].sum() for name in set(NAMES.tolist())
        }
        await k.press("F")
        await k.tick()
        await k.press("C")
        await k.until(lambda: "PROCESSES" not in k.text and k.table.row_count == len(rows["pid"]))
        assert "per cgroup" not in k.text
        assert "Enter process" in k.text


async def test_the_cursor_stays_on_the_cgroup():
    async with running(Owned(), panes=OWNED, size=(160, 40)) as k:
        await k.press("down", "down")
        name = (k.table.cursor_row() or {})["cgroup"]
        await k.press("C")
        await k.until(lambda: "PROCESSES" in k.text and k.table.row_count)
        await k.until(lambda: (k.table.cursor_row() or {})["cgroup"] == name)


async def test_enter_leaves_the_processes_in_all_panes():
    async with running(Owned(), panes=OWNED, pane="biotop", size=(160, 40)) as k:
        await k.press("C")
        await k.until(lambda: k.table.row_count == len(NAMES))
        k.table.go_to(cgroup=NAMES[1])
        await k.press("enter")
        await k.until(lambda: k.view._view.filter and "PROCESSES" not in k.text and k.table.row_count)
        await k.until(lambda: set(k.view._snapshot.rows["cgroup"].tolist()) == {NAMES[1]})
        assert '/ cgroup:"web? 1 [a].scope"' in k.text
        await k.press("1")
        await k.until(lambda: k.view.pane.name == "runqlat" and k.table.row_count)
        assert set(k.view._snapshot.rows["cgroup"].tolist()) == {NAMES[1]}
        await k.press("escape")
        await k.until(lambda: len(set(k.view._snapshot.rows["cgroup"].tolist())) == len(NAMES))


async def test_enter_adds_to_a_filter():
    async with running(Owned(), panes=OWNED, pane="biotop", size=(160, 40)) as k:
        await k.press("slash", *"read>1", "enter", "C")
        await k.until(lambda: "PROCESSES" in k.text and k.table.row_count)
        k.table.go_to(cgroup=NAMES[0])
        await k.press("enter")
        await k.until(lambda: "/ read>1 cgroup:backup@globex.service" in k.text)


async def test_a_filter_of_processes_chooses_the_rows_that_are_added_up():
    async with running(Owned(), panes=OWNED, pane="biotop", size=(160, 40)) as k:
        rows = k.view._snapshot.rows
        mine = rows["comm"] == b"postgres"
        await k.press("slash", *"postgres", "enter", "C")
        await k.until(lambda: "PROCESSES" in k.text and k.table.row_count)
        shown = k.view._snapshot.rows
        assert set(shown["cgroup"].tolist()) == set(rows["cgroup"][mine].tolist())
        assert shown["read_bytes"].sum() == rows["read_bytes"][mine].sum()
        assert f"{len(shown['cgroup'])} of {len(NAMES)}" in k.text
        assert k.table.trend.width == 0, "it would be of all rows"
        k.main._bar.clear()
        await k.press("slash", *"comm:postgres read>1e18", "enter")
        await k.until(lambda: f"0 of {len(NAMES)}" in k.text)
        assert "no column here" not in k.text


async def test_totals_are_filtered_by_what_they_have():
    async with running(Owned(), panes=OWNED, pane="biotop", size=(160, 40)) as k:
        await k.press("C", "slash", *"processes>0 cgroup:backup*", "enter")
        await k.until(lambda: f"1 of {len(NAMES)}" in k.text)
        await k.press("C")
        await k.until(lambda: "no column here for processes>0" in k.text)


async def test_who_is_followed_is_not_missed_among_cgroups():
    async with running(Owned(), panes=OWNED, size=(160, 40)) as k:
        await k.press("F")
        await k.until(lambda: "following" in k.text)
        await k.press("C")
        await k.until(lambda: "PROCESSES" in k.text and k.table.row_count)
        assert "following" not in k.text
        await k.press("C")
        await k.until(lambda: "following" in k.text)


async def test_the_same_cgroup_is_asked_for_once():
    async with running(Owned(), panes=OWNED, size=(160, 40)) as k:
        for _ in range(2):
            await k.press("C")
            await k.until(lambda: "PROCESSES" in k.text and k.table.row_count)
            k.table.go_to(cgroup=NAMES[0])
            await k.press("enter")
            await k.until(lambda: "PROCESSES" not in k.text and k.view._view.filter)
        assert k.view._view.filter.text == "cgroup:backup@globex.service"


async def test_totals_per_cgroup_are_in_all_panes_that_have_them():
    async with running(Owned(), panes=OWNED, pane="biotop", size=(160, 40)) as k:
        await k.press("1", "2", "C")
        await k.until(lambda: "PROCESSES" in k.text)
        for pane, has in (("1", True), ("5", False), ("2", True)):
            await k.press(pane)
            await k.until(lambda: k.table.row_count and ("per cgroup" in k.text) == has)  # noqa: B023 - at once
        await k.press("C", "1")
        await k.until(lambda: k.view.pane.name == "runqlat" and k.table.row_count)
        assert "PROCESSES" not in k.text


async def test_from_totals_to_totals():
    async with running(Owned(), panes=OWNED, pane="biotop", size=(160, 40)) as k:
        for key, word in (("p", "per process"), ("C", "per cgroup"), ("p", "per process")):
            await k.press(key)
            await k.until(lambda: word in k.text and k.table.row_count)  # noqa: B023 - at once
        await k.press("p")
        await k.until(lambda: "per process" not in k.text and "per cgroup" not in k.text)


@pytest.mark.parametrize("pane", ["hardirqs", "execsnoop", "cachestat"])
async def test_the_key_does_nothing_where_rows_do_not_say_whose_they_are(pane):
    async with running(Owned(), panes=OWNED, pane=pane) as k:
        before = k.view.shown_pane
        await k.press("C")
        assert k.view.shown_pane is before
        await k.press("question_mark")
        assert "totals per container" not in k.text


@given(st.binary(min_size=1, max_size=40).map(lambda name: name.rstrip(b"\0")).filter(bool))
def test_a_filter_for_any_name(name: bytes):
    """Whatever a container's runtime calls it, it is found, and no other."""
    pane = TABLES[0]
    rows = rows_of(pane, 2)
    rows["cgroup"] = np.array([name, b"another.service"])
    found = parse(filter_for("cgroup", name), [pane]).mask(pane, rows)
    assert found[0]
    assert not found[1] or name == b"another.service"


async def test_stacks_stand_below_their_cgroup_and_enter_leaves_its_processes():
    async with running(Owned(), panes=OWNED, pane="biotop", size=(160, 40)) as k:
        await k.press("C", "7")
        await k.until(lambda: k.view.pane.name == "profile" and "per cgroup" in k.text)
        tree = k.main.query_one(StackTree)
        cgroups = [value for _, value in (node.group or ("", None) for node in tree.root.children.values())]
        assert set(cgroups) == set(NAMES.tolist())
        await k.press("home", "e", "down")
        process = tree.process
        await k.press("C", "C")
        assert process is not None
        assert tree.process == process, "the cursor stays on its process"
        await k.press("c", "home", "F")
        assert k.main.view.follow is None
        k.main.view.follow = process
        k.main.redraw()
        assert tree.process == process, "below a cgroup that was closed"
        k.main.view.follow = None
        await k.press("home")
        assert tree.cursor is not None
        assert k.pid is None
        await k.press("enter")
        await k.until(lambda: "per cgroup" not in k.text and k.main.view.filter)
        await k.until(lambda: set(k.view._snapshot.rows["cgroup"].tolist()) == {cgroups[0]})
        assert {node.group for node in tree.root.children.values()} == {None}
        assert tree.process is not None
        await k.press("2")
        await k.until(lambda: k.view.pane.name == "biotop" and k.table.row_count)
        assert "PROCESSES" not in k.text
