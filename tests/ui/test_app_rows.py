"""Moments, sorting, filtering and the cursor, by keys and the mouse."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from textual.widgets import Input

from ktop import registry
from ktop.frame import Frame
from ktop.pane import Column, RowHistogram, Unit, fold, no_derived
from ktop.panes.biotop import PANE as BIOTOP
from ktop.ui.charts.heatmap import HeatmapView
from ktop.ui.filter_bar import FilterBar
from ktop.ui.process_screen import ProcessScreen
from ktop.ui.table.sort_picker import SortPicker
from ktop.ui.table.table import FrameTable
from ktop.ui.totals import per_process
from tests.ui.driven import running
from tests.ui.synthetic import HARDIRQS, PANES, Synthetic

# -- time --------------------------------------------------------------------


async def test_enter_in_the_heatmap_holds_the_moment_of_the_column():
    async with running(size=(160, 40)) as k:
        times = k.main.history.times("runqlat")
        await k.press("c", "h", "left", "left", "enter")
        assert k.app.view.at == times[-4]
        assert "-00:03 · paused" in k.text
        assert k.keyboard_is_at(FrameTable)
        assert (
            k.view._snapshot.rows["pid"].tolist() == k.main.history.frames("runqlat")[-4].rows["pid"].tolist()
        )
        await k.press("escape")
        assert k.app.view.live


async def test_pause_holds_the_view_and_collecting_goes_on():
    async with running() as k:
        before = k.table.cursor_row()
        await k.press("space")
        await k.tick(10)
        assert k.table.cursor_row() == pytest.approx(before) if before is None else True
        assert "-00:10 · paused" in k.text
        assert k.main.history.latest("runqlat").ts == k.app.bridge.now
        await k.press("space")
        assert "paused" not in k.text
        assert k.app.view.live


@pytest.mark.parametrize("pane", ["runqlat", "cachestat", "hardirqs", "execsnoop", "profile"])
async def test_what_is_held_grows_older_on_every_axis(pane):
    async with running(size=(200, 50), pane=pane) as k:
        await k.press("space")
        await k.tick(60)
        await k.tick()
        seen = k.main_text
        k.view.draw()
        await k.pilot.pause()
        assert k.main_text == seen


async def test_what_is_held_outlasts_the_history():
    async with running() as k:
        await k.press("space")
        at = k.app.view.at
        before = _but_for_ages(k.main_text)
        k.source.ticks += 900
        await k.tick(3)
        await k.press("6", "1")
        await k.until(lambda: k.view.pane.name == "runqlat")
        assert "-15:03 · paused" in k.main_text
        assert _but_for_ages(k.main_text) == before
        await k.press("left_square_bracket")
        assert k.app.view.at == at - 1
        await k.press("right_square_bracket")
        assert k.app.view.at == at
        await k.press("right_square_bracket")
        assert k.app.view.at == at + 901
        await k.press("space")
        await k.tick()
        assert k.main.history.times("runqlat")[0] == at + 901


def _but_for_ages(text):
    """Return all lines but the header's and the axis of time, which counts from now."""
    return [line for line in text.splitlines()[2:] if not re.search(r"  -\d+m?|  now", line)]


async def test_sorting_filtering_and_drilling_work_while_paused():
    async with running() as k:
        await k.press("space")
        await k.tick(3)
        await k.press("greater_than_sign")
        assert k.table.sort_column != "wait_us"
        await k.press("slash", *"nginx", "enter")
        assert k.table.row_count == 1
        await k.press("enter")
        assert isinstance(k.app.screen, ProcessScreen)


async def test_steps_back_and_forward_until_it_is_now_again():
    async with running() as k:
        newest = k.app.bridge.now
        await k.press("left_square_bracket")
        assert k.app.view.at == newest - 1
        await k.press("t", "left_curly_bracket")
        assert k.app.view.at == pytest.approx(max(newest - 62, k.main.history.span("runqlat")[0]))  # type: ignore[index]
        await k.press("right_square_bracket", "T")
        assert not k.app.view.live
        await k.press("right_curly_bracket")
        assert k.app.view.live


async def test_escape_returns_from_the_past_before_it_clears_the_filter():
    async with running() as k:
        await k.press("slash", *"nginx", "enter", "left_square_bracket", "escape")
        assert k.app.view.live
        assert k.app.view.filter
        await k.press("escape")
        assert not k.app.view.filter


# -- rows --------------------------------------------------------------------


async def test_the_filter_applies_to_all_panes_and_stays_in_sight():
    async with running() as k:
        await k.press("slash", *"comm:nginx", "enter")
        assert k.table.row_count == 1
        await k.press("3")
        assert k.table.row_count == 1
        assert "comm:nginx" in k.text
        assert "1 of" in k.text
        await k.press("f", "escape")
        assert k.table.row_count > 1
        assert not k.main.query_one(FilterBar).has_class("-shown")


async def test_a_filter_that_makes_no_sense_says_why_and_changes_nothing():
    async with running() as k:
        rows = k.table.row_count
        await k.press("slash", *"waits>")
        assert "missing" in k.text
        assert k.table.row_count == rows
        assert "still: all rows" in k.text
        await k.press("9")
        assert "missing" not in k.text
        await k.press(*["backspace"] * 7, *"nginx", "enter")
        assert k.table.row_count == 1
        # Typing replaces it, moving edits it.
        await k.press("f", *"waits>")
        assert k.main.query_one(Input).value == "waits>"
        assert "still: nginx" in k.text
        assert k.table.row_count == 1
        await k.press("1", "enter", "slash", "end", "0")
        assert k.main.query_one(Input).value == "waits>10"


async def test_a_term_for_another_pane_is_named():
    async with running() as k:
        await k.press("slash", *"disk:sda", "enter")
        assert "no column here for disk:sda" in k.text
        await k.press("2")
        assert "no column here" not in k.text


async def test_a_column_that_no_pane_has_is_named_where_nothing_is_found():
    async with running() as k:
        await k.press("slash", *"cgrp:web", "enter")
        assert "no pane has a column cgrp: it is looked for as text" in k.text


@pytest.mark.parametrize(
    ("pane", "key", "sentence"),
    [
        ("runqlat", "p", "runqlat has no more than one row of a process."),
        ("hardirqs", "C", "hardirqs has no totals per cgroup."),
        ("runqlat", "x", "runqlat collects nothing on demand."),
        ("cachestat", "c", "cachestat has no heatmap."),
    ],
)
async def test_keys_that_do_nothing_in_a_pane_say_so(pane, key, sentence):
    async with running(pane=pane, notifications=True) as k:
        await k.press(key)
        await k.until(lambda: sentence in k.text)


async def test_the_end_of_the_history_is_said():
    async with running(notifications=True, ticks=5) as k:
        await k.press("[")
        await k.press("[")
        assert "oldest" not in k.text
        await k.press("{")
        await k.until(lambda: "This is the oldest sample that is kept." in k.text)


async def test_letters_typed_into_the_filter_do_nothing_else():
    async with running() as k:
        await k.press("slash", *"q1 Sx")
        assert k.main.query_one(Input).value == "q1 Sx"
        assert k.view.pane is PANES[0]


async def test_the_cursor_stays_on_its_process_when_the_order_changes():
    async with running() as k:
        await k.press("down", "down", "down")
        pid = k.pid
        await k.tick(7)
        await k.press("I")
        assert k.pid == pid


async def test_a_cursor_that_nobody_moved_is_never_out_of_sight():
    async with running(size=(80, 24), ticks=1) as k:
        for _ in range(30):
            await k.tick()
            assert k.table._in_sight()


async def test_the_sort_picker_explains_and_sorts():
    async with running() as k:
        await k.press("S")
        assert isinstance(k.app.screen, SortPicker)
        assert "Times a thread waited for a CPU" in k.text
        await k.press("home", "enter")
        assert k.table.sort_column == "pid"
        await k.press("S", "escape")
        assert k.table.sort_column == "pid"


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


async def test_a_filter_says_nothing_any_more_once_its_widgets_are_gone():
    async with running() as k:
        await k.press("slash")
        bar = k.main.query_one(FilterBar)
        await bar.query("*").remove()
        bar._say()
        assert k.app.failure is None


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


async def test_what_only_the_host_has_is_not_offered_to_sort_by():
    cachestat = registry.get("cachestat")
    async with running(panes=(cachestat,), pane="cachestat") as k:
        await k.press("S")
        assert k.shows(SortPicker)
        await k.until(lambda: "SURPLUS" in k.text)
        assert not re.search(r"\b(CACHED|DIRTY)\b", k.text)


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


async def test_the_order_goes_round_past_what_has_none():
    async with running(size=(150, 40)) as k:
        begun = k.table.sort_column
        seen: list[str] = []
        while begun not in seen and len(seen) < 30:
            await k.press("greater_than_sign")
            seen.append(k.table.sort_column)
        assert seen[-1] == begun
        assert len(set(seen)) == len(seen) > 3


async def test_what_runs_on_demand_is_asked_for_and_given_up():
    async with running(pane="execsnoop") as k:
        await k.press("x", "x")
        assert k.source.demands == [("execsnoop", "failed", True), ("execsnoop", "failed", False)]


async def test_of_a_recording_nothing_more_can_be_asked():
    async with running(Synthetic(recorded=True), pane="execsnoop") as k:
        said: list[str] = []
        k.main.notify = lambda text, **_: said.append(text)  # type: ignore[method-assign]
        await k.press("x")
        assert said == ["This is a recording: it has what was collected then, and no more."]
        assert not k.source.demands


class Demanded(Synthetic):
    """Tells of the hooks that were asked for, as the sampler does; of each two execs one fails then."""

    def frames(self, tick: int) -> list[Frame]:
        asked = {group: "tp_btf/sys_exit" for _pane, group, on in self.demands[-1:] if on}
        return [self._asked(frame, asked) for frame in super().frames(tick)]

    def _asked(self, frame: Frame, asked: dict[str, str]) -> Frame:
        rows = dict(frame.rows)
        if asked and "error" in rows:
            rows["error"] = np.array([b"ENOENT", None], dtype=object)
        status = replace(frame.status, hooks={**frame.status.hooks, **asked})
        return replace(frame, rows=rows, status=status)


async def test_what_runs_on_demand_is_said_as_long_as_it_runs():
    async with running(Demanded(), pane="execsnoop") as k:
        assert "failed:" not in k.text
        await k.press("x")
        await k.tick()
        assert "failed: 1 in 1 s, 1 kept" in k.text
        await k.tick(2)
        assert "failed: 1 in 1 s, 3 kept" in k.text
        await k.press("left_square_bracket")
        assert "failed: 1 in 1 s, 2 kept" in k.text
        await k.press("escape", "slash", *"df", "enter")
        assert "failed: 1 in 1 s, 3 kept" in k.text
        await k.press("x")
        await k.tick()
        assert "failed:" not in k.text
        await k.press("1")
        assert "failed:" not in k.main_text


async def test_among_events_the_cursor_is_on_the_newest_until_it_is_moved():
    async with running(pane="execsnoop") as k:
        seen = []
        for _ in range(3):
            await k.tick()
            assert k.table._cursor.position == 0
            seen.append(k.table.cursor_key)
        assert seen[0] != seen[1] != seen[2]
        await k.press("down")
        key = k.table.cursor_key
        await k.tick(3)
        assert k.table.cursor_key == key
        assert k.table._cursor.position > 1
        await k.press("g")
        await k.tick(3)
        assert k.table._cursor.position == 0


async def test_a_later_event_completes_an_earlier_one_and_the_newest_is_first():
    async with running(pane="execsnoop", ticks=3) as k:
        assert k.table.row_count == 6
        row = k.table.cursor_row()
        assert row is not None
        assert row["pid"] == 9005


async def test_the_histogram_is_that_of_the_row_under_the_cursor():
    async with running(pane="hardirqs") as k:
        first = k.text
        await k.press("down")
        name = k.table.cursor_row()["name"].decode()  # type: ignore[index]
        assert f"Time in the handler  {name}" in k.text
        assert k.text != first


async def test_a_histogram_without_a_label_is_of_the_key():
    chart = RowHistogram("Time by line", "hist")
    async with running(pane="hardirqs", panes=(replace(HARDIRQS, chart=chart),)) as k:
        assert f"Time by line  {k.table.cursor_row()['irq']} " in k.text  # type: ignore[index]


async def test_the_chart_takes_the_keyboard_and_gives_it_back():
    async with running() as k:
        k.view.switch_focus()
        # At once: over a slow line, what is typed for the chart comes in one piece with the key.
        assert k.keyboard_is_at(HeatmapView)
        k.view.switch_focus()
        assert k.keyboard_is_at(FrameTable)
        await k.press("c", "left", "up")
        assert k.keyboard_is_at(HeatmapView)
        await k.press("c")
        assert k.app.focused is k.table
        await k.press("c", "escape")
        assert k.app.focused is k.table
