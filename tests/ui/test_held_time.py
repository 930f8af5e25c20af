"""Time that is held, and steps back through it, by keys."""

from __future__ import annotations

import re

import pytest

from ktop.ui.process_screen import ProcessScreen
from ktop.ui.table.table import FrameTable
from tests.ui.driven import running


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


async def test_a_pane_of_which_no_more_comes_is_not_shown_as_of_now(monkeypatch):
    async with running(ticks=5) as k:
        assert "nginx" in k.text
        frames = k.source.frames
        monkeypatch.setattr(k.source, "frames", lambda tick: [f for f in frames(tick) if f.pane != "runqlat"])
        await k.tick(5)
        assert "nginx" in k.text
        await k.tick(3)
        await k.until(lambda: "no sample of this moment" in k.text)
        assert "nginx" not in k.text
        monkeypatch.undo()
        await k.tick()
        await k.until(lambda: "nginx" in k.text)


async def test_time_is_held_now_where_the_pane_was_watched_long_ago(monkeypatch):
    async with running(ticks=5, pane="profile") as k:
        await k.press("1")
        frames = k.source.frames
        monkeypatch.setattr(k.source, "frames", lambda tick: [f for f in frames(tick) if f.pane != "profile"])
        await k.tick(30)
        await k.press("8", "space")
        assert k.app.view.at == pytest.approx(k.app.bridge.now, abs=1)


async def test_escape_returns_from_the_past_before_it_clears_the_filter():
    async with running() as k:
        await k.press("slash", *"nginx", "enter", "left_square_bracket", "escape")
        assert k.app.view.live
        assert k.app.view.filter
        await k.press("escape")
        assert not k.app.view.filter


async def test_the_end_of_the_history_is_said():
    async with running(notifications=True, ticks=5) as k:
        await k.press("[")
        await k.press("[")
        assert "oldest" not in k.text
        await k.press("{")
        await k.until(lambda: "This is the oldest sample that is kept." in k.text)
