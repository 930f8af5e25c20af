"""Following a process, by the key F: from pane to pane, and no other of its PID."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ktop.frame import Frame
from ktop.pane import START, Column, Fold, Unit
from ktop.ui.process_screen import ProcessScreen
from ktop.ui.stack_tree import StackTree
from ktop.ui.view import Followed
from tests.ui.driven import running
from tests.ui.owned import OWNED, Owned
from tests.ui.synthetic import PANES, Synthetic


async def test_follow_goes_to_the_same_process_in_every_pane():
    async with running() as k:
        await k.press("down", "down", "down", "F")
        pid = k.pid
        await k.press("2")
        assert k.pid == pid
        assert f"following {pid}" in k.text
        await k.press("F")
        assert k.app.view.follow is None


class Started(Synthetic):
    """Rows of runqlat say when their process started."""

    start_ns = 1

    def frames(self, tick: int) -> list[Frame]:
        return [
            replace(frame, rows={**frame.rows, START: np.full(len(frame), self.start_ns)})
            if frame.pane == "runqlat"
            else frame
            for frame in super().frames(tick)
        ]


async def test_who_has_the_pid_next_is_another_process():
    start = Column(START, "START", Unit.NUMBER, "Start of the process.", Fold.LAST, hidden=True)
    panes = [
        replace(pane, columns=(*pane.columns, start), key=(*pane.key, START))
        if pane.name == "runqlat"
        else pane
        for pane in PANES
    ]
    source = Started()
    async with running(source, panes=panes) as k:
        await k.press("down", "F")
        followed = k.app.view.follow
        assert followed.start_ns == 1
        source.start_ns = 2
        await k.tick()
        assert k.pid is None
        assert f"following {followed.pid}, which has no row now" in k.text


@pytest.mark.parametrize("pane", ["hardirqs", "runqlat"])
async def test_follow_goes_on_where_no_row_is_a_process(pane):
    async with running(panes=OWNED, source=Owned()) as k:
        await k.press("down", "F")
        followed = k.app.view.follow
        if pane == "hardirqs":
            await k.press("4")
        else:
            await k.press("C")
        await k.until(lambda: k.main.pane_view and not k.view.shown_pane.has_processes)
        await k.press("F")
        assert k.app.view.follow == followed


async def test_who_has_no_row_is_waited_for_and_nobody_else_is_meant():
    source = Synthetic()
    async with running(source, pane="biotop") as k:
        await k.press("down", "down", "F")
        pid = k.app.view.follow.pid
        assert pid is not None
        source.gone.add(pid)
        await k.tick()
        # Never looked at before: there is no row that it could have been on.
        await k.press("1")
        await k.until(lambda: k.view.pane.name == "runqlat" and k.table.row_count)
        assert k.table.cursor_row() is None
        assert f"following {pid}, which has no row now" in k.text
        await k.press("enter")
        assert k.shows(ProcessScreen)
        assert k.screen.pid == pid
        await k.press("escape", "down")
        other = k.pid
        assert other is not None
        await k.tick()
        assert k.pid == other, "one may look elsewhere meanwhile"
        assert f"following {pid}, which has no row now" in k.text
        source.gone.clear()
        await k.tick()
        assert k.pid == pid
        assert f"following {pid} " in k.text
        source.gone.add(pid)
        await k.tick()
        await k.press("F")
        assert k.app.view.follow is None
        await k.tick()
        assert k.pid not in {None, pid}
        # Interrupts are nobody's.
        k.app.view.follow = Followed(pid, None)
        await k.press("4")
        await k.until(lambda: k.view.pane.name == "hardirqs" and k.table.row_count)
        assert k.table.cursor_row() is not None
        assert "following" not in k.text


async def test_follow_goes_to_the_process_in_the_tree_of_stacks_and_stays_in_it():
    async with running() as k:
        pid = int(k.main.history.frames("profile")[-1].rows["pid"][-1])
        k.table.go_to(pid=pid)
        await k.press("F")
        number = next(n for n, pane in enumerate(PANES, start=1) if pane.name == "profile")
        await k.press(str(number))
        await k.until(lambda: k.view.pane.name == "profile" and k.pid is not None)
        assert k.pid == pid
        tree = k.view.table
        assert isinstance(tree, StackTree)
        assert tree.cursor.depth == 0
        await k.press("right", "right")
        assert tree.cursor.depth > 0
        within = tree.cursor.path
        await k.tick(2)
        assert tree.cursor.path == within, "among its functions one goes where one likes"
        await k.press("g")
        assert k.pid != pid
        await k.tick()
        assert k.pid == pid
        await k.press("F")
        await k.press("g")
        first = k.pid
        await k.tick()
        assert k.pid == first != pid


async def test_a_process_without_stacks_is_waited_for():
    async with running(pane="profile") as k:
        k.app.view.follow = Followed(4_000_000, None)
        at = k.pid
        await k.tick(2)
        assert k.pid == at
        assert "following 4000000" in k.text
