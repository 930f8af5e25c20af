"""Execs added up: by the parent that started them, and by its container or unit."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from ktop.format import duration
from ktop.frame import Array, Frame, length, take
from ktop.recording.conform import conform
from ktop.tables.totals import per_cgroup, per_process
from ktop.ui.process_screen import ProcessScreen
from tests.ui.driven import Driven, running
from tests.ui.started import BUILD, BUILD_BEGAN, EXECSNOOP, LOOP, LOOP_BEGAN, STARTED, Started
from tests.ui.synthetic import EXECSNOOP as WITHOUT_TOTALS
from tests.ui.synthetic import START

TICKS = 20
WIDE = (160, 40)


def shown(k: Driven) -> dict[int, dict[str, object]]:
    """Return the totals in sight by parent."""
    rows = k.view._snapshot.rows
    return {
        ppid: {name: values.item(place) for name, values in rows.items()}
        for place, ppid in enumerate(rows["ppid"].tolist())
    }


async def totals(k: Driven, key: str = "p", title: str = "EXECS/S") -> None:
    await k.press(key)
    await k.until(lambda: title in k.text and k.table.row_count)


def test_only_events_that_say_what_they_add_up_to_have_totals():
    assert EXECSNOOP.adds_up_per_process
    assert EXECSNOOP.adds_up_per_cgroup
    assert not WITHOUT_TOTALS.adds_up_per_process
    assert not WITHOUT_TOTALS.adds_up_per_cgroup


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_totals_per_parent(size):
    async with running(Started(), panes=STARTED, pane="execsnoop", ticks=TICKS, size=size) as k:
        await totals(k)
        assert f"per parent  of the last {duration(TICKS).strip()}" in k.text
        first, second, *_ = [
            line for line in k.text.splitlines() if re.match(r"\s*\d+  (loop.sh|ninja)", line)
        ]
        # 3 and 2 a tick; of the build's, one in two goes on.
        assert first.split()[:7] == [str(LOOP), "loop.sh", "60", "3.00", "2.00ms", "120ms", "true"]
        assert second.split()[:7] == [str(BUILD), "ninja", "40", "2.00", "250ms", "5.00s", "cc1"]
        assert "FAILED" not in k.text
        assert ("/bin/true 10194" in first) == (size[0] >= 90)
        assert k.table.sorting.column == "execs"
        await k.press("p")
        await k.until(lambda: "per parent" not in k.text and k.table.row_count == 5 * TICKS)
        assert (k.table._cursor.position, k.pid) == (0, 10_194), "on the newest"


async def test_the_cursor_is_on_the_first_whoever_started_the_newest():
    async with running(Started(), panes=STARTED, pane="execsnoop", ticks=TICKS) as k:
        await k.press("down")
        await totals(k)
        await k.pilot.pause()
        assert k.table.process == (LOOP, LOOP_BEGAN)


async def test_enter_opens_the_parent():
    async with running(Started(), panes=STARTED, pane="execsnoop", ticks=TICKS) as k:
        await totals(k)
        await k.press("enter")
        await k.until(lambda: k.shows(ProcessScreen))
        assert (k.screen.pid, k.screen._who.start_ns) == (LOOP, LOOP_BEGAN)


async def test_the_screen_of_a_parent_says_what_it_started():
    async with running(Started(recorded=True), panes=STARTED, ticks=TICKS) as k:
        k.main.open_process(BUILD, BUILD_BEGAN)
        await k.until(lambda: "it started" in k.text)
        assert "it started  execs 40  execs/s 2.00  avg 250ms  total 5.00s  mostly cc1" in k.text
        assert "ninja  " not in k.text, "which one knows"
        assert "no longer kept" not in k.text
        await k.press("escape")
        k.main.open_process(10_194)
        await k.until(lambda: re.search(r"command +/bin/true 10194 *\n *parent +700 loop.sh", k.text))
        assert "it started" not in k.text


async def test_totals_per_cgroup_and_from_one_to_its_execs():
    async with running(Started(), panes=STARTED, pane="execsnoop", ticks=TICKS, size=WIDE) as k:
        await totals(k, "C", "MOSTLY BY")
        rows = k.view._snapshot.rows
        columns = (rows[name].tolist() for name in ("cgroup", "mostly_by", "execs", "mostly"))
        assert set(zip(*columns, strict=True)) == {
            (b"cron.service", b"loop.sh", 60, b"true"),
            (b"ci.service", b"ninja", 40, b"cc1"),
        }
        k.table.go_to(cgroup=b"ci.service")
        await k.press("enter")
        await k.until(lambda: "MOSTLY BY" not in k.text and k.view._view.filter and k.table.row_count)
        assert set(k.view._snapshot.rows["ppid"].tolist()) == {BUILD}
        await totals(k)
        assert set(shown(k)) == {BUILD}


async def test_a_filter_is_of_the_execs_unless_it_is_of_what_totals_have():
    async with running(Started(), panes=STARTED, pane="execsnoop", ticks=TICKS, size=WIDE) as k:
        await totals(k)
        for text, left in (
            ("comm:cc1", {BUILD: 30}),
            ("true", {LOOP: 60, BUILD: 40}),
            ("pid:10194", {LOOP: 1}),
            ("ppid:700", {LOOP: 60}),
            ("execs>50", {LOOP: 60}),
            ("execs_per_s<2.5 parent:ninja", {BUILD: 40}),
        ):
            await k.press("slash", "ctrl+u", *text, "enter")
            await k.until(lambda: k.view._snapshot.rows and k.main._bar)
            assert {ppid: row["execs"] for ppid, row in shown(k).items()} == left, text
            assert "no column here" not in k.text


async def test_totals_are_those_of_the_moment_looked_at():
    async with running(Started(), panes=STARTED, pane="execsnoop", ticks=TICKS, size=WIDE) as k:
        await totals(k)
        await k.press(*["left_square_bracket"] * 15)
        assert shown(k)[LOOP]["execs"] == 15
        assert shown(k)[LOOP]["execs_per_s"] == pytest.approx(3.0)
        assert f"of the last {duration(5).strip()}" in k.text


async def test_who_is_followed_is_a_parent():
    async with running(Started(), panes=STARTED, pane="execsnoop", ticks=TICKS, size=WIDE) as k:
        await totals(k)
        await k.press("F")
        assert k.main.view.follow == (LOOP, LOOP_BEGAN)
        assert f"following {LOOP}" in k.text


class Soon(Started):
    """Its first interval is a quarter of a second, as the sampler's on a screen, and nothing began in it."""

    def frames(self, tick: int) -> list[Frame]:
        frames = super().frames(tick)
        if tick:
            return frames
        return [replace(frame, interval_s=0.25, rows={}, histograms=()) for frame in frames]


async def test_the_first_interval_is_as_short_as_it_was():
    async with running(Soon(), panes=STARTED, pane="execsnoop", ticks=3, size=WIDE) as k:
        await totals(k)
        assert "per parent  of the last 2.25s" in k.text
        found = shown(k)
        assert [found[ppid]["execs"] for ppid in (LOOP, BUILD)] == [6, 4]
        assert found[LOOP]["execs_per_s"] == pytest.approx(6 / 2.25)


class Storm(Started):
    """4,000 execs a second by the loop, more than are kept for long."""

    def rows(self, tick: int) -> dict[str, Array]:
        each = take(super().rows(tick), np.zeros(4_000, dtype=np.intp))
        began = START + tick - 1 + (1 + np.arange(4_000)) / 4_000
        return {**each, "ts": began, "exec_ns": (began * 1e9).astype(np.uint64)}


async def test_what_is_no_longer_kept_counts_for_nothing():
    async with running(Storm(recorded=True), panes=STARTED, pane="execsnoop", ticks=5, size=WIDE) as k:
        await totals(k)
        found = shown(k)[LOOP]
        assert found["execs"] == 10_000
        assert found["execs_per_s"] == pytest.approx(4_000, rel=1e-3)
        assert "per parent  of the last 2.50s  4.00k began in 1 s" in k.text
        await k.press("enter")
        await k.until(lambda: "it started  execs 10.0k  execs/s 4.00k" in k.text)
        assert "only of the last 2.50s" in k.text


class Failing(Started):
    """In every second tick, the build's two failed; they have the name of whom it was tried in."""

    def rows(self, tick: int) -> dict[str, Array]:
        rows = super().rows(tick)
        if tick % 2:
            rows["error"] = np.array([None, b"ENOENT", None, b"EACCES", None], dtype=object)
            rows["comm"] = np.where(rows["ppid"] == BUILD, b"ninja", rows["comm"])
            rows["duration_s"][rows["ppid"] == BUILD] = np.nan
        return rows


async def test_those_that_failed_are_no_execs():
    async with running(Failing(), panes=STARTED, pane="execsnoop", ticks=TICKS, size=(80, 24)) as k:
        await totals(k)
        assert "FAILED" in k.text
        found = shown(k)
        assert [found[ppid]["failed"] for ppid in (LOOP, BUILD)] == [0, TICKS]
        assert [found[ppid]["execs"] for ppid in (LOOP, BUILD)] == [60, TICKS]
        assert found[BUILD]["mostly"] == b"cc1"
        assert found[BUILD]["execs_per_s"] == pytest.approx(1.0)


class Hostile(Started):
    """The loop's name is an escape sequence, and a start later another process has its PID."""

    def rows(self, tick: int) -> dict[str, Array]:
        rows = super().rows(tick)
        rows["parent_comm"] = np.where(rows["ppid"] == LOOP, b"\x1b[2J[b]\xff\n", rows["parent_comm"])
        if tick >= 10:
            rows["parent_start_ns"][0] = LOOP_BEGAN + 1
        return rows


async def test_parents_are_told_apart_and_their_names_are_harmless():
    async with running(Hostile(), panes=STARTED, pane="execsnoop", ticks=TICKS, size=WIDE) as k:
        assert "\\x1b[2J" in k.text
        await totals(k)
        rows = k.view._snapshot.rows
        assert sorted(rows["execs"][rows["ppid"] == LOOP].tolist()) == [10, 50]
        assert k.text.count("\\x1b[2J") == 2


class Older(Started):
    """A recording from before parents had a name."""

    def rows(self, tick: int) -> dict[str, Array]:
        rows = super().rows(tick)
        return {name: rows[name] for name in rows if not name.startswith("parent")}

    def frames(self, tick: int):
        return [
            conform(EXECSNOOP, frame) if frame.pane == EXECSNOOP.name else frame
            for frame in super().frames(tick)
        ]


async def test_of_an_older_recording_the_parents_are_not_known_by_name():
    async with running(Older(recorded=True), panes=STARTED, pane="execsnoop", ticks=TICKS, size=WIDE) as k:
        line = next(line for line in k.text.splitlines() if " 10194 " in line)
        assert line.split()[1:5] == ["10194", str(LOOP), "–", "true"]
        await totals(k)
        line = next(line for line in k.text.splitlines() if line.split()[:1] == [str(LOOP)])
        assert line.split()[:4] == [str(LOOP), "–", "60", "3.00"]
        await k.press("enter")
        await k.until(lambda: "it started  execs 60" in k.text)
        await k.press("escape")
        await totals(k, "C", "MOSTLY BY")
        assert length(k.view._snapshot.rows) == 2


async def test_what_totals_mean_stands_in_the_help():
    async with running(Started(), panes=STARTED, pane="execsnoop", ticks=TICKS, size=(160, 60)) as k:
        await totals(k)
        await k.press("question_mark")
        await k.until(lambda: "MOSTLY" in k.text)
        assert "Beside the rows" not in k.text


def test_every_figure_is_explained_and_found():
    for pane in (per_process(EXECSNOOP), per_cgroup(EXECSNOOP)):
        names = [column.name for column in pane.columns]
        assert len(set(names)) == len(names)
        assert {*pane.key, pane.sort} <= set(names)
        assert all(column.help.endswith(".") for column in pane.columns)
