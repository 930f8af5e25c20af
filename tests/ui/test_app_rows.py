"""Sorting, the cursor, what runs on demand, events and histograms, by keys and the mouse."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from ktop import registry
from ktop.frame import Frame
from ktop.pane import RowHistogram
from ktop.ui.charts.heatmap import HeatmapView
from ktop.ui.table.sort_picker import SortPicker
from ktop.ui.table.table import FrameTable
from tests.ui.driven import running
from tests.ui.synthetic import HARDIRQS, Synthetic


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


@pytest.mark.parametrize("size", [(80, 24), (60, 12), (40, 10)])
async def test_the_sort_picker_has_the_column_and_its_keys_in_sight(size):
    tcptop = registry.get("tcptop")
    async with running(panes=(tcptop,), pane="tcptop", size=size) as k:
        await k.press("S")
        await k.until(lambda: re.search("TOTAL +SENT", k.text) and "Enter sort  Esc back" in k.text)
        await k.press("home")
        await k.until(lambda: re.search("PID +Process", k.text))
        assert "Enter sort  Esc back" in k.text


async def test_what_only_the_host_has_is_not_offered_to_sort_by():
    cachestat = registry.get("cachestat")
    async with running(panes=(cachestat,), pane="cachestat") as k:
        await k.press("S")
        assert k.shows(SortPicker)
        await k.until(lambda: "SURPLUS" in k.text)
        assert not re.search(r"\b(CACHED|DIRTY)\b", k.text)


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
