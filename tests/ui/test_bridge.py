"""Who is told of new Frames, and when."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from textual.message import Message
from textual.widget import Widget

from ktop.frame import Frame, Status
from ktop.history import block, history
from ktop.history.block import Block
from ktop.pane import Pane
from ktop.source import HOST
from ktop.ui.bridge import Bridge
from ktop.ui.view import View
from tests.ui.synthetic import PANES, Synthetic


class Told(Widget):
    """Remembers that it was told."""

    is_attached = True

    def __init__(self, name: str, log: list[str]) -> None:
        super().__init__(name=name)
        self._log = log

    def post_message(self, message: Message) -> bool:
        del message
        self._log.append(self.name or "")
        return True


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def _frame(pane: str, ts: float) -> Frame:
    return Frame(pane, ts, 1.0, {})


@pytest.fixture
def log() -> list[str]:
    return []


async def test_the_host_and_the_pane_in_sight_are_told_together(log):
    bridge = Bridge(PANES, View())
    bridge.watch(HOST, Told("header", log))
    bridge.watch("runqlat", Told("pane", log))
    bridge.publish(_frame(HOST, 1.0))
    await _settle()
    assert log == []
    bridge.publish(_frame("runqlat", 1.0))
    bridge.publish(_frame("biotop", 1.0))
    await _settle()
    assert log == ["pane", "header"]
    assert bridge.now == 1.0


def test_of_a_moment_in_a_gap_there_is_no_frame():
    view = View()
    bridge = Bridge(PANES, view)
    for ts in (1000.0, 1001.0, 1100.0):
        bridge.publish(_frame(HOST, ts))
        bridge.publish(_frame("runqlat", ts) if ts < 1100 else _frame("biotop", ts))
    assert bridge.newest("biotop").ts == bridge.newest(HOST).ts == 1100
    assert bridge.newest("runqlat") is None
    view.at = 1005.0
    assert bridge.newest("runqlat").ts == bridge.newest(HOST).ts == 1001
    view.at = 1050.0
    assert bridge.newest("runqlat") is bridge.newest(HOST) is None


def test_once_the_clock_was_set_back_no_event_is_still_to_come():
    bridge = Bridge(PANES, View())
    for ts in (2000.0, 2001.0, 1000.0, 1001.0):
        bridge.publish(_frame(HOST, ts))
        execs = next(each for each in Synthetic().frames(int(ts)) if each.pane == "execsnoop")
        bridge.publish(replace(execs, ts=ts))
    rows, older = bridge.events("execsnoop")
    assert older == 0
    assert len(rows["time"]) == 2 * 2


async def test_who_follows_both_is_told_once(log):
    bridge = Bridge(PANES, View())
    both = Told("both", log)
    bridge.watch(HOST, both)
    bridge.watch("runqlat", both)
    bridge.publish(_frame(HOST, 1.0))
    bridge.publish(_frame("runqlat", 1.0))
    await _settle()
    assert log == ["both"]
    bridge.publish(_frame(HOST, 2.0))
    bridge.publish(_frame("biotop", 2.0))
    await _settle()
    assert log == ["both", "both"]


async def test_the_host_is_told_of_where_no_pane_has_anything(log):
    bridge = Bridge(PANES, View())
    bridge.watch(HOST, Told("header", log))
    bridge.publish(_frame(HOST, 1.0))
    bridge.publish(_frame(HOST, 2.0))
    await _settle()
    assert log == ["header"]


async def test_the_last_word_of_a_source_is_told_at_once_and_is_no_sample(log):
    bridge = Bridge(PANES, View())
    bridge.watch(HOST, Told("header", log))
    bridge.publish(_frame(HOST, 1.0))
    bridge.publish(_frame("runqlat", 1.0))
    await _settle()
    bridge.publish(replace(_frame(HOST, 9.0), status=Status(unavailable="the file is cut at byte 9")))
    await _settle()
    assert log == ["header", "header"]
    assert bridge.ended == "the file is cut at byte 9"
    assert bridge.now == 1.0
    assert bridge.history.times(HOST).tolist() == [1.0]


async def test_nobody_is_told_after_the_end(log):
    bridge = Bridge(PANES, View())
    bridge.watch("runqlat", Told("pane", log))
    bridge.close()
    bridge.publish(_frame("runqlat", 1.0))
    await _settle()
    assert log == []


def test_why_a_pane_has_no_figures_is_known_for_as_long_as_it_has_none():
    """Sources say it once; the history keeps ten minutes."""
    bridge = Bridge(PANES, View())
    bridge.publish(replace(_frame("llcstat", 0.0), status=Status(unavailable="no PMU")))
    for tick in range(1, 700):
        bridge.publish(_frame(HOST, float(tick)))
    latest = bridge.history.latest("llcstat")
    assert latest is not None
    assert (latest.ts, latest.status.unavailable) == (699.0, "no PMU")
    bridge.publish(_frame("llcstat", 700.0))
    bridge.publish(_frame(HOST, 701.0))
    latest = bridge.history.latest("llcstat")
    assert latest is not None
    assert (latest.ts, latest.status.unavailable) == (700.0, None)


def test_two_threads_make_one_history(monkeypatch):
    bridge = Bridge(PANES, View())
    asked = threading.Event()
    seen = []

    class Interrupted(history.History):
        """While the first is made, another thread asks for one."""

        def __init__(self, *args: object) -> None:
            super().__init__(*args)  # type: ignore[arg-type]
            if not asked.is_set():
                asked.set()
                other.start()
                # Time for its mistake: it ends here only if it got, or made, one of its own.
                other.join(0.2)

    other = threading.Thread(target=lambda: seen.append(bridge.history))
    monkeypatch.setattr(history, "History", Interrupted)
    first = bridge.history
    other.join()
    assert seen == [first]
    assert bridge.history is first


@pytest.mark.parametrize(
    ("pane", "why"), [("runqlat", "ValueError: no such thing"), ("execsnoop", "KeyError: 'time'")]
)
def test_a_pane_whose_figures_cannot_be_kept_says_so_and_the_others_go_on(monkeypatch, pane, why):
    """Whatever is wrong with them: here the packing of one pane, and what another's events lack."""

    def seal(of: Pane | None, frames: Sequence[Frame]) -> Block:
        if of is not None and of.name == "runqlat" and len(frames[-1]):
            raise ValueError("no such thing")
        return block.seal(of, frames)

    monkeypatch.setattr(history, "seal", seal)
    bridge = Bridge(PANES, View())
    for tick in range(100):
        bridge.publish(_frame(HOST, float(tick)))
        bridge.publish(replace(_frame(pane, float(tick)), rows={"pid": np.arange(3)}))
        bridge.publish(_frame("biotop", float(tick)))
    assert bridge.history.times(HOST).tolist() == bridge.history.times("biotop").tolist() == list(range(100))
    said = {each.status.unavailable for each in bridge.history.frames(pane)} - {None}
    assert said == {f"its figures cannot be kept ({why})"}
    bridge.publish(_frame(pane, 100.0))
    latest = bridge.history.latest(pane)
    assert latest is not None
    assert (latest.ts, latest.status.unavailable) == (100.0, None)


def test_what_is_held_stays_when_a_pane_begins_anew():
    bridge = Bridge(PANES, view := View())
    bridge.publish(_frame("biotop", 1.0))
    view.at = 1.0
    bridge.publish(replace(_frame("execsnoop", 5000.0), rows={"pid": np.arange(3)}))
    assert bridge.history.times("biotop").tolist() == [1.0]


def test_a_moment_that_is_still_to_come_is_not_held():
    """The clock was set back: what comes now would seem to be of it."""
    view = View()
    bridge = Bridge(PANES, view)
    for ts in (100.0, 101.0):
        bridge.publish(_frame(HOST, ts))
    view.at = 100.0
    bridge.publish(_frame(HOST, 100.5))
    assert view.at == 100.0, "it has been"
    bridge.publish(_frame(HOST, 40.0))
    assert view.at is None


def test_a_moment_of_a_recording_is_waited_for():
    view = View()
    view.at = 100.0
    bridge = Bridge(PANES, view)
    for ts in (40.0, 41.0):
        bridge.publish(_frame(HOST, ts))
    assert view.at == 100.0
