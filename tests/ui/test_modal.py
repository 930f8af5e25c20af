"""Dialogs on a slow host: answered twice, used before they have room, clicked on too late."""

from __future__ import annotations

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Static

from ktop.ui.help_screen import HelpScreen
from ktop.ui.process_screen import ProcessScreen
from ktop.ui.table.sort_picker import SortPicker
from ktop.ui.table.table import FrameTable
from ktop.ui.textual_fixes.modal import CommandOptions, Options
from tests.ui.driven import running
from tests.ui.synthetic import RUNQLAT


async def test_a_second_answer_changes_nothing():
    async with running() as k:
        await k.press("enter")
        await k.until(lambda: k.shows(ProcessScreen))
        process = k.screen
        await k.app.push_screen(SortPicker(RUNQLAT, "waits"))
        picker = k.screen
        picker.dismiss("max_us")
        picker.dismiss("max_us")
        await k.pilot.pause()
        assert k.screen is process
        process.action_back()
        process.action_back()
        await k.pilot.pause()
        assert k.screen is k.main


async def test_a_command_chosen_twice_runs_once():
    async with running() as k:
        await k.press("ctrl+p", *"help")
        await k.until(lambda: k.screen.query_one(CommandOptions).option_count == 1)
        palette = k.screen
        await k.press("enter")
        palette._select_or_command()
        palette._gather_commands("pane")
        await k.until(lambda: k.shows(HelpScreen))
        await k.press("escape")
        assert k.screen is k.main
        assert k.app.failure is None


@pytest.mark.parametrize("key", ["S", "ctrl+p", "question_mark"])
async def test_dialogs_stand_having_no_room(key):
    async with running(size=(4, 2)) as k:
        await k.press(key, "pageup", "pagedown", "up", "down")
        assert k.screen is not k.main
        await k.press("escape")
        assert k.screen is k.main


async def test_help_closed_before_it_was_laid_out():
    async with running() as k:
        k.app.action_help()
        screen = k.screen
        await screen.query("*").remove()
        screen._fill()
        assert k.app.failure is None


async def test_the_mouse_on_what_was_removed_and_is_still_on_the_screen():
    async with running() as k:
        await k.press("question_mark")
        text = k.screen.query_one(Static)
        await k.until(lambda: text.size.height > 1)
        x, y = text.region.offset
        await text.remove()
        for event in (events.MouseDown, events.MouseMove):
            k.screen._forward_event(event(None, x, y, 0, 0, 1, False, False, False, x, y))
        await k.pilot.pause()
        assert k.app.failure is None


async def test_a_click_on_what_is_not_in_the_list_any_more():
    async with running() as k:
        await k.press("S")
        options = k.screen.query_one(Options)
        where = options.region.offset
        options._options.clear()
        await _click(k.pilot, where.x + 2, where.y)
        assert isinstance(k.screen, SortPicker)
        assert k.app.failure is None


async def _click(pilot: Pilot[None], x: int, y: int) -> None:
    await pilot.click(offset=(x, y))
    await pilot.pause()


def test_a_table_is_asked_for_a_line_before_its_style_sheet():
    table = FrameTable(RUNQLAT)
    assert not table._styles.of("quiet")
    assert not table._styles._styles
