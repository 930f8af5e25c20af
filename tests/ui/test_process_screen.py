"""The process screen: of the right process, up to the moment looked at, whatever goes wrong in a fold."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from textual._styles_cache import StylesCache
from textual.containers import VerticalScroll
from textual.worker import Worker

from ktop.format import clock, count
from ktop.frame import Frame
from ktop.pane import START, Column, Fold, Unit
from ktop.process import TICK_NS, read
from ktop.registry import get
from ktop.throttling import Limit
from ktop.ui import process_identity as who
from ktop.ui import process_screen, sections
from ktop.ui.main_screen import MainScreen
from ktop.ui.process_screen import PaneSection
from tests.rows import rows_of
from tests.ui.driven import plain, running, spelt
from tests.ui.synthetic import PANES, Synthetic

OLD, NEW = 1_000_000_000, 2_000_000_000
STARTED = Column(START, "START", Unit.NUMBER, "Start of the process.", Fold.LAST, hidden=True)
WITH_START = [replace(pane, columns=(*pane.columns, STARTED)) for pane in PANES]


class Reused(Synthetic):
    """After ten ticks cachestat and profile see other processes under the same PIDs; the rest do not yet."""

    def frames(self, tick: int) -> list[Frame]:
        """Return the Frames of one tick, with the start of each process."""
        return [
            replace(frame, rows={**frame.rows, START: np.full(len(frame), self.began(frame.pane, tick))})
            if len(frame)
            else frame
            for frame in super().frames(tick)
        ]

    def began(self, pane: str, tick: int) -> int:
        """Return when the processes that ``pane`` sees started."""
        return NEW if tick >= 10 and pane in {"cachestat", "profile"} else OLD


def _each_section(monkeypatch: pytest.MonkeyPatch, before: Callable[[str, int], None]) -> None:
    """Call ``before`` with the name of the pane and its number of intervals, whenever one is folded."""
    real = sections.section

    def section(pane: Any, known: Any, *rest: Any, **more: Any) -> Any:
        before(pane.name, len(known.ts))
        return real(pane, known, *rest, **more)

    monkeypatch.setattr(process_screen, "section", section)


async def test_the_moment_asked_for_during_a_fold_is_folded_next(monkeypatch):
    folded: list[int] = []
    goes_on = threading.Event()
    goes_on.set()

    def before(pane: str, intervals: int) -> None:
        if pane == "runqlat":
            folded.append(intervals)
            goes_on.wait(30)

    _each_section(monkeypatch, before)
    async with running(Synthetic(recorded=True)) as k:
        await k.press("enter", "space")
        await k.until(lambda: "waits by length" in k.text and folded[-1] == 30)
        goes_on.clear()
        await k.press("left_square_bracket")
        await k.until(lambda: folded[-1] == 29)
        await k.press(*["left_square_bracket"] * 3)
        goes_on.set()
        await k.until(lambda: folded[-1] == 26)
        await k.press("right_square_bracket")
        await k.until(lambda: folded[-1] == 27)


async def test_a_fold_that_fails_is_said_and_tried_again(monkeypatch):
    broken = threading.Event()
    broken.set()

    def before(pane: str, intervals: int) -> None:
        del intervals
        if pane == "biotop" and broken.is_set():
            raise ValueError("\x1b[31mno such thing")

    _each_section(monkeypatch, before)
    async with running(Synthetic(recorded=True)) as k:
        await k.press("enter")
        await k.until(lambda: "not updated: ValueError: \\x1b[31mno such thing" in k.text)
        broken.clear()
        await k.until(lambda: not k.screen._busy)
        k.screen._next = 0.0  # failing took time too, after which it rests
        await k.tick()
        await k.until(lambda: "waits by length" in k.text and "not updated" not in k.text)


async def test_what_cannot_be_drawn_is_said_too(monkeypatch):
    def breaks(*_arguments: object) -> None:
        raise ValueError("no line")

    monkeypatch.setattr(process_screen, "nothing", breaks)
    async with running(Synthetic(recorded=True)) as k:
        await k.press("enter")
        await k.until(lambda: "not updated: ValueError: no line" in k.text)


async def test_that_no_thread_is_to_be_had_is_said_and_tried_again(monkeypatch):
    real = Worker._run_threaded

    async def refused(_worker: object) -> None:
        raise RuntimeError("can't start new thread")  # as Thread.start does

    monkeypatch.setattr(Worker, "_run_threaded", refused)
    async with running(Synthetic(recorded=True)) as k:
        await k.press("enter")
        await k.until(lambda: "not updated: RuntimeError: can't start new thread" in k.text)
        monkeypatch.setattr(Worker, "_run_threaded", real)
        await k.tick()
        await k.until(lambda: "waits by length" in k.text and "not updated" not in k.text)


async def test_drawing_once_more_while_it_closes_is_no_failure():
    """Its widgets go before it does: what was still to be drawn finds none."""
    async with running() as k:
        await k.press("enter")
        await k.until(lambda: "waits by length" in k.text)
        screen = k.screen
        await screen.remove_children()
        screen.redraw()
        await k.until(lambda: not screen._busy)
        await k.press("escape")
        await k.until(lambda: not screen.is_attached)
        screen.redraw()
        assert k.app.failure is None


async def test_what_was_drawn_is_forgotten_with_the_screen():
    def drawn() -> int:
        gc.collect()
        return sum(isinstance(each, StylesCache) for each in gc.get_objects())

    counts = []
    async with running(Synthetic(recorded=True)) as k:
        for _ in range(6):
            await k.press("enter")
            await k.until(lambda: "waits by length" in k.text)
            await k.press("escape")
            counts.append(drawn())
    # The last screen, or two of them, may still be on their way out.
    assert counts[-1] < 2 * counts[0]


@pytest.mark.parametrize(
    ("pane", "start_ns"), [("runqlat", OLD), ("biotop", OLD), ("cachestat", NEW), ("profile", NEW)]
)
async def test_enter_opens_the_process_of_the_row_not_another_of_its_pid(pane, start_ns):
    async with running(Reused(recorded=True), ticks=20, pane=pane, panes=WITH_START) as k:
        await k.until(lambda: k.pid)
        await k.press("enter")
        known = k.main.history.process(WITH_START[2], k.screen.pid, start_ns)
        assert len(known) == 10
        accesses = f"accesses {count(known.total['accesses'][0]).strip()}  "
        await k.until(lambda: accesses in k.text)
        assert ("waits by length" in k.text) == (start_ns == OLD)


@pytest.mark.parametrize(("size", "bars"), [((80, 24), 5), ((120, 40), 10)])
async def test_the_histogram_takes_the_lines_it_has_bars_for(size, bars):
    async with running(Synthetic(recorded=True), size=size) as k:
        await k.press("enter")
        await k.until(lambda: "p99" in k.text)
        runqlat = next(each for each in k.screen.query(PaneSection) if each.pane.name == "runqlat")
        _, _, chart = plain(runqlat).rstrip().partition("waits by length")
        assert len(chart.splitlines()) == 1 + bars


async def test_without_a_histogram_there_is_no_room_for_one():
    async with running(Synthetic(recorded=True)) as k:
        await k.press("enter")
        await k.until(lambda: "p99" in k.text)
        runqlat = next(each for each in k.screen.query(PaneSection) if each.pane.name == "runqlat")
        runqlat.show(replace(runqlat._content, histogram=None))
        await k.until(lambda: runqlat.size.height == 1 + len(runqlat._content.lines) + 1)


async def test_stacks_have_the_whole_width():
    async with running(Synthetic(recorded=True), size=(200, 50)) as k:
        await k.press("enter")
        await k.until(lambda: "samples" in k.text)
        sections = {each.pane.name: each for each in k.screen.query(PaneSection)}
        assert sections["profile"].size.width > 2 * sections["runqlat"].size.width


async def test_sections_that_say_something_stand_beside_each_other():
    async with running(Synthetic(recorded=True), size=(200, 50)) as k:
        await k.press("enter")
        await k.until(lambda: "samples" in k.text)
        places = {each.pane.name: each.region for each in k.screen.query(PaneSection) if each.display}
        assert "llcstat" not in places
        assert places["runqlat"].y == places["biotop"].y
        assert places["runqlat"].x == places["cachestat"].x < places["biotop"].x


@pytest.mark.parametrize(
    ("pane", "first"), [("runqlat", "runqlat"), ("cachestat", "cachestat"), ("hardirqs", "runqlat")]
)
async def test_the_pane_that_was_asked_comes_first(pane, first):
    async with running(Synthetic(recorded=True), pane=pane) as k:
        k.main.open_process(438)
        await k.until(lambda: "samples" in k.text)
        shown = [each.pane.name for each in k.screen.query(PaneSection) if each.display]
        assert shown[0] == first
        assert shown[-1] == "profile"


async def test_totals_per_process_know_their_process_too():
    async with running(Reused(recorded=True), ticks=5, pane="biotop", panes=WITH_START) as k:
        await k.press("p")
        await k.until(lambda: "per process" in k.text and k.table.row_count)
        await k.press("enter")
        assert k.screen._who.start_ns == OLD


async def test_who_runs_under_the_pid_now_is_not_taken_for_the_one_of_the_row():
    me = read(os.getpid())
    assert me is not None
    async with running(Synthetic(elsewhere=True)) as k:
        k.main.open_process(me.pid, me.start_ns - TICK_NS)
        await k.until(lambda: "It ended before it could be looked at." in k.text)
        assert "last seen" not in k.text
        assert " ended " in k.text
        await k.press("escape")
        # Panes know the start to the nanosecond.
        k.main.open_process(me.pid, me.start_ns + 1)
        await k.until(lambda: "command" in k.text)
        assert " ended " not in k.text


async def test_what_ended_says_when_and_that_its_figures_are_of_before():
    child = await asyncio.create_subprocess_exec("sleep", "60")
    async with running(Synthetic(elsewhere=True)) as k:
        k.main.open_process(child.pid)
        await k.until(lambda: "now       threads 1" in k.text and "state sleeping" in k.text)
        assert "last seen" not in k.text
        await k.until(lambda: "it is watched while this is open" in k.text)
        child.kill()
        await child.wait()
        await k.until(lambda: not k.screen._busy)
        k.screen._next = 0.0
        await k.tick()
        await k.until(lambda: re.search(r"ended +by \d\d:\d\d:\d\d", k.text))
        seen = r"last seen \d\d:\d\d:\d\d  threads \d  memory .*  state \w"
        await k.until(lambda: re.search(seen, k.text))
        assert "now       threads" not in k.text
        assert "it is watched while this is open" not in k.text, "no stack of it will come any more"


@pytest.mark.parametrize("swapped", [0, 64_400_000])
@pytest.mark.parametrize("over", [False, True])
def test_what_it_waits_for_is_told_whole_at_80_columns(swapped, over):
    """A disk that does not answer, or swap: then the state is what one looks for."""
    me = read(os.getpid())
    assert me is not None
    process = replace(me, state="D", rss_bytes=123_400_000, swap_bytes=swapped, threads=1234)
    known = who.Who(None, recorded=False)
    known.take(who.Found(process, None, None), who.Seen(), at_all=True)
    if over:
        known.take(who.Found(None, None, None), who.Seen(), at_all=True)
    lines = ["".join(text for text, _ in line) for line in known.lines(2e9, 76, live=True)]
    first = next(n for n, line in enumerate(lines) if line.startswith(("now ", "last seen ")))
    assert max(map(len, lines[first:])) <= 76
    assert "threads 1234  memory" in lines[first]
    assert all(line.startswith(" " * 10) and line[10] != " " for line in lines[first + 1 :])
    assert "state waiting, not interruptible" in " ".join(lines[first:])


def test_who_is_held_up_by_a_cpu_limit_waits_for_no_other_process():
    """Its waits look like those for a CPU, beside the names of who has the CPUs meanwhile."""
    me = read(os.getpid())
    assert me is not None
    known = who.Who(None, recorded=False)

    def at(seconds: int, *limits: Limit) -> str:
        """Return what is told after so many seconds more."""
        process = replace(me, read_ns=me.read_ns + seconds * 10**9, limits=limits)
        known.take(who.Found(process, None, None), who.Seen(), at_all=True)
        return "\n".join("".join(text for text, _ in line) for line in known.lines(2e9, 76, live=True))

    pod, inner = Limit(b"/pod[1]", 0.2, 100, 50), Limit(b"/pod[1]/x", 4.0, 90, 0)
    assert "throttled" not in at(0, inner, pod)
    told = at(1, inner._replace(periods=99), pod._replace(periods=110, used_up=58))
    assert "throttled in 8 of 10 periods, by the 0.2 CPUs that /pod[1] may use" in told
    assert "throttled" not in at(2, inner._replace(periods=109), pod._replace(periods=120, used_up=58))


@pytest.mark.parametrize("recorded", [False, True])
def test_of_whom_nothing_can_be_read_the_panes_still_know_whose_it_was(recorded):
    known = who.Who(None, recorded=recorded)
    known.take(who.Found(None, None, None), who.Seen(5.0, b"fio", b"backup\x1b.service"), at_all=True)
    assert known.comm == b"fio"
    assert spelt(known.lines(9.0, 90, live=True)[1]) == r"cgroup    backup\x1b.service"
    known.take(who.Found(None, None, None), who.Seen(6.0, b"fio"), at_all=True)
    assert len(known.lines(9.0, 90, live=True)) == 1


def test_who_could_not_be_read_for_a_moment_has_not_ended():
    known = who.Who(None, recorded=False)
    found = who.Found(read(os.getpid()), None, None)
    for process, ended in ((found, False), (found._replace(process=None), True), (found, False)):
        known.take(process, who.Seen(5.0, b"python"), at_all=True)
        assert (known.ended is not None) == ended


async def test_who_ended_unseen_was_last_in_a_sample():
    async with running(Reused(elsewhere=True), ticks=5, panes=WITH_START) as k:
        assert k.pid is not None
        k.main.open_process(k.pid, OLD)
        at = clock(k.main.history.latest("runqlat").ts)
        await k.until(lambda: f"It ended before it could be looked at. It was last seen at {at}." in k.text)


async def test_who_ended_unseen_was_still_there_at_a_moment_that_is_held():
    async with running(Reused(elsewhere=True), ticks=5, panes=WITH_START) as k:
        assert k.pid is not None
        await k.press("left_square_bracket", "left_square_bracket")
        k.main.open_process(k.pid, OLD)
        assert k.app.view.at is not None
        at = clock(k.app.view.at)
        await k.until(lambda: f"It ended before it could be looked at. It was still there at {at}." in k.text)


async def test_what_is_of_now_says_so_while_another_moment_is_looked_at():
    async with running(Synthetic(elsewhere=True)) as k:
        k.main.open_process(os.getpid())
        await k.until(lambda: "now       threads" in k.text)
        await k.press("space")
        await k.until(lambda: re.search(r"last seen \d\d:\d\d:\d\d  threads", k.text))
        await k.press("space")
        await k.until(lambda: "now       threads" in k.text)


async def test_it_says_what_the_process_uses_of_the_cpus(monkeypatch):
    monkeypatch.setattr(who, "CPU_NS", 0)
    spinner = await asyncio.create_subprocess_exec("sh", "-c", "while :; do :; done")
    try:
        async with running(Synthetic(elsewhere=True), size=(80, 24)) as k:
            k.main.open_process(spinner.pid)
            await k.until(lambda: "now       threads 1" in k.text)

            def busy() -> bool:
                k.screen._next = 0.0
                k.source.tick()
                found = re.search(r"cpu +([\d.]+)% of one", k.text)
                return found is not None and float(found[1]) > 1

            await k.until(busy)
            # In 80 columns too the line is one.
            await k.press("space")
            await k.until(lambda: re.search(r"last seen .*% of one  state \w", k.text))
    finally:
        spinner.kill()
        await spinner.wait()


@pytest.mark.parametrize("ppid", [None, float("nan")])
def test_an_exec_without_a_parent_is_nobody_s(ppid):
    """A recording may lack the column."""
    known = who.Who(None, recorded=True)
    begun = {"ppid": ppid, "argv": b"df\0"}
    known.take(who.find(None, begun, recorded=False), who.Seen(5.0, b"df"), at_all=True)
    assert known.parent == (0, None)
    assert any("parent" in line and "–" in line for line in map(spelt, known.lines(6.0, 80, live=False)))


async def test_what_is_opened_while_paused_has_its_average():
    """It is read once then."""
    async with running(size=(120, 40)) as k:
        await k.press("space")
        k.main.open_process(1)
        await k.until(lambda: re.search(r"last seen .*cpu +[\d.]+% of one so far  state \w", k.text))


async def test_what_ended_unseen_has_the_command_and_the_parent_of_its_exec():
    async with running(Synthetic(recorded=True), ticks=5) as k:
        events, _ = k.main.bridge.events("execsnoop")
        shell, child = events["pid"][-2:].tolist()
        k.main.open_process(child)
        await k.until(lambda: re.search(rf"command +/usr/bin/df -h *\n *parent +{shell}", k.text))
        await k.press("p")
        await k.until(lambda: f"process {shell}" in k.text and re.search(r"parent +9\b", k.text))
        await k.press("escape")
        assert k.shows(MainScreen)


async def test_p_leads_to_the_parent():
    async with running(Synthetic(elsewhere=True), ticks=5) as k:
        k.main.open_process(os.getpid())
        await k.until(lambda: re.search(rf"parent +{os.getppid()} \S", k.text))
        await k.press("p")
        await k.until(lambda: f"process {os.getppid()}" in k.text and "command" in k.text)
        # Its screen has stacks, too: they are sampled for whoever looks at them.
        assert k.source.looked_at == ("profile",)
        k.main._returned(None)  # the screen before it may be left behind it, in another queue of messages
        assert k.source.looked_at == ("profile",)
        await k.press("escape")
        await k.until(lambda: k.source.looked_at == ("runqlat",))


async def test_a_kernel_thread_has_no_memory_of_its_own():
    found = read(2)
    assert found is not None
    assert not found.argv
    assert found.rss_bytes is None
    async with running() as k:
        k.main.open_process(2)
        # All lines but the first get their place a moment later.
        await k.until(lambda: "a kernel thread" in k.text and "memory –  " in k.text)


async def test_the_keys_of_vi_scroll_too():
    async with running(size=(80, 24)) as k:
        await k.press("enter")
        text = k.screen.query_one(VerticalScroll)
        await k.until(lambda: text.max_scroll_y > 3)
        for keys, place in (("j", 1), ("jj", 3), ("k", 2), ("G", None), ("g", 0)):
            await k.press(*keys)
            assert text.scroll_y == (text.max_scroll_y if place is None else place)


async def test_it_says_who_takes_the_cpus_meanwhile():
    """The way from who suffers to who causes it, of the last seconds before the moment looked at."""
    runqlat = get("runqlat")
    panes = [runqlat if pane.name == "runqlat" else pane for pane in PANES]

    class Crowded(Synthetic):
        def frames(self, tick: int) -> list[Frame]:
            """Return Frames in which process 2 has 200 ms in each."""
            rows = {**rows_of(runqlat, 3), "comm": np.array([b"victim", b"ho\x1b[1mg", b"idle"])}
            rows["pid"], rows[START] = np.array([1, 2, 3]), np.array([10, 20, 30])
            rows["cpu_us"] = np.array([1000.0, 200_000.0, 0.0])
            rows["cgroup"] = np.array([b"web.service", b"batch [a].scope", b"/"])
            return [
                replace(each, rows=rows) if each.pane == "runqlat" else each for each in super().frames(tick)
            ]

    async with running(Crowded(), panes=panes, size=(120, 40), ticks=25) as k:
        k.table.go_to(pid=1)
        await k.press("enter")
        await k.until(lambda: "others' on cpu in 10 s  ho\\x1b[1mg (2) 2.00s batch [a].scope" in k.text)
